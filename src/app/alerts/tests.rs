//! Stories of alerts, told in messages.

mod people;

mod shared;

mod truth;

mod telling;

mod ended;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{AlertRow, Kept, Muted, rows};
use crate::{
    app::{
        command::{AlertCommand, Command},
        escalation,
        msg::{Effect, Event, Msg, Reloaded},
        state::{Settings, State},
        update::update,
    },
    domain::{
        catalog::{Catalog, ContactSpec, SourceInfo},
        failure::{Failure, FailureKind},
        ids::SourceId,
        observation::{Facts, Observation},
        rule::{Phase, Priority, Rule, Severity, When},
        time::Moment,
        value::Value,
        verdict::{Quality, Verdict},
    },
};

const INTERVAL: u64 = 10;

fn rule(id: &str, when: &str, hold: u64, severity: Severity) -> Rule {
    Rule {
        hold: Duration::from_secs(hold),
        keep: Some(Duration::from_secs(20)),
        severity,
        ..Rule::new(id, id, When::parse(when).unwrap())
    }
}

fn source(id: &str) -> (SourceId, SourceInfo) {
    let info = SourceInfo {
        id: id.into(),
        kind: "http".to_owned(),
        title: id.to_owned(),
        target: format!("https://{id}.example"),
        interval: Duration::from_secs(INTERVAL),
        timeout: Duration::from_secs(3),
        disabled: None,
    };
    (id.into(), info)
}

fn contact(level: u8) -> ContactSpec {
    ContactSpec {
        level,
        name: format!("team {level}"),
        contact: format!("+49 30 {level}"),
        backup: None,
        respond_within: Some(Duration::from_secs(900)),
        handles: None,
    }
}

fn catalog() -> Catalog {
    let mut slow = rule("slow", "api.total_ms > 200ms", 30, Severity::Warning);
    slow.inhibited_by = vec!["redis_down".into()];
    Catalog {
        service: "shop".to_owned(),
        environment: "production".to_owned(),
        sources: [source("api"), source("redis")].into(),
        contacts: (1..=3).map(contact).collect(),
        rules: vec![slow, rule("redis_down", "redis.up == false", 0, Severity::Critical)],
        ..Catalog::default()
    }
}

/// A console, its clock, and everything that it asked for.
struct Console {
    state: State,
    second: u64,
    effects: Vec<Effect>,
}

impl Console {
    fn new() -> Self {
        Self::at(0)
    }

    fn at(second: u64) -> Self {
        let settings = Settings { operator: "alice@bastion".to_owned(), ..Settings::default() };
        let state = State::new(catalog(), Moment::at_seconds(second as f64), settings);
        Self { state, second, effects: Vec::new() }
    }

    fn send(&mut self, event: Event) {
        let at = Moment::at_seconds(self.second as f64);
        self.effects.extend(update(&mut self.state, Msg { at, event }));
    }

    fn look(&mut self, source: &str, ms: f64) {
        let readings = [(Arc::from("total_ms"), Value::Number(ms))].into();
        self.observe(source, Ok(Facts { readings, ..Facts::default() }));
    }

    fn fail(&mut self, source: &str, kind: FailureKind) {
        self.observe(source, Err(Failure::new(kind, "no answer")));
    }

    fn observe(&mut self, source: &str, outcome: Result<Facts, Failure>) {
        let observation = Observation {
            source: source.into(),
            at: Moment::at_seconds(self.second as f64),
            took: Duration::from_secs(1),
            request: "GET".into(),
            phases: None,
            outcome,
        };
        self.send(Event::Observed(Box::new(observation)));
    }

    /// So many rounds: everybody answers, then ten seconds pass.
    fn rounds(&mut self, rounds: u64, ms: f64) {
        for _ in 0..rounds {
            self.look("api", ms);
            self.look("redis", 1.0);
            self.pass(INTERVAL);
        }
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.second += 1;
            self.send(Event::Tick);
        }
    }

    fn reload(&mut self, catalog: Catalog) {
        self.send(Event::Reloaded(Box::new(Reloaded {
            catalog,
            read_only: false,
            utc: None,
            needs_restart: Vec::new(),
            since: Moment::at_seconds(self.second as f64),
        })));
    }

    fn row(&self, rule: &str) -> AlertRow {
        super::row(&self.state.world, rule).unwrap()
    }

    fn phase(&self, rule: &str) -> Phase {
        self.row(rule).phase
    }

    fn tell(&mut self, command: AlertCommand) {
        self.send(Event::Command(Command::Alert(command)));
    }

    fn said(&self, words: &str) -> bool {
        self.state.world.notices.newest_first().any(|entry| entry.notice.text.contains(words))
    }

    fn kept(&self) -> Kept {
        let kept = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::KeepAlerts(kept) => Some(kept.as_ref().clone()),
            _ => None,
        });
        kept.expect("nothing was kept")
    }
}

#[test]
fn an_alert_is_told_with_what_it_rests_on() {
    let mut console = Console::new();
    console.rounds(3, 100.0);
    assert_eq!(console.phase("slow"), Phase::Ok);
    console.rounds(2, 412.0);
    let pending = console.row("slow");
    assert_eq!((pending.phase, pending.verdict), (Phase::Pending, Verdict::Unjudged));
    assert!(pending.fires_in.is_some_and(|left| left < Duration::from_secs(20)));
    console.rounds(2, 300.0);
    let firing = console.row("slow");
    assert_eq!((firing.phase, firing.verdict), (Phase::Firing, Verdict::Warning));
    assert_eq!(firing.value.as_deref(), Some("300 ms"));
    assert_eq!((firing.threshold.as_str(), firing.peak.as_deref()), ("> 200 ms", Some("412 ms")));
    assert!(console.said("slow fires: 300 ms > 200 ms"));
    console.rounds(4, 100.0);
    assert_eq!(console.phase("slow"), Phase::Ok);
    assert!(console.said("slow is over after"));
}

#[test]
fn a_source_that_fails_freezes_its_rules_and_has_an_alert_of_its_own() {
    let mut console = Console::new();
    console.rounds(6, 400.0);
    assert_eq!(console.phase("slow"), Phase::Firing);
    for _ in 0..40 {
        console.fail("api", FailureKind::NotAuthorised);
        console.look("redis", 1.0);
        console.pass(INTERVAL);
    }
    let row = console.row("slow");
    assert_eq!((row.phase, row.quality), (Phase::Firing, Quality::Error));
    let silent = console.row("source_api_silent");
    assert_eq!(silent.phase, Phase::Firing, "{}", silent.reason);
    assert_eq!(row.muted, Some(Muted::Inhibited("source_api_silent".into())));
    console.rounds(6, 100.0);
    assert_eq!((console.phase("slow"), console.phase("source_api_silent")), (Phase::Ok, Phase::Ok));
    assert!(rows(&console.state.world).iter().all(|row| !row.rule.starts_with("source_")));
}

#[test]
fn while_the_console_is_cut_off_nothing_moves() {
    let mut console = Console::new();
    console.rounds(2, 400.0);
    assert_eq!(console.phase("slow"), Phase::Pending);
    for _ in 0..20 {
        console.fail("api", FailureKind::Unreachable);
        console.fail("redis", FailureKind::Unreachable);
        console.pass(INTERVAL);
    }
    assert_eq!(console.row("slow").quality, Quality::Offline);
    assert_ne!(console.phase("slow"), Phase::Firing);
    assert_eq!(console.row("redis_down").verdict, Verdict::Unknown, "it cannot be told from here");
}

#[test]
fn a_gap_earns_nothing_and_resolves_nothing() {
    let mut console = Console::new();
    console.rounds(2, 400.0);
    let before = console.state.world.alerts.alerts["slow"].observed_bad;
    console.second += 3_600;
    console.send(Event::Gap { blind_for: Duration::from_secs(3_600) });
    console.look("api", 400.0);
    console.look("redis", 1.0);
    let alert = &console.state.world.alerts.alerts["slow"];
    assert_eq!((alert.phase, alert.observed_bad), (Phase::Pending, before));
    console.rounds(3, 400.0);
    assert_eq!(console.phase("slow"), Phase::Firing);
    console.second += 3_600;
    console.send(Event::Gap { blind_for: Duration::from_secs(3_600) });
    console.pass(1);
    assert_eq!(console.phase("slow"), Phase::Firing);
    assert_eq!(console.row("slow").quality, Quality::Stale);
}
