//! How the end of an alert is told, whatever ended it.

use super::{telling::told, *};
use crate::domain::notification::{AlertNotice, NoticeState};

/// The alerts of every message so far that say that something has ended.
fn ends(console: &Console) -> Vec<AlertNotice> {
    let messages = console.effects.iter().filter_map(|effect| match effect {
        Effect::Notify(message) => Some(message),
        _ => None,
    });
    let alerts = messages.flat_map(|message| message.alerts.clone());
    alerts.filter(|alert| alert.state == NoticeState::Resolved).collect()
}

#[test]
fn how_long_an_alert_fired_does_not_grow_until_the_message_leaves() {
    let mut console = Console::new();
    told(&mut console);
    console.rounds(12, 400.0);
    let fired = console.row("slow").fired.unwrap();
    console.rounds(12, 100.0);
    let over = console.state.world.alerts.changes.back().unwrap().clone();
    assert_eq!((over.from, over.to), (Phase::Recovering, Phase::Ok));
    let lasted = over.at.since(fired);
    let [end] = ends(&console).try_into().unwrap();
    // It is noticed with the next tick.
    let late = end.resolved_after.unwrap().checked_sub(lasted).unwrap();
    assert!(late <= Duration::from_secs(1), "{late:?} too long");
}
