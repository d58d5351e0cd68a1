//! `run` where it is stopped, looked ahead of, or told in a document; and what its steps
//! leave behind.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Place, eventually, fs, told};

const ACTIONS: &str = r#"
[action.slow]
kind = "command"
guard = "G1"
cooldown = "1h"
timeout = "60s"
shell = true
argv = ["echo begun; while [ ! -e @/go ]; do sleep 0.05; done; echo x >> @/done"]

[action.fine]
kind = "command"
guard = "G1"
cooldown = "0s"
argv = ["touch", "@/proven"]
proof = ["flag.there == 1"]
proof_within = "20s"

[source.flag]
kind = "command"
interval = "2s"
timeout = "1s"
argv = ["sh", "-c", "test -e @/proven && echo 1 || echo 0"]
readings = { there = { output = "number" } }
"#;

/// The letter that the system gives the state of a process.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn document(said: &str) -> Value {
    serde_json::from_str(said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn a_suspended_command_stops_and_what_it_started_goes_on() {
    use std::os::unix::process::CommandExt;
    let place = Place::new(ACTIONS);
    let running = place.command(&["run", "slow"]).process_group(0).spawn().unwrap();
    eventually("the program", || !place.of_kind("process").is_empty());
    let pid = Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TSTP).unwrap();
    eventually("it to be stopped", || state(running.id()) == Some('T'));
    fs::write(place.path("go"), "").unwrap();
    eventually("the end of the run", || place.of_kind("finish").len() == 1);
    assert_eq!(state(running.id()), Some('T'));
    kill_process(pid, Signal::CONT).unwrap();
    let (code, said, why) = told(&running.wait_with_output().unwrap());
    assert_eq!(code, 3, "{said}{why}");
    assert_eq!(place.done(), 1);
}

#[test]
fn who_runs_it_comes_before_how_long_it_must_rest() {
    let place = Place::new(ACTIONS);
    assert_eq!(place.tell(&["run", "slow", "--detach"]).0, 3);
    let (code, _, why) = place.tell(&["run", "slow"]);
    assert_eq!(code, 2, "{why}");
    let run = place.of_kind("intent")[0]["run"].as_str().unwrap().to_owned();
    let (who, rest) = why.split_once("; cooling down, ").expect("both");
    assert!(who.contains("has been running it for 0:"), "{why}");
    assert!(who.ends_with(&format!("(run {run})")), "{why}");
    assert!(rest.contains("left"), "{why}");
    fs::write(place.path("go"), "").unwrap();
    eventually("the end of the run", || place.of_kind("finish").len() == 1);
    let (_, _, why) = place.tell(&["run", "slow"]);
    assert!(why.contains("nothing was sent: cooling down, "), "{why}");
}

#[test]
fn a_plan_is_shown_with_all_that_stands_in_its_way() {
    let place = Place::new(ACTIONS);
    let (code, said, why) = place.tell(&["run", "slow", "--dry-run"]);
    assert_eq!(code, 0, "{said}{why}");
    assert!(said.contains("it would send:") && !said.contains("could not be started"), "{said}");
    assert_eq!(place.tell(&["run", "slow", "--detach"]).0, 3);
    let (code, said, why) = place.tell(&["--read-only", "run", "slow", "--dry-run"]);
    assert_eq!(code, 2, "{said}{why}");
    assert!(said.contains("it would send:") && said.ends_with("nothing was sent\n"), "{said}");
    for expected in
        ["read-only: by the", "has been running it for", "has been running slow on shop/test since"]
    {
        let found = said.lines().find(|line| {
            line.starts_with("it could not be started now: ") && line.contains(expected)
        });
        assert!(found.is_some(), "{expected}: {said}");
    }
    let (code, said, _) = place.tell(&["run", "slow", "--dry-run", "--json"]);
    let told = document(&said);
    assert_eq!(code, 2, "{told}");
    assert!(told["refused"].as_str().unwrap().contains("cooling down"), "{told}");
    assert!(!told["preview"]["refusals"].as_array().unwrap().is_empty(), "{told}");
    assert!(!told["preview"]["request"].as_array().unwrap().is_empty(), "{told}");
    let at = told["preview"]["at"].as_str().expect("a time");
    assert!(at.parse::<jiff::Timestamp>().is_ok(), "{at}");
    assert_eq!(told["effect_is_there"], Value::Null, "{told}");
    fs::write(place.path("go"), "").unwrap();
    eventually("the end of the run", || place.of_kind("finish").len() == 1);
}

#[test]
fn a_confirmed_effect_is_there() {
    let place = Place::new(ACTIONS);
    let (code, said, why) = place.tell(&["run", "fine", "--json"]);
    let told = document(&said);
    assert_eq!((code, &told["effect_is_there"]), (0, &Value::Bool(true)), "{told}");
    assert!(why.contains("exit code 0; looking at the proof"), "{why}");
    assert_eq!(place.of_kind("outcome").len(), 1);
}

#[test]
fn two_steps_set_variables_in_one_file() {
    let place = Place::new(
        r#"
[action.go]
kind = "sequence"
guard = "G1"
[[action.go.step]]
kind = "env_file"
name = "first"
path = "@/.env"
set = { A = "x" }
[[action.go.step]]
kind = "env_file"
name = "second"
path = "@/.env"
set = { B = "y" }
"#,
    );
    fs::write(place.path(".env"), "export A=1\r\nB=2\r\n").unwrap();
    let (code, said, why) = place.tell(&["run", "go"]);
    assert_eq!(code, 3, "{said}{why}");
    assert!(said.contains("all 2 steps done"), "{said}{why}");
    assert_eq!(fs::read_to_string(place.path(".env")).unwrap(), "export A=x\r\nB=y\r\n");
}

#[test]
fn half_of_what_is_printed_satisfies_nothing() {
    let place = Place::new(
        r#"
[action.go]
kind = "sequence"
guard = "G1"
timeout = "6s"
[[action.go.step]]
kind = "wait"
name = "look"
argv = ["sh", "-c", "printf '%065533d\n123' 0; printf '4\n'"]
every = "1s"
until = ["output == 12"]
"#,
    );
    let (code, said, why) = place.tell(&["run", "go"]);
    assert_ne!(code, 0, "{said}{why}");
    assert!(said.contains("printed more than 64 KiB"), "{said}{why}");
    assert_eq!(place.of_kind("finish")[0]["result"]["claim"], "unclear", "{said}");
}
