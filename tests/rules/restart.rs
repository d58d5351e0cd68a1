//! Alerts outlive the console that found them.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
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
    std::fs::write(state.join("alerts-shop-staging.json"), "{\"schema\":1,").unwrap();
    let output = console(dir.path(), 2).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let aside = state.join("alerts-shop-staging.json.unreadable");
    assert_eq!(std::fs::read_to_string(aside).unwrap(), "{\"schema\":1,");
}
