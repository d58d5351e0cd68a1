//! Stories of alerts, told in messages.

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
        rule::{OnMissing, Phase, Priority, Rule, Severity, When},
        time::Moment,
        value::Value,
        verdict::{Quality, Verdict},
    },
};

const INTERVAL: u64 = 10;

fn rule(id: &str, when: &str, hold: u64, severity: Severity) -> Rule {
    Rule {
        id: id.into(),
        title: id.to_owned(),
        when: When::parse(when).unwrap(),
        hold: Duration::from_secs(hold),
        keep: Some(Duration::from_secs(20)),
        severity,
        priority: Priority::P1,
        on_missing: OnMissing::Hold,
        min_events: 20,
        bands: Vec::new(),
        marker: None,
        inhibited_by: Vec::new(),
        suggests: Vec::new(),
        runbook: None,
        summary: None,
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
    console.state.world.escalation.toggle(2, console.state.world.now);
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
    next.rules[1].hold = Duration::from_secs(60);
    console.reload(next);
    assert_eq!(console.phase("slow"), Phase::Firing);
    assert_ne!(console.phase("redis_down"), Phase::Firing, "its rule is another one now");
}

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

fn told(console: &mut Console) {
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
