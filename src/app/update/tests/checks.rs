//! Checks: hysteresis, what could not be looked at, disagreement, a console that is cut off.

use super::*;

#[test]
fn nothing_is_green_before_it_was_seen() {
    let mut console = Console::new();
    console.state.world.catalog.contacts.clear();
    let row = console.check("redis answers");
    assert_eq!((row.verdict, row.quality), (Verdict::Unknown, Quality::Waiting));
    assert_eq!(console.state.world.verdict().0, Verdict::Unknown);
}

#[test]
fn one_failure_is_a_warning_three_are_critical_two_good_looks_are_ok() {
    let mut console = Console::new();
    console.good("redis", &[("ping_ms", number(1.0))]);
    assert_eq!(console.check("redis answers").verdict, Verdict::Ok);
    let mut verdicts = Vec::new();
    for second in [5.0, 10.0, 15.0] {
        console.at(second).bad("redis", FailureKind::Refused);
        verdicts.push(console.check("redis answers").verdict);
    }
    assert_eq!(verdicts, [Verdict::Warning, Verdict::Warning, Verdict::Critical]);
    assert_eq!(console.check("redis answers").since, Moment::at_seconds(15.0));
    console.at(20.0).good("redis", &[("ping_ms", number(1.0))]);
    let row = console.check("redis answers");
    assert_eq!(row.verdict, Verdict::Warning);
    assert!(row.reason.contains("good again (1 of 2)"), "{}", row.reason);
    console.at(25.0).good("redis", &[("ping_ms", number(1.0))]);
    assert_eq!(console.check("redis answers").verdict, Verdict::Ok);
    assert!(console.state.world.checks["redis answers"].last_error.is_some());
}

#[test]
fn what_could_not_be_looked_at_is_unknown_and_never_down() {
    for kind in [
        FailureKind::NotAuthorised,
        FailureKind::Forbidden,
        FailureKind::MissingEndpoint,
        FailureKind::BadAnswer,
        FailureKind::Throttled,
        FailureKind::Quota,
        FailureKind::Misconfigured,
    ] {
        let mut console = Console::new();
        console.good("redis", &[("ping_ms", number(1.0))]);
        for second in [5.0, 10.0, 15.0, 20.0] {
            console.at(second).bad("redis", kind);
        }
        let row = console.check("redis answers");
        assert_eq!((row.verdict, row.quality), (Verdict::Unknown, Quality::Error), "{kind:?}");
        assert!(row.reason.contains(kind.word()), "{}", row.reason);
    }
}

#[test]
fn a_missing_reading_is_unknown_and_a_bad_one_that_is_there_wins() {
    let mut console = Console::new();
    console.good("redis", &[]);
    let row = console.check("redis answers");
    assert_eq!(row.verdict, Verdict::Unknown);
    assert!(row.reason.contains("the answer has no ping_ms"), "{}", row.reason);
    console.good("api", &[("status", word("degraded"))]);
    assert_eq!(console.check("api says").verdict, Verdict::Warning);
}

#[test]
fn old_news_is_no_news() {
    let mut console = Console::new();
    console.good("redis", &[("ping_ms", number(1.0))]);
    console.at(12.0);
    assert_eq!(console.check("redis answers").quality, Quality::Late);
    assert_eq!(console.check("redis answers").verdict, Verdict::Ok);
    console.at(16.0);
    let row = console.check("redis answers");
    assert_eq!((row.verdict, row.quality), (Verdict::Unknown, Quality::Stale));
    assert!(row.reason.contains("no news, last answer 00:00:00Z"), "{}", row.reason);
}

#[test]
fn a_disagreement_is_said_with_both_sides() {
    let mut console = Console::new();
    for second in [1.0, 2.0] {
        console.at(second).good("redis", &[("ping_ms", number(1.0))]);
        console.good("api", &[("status", word("ok"))]);
        console.bad("redis", FailureKind::Refused);
    }
    let text = console.check("api says").disagreement.unwrap();
    assert!(text.contains("here OK") && text.contains("there WARN"), "{text}");
    assert_eq!(console.check("redis answers").disagreement, None);
}

#[test]
fn a_console_that_is_cut_off_accuses_nobody() {
    let mut console = Console::new();
    for second in [1.0, 2.0, 3.0, 4.0] {
        console.at(second).bad("redis", FailureKind::Dns).bad("api", FailureKind::Unreachable);
    }
    console.at(5.0);
    let row = console.check("redis answers");
    assert_eq!((row.verdict, row.quality), (Verdict::Unknown, Quality::Offline));
    console.at(6.0).good("api", &[("status", word("ok"))]);
    assert!(!console.state.world.sources.cut_off());
}

#[test]
fn a_console_that_starts_cut_off_accuses_nobody_before_it_has_looked_at_all() {
    let mut console = Console::new();
    console.at(1.0).bad("redis", FailureKind::Dns);
    assert!(console.state.world.sources.cut_off(), "the other was not looked at yet");
    assert_eq!(console.check("redis answers").verdict, Verdict::Unknown);
    console.at(2.0).good("api", &[("status", word("ok"))]);
    assert!(!console.state.world.sources.cut_off());
    for second in [3.0, 4.0, 5.0] {
        console.at(second).bad("redis", FailureKind::Dns);
    }
    assert_eq!(console.check("redis answers").verdict, Verdict::Critical);
}

#[test]
fn all_refused_is_an_outage_and_not_a_cut_cable() {
    let mut console = Console::new();
    for second in [1.0, 2.0, 3.0] {
        console.at(second).bad("redis", FailureKind::Refused).bad("api", FailureKind::Refused);
    }
    console.at(4.0);
    assert_eq!(console.check("redis answers").verdict, Verdict::Critical);
}

#[test]
fn after_a_gap_nothing_is_known_and_nothing_is_armed() {
    let mut console = Console::new();
    console.good("redis", &[("ping_ms", number(1.0))]).arm();
    console.second = 2.0;
    console.tell(Event::Gap { blind_for: Duration::from_secs(600) });
    assert_eq!(console.check("redis answers").verdict, Verdict::Unknown);
    assert!(console.state.world.actions.armed.is_none());
    assert_eq!(console.state.world.marks.last().unwrap().kind, MarkKind::Gap);
}

fn expect_disagreement(console: &mut Console) {
    for check in &mut console.state.world.catalog.checks {
        check.expect_disagreement = check.primary.is_some();
    }
}

#[test]
fn a_disagreement_that_nobody_expects_counts_and_an_outage_always_does() {
    let mut console = Console::new();
    console.state.world.catalog.limits = None;
    for second in [1.0, 2.0] {
        console.at(second).good("redis", &counters(1.0, 1.0));
        console.good("api", &[("status", word("degraded")), ("total_ms", number(1.0))]);
    }
    let row = console.check("api says");
    assert_eq!(row.verdict, Verdict::Warning);
    assert!(row.disagreement.unwrap().contains("here WARN, there OK"));
    expect_disagreement(&mut console);
    assert_eq!(console.check("api says").verdict, Verdict::Ok);
    for kind in [FailureKind::Server, FailureKind::Refused, FailureKind::Timeout] {
        for second in [3.0, 4.0, 5.0] {
            console.at(second).good("redis", &counters(1.0, 1.0)).bad("api", kind);
        }
        let row = console.check("api says");
        assert_eq!((row.verdict, row.quality), (Verdict::Critical, Quality::Error), "{kind:?}");
        assert_eq!(console.state.world.verdict().0, Verdict::Critical, "{kind:?}");
    }
}

#[test]
fn a_service_that_slanders_a_healthy_redis_does_not_colour_the_whole() {
    let mut console = Console::new();
    expect_disagreement(&mut console);
    console.state.world.catalog.limits = None;
    for second in [1.0, 2.0] {
        console.at(second).good("redis", &counters(1.0, 1.0));
        console.good("api", &[("status", word("degraded")), ("total_ms", number(1.0))]);
    }
    let row = console.check("api says");
    assert_eq!((row.verdict, row.reason.as_str()), (Verdict::Ok, "redis answers: answers in 3 ms"));
    let remark = row.disagreement.expect("what it says is still told");
    assert!(
        remark.starts_with("says WARN of itself, does not count: status is degraded"),
        "{remark}"
    );
    console.bad("api", FailureKind::Refused);
    let row = console.check("api says");
    assert_eq!(row.verdict, Verdict::Warning, "what cannot be asked says nothing");
    console.good("api", &[("status", word("degraded")), ("total_ms", number(1.0))]);
    for second in [3.0, 4.0, 5.0] {
        console.at(second).bad("redis", FailureKind::Refused);
    }
    assert_eq!(console.check("api says").verdict, Verdict::Warning, "Redis is not well");
}

/// Somebody who reads the log along has it asked every second.
#[test]
fn what_is_only_listened_to_makes_no_check_bad_and_none_good() {
    let mut console = Console::new();
    console.good("redis", &[("ping_ms", number(1.0))]);
    let heard = |outcome| {
        let observation = Observation {
            source: "redis".into(),
            at: Moment::at_seconds(1.0),
            took: Duration::from_millis(3),
            request: "ask".into(),
            phases: None,
            outcome,
        };
        Event::Heard(Box::new(observation))
    };
    let down = || Err(Failure::new(FailureKind::Refused, "nothing listens"));
    for _ in 0..5 {
        console.tell(heard(down()));
    }
    assert_eq!(console.check("redis answers").verdict, Verdict::Ok);
    console.bad("redis", FailureKind::Refused).bad("redis", FailureKind::Refused);
    let before = console.check("redis answers");
    for _ in 0..5 {
        console.tell(heard(down()));
        console.tell(heard(Ok(facts(&[("ping_ms", number(1.0))]))));
    }
    assert_eq!(console.check("redis answers"), before);
    assert!(before.reason.contains("2 of 3"), "{}", before.reason);
}
