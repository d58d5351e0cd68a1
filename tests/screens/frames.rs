//! Whole screens in the situations that matter.

use insta::assert_snapshot;
use ratatui::buffer::Buffer;

use crate::common::{
    desk::{ASCII, COLOURS, Desk, NO_COLOUR},
    example, screen,
};
use watchfloor::{
    app::msg::{Event, Notice},
    domain::{
        action::{ActionOutcome, ActionStage, Claim, LOCKED, PastRun, RunResult},
        failure::FailureKind,
        ids::{ActionId, RunId},
        value::Value,
    },
};

fn shown(desk: &mut Desk, columns: u16, rows: u16) -> String {
    with_cursor(desk.screen(columns, rows, COLOURS))
}

fn with_cursor((buffer, cursor): (Buffer, Option<(u16, u16)>)) -> String {
    let cursor = cursor.map_or_else(String::new, |(x, y)| format!("cursor: column {x}, row {y}\n"));
    format!("{}{cursor}", screen::shown(&buffer))
}

#[test]
fn nothing_observed() {
    let mut desk = example::nothing_observed();
    assert_snapshot!("nothing_observed_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("nothing_observed_40x10", shown(&mut desk, 40, 10));
}

#[test]
fn calm() {
    let mut desk = example::calm();
    assert_snapshot!("calm_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("calm_120x40", shown(&mut desk, 120, 40));
    assert_snapshot!("calm_200x60", shown(&mut desk, 200, 60));
}

#[test]
fn several_problems() {
    let mut desk = example::several_problems();
    assert_snapshot!("problems_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("problems_120x40", shown(&mut desk, 120, 40));
    assert_snapshot!("problems_200x60", shown(&mut desk, 200, 60));
    assert_snapshot!("problems_59x14", shown(&mut desk, 59, 14));
    assert_snapshot!("problems_40x10", shown(&mut desk, 40, 10));
    assert_snapshot!("problems_30x8", shown(&mut desk, 30, 8));
}

#[test]
fn zoomed() {
    let mut desk = example::several_problems();
    desk.press("2<Enter>");
    assert_snapshot!("zoomed_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("zoomed_40x10", shown(&mut desk, 40, 10));
}

#[test]
fn console_offline() {
    let mut desk = example::offline();
    assert_snapshot!("offline_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("offline_120x40", shown(&mut desk, 120, 40));
    assert_snapshot!("offline_40x10", shown(&mut desk, 40, 10));
}

#[test]
fn armed() {
    let mut desk = example::armed();
    assert_snapshot!("armed_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("armed_120x40", shown(&mut desk, 120, 40));
    assert_snapshot!("armed_40x10", shown(&mut desk, 40, 10));
}

#[test]
fn frozen() {
    let mut desk = example::several_problems();
    desk.press("Z").wait(65.0);
    assert_snapshot!("frozen_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("frozen_40x10", shown(&mut desk, 40, 10));
}

#[test]
fn help() {
    let mut desk = example::calm();
    desk.press("?");
    assert_snapshot!("help_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("help_120x40", shown(&mut desk, 120, 40));
    desk.screen(80, 24, COLOURS);
    desk.press("G");
    assert_snapshot!("help_end_80x24", shown(&mut desk, 80, 24));
}

#[test]
fn palette() {
    let mut desk = example::calm();
    desk.press(":");
    assert_snapshot!("palette_80x24", shown(&mut desk, 80, 24));
    desk.press("ca");
    assert_snapshot!("palette_typed_80x24", shown(&mut desk, 80, 24));
    desk.press("<C-u>arm soon");
    assert_snapshot!("palette_wrong_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("palette_wrong_40x10", shown(&mut desk, 40, 10));
}

#[test]
fn filter() {
    let mut desk = example::several_problems();
    desk.press("/post");
    assert_snapshot!("filter_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("filter_40x10", shown(&mut desk, 40, 10));
}

#[test]
fn messages() {
    let mut desk = example::calm();
    desk.press("M");
    assert_snapshot!("messages_none_80x24", shown(&mut desk, 80, 24));
    for _ in 0..3 {
        desk.send(Event::Notice(Notice::warning("the clipboard is not known to have taken it")));
    }
    desk.wait(5.0).send(Event::Notice(Notice::info("written to /tmp/state.json")));
    let long = "the changed configuration is refused, the old one stays: line 12: there is no source \
                rediss; did you mean redis?";
    desk.wait(5.0).send(Event::Notice(Notice::error(long)));
    assert_snapshot!("messages_80x24", shown(&mut desk, 80, 24));
    desk.press("<Esc>");
    assert_snapshot!("message_newest_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("message_newest_40x10", shown(&mut desk, 40, 10));
}

#[test]
fn action_menu() {
    let mut desk = example::calm();
    desk.press("x");
    assert_snapshot!("menu_read_only_80x24", shown(&mut desk, 80, 24));
    let mut desk = example::armed();
    desk.press("xjj");
    assert_snapshot!("menu_armed_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("menu_armed_40x10", shown(&mut desk, 40, 10));
}

#[test]
fn unresolved_runs_of_earlier_consoles() {
    let mut desk = example::calm();
    let run = |number: u32, resolved| PastRun {
        run: RunId::from(format!("20251231T220000Z-xyz-{number}")),
        action: ActionId::from("clear_cache"),
        target: None,
        wall: desk.now().wall - std::time::Duration::from_secs(7_200 * u64::from(number)),
        by: "tom@ops2".to_owned(),
        outcome: if resolved { ActionOutcome::Confirmed } else { ActionOutcome::Unknown },
        resolved,
        trace: Default::default(),
    };
    let history = vec![run(1, false), run(2, true)];
    desk.send(Event::History(history));
    assert_snapshot!("unresolved_80x24", shown(&mut desk, 80, 24));
    desk.press("x");
    assert_snapshot!("unresolved_menu_80x24", shown(&mut desk, 80, 24));
}

#[test]
fn demo_menu() {
    let mut desk = example::calm();
    desk.state.demo_faults = vec![
        ("redis_down".to_owned(), "Redis stops".to_owned(), "the port is closed".to_owned()),
        (
            "slow".to_owned(),
            "The API becomes slow".to_owned(),
            "every answer takes 1.5 s longer; watch the latency pane".to_owned(),
        ),
    ];
    desk.press("Fj");
    assert_snapshot!("demo_menu_80x24", shown(&mut desk, 80, 24));
}

/// Every stage of the dialog of a disruptive action, from the first key to the proof.
#[test]
fn dialog_of_a_disruptive_action() {
    let mut desk = example::armed();
    desk.press("xc");
    assert_snapshot!("dialog_1_previewing", shown(&mut desk, 80, 24));
    desk.pause(0.4).preview(example::clear_preview);
    desk.press("sta");
    assert_snapshot!("dialog_2_reason", shown(&mut desk, 80, 24));
    assert_snapshot!("dialog_2_reason_120x40", shown(&mut desk, 120, 40));
    assert_snapshot!("dialog_2_reason_40x10", shown(&mut desk, 40, 10));
    desk.screen(80, 24, COLOURS);
    desk.press("<PgDn>");
    assert_snapshot!("dialog_2_reason_scrolled", shown(&mut desk, 80, 24));
    desk.press("<Back><Back><Back>n<Enter>");
    assert_snapshot!("dialog_2_reason_too_short", shown(&mut desk, 80, 24));
    desk.press("<C-u>stale prices<Enter>exodrive/prod");
    assert_snapshot!("dialog_3_phrase", shown(&mut desk, 80, 24));
    desk.press("uction<Enter>").pause(1.2);
    assert_snapshot!("dialog_4_countdown", shown(&mut desk, 80, 24));
    desk.wait(5.0);
    assert_snapshot!("dialog_5_started", shown(&mut desk, 80, 24));
    desk.report(ActionStage::Journaled).report(ActionStage::Started).wait(9.0);
    desk.report(ActionStage::Progress {
        done: 4_500,
        total: Some(13_187),
        note: "keys".to_owned(),
    });
    desk.report(ActionStage::Output("UNLINK content:page:… (500)".to_owned()));
    assert_snapshot!("dialog_6_running", shown(&mut desk, 80, 24));
    desk.press("S");
    assert_snapshot!("dialog_6_stopping", shown(&mut desk, 80, 24));
    desk.wait(18.0).finish(example::cleared());
    assert_snapshot!("dialog_7_verifying", shown(&mut desk, 80, 24));
    desk.press("<Esc>");
    assert_snapshot!("dialog_7_verifying_closed", shown(&mut desk, 80, 24));
}

#[test]
fn dialog_of_a_simple_action() {
    let mut desk = example::armed();
    desk.press("xw").pause(0.4).preview(|preview| {
        preview.request = vec!["GET https://exodrive.example/api/warm".to_owned()];
    });
    desk.pause(0.5);
    assert_snapshot!("dialog_confirm_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("dialog_confirm_40x10", shown(&mut desk, 40, 10));
}

#[test]
fn dialog_that_is_blocked() {
    let mut desk = example::armed();
    desk.press("xd").pause(0.4).preview(|preview| {
        preview.request =
            vec!["POST https://exodrive.example/api/cache {\"enabled\": false}".to_owned()];
        preview.refusals = vec!["a deployment is running since 3 m".to_owned()];
    });
    assert_snapshot!("dialog_blocked_80x24", shown(&mut desk, 80, 24));
}

/// Somebody else holds the lock: whoever they are can be asked to stop.
#[test]
fn dialog_that_takes_over() {
    let mut desk = example::armed();
    desk.press("xc").pause(0.4).preview(|preview| {
        example::clear_preview(preview);
        let run = "20260314T094501Z-5e2f-1";
        let who = "bob has been running deploy since 09:45:01Z (run 20260314T094501Z-5e2f-1, lock exodrive)";
        preview.refusals = vec![format!("{LOCKED}{who}")];
        preview.holders = vec![run.into()];
    });
    assert_snapshot!("dialog_locked_80x24", shown(&mut desk, 80, 24));
    desk.pause(0.5).press("T").pause(0.4).press("the deploy ha");
    assert_snapshot!("dialog_take_over_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("dialog_take_over_40x10", shown(&mut desk, 40, 10));
    desk.press("ngs<Enter>").pause(0.4);
    assert_snapshot!("dialog_taking_over_120x40", shown(&mut desk, 120, 40));
}

/// How a run can end, each in large words.
#[test]
fn outcomes() {
    let ended = |claim: Claim, keys_after: Option<f64>| {
        let mut desk = example::armed();
        desk.press("xc").pause(0.4).preview(example::clear_preview);
        desk.press("stale prices<Enter>exodrive/production<Enter>").wait(6.0);
        desk.report(ActionStage::Journaled).report(ActionStage::Started).wait(2.0);
        desk.finish(RunResult { claim, ..example::cleared() });
        for _ in 0..7 {
            desk.wait(10.0);
            match keys_after {
                Some(keys) => desk.answer("redis", &[("keys", Value::Number(keys))]),
                None => desk.fail("redis", FailureKind::Timeout, "no answer within 5 s"),
            };
        }
        desk.wait(1.0);
        shown(&mut desk, 80, 24)
    };
    assert_snapshot!("outcome_confirmed", ended(Claim::Done, Some(4_800.0)));
    assert_snapshot!("outcome_refuted", ended(Claim::Done, Some(18_204.0)));
    assert_snapshot!("outcome_unknown", ended(Claim::Unclear, None));
    assert_snapshot!("outcome_never_started", ended(Claim::NotSent, None));
}

#[test]
fn without_colours_and_without_unicode() {
    let mut desk = example::several_problems();
    assert_snapshot!("problems_no_colour_80x24", with_cursor(desk.screen(80, 24, NO_COLOUR)));
    assert_snapshot!("problems_ascii_80x24", with_cursor(desk.screen(80, 24, ASCII)));
    let mut desk = example::armed();
    assert_snapshot!("armed_no_colour_80x24", with_cursor(desk.screen(80, 24, NO_COLOUR)));
    desk.press("xc").pause(0.4).preview(example::clear_preview);
    assert_snapshot!("dialog_ascii_80x24", with_cursor(desk.screen(80, 24, ASCII)));
}

/// Text from outside may be wide, may reorder lines, and may try to move the cursor.
#[test]
fn hostile_text() {
    let mut catalog = example::catalog();
    catalog.service = "日本語のサービス".to_owned();
    catalog.environment = "prod\u{1b}[2J\u{202e}".to_owned();
    let mut desk = Desk::new(catalog);
    desk.fail("redis", FailureKind::Server, "\u{1b}]0;owned\u{7}ERR 日本語\u{202e}evil\n\rnext");
    desk.fail("api", FailureKind::BadAnswer, &"長い".repeat(200));
    desk.wait(1.0).press(":arm 10m 日本語の理由<Enter>xc").pause(0.4).preview(|preview| {
        preview.request = vec![format!("SET {}", "値".repeat(120))];
        preview.findings = vec!["\u{1b}[31mred\u{1b}[0m".to_owned()];
    });
    assert_snapshot!("hostile_dialog_80x24", shown(&mut desk, 80, 24));
    desk.press("<Esc>");
    assert_snapshot!("hostile_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("hostile_40x10", shown(&mut desk, 40, 10));
    let (buffer, _) = desk.screen(80, 24, ASCII);
    assert!(screen::characters(&buffer).is_ascii());
}
