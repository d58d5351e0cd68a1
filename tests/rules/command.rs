//! `rules test` as its user meets it.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

const PASSES: &str = r#"
[[test]]
name = "fires at exactly five minutes"
every = "1m"
until = "15m"
compat = "prometheus"
[[test.rule]]
id = "slow"
when = "cars.p95 > 200"
for = "5m"
keep_firing_for = "2m"
[[test.series]]
name = "cars.p95"
every = "1m"
values = "150 250x6 _x3 stale 120+10x4"
[[test.expect]]
at = "7m"
rule = "slow"
state = "firing"
since = "1m"
"#;

fn run(dir: &Path, text: &str, more: &[&str]) -> Output {
    let file = dir.join("rules_test.toml");
    std::fs::write(&file, text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_watchfloor"))
        .args(["rules", "test"])
        .arg(&file)
        .args(more)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_test_that_passes_exits_zero_and_prints_its_whole_trajectory() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), PASSES, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let test = &document["tests"][0];
    assert_eq!(test["passed"], true);
    let steps = test["rules"]["slow"].as_array().unwrap();
    let short: Vec<String> = steps
        .iter()
        .map(|step| format!("{} {} {}", step["at_seconds"], step["state"], step["since_seconds"]))
        .collect();
    assert_eq!(short.len(), 16);
    assert_eq!(short[0], "0 \"ok\" null");
    assert_eq!(short[1], "60 \"pending\" 60");
    assert_eq!(short[6], "360 \"firing\" 60");
    assert_eq!(short[13], "780 \"ok\" null");
    assert_eq!(steps[12]["value"], 120);
    assert_eq!(steps[11]["value"], Value::Null);
    assert_eq!(steps[11]["quality"], "stale");
}

#[test]
fn a_test_that_fails_exits_one_and_says_what_was_instead() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = PASSES.replace("state = \"firing\"", "state = \"pending\"");
    let output = run(dir.path(), &wrong, &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("slow at 7m: state: expected pending, was firing"), "{said}");
    assert!(said.contains("6m  firing since 1m"), "{said}");
    assert!(said.contains("0 passed, 1 failed"), "{said}");
}

/// Every fault of a file is said at once, with its line and its cure; exit 78.
#[test]
fn a_file_that_is_not_sound_is_refused_with_places() {
    let cases: [(&str, &str, &[&str]); 9] = [
        ("[[test]]\nname = ", "", &["string values must be quoted|invalid|expected"]),
        (PASSES, "cars.p95 > 200|cars.p95 > ", &[":9:", "expected a number", "1 error"]),
        (
            PASSES,
            "cars.p95 > 200|hit_rate(c.hits, c.misses, 5m) > 200ms",
            &["a ratio cannot be compared with a length of time", "70%"],
        ),
        (PASSES, "cars.p95 > 200|p96(cars.p95, 5m) > 200", &["no function p96", "p95"]),
        (PASSES, "values = \"150|values = \"150 2y", &[":15:", "no value of a series", "1 error"]),
        (PASSES, "rule = \"slow\"|rule = \"slwo\"", &["no rule `slwo`", "slow"]),
        (PASSES, "name = \"cars.p95\"|name = \"cars.p99\"", &["the test has no series cars.p95"]),
        (
            PASSES,
            "keep_firing_for|keep_fireing_for",
            &["unknown key `keep_fireing_for`", "keep_firing_for"],
        ),
        (PASSES, "state = \"firing\"|state = \"fireing\"", &["firing"]),
    ];
    for (base, change, wanted) in cases {
        let dir = tempfile::tempdir().unwrap();
        let written = match change.split_once('|') {
            Some((from, to)) => base.replace(from, to),
            None => base.to_owned(),
        };
        let output = run(dir.path(), &written, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{change}: {said}");
        for words in wanted {
            assert!(
                words.split('|').any(|words| said.contains(words)),
                "{change}: {words} in {said}"
            );
        }
    }
    let missing = Command::new(env!("CARGO_BIN_EXE_watchfloor"))
        .args(["rules", "test", "/nonexistent.toml"])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(78));
    assert!(text(&missing.stderr).contains("cannot be read"));
}

/// The rules of a configuration are tested where they stand, without its variables.
#[test]
fn rules_are_taken_from_a_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let configuration = r#"
[service]
name = "shop"
environment = "${NOT_SET_ANYWHERE}"
[source.cars]
kind = "http"
url = "${NOT_SET_EITHER}"
[rule.slow]
when = "max(cars.total_ms, 2m) > 1s"
for = "2m"
"#;
    std::fs::write(dir.path().join("watchfloor.toml"), configuration).unwrap();
    let tests = r#"
[[test]]
name = "a slow minute is no alert, four are one"
rules = "watchfloor.toml"
[[test.series]]
name = "cars.total_ms"
values = "100 1500 100x5 1500x4"
[[test.expect]]
at = "4m"
state = "ok"
[[test.expect]]
at = "10m"
state = "firing"
since = "8m"
value = 1500
"#;
    let output = run(dir.path(), tests, &[]);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}
