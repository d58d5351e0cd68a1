//! The second person, end to end.

use std::process::{Child, Stdio};

use super::{Place, common::pty::Pty, eventually, fs, told};

const IRREVERSIBLE: &str = r#"
[action.drop]
kind = "command"
guard = "G4"
cooldown = "0s"
shell = true
argv = ["echo x >> @/done"]
"#;

const REASON: [&str; 4] = ["--confirm", "shop/test", "--reason", "the table is corrupt"];

fn ask(place: &Place, person: &str) -> Child {
    let mut command = place.command(&[&["run", "drop"], &REASON[..]].concat());
    command.env("WATCHFLOOR_PERSON", person).stdin(Stdio::null());
    let child = command.spawn().unwrap();
    eventually("the request", || !place.of_kind("ask").is_empty());
    child
}

fn approve(place: &Place, person: Option<&str>, args: &[&str]) -> (i32, String, String) {
    let mut command = place.command(&[&["approve"], args].concat());
    if let Some(person) = person {
        command.env("WATCHFLOOR_PERSON", person);
    }
    told(&command.output().unwrap())
}

#[test]
fn an_irreversible_action_waits_for_somebody_else() {
    let place = Place::new(IRREVERSIBLE);
    let asking = ask(&place, "alice");
    let run = place.of_kind("ask")[0]["run"].as_str().unwrap().to_owned();
    let target = ["--confirm", "shop/test"];
    let table: [(Option<&str>, Vec<&str>, &str); 5] = [
        (Some("bob"), vec!["drop"], "nothing was agreed to"),
        (Some("bob"), vec!["drop", "--confirm", "yes"], "confirm with the target"),
        (Some("Alice"), [&["drop"], &target[..]].concat(), "cannot be the second person"),
        (None, [&["drop"], &target[..]].concat(), "WATCHFLOOR_PERSON"),
        (Some("bob"), [&["other"], &target[..]].concat(), "nobody asks"),
    ];
    for (person, args, why) in table {
        let (code, said, refused) = approve(&place, person, &args);
        assert_eq!(code, 2, "{args:?}: {said}{refused}");
        assert!(refused.contains(why), "{args:?}: {refused}");
    }
    assert_eq!(place.done(), 0);
    let (code, said, why) = approve(&place, Some("bob"), &[&[run.as_str()], &target[..]].concat());
    assert_eq!(code, 0, "{said}{why}");
    assert!(said.contains("the table is corrupt") && said.contains("alice"), "{said}");
    assert!(said.contains("a CLAIM"), "the account is the same: {said}");
    let (code, _, told) = told(&asking.wait_with_output().unwrap());
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("agreed by") && told.contains("claims to be bob"), "{told}");
    assert_eq!(place.done(), 1);
    let (ask, agreed) = (&place.of_kind("ask")[0], &place.of_kind("approve")[0]);
    assert_eq!(ask["digest"], agreed["digest"]);
    assert_eq!(agreed["who"]["claimed"], "bob");
    assert!(agreed["text"].as_str().unwrap().contains("only by their own claim"), "{agreed}");
    place.verify();
}

#[test]
fn the_glass_can_be_broken_but_not_quietly() {
    let place = Place::new(IRREVERSIBLE);
    let short = ["run", "drop", "--confirm", "shop/test", "--reason", "quick", "--break-glass"];
    let (code, _, why) = place.tell(&short);
    assert_eq!(code, 2);
    assert!(why.contains("20 characters"), "{why}");
    assert_eq!(place.done(), 0);
    let (code, said, _) = place.tell(&[&["run", "drop", "--break-glass"], &REASON[..]].concat());
    assert_eq!(code, 3, "{said}");
    assert_eq!(place.done(), 1);
    let loud = place.of_kind("break_glass");
    assert_eq!(loud.len(), 1);
    assert_eq!(loud[0]["reason"], "the table is corrupt");
}

/// An agreement must not go to a request that nobody read.
#[test]
fn of_two_requests_one_must_be_named() {
    let place = Place::new(IRREVERSIBLE);
    let mut first = ask(&place, "alice");
    let mut second = place.command(&[&["run", "drop"], &REASON[..]].concat());
    let mut second = second.env("WATCHFLOOR_PERSON", "mallory").spawn().unwrap();
    eventually("the second request", || place.of_kind("ask").len() == 2);
    let (code, said, why) = approve(&place, Some("bob"), &["drop", "--confirm", "shop/test"]);
    assert_eq!(code, 2, "{said}");
    assert!(why.contains("2 requests are open"), "{why}");
    assert!(said.contains("alice") && said.contains("mallory"), "{said}");
    for child in [&mut first, &mut second] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(place.of_kind("approve").is_empty());
    assert_eq!(place.done(), 0);
}

/// The dialog: asked, waited for with a countdown, agreed to from elsewhere, started.
#[test]
fn on_the_screen_it_waits_says_who_agreed_and_starts() {
    let place = Place::new(IRREVERSIBLE);
    let file = place.path("watchfloor.toml");
    let args = ["--config", file.to_str().unwrap()];
    let mut pty = Pty::spawn(super::PROGRAM, &args, &[("WATCHFLOOR_PERSON", "alice")], (100, 30));
    pty.wait_for_text("sources answer");
    pty.send(":arm 10m the table is corrupt\r");
    pty.wait_for_text("ARMED");
    pty.send(":drop\r");
    pty.wait_for_text("Why?");
    enter(&mut pty, "the table is corrupt", "Type shop/test");
    enter(&mut pty, "shop/test", "WAITING for a second person");
    assert!(pty.contents().contains("watchfloor approve"), "{}", pty.contents());
    assert_eq!(place.done(), 0);
    let (code, said, why) = approve(&place, Some("bob"), &["drop", "--confirm", "shop/test"]);
    assert_eq!(code, 0, "{said}{why}");
    pty.wait_for_text("claims to be bob");
    pty.wait_for_text("UNKNOWN: it may");
    assert_eq!(place.done(), 1);
    let intent = &place.of_kind("intent")[0];
    assert_eq!(intent["run"], place.of_kind("approve")[0]["run"]);
    assert!(fs::read_to_string(place.path("done")).is_ok());
}

/// Types a line until it is taken: what comes too early is dropped.
fn enter(pty: &mut Pty, text: &str, next: &str) {
    let began = std::time::Instant::now();
    while !pty.contents().contains(&format!("> {text}")) {
        assert!(began.elapsed() < super::common::pty::limit(), "{}", pty.contents());
        pty.send(format!("\x15{text}"));
        pty.wait_until_quiet(std::time::Duration::from_millis(100));
    }
    while !pty.contents().contains(next) {
        assert!(began.elapsed() < super::common::pty::limit(), "{}", pty.contents());
        pty.send("\r");
        pty.wait_until_quiet(std::time::Duration::from_millis(100));
    }
}
