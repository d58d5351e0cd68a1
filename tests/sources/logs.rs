use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{Timestamp, tz::TimeZone};
use rustix::process::{Pid, test_kill_process};
use watchfloor::{
    config::profile::{LogExclude, LogFields, LogOrigin, LogsSource, Program, SourceKind},
    domain::{
        failure::FailureKind,
        observation::{Exhibit, Facts, LogEntry, Traffic},
    },
    sources::Source,
};

use super::{
    TIMEOUT, bad,
    common::servers::{PATIENCE, wait_until},
    good, missing, number, poll, source,
};

pub fn config(from: LogOrigin) -> LogsSource {
    let names = ["timestamp", "level", "message", "status", "duration_ms", "path", "trace_id"];
    let [time, level, message, status, duration, path, trace] = names.map(str::to_owned);
    let agent = "user_agent".to_owned();
    LogsSource {
        from,
        windows: vec![Duration::from_secs(300), Duration::from_secs(3600)],
        request: "request.completed".to_owned(),
        fields: LogFields { time, level, message, status, duration, path, trace, agent },
        exclude: LogExclude::default(),
        drop: ["user_id", "ip", "user_agent", "email"].map(str::to_owned).to_vec(),
        zone: TimeZone::UTC,
    }
}

pub fn of_file(path: &Path) -> Source {
    let config = config(LogOrigin::File(path.to_owned()));
    source(SourceKind::Logs(Box::new(config)), TIMEOUT)
}

pub fn of_program(argv: &[&str], directory: &Path, silent_after: Duration) -> Source {
    let program = Program {
        argv: argv.iter().map(|argument| (*argument).to_owned()).collect(),
        directory: Some(directory.to_owned()),
        environment: Vec::new(),
    };
    let config = config(LogOrigin::Command { program, silent_after });
    source(SourceKind::Logs(Box::new(config)), TIMEOUT)
}

pub fn ago(seconds: i64) -> Timestamp {
    Timestamp::now() - jiff::SignedDuration::from_secs(seconds)
}

pub fn request(at: Timestamp, status: u16, ms: f64, path: &str) -> String {
    format!(
        "{{\"timestamp\":\"{at:.3}\",\"level\":\"info\",\"message\":\"request.completed\",\
         \"trace_id\":\"trace-{status}-{ms}\",\"method\":\"GET\",\"path\":\"{path}\",\
         \"status\":{status},\"duration_ms\":{ms},\"user_id\":\"u-canary\",\"ip\":\"ip-canary\",\
         \"user_agent\":\"agent-canary\",\"who\":{{\"email\":\"mail-canary\"}}}}\n"
    )
}

pub fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the log");
    file.write_all(text.as_bytes()).expect("written");
}

/// Polls until the reading has that value.
pub async fn until(source: &mut Source, name: &str, value: f64) -> Facts {
    let start = Instant::now();
    loop {
        let outcome = poll(source).await;
        if let Ok(facts) = &outcome
            && facts.readings.get(name).and_then(|found| found.as_number()) == Some(value)
        {
            return good(outcome);
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {name} = {value}: {outcome:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn traffic(facts: &Facts) -> &Traffic {
    let found = facts.exhibits.iter().find_map(|exhibit| match exhibit {
        Exhibit::Traffic(traffic) => Some(traffic),
        _ => None,
    });
    found.expect("the traffic")
}

pub fn shown(facts: &Facts) -> &[Arc<LogEntry>] {
    let found = facts.exhibits.iter().find_map(|exhibit| match exhibit {
        Exhibit::Log(part) => Some(part.entries.as_slice()),
        _ => None,
    });
    found.unwrap_or_default()
}

#[tokio::test]
async fn a_file_of_json_lines_becomes_rates_and_percentiles() {
    let place = tempfile::tempdir().expect("a directory");
    let log = place.path().join("combined.log");
    let mut text = request(ago(7_200), 500, 1.0, "/old");
    text.push_str(&request(ago(1_800), 500, 1.0, "/half-an-hour-ago"));
    for n in 1..=19 {
        text.push_str(&request(ago(30), 200, f64::from(n), &format!("/api/posts/{n}?q=1")));
    }
    text.push_str(&request(ago(10), 503, 900.0, "/api/feed"));
    text.push_str("{\"level\":\"error\",\"message\":\"boom\",\"ts\":");
    text.push_str(&format!("{}}}\nplain text without a time\n", ago(5).as_second()));
    fs::write(&log, text).expect("written");
    let mut tested = of_file(&log);
    let facts = good(poll(&mut tested).await);
    assert_eq!(number(&facts, "requests"), 20.0);
    assert_eq!(number(&facts, "failed"), 1.0);
    assert_eq!(number(&facts, "error_rate"), 0.05);
    assert_eq!(number(&facts, "requests_1h"), 21.0);
    assert_eq!(number(&facts, "failed_1h"), 2.0);
    assert_eq!(number(&facts, "p50_ms"), 10.0);
    assert_eq!(number(&facts, "p95_ms"), 19.0);
    assert_eq!(missing(&facts, "p99_ms"), "too few: 20 of 100 requests in 5m");
    assert_eq!(number(&facts, "lines"), 21.0);
    assert_eq!(number(&facts, "errors"), 1.0);
    // When a line that was there before and has no time was written, nobody knows.
    assert_eq!(number(&facts, "unparsed"), 0.0);
    let traffic = traffic(&facts);
    assert_eq!(traffic.paths[0].path.as_ref(), "/api/feed");
    assert_eq!((traffic.paths[1].path.as_ref(), traffic.paths[1].requests), ("/api/posts/:id", 19));
    assert_eq!(traffic.worst[0].trace.as_deref(), Some("trace-503-900"));
    assert_eq!(traffic.worst[1].ms, Some(19.0));
    let everything = serde_json::to_string(&facts).expect("serialised");
    assert!(everything.contains("trace-503-900") && !everything.contains("canary"), "{everything}");

    append(&log, "plain text\n");
    let facts = until(&mut tested, "unparsed", 1.0).await;
    assert_eq!(shown(&facts).last().expect("an entry").message.as_ref(), "plain text");
}

#[tokio::test]
async fn no_traffic_is_not_zero() {
    let place = tempfile::tempdir().expect("a directory");
    let log = place.path().join("empty.log");
    File::create(&log).expect("created");
    let facts = good(poll(&mut of_file(&log)).await);
    assert_eq!(number(&facts, "requests"), 0.0);
    assert_eq!(missing(&facts, "error_rate"), "no traffic: no request in 5m");
    assert_eq!(missing(&facts, "p95_ms_1h"), "no traffic: no request with a duration in 1h");
    assert!(missing(&facts, "silent_seconds").starts_with("no line has come"));
}

#[tokio::test]
async fn rotation_truncation_and_lines_in_pieces_lose_nothing_and_count_nothing_twice() {
    let place = tempfile::tempdir().expect("a directory");
    let log = place.path().join("combined.log");
    append(&log, &request(ago(1), 200, 1.0, "/a"));
    let mut tested = of_file(&log);
    until(&mut tested, "requests", 1.0).await;

    let line = request(ago(0), 200, 2.0, "/b");
    let (head, tail) = line.split_at(40);
    append(&log, head);
    let facts = good(poll(&mut tested).await);
    assert_eq!(number(&facts, "lines"), 1.0);
    append(&log, tail);
    until(&mut tested, "requests", 2.0).await;

    // Renamed; whoever writes has not noticed yet.
    let old = place.path().join("combined.1.log");
    fs::rename(&log, &old).expect("renamed");
    append(&log, &request(ago(0), 200, 3.0, "/c"));
    append(&old, &request(ago(0), 200, 4.0, "/late"));
    until(&mut tested, "requests", 4.0).await;

    // Copied away and truncated.
    File::create(&log).expect("truncated");
    tokio::time::sleep(Duration::from_millis(600)).await;
    append(&log, &request(ago(0), 500, 5.0, "/d"));
    let facts = until(&mut tested, "requests", 5.0).await;
    assert_eq!(number(&facts, "failed"), 1.0);
    assert_eq!(number(&facts, "unparsed"), 0.0);
    assert_eq!(number(&facts, "requests_total"), 4.0, "the first was there before");

    append(&log, &format!("{}\n", "x".repeat(100_000)));
    until(&mut tested, "dropped", 1.0).await;
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_an_empty_one() {
    let place = tempfile::tempdir().expect("a directory");
    let log = place.path().join("later.log");
    let mut tested = of_file(&log);
    let failure = bad(poll(&mut tested).await, FailureKind::MissingEndpoint, "there is no file");
    assert!(!failure.kind.means_down());
    append(&log, &request(ago(0), 200, 1.0, "/a"));
    until(&mut tested, "requests", 1.0).await;
    let mut directory = of_file(place.path());
    bad(poll(&mut directory).await, FailureKind::Misconfigured, "is a directory");
}

#[tokio::test]
async fn the_console_form_of_docker_compose_is_put_together() {
    let place = tempfile::tempdir().expect("a directory");
    let time = ago(5).strftime("%Y-%m-%d %H:%M:%S.123");
    let object = |status: u16| {
        format!(
            "content-service-1  | {time} [\u{1b}[32minfo\u{1b}[39m]: request.completed {{\n\
             content-service-1  |   \"trace_id\": \"t1\",\n\
             content-service-1  |   \"path\": \"/api/content/health\",\n\
             content-service-1  |   \"status\": {status},\n\
             content-service-1  |   \"duration_ms\": 12,\n\
             content-service-1  |   \"ip\": \"ip-canary\"\n\
             content-service-1  | }}\n"
        )
    };
    let whole = object(200);
    let cut: String = object(500).lines().take(3).map(|line| format!("{line}\n")).collect();
    let text = format!(
        "content-service-1  |   \"status\": 200\ncontent-service-1  | }}\n{whole}{cut}{}user-service-1     | {time} [\u{1b}[31merror\u{1b}[39m]: lost the database\n",
        object(502),
    );
    fs::write(place.path().join("log"), text).expect("written");
    let mut tested =
        of_program(&["sh", "-c", "cat log; exec sleep 60"], place.path(), Duration::from_secs(60));
    let facts = good(poll(&mut tested).await);
    assert_eq!(number(&facts, "requests"), 2.0, "the cut one has no status");
    assert_eq!(number(&facts, "failed"), 1.0);
    assert_eq!(number(&facts, "errors"), 1.0);
    // The rest of one from before the first line has no time, and does not count.
    assert_eq!(number(&facts, "cut"), 1.0);
    assert_eq!(number(&facts, "unparsed"), 0.0);
    let last = shown(&facts).last().expect("an entry");
    assert_eq!(last.service.as_deref(), Some("user-service-1"));
    assert_eq!(last.message.as_ref(), "lost the database");
    assert!(!format!("{facts:?}").contains("canary"));
}

/// Prints the lines of `log` from `{since}` on, the way `docker logs --since` does.
pub const FROM_SINCE: &str = "echo \"$0\" >> starts; awk -v since=\"$0\" '$1 >= since' log";

#[tokio::test]
async fn a_program_that_ends_is_started_again_and_no_line_counts_twice() {
    let place = tempfile::tempdir().expect("a directory");
    let log = place.path().join("log");
    let stamped = |text: &str| format!("{:.3} {text}\n", Timestamp::now());
    let equal = stamped("the same");
    append(&log, &format!("{}{equal}{equal}", stamped("first")));
    let script = format!("{FROM_SINCE}; echo 'connection to the daemon lost' >&2; exit 1");
    let mut tested =
        of_program(&["sh", "-c", &script, "{since}"], place.path(), Duration::from_secs(60));
    let starts =
        || fs::read_to_string(place.path().join("starts")).unwrap_or_default().lines().count();
    let failure = bad(
        poll(&mut tested).await,
        FailureKind::BadAnswer,
        "exit code 1; it last said: connection to the daemon lost",
    );
    assert!(!failure.kind.means_down());
    append(&log, &format!("{equal}{}", stamped("second")));
    let start = Instant::now();
    while starts() < 3 {
        let _ = poll(&mut tested).await;
        assert!(start.elapsed() < PATIENCE, "it is not started again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Another console: what is printed again after its first end counts once there, too.
    append(&log, &stamped("third"));
    drop(tested);

    let script = format!("{FROM_SINCE}; [ -e again ] && exec sleep 60; touch again; exit 1");
    let mut tested =
        of_program(&["sh", "-c", &script, "{since}"], place.path(), Duration::from_secs(60));
    let facts = until(&mut tested, "lines", 6.0).await;
    assert_eq!(number(&facts, "lines_total"), 0.0, "all of it was there before");
    assert_eq!(number(&facts, "unparsed"), 6.0);
}

#[tokio::test]
async fn a_program_that_falls_silent_is_started_again_without_a_gap() {
    let place = tempfile::tempdir().expect("a directory");
    let log = place.path().join("log");
    append(&log, &format!("{:.3} one\n", Timestamp::now()));
    let script = format!("{FROM_SINCE}; exec sleep 60");
    let mut tested =
        of_program(&["sh", "-c", &script, "{since}"], place.path(), Duration::from_secs(1));
    until(&mut tested, "lines", 1.0).await;
    append(&log, &format!("{:.3} two\n", Timestamp::now()));
    let facts = until(&mut tested, "lines", 2.0).await;
    assert_eq!(number(&facts, "lines_total"), 1.0);
}

#[tokio::test]
async fn the_program_ends_with_the_source() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("pid");
    let script = "trap '' TERM HUP PIPE; echo $$ > pid; echo hello; sleep 600; sleep 600";
    let mut tested = of_program(&["sh", "-c", script], place.path(), Duration::from_secs(60));
    good(poll(&mut tested).await);
    let text = fs::read_to_string(&file).expect("its number");
    let pid = Pid::from_raw(text.trim().parse().expect("a number")).expect("a pid");
    test_kill_process(pid).expect("it runs");
    drop(tested);
    // The runtime has to let go of the task, and then takes note of the end.
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if test_kill_process(pid).is_err() {
            return;
        }
    }
    wait_until("it is gone", || test_kill_process(pid).is_err());
}

/// More at once than anybody can read: the newest are handed over and every error, the rest is
/// counted, and nothing is counted wrongly for it.
#[tokio::test]
async fn a_flood_is_bounded_and_what_is_left_out_is_counted() {
    const LINES: u64 = 30_000;
    let place = tempfile::tempdir().expect("a directory");
    let log = place.path().join("app.log");
    fs::write(&log, "{\"level\":\"info\",\"message\":\"before, without a time\"}\n")
        .expect("written");
    let mut tested = of_file(&log);
    assert_eq!(number(&good(poll(&mut tested).await), "lines_total"), 0.0);
    let line = |n: u64| {
        let level = if n.is_multiple_of(1_000) { "error" } else { "info" };
        format!("{{\"level\":\"{level}\",\"message\":\"line {n}\",\"email\":\"mail-canary\"}}\n")
    };
    let mut text: String = (0..LINES).map(line).collect();
    text.push_str(&"x".repeat(100 << 10));
    text.push('\n');
    append(&log, &text);
    let (mut entries, mut left_out, mut too_long, mut errors) = (0, 0, 0, 0);
    let start = Instant::now();
    while entries + left_out < LINES || too_long == 0 {
        let facts = good(poll(&mut tested).await);
        let parts = facts.exhibits.iter().filter_map(|exhibit| match exhibit {
            Exhibit::Log(part) => Some(part),
            _ => None,
        });
        for part in parts {
            assert!(part.entries.len() <= 2_200, "{} entries at once", part.entries.len());
            assert!(!format!("{part:?}").contains("mail-canary"));
            entries += part.entries.len() as u64;
            let error = |entry: &&Arc<LogEntry>| entry.level.as_deref() == Some("error");
            errors += part.entries.iter().filter(error).count();
            left_out += part.left_out;
            too_long += part.too_long;
        }
        let counted = number(&facts, "lines_total") as u64;
        assert_eq!(counted, entries + left_out, "the figures count every line");
        assert!(start.elapsed() < PATIENCE, "{entries} entries, {left_out} left out, {too_long}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((entries + left_out, errors, too_long), (LINES, 30, 1));
}
