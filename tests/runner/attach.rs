//! Actions that ask: their program has a terminal of its own, which outlives every console,
//! and the operator's is handed over to it.

use rustix::process::Signal;

use super::{PROGRAM, Place, common::pty::Pty, eventually, found_in, fs, runs};

/// Two questions, then a number; "no" ends it with 0, and so does nobody who answers with 1.
const DIALOGUE: &str = r#"#!/bin/bash
set -e
echo "This rolls back the deployment, and the migrations if you want that."
read -p "Continue? (yes/no): " CONFIRM
if [ "$CONFIRM" != "yes" ]; then
  echo "Aborted."
  exit 0
fi
echo x >> @/done
read -p "Rollback database migrations? (yes/no): " MIGRATIONS
if [ "$MIGRATIONS" = "yes" ]; then
  read -p "Which migration? " NUMBER
fi
echo "$CONFIRM $MIGRATIONS $NUMBER" > @/answers
echo 1 > @/level
echo "complete"
"#;

const ACTIONS: &str = r#"
[source.level]
kind = "command"
argv = ["cat", "@/level"]
interval = "1s"
timeout = "900ms"
readings = { now = { output = "number" } }

[action.rollback]
title = "Roll back fully"
kind = "command"
guard = "G1"
cooldown = "0s"
timeout = "60s"
interactive = true
argv = ["@/dialogue.sh"]
proof = ["level.now == 1"]
proof_within = "4s"

[action.deaf]
kind = "command"
guard = "G1"
cooldown = "0s"
argv = ["@/dialogue.sh"]

[action.told]
kind = "command"
guard = "G1"
cooldown = "0s"
stdin = "yes\nyes\n77\n"
argv = ["@/dialogue.sh"]

[action.secretive]
kind = "command"
guard = "G1"
cooldown = "0s"
interactive = true
shell = true
argv = ["stty -echo; echo Password:; read p; stty echo; [ \"$p\" = \"canary-\"\"typed\" ] && echo accepted $TERM; printf '\\033[?1000h\\033[?1049h'; exit 3"]

[action.size]
kind = "command"
guard = "G1"
cooldown = "0s"
interactive = true
argv = ["bash", "-c", "trap 'echo now $(stty size)' WINCH; echo at first $(stty size); until read -t 0.05 line; do :; done; tty > /dev/null && echo $line and end"]

[action.flood]
kind = "command"
guard = "G1"
cooldown = "0s"
interactive = true
argv = ["bash", "-c", "read -p 'Sure? ' x; seq 400000; echo x >> @/done"]

[action.patient]
kind = "command"
guard = "G1"
cooldown = "0s"
timeout = "2s"
interactive = true
argv = ["bash", "-c", "read -p 'Sure? ' x"]
"#;

fn place() -> Place {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new(ACTIONS);
    let at = place.path("");
    let script = place.path("dialogue.sh");
    let text = DIALOGUE.replace("@/", at.to_str().unwrap());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(place.path("level"), "0\n").unwrap();
    place
}

fn spawn(place: &Place, args: &[&str]) -> Pty {
    let file = place.path("watchfloor.toml");
    let args = [&["--config", file.to_str().unwrap()], args].concat();
    Pty::spawn(PROGRAM, &args, &[], (100, 30))
}

fn console(place: &Place) -> Pty {
    let pty = spawn(place, &[]);
    pty.wait_for_text("sources answer");
    pty
}

/// A console whose terminal the program has.
fn handed_over(place: &Place) -> Pty {
    let mut pty = console(place);
    pty.arm();
    pty.send(":rollback\r");
    pty.wait_for_text("this terminal is handed over");
    pty.say_yes();
    asked(&pty, "Continue? (yes/no):");
    pty
}

/// Waits for a question of the program, on the terminal as it was before the console.
#[track_caller]
fn asked(pty: &Pty, question: &str) {
    pty.wait_for(question, |screen| {
        screen.contents().contains(question) && !screen.alternate_screen()
    });
}

#[track_caller]
fn back_in_the_console(pty: &mut Pty, text: &str) {
    pty.wait_for(text, |screen| screen.contents().contains(text) && screen.alternate_screen());
    assert!(pty.is_raw());
    assert!(pty.look(|screen| screen.hide_cursor()), "no cursor is left on the screen");
}

fn run_of(place: &Place) -> String {
    place.of_kind("intent")[0]["run"].as_str().unwrap().to_owned()
}

fn answers(place: &Place) -> String {
    fs::read_to_string(place.path("answers")).unwrap_or_default()
}

/// What the journal says that happened at the terminal.
fn steps(place: &Place) -> String {
    place.of_kind("step").iter().map(|line| format!("{}\n", line["text"])).collect()
}

#[test]
fn the_terminal_is_handed_over_and_taken_back() {
    let place = place();
    let mut pty = handed_over(&place);
    assert!(pty.contents().contains("running Roll back fully; Ctrl-] returns"));
    // Keys of the console mean nothing here, and what is mistyped can be erased.
    pty.send("q\x7fyes\r");
    asked(&pty, "Rollback database migrations? (yes/no):");
    pty.send("yes\r");
    asked(&pty, "Which migration?");
    pty.send("990077\r");
    back_in_the_console(&mut pty, "CONFIRMED");
    assert_eq!(answers(&place), "yes yes 990077\n");
    assert_eq!(place.done(), 1);
    eventually("the outcome", || place.of_kind("outcome").len() == 1);
    assert_eq!(place.of_kind("outcome")[0]["outcome"], "confirmed");
    assert!(place.of_kind("intent")[0]["request"].to_string().contains("it is interactive"));
    assert!(steps(&place).contains("attached to its terminal"), "{}", steps(&place));
    let journal = fs::read_to_string(place.state().join(super::journal::FILE)).unwrap();
    assert!(!journal.contains("990077"), "what is typed is not in the journal");
    place.verify();

    // The keys are the console's again.
    pty.send("\x1b");
    pty.wait_for("the dialog to close", |screen| !screen.contents().contains("it ran, and"));
    pty.send(":disarm\r");
    pty.wait_for("disarmed", |screen| !screen.contents().contains("ARMED"));
    pty.send("q");
    pty.send("y");
    assert!(pty.wait_for_exit().success());
    assert_eq!(pty.residue(), Vec::<&str>::new());
}

#[test]
fn it_can_be_left_in_the_middle_and_come_back_to() {
    let place = place();
    let mut pty = handed_over(&place);
    pty.send("yes\r");
    asked(&pty, "Rollback database migrations? (yes/no):");
    pty.send("\x1d");
    back_in_the_console(&mut pty, "it asks questions, and may wait for an answer");
    pty.wait_for_text("none yet");
    pty.send("o");
    // What was asked last is there again.
    asked(&pty, "Rollback database migrations? (yes/no):");
    pty.send("no\r");
    back_in_the_console(&mut pty, "CONFIRMED");
    assert_eq!(answers(&place), "yes no \n");
    assert_eq!(place.done(), 1);
    let steps = steps(&place);
    assert_eq!(steps.matches("attached to its terminal").count(), 2, "{steps}");
    assert!(steps.contains("left; its terminal waits for the next"), "{steps}");
}

#[test]
fn a_console_that_is_killed_leaves_the_question_open() {
    for next_is_a_console in [true, false] {
        let place = place();
        let mut pty = handed_over(&place);
        pty.send("yes\r");
        asked(&pty, "Rollback database migrations? (yes/no):");
        pty.signal(Signal::KILL);
        pty.wait_for_death();
        drop(pty);
        let program = place.of_kind("process")[0]["process"]["pid"].as_i64().unwrap();
        assert!(runs(program), "the end of a console is not the end of the input");
        if next_is_a_console {
            let mut next = console(&place);
            next.wait_for_text("RUNNING: Roll back fully");
            assert!(next.look(|screen| screen.alternate_screen()), "nobody asked for it");
            next.send(":attach\r");
            asked(&next, "Rollback database migrations? (yes/no):");
            next.send("yes\r99\r");
            back_in_the_console(&mut next, "CONFIRMED");
        } else {
            let mut next = spawn(&place, &["attach", &run_of(&place)]);
            asked(&next, "Rollback database migrations? (yes/no):");
            next.send("yes\r");
            asked(&next, "Which migration?");
            next.send("99\r");
            assert_eq!(next.wait_for_exit().exit_code(), 0);
            assert!(next.contents().contains("CONFIRMED: exit code 0"), "{}", next.contents());
            assert_eq!(next.residue(), Vec::<&str>::new());
        }
        eventually("the answers", || answers(&place) == "yes yes 99\n");
        assert_eq!(place.done(), 1);
        eventually("its end", || place.of_kind("finish").len() == 1);
        assert_eq!(place.of_kind("finish")[0]["result"]["claim"], "done");
        eventually("its outcome", || place.of_kind("outcome").len() == 1);
        assert_eq!(place.of_kind("outcome")[0]["outcome"], "confirmed");
        place.verify();
    }
}

#[test]
fn a_no_ends_with_zero_and_the_proof_says_what_that_was_worth() {
    let place = place();
    let mut pty = spawn(&place, &["run", "rollback"]);
    asked(&pty, "Continue? (yes/no):");
    pty.send("no\r");
    assert_eq!(pty.wait_for_exit().exit_code(), 1, "{}", pty.contents());
    assert!(pty.contents().contains("REFUTED"), "{}", pty.contents());
    assert!(pty.contents().contains("exit code 0"), "{}", pty.contents());
    assert_eq!(pty.residue(), Vec::<&str>::new());
    assert_eq!((place.done(), answers(&place)), (0, String::new()));
}

#[test]
fn run_leaves_by_the_key_and_attach_finishes_it() {
    let place = place();
    let pty = spawn(&place, &["run", "rollback"]);
    asked(&pty, "Continue? (yes/no):");
    let second = spawn(&place, &["attach", &run_of(&place)]);
    assert_eq!(second.wait_for_exit().exit_code(), 2);
    assert!(second.contents().contains("is at its terminal since"), "{}", second.contents());
    let mut third = spawn(&place, &["attach", &run_of(&place), "--take-over"]);
    asked(&third, "Continue? (yes/no):");
    pty.wait_for_text("has taken the terminal over");
    third.send("\x1d");
    assert_eq!(third.wait_for_exit().exit_code(), 3);
    assert_eq!(third.residue(), Vec::<&str>::new());
    let mut fourth = spawn(&place, &["attach", &run_of(&place)]);
    asked(&fourth, "Continue? (yes/no):");
    fourth.send("yes\rno\r");
    assert_eq!(fourth.wait_for_exit().exit_code(), 0);
    // Whoever began it has followed it all the time.
    assert_eq!(pty.wait_for_exit().exit_code(), 0, "{}", pty.contents());
    assert!(pty.contents().contains("CONFIRMED"), "{}", pty.contents());
    let late = spawn(&place, &["attach", &run_of(&place)]);
    assert_eq!(late.wait_for_exit().exit_code(), 2);
    assert!(late.contents().contains("it is over"), "{}", late.contents());
}

#[test]
fn whoever_answers_a_run_to_its_end_looks_at_its_proof() {
    let place = place();
    let nobody = spawn(&place, &["attach", "rollback"]);
    assert_eq!(nobody.wait_for_exit().exit_code(), 2);
    nobody.wait_for_text("no run of it can be answered; nothing that asks is under way");
    let mut pty = spawn(&place, &["run", "rollback"]);
    asked(&pty, "Continue? (yes/no):");
    pty.send("\x1d");
    assert_eq!(pty.wait_for_exit().exit_code(), 3, "{}", pty.contents());
    let other = spawn(&place, &["attach", "rolback"]);
    assert_eq!(other.wait_for_exit().exit_code(), 2);
    let run = run_of(&place);
    other.wait_for("the run that is meant", |screen| {
        let said = screen.contents().replace('\n', "");
        said.contains("no run and no action of that name") && said.contains(&run)
    });
    let mut next = spawn(&place, &["attach", "rollback"]);
    asked(&next, "Continue? (yes/no):");
    next.send("no\r");
    assert_eq!(next.wait_for_exit().exit_code(), 1, "{}", next.contents());
    assert!(next.contents().contains("it has ended; looking at the proof"));
    assert!(next.contents().contains("REFUTED: exit code 0"), "{}", next.contents());
    assert_eq!(next.residue(), Vec::<&str>::new());
    let outcomes = place.of_kind("outcome");
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0]["outcome"], "refuted");
    assert!(outcomes[0]["evidence"].to_string().contains("level.now == 1: does not hold"));
    place.verify();
}

#[test]
fn whoever_does_not_wait_for_the_proof_is_told_who_looks_at_it() {
    let place = place();
    let mut pty = spawn(&place, &["run", "rollback"]);
    asked(&pty, "Continue? (yes/no):");
    pty.send("\x1d");
    assert_eq!(pty.wait_for_exit().exit_code(), 3, "{}", pty.contents());
    let mut next = spawn(&place, &["attach", "rollback"]);
    asked(&next, "Continue? (yes/no):");
    next.send("no\r");
    next.wait_for_text("looking at the proof");
    next.send("\x03");
    assert_eq!(next.wait_for_exit().exit_code(), 3, "{}", next.contents());
    let said = next.contents().replace('\n', " ");
    assert!(said.contains("its proof was not looked at"), "{said}");
    assert!(said.contains("the next console does"), "{said}");
    assert!(place.of_kind("outcome").is_empty());
    let mut next = console(&place);
    next.wait_for_text("REFUTED");
    next.send("q");
}

#[test]
fn what_is_typed_unseen_is_nowhere_and_what_it_leaves_behind_is_undone() {
    let place = place();
    let mut pty = spawn(&place, &["run", "secretive"]);
    asked(&pty, "Password:");
    pty.send("canary-typed\r");
    assert_eq!(pty.wait_for_exit().exit_code(), 1, "{}", pty.contents());
    assert_eq!(pty.residue(), Vec::<&str>::new());
    assert!(pty.has_sent("accepted xterm-256color"), "it is told what it talks to");
    assert_eq!(found_in(&place.state(), "canary-typed"), Vec::<std::path::PathBuf>::new());
    let run = place.state().join("runs").join(run_of(&place));
    let output = fs::read_to_string(run.join("output.log")).unwrap();
    assert!(output.contains("accepted") && !output.contains('\x1b'), "{output:?}");
    assert!(!run.join("terminal").exists());
}

#[test]
fn the_program_learns_the_size_of_the_window() {
    let place = place();
    let mut pty = spawn(&place, &["run", "size"]);
    pty.wait_for_text("30 100");
    pty.resize((90, 33));
    pty.wait_for_text("now 33 90");
    let run = place.state().join("runs").join(run_of(&place));
    let mode = |path| {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode(run.join("terminal")), mode(run)), (0o600, 0o700));
    pty.send("done\r");
    pty.wait_for_text("done and end");
    pty.wait_for_exit();
}

/// As behind a line that hangs: nothing is read any more, and nobody has hung up.
#[test]
fn a_console_that_hangs_does_not_hold_the_program_up() {
    let place = place();
    let mut pty = spawn(&place, &["run", "flood"]);
    asked(&pty, "Sure?");
    pty.send("yes\r");
    // It may be gone from the screen before anybody looks at it.
    eventually("the flood", || pty.has_sent("1000"));
    pty.signal(Signal::STOP);
    eventually("the program to be over", || place.done() == 1);
    eventually("its end", || place.of_kind("finish").len() == 1);
    pty.signal(Signal::CONT);
    assert_eq!(pty.wait_for_exit().exit_code(), 3, "{}", pty.contents());
    assert_eq!(pty.residue(), Vec::<&str>::new());
}

#[test]
fn its_time_is_up_though_nobody_answers() {
    let place = place();
    let mut pty = spawn(&place, &["run", "patient"]);
    asked(&pty, "Sure?");
    pty.send("\x1d");
    assert_eq!(pty.wait_for_exit().exit_code(), 3);
    eventually("its end", || place.of_kind("finish").len() == 1);
    let finish = &place.of_kind("finish")[0]["result"];
    assert_eq!(finish["claim"], "unclear");
    assert!(finish["summary"].as_str().unwrap().contains("its time was up"), "{finish}");
}

#[test]
fn without_a_terminal_it_is_refused_and_other_actions_get_no_question_answered() {
    let place = place();
    let (code, _, said) = place.tell(&["run", "rollback"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("no terminal to answer at") && said.contains("ssh -t"), "{said}");
    assert!(place.of_kind("intent").is_empty());
    let (code, _, said) = place.tell(&["attach", "20200101-000000-000-none"]);
    assert_eq!(code, 2, "{said}");

    // The same script where nobody can answer: it ends at the first question.
    let (code, _, said) = place.tell(&["run", "deaf"]);
    assert_eq!(code, 1, "{said}");
    assert_eq!((place.done(), answers(&place)), (0, String::new()));
    assert_eq!(place.of_kind("finish")[0]["result"]["readings"]["exit_code"]["number"], 1.0);
    // And where the answers are written down.
    let (code, _, said) = place.tell(&["run", "told"]);
    assert_eq!(code, 3, "no proof is configured: {said}");
    assert_eq!((place.done(), answers(&place)), (1, "yes yes 77\n".to_owned()));
}
