//! What people do about alerts, and what outlives a console.

use super::*;

#[test]
fn people_make_an_alert_quiet_and_never_make_it_well() {
    let mut console = Console::new();
    console.rounds(6, 400.0);
    let lasting = Duration::from_secs(120);
    let reason = || "known".to_owned();
    console.tell(AlertCommand::Acknowledge { rule: "slow".into(), lasting, reason: reason() });
    let row = console.row("slow");
    assert!(!row.calls());
    assert_eq!((row.phase, row.verdict), (Phase::Firing, Verdict::Warning));
    assert_eq!(row.acknowledged.unwrap().by, "alice@bastion");
    console.rounds(13, 400.0);
    assert!(console.row("slow").calls(), "the time of the acknowledgement is over");
    console.tell(AlertCommand::Silence { matcher: "s*".into(), lasting, reason: reason() });
    assert!(matches!(console.row("slow").muted, Some(Muted::Silenced(_))));
    console.tell(AlertCommand::Unsilence("s*".into()));
    console.tell(AlertCommand::Maintenance { lasting, reason: reason() });
    assert!(matches!(console.row("slow").muted, Some(Muted::Maintenance(_))));
    assert_eq!(console.row("slow").verdict, Verdict::Warning);
    console.rounds(13, 400.0);
    assert_eq!(console.row("slow").muted, None);
    console.tell(AlertCommand::Priority { rule: "slow".into(), priority: Priority::P0 });
    assert_eq!((console.row("slow").priority, console.row("slow").decided), (Priority::P0, true));
}

#[test]
fn what_cannot_be_done_is_said() {
    let mut console = Console::new();
    let lasting = Duration::from_secs(60);
    let reason = || "why".to_owned();
    let cases = [
        (
            AlertCommand::Acknowledge { rule: "slow".into(), lasting, reason: reason() },
            "does not fire",
        ),
        (
            AlertCommand::Acknowledge { rule: "slwo".into(), lasting, reason: reason() },
            "no rule slwo",
        ),
        (
            AlertCommand::Silence { matcher: "x*".into(), lasting, reason: reason() },
            "means no rule",
        ),
        (AlertCommand::Unsilence("slow".into()), "nothing is silenced"),
        (AlertCommand::EndMaintenance, "no maintenance window"),
        (AlertCommand::Taken { level: 9, who: "bob".into() }, "no level 9"),
    ];
    for (command, words) in cases {
        console.tell(command.clone());
        assert!(console.said(words), "{command:?}");
    }
}

#[test]
fn an_alert_that_is_a_consequence_is_muted_while_its_cause_fires() {
    let mut console = Console::new();
    console.rounds(6, 400.0);
    assert_eq!(console.row("slow").muted, None);
    console.look("api", 400.0);
    console.fail("redis", FailureKind::Unreachable);
    assert_eq!(console.phase("redis_down"), Phase::Firing);
    assert_eq!(console.row("slow").muted, Some(Muted::Inhibited("redis_down".into())));
    assert_eq!(rows(&console.state.world)[0].rule.as_ref(), "redis_down", "the cause comes first");
}

#[test]
fn a_critical_alert_starts_the_clocks_and_prompts_for_the_next_level() {
    let mut console = Console::new();
    console.rounds(2, 100.0);
    assert_eq!(console.state.world.escalation.started, None);
    let down = |console: &mut Console, seconds: u64| {
        for _ in 0..seconds / INTERVAL {
            console.look("api", 100.0);
            console.fail("redis", FailureKind::Unreachable);
            console.pass(INTERVAL);
        }
    };
    down(&mut console, 600);
    let level = |console: &Console, at: usize| escalation::rows(&console.state.world)[at].clone();
    assert!(level(&console, 0).remaining.is_some_and(|left| left < Duration::from_secs(310)));
    assert_eq!(escalation::prompt(&console.state.world), None);
    down(&mut console, 320);
    let prompt = escalation::prompt(&console.state.world).unwrap();
    assert!(prompt.contains("call level 2") && prompt.contains("team 2"), "{prompt}");
    let now = console.state.world.now;
    console.state.world.escalation.contacted.insert(2, now);
    assert_eq!(escalation::prompt(&console.state.world), None);
    console.tell(AlertCommand::Taken { level: 2, who: "bob".into() });
    down(&mut console, 1_000);
    assert_eq!(escalation::prompt(&console.state.world), None, "bob has it");
    console.rounds(6, 100.0);
    assert_eq!(console.state.world.escalation, escalation::Escalation::default());
}

#[test]
fn a_restarted_console_shows_the_same_alerts_with_the_right_times() {
    let mut console = Console::new();
    console.rounds(2, 400.0);
    console.fail("redis", FailureKind::Unreachable);
    let reason = "on it".to_owned();
    let lasting = Duration::from_secs(3_600);
    console.tell(AlertCommand::Acknowledge { rule: "redis_down".into(), lasting, reason });
    let text = serde_json::to_string(&console.kept()).unwrap();
    let since: Vec<Option<Timestamp>> =
        ["slow", "redis_down"].map(|id| console.row(id).since.map(|at| at.wall)).into();
    let observed = console.state.world.alerts.alerts["slow"].observed_bad;

    // Twenty minutes later, in another process.
    let mut later = Console::at(console.second + 1_200);
    later.send(Event::AlertsKept(Box::new(serde_json::from_str(&text).unwrap())));
    let again: Vec<Option<Timestamp>> =
        ["slow", "redis_down"].map(|id| later.row(id).since.map(|at| at.wall)).into();
    assert_eq!(again, since);
    assert_eq!((later.phase("slow"), later.phase("redis_down")), (Phase::Pending, Phase::Firing));
    assert!(
        later.row("redis_down").restored
            && later.row("redis_down").reason.contains("not confirmed")
    );
    assert_eq!(later.row("redis_down").acknowledged.unwrap().by, "alice@bastion");
    assert_eq!(later.state.world.alerts.alerts["slow"].observed_bad, observed);
    later.look("api", 400.0);
    assert_eq!(later.phase("slow"), Phase::Pending, "the time in between is not credited");
    later.rounds(3, 400.0);
    assert_eq!(later.phase("slow"), Phase::Firing);
    assert_eq!(later.phase("redis_down"), Phase::Ok, "a good look ended it");

    // After a day, what was seen is not believed, and after a change of the rule neither.
    let mut much_later = Console::at(console.second + 90_000);
    much_later.send(Event::AlertsKept(Box::new(serde_json::from_str(&text).unwrap())));
    assert_eq!(much_later.phase("redis_down"), Phase::Unknown);
    let other = text.replace("shop/production", "shop/staging");
    let mut elsewhere = Console::at(console.second + 10);
    elsewhere.send(Event::AlertsKept(Box::new(serde_json::from_str(&other).unwrap())));
    assert_eq!(elsewhere.phase("redis_down"), Phase::Unknown);
    assert!(elsewhere.said("nothing was taken over"));
}

#[test]
fn a_reload_keeps_what_did_not_change() {
    let mut console = Console::new();
    console.rounds(6, 400.0);
    console.fail("redis", FailureKind::Unreachable);
    let mut next = catalog();
    next.rules[1].when = When::parse("redis.errors > 5").unwrap();
    console.reload(next);
    assert_eq!(console.phase("slow"), Phase::Firing);
    assert_ne!(console.phase("redis_down"), Phase::Firing, "its rule is another one now");
}
