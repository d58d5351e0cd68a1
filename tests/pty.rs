//! The real program in a pseudo-terminal: how it starts, answers keys, and ends.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use common::{
    pty::Pty,
    raw::{RawServer, answer},
};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_watchfloor");

/// The demo without other programs, with nothing happening in it.
const CALM: [&str; 4] = ["demo", "--embedded-only", "--scenario", "calm"];

fn start(args: &[&str], env: &[(&str, &str)]) -> Pty {
    Pty::spawn(PROGRAM, args, env, (100, 30))
}

/// A console on which the first answers have been seen.
fn calm() -> Pty {
    let pty = start(&CALM, &[]);
    pty.wait_for_text("sources answer");
    pty
}

/// A directory with a configuration, and a place for the console's state.
fn configured(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let text = format!("{text}\n[state]\ndir = \"{}\"\n", state.display());
    fs::write(directory.path().join("watchfloor.toml"), text).unwrap();
    directory
}

fn on(directory: &Path) -> Pty {
    let file = directory.join("watchfloor.toml");
    start(&["--config", file.to_str().unwrap()], &[])
}

fn leave(pty: &mut Pty) {
    pty.send("q");
    assert_eq!(pty.wait_for_exit().exit_code(), 0);
    assert_eq!(pty.residue(), Vec::<&str>::new());
}

#[test]
fn leaves_with_q_and_puts_everything_back() {
    let mut pty = calm();
    assert!(pty.is_raw());
    leave(&mut pty);
}

#[test]
fn leaves_with_two_control_c_but_not_with_one() {
    let mut pty = calm();
    pty.send("\x03");
    pty.wait_for_text("once more");
    pty.send("\x03");
    assert_eq!(pty.wait_for_exit().exit_code(), 0);
    assert_eq!(pty.residue(), Vec::<&str>::new());
}

#[test]
fn ends_on_term_with_the_terminal_restored() {
    let mut pty = calm();
    pty.signal(Signal::TERM);
    assert_eq!(pty.wait_for_exit().exit_code(), 143);
    assert_eq!(pty.residue(), Vec::<&str>::new());
}

#[test]
fn is_gone_when_the_connection_is() {
    let mut pty = calm();
    pty.hang_up();
    pty.wait_for_death();
}

#[test]
fn ends_on_hup_with_its_code() {
    let pty = calm();
    pty.signal(Signal::HUP);
    assert_eq!(pty.wait_for_exit().exit_code(), 129);
}

#[test]
fn draws_for_every_size_while_it_is_resized() {
    let mut pty = calm();
    for size in [(80, 24), (200, 60), (40, 10), (12, 4), (120, 40)] {
        pty.resize(size);
        pty.wait_for("the screen in its new size", |screen| {
            let (rows, columns) = screen.size();
            (columns.get(), rows.get()) == size && !screen.contents().trim().is_empty()
        });
    }
    pty.wait_for_text("Escalation");
    leave(&mut pty);
}

#[test]
fn help_lists_the_keys_and_escape_closes_it() {
    let mut pty = calm();
    pty.send("?");
    pty.wait_for_text("Help:");
    pty.send("\x1b");
    pty.wait_for("the help to be closed", |screen| !screen.contents().contains("Help:"));
    leave(&mut pty);
}

#[test]
fn an_action_is_armed_previewed_confirmed_carried_out_and_proven() {
    let mut pty = calm();
    pty.send("x");
    pty.wait_for_text("read-only;");
    pty.send("\x1b");
    pty.wait_for("the menu to be closed", |screen| !screen.contents().contains("read-only;"));
    pty.send(":");
    pty.send("arm 10m trying it out");
    pty.send("\r");
    pty.wait_for_text("ARMED");
    pty.send(":");
    pty.send("cache_warm");
    pty.send("\r");
    pty.wait_for_text("send it now");
    // What is pressed in the first moments is dropped, so it is pressed until it counts.
    let began = Instant::now();
    while pty.contents().contains("send it now") {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", pty.contents());
        pty.send("y");
        pty.wait_until_quiet(Duration::from_millis(100));
    }
    pty.wait_for_text("CONFIRMED: it ran");
    pty.send("\x1b");
    pty.wait_for("the dialog to be closed", |screen| {
        !screen.contents().contains("CONFIRMED: it ran")
    });
    leave(&mut pty);
}

#[test]
fn keys_and_text_that_were_not_meant_for_it_start_nothing() {
    let mut pty = calm();
    pty.send("\x1b[200~xcy\r:arm 10m hello\rxwy\r\x1b[201~");
    pty.wait_for_text("dropped");
    assert!(!pty.contents().contains("ARMED"));
    leave(&mut pty);
}

#[test]
fn answers_keys_while_every_source_hangs() {
    let hanging = RawServer::start(|exchange| exchange.hang());
    let mut text = "[service]\nname = \"stuck\"\nenvironment = \"test\"\n".to_owned();
    for number in 0..20 {
        text.push_str(&format!(
            "[source.s{number}]\nkind = \"http\"\nurl = \"{}\"\ninterval = \"2s\"\ntimeout = \"1s\"\n\
             [check.c{number}]\ntitle = \"Check {number}\"\nsource = \"s{number}\"\n",
            hanging.url("/")
        ));
    }
    let directory = configured(&text);
    let mut pty = on(directory.path());
    pty.wait_for_text("timeout");
    for _ in 0..5 {
        pty.send("?");
        pty.wait_for_text("Help:");
        pty.send("\x1b");
        pty.wait_for("the help to be closed", |screen| !screen.contents().contains("Help:"));
    }
    assert!(!pty.contents().contains("OK "), "{}", pty.contents());
    leave(&mut pty);
}

const SERVICE: &str = "[service]\nname = \"shop\"\nenvironment = \"test\"\n";

fn with_source(server: &RawServer, title: &str) -> String {
    format!(
        "{SERVICE}[source.api]\nkind = \"http\"\nurl = \"{}\"\n\
         [check.api]\ntitle = \"{title}\"\nsource = \"api\"\n",
        server.url("/")
    )
}

#[test]
fn takes_a_changed_configuration_over_and_refuses_a_bad_one() {
    let server = RawServer::http(common::raw::answer("200 OK", &[], "{}"));
    let directory = configured(&with_source(&server, "First title"));
    let file = directory.path().join("watchfloor.toml");
    let mut pty = on(directory.path());
    pty.wait_for_text("First title");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, good.replace("First title", "Second title")).unwrap();
    pty.wait_for_text("Second title");
    fs::write(&file, good.replace("kind =", "kimd =")).unwrap();
    pty.wait_for_text("refused");
    assert!(pty.contents().contains("Second title"));
    leave(&mut pty);
}

#[test]
fn a_bad_configuration_is_said_before_the_screen_is_taken() {
    let directory = configured("[service]\nname = \"shop\"\nenvironment = \"test\"\n[sauce.x]\n");
    let pty = on(directory.path());
    assert_eq!(pty.wait_for_exit().exit_code(), 78);
    let said = pty.contents();
    assert!(said.contains("sauce") && said.contains("source"), "{said}");
    assert!(!pty.has_sent("\x1b[?1049h"));
}

#[test]
fn a_dumb_terminal_gets_lines() {
    let mut args = CALM.to_vec();
    args.extend(["--for", "3s"]);
    let pty = start(&args, &[("TERM", "dumb")]);
    assert_eq!(pty.wait_for_exit().exit_code(), 0);
    assert!(!pty.has_sent("\x1b["), "{}", pty.contents());
    assert!(pty.contents().contains("Redis answers"), "{}", pty.contents());
}

/// Only a shell with job control can stop a program.
#[test]
fn is_suspended_by_its_key_and_goes_on_at_another_size() {
    let mut pty =
        Pty::spawn("bash", &["--norc", "--noprofile", "-i"], &[("PS1", "ready$ ")], (100, 30));
    pty.wait_for_text("ready$");
    pty.send(format!("{PROGRAM} {}\r", CALM.join(" ")));
    pty.wait_for_text("sources answer");
    pty.send("\x1a");
    pty.wait_for("the shell", |screen| {
        !screen.alternate_screen() && screen.contents().contains("Stopped")
    });
    assert!(!pty.look(vt100::Screen::hide_cursor));
    pty.resize((120, 40));
    pty.send("fg\r");
    pty.wait_for("the screen to be back", |screen| {
        screen.alternate_screen() && screen.contents().contains("sources answer")
    });
    pty.send("q");
    pty.wait_for("the shell", |screen| !screen.alternate_screen());
    // What is typed before that is meant for the program, and is forgotten with it.
    pty.wait_until_quiet(Duration::from_millis(300));
    pty.send("echo code=$?\r");
    pty.wait_for_text("code=0");
}

#[test]
fn what_is_saved_in_the_demo_outlives_it_and_its_place_is_told() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().to_str().unwrap();
    let mut pty = start(&CALM, &[("XDG_STATE_HOME", state)]);
    pty.wait_for_text("sources answer");
    pty.send(":save\r");
    pty.wait_for_text("written to ");
    leave(&mut pty);
    let kept = fs::read_dir(home.path().join("watchfloor")).unwrap();
    let files: Vec<_> = kept.map(|entry| entry.unwrap().path()).collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let document: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(document["environment"], "demo");
}

#[test]
fn init_asks_on_a_terminal_and_checks_each_answer() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("new.toml");
    let body = r#"{"success":true,"results":{"redis":{"available":true}}}"#;
    let server = RawServer::http(answer("200 OK", &["X-Cache: HIT"], body));
    let status_page = "http://127.0.0.1:1/status";
    let mut pty = start(
        &["--profile", "exodrive", "init", file.to_str().unwrap()],
        // What has nothing to do with an answer does not speak against it.
        &[("HOME", directory.path().to_str().unwrap()), ("UPSTASH_STATUS_URL", status_page)],
    );
    pty.wait_for_text("EXODRIVE_URL (such as https://api.exodrive.com):");
    pty.send("nonsense\r");
    pty.wait_for_text("is not an address");
    pty.wait_for_text("-> ");
    // Nobody listens there: said at once, and taken only where that is wanted.
    pty.send("http://127.0.0.1:1\r");
    pty.wait_for_text("Keep it all the same? [n]");
    pty.send("\r");
    pty.send(format!("http://127.0.0.1:{}\r", server.port));
    pty.wait_for_text("redis_demo: answers in");
    pty.wait_for_text("EXODRIVE_CAR_ID:");
    pty.send("\r");
    pty.wait_for_text("UPSTASH_REDIS_REST_URL");
    // The end of the input leaves the rest out.
    pty.send("\u{4}");
    pty.wait_for_text("never stand in the file. Not set:");
    pty.wait_for_text("wrote");
    assert_eq!(pty.wait_for_exit().exit_code(), 0);
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.contains(&format!("\nEXODRIVE_URL = \"http://127.0.0.1:{}\"\n", server.port)));
    assert!(written.contains("\n#EXODRIVE_CAR_ID = \"\"\n"), "{written}");
    assert!(!written.contains("nonsense") && !written.contains("127.0.0.1:1\""));
}

#[test]
fn init_says_what_is_still_missing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("new.toml");
    let mut pty = start(
        &["--profile", "exodrive", "init", file.to_str().unwrap()],
        &[("HOME", directory.path().to_str().unwrap())],
    );
    pty.wait_for_text("EXODRIVE_URL (such as https://api.exodrive.com):");
    pty.send("nonsense\r");
    pty.wait_for_text("-> ");
    assert_eq!(pty.contents().matches("is not an address").count(), 1, "{}", pty.contents());
    assert!(!pty.contents().contains("profile exodrive:"), "{}", pty.contents());
    pty.send("\u{4}");
    pty.wait_for_text("still missing: EXODRIVE_URL; `config check` will refuse it");
    assert_eq!(pty.wait_for_exit().exit_code(), 0);
}

#[test]
fn init_doubts_a_directory_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("new.toml");
    let server = RawServer::http(answer("200 OK", &[], "{}"));
    let mut pty = start(
        &["--profile", "redcube", "init", file.to_str().unwrap()],
        &[("HOME", directory.path().to_str().unwrap())],
    );
    pty.wait_for_text("REDCUBE_URL (such as http://127.0.0.1:8080):");
    pty.send(format!("http://127.0.0.1:{}\r", server.port));
    pty.wait_for_text("REDCUBE_USER_URL");
    pty.send("\r");
    pty.wait_for_text("REDCUBE_PROJECT");
    pty.send("\r");
    pty.wait_for_text("REDCUBE_DIR (such as /srv/redcube):");
    pty.send("/nowhere/at/all\r");
    pty.wait_for_text("/nowhere/at/all is not a directory now");
    pty.wait_for_text("Keep it all the same? [n]");
    pty.send("y\r");
    pty.wait_for_text("REDCUBE_POSTGRES_CONTAINER");
    pty.send("\u{4}");
    pty.wait_for_text("wrote");
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.contains("\nREDCUBE_DIR = \"/nowhere/at/all\"\n"), "{written}");
}

/// A log that grows: its lines appear, can be searched, stand still while they are read, and
/// go on.
#[test]
fn a_growing_log_is_followed_searched_paused_and_followed_again() {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("app.log");
    fs::write(&log, "").unwrap();
    let append = |text: &str| {
        let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    };
    let line = |level: &str, message: &str| {
        format!(
            "{{\"timestamp\":\"{}\",\"level\":\"{level}\",\"message\":\"{message}\",\
             \"trace_id\":\"4f-{message}\",\"email\":\"canary@example.com\"}}\n",
            jiff::Timestamp::now()
        )
    };
    let directory = configured(&format!(
        "[service]\nname = \"shop\"\nenvironment = \"test\"\n\n[source.app]\nkind = \"logs\"\n\
         title = \"Log of the app\"\nfile = \"{}\"\n",
        log.display()
    ));
    let mut pty = on(directory.path());
    pty.wait_for_text("Log of the app");
    pty.send("8f");
    pty.wait_for_text("no entry has come yet");
    append(&line("info", "first"));
    append(&line("error", "\\u001b[2Jpool-gone"));
    pty.wait_for_text("pool-gone");
    pty.wait_for_text("following");
    append(&line("info", "third"));
    pty.wait_for_text("third");
    pty.send("/trace_id=.*pool\r");
    pty.wait_for_text("match 1 of 1");
    pty.wait_for_text("paused, 0 new");
    append(&line("info", "fourth"));
    append(&line("info", "fifth"));
    pty.wait_for_text("paused, 2 new");
    assert!(!pty.contents().contains("fourth"));
    pty.send("\r");
    pty.wait_for_text("Log entry");
    pty.wait_for_text("4f-");
    pty.send("\x1b");
    pty.wait_for("the entry closed", |screen| !screen.contents().contains("Log entry"));
    pty.send("G");
    pty.wait_for_text("fourth");
    pty.wait_for_text("following");
    pty.send("&!first|third\r");
    pty.wait_for("the filter", |screen| !screen.contents().contains("third  trace"));
    assert!(pty.contents().contains("fifth"));
    assert!(!pty.has_sent("canary"), "personal data reached the terminal");
    // Search, filter, zoom.
    pty.send("qqq");
    leave(&mut pty);
}
