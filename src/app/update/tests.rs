//! Stories: messages in, state and effects out.

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
        proof: proof.iter().map(|text| Proof { when: condition(text) }).collect(),
        proof_within: Duration::from_secs(60),
        cooldown: Duration::from_secs(120),
        timeout: Duration::from_secs(30),
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
        let Some(Effect::Preview { run, action }) =
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

// --- cache and latency

fn cache_row(console: &Console) -> crate::app::cache::CacheRow {
    crate::app::cache::rows(&console.state.world).remove(0)
}

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
fn a_hit_rate_needs_two_looks_and_enough_lookups() {
    let mut console = Console::new();
    console.good("redis", &counters(0.0, 0.0));
    let row = cache_row(&console);
    assert_eq!((row.verdict, row.quality), (Verdict::Unknown, Quality::Waiting));
    console.at(5.0).good("redis", &counters(3.0, 4.0));
    let row = cache_row(&console);
    assert_eq!((row.verdict, row.quality), (Verdict::Unjudged, Quality::TooFew));
    assert_eq!(row.reason, "n = 7, too few");
}

#[test]
fn the_hit_rate_is_judged_by_its_limits() {
    let cases = [
        (90.0, 10.0, Verdict::Ok),
        (80.0, 20.0, Verdict::Ok),
        (70.0, 30.0, Verdict::Ok),
        (69.0, 31.0, Verdict::Warning),
        (29.0, 71.0, Verdict::Critical),
    ];
    for (hits, misses, verdict) in cases {
        let mut console = Console::new();
        console.good("redis", &counters(0.0, 0.0));
        console.at(5.0).good("redis", &counters(hits, misses));
        assert_eq!(cache_row(&console).verdict, verdict, "{hits} of 100");
    }
}

#[test]
fn an_outage_is_no_hit_rate_of_zero() {
    let mut console = Console::new();
    console.good("redis", &counters(0.0, 0.0));
    console.at(5.0).good("redis", &counters(90.0, 10.0));
    console.at(10.0).bad("redis", FailureKind::Timeout);
    let row = cache_row(&console);
    assert_eq!((row.verdict, row.quality), (Verdict::Unknown, Quality::Error));
    assert!(row.reason.contains("timeout"), "{}", row.reason);
    let document = summary::summary(&console.state.world);
    assert_eq!(document.cache[0].hit_rate, None);
}

#[test]
fn full_memory_is_a_warning() {
    let mut console = Console::new();
    console.good("redis", &counters(0.0, 0.0)).at(5.0);
    let mut readings = counters(90.0, 10.0);
    readings[3].1 = number(81.0);
    console.good("redis", &readings);
    let row = cache_row(&console);
    assert_eq!(row.verdict, Verdict::Warning);
    assert!(row.reason.contains("memory 81 %"), "{}", row.reason);
}

fn latency_row(console: &Console) -> crate::app::latency::LatencyRow {
    crate::app::latency::rows(&console.state.world, WINDOWS[1]).remove(0)
}

#[test]
fn timeouts_count_with_at_least_their_time_and_refusals_do_not_count() {
    let mut console = Console::new();
    for second in 0..30 {
        console.at(f64::from(second)).good("api", &[("total_ms", number(20.0))]);
    }
    console.at(30.0).bad("api", FailureKind::Refused);
    let before = latency_row(&console).summary;
    assert_eq!((before.n, before.timeouts), (30, 0));
    console.at(31.0).good("api", &[("total_ms", number(20.0))]);
    assert_eq!(latency_row(&console).errors, 1);
    console.at(32.0).tell(Event::Skipped { source: "api".into(), waited: Duration::from_secs(4) });
    let row = latency_row(&console);
    assert_eq!(row.summary.timeouts, 1);
    assert_eq!(row.summary.max.unwrap().ms, 4_000.0);
    assert!(row.summary.max.unwrap().at_least);
    assert_eq!(row.verdict, Verdict::Warning, "something was given up");
}

#[test]
fn a_slow_endpoint_is_a_warning_with_its_figures() {
    let mut console = Console::new();
    for second in 0..60 {
        console.at(f64::from(second)).good("api", &[("total_ms", number(250.0))]);
    }
    let row = latency_row(&console);
    assert_eq!(row.verdict, Verdict::Warning);
    assert_eq!(row.reason, "p95 250 ms over 5m, warning above 200 ms");
}

// --- rate limits

#[test]
fn zero_violations_while_redis_is_down_is_a_limiter_that_fails_open() {
    let mut console = Console::new();
    let page = Facts { exhibits: vec![Exhibit::Violations(Vec::new())], ..Facts::default() };
    console.observe("api", Ok(page.clone()));
    assert_eq!(limits::view(&console.state.world).unwrap().limiter, Limiter::Unknown);
    console.at(1.0).good("redis", &[]).observe("api", Ok(page));
    let view = limits::view(&console.state.world).unwrap();
    assert_eq!((view.limiter, view.verdict), (Limiter::Enforcing, Verdict::Ok));
    console.at(2.0).bad("redis", FailureKind::Refused);
    let view = limits::view(&console.state.world).unwrap();
    assert_eq!((view.limiter, view.verdict), (Limiter::FailingOpen, Verdict::Critical));
}

#[test]
fn violations_are_counted_by_client_and_masked_in_the_document() {
    let mut console = Console::new();
    console.second = 100.0;
    let page = (0..12)
        .map(|i| Violation {
            at: Moment::at_seconds(f64::from(i)).wall,
            identifier: "203.0.113.77".to_owned(),
            endpoint: "/api/cars".to_owned(),
            limit: None,
            window: None,
            tier: None,
        })
        .collect();
    let facts = Facts { exhibits: vec![Exhibit::Violations(page)], ..Facts::default() };
    console.good("redis", &[]).observe("api", Ok(facts));
    let view = limits::view(&console.state.world).unwrap();
    assert_eq!((view.tally.total, view.tally.identifiers), (12, 1));
    assert_eq!(view.verdict, Verdict::Warning);
    assert!(view.reason.contains("one client"), "{}", view.reason);
    let document = serde_json::to_string(&summary::summary(&console.state.world)).unwrap();
    assert!(!document.contains("203.0.113.77") && document.contains("203.x.x.77"));
}

#[test]
fn rate_limits_are_not_ok_while_nobody_can_tell_who_is_near_one() {
    let mut console = Console::new();
    let limits = console.state.world.catalog.limits.as_mut().unwrap();
    limits.pressure = vec!["redis".into()];
    limits.failing_open.clear();
    let page = Facts { exhibits: vec![Exhibit::Violations(Vec::new())], ..Facts::default() };
    console.bad("redis", FailureKind::Refused).observe("api", Ok(page));
    let view = limits::view(&console.state.world).unwrap();
    assert_eq!(view.verdict, Verdict::Unknown);
    assert!(view.reason.contains("refused"), "{}", view.reason);
}

#[test]
fn what_the_console_itself_reads_is_no_traffic() {
    let mut console = Console::new();
    let readings = |hits: f64| {
        let mut all = counters(hits, 0.0).to_vec();
        all.push(("own_lookups", number(hits)));
        all
    };
    console.good("redis", &readings(0.0));
    console.at(5.0).good("redis", &readings(54.0));
    let row = cache_row(&console);
    assert_eq!((row.quality, row.lookups), (Quality::NoTraffic, Some(0)));
}

#[test]
fn a_service_that_slanders_a_healthy_redis_does_not_colour_the_whole() {
    let mut console = Console::new();
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

#[test]
fn a_redis_that_refuses_writes_is_not_well() {
    let mut console = Console::new();
    let mut readings = counters(0.0, 0.0).to_vec();
    readings.push(("writes_refused", Value::Bool(true)));
    console.good("redis", &readings).at(5.0).good("redis", &readings);
    assert_eq!(console.check("redis answers").verdict, Verdict::Warning);
    assert!(cache_row(&console).reason.contains("writes are refused"));
    assert_eq!(cache_row(&console).verdict, Verdict::Warning);
}

// --- guarded actions

#[test]
fn nothing_starts_unless_it_is_armed_and_arming_ends_by_itself() {
    let mut console = Console::new();
    console.command(Command::Prepare("warm".into()));
    assert!(console.said().contains(":arm"), "{}", console.said());
    console.arm().at(599.0);
    assert!(console.state.world.actions.armed_for(console.state.world.now).is_some());
    console.at(601.0);
    assert!(console.state.world.actions.armed.is_none());
    assert!(
        console
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Note { kind: "disarmed", .. }))
    );
    console.command(Command::Prepare("warm".into()));
    assert!(console.state.view.layers.is_empty());
}

#[test]
fn a_read_only_console_cannot_be_armed() {
    let mut console = Console::new();
    console.state.world.actions.read_only = true;
    console.arm();
    assert!(console.state.world.actions.armed.is_none());
    assert!(console.said().contains("read-only"));
}

#[test]
fn a_cheap_action_takes_y_and_nothing_else() {
    let mut console = Console::new();
    console.arm().prepare("warm");
    console.second = 1.0;
    for command in [Command::Enter, Command::Move(1), Command::PollNow] {
        console.command(command);
        assert!(console.started().is_none());
    }
    console.command(Command::Confirm);
    let start = console.started().unwrap();
    assert_eq!((start.confirmation.as_str(), start.digest.as_str()), ("y", "d1g35t"));
    assert_eq!(start.target, "shop/production");
}

#[test]
fn keys_typed_before_the_question_could_be_read_are_dropped() {
    let mut console = Console::new();
    console.arm().prepare("warm");
    console.second = 0.2;
    console.command(Command::Confirm);
    assert!(console.started().is_none());
    console.second = 0.4;
    console.command(Command::Confirm);
    assert!(console.started().is_some());
}

#[test]
fn a_disruptive_action_wants_a_reason_the_target_and_five_quiet_seconds() {
    let mut console = Console::new();
    console.arm().prepare("disable");
    console.second = 1.0;
    console.command(Command::Confirm).type_line("n");
    assert!(console.dialog().complaint.as_ref().unwrap().contains("say why"));
    console.type_line("o p99 is burning");
    console.second = 2.0;
    console.tell(Event::Edit(Edit::Paste("shop/production".to_owned())));
    assert!(console.dialog().complaint.as_ref().unwrap().contains("pasting is refused"));
    console.type_line("yes");
    assert!(console.dialog().complaint.as_ref().unwrap().contains("not shop/production"));
    console.tell(Event::Edit(Edit::Clear)).type_line("shop/production");
    assert_eq!(console.state.view.context(), Context::Countdown);
    console.at(6.0);
    assert!(console.started().is_none());
    console.at(7.1);
    let start = console.started().unwrap();
    assert_eq!(start.reason, "no p99 is burning");
    assert_eq!(start.confirmation, "shop/production");
}

#[test]
fn any_key_stops_the_countdown() {
    for event in [
        Event::Command(Command::Back),
        Event::Edit(Edit::Insert('x')),
        Event::Command(Command::Confirm),
    ] {
        let mut console = Console::new();
        console.arm().prepare("disable");
        console.second = 1.0;
        console.type_line("because");
        console.second = 2.0;
        console.type_line("shop/production");
        console.second = 4.0;
        console.tell(event);
        assert!(console.state.view.layers.is_empty());
        console.at(10.0);
        assert!(console.started().is_none() && console.state.world.actions.runs.is_empty());
    }
}

#[test]
fn a_preview_that_speaks_against_it_blocks() {
    let mut console = Console::new();
    console.arm().command(Command::Prepare("warm".into()));
    let run = console.dialog().run.clone();
    let mut refused = preview(&"warm".into(), Moment::at_seconds(0.0));
    refused.refusals.push("the server is a replica".to_owned());
    console.tell(Event::Previewed(Box::new(Previewed { run, outcome: Ok(refused) })));
    console.second = 1.0;
    console.command(Command::Confirm);
    assert!(console.started().is_none());
}

#[test]
fn an_old_preview_is_made_again() {
    let mut console = Console::new();
    console.arm().prepare("warm").at(61.0);
    assert!(console.effects.iter().any(|effect| matches!(effect, Effect::Preview { .. })));
    console.second = 62.0;
    console.command(Command::Confirm);
    assert!(console.started().is_none());
}

#[test]
fn a_reload_closes_an_open_dialog() {
    let mut console = Console::new();
    console.arm().prepare("warm");
    console.tell(Event::Reloaded(Box::new(catalog())));
    assert!(console.state.view.layers.is_empty());
    assert!(console.said().contains("dialog was closed"));
}

#[test]
fn the_effect_must_be_seen_after_the_end() {
    let mut console = Console::new();
    console.good("redis", &[("ping_ms", number(1.0))]).arm().prepare("warm");
    console.second = 1.0;
    console.command(Command::Confirm);
    console.second = 2.0;
    console.report(ActionStage::Journaled).report(ActionStage::Started);
    console.finish(Claim::Done, &[("keys", number(20.0))]);
    assert!(console.effects.contains(&Effect::Poll(vec!["redis".into()])));
    assert_eq!(console.outcome(), None, "what was seen before it ended proves nothing");
    console.second = 3.0;
    console.good("redis", &[("ping_ms", number(1.0))]);
    assert_eq!(console.outcome(), Some(ActionOutcome::Confirmed));
    let concluded = console.effects.iter().find_map(|effect| match effect {
        Effect::Conclude { outcome, evidence, .. } => Some((*outcome, evidence.len())),
        _ => None,
    });
    assert_eq!(concluded, Some((ActionOutcome::Confirmed, 2)));
}

/// Starts `warm` and lets its carrying out end with a claim at second 2.
fn ran(claim: Claim, readings: &[(&str, Value)]) -> Console {
    let mut console = Console::new();
    console.good("redis", &[("ping_ms", number(1.0))]).arm().prepare("warm");
    console.second = 1.0;
    console.command(Command::Confirm);
    console.second = 2.0;
    console.report(ActionStage::Started).finish(claim, readings);
    console
}

#[test]
fn success_without_effect_is_refuted() {
    let mut console = ran(Claim::Done, &[("keys", number(5.0))]);
    console.at(60.0).good("redis", &[("ping_ms", number(90.0))]);
    assert_eq!(console.outcome(), None);
    console.at(63.0);
    assert_eq!(console.outcome(), Some(ActionOutcome::Refuted));
    let last = console.state.world.notices.newest_first().next().unwrap();
    assert_eq!(last.notice.level, Level::Error);
}

#[test]
fn an_answer_that_proves_nothing_is_not_waited_for() {
    let console = ran(Claim::Done, &[("keys", number(0.0))]);
    assert_eq!(console.outcome(), Some(ActionOutcome::Refuted));
    let console = ran(Claim::Done, &[]);
    assert_eq!(console.outcome(), Some(ActionOutcome::Unknown), "the answer has no keys");
}

#[test]
fn a_server_that_restarted_cannot_be_compared_with_what_it_was_before() {
    let mut console = Console::new();
    console.state.world.catalog.actions = vec![action("warm", Guard::G1, &["redis.keys < before"])];
    let server = |run: &str, keys| [("keys", number(keys)), ("run_id", word(run))];
    console.good("redis", &server("a", 100.0)).arm().prepare("warm");
    console.second = 1.0;
    console.command(Command::Confirm);
    console.second = 2.0;
    console.report(ActionStage::Started).finish(Claim::Unclear, &[]);
    console.second = 3.0;
    console.good("redis", &server("b", 0.0));
    assert_eq!(console.outcome(), None);
    console.at(63.0);
    assert_eq!(console.outcome(), Some(ActionOutcome::Unknown));
}

#[test]
fn an_exit_code_alone_proves_nothing() {
    let mut console = Console::new();
    console.state.world.catalog.actions =
        vec![action("warm", Guard::G1, &["result.exit_code == 0"])];
    console.arm().prepare("warm");
    console.second = 1.0;
    console.command(Command::Confirm);
    console.finish(Claim::Done, &[("exit_code", number(0.0))]);
    assert_eq!(console.outcome(), Some(ActionOutcome::Unknown));
}

#[test]
fn waiting_for_a_proof_can_be_given_up() {
    let mut console = ran(Claim::Done, &[("keys", number(5.0))]);
    console.command(Command::CancelRun);
    assert_eq!(console.outcome(), Some(ActionOutcome::Unknown));
    assert!(console.effects.iter().any(|effect| matches!(effect, Effect::Conclude { .. })));
}

#[test]
fn an_effect_that_cannot_be_seen_is_unknown_and_so_is_an_unclear_end() {
    let mut console = ran(Claim::Done, &[("keys", number(5.0))]);
    console.at(60.0).bad("redis", FailureKind::Timeout).at(63.0);
    assert_eq!(console.outcome(), Some(ActionOutcome::Unknown));
    let mut console = ran(Claim::Unclear, &[("keys", number(5.0))]);
    console.at(60.0).good("redis", &[("ping_ms", number(90.0))]).at(63.0);
    assert_eq!(console.outcome(), Some(ActionOutcome::Unknown));
}

#[test]
fn what_was_refused_cancelled_or_never_sent_ends_as_that() {
    for (claim, outcome) in [
        (Claim::Refused, ActionOutcome::Failed),
        (Claim::Cancelled, ActionOutcome::Cancelled),
        (Claim::NotSent, ActionOutcome::NeverStarted),
    ] {
        assert_eq!(ran(claim, &[]).outcome(), Some(outcome));
    }
}

#[test]
fn without_a_proof_the_best_outcome_is_unknown() {
    let mut console = Console::new();
    console.arm().prepare("note");
    console.second = 1.0;
    console.type_line("because");
    console.second = 2.0;
    console.command(Command::Confirm);
    console.finish(Claim::Done, &[]);
    assert_eq!(console.outcome(), Some(ActionOutcome::Unknown));
}

#[test]
fn one_at_a_time_and_not_again_before_it_has_cooled_down() {
    let mut console = ran(Claim::Done, &[("keys", number(5.0))]);
    console.command(Command::Prepare("note".into()));
    assert!(console.said().contains("Do warm is not proven yet"), "{}", console.said());
    console.second = 3.0;
    console.good("redis", &[("ping_ms", number(1.0))]).command(Command::Prepare("warm".into()));
    assert!(console.said().contains("cooling down, 1:58 left"), "{}", console.said());
}

#[test]
fn without_a_journal_nothing_starts() {
    let mut console = Console::new();
    console.arm().prepare("warm");
    console.tell(Event::JournalFailed("no space left".to_owned()));
    console.second = 1.0;
    console.command(Command::Confirm);
    assert!(console.started().is_none());
    assert!(console.said().contains("no space left"));
}

#[test]
fn an_action_of_an_earlier_console_without_an_end_is_said_at_the_start() {
    let mut console = Console::new();
    console.tell(Event::History(vec![PastRun {
        run: RunId::from("r"),
        action: "warm".into(),
        wall: Moment::at_seconds(0.0).wall,
        by: "ana".to_owned(),
        outcome: ActionOutcome::Unknown,
        resolved: false,
    }]));
    assert!(console.said().starts_with("1 action of an earlier console has no known end"));
}

#[test]
fn leaving_while_an_action_is_unproven_must_be_asked_for_twice() {
    let mut console = ran(Claim::Done, &[("keys", number(5.0))]);
    console.command(Command::Back).command(Command::Quit);
    assert!(!console.effects.contains(&Effect::Quit));
    console.command(Command::Quit);
    assert!(console.effects.contains(&Effect::Quit));
}

#[test]
fn leaving_all_the_same_is_written_down_as_unknown() {
    let mut console = ran(Claim::Done, &[("keys", number(5.0))]);
    console.command(Command::QuitNow).command(Command::QuitNow);
    let concluded = console.effects.iter().find_map(|effect| match effect {
        Effect::Conclude { outcome, evidence, .. } => Some((*outcome, evidence.join(" "))),
        _ => None,
    });
    let (outcome, evidence) = concluded.unwrap();
    assert_eq!(outcome, ActionOutcome::Unknown);
    assert!(evidence.contains("left the console"), "{evidence}");
}

#[test]
fn the_dialog_of_a_run_can_be_opened_again() {
    let mut console = ran(Claim::Done, &[("keys", number(5.0))]);
    let run = console.dialog().run.clone();
    console.command(Command::Back).command(Command::Prepare("warm".into()));
    assert_eq!(console.dialog().run, run);
    assert_eq!(console.state.view.context(), Context::Run);
    assert!(console.started().is_none());
}

// --- moving about

#[test]
fn escape_closes_the_topmost_thing_and_never_leaves() {
    let mut console = Console::new();
    console.command(Command::Zoom).command(Command::Freeze).command(Command::Filter);
    console.type_line("redis").command(Command::Help);
    let mut steps = 0;
    while !console.state.view.layers.is_empty()
        || !console.state.view.pane(Pane::Health).filter.is_empty()
        || console.state.frozen.is_some()
        || console.state.view.zoomed
    {
        console.command(Command::Back);
        steps += 1;
        assert!(steps < 10);
    }
    assert_eq!(steps, 4);
    console.command(Command::Back);
    assert!(!console.effects.contains(&Effect::Quit));
    console.command(Command::Quit);
    assert!(console.effects.contains(&Effect::Quit));
}

#[test]
fn control_c_leaves_only_the_second_time_within_two_seconds() {
    let mut console = Console::new();
    console.command(Command::Interrupt);
    console.second = 3.0;
    console.command(Command::Interrupt);
    assert!(!console.effects.contains(&Effect::Quit));
    console.second = 4.0;
    console.command(Command::Interrupt);
    assert!(console.effects.contains(&Effect::Quit));
}

#[test]
fn the_selection_stays_with_the_thing_when_the_order_changes() {
    let mut console = Console::new();
    for second in [1.0, 2.0] {
        console.at(second).good("redis", &[("ping_ms", number(1.0))]);
        console.good("api", &[("status", word("ok"))]);
    }
    console.command(Command::Last);
    let selected = rows::selected(&console.state, Pane::Health).unwrap();
    assert_eq!(selected, "redis answers");
    console.at(3.0).bad("redis", FailureKind::Refused);
    assert_eq!(health::rows(&console.state.world)[0].id.as_str(), "redis answers");
    assert_eq!(rows::selected(&console.state, Pane::Health).unwrap(), selected);
}

#[test]
fn pages_turn_the_detail_of_a_zoomed_check_and_another_row_begins_at_its_top() {
    let mut console = Console::new();
    console.command(Command::Zoom).command(Command::Page(1));
    assert!(console.state.view.pane(Pane::Health).scroll > 0);
    console.command(Command::Move(1));
    let view = console.state.view.pane(Pane::Health);
    assert_eq!((view.scroll, view.selected.is_some()), (0, true));
}

#[test]
fn frozen_panes_stand_still_while_data_comes_in() {
    let mut console = Console::new();
    console.good("redis", &[("ping_ms", number(1.0))]).command(Command::Freeze);
    for second in [1.0, 2.0, 3.0] {
        console.at(second).bad("redis", FailureKind::Refused);
    }
    assert_eq!(health::rows(console.state.shown())[1].verdict, Verdict::Ok);
    assert_eq!(console.check("redis answers").verdict, Verdict::Critical);
    console.command(Command::Freeze);
    assert_eq!(health::rows(console.state.shown())[0].verdict, Verdict::Critical);
}

#[test]
fn text_pasted_where_nothing_can_be_typed_does_nothing() {
    let mut console = Console::new();
    let before = console.state.view.clone();
    console.tell(Event::Edit(Edit::Paste("xdy\r:arm 10m boo\r".to_owned())));
    assert_eq!(console.state.view, before);
    assert!(console.said().contains("17 pasted characters were dropped"), "{}", console.said());
}

#[test]
fn the_palette_reads_commands_actions_and_says_what_is_wrong() {
    let console = Console::new();
    let world = &console.state.world;
    let minutes = |n: u64| Duration::from_secs(n * 60);
    let cases = [
        (
            "arm 10m the deploy",
            Ok(Command::Arm { lasting: minutes(10), reason: "the deploy".to_owned() }),
        ),
        ("warm", Ok(Command::Prepare("warm".into()))),
        ("run disable", Ok(Command::Prepare("disable".into()))),
        ("deploy v42", Ok(Command::MarkDeploy("v42".to_owned()))),
        ("q", Ok(Command::QuitNow)),
        ("arm 10m", Err("write: arm 10m REASON")),
        ("arm 9h because", Err("write: arm 10m REASON")),
        ("helpp", Err("there is no command helpp")),
        ("zoom 3", Err("zoom takes no argument")),
        ("", Err("type the name")),
    ];
    for (line, expected) in cases {
        match (palette::parse(world, line), expected) {
            (Ok(got), Ok(want)) => assert_eq!(got, want, "{line}"),
            (Err(got), Err(want)) => assert!(got.contains(want), "{line}: {got}"),
            (got, want) => panic!("{line}: {got:?}, expected {want:?}"),
        }
    }
    assert_eq!(palette::proposals(world, "esc")[0].text, "escalation");
    assert!(!palette::proposals(world, "warm")[0].enabled);
}

#[test]
fn a_contacted_level_has_a_clock_and_then_is_overdue() {
    let mut console = Console::new();
    console.command(Command::FocusPane(5)).command(Command::Contacted);
    let row = |console: &Console| crate::app::escalation::rows(&console.state.world).remove(0);
    assert_eq!(row(&console).remaining, Some(Duration::from_secs(900)));
    console.at(1_000.0);
    assert_eq!(row(&console).remaining, None);
    assert_eq!(row(&console).overdue, Some(Duration::from_secs(100)));
    assert!(!crate::app::escalation::rows(&console.state.world)[1].spec.is_configured());
}

#[test]
fn a_refused_reload_keeps_the_old_configuration_and_stays_readable() {
    let mut console = Console::new();
    console.tell(Event::ReloadFailed("line 3: unknown key".to_owned()));
    assert!(console.said().contains("line 3"));
    console.tell(Event::Notice(Notice::info("later")));
    let all: Vec<&str> =
        console.state.world.notices.newest_first().map(|said| said.notice.text.as_str()).collect();
    assert!(all.iter().any(|text| text.contains("line 3")));
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
