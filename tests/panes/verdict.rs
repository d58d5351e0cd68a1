//! One judgement: what the header says is the worst of what the panes say, in every state.

use proptest::prelude::*;
use watchfloor::{
    app::{command::Command, findings, msg::Event, summary::summary, view::Pane},
    domain::{failure::FailureKind, value::Value, verdict::Verdict},
    ui::{panes, scene::Scene},
};

use super::{
    common::{
        desk::{COLOURS, Desk},
        screen::characters,
    },
    service,
};

/// What the panes come to by what their titles say.
fn worst_pane(desk: &Desk) -> Verdict {
    let scene = Scene::new(&desk.state, COLOURS);
    let shown = watchfloor::app::rows::panes(scene.world);
    match Verdict::worst(shown.into_iter().map(|pane| panes::line(&scene, pane).verdict)) {
        Verdict::Unjudged => Verdict::Unknown,
        worst => worst,
    }
}

/// The header, the panes, their rows and the document agree.
fn agree(desk: &mut Desk) -> Verdict {
    let (whole, reasons) = desk.state.world.verdict();
    assert_eq!(whole, worst_pane(desk), "{reasons:?}");
    let document = summary(&desk.state.world);
    assert_eq!((document.verdict, &document.reasons), (whole, &reasons));
    let rows = document
        .checks
        .iter()
        .map(|row| row.verdict)
        .chain(document.cache.iter().map(|row| row.verdict))
        .chain(document.latency.iter().map(|row| row.verdict))
        .chain(document.rate_limits.iter().map(|limits| limits.verdict))
        .chain(document.database.iter().map(|row| row.verdict));
    let contacts = watchfloor::app::escalation::rows(&desk.state.world);
    let rows = rows.chain(contacts.iter().map(|row| row.verdict()));
    let worst = match Verdict::worst(rows) {
        Verdict::Unjudged => Verdict::Unknown,
        worst => worst,
    };
    assert_eq!(whole, worst, "rows of the document");
    let header = characters(&desk.screen(120, 40, COLOURS).0);
    let header = header.lines().next().unwrap_or_default().to_owned();
    assert!(header.contains(&format!(" {} ", whole.word())), "{} in {header}", whole.word());
    for tab in 0..3 {
        desk.send(Event::Command(Command::FocusPane(3)));
        desk.send(Event::Command(Command::NextTab));
        assert_eq!(worst_pane(desk), whole, "tab {tab} of the latencies changes no judgement");
    }
    whole
}

#[test]
fn every_situation_is_judged_alike_everywhere() {
    for (name, mut desk, expected) in [
        ("never", service::never(), Verdict::Unknown),
        ("calm", service::calm(), Verdict::Ok),
        ("warning", service::warning(), Verdict::Warning),
        ("critical", service::critical(), Verdict::Critical),
        ("stale", service::stale(), Verdict::Unknown),
        ("failed", service::failed(), Verdict::Unknown),
        ("unconfigured", service::unconfigured(), Verdict::Unknown),
        ("switched off", service::switched_off(), Verdict::Warning),
        ("crowded", service::crowded(), Verdict::Critical),
        ("hostile", service::hostile(), Verdict::Critical),
        ("two of each", service::two_of_each(), Verdict::Ok),
    ] {
        assert_eq!(agree(&mut desk), expected, "{name}");
    }
}

#[test]
fn with_everything_switched_off_nothing_is_known() {
    let mut catalog = service::catalog();
    catalog.contacts.clear();
    for source in catalog.sources.values_mut() {
        source.disabled = Some("switched off: enabled = false".to_owned());
    }
    let mut desk = Desk::new(catalog);
    desk.wait(5.0);
    assert_eq!(agree(&mut desk), Verdict::Unknown);
    let scene = Scene::new(&desk.state, COLOURS);
    for finding in &scene.findings {
        assert_eq!(finding.verdict, Verdict::Unjudged, "{finding:?}");
    }
}

/// What can happen to a source, or to the console.
#[derive(Clone, Debug)]
enum Step {
    Answers(usize, Vec<(&'static str, f64)>),
    Says(usize, &'static str),
    Fails(usize, FailureKind),
    Passes(f64),
    Calls(usize),
}

const NUMBERS: [&str; 9] = [
    "keyspace_hits",
    "keyspace_misses",
    "used_memory",
    "maxmemory",
    "total_ms",
    "ping_ms",
    "connections",
    "max_connections",
    "blocked",
];

const KINDS: [FailureKind; 5] = [
    FailureKind::Refused,
    FailureKind::Timeout,
    FailureKind::Dns,
    FailureKind::Unreachable,
    FailureKind::Tls,
];

fn step() -> impl Strategy<Value = Step> {
    let readings = prop::collection::vec(
        (prop::sample::select(&NUMBERS[..]), prop_oneof![Just(0.0), Just(1.0), 0.0..5_000.0]),
        0..9,
    );
    prop_oneof![
        6 => (0usize..8, readings).prop_map(|(source, readings)| Step::Answers(source, readings)),
        2 => (0usize..8, prop::sample::select(&["ok", "degraded", "down"][..]))
            .prop_map(|(source, word)| Step::Says(source, word)),
        3 => (0usize..8, prop::sample::select(&KINDS[..]))
            .prop_map(|(source, kind)| Step::Fails(source, kind)),
        3 => (0.1..400.0f64).prop_map(Step::Passes),
        1 => (0usize..4).prop_map(Step::Calls),
    ]
}

fn take(desk: &mut Desk, step: &Step) {
    let ids: Vec<String> =
        desk.state.world.catalog.sources.keys().map(ToString::to_string).collect();
    let id = |at: usize| ids[at % ids.len()].as_str();
    match step {
        Step::Answers(at, readings) => {
            let readings: Vec<(&str, Value)> =
                readings.iter().map(|(name, number)| (*name, Value::Number(*number))).collect();
            desk.answer(id(*at), &readings);
        }
        Step::Says(at, word) => {
            let readings =
                ["status", "state", "redis"].map(|name| (name, Value::Text((*word).into())));
            desk.answer(id(*at), &readings);
        }
        Step::Fails(at, kind) => {
            desk.fail(id(*at), *kind, "broken");
        }
        Step::Passes(seconds) => {
            desk.pause(*seconds).send(Event::Tick);
        }
        Step::Calls(row) => {
            desk.send(Event::Command(Command::FocusPane(5)));
            desk.send(Event::Command(Command::Move(*row as i32)));
            desk.send(Event::Command(Command::Contacted(true)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_observed_is_judged_alike_everywhere(
        steps in prop::collection::vec(step(), 1..40),
        contacts in any::<bool>(),
    ) {
        let mut catalog = service::catalog();
        if !contacts {
            catalog.contacts.clear();
        }
        let mut desk = Desk::new(catalog);
        for step in &steps {
            take(&mut desk, step);
            let (whole, _) = desk.state.world.verdict();
            prop_assert_eq!(whole, worst_pane(&desk), "after {:?}", step);
        }
        agree(&mut desk);
        // Nothing that cannot be reached is idle.
        let world = &desk.state.world;
        for row in &watchfloor::app::health::rows(world) {
            let failing = world.sources.get(&row.source).is_some_and(|it| it.failing().is_some());
            prop_assert!(!failing || row.verdict.is_trouble(), "{:?}", row);
        }
        for finding in findings::of(world) {
            if finding.pane != Pane::Escalation && finding.verdict == Verdict::Unjudged {
                let idle = ["no_traffic", "too_few"];
                let word = serde_json::to_value(finding.quality).expect("a word");
                prop_assert!(idle.iter().any(|idle| word == *idle), "{:?}", finding);
            }
        }
    }
}
