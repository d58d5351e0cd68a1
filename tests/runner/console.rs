//! The console in a terminal: what it starts goes on without it, and the next one follows.

use std::time::Duration;

use rustix::process::Signal;

use super::{
    PROGRAM, Place,
    common::{pty::Pty, servers::RedisServer},
    eventually, fs,
    mended::{STOPS, actions},
    runs,
};

const SLOW: &str = r#"
[action.slow]
title = "Do it slowly"
kind = "command"
guard = "G1"
cooldown = "0s"
timeout = "60s"
shell = true
argv = ["echo begun; while [ ! -e @/go ]; do sleep 0.05; done; echo x >> @/done; echo over"]
"#;

fn console(place: &Place) -> Pty {
    let file = place.path("watchfloor.toml");
    let pty = Pty::spawn(PROGRAM, &["--config", file.to_str().unwrap()], &[], (100, 30));
    pty.wait_for_text("sources answer");
    pty
}

/// A console in which the action has begun.
fn begun(place: &Place) -> Pty {
    let mut pty = console(place);
    pty.arm();
    pty.send(":slow\r");
    pty.say_yes();
    pty.wait_for_text("begun");
    pty
}

fn runner(place: &Place) -> i64 {
    place.of_kind("supervisor")[0]["process"]["pid"].as_i64().unwrap()
}

#[test]
fn a_run_outlives_its_terminal_and_the_next_console_follows_it() {
    for gone in [Some(Signal::KILL), Some(Signal::HUP), None] {
        let place = Place::new(SLOW);
        let mut pty = begun(&place);
        match gone {
            Some(signal) => pty.signal(signal),
            None => pty.hang_up(),
        }
        pty.wait_for_death();
        drop(pty);
        assert!(runs(runner(&place)), "{gone:?}: the runner goes on");
        let next = console(&place);
        next.wait_for_text("1 action unresolved");
        next.wait_for_text("running, supervised");
        next.wait_for_text("RUNNING: Do it slowly");
        fs::write(place.path("go"), "").unwrap();
        eventually("the outcome", || place.of_kind("outcome").len() == 1);
        assert_eq!(place.done(), 1, "{gone:?}");
        assert_eq!(place.of_kind("finish")[0]["result"]["claim"], "done", "{gone:?}");
        place.verify();
    }
}

#[test]
fn what_was_interrupted_is_said_so_by_the_next_console() {
    let place = Place::new(SLOW);
    let pty = begun(&place);
    let program = place.of_kind("process")[0]["process"]["pid"].as_i64().unwrap();
    pty.signal(Signal::KILL);
    pty.wait_for_death();
    for pid in [runner(&place), program] {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process_group(pid, Signal::KILL)
            .or_else(|_| rustix::process::kill_process(pid, Signal::KILL))
            .unwrap();
    }
    eventually("all to be gone", || !runs(program) && !runs(runner(&place)));
    let next = console(&place);
    next.wait_for_text("interrupted");
    eventually("the outcome", || place.of_kind("outcome").len() == 1);
    assert_eq!(place.of_kind("outcome")[0]["outcome"], "unknown");
    assert_eq!(place.done(), 0);
}

/// A run of somebody else can be opened and stopped from here.
#[test]
fn a_run_of_another_console_can_be_stopped() {
    let place = Place::new(SLOW);
    let first = begun(&place);
    let mut second = console(&place);
    second.wait_for_text("RUNNING: Do it slowly");
    second.send(":slow\r");
    second.wait_for_text("Ask it to stop");
    second.send("S");
    second.wait_for_text("CANCELLED");
    first.wait_for_text("CANCELLED");
    assert_eq!(place.of_kind("outcome").len(), 1, "written once, seen twice");
    assert_eq!(place.of_kind("finish")[0]["result"]["claim"], "cancelled");
    assert_eq!(place.done(), 0);
}

/// What somebody else runs is asked to stop from the dialog that it blocks.
#[test]
fn a_lock_is_taken_over_from_another_console() {
    let place = Place::new(&actions(&[
        ("deploy", "G1", "shop", "60s", STOPS),
        ("rollback", "G1", "shop", "60s", "echo x >> @/done"),
    ]));
    let (code, said, why) = place.tell(&["run", "deploy", "--detach"]);
    assert_eq!(code, 3, "{said}{why}");
    eventually("the deploy", || place.of_kind("process").len() == 1);
    let mut pty = console(&place);
    pty.arm();
    pty.send(":rollback\r");
    pty.wait_for_text("IT CANNOT BE STARTED");
    pty.wait_for_text("has been running deploy on shop/test");
    // What is typed in the first moments is dropped.
    pty.wait_until_quiet(Duration::from_millis(400));
    pty.send("T");
    pty.wait_for_text("Taking over asks that run to stop");
    pty.wait_until_quiet(Duration::from_millis(400));
    pty.send("the deploy hangs\r");
    pty.wait_for_text("takes over");
    pty.say_yes();
    eventually("both outcomes", || place.of_kind("outcome").len() == 2);
    let claims: Vec<_> =
        place.of_kind("finish").iter().map(|line| line["result"]["claim"].clone()).collect();
    assert_eq!(claims, ["cancelled", "done"]);
    let intent = &place.of_kind("intent")[1];
    assert_eq!(intent["take_over"]["reason"], "the deploy hangs");
    assert_eq!(place.done(), 1);
}

fn redis(port: u16, command: &[&str]) -> String {
    let output = std::process::Command::new("redis-cli")
        .args(["-p", &port.to_string()])
        .args(command)
        .output()
        .expect("redis-cli is installed with redis-server");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn pages(port: u16, count: &str) {
    let script = "for i = 1, ARGV[1] do redis.call('SET', 'page:' .. i, 1) end";
    redis(port, &["eval", script, "0", count]);
}

/// What was agreed to was a number of keys; many more of them are asked about again.
#[test]
fn keys_that_have_come_since_the_preview_are_not_deleted_unseen() {
    let server = RedisServer::start(&[]);
    pages(server.port, "50");
    let place = Place::new(&format!(
        "[source.redis]\nkind = \"redis\"\nurl = \"redis://127.0.0.1:{}/0\"\n\
         [action.clear]\nkind = \"redis\"\nguard = \"G1\"\ncooldown = \"0s\"\n\
         source = \"redis\"\ndelete = [\"page:*\"]\nproof = [\"result.deleted > 0\"]\n",
        server.port
    ));
    let mut pty = console(&place);
    pty.arm();
    pty.send(":clear\r");
    pty.wait_for_text("50 keys");
    pages(server.port, "500");
    pty.say_yes();
    pty.wait_for_text("NEVER STARTED");
    pty.wait_for_text("50 were agreed to");
    assert_eq!(redis(server.port, &["dbsize"]), "500");
    // Seen and agreed to, they go.
    pty.send("\x1b");
    pty.wait_until_quiet(Duration::from_millis(300));
    pty.send(":clear\r");
    pty.wait_for_text("500 keys");
    pty.say_yes();
    eventually("they are gone", || redis(server.port, &["dbsize"]) == "0");
}
