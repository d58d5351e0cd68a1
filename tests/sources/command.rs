use std::{path::Path, time::Duration};

use regex::Regex;
use rustix::process::{Pid, test_kill_process};
use serde_json_path::JsonPath;
use watchfloor::{
    config::{
        profile::{CommandReading, CommandSource, OutputPart, Program, SourceKind, Text},
        secret::Secret,
    },
    domain::{failure::FailureKind, value::Value},
    sources::Source,
};

use super::{
    SHORT, TIMEOUT, bad, common::servers::wait_until, good, missing, number, poll, source,
};

fn config(argv: &[&str]) -> CommandSource {
    CommandSource {
        program: Program {
            argv: argv.iter().map(|argument| (*argument).to_owned()).collect(),
            directory: None,
            environment: Vec::new(),
        },
        accept: vec![0],
        max_output: 1 << 20,
        readings: Vec::new(),
    }
}

fn script(text: &str) -> CommandSource {
    config(&["/bin/sh", "-c", text])
}

fn command(config: CommandSource) -> Source {
    source(SourceKind::Command(Box::new(config)), TIMEOUT)
}

fn reading(name: &str, from: OutputPart) -> CommandReading {
    CommandReading { name: name.into(), from }
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

fn pid_in(file: &Path) -> Pid {
    wait_until("the process has written its number", || {
        std::fs::read_to_string(file).is_ok_and(|text| text.ends_with('\n'))
    });
    let text = std::fs::read_to_string(file).expect("there");
    Pid::from_raw(text.trim().parse().expect("a number")).expect("a pid")
}

#[tokio::test]
async fn what_it_prints_becomes_readings() {
    let mut config = script(
        "printf '\\033[31m{\"Name\":\"api\",\"CPUPerc\":\"1.5%%\"}\\033[0m\\n{\"Name\":\"db\",\"CPUPerc\":\"7%%\"}\\n'; \
         echo 12 waiting; echo not this 9 >&2",
    );
    let json = OutputPart::Json {
        paths: vec![JsonPath::parse("$.CPUPerc").expect("a path")],
        line: vec![("Name".to_owned(), "api".to_owned())],
        part: None,
    };
    config.readings = vec![
        reading("cpu", json),
        reading("waiting", OutputPart::Pattern(pattern("([0-9]+) waiting"))),
        reading("named", OutputPart::Lines(pattern("Name"))),
        reading("stderr", OutputPart::Pattern(pattern("this ([0-9]+)"))),
    ];
    let facts = good(poll(&mut command(config)).await);
    assert_eq!(number(&facts, "cpu"), 1.5);
    assert_eq!(number(&facts, "waiting"), 12.0);
    assert_eq!(number(&facts, "named"), 2.0);
    assert_eq!(number(&facts, "exit_code"), 0.0);
    assert!(number(&facts, "total_ms") > 0.0);
    assert_eq!(missing(&facts, "stderr"), "nothing matches this ([0-9]+)");
}

#[tokio::test]
async fn no_shell_is_in_between_and_the_environment_is_clean() {
    let mut config = config(&["printf", "%s", "$HOME;*"]);
    config.readings = vec![reading("text", OutputPart::Text)];
    let facts = good(poll(&mut command(config)).await);
    assert_eq!(facts.readings["text"], Value::Text("$HOME;*".into()));

    let mut config = self::config(&["env"]);
    let secret = Secret::new("command-canary-1".to_owned(), "env TOKEN");
    let token = Text::Secret { prefix: "t:".to_owned(), secret };
    config.program.environment = vec![("TOKEN".to_owned(), token)];
    config.readings = vec![
        reading("token", OutputPart::Pattern(pattern("TOKEN=(.*)"))),
        reading("term", OutputPart::Pattern(pattern("TERM=(.*)"))),
        reading("cargo", OutputPart::Lines(pattern("^CARGO"))),
    ];
    let facts = good(poll(&mut command(config)).await);
    // It got the secret, and the screen does not.
    assert_eq!(facts.readings["token"], Value::Text("t:⟨secret⟩".into()));
    assert_eq!(facts.readings["term"], Value::Text("dumb".into()));
    assert_eq!(number(&facts, "cargo"), 0.0);
}

#[tokio::test]
async fn an_exit_code_that_was_not_expected_is_no_answer_and_not_down() {
    let mut plugin =
        script("echo first >&2; printf '\\033[1mno such container: api\\033[0m\\n' >&2; exit 3");
    let mut tested = command(plugin.clone());
    let failure = bad(
        poll(&mut tested).await,
        FailureKind::BadAnswer,
        "exit code 3; it last said: no such container: api",
    );
    assert!(!failure.kind.means_down());
    plugin.accept = vec![0, 1, 2, 3];
    let facts = good(poll(&mut command(plugin)).await);
    assert_eq!(number(&facts, "exit_code"), 3.0);
    let mut silent = command(script("kill -9 $$"));
    bad(poll(&mut silent).await, FailureKind::BadAnswer, "ended by signal 9, without a word");
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let mut none = command(config(&["no-such-program-here"]));
    bad(poll(&mut none).await, FailureKind::Misconfigured, "not installed");
    let mut none = command(config(&["/no/such/program"]));
    bad(poll(&mut none).await, FailureKind::Misconfigured, "/no/such/program does not exist");
    let mut none = command(config(&["/etc/passwd"]));
    bad(poll(&mut none).await, FailureKind::Misconfigured, "may not be executed");
    let mut lost = config(&["true"]);
    lost.program.directory = Some("/no/such/directory".into());
    bad(poll(&mut command(lost)).await, FailureKind::Misconfigured, "is not a directory");
    let _secret = Secret::new("argv-canary-1".to_owned(), "env ARGV_CANARY");
    let mut leak = command(config(&["curl", "-H", "X-Token: argv-canary-1"]));
    let failure =
        bad(poll(&mut leak).await, FailureKind::Misconfigured, "an argument holds a secret");
    assert!(!failure.to_string().contains("canary"));
}

#[tokio::test]
async fn at_the_end_of_its_time_it_ends_with_all_that_it_started() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("pid");
    let mut config = script("trap '' TERM HUP; sh -c 'echo $$ > pid; sleep 600' & sleep 600");
    config.program.directory = Some(place.path().to_owned());
    let mut stuck = source(SourceKind::Command(Box::new(config)), SHORT);
    let failure = bad(
        poll(&mut stuck).await,
        FailureKind::Timeout,
        "it did not end within 700ms, and was killed with all it had started",
    );
    assert_eq!(failure.hint, None);
    let grandchild = pid_in(&file);
    wait_until("its child is gone", || test_kill_process(grandchild).is_err());
}

#[tokio::test]
async fn what_it_leaves_behind_neither_holds_the_poll_up_nor_stays() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("pid");
    let mut config =
        script("sh -c 'echo $$ > pid; sleep 600' & while ! [ -s pid ]; do :; done; echo 5");
    config.program.directory = Some(place.path().to_owned());
    config.readings = vec![reading("value", OutputPart::Number)];
    let mut left = source(SourceKind::Command(Box::new(config)), Duration::from_secs(15));
    let facts = good(poll(&mut left).await);
    assert_eq!(number(&facts, "value"), 5.0);
    let grandchild = pid_in(&file);
    wait_until("its child is gone", || test_kill_process(grandchild).is_err());
}

#[tokio::test]
async fn a_flood_is_cut_off_and_said() {
    let mut config = config(&["yes"]);
    config.max_output = 10_000;
    let mut flood = command(config);
    bad(
        poll(&mut flood).await,
        FailureKind::BadAnswer,
        "it printed more than 10000 bytes, and was killed",
    );
    // On the other output it is read and forgotten.
    let mut noisy = script("head -c 5000000 /dev/zero | tr '\\0' x >&2; echo 1");
    noisy.readings = vec![reading("value", OutputPart::Number)];
    let facts = good(poll(&mut command(noisy)).await);
    assert_eq!(number(&facts, "value"), 1.0);
}
