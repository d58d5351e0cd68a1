//! Alerts outlive the console that found them.

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// A Redis that is not there: one rule fires at once, the other waits for an hour.
const CONFIGURATION: &str = r#"
[service]
name = "shop"
environment = "staging"
[state]
dir = "state"
[source.redis]
kind = "redis"
url = "redis://127.0.0.1:1"
interval = "1s"
timeout = "500ms"
[source.other]
kind = "redis"
url = "redis://127.0.0.1:1"
interval = "1s"
timeout = "500ms"
[rule.down]
when = "redis.up == false"
severity = "critical"
[rule.down_for_long]
when = "redis.up == false"
for = "1h"
[contact.first]
level = 1
name = "Shop team"
contact = "+49 30 1"
respond_within = "15m"
"#;

fn console(dir: &Path, seconds: u32) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchfloor"));
    command
        .args(["--headless", "--for", &format!("{seconds}s")])
        .current_dir(dir)
        .env_clear()
        .env("HOME", dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Ends the console however the test ends.
struct Killed(Child);

impl Killed {
    /// Waits for its end, and returns what it said.
    fn output(mut self) -> Output {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        self.0.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
        self.0.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        Output { status: self.0.wait().unwrap(), stdout, stderr }
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn alert<'a>(document: &'a Value, rule: &str) -> &'a Value {
    let alerts = document["alerts"].as_array().unwrap();
    alerts.iter().find(|alert| alert["rule"] == rule).unwrap_or_else(|| panic!("{document:#}"))
}

#[test]
fn a_killed_console_leaves_its_alerts_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("watchfloor.toml"), CONFIGURATION).unwrap();
    let first = Killed(console(dir.path(), 60).spawn().unwrap());
    let file = dir.path().join("state/alerts-shop-staging.json");
    let started = Instant::now();
    let kept = loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if text.contains("\"firing\"") && text.contains("\"pending\"") {
            break serde_json::from_str::<Value>(&text).unwrap();
        }
        assert!(started.elapsed() < Duration::from_secs(20), "nothing was kept: {text}");
        std::thread::sleep(Duration::from_millis(50));
    };
    drop(first);
    let since = |rule: &str| {
        let alerts = kept["alerts"].as_array().unwrap();
        let of = alerts.iter().find(|alert| alert["rule"]["id"] == rule).unwrap();
        of["since"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap()
    };

    let output = console(dir.path(), 3).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    for (rule, state) in [("down", "firing"), ("down_for_long", "pending")] {
        let again = alert(&document, rule);
        assert_eq!(again["state"], state, "{again:#}");
        let then: jiff::Timestamp = again["since"].as_str().unwrap().parse().unwrap();
        assert_eq!(then, since(rule), "{rule} has begun when it began");
    }
    assert!(document["contacts"][0]["contacted_at"].is_string(), "{:#}", document["contacts"]);
}

#[test]
fn what_cannot_be_read_is_put_aside_and_said() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("watchfloor.toml"), CONFIGURATION).unwrap();
    let state = dir.path().join("state");
    std::fs::create_dir(&state).unwrap();
    for (round, text) in ["{\"schema\":2,", "{\"schema\":1,\"target\":\"x\"}"].iter().enumerate() {
        std::fs::write(state.join("alerts-shop-staging.json"), text).unwrap();
        let output = console(dir.path(), 2).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let aside: Vec<String> = std::fs::read_dir(&state)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("alerts-shop-staging.json.bad-"))
            .collect();
        assert_eq!(aside.len(), round + 1, "{aside:?}");
        let newest = aside.iter().max().unwrap();
        assert_eq!(std::fs::read_to_string(state.join(newest)).unwrap(), *text);
        assert!(said.contains(newest), "{said}");
    }
}

#[test]
fn what_is_done_at_another_console_arrives_and_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("watchfloor.toml"), CONFIGURATION).unwrap();
    let running = Killed(console(dir.path(), 9).spawn().unwrap());
    let file = dir.path().join("state/alerts-shop-staging.json");
    let read = || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        serde_json::from_str::<Value>(&text).unwrap_or_default()
    };
    let started = Instant::now();
    let mut document = loop {
        let document = read();
        if document["alerts"].as_array().is_some_and(|alerts| alerts.len() == 2) {
            break document;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "nothing was kept: {document}");
        std::thread::sleep(Duration::from_millis(50));
    };
    // As another console writes it.
    let now = jiff::Timestamp::now();
    let until = now + jiff::SignedDuration::from_mins(30);
    let deed = serde_json::json!([
        {"acknowledged": "down"},
        {"at": now.to_string(), "until": until.to_string(),
         "what": {"kind": "quiet", "by": "bob@bastion", "reason": "on it"}},
    ]);
    document["deeds"].as_array_mut().unwrap().push(deed);
    let new = file.with_extension("json.other.new");
    std::fs::write(&new, document.to_string()).unwrap();
    std::fs::rename(&new, &file).unwrap();
    let output = running.output();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    let down = alert(&said, "down");
    assert_eq!(down["acknowledged_by"], "bob@bastion", "{down:#}");
    // At its end it wrote once more, and bob's word stands.
    let kept = read();
    let written: jiff::Timestamp = kept["at"].as_str().unwrap().parse().unwrap();
    assert!(written > now, "{kept:#}");
    assert!(kept["deeds"].to_string().contains("bob@bastion"), "{kept:#}");
}
