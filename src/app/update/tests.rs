//! Stories: messages in, state and effects out. One file for each concern.

mod attach;

mod checks;

mod figures;

mod guards;

mod outcomes;

mod reload;

mod runs;

mod taking_over;

mod view;

use std::{sync::Arc, time::Duration};

use crate::{
    app::{
        command::{Command, Edit},
        health,
        latency::WINDOWS,
        limits::{self, Limiter},
        msg::{Effect, Event, Level, Msg, Notice},
        palette, rows,
        state::{MarkKind, Settings, State},
        summary,
        update::update,
        view::{Context, Layer, Pane},
    },
    domain::{
        action::{
            ActionEvent, ActionOutcome, ActionStage, Claim, PastRun, Preview, Previewed, RunResult,
        },
        catalog::{
            ActionSpec, CacheSpec, Catalog, CheckSpec, ContactSpec, LatencySpec, LimitsSpec, Proof,
            SourceInfo,
        },
        condition::Condition,
        failure::{Failure, FailureKind},
        guard::Guard,
        ids::{ActionId, RunId, SourceId},
        observation::{Exhibit, Facts, Observation},
        time::Moment,
        value::Value,
        verdict::{Quality, Verdict},
        violations::Violation,
    },
};

fn condition(text: &str) -> Condition {
    Condition::parse(text).unwrap()
}

fn source(id: &str) -> (SourceId, SourceInfo) {
    let info = SourceInfo {
        id: SourceId::from(id),
        kind: "http".to_owned(),
        title: id.to_owned(),
        target: format!("http://{id}"),
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(3),
        disabled: None,
    };
    (SourceId::from(id), info)
}

fn check(id: &str, source: &str, critical: &[&str], warning: &[&str]) -> CheckSpec {
    CheckSpec {
        id: id.into(),
        title: id.to_owned(),
        source: source.into(),
        critical: critical.iter().map(|text| condition(text)).collect(),
        warning: warning.iter().map(|text| condition(text)).collect(),
        shows: Vec::new(),
        down_after: 3,
        up_after: 2,
        primary: None,
        expect_disagreement: false,
    }
}

fn action(id: &str, guard: Guard, proof: &[&str]) -> ActionSpec {
    ActionSpec {
        id: id.into(),
        title: format!("Do {id}"),
        kind: "http".to_owned(),
        guard,
        key: None,
        effects: Vec::new(),
        leaves: Vec::new(),
        undo: None,
        refuse_when: Vec::new(),
        load: None,
        asks: Vec::new(),
        proof: proof.iter().map(|text| Proof { when: condition(text) }).collect(),
        proof_within: Duration::from_secs(60),
        cooldown: Duration::from_secs(120),
        timeout: Duration::from_secs(30),
        drill: false,
        interactive: false,
    }
}

fn catalog() -> Catalog {
    let mut says = check("api says", "api", &["status == \"down\""], &["status == \"degraded\""]);
    says.primary = Some("redis answers".into());
    Catalog {
        service: "shop".to_owned(),
        environment: "production".to_owned(),
        sources: [source("api"), source("redis")].into(),
        checks: vec![check("redis answers", "redis", &["up == false"], &["ping_ms > 100ms"]), says],
        caches: vec![CacheSpec {
            id: "main".into(),
            title: "Main cache".to_owned(),
            source: "redis".into(),
            hits: Arc::from("hits"),
            misses: Arc::from("misses"),
            used_memory: Some(Arc::from("used")),
            max_memory: Some(Arc::from("max")),
            keys: None,
            ops: None,
            evictions: None,
            run: Some(Arc::from("run")),
            window: Duration::from_secs(300),
            min_lookups: 20,
            target: Some(0.85),
            warning_below: Some(0.7),
            critical_below: Some(0.3),
            memory_warning_above: Some(0.8),
            prefixes: Vec::new(),
            note: None,
        }],
        latencies: vec![LatencySpec {
            id: "cars".into(),
            title: "GET /cars".to_owned(),
            source: "api".into(),
            reading: Arc::from("total_ms"),
            target_ms: Some(100.0),
            warning_ms: Some(200.0),
            critical_ms: None,
        }],
        limits: Some(LimitsSpec {
            violations: vec!["api".into()],
            pressure: Vec::new(),
            window: Duration::from_secs(3_600),
            failing_open: vec![condition("redis.up == false")],
            enforcing: vec![condition("redis.up == true")],
            warning_above: Some(10),
            lower_bound: None,
        }),
        databases: Vec::new(),
        rules: Vec::new(),
        notify: Default::default(),
        contacts: vec![
            ContactSpec {
                level: 1,
                name: "Developers".to_owned(),
                contact: "dev@example.com".to_owned(),
                backup: None,
                respond_within: Some(Duration::from_secs(900)),
                handles: None,
            },
            ContactSpec {
                level: 2,
                name: "Infrastructure".to_owned(),
                contact: "[Name]".to_owned(),
                backup: None,
                respond_within: Some(Duration::from_secs(1_800)),
                handles: None,
            },
        ],
        actions: vec![
            action("warm", Guard::G1, &["result.keys > 0", "redis.ping_ms < 50ms"]),
            action("disable", Guard::G3, &["api.enabled == false"]),
            action("note", Guard::G2, &[]),
        ],
        unavailable: std::collections::BTreeMap::new(),
    }
}

/// A console that is told things at given seconds.
struct Console {
    state: State,
    second: f64,
    effects: Vec<Effect>,
}

impl Console {
    fn new() -> Self {
        let settings = Settings { console: "t".to_owned(), ..Settings::default() };
        let state = State::new(catalog(), Moment::at_seconds(0.0), settings);
        Self { state, second: 0.0, effects: Vec::new() }
    }

    fn tell(&mut self, event: Event) -> &mut Self {
        let msg = Msg { at: Moment::at_seconds(self.second), event };
        self.effects = update(&mut self.state, msg);
        self
    }

    fn at(&mut self, second: f64) -> &mut Self {
        self.second = second;
        self.tell(Event::Tick)
    }

    fn command(&mut self, command: Command) -> &mut Self {
        self.tell(Event::Command(command))
    }

    fn type_line(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.tell(Event::Edit(Edit::Insert(c)));
        }
        self.tell(Event::Edit(Edit::Accept))
    }

    fn observe(&mut self, source: &str, outcome: Result<Facts, Failure>) -> &mut Self {
        let observation = Observation {
            source: source.into(),
            at: Moment::at_seconds(self.second),
            took: Duration::from_millis(3),
            request: "ask".into(),
            phases: None,
            outcome,
        };
        self.tell(Event::Observed(Box::new(observation)))
    }

    fn good(&mut self, source: &str, readings: &[(&str, Value)]) -> &mut Self {
        self.observe(source, Ok(facts(readings)))
    }

    fn bad(&mut self, source: &str, kind: FailureKind) -> &mut Self {
        self.observe(source, Err(Failure::new(kind, "it broke")))
    }

    fn check(&self, id: &str) -> health::CheckRow {
        health::rows(&self.state.world).into_iter().find(|row| row.id.as_str() == id).unwrap()
    }

    fn dialog(&self) -> &crate::app::actions::Dialog {
        match self.state.view.layers.last() {
            Some(Layer::Dialog(dialog)) => dialog,
            other => panic!("no dialog on top: {other:?}"),
        }
    }

    fn said(&self) -> String {
        let newest = self.state.world.notices.newest_first().next();
        newest.map_or_else(String::new, |said| said.notice.text.clone())
    }

    fn arm(&mut self) -> &mut Self {
        let lasting = Duration::from_secs(600);
        self.command(Command::Arm { lasting, reason: "deploy window".to_owned() })
    }

    /// Opens the dialog of an action and gives it a preview.
    fn prepare(&mut self, action: &str) -> &mut Self {
        self.command(Command::Prepare(action.into()));
        let Some(Effect::Preview { run, action, .. }) =
            self.effects.iter().find(|effect| matches!(effect, Effect::Preview { .. })).cloned()
        else {
            panic!("no preview was asked for: {}", self.said());
        };
        let outcome = Ok(preview(&action, Moment::at_seconds(self.second)));
        self.tell(Event::Previewed(Box::new(Previewed { run, outcome })))
    }

    fn started(&self) -> Option<&crate::app::msg::StartRun> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Start(start) => Some(start.as_ref()),
            _ => None,
        })
    }

    fn report(&mut self, stage: ActionStage) -> &mut Self {
        let run = self.state.world.actions.runs.back().unwrap();
        let (run, action) = (run.id.clone(), run.action.clone());
        let at = Moment::at_seconds(self.second);
        self.tell(Event::Action(Box::new(ActionEvent { run, action, at, stage })))
    }

    fn finish(&mut self, claim: Claim, readings: &[(&str, Value)]) -> &mut Self {
        self.report(ActionStage::Finished(RunResult {
            claim,
            summary: "HTTP 200".to_owned(),
            readings: facts(readings).readings,
            took: Duration::from_secs(1),
        }))
    }

    fn outcome(&self) -> Option<ActionOutcome> {
        self.state.world.actions.runs.back().unwrap().outcome
    }
}

fn facts(readings: &[(&str, Value)]) -> Facts {
    let readings = readings.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect();
    Facts { readings, ..Facts::default() }
}

fn preview(action: &ActionId, at: Moment) -> Preview {
    Preview {
        action: action.clone(),
        at,
        request: vec!["POST http://api/".to_owned()],
        groups: Vec::new(),
        findings: Vec::new(),
        refusals: Vec::new(),
        holders: Vec::new(),
        digest: "d1g35t".to_owned(),
    }
}

fn number(value: f64) -> Value {
    Value::Number(value)
}

fn word(text: &str) -> Value {
    Value::Text(Arc::from(text))
}

// --- health

fn counters(hits: f64, misses: f64) -> [(&'static str, Value); 5] {
    [
        ("hits", number(hits)),
        ("misses", number(misses)),
        ("ping_ms", number(1.0)),
        ("used", number(50.0)),
        ("max", number(100.0)),
    ]
}

#[test]
fn every_message_survives_being_written_down() {
    let mut console = Console::new();
    console.good("redis", &counters(1.0, 2.0)).bad("api", FailureKind::Tls);
    let events = [
        Event::Tick,
        Event::Command(Command::Arm { lasting: Duration::from_secs(60), reason: "x".to_owned() }),
        Event::Edit(Edit::Insert('ä')),
        Event::Observed(Box::new(Observation {
            source: "api".into(),
            at: Moment::at_seconds(1.5),
            took: Duration::from_millis(7),
            request: "GET /".into(),
            phases: None,
            outcome: Err(Failure::new(FailureKind::Dns, "no such name").hint("check it")),
        })),
    ];
    for event in events {
        let msg = Msg { at: Moment::at_seconds(2.0), event };
        let text = serde_json::to_string(&msg).unwrap();
        assert_eq!(serde_json::from_str::<Msg>(&text).unwrap(), msg, "{text}");
    }
    let text = serde_json::to_string(&console.state).unwrap();
    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), console.state);
}
