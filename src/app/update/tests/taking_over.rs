//! Taking a lock over from the run that holds it.

use super::*;
use crate::app::actions::{Stage, dialog};
use crate::domain::action::{LOCKED, TakeOver};

/// A preview that names who is in the way.
fn held_by(console: &mut Console, holders: &[&str], also: &[&str]) {
    let dialog = console.dialog();
    assert_eq!(dialog.stage, Stage::Previewing);
    let mut preview = preview(&dialog.action, Moment::at_seconds(console.second));
    preview.holders = holders.iter().copied().map(RunId::from).collect();
    preview.refusals = holders.iter().map(|run| format!("{LOCKED}bob runs {run}")).collect();
    preview.refusals.extend(also.iter().map(|why| (*why).to_owned()));
    let run = dialog.run.clone();
    console.tell(Event::Previewed(Box::new(Previewed { run, outcome: Ok(preview) })));
}

fn blocked(guard: Guard, holders: &[&str], also: &[&str]) -> Console {
    let mut console = Console::new();
    console.state.world.catalog.actions = vec![action("rollback", guard, &[])];
    console.arm();
    console.command(Command::Prepare("rollback".into()));
    held_by(&mut console, holders, also);
    assert_eq!(console.dialog().stage, Stage::Blocked);
    console.second = 1.0;
    console
}

fn typed(console: &mut Console, reason: &str) {
    console.command(Command::TakeOver);
    assert!(matches!(console.dialog().stage, Stage::TakeOver(_)), "{:?}", console.dialog().stage);
    console.second += 1.0;
    console.type_line(reason);
    console.second += 1.0;
}

#[test]
fn a_lock_is_taken_over_from_whom_was_shown_with_a_reason() {
    let mut console = blocked(Guard::G3, &["deploy-1"], &[]);
    console.command(Command::TakeOver);
    console.second += 1.0;
    console.type_line(" ");
    assert!(console.dialog().complaint.as_ref().is_some_and(|text| text.contains("say why")));
    console.type_line("the deploy hangs");
    console.second += 1.0;
    assert!(console.started().is_none());
    console.type_line("shop/production");
    console.at(console.second + dialog::COUNTDOWN.as_secs_f64() + 0.5);
    let start = console.started().expect("started");
    let over = TakeOver { reason: "the deploy hangs".to_owned(), from: vec!["deploy-1".into()] };
    assert_eq!(
        (start.take_over.as_ref(), start.reason.as_str()),
        (Some(&over), "the deploy hangs")
    );
}

#[test]
fn a_cheap_action_still_wants_its_y() {
    let mut console = blocked(Guard::G1, &["deploy-1"], &[]);
    typed(&mut console, "it hangs");
    assert_eq!(console.dialog().stage, Stage::Confirm);
    console.command(Command::Confirm);
    assert!(console.started().expect("started").take_over.is_some());
}

#[test]
fn whoever_came_in_between_is_not_asked_to_stop() {
    let mut console = blocked(Guard::G1, &["deploy-1"], &[]);
    typed(&mut console, "it hangs");
    console.at(console.second + dialog::PREVIEW_LASTS.as_secs_f64() + 2.0);
    held_by(&mut console, &["deploy-2"], &[]);
    assert_eq!(console.dialog().stage, Stage::Blocked);
    assert_eq!(console.dialog().take_over, None);
    // They are shown now, and can be asked in their turn.
    console.second += 1.0;
    typed(&mut console, "this one hangs too");
    console.command(Command::Confirm);
    let over = console.started().expect("started").take_over.clone().expect("taken over");
    assert_eq!(over.from, ["deploy-2".into()]);
}

#[test]
fn whoever_has_gone_meanwhile_is_in_nobodys_way() {
    let mut console = blocked(Guard::G1, &["deploy-1"], &[]);
    typed(&mut console, "it hangs");
    console.at(console.second + dialog::PREVIEW_LASTS.as_secs_f64() + 2.0);
    held_by(&mut console, &[], &[]);
    assert_eq!(console.dialog().stage, Stage::Confirm);
}

#[test]
fn nothing_but_a_lock_is_overruled() {
    for (holders, also) in
        [(&["deploy-1"][..], &["the target has moved"][..]), (&[], &["the target has moved"])]
    {
        let mut console = blocked(Guard::G1, holders, also);
        console.command(Command::TakeOver);
        assert_eq!(console.dialog().stage, Stage::Blocked);
        assert!(console.said().contains("nobody to take over from"), "{}", console.said());
    }
}

#[test]
fn the_key_that_was_typed_ahead_takes_nothing_over() {
    let mut console = blocked(Guard::G1, &["deploy-1"], &[]);
    console.second = 0.1;
    console.command(Command::TakeOver);
    assert_eq!(console.dialog().stage, Stage::Blocked);
}
