//! Logs that are not read, are read late, or say wrong times: what is not known is not zero.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use regex::Regex;
use watchfloor::{
    config::profile::{LogExclude, LogOrigin, SourceKind},
    domain::failure::{Failure, FailureKind},
    sources::Source,
};

use super::{
    TIMEOUT,
    common::servers::PATIENCE,
    good,
    logs::{FROM_SINCE, ago, append, config, of_file, of_program, request, shown, until},
    missing, number, poll, source,
};

const MINUTE: Duration = Duration::from_secs(60);

fn shell(script: &str, place: &Path, silent_after: Duration) -> Source {
    of_program(&["sh", "-c", script, "{since}"], place, silent_after)
}

/// A line with a time before it, as docker prints it.
fn stamped(seconds_ahead: i64, text: &str) -> String {
    format!("{:.3} {text}\n", ago(-seconds_ahead))
}

/// Polls until it fails with those words.
async fn until_it_fails(source: &mut Source, words: &str) -> Failure {
    let start = Instant::now();
    loop {
        let outcome = poll(source).await;
        if outcome.as_ref().is_err_and(|failure| failure.message.contains(words)) {
            return outcome.expect_err("a failure");
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {words:?}: {outcome:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn one_line_of_tomorrow_costs_no_line_of_today() {
    let place = tempfile::tempdir().expect("a directory");
    let log = place.path().join("log");
    append(&log, &(stamped(-2, "a") + &stamped(86_400, "tomorrow")));
    let script = format!("{FROM_SINCE}; sleep 1; exit 1");
    let mut tested = shell(&script, place.path(), MINUTE);
    until(&mut tested, "lines", 2.0).await;
    append(&log, &stamped(0, "b"));
    let facts = until(&mut tested, "lines", 3.0).await;
    assert!(
        facts.remarks.iter().any(|remark| remark.contains("ahead of the clock")),
        "{:?}",
        facts.remarks
    );
}

#[tokio::test]
async fn a_program_that_hangs_after_it_was_started_anew_is_not_a_quiet_log() {
    let place = tempfile::tempdir().expect("a directory");
    append(&place.path().join("log"), &stamped(-2, "one"));
    let script = "[ -e hangs ] || cat log; touch hangs; exec sleep 60";
    let mut tested = shell(script, place.path(), Duration::from_secs(2));
    until(&mut tested, "lines", 1.0).await;
    let failure = until_it_fails(&mut tested, "does not print again what it printed last").await;
    assert!(!failure.kind.means_down(), "{failure}");
}

#[tokio::test]
async fn a_program_that_never_prints_says_nothing_of_the_traffic() {
    let place = tempfile::tempdir().expect("a directory");
    let mut tested =
        of_program(&["sh", "-c", "exec sleep 60"], place.path(), Duration::from_secs(4));
    let facts = good(poll(&mut tested).await);
    for name in ["lines", "requests", "error_rate", "errors_1h", "requests_total"] {
        assert!(missing(&facts, name).starts_with("nothing was printed yet"), "{name}");
    }
    until_it_fails(&mut tested, "it runs, but has printed nothing for 4s").await;
}

#[tokio::test]
async fn a_file_that_was_deleted_is_not_a_quiet_log() {
    let place = tempfile::tempdir().expect("a directory");
    let log = place.path().join("log");
    append(&log, &request(ago(0), 200, 1.0, "/a"));
    let mut tested = of_file(&log);
    until(&mut tested, "requests", 1.0).await;
    fs::remove_file(&log).expect("deleted");
    let failure = until_it_fails(&mut tested, "there is no file").await;
    assert_eq!(failure.kind, FailureKind::MissingEndpoint);
    append(&log, &request(ago(0), 200, 2.0, "/b"));
    until(&mut tested, "requests", 2.0).await;
}

#[tokio::test]
async fn what_was_there_before_may_come_late_and_is_not_counted_as_new() {
    let place = tempfile::tempdir().expect("a directory");
    let old = stamped(-100, "old") + "without a time\n" + &stamped(-90, "old, too");
    append(&place.path().join("log"), &old);
    let script = "sleep 3; cat log; sleep 2; echo 'without a time, but new'; exec sleep 60";
    let mut tested = shell(script, place.path(), MINUTE);
    let facts = until(&mut tested, "lines", 3.0).await;
    assert_eq!(number(&facts, "lines_total"), 1.0);
    let last = shown(&facts).last().expect("an entry");
    assert_eq!(last.message.as_ref(), "without a time, but new");
}

#[tokio::test]
async fn a_tail_without_times_that_is_printed_again_is_not_counted_again() {
    let place = tempfile::tempdir().expect("a directory");
    let script = "echo one; echo two; echo x >> starts; sleep 7; \
                  [ -e again ] && exec sleep 60; echo three; touch again; exit 1";
    let mut tested = of_program(&["sh", "-c", script], place.path(), MINUTE);
    until(&mut tested, "lines", 1.0).await;
    let starts =
        || fs::read_to_string(place.path().join("starts")).unwrap_or_default().lines().count();
    let start = Instant::now();
    while starts() < 2 {
        assert!(start.elapsed() < PATIENCE, "it is not started again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // It is up again once its tail has been read.
    let start = Instant::now();
    let facts = loop {
        match poll(&mut tested).await {
            Ok(facts) => break facts,
            Err(failure) => assert!(start.elapsed() < PATIENCE, "{failure}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((number(&facts, "lines"), number(&facts, "lines_total")), (1.0, 1.0));
    assert!(
        facts.remarks.iter().any(|remark| remark.contains("only what is after")),
        "what came in between is not known: {:?}",
        facts.remarks
    );
}

#[tokio::test]
async fn whoever_goes_on_writing_to_a_file_that_was_renamed_is_still_heard() {
    let place = tempfile::tempdir().expect("a directory");
    let (log, old) = (place.path().join("log"), place.path().join("log.1"));
    append(&log, &request(ago(0), 200, 1.0, "/a"));
    let mut tested = of_file(&log);
    until(&mut tested, "requests", 1.0).await;
    fs::rename(&log, &old).expect("renamed");
    append(&log, &request(ago(0), 200, 2.0, "/new"));
    until(&mut tested, "requests", 2.0).await;
    for ms in [3.0, 4.0] {
        tokio::time::sleep(Duration::from_secs(2)).await;
        append(&old, &request(ago(0), 200, ms, "/late"));
        until(&mut tested, "requests", ms).await;
    }
    append(&log, &request(ago(0), 200, 5.0, "/new"));
    until(&mut tested, "requests", 5.0).await;
}

#[tokio::test]
async fn times_of_another_zone_are_not_no_traffic() {
    let place = tempfile::tempdir().expect("a directory");
    let log = place.path().join("log");
    append(&log, &request(ago(5 * 3_600 + 60), 200, 1.0, "/before"));
    let mut tested = of_file(&log);
    good(poll(&mut tested).await);
    append(&log, &request(ago(5 * 3_600), 500, 2.0, "/now"));
    let facts = until(&mut tested, "failed_total", 1.0).await;
    for name in ["requests", "errors_1h", "error_rate", "p95_ms"] {
        assert!(missing(&facts, name).contains("5h behind the clock"), "{:?}", facts.missing);
    }
    assert!(facts.remarks.iter().any(|remark| remark.contains("timezone")), "{:?}", facts.remarks);
    // A line of the right time shows that the other one was late.
    append(&log, &request(ago(0), 200, 3.0, "/now"));
    until(&mut tested, "requests", 1.0).await;
}

#[tokio::test]
async fn nothing_personal_reaches_the_screen_by_a_back_door() {
    let place = tempfile::tempdir().expect("a directory");
    let time = ago(0);
    let object = "{ id: 7, email: 'mail-canary', at: 2025-11-27T10:00:00.000Z }";
    let text = format!(
        "{{\"timestamp\":\"{time}\",\"message\":\"in {object}\",\"api_token\":\"token-canary\",\
          \"path\":\"/u/me@canary.example/x?q=query-canary\",\"next\":\"/x?q=query-canary\"}}\n\
         {time} [info]: logged in {object}\n\
         {time} [info]: spread {{\n  user: {object},\n  odd: {{ id: 7, email: mail-canary! (7) }},\n  seen: 1\n}}\n\
         plain {object}\n"
    );
    let log = place.path().join("log");
    fs::write(&log, "").expect("created");
    let mut tested = of_file(&log);
    good(poll(&mut tested).await);
    append(&log, &text);
    let facts = until(&mut tested, "lines", 4.0).await;
    let entries = format!("{:?}", shown(&facts));
    assert!(!entries.contains("canary"), "{entries}");
    for kept in ["info", "/u/:id/x", "logged in {", "2025-11-27", "seen", "plain {"] {
        assert!(entries.contains(kept), "{kept} is not in {entries}");
    }

    // The last words of a program, where they are an entry of the log.
    for (words, said) in [
        ("{\"message\":\"x\",\"email\":\"mail-canary\"}", false),
        ("2025-11-27 10:00:00 [error]: no such user mail-canary", false),
        ("  \"ip\": \"ip-canary\",", false),
        ("cannot reach the daemon { host: 'd', email: 'mail-canary' }", true),
    ] {
        fs::write(place.path().join("words"), words).expect("written");
        let script = "cat words >&2; exit 3";
        let failure = until_it_fails(&mut shell(script, place.path(), MINUTE), "exit code 3").await;
        assert!(!failure.message.contains("canary"), "{failure}");
        assert_eq!(failure.message.contains("cannot reach the daemon"), said, "{failure}");
    }
}

#[tokio::test]
async fn what_the_console_asks_itself_does_not_dilute_the_figures() {
    let place = tempfile::tempdir().expect("a directory");
    let log = place.path().join("log");
    let regex = |text: &str| Some(Regex::new(text).expect("an expression"));
    let from = LogOrigin::File(log.clone());
    let exclude = LogExclude { path: regex("^/health$"), agent: regex("^watchfloor/") };
    let config = watchfloor::config::profile::LogsSource { exclude, ..config(from) };
    let mut tested = source(SourceKind::Logs(Box::new(config)), TIMEOUT);
    let own =
        request(Timestamp::now(), 200, 1.0, "/api").replace("agent-canary", "watchfloor/0.1.0");
    let text = own
        + &request(ago(0), 200, 2.0, "/health?deep=1")
        + &request(ago(0), 200, 3.0, "/healthy")
        + &request(ago(0), 503, 4.0, "/api");
    append(&log, &text);
    let facts = good(poll(&mut tested).await);
    assert_eq!(number(&facts, "requests"), 2.0);
    assert_eq!(number(&facts, "error_rate"), 0.5);
    assert_eq!(number(&facts, "excluded"), 2.0);
    assert_eq!(number(&facts, "lines"), 4.0);
}

/// A FIFO that nobody writes to would keep whoever opens it waiting for ever.
#[tokio::test]
async fn what_is_no_file_is_refused_and_said() {
    let place = tempfile::tempdir().expect("a directory");
    let fifo = place.path().join("fifo");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).expect("made");
    let failure = until_it_fails(&mut of_file(&fifo), "fifo is a FIFO, no file").await;
    assert_eq!(failure.kind, FailureKind::Misconfigured);
    assert!(failure.hint.is_some_and(|hint| hint.contains("argv")));
}

/// They are not of now, and when they were written nobody knows: they are not passed over
/// without a word.
#[tokio::test]
async fn lines_without_a_time_that_were_there_before_are_counted() {
    let place = tempfile::tempdir().expect("a directory");
    let log = place.path().join("plain.log");
    append(&log, &"[ERROR] plain\n".repeat(3));
    let mut tested = of_file(&log);
    let facts = good(poll(&mut tested).await);
    assert_eq!(number(&facts, "lines"), 0.0);
    let said = |facts: &watchfloor::domain::observation::Facts, what: &str| {
        facts.remarks.iter().any(|remark| remark.contains(what))
    };
    assert!(said(&facts, "3 lines that were there before say no time"), "{:?}", facts.remarks);
}

#[tokio::test]
async fn a_program_that_prints_a_line_without_an_end_is_no_quiet_one() {
    let place = tempfile::tempdir().expect("a directory");
    let script = "while :; do printf '%65536s' x; sleep 0.01; done";
    let mut tested = shell(script, place.path(), MINUTE);
    let start = Instant::now();
    let facts = loop {
        match poll(&mut tested).await {
            Ok(facts) if !facts.remarks.is_empty() => break facts,
            _ => assert!(start.elapsed() < PATIENCE, "nothing is said of it"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(missing(&facts, "errors").starts_with("a line without an end is being written"));
}

/// What it is behind is its own doing: the clock of the log is right.
#[tokio::test]
async fn a_file_that_grows_faster_than_it_is_read_says_so() {
    let place = tempfile::tempdir().expect("a directory");
    let log = place.path().join("fast.log");
    append(&log, &request(ago(1), 200, 1.0, "/a"));
    let mut tested = of_file(&log);
    until(&mut tested, "lines", 1.0).await;
    // Further behind than is ever read.
    let block = request(ago(0), 200, 1.0, "/a").repeat(1_000);
    let blocks = (72 << 20) / block.len() + 1;
    append(&log, &block.repeat(blocks));
    let start = Instant::now();
    let facts = loop {
        let facts = good(poll(&mut tested).await);
        if number(&facts, "skipped_bytes_total") > 0.0 && number(&facts, "behind_bytes") == 0.0 {
            break facts;
        }
        assert!(start.elapsed() < PATIENCE, "it does not catch up: {facts:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let all = (block.len() * blocks) as f64;
    let read = number(&facts, "lines_total") * (block.len() / 1_000) as f64;
    assert_eq!(read + number(&facts, "skipped_bytes_total"), all, "all is read or counted");
    assert!(facts.remarks[0].contains("were skipped"), "{:?}", facts.remarks);
    assert!(!facts.remarks.iter().any(|remark| remark.contains("timezone")));
}
