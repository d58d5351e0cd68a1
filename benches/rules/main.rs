//! How long the alert rules take: a thousand of them on two hundred series.
//!
//! `cargo bench --bench rules` prints the figures that stand in `docs/performance.md`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and may fail")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use watchfloor::domain::{
    rule::{
        Alert, Data, MIN_EVENTS, Mode, Point, Rule, Series, SeriesName, SeriesStore, When, evaluate,
    },
    time::Moment,
    value::Value,
};

const RULES: usize = 1_000;
const SERIES: usize = 200;
const INTERVAL: u64 = 5;
const HISTORY: u64 = 3_600;
const ROUNDS: usize = 50;

/// Writes the condition of the rule of that number.
type Shape = fn(usize) -> String;

fn main() {
    let store = store();
    let now = Moment::at_seconds(HISTORY as f64);
    let shapes: [(&str, Shape); 5] = [
        ("newest value", |n| format!("s{n}.total_ms > 200ms")),
        ("p95 over 5 minutes", |n| format!("p95(s{n}.total_ms, 5m) > 200ms")),
        ("increase over an hour", |n| format!("increase(s{n}.count, 1h) > 5")),
        ("hit rate over 5 minutes", |n| format!("hit_rate(s{n}.count, s{n}.total_ms, 5m) < 70%")),
        ("a mixture of the four", mixed),
    ];
    println!("{RULES} rules, {SERIES} series of {} looks each", HISTORY / INTERVAL);
    for (name, when) in shapes {
        let rules: Vec<Rule> = (0..RULES).map(|n| rule(n, &when(n % (SERIES / 2)))).collect();
        let mut alerts = vec![Alert::default(); RULES];
        let mut took: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                let started = Instant::now();
                for (rule, alert) in rules.iter().zip(&mut alerts) {
                    let finding = black_box(evaluate(&rule.when, &data(&store), now));
                    let timing = rule.timing(Duration::from_secs(INTERVAL), Mode::Own);
                    black_box(alert.step(finding, now, &timing));
                }
                started.elapsed()
            })
            .collect();
        took.sort();
        println!(
            "{name:<26} median {:>8.3} ms   worst {:>8.3} ms   {:>7.2} µs a rule",
            took[ROUNDS / 2].as_secs_f64() * 1e3,
            took[ROUNDS - 1].as_secs_f64() * 1e3,
            took[ROUNDS / 2].as_secs_f64() * 1e6 / RULES as f64,
        );
    }
}

fn mixed(n: usize) -> String {
    match n % 4 {
        0 => format!("s{n}.total_ms > 200ms"),
        1 => format!("p95(s{n}.total_ms, 5m) > 200ms"),
        2 => format!("increase(s{n}.count, 1h) > 5"),
        _ => format!("hit_rate(s{n}.count, s{n}.total_ms, 5m) < 70%"),
    }
}

fn data(store: &SeriesStore) -> Data<'_> {
    Data { series: store, bands: &[], marker_age: None, min_events: MIN_EVENTS }
}

fn store() -> SeriesStore {
    let mut store = SeriesStore::default();
    for number in 0..SERIES / 2 {
        for reading in ["total_ms", "count"] {
            let name = SeriesName::parse(&format!("s{number}.{reading}")).unwrap();
            let mut series = Series::new(Duration::from_secs(INTERVAL), Moment::at_seconds(0.0));
            for second in (0..=HISTORY).step_by(INTERVAL as usize) {
                let value = match reading {
                    "count" => second as f64,
                    _ => (second * 7_919 % 400) as f64,
                };
                let at = Moment::at_seconds(second as f64);
                series.add(at, Point::Value(Value::Number(value)), Duration::from_secs(HISTORY));
            }
            store.insert(name, series);
        }
    }
    store
}

fn rule(number: usize, when: &str) -> Rule {
    let when = When::parse(when).unwrap();
    Rule { hold: Duration::from_secs(300), ..Rule::new(format!("r{number}"), "", when) }
}
