//! Stories of keys: what an operator presses, and what the console then does.

use crate::common::{desk::Desk, example};
use watchfloor::{
    app::{
        msg::Effect,
        view::{Context, Pane},
    },
    domain::{action::ActionStage, value::Value},
};

/// The dialog of the disruptive action, at its first question.
fn asked_why() -> Desk {
    let mut desk = example::armed();
    desk.press("xc").pause(0.4).preview(example::clear_preview);
    desk
}

/// The dialog of the simple action, at its question.
fn asked_yes() -> Desk {
    let mut desk = example::armed();
    desk.press("xw").pause(0.4).preview(|preview| preview.request = vec!["GET /warm".to_owned()]);
    desk
}

#[test]
fn yes_starts_exactly_what_was_shown() {
    let mut desk = asked_yes();
    assert!(!desk.started());
    desk.press("y");
    let started: Vec<_> = desk
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Start(run) => Some(run),
            _ => None,
        })
        .collect();
    assert_eq!(started.len(), 1);
    assert_eq!(started[0].digest, "5f".repeat(32));
    assert_eq!(started[0].target, "exodrive/production");
    assert_eq!(started[0].confirmation, "y");
}

#[test]
fn everything_but_yes_starts_nothing() {
    for keys in
        ["n", "<Esc>", "q", "<C-c>", "<Enter>", " ", "Y", "<Tab>", "x", "<Enter><Enter><Enter>"]
    {
        let mut desk = asked_yes();
        desk.press(keys);
        assert!(!desk.started(), "{keys}");
    }
    for keys in ["n", "<Esc>", "q", "<C-c>"] {
        let mut desk = asked_yes();
        desk.press(keys);
        assert_eq!(desk.state.view.context(), Context::Panes, "{keys}");
    }
    for keys in ["<Enter>", " ", "Y", "x"] {
        let mut desk = asked_yes();
        desk.press(keys);
        assert_eq!(desk.state.view.context(), Context::Confirm, "{keys}");
    }
}

#[test]
fn what_was_typed_ahead_does_not_confirm() {
    let mut desk = example::armed();
    desk.press("xw").preview(|_| {}).rush("yyyyy");
    assert!(!desk.started());
    assert_eq!(desk.state.view.context(), Context::Confirm);
    desk.press("y");
    assert!(desk.started());
}

#[test]
fn the_letters_after_the_menu_do_not_reach_the_question() {
    let mut desk = example::armed();
    desk.rush("xwy<Enter>y");
    assert!(!desk.started());
    desk.preview(|_| {}).rush("y<Enter>");
    assert!(!desk.started());
}

#[test]
fn pasting_never_confirms() {
    let mut desk = asked_yes();
    desk.paste("y\ny\n");
    assert!(!desk.started());
    assert_eq!(desk.state.view.context(), Context::Confirm);
    assert!(desk.text().contains("pasted characters were dropped"));
}

#[test]
fn a_disruptive_action_takes_a_reason_the_target_and_five_seconds() {
    let mut desk = asked_why();
    desk.press("stale prices<Enter>");
    assert!(desk.text().contains("Type exodrive/production to go on."));
    desk.press("exodrive/production<Enter>");
    assert!(desk.text().contains("any key stops it"));
    assert!(!desk.started());
    desk.wait(4.0);
    assert!(!desk.started());
    desk.wait(1.5);
    assert!(desk.started());
}

#[test]
fn the_target_must_be_typed_not_pasted_and_not_guessed() {
    let mut desk = asked_why();
    desk.press("stale prices<Enter>").paste("exodrive/production");
    desk.press("<Enter>");
    assert_eq!(desk.state.view.context(), Context::Line);
    for guess in ["yes", "exodrive", "production", "Exodrive/Production", "exodrive/production "] {
        desk.press("<C-u>").press(guess).press("<Enter>");
        assert_eq!(desk.state.view.context(), Context::Line, "{guess}");
    }
    assert!(desk.text().contains("that is not exodrive/production"));
    desk.wait(20.0);
    assert!(!desk.started());
}

#[test]
fn a_reason_may_be_pasted_but_not_left_out() {
    let mut desk = asked_why();
    desk.press("<Enter>");
    assert!(desk.text().contains("say why"));
    desk.paste("stale prices after the import").press("<Enter>");
    assert!(desk.text().contains("Type exodrive/production"));
}

#[test]
fn any_key_stops_the_countdown() {
    for keys in ["y", "<Enter>", " ", "<Esc>", "<C-c>", "z", "<A-y>", "<F1>", "<C-z>"] {
        let mut desk = asked_why();
        desk.press("stale prices<Enter>exodrive/production<Enter>").wait(2.0).press(keys);
        assert_eq!(desk.state.view.context(), Context::Panes, "{keys}");
        desk.wait(20.0);
        assert!(!desk.started(), "{keys}");
        assert!(!desk.effects.contains(&Effect::Suspend), "{keys}");
    }
    let mut desk = asked_why();
    desk.press("stale prices<Enter>exodrive/production<Enter>").wait(2.0).paste("text");
    desk.wait(20.0);
    assert!(!desk.started());
}

#[test]
fn escape_leaves_every_stage_without_sending() {
    for keys in ["", "stale", "stale prices<Enter>", "stale prices<Enter>exodrive/production"] {
        let mut desk = asked_why();
        desk.press(keys).press("<Esc>").wait(20.0);
        assert_eq!(desk.state.view.context(), Context::Panes, "{keys}");
        assert!(!desk.started(), "{keys}");
    }
}

#[test]
fn without_arming_the_menu_opens_no_dialog_and_says_how_to_arm() {
    let mut desk = example::calm();
    desk.press("xc");
    assert!(desk.asked_preview().is_none());
    assert!(desk.text().contains(":arm 10m reason"));
}

#[test]
fn the_target_stays_in_sight_at_every_stage() {
    let mut desk = asked_why();
    for keys in ["", "stale prices<Enter>", "exodrive/production<Enter>"] {
        let text = desk.press(keys).text();
        assert!(text.contains(" exodrive/production ") && text.contains("DISRUPTIVE"), "{text}");
    }
}

#[test]
fn what_runs_stays_in_sight_when_the_dialog_is_closed() {
    let mut desk = asked_yes();
    desk.press("y<Esc>");
    assert!(desk.text().contains("STARTING: Warm the cache"));
}

#[test]
fn leaving_while_something_runs_must_be_asked_for_twice() {
    let mut desk = asked_yes();
    desk.press("y<Esc>q");
    assert!(!desk.effects.contains(&Effect::Quit));
    desk.press("q");
    assert!(desk.effects.contains(&Effect::Quit));
}

#[test]
fn escape_never_leaves_and_control_c_does_so_twice() {
    let mut desk = example::calm();
    desk.press("<Esc><Esc><Esc><Esc>");
    assert!(!desk.effects.contains(&Effect::Quit));
    desk.press("<C-c>").wait(3.0).press("<C-c>");
    assert!(!desk.effects.contains(&Effect::Quit));
    desk.press("<C-c>");
    assert!(desk.effects.contains(&Effect::Quit));
}

#[test]
fn panes_are_reached_by_number_and_in_turn() {
    let mut desk = example::calm();
    for (keys, pane) in [
        ("3", Pane::Latency),
        ("<Tab>", Pane::Limits),
        ("h", Pane::Latency),
        ("6", Pane::Database),
        ("l", Pane::Health),
    ] {
        desk.press(keys);
        assert_eq!(desk.state.view.focus, pane, "{keys}");
    }
}

#[test]
fn the_palette_runs_only_what_is_spelled_out() {
    let mut desk = example::calm();
    desk.press(":quit<Back><Back><Enter>");
    assert!(!desk.effects.contains(&Effect::Quit), "a part of a name is completed, not run");
    assert_eq!(desk.state.view.context(), Context::Palette);
    desk.press("<Enter>");
    assert!(desk.effects.contains(&Effect::Quit));
}

#[test]
fn a_chosen_proposal_is_written_out_before_it_runs() {
    let mut desk = example::calm();
    desk.press(":lat<Down><Up><Enter><Enter>");
    assert_eq!(desk.state.view.context(), Context::Panes);
    assert_eq!(desk.state.view.focus, Pane::Latency);
}

#[test]
fn a_filter_works_while_it_is_typed_and_is_taken_back_by_escape() {
    let mut desk = example::several_problems();
    desk.press("/redis");
    assert!(desk.text().contains("1 of 4 rows"));
    desk.press("<Enter>");
    assert_eq!(desk.state.view.pane(Pane::Health).filter, "redis");
    desk.press("<Esc>");
    assert_eq!(desk.state.view.pane(Pane::Health).filter, "");
}

#[test]
fn text_pasted_where_nothing_is_typed_is_dropped_with_a_word() {
    let mut desk = example::calm();
    desk.paste("q\nx\ny\n");
    assert_eq!(desk.state.view.context(), Context::Panes);
    assert!(desk.text().contains("6 pasted characters were dropped"));
}

#[test]
fn why_a_run_ended_as_it_did_stays_readable_after_its_dialog_is_closed() {
    let mut desk = asked_yes();
    desk.press("y").report(ActionStage::Started).finish(example::cleared());
    desk.press("<Esc>").wait(2.0).answer("redis", &[("keys", Value::Number(20_000.0))]);
    let text = desk.press("x<Down>").text();
    assert!(text.contains("CONFIRMED"), "{text}");
    assert!(text.contains("redis.keys > before: holds, it is 20000"), "{text}");
}
