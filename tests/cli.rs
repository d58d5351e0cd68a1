//! The real program without a terminal: what it takes, what it prints, how it ends.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

const PROGRAM: &str = env!("CARGO_BIN_EXE_watchfloor");

fn watchfloor(line: &str) -> Output {
    Command::new(PROGRAM)
        .args(line.split_whitespace())
        .stdin(Stdio::null())
        .env_remove("WATCHFLOOR_CONFIG")
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_cannot_be_meant_is_wrong_usage_and_never_ignored() {
    for line in [
        "--json check",
        "--headless --for 1s check",
        "--headless demo",
        "demo --config x.toml --headless --for 1s",
        "demo --profile exodriv --headless --for 1s",
        "demo --profile exodrive --set vars.EXODRIVE_URL=https://x --headless --for 1s",
        "demo --set source.redis.url=redis://production --headless --for 1s",
    ] {
        let output = watchfloor(line);
        assert_eq!(output.status.code(), Some(64), "{line}: {}", stderr(&output));
        assert!(output.stdout.is_empty() && stderr(&output).contains("--"), "{line}");
    }
}

#[test]
fn options_before_the_demo_are_its_own() {
    let output = watchfloor("--headless --for 1s demo --embedded-only --scenario calm");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["environment"], "demo");
}

/// The longest that anything here takes.
const LIMIT: Duration = Duration::from_secs(30);

/// A console in a directory of its own, ended with the test.
struct Console {
    child: Child,
    directory: tempfile::TempDir,
}

/// A source where nothing listens: it fails at once, and goes on failing.
const CONFIGURATION: &str = r#"
[service]
name = "shop"
environment = "test"

[source.api]
kind = "http"
url = "http://127.0.0.1:1/"
interval = "1s"
timeout = "500ms"
readings = { state = "$.status" }

[check.api]
title = "API"
source = "api"
down_after = 1
"#;

impl Console {
    fn start(configuration: &str, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let text = format!("{configuration}\n[state]\ndir = \"{}\"\n", state.display());
        fs::write(directory.path().join("watchfloor.toml"), text).unwrap();
        let child = Command::new(PROGRAM)
            .arg("--config")
            .arg(directory.path().join("watchfloor.toml"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, directory }
    }

    fn stdout(&mut self) -> mpsc::Receiver<String> {
        lines(self.child.stdout.take().unwrap())
    }

    fn stderr(&mut self) -> mpsc::Receiver<String> {
        lines(self.child.stderr.take().unwrap())
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn break_the_configuration(&self) {
        fs::write(self.directory.path().join("watchfloor.toml"), "[service").unwrap();
    }

    fn code(&mut self) -> Option<i32> {
        let (ended, end) = mpsc::channel::<()>();
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        // What never ends by itself is ended, and fails the test by its exit code.
        let guard = thread::spawn(move || {
            if end.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        let code = self.child.wait().unwrap().code();
        drop(ended);
        guard.join().unwrap();
        code
    }

    fn log(&self) -> String {
        let mut text = String::new();
        let directory = self.directory.path().join("state/log");
        let Ok(directory) = fs::read_dir(directory) else { return text };
        for file in directory {
            let file = file.unwrap();
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            text.push_str(&fs::read_to_string(file.path()).unwrap());
        }
        text
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    receive
}

#[track_caller]
fn wait_for(lines: &mpsc::Receiver<String>, text: &str) -> String {
    let mut seen = Vec::new();
    loop {
        match lines.recv_timeout(LIMIT) {
            Ok(line) if line.contains(text) => return line,
            Ok(line) => seen.push(line),
            Err(why) => panic!("{text:?} never came ({why}) after {seen:#?}"),
        }
    }
}

const REFUSED: &str = "error: the changed configuration is refused, the old one stays";

#[test]
fn without_a_screen_a_refused_configuration_is_said_and_hangup_reads_it_again() {
    let mut plain = Console::start(CONFIGURATION, &["-v", "--for", "1m"]);
    let stdout = plain.stdout();
    wait_for(&stdout, "CRIT API");
    plain.break_the_configuration();
    wait_for(&stdout, REFUSED);
    plain.signal(Signal::HUP);
    wait_for(&stdout, REFUSED);
    plain.signal(Signal::TERM);
    assert_eq!(plain.code(), Some(143));
    let log = plain.log();
    for part in [
        "WARN watchfloor::runtime::chronicle: fails:",
        "Health API is CRIT",
        "DEBUG watchfloor::runtime::chronicle: polled source=api",
        "ERROR watchfloor::runtime::chronicle: the changed configuration is refused",
    ] {
        assert!(log.contains(part), "{part} is not in {log}");
    }

    let mut headless = Console::start(CONFIGURATION, &["--headless", "--for", "1m"]);
    let (stdout, stderr) = (headless.stdout(), headless.stderr());
    let begun = Instant::now();
    while !headless.log().contains("API is CRIT") {
        assert!(begun.elapsed() < LIMIT, "{}", headless.log());
        thread::sleep(Duration::from_millis(20));
    }
    headless.break_the_configuration();
    wait_for(&stderr, REFUSED);
    headless.signal(Signal::HUP);
    wait_for(&stderr, REFUSED);
    headless.signal(Signal::TERM);
    assert_eq!(headless.code(), Some(143));
    assert!(wait_for(&stdout, "\"verdict\"").contains("critical"));
}

#[test]
fn it_ends_when_nobody_reads_its_lines_any_more() {
    // Nothing changes after the first lines: the source is asked once an hour.
    let still = CONFIGURATION.replace("\"1s\"", "\"1h\"");
    let mut plain = Console::start(&still, &[]);
    let mut stdout = BufReader::new(plain.child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    drop(stdout);
    assert_eq!(plain.code(), Some(0));

    let mut headless = Console::start(&still, &["--headless", "--for", "1h"]);
    drop(headless.child.stdout.take());
    assert_eq!(headless.code(), Some(0));
}

#[test]
fn check_tells_what_was_done_before_and_leaves_nothing_behind() {
    use jiff::Timestamp;
    use watchfloor::{
        actions::{Actions, operator},
        domain::{action::ActionOutcome, time::Moment},
    };
    let action = "
[action.flush]
title = \"Warm it up\"
kind = \"command\"
guard = \"G1\"
argv = [\"true\"]
cooldown = \"1h\"
";
    let configuration = format!("{CONFIGURATION}{action}[display]\nread_only = true\n");
    let check = |console: &mut Console| -> serde_json::Value {
        let mut text = String::new();
        console.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(console.code(), Some(2));
        serde_json::from_str(&text).unwrap()
    };
    let mut first = Console::start(&configuration, &["check", "--json"]);
    let document = check(&mut first);
    assert_eq!(document["actions"][0]["last"], serde_json::Value::Null);
    let why = document["actions"][0]["why_not"].as_str().unwrap();
    assert!(why.starts_with("read-only: by the configuration"), "{why}");
    let state = first.directory.path().join("state");
    assert!(!state.join("journal.jsonl").exists(), "a look creates no journal");

    let now = || Moment { mono: Duration::ZERO, wall: Timestamp::now() };
    let (actions, _) = Actions::open(&state, std::sync::Arc::new(now)).unwrap();
    actions.conclude(&"r1".into(), &"flush".into(), ActionOutcome::Confirmed, &[]).unwrap();
    let again = Command::new(PROGRAM)
        .arg("--config")
        .arg(first.directory.path().join("watchfloor.toml"))
        .args(["check", "--json"])
        .output()
        .unwrap();
    let document: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    let last = &document["actions"][0]["last"];
    assert_eq!(last["outcome"], "confirmed");
    assert_eq!(last["by"], operator());
}
