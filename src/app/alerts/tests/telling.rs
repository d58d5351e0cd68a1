//! Who is told, and of what.

use super::*;

/// The messages that the console asked to be sent, in short.
fn sent(console: &Console) -> Vec<String> {
    let messages = console.effects.iter().filter_map(|effect| match effect {
        Effect::Notify(message) => Some(message),
        _ => None,
    });
    messages
        .map(|message| {
            let alerts: Vec<String> = message
                .alerts
                .iter()
                .map(|of| format!("{} {}", of.rule, of.state.word()))
                .collect();
            format!("{}: {}", message.status.word(), alerts.join(", "))
        })
        .collect()
}

pub(super) fn told(console: &mut Console) {
    use crate::domain::{
        catalog::NotifySpec,
        delivery::{Sender, TargetInfo},
    };
    let mut catalog = console.state.world.catalog.clone();
    let target = TargetInfo {
        name: "hook".to_owned(),
        kind: "webhook".to_owned(),
        to: "https://hook.example".to_owned(),
        disabled: None,
    };
    catalog.notify = NotifySpec { targets: vec![target], ..NotifySpec::default() };
    console.reload(catalog);
    console.send(Event::NotifySender(Sender::Here));
}

#[test]
fn people_elsewhere_are_told_once_and_told_the_end() {
    let mut console = Console::new();
    told(&mut console);
    console.rounds(4, 400.0);
    assert_eq!(sent(&console), Vec::<String>::new(), "it waits for others");
    console.rounds(6, 400.0);
    assert_eq!(sent(&console), ["firing: slow firing"]);
    console.rounds(30, 400.0);
    assert_eq!(sent(&console).len(), 1, "nothing is told twice");
    console.rounds(10, 100.0);
    assert_eq!(sent(&console), ["firing: slow firing", "resolved: slow resolved"]);
    assert!(console.effects.iter().any(|effect| matches!(effect, Effect::KeepOutbox(_))));
    assert!(!console.effects.contains(&Effect::Ring), "a warning does not ring");
}

#[test]
fn what_is_quiet_tells_nobody_and_what_is_critical_rings_once() {
    let mut console = Console::new();
    told(&mut console);
    let lasting = Duration::from_secs(3_600);
    console.tell(AlertCommand::Silence { matcher: "*".into(), lasting, reason: "test".into() });
    console.rounds(12, 400.0);
    console.rounds(6, 100.0);
    assert_eq!(sent(&console), Vec::<String>::new());
    console.tell(AlertCommand::Unsilence("*".into()));
    for _ in 0..12 {
        console.look("api", 100.0);
        console.fail("redis", FailureKind::Refused);
        console.pass(INTERVAL);
    }
    let rung = console.effects.iter().filter(|effect| **effect == Effect::Ring).count();
    assert_eq!(rung, 1);
    assert_eq!(sent(&console), ["firing: redis_down firing"]);
}

#[test]
fn a_message_that_nobody_gets_is_on_the_screen() {
    use crate::domain::delivery::{Delivery, Outcome};
    let mut console = Console::new();
    told(&mut console);
    let delivery = |console: &Console, outcome| Delivery {
        target: "hook".to_owned(),
        dedup_key: "k".to_owned(),
        sequence: 1,
        outcome,
        at: console.state.world.now,
    };
    let why = "HTTP 401".to_owned();
    let lost = delivery(&console, Outcome::GivenUp { lost: 1, why });
    console.send(Event::Delivered(Box::new(lost)));
    assert_eq!(console.state.world.alerts.telling.words(), ["hook was not told of 1: HTTP 401"]);
    assert!(console.said("HTTP 401"));
    let done = delivery(&console, Outcome::Delivered);
    console.send(Event::Delivered(Box::new(done)));
    assert_eq!(console.state.world.alerts.telling.words(), Vec::<String>::new());
}
