//! The plain mode: one line per change of a verdict.

use crate::common::example;
use watchfloor::{
    app::summary::summary,
    domain::{action::ActionStage, failure::FailureKind, value::Value},
    ui::plain,
};

#[test]
fn what_does_not_change_is_not_said() {
    let mut desk = example::calm();
    let before = summary(&desk.state.world);
    desk.wait(3.0);
    let after = summary(&desk.state.world);
    assert_eq!(plain::changes(&before, &after), Vec::<String>::new());
}

#[test]
fn a_change_is_one_line_with_time_word_reason_and_what_it_was() {
    let mut desk = example::calm();
    let before = summary(&desk.state.world);
    desk.pause(2.0).fail("web", FailureKind::Refused, "nothing listens\u{1b}[2J\non port 443");
    let after = summary(&desk.state.world);
    assert_eq!(
        plain::changes(&before, &after),
        [
            "2026-01-01T00:10:03Z CRIT exodrive/production: 4 findings (was WARN)",
            "2026-01-01T00:10:03Z CRIT Web: refused: nothing listens on port 443 (was OK)",
            "2026-01-01T00:10:03Z UNKNOWN latency web: refused: nothing listens on port 443 (was OK)",
        ]
    );
}

#[test]
fn the_first_lines_tell_everything_worst_first() {
    let mut desk = example::calm();
    desk.fail("redis", FailureKind::Timeout, "no answer within 5 s");
    let lines = plain::opening(&summary(&desk.state.world));
    assert!(lines[0].contains(" CRIT exodrive/production: "), "{lines:?}");
    assert!(lines[1].contains(" CRIT "), "{lines:?}");
    assert!(lines.last().is_some_and(|line| line.contains(" IDLE level 2: ")), "{lines:?}");
}

#[test]
fn the_end_of_a_run_is_a_line() {
    let mut desk = example::armed();
    desk.press("xc").pause(0.4).preview(example::clear_preview);
    desk.press("stale prices<Enter>exodrive/production<Enter>").wait(6.0);
    let before = summary(&desk.state.world);
    desk.report(ActionStage::Started).finish(example::cleared());
    desk.wait(2.0).answer("redis", &[("keys", Value::Number(4_800.0))]);
    let after = summary(&desk.state.world);
    let lines = plain::changes(&before, &after);
    let line = lines.iter().find(|line| line.contains("Clear the content cache"));
    assert!(line.is_some_and(|line| line.contains(" CONFIRMED ")), "{lines:?}");
}
