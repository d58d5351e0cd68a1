//! How the end of an alert is told, whatever ended it.

use super::{telling::told, *};
use crate::domain::notification::{AlertNotice, NoticeState, Notification, Status};

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

/// The last message.
fn last(console: &Console) -> Notification {
    let message = console.effects.iter().rev().find_map(|effect| match effect {
        Effect::Notify(message) => Some(message.as_ref().clone()),
        _ => None,
    });
    message.expect("nobody was told anything")
}

/// A console that told people that `slow` fires.
fn firing() -> Console {
    let mut console = Console::new();
    told(&mut console);
    console.rounds(12, 400.0);
    assert_eq!(last(&console).status, Status::Firing);
    console
}

#[test]
fn a_rule_that_is_removed_while_it_fires_is_not_told_as_well() {
    let mut console = firing();
    let mut catalog = console.state.world.catalog.clone();
    catalog.rules.retain(|rule| rule.id.as_ref() != "slow");
    console.reload(catalog);
    let words = "slow: no longer watched: its rule was removed (it was firing)";
    assert!(console.said(words));
    console.pass(60);
    let message = last(&console);
    assert_eq!(message.status, Status::Resolved);
    let summary = format!("[ENDED] shop/production: 1 ended: {words}");
    assert_eq!(message.summary(500), summary);
    assert_eq!((message.alerts[0].resolved_after, message.alerts.len()), (None, 1));
}

#[test]
fn an_alert_goes_on_unconfirmed_where_only_its_time_or_its_limit_is_another() {
    for change in [
        (|rule| rule.hold = Duration::from_secs(600)) as fn(&mut Rule),
        |rule| rule.when = When::parse("api.total_ms > 300ms").unwrap(),
        |rule| rule.severity = Severity::Critical,
    ] {
        let mut console = firing();
        let fired = console.row("slow").fired;
        let mut catalog = console.state.world.catalog.clone();
        change(&mut catalog.rules[0]);
        console.reload(catalog.clone());
        assert_eq!((console.phase("slow"), console.row("slow").fired), (Phase::Firing, fired));
        console.rounds(12, 400.0);
        assert_eq!((console.phase("slow"), console.row("slow").fired), (Phase::Firing, fired));
        assert_eq!(ends(&console).iter().filter(|of| of.ended.is_some()).count(), 0);
        let kept = console.kept();
        let mut restarted = Console::new();
        catalog.rules[0].keep = Some(Duration::from_secs(33));
        restarted.reload(catalog);
        restarted.send(Event::AlertsKept(Box::new(kept)));
        assert_eq!(restarted.phase("slow"), Phase::Firing);
        assert!(restarted.row("slow").restored);
    }
}

#[test]
fn an_alert_whose_source_is_another_one_is_told_to_begin_anew() {
    let mut console = firing();
    let mut catalog = console.state.world.catalog.clone();
    let source = catalog.sources.get_mut(&SourceId::from("api")).unwrap();
    source.target = "https://elsewhere.example".to_owned();
    console.reload(catalog);
    let words = "slow: begins anew: its source is another one (it was firing)";
    assert!(console.said(words));
    assert_eq!(console.phase("slow"), Phase::Unknown);
    console.pass(60);
    let summary = last(&console).summary(500);
    assert_eq!(summary, format!("[ENDED] shop/production: 1 ended: {words}"));
}

#[test]
fn an_alert_that_recovers_before_it_is_told_is_told_as_the_screen_says_it() {
    let mut console = Console::new();
    told(&mut console);
    let mut catalog = console.state.world.catalog.clone();
    catalog.rules[0].keep = Some(Duration::from_secs(300));
    console.reload(catalog);
    while console.phase("slow") != Phase::Firing {
        console.rounds(1, 400.0);
    }
    console.rounds(6, 100.0);
    let summary = last(&console).summary(500);
    let words = "slow: 100 ms, not > 200 ms; worst 400 ms; recovering";
    assert_eq!(summary, format!("[WARNING] shop/production: 1 firing: {words}"));
}

#[test]
fn a_state_is_told_as_a_state() {
    let mut console = Console::new();
    told(&mut console);
    for _ in 0..12 {
        console.look("api", 100.0);
        console.fail("redis", FailureKind::Refused);
        console.pass(INTERVAL);
    }
    let message = last(&console);
    assert_eq!(message.alerts[0].line(), "redis_down: up is no");
    assert_eq!(message.alerts[0].reason, "refused: no answer");
}

#[test]
fn what_is_down_says_why_on_the_screen() {
    let mut console = Console::new();
    for _ in 0..3 {
        console.fail("redis", FailureKind::Refused);
        console.pass(INTERVAL);
    }
    let row = console.row("redis_down");
    assert_eq!(row.reason, "refused: no answer");
    let words = row.told(console.state.world.now);
    assert_eq!(words, "FIRING up is no: refused: no answer");
}

#[test]
fn what_was_just_seen_and_one_of_something_are_said_in_english() {
    assert_eq!(crate::domain::time::ago(Duration::from_secs(3)), "just now");
    assert_eq!(crate::domain::time::ago(Duration::from_secs(200)), "3m ago");
    let mut console = Console::new();
    let lasting = Duration::from_secs(60);
    console.tell(AlertCommand::Silence { matcher: "slow".into(), lasting, reason: "x".into() });
    assert!(console.said("(1 rule) "));
    let mut catalog = console.state.world.catalog.clone();
    catalog.rules[1].keep = Some(Duration::ZERO);
    console.reload(catalog);
    console.fail("redis", FailureKind::Refused);
    console.pass(2);
    console.look("redis", 1.0);
    console.pass(1);
    console.look("redis", 1.0);
    console.pass(3);
    assert!(console.said("redis_down is over after "));
    assert!(!console.said("over after now"));
}

#[test]
fn a_path_that_answered_and_is_gone_may_be_an_outage() {
    let hint = "the path may not exist in this deployment; this is not an outage";
    let missing = || Err(Failure::new(FailureKind::MissingEndpoint, "404").hint(hint));
    let mut console = Console::new();
    console.observe("redis", missing());
    let failing = |console: &Console| {
        let source = console.state.world.sources.get(&SourceId::from("redis")).unwrap();
        source.failing().unwrap().to_string()
    };
    assert!(failing(&console).ends_with("this is not an outage)"));
    console.pass(INTERVAL);
    console.look("redis", 1.0);
    for _ in 0..3 {
        console.pass(INTERVAL);
        console.observe("redis", missing());
        assert!(failing(&console).ends_with("404 (it answered until 2026-01-01T00:00:10Z)"));
    }
}
