//! The engine in the mode that gives up its deliberate differences, held against
//! `promtool test rules` on generated scenarios: every state at every step must agree.

use std::{fmt::Write as _, path::Path, process::Command, time::Duration};

use rand::{Rng, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use serde_json::{Value, json};
use watchfloor::domain::rule::{
    Mode, Phase, Rule, SeriesName, When, notation,
    prometheus::Version,
    trial::{self, Input, Trial},
};

/// How many steps each scenario has.
const STEPS: u32 = 24;

/// Rules of one file, series of one test, tests of one file: their product over the
/// evaluation intervals is the number of scenarios.
const RULES: usize = 60;
const TESTS: usize = 10;
const EVERY: [u64; 4] = [15, 30, 60, 120];

#[test]
fn every_state_at_every_step_is_that_of_prometheus() {
    let version = installed();
    let mut scenarios = 0;
    for (seed, every) in EVERY.into_iter().enumerate() {
        let batch = Batch::new(seed as u64, every, version);
        let output = batch.run(|rule| rule);
        assert!(output.is_empty(), "evaluated every {every} s: {output}");
        scenarios += RULES * TESTS;
    }
    assert!(scenarios >= 2_000);
}

/// The comparison is worth nothing unless it notices an engine that is slightly wrong.
#[test]
fn a_planted_fault_is_found() {
    let version = installed();
    let batch = Batch::new(0, 60, version);
    let minute = Duration::from_secs(60);
    let later = batch.run(|rule| Rule { hold: rule.hold + minute, ..rule });
    assert!(later.contains("got:"), "`for` too long by a minute went unnoticed");
    let keeps = batch.run(|rule| Rule { keep: None, ..rule });
    assert!(keeps.contains("got:"), "`keep_firing_for` ignored went unnoticed");
    let other = match version {
        Version::Two => Version::Three,
        Version::Three => Version::Two,
    };
    let edge = Batch { version: other, ..batch }.run(|rule| rule);
    assert!(edge.contains("got:"), "the wrong edge of the windows went unnoticed");
}

/// Which Prometheus is installed.
fn installed() -> Version {
    let output = Command::new("promtool").arg("--version").output();
    let Ok(output) = output else {
        panic!("promtool is not installed: apt-get install prometheus");
    };
    // Releases before 2.48 print it on standard error.
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    if text.contains("version 2.") { Version::Two } else { Version::Three }
}

/// Rules, and series to try them on.
#[derive(Clone)]
struct Batch {
    version: Version,
    every: Duration,
    rules: Vec<Generated>,
    /// For each test the time between values, and a series for each rule.
    tests: Vec<(Duration, Vec<String>)>,
}

#[derive(Clone)]
struct Generated {
    rule: Rule,
    promql: String,
}

impl Batch {
    fn new(seed: u64, every: u64, version: Version) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let every = Duration::from_secs(every);
        let rules = (0..RULES).map(|number| generated(&mut rng, number, every)).collect();
        let tests = (0..TESTS)
            .map(|_| {
                let apart = every * *[1, 1, 1, 2].choose(&mut rng).unwrap();
                (apart, (0..RULES).map(|_| values(&mut rng)).collect())
            })
            .collect();
        Self { version, every, rules, tests }
    }

    /// What promtool has to say against the trajectories of the rules, changed by `plant`.
    fn run(&self, plant: impl Fn(Rule) -> Rule) -> String {
        let dir = tempfile::tempdir().unwrap();
        let rules: Vec<Value> = self.rules.iter().map(Generated::for_prometheus).collect();
        let groups = json!({ "groups": [{ "name": "all", "rules": rules }] });
        write(&dir.path().join("rules.yml"), &groups);
        let planted: Vec<Rule> =
            self.rules.iter().map(|generated| plant(generated.rule.clone())).collect();
        let tests: Vec<Value> = self
            .tests
            .iter()
            .map(|(apart, series)| self.for_promtool(*apart, series, &planted))
            .collect();
        let file = json!({
            "rule_files": ["rules.yml"],
            "evaluation_interval": seconds(self.every),
            "tests": tests,
        });
        write(&dir.path().join("tests.yml"), &file);
        let output = Command::new("promtool")
            .args(["test", "rules", "tests.yml"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        if output.status.success() {
            return String::new();
        }
        let mut text = String::from_utf8_lossy(&output.stderr).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stdout));
        let end = text.char_indices().nth(4_000).map_or(text.len(), |(at, _)| at);
        text.truncate(end);
        text
    }

    /// One test, with our own trajectory as the expectation.
    fn for_promtool(&self, apart: Duration, series: &[String], rules: &[Rule]) -> Value {
        let inputs = series.iter().enumerate().map(|(number, values)| Input {
            name: SeriesName::parse(&format!("m{number}")).unwrap(),
            every: apart,
            values: notation::parse(values).unwrap(),
        });
        let trial = Trial {
            name: String::new(),
            every: self.every,
            until: self.every * STEPS,
            mode: Mode::Prometheus(self.version),
            rules: rules.to_vec(),
            series: inputs.collect(),
            marker: None,
            expect: Vec::new(),
        };
        let outcome = trial::run(&trial);
        let queries = (0..=STEPS).flat_map(|step| {
            let at = self.every * step;
            let mut states = Vec::new();
            let mut since = Vec::new();
            for (id, steps) in &outcome.trajectories {
                let found = &steps[step as usize];
                assert_eq!(found.at, at);
                if !matches!(found.state, Phase::Pending | Phase::Firing) {
                    continue;
                }
                let state = found.state.word();
                states.push(json!({
                    "labels": format!("ALERTS{{alertname=\"{id}\", alertstate=\"{state}\"}}"),
                    "value": 1,
                }));
                since.push(json!({
                    "labels": format!("ALERTS_FOR_STATE{{alertname=\"{id}\"}}"),
                    "value": found.since.unwrap().as_secs(),
                }));
            }
            [("ALERTS", states), ("ALERTS_FOR_STATE", since)].map(|(expr, samples)| {
                json!({ "expr": expr, "eval_time": seconds(at), "exp_samples": samples })
            })
        });
        let queries: Vec<Value> = queries.collect();
        let input: Vec<Value> = series
            .iter()
            .enumerate()
            .map(|(number, values)| json!({ "series": format!("m{number}"), "values": values }))
            .collect();
        json!({ "interval": seconds(apart), "input_series": input, "promql_expr_test": queries })
    }
}

impl Generated {
    fn for_prometheus(&self) -> Value {
        json!({
            "alert": self.rule.id,
            "expr": self.promql,
            "for": seconds(self.rule.hold),
            "keep_firing_for": seconds(self.rule.keep.unwrap_or_default()),
        })
    }
}

fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs())
}

fn write(path: &Path, document: &Value) {
    // JSON is YAML.
    std::fs::write(path, serde_json::to_string_pretty(document).unwrap()).unwrap();
}

/// A rule on series `number`, as we write it and as Prometheus does.
fn generated(rng: &mut SmallRng, number: usize, every: Duration) -> Generated {
    let (when, promql) = condition(rng, number);
    let steps = |rng: &mut SmallRng| every * *[0, 0, 1, 2, 3, 5].choose(rng).unwrap();
    let parsed = When::parse(&when).unwrap_or_else(|error| panic!("{when}: {error}"));
    let rule = Rule {
        hold: steps(rng),
        keep: Some(steps(rng)),
        ..Rule::new(format!("r{number}"), "", parsed)
    };
    Generated { rule, promql }
}

fn condition(rng: &mut SmallRng, number: usize) -> (String, String) {
    let op = *[">", "<", ">=", "<=", "==", "!="].choose(rng).unwrap();
    let limit = rng.random_range(2..8);
    let window = *["1m", "2m", "5m", "10m"].choose(rng).unwrap();
    let name = format!("m{number}");
    let other = format!("m{}", (number + 1) % RULES);
    match rng.random_range(0..14) {
        // Tenths are not exact: what is added up wrongly is not equal any more.
        12.. => {
            let function = *["avg", "sum"].choose(rng).unwrap();
            (
                format!("{function}({name}, {window}) {op} 0.{limit}"),
                format!("{function}_over_time({name}[{window}]) {op} 0.{limit}"),
            )
        }
        0..4 => (format!("{name} {op} {limit}"), format!("{name} {op} {limit}")),
        4 => {
            let function = *["min", "max", "avg", "sum"].choose(rng).unwrap();
            (
                format!("{function}({name}, {window}) {op} {limit}"),
                format!("{function}_over_time({name}[{window}]) {op} {limit}"),
            )
        }
        5 => (
            format!("count({name}, {window}) {op} {limit}"),
            format!("count_over_time({name}[{window}]) {op} {limit}"),
        ),
        6 => {
            let (ours, theirs) = *[("p50", 0.5), ("p90", 0.9), ("p95", 0.95)].choose(rng).unwrap();
            (
                format!("{ours}({name}, {window}) {op} {limit}.3"),
                format!("quantile_over_time({theirs}, {name}[{window}]) {op} {limit}.3"),
            )
        }
        7 => (
            format!("increase({name}, {window}) {op} {limit}.3"),
            format!("increase({name}[{window}]) {op} {limit}.3"),
        ),
        8 => (format!("absent({name}, {window})"), format!("absent_over_time({name}[{window}])")),
        9 => (
            format!("ratio({name}, {other}, {window}) > 0.7"),
            format!("increase({name}[{window}]) / increase({other}[{window}]) > 0.7"),
        ),
        10 => (
            format!("{name} > {limit} and {other} < 6"),
            format!("{name} > {limit} and {other} < 6"),
        ),
        _ => {
            (format!("{name} > {limit} or {other} < 3"), format!("{name} > {limit} or {other} < 3"))
        }
    }
}

/// Values that stay near the limits, with gaps and ends.
fn values(rng: &mut SmallRng) -> String {
    let mut text = String::new();
    let mut left = STEPS as i32 + 2;
    while left > 0 {
        let run = rng.random_range(0..5_usize);
        let value = rng.random_range(0..10);
        let written = match rng.random_range(0..18) {
            0 => "stale".to_owned(),
            1 | 2 => format!("_x{}", run + 1),
            3 => "NaN".to_owned(),
            4..8 => format!("{value}x{run}"),
            8..10 => format!("{value}+{}x{run}", rng.random_range(1..3)),
            10 => format!("{value}-1x{run}"),
            14.. => format!("0.{value}x{run}"),
            _ => format!("{value}.5"),
        };
        let _ = write!(text, "{written} ");
        left -= run as i32 + 1;
    }
    text
}
