//! What is said of alerts is so, and what is not known is not said.

use super::*;
use crate::{
    app::{findings, state::MarkKind},
    domain::{
        action::{ActionOutcome, PastRun, Trace},
        rule::{Band, Marker, Unit},
    },
};

fn reason(console: &Console, title: &str) -> String {
    let all = findings::of(&console.state.world);
    all.into_iter().find(|finding| finding.title == title).unwrap().reason
}

#[test]
fn an_old_figure_is_said_to_be_old_and_why() {
    let mut console = Console::new();
    console.rounds(3, 107.0);
    assert_eq!(reason(&console, "slow"), "ok 107 ms, not > 200 ms");
    for _ in 0..18 {
        console.fail("api", FailureKind::NotAuthorised);
        console.look("redis", 1.0);
        console.pass(INTERVAL);
    }
    let said = reason(&console, "slow");
    assert!(said.starts_with("unknown: ") && said.contains("no answer"), "{said}");
    assert!(said.ends_with("it was 107 ms 3m ago"), "{said}");
    assert!(!said.contains("not >"), "{said}");
    let row = console.row("slow");
    assert!(row.was.is_some_and(|was| console.state.world.now.since(was).as_secs() >= 180));
    // What fires, and cannot be seen any more.
    console.rounds(6, 400.0);
    assert!(reason(&console, "slow").starts_with("FIRING 400 ms > 200 ms"));
    assert_eq!(console.row("slow").was, None);
    for _ in 0..6 {
        console.fail("api", FailureKind::NotAuthorised);
        console.look("redis", 1.0);
        console.pass(INTERVAL);
    }
    let said = reason(&console, "slow");
    assert!(said.starts_with("FIRING: ") && said.contains("it was 400 ms"), "{said}");
}

#[test]
fn bytes_are_in_a_unit_that_can_be_read() {
    let cases = [
        (1.0, "1 B"),
        (999.0, "999 B"),
        (1_500.0, "1.5 kB"),
        (1_077_000.0, "1.077 MB"),
        (100e9, "100 GB"),
        (2.5e12, "2.5 TB"),
        (0.0, "0 B"),
    ];
    for (bytes, text) in cases {
        assert_eq!(super::super::in_unit(&Value::Number(bytes), Unit::Bytes), text);
    }
}

#[test]
fn the_bell_rings_again_while_nobody_looks_after_it_and_not_with_every_flap() {
    let mut console = Console::new();
    let rung = |console: &Console| {
        console.effects.iter().filter(|effect| **effect == Effect::Ring).count()
    };
    let down = |console: &mut Console, seconds: u64| {
        for _ in 0..seconds / INTERVAL {
            console.look("api", 100.0);
            console.fail("redis", FailureKind::Refused);
            console.pass(INTERVAL);
        }
    };
    down(&mut console, 290);
    assert_eq!(rung(&console), 1);
    down(&mut console, 30);
    assert_eq!(rung(&console), 2, "five minutes, and nobody looks after it");
    // It comes and goes.
    for _ in 0..3 {
        console.rounds(4, 100.0);
        assert_eq!(console.phase("redis_down"), Phase::Ok);
        down(&mut console, 20);
    }
    assert_eq!(rung(&console), 2);
    down(&mut console, 120);
    assert_eq!(rung(&console), 3);
    let (lasting, reason) = (Duration::from_secs(3_600), "on it".to_owned());
    console.tell(AlertCommand::Acknowledge { rule: "redis_down".into(), lasting, reason });
    down(&mut console, 1_200);
    assert_eq!(rung(&console), 3, "somebody looks after it");
}

#[test]
fn a_deployment_is_not_forgotten_over_many_alerts() {
    let mut console = Console::new();
    let world = &mut console.state.world;
    world.mark(MarkKind::Deploy, "v1");
    for number in 0..1_000 {
        world.mark(MarkKind::Alert, format!("alert {number}"));
        world.mark(MarkKind::Gap, "gap");
    }
    assert_eq!(world.last_deploy().unwrap().label, "v1");
    assert_eq!(world.marks.len(), 401, "and nothing grows without bounds");
    for number in 0..1_000 {
        world.mark(MarkKind::Deploy, format!("v{number}"));
    }
    assert_eq!(world.last_deploy().unwrap().label, "v999");
    assert_eq!(world.marks.len(), 600);
}

#[test]
fn a_source_at_another_address_takes_nothing_over() {
    let mut console = Console::new();
    console.rounds(6, 400.0);
    console.fail("redis", FailureKind::Refused);
    let name = crate::domain::rule::SeriesName::parse("api.total_ms").unwrap();
    let looks = |console: &Console| {
        let series = console.state.world.alerts.series.get(&name).unwrap();
        series.looks().count()
    };
    assert_eq!((console.phase("slow"), looks(&console)), (Phase::Firing, 6));
    console.reload(catalog());
    assert_eq!((console.phase("slow"), looks(&console)), (Phase::Firing, 6));
    let mut next = catalog();
    next.sources.get_mut("api").unwrap().target = "https://elsewhere.example".to_owned();
    console.reload(next);
    assert_eq!((console.phase("slow"), looks(&console)), (Phase::Unknown, 0));
    assert_eq!(console.phase("redis_down"), Phase::Firing, "that one stays");
}

#[test]
fn a_run_that_did_nothing_is_no_marker() {
    let mut console = Console::new();
    let mut next = catalog();
    let mut warm = rule("warm", "api.total_ms > expected", 0, Severity::Warning);
    warm.marker = Some(Marker::Action("clear".into()));
    warm.bands = vec![Band { after: Duration::ZERO, from: None, to: Some(200.0) }];
    next.rules = vec![warm];
    console.reload(next);
    let past = |outcome| PastRun {
        run: format!("{outcome:?}").as_str().into(),
        action: "clear".into(),
        target: None,
        wall: console.state.world.now.wall,
        by: "bob".to_owned(),
        outcome,
        resolved: true,
        trace: Trace::default(),
    };
    let idle = vec![past(ActionOutcome::Cancelled), past(ActionOutcome::NeverStarted)];
    let ran = past(ActionOutcome::Failed);
    console.send(Event::History(idle.clone()));
    console.look("api", 400.0);
    assert_eq!(console.phase("warm"), Phase::Unknown, "{}", console.row("warm").reason);
    console.send(Event::History([idle, vec![ran]].concat()));
    console.pass(INTERVAL);
    console.look("api", 400.0);
    assert_eq!(console.phase("warm"), Phase::Firing);
}

#[test]
fn a_reading_that_its_source_never_had_is_too_old_in_the_end() {
    let mut console = Console::new();
    let mut next = catalog();
    next.rules = vec![rule("cron", "age(api.last_run) > 5m", 0, Severity::Critical)];
    console.reload(next);
    console.rounds(10, 100.0);
    let row = console.row("cron");
    assert_eq!((row.phase, row.quality), (Phase::Unknown, Quality::Waiting), "{}", row.reason);
    assert!(row.reason.contains("never seen"), "{}", row.reason);
    console.rounds(25, 100.0);
    assert_eq!(console.phase("cron"), Phase::Firing, "{}", console.row("cron").reason);
}

/// The figure of a condition in several parts is that of the part which decided, in its unit.
#[test]
fn the_figure_of_the_part_that_decided_has_its_own_unit() {
    let mut console = Console::new();
    let mut changed = catalog();
    changed.rules =
        vec![rule("cold", "api.hit_rate < 30% and api.total_ms > 1s", 0, Severity::Warning)];
    console.reload(changed);
    for (rate, ms, said) in [
        (0.1, 46.0, "46 ms, not > 1000 ms"),
        (0.9, 46.0, "0.9, not < 0.3"),
        (0.1, 1_500.0, "0.1 < 0.3"),
    ] {
        let readings = [("hit_rate", rate), ("total_ms", ms)]
            .map(|(name, value)| (Arc::from(name), Value::Number(value)));
        console.observe("api", Ok(Facts { readings: readings.into(), ..Facts::default() }));
        console.pass(INTERVAL);
        assert_eq!(console.row("cold").measured.as_deref(), Some(said));
    }
}
