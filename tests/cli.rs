//! The real program without a terminal: what it takes, what it prints, how it ends.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::process::{Command, Output, Stdio};

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
        "demo --profile exodrive --headless --for 1s",
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
