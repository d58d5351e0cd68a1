//! Rules tried on made-up series: what they would have said at every step.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{
    Alert, Data, Mode, Phase, Rule, Series, SeriesName, SeriesStore, Subject, Test, evaluate,
    prometheus, series::Point,
};
use crate::domain::{
    time::{Moment, short_duration},
    value::{Value, tidy},
    verdict::Quality,
};

/// One test.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Its name.
    pub name: String,
    /// The rules are evaluated at zero and then every so often.
    pub every: Duration,
    /// The last evaluation is not after this.
    pub until: Duration,
    /// Whose semantics.
    pub mode: Mode,
    /// The rules.
    pub rules: Vec<Rule>,
    /// What they look at.
    pub series: Vec<Input>,
    /// When the marker was that expected bands are counted from.
    pub marker: Option<Duration>,
    /// What should come out.
    pub expect: Vec<Expectation>,
}

/// A made-up series.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Its name.
    pub name: SeriesName,
    /// The time from one value to the next.
    pub every: Duration,
    /// The values from zero on; none is a missing one.
    pub values: Vec<Option<Point>>,
}

/// What should be at some time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation {
    /// When.
    pub at: Duration,
    /// The rule.
    pub rule: String,
    /// Where its alert stands.
    pub state: Option<Phase>,
    /// Since when its condition is true.
    pub since: Option<Duration>,
    /// The figure.
    pub value: Option<f64>,
    /// What the data is worth.
    pub quality: Option<Quality>,
}

/// What a rule said at one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When.
    pub at: Duration,
    /// Where the alert stood.
    pub state: Phase,
    /// Since when the condition was true.
    pub since: Option<Duration>,
    /// The figure.
    pub value: Option<f64>,
    /// What the data was worth.
    pub quality: Quality,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What is not as expected, in words; empty where everything is.
    pub failures: Vec<String>,
    /// What every rule said at every step.
    pub trajectories: BTreeMap<Arc<str>, Vec<Step>>,
}

/// The most steps of one test.
pub const MOST_STEPS: u32 = 100_000;

/// The most evaluations of one test: some seconds of work.
pub const MOST_WORK: u64 = 1_000_000;

/// Runs a test.
pub fn run(trial: &Trial) -> Outcome {
    let trajectories = trajectories(trial);
    let failures = trial
        .expect
        .iter()
        .filter_map(|expected| missed(expected, trajectories.get(expected.rule.as_str())))
        .collect();
    Outcome { failures, trajectories }
}

fn moment(after: Duration) -> Moment {
    Moment::at_seconds(0.0).plus(after)
}

fn trajectories(trial: &Trial) -> BTreeMap<Arc<str>, Vec<Step>> {
    let mut store = SeriesStore::default();
    for input in &trial.series {
        store.insert(input.name.clone(), Series::new(input.every, moment(Duration::ZERO)));
    }
    let mut alerts: Vec<Alert> = trial.rules.iter().map(|_| Alert::default()).collect();
    let mut fed = vec![0_usize; trial.series.len()];
    let mut out: BTreeMap<Arc<str>, Vec<Step>> = BTreeMap::new();
    for step in 0..=steps(trial) {
        let at = trial.every.saturating_mul(step);
        while let Some(earlier) = next_value(trial, &fed).filter(|next| *next < at) {
            let news = feed(trial, &mut store, &mut fed, earlier);
            if trial.mode == Mode::Own {
                // As it is live: each look is evaluated when it is made.
                for (rule, alert) in trial.rules.iter().zip(&mut alerts) {
                    if rule.when.series().any(|name| news.contains(name)) {
                        evaluated(trial, rule, alert, &store, earlier);
                    }
                }
            }
        }
        feed(trial, &mut store, &mut fed, at);
        for (rule, alert) in trial.rules.iter().zip(&mut alerts) {
            let step = evaluated(trial, rule, alert, &store, at);
            out.entry(Arc::clone(&rule.id)).or_default().push(step);
        }
    }
    out
}

fn steps(trial: &Trial) -> u32 {
    let steps = trial.until.as_nanos() / trial.every.as_nanos().max(1);
    u32::try_from(steps).unwrap_or(u32::MAX).min(MOST_STEPS)
}

/// How often rules are evaluated in all, at most: at every step, and at every value.
pub fn work(trial: &Trial) -> u64 {
    let values: usize = trial.series.iter().map(|input| input.values.len()).sum();
    (u64::from(steps(trial)) + values as u64).saturating_mul(trial.rules.len() as u64)
}

/// When the next value is due.
fn next_value(trial: &Trial, fed: &[usize]) -> Option<Duration> {
    let due = |(input, fed): (&Input, &usize)| {
        let place = u32::try_from(*fed).unwrap_or(u32::MAX);
        (*fed < input.values.len()).then(|| input.every.saturating_mul(place))
    };
    trial.series.iter().zip(fed).filter_map(due).min()
}

/// Feeds every value that is due; returns the series that had one.
fn feed(
    trial: &Trial,
    store: &mut SeriesStore,
    fed: &mut [usize],
    now: Duration,
) -> BTreeSet<SeriesName> {
    let mut news = BTreeSet::new();
    for (input, fed) in trial.series.iter().zip(fed) {
        let Some(series) = store.get_mut(&input.name) else { continue };
        while let Some(value) = input.values.get(*fed) {
            let at = input.every.saturating_mul(u32::try_from(*fed).unwrap_or(u32::MAX));
            if at > now {
                break;
            }
            if let Some(point) = value {
                let answers = trial.rules.iter().any(|rule| is_yes_or_no(rule, &input.name));
                let point = if answers { yes_or_no(point) } else { point.clone() };
                series.add(moment(at), point, super::LONGEST);
                news.insert(input.name.clone());
            }
            *fed += 1;
        }
    }
    news
}

/// Whether a rule compares the values of a series with yes or no, as `redis.up == false` does.
fn is_yes_or_no(rule: &Rule, name: &SeriesName) -> bool {
    rule.when.clauses.iter().any(|clause| match (&clause.subject, &clause.test) {
        (Subject::Latest(series), Test::Against(_, Value::Bool(_))) => series == name,
        (Subject::CountOf(passing, _) | Subject::ShareOf(passing, _), _) => {
            passing.series == *name && matches!(passing.constant, Value::Bool(_))
        }
        _ => false,
    })
}

/// The notation has only numbers: 1 is yes and 0 is no.
fn yes_or_no(point: &Point) -> Point {
    match point {
        Point::Value(Value::Number(number)) if *number == 0.0 => Point::Value(Value::Bool(false)),
        Point::Value(Value::Number(number)) if *number == 1.0 => Point::Value(Value::Bool(true)),
        other => other.clone(),
    }
}

fn evaluated(
    trial: &Trial,
    rule: &Rule,
    alert: &mut Alert,
    store: &SeriesStore,
    at: Duration,
) -> Step {
    let now = moment(at);
    let slowest = rule
        .when
        .series()
        .filter_map(|name| Some(store.get(name)?.interval))
        .max()
        .unwrap_or(trial.every);
    let finding = match trial.mode {
        Mode::Prometheus(version) => prometheus::evaluate(&rule.when, store, now, version),
        Mode::Own => {
            let data = Data {
                series: store,
                bands: &rule.bands,
                marker_age: trial.marker.and_then(|marker| at.checked_sub(marker)),
                min_events: rule.min_events,
            };
            evaluate(&rule.when, &data, now)
        }
    };
    let value = finding.value.as_ref().and_then(figure);
    let quality = finding.quality;
    alert.step(finding, now, &rule.timing(slowest, trial.mode));
    let since = alert.since.map(|since| since.since(moment(Duration::ZERO)));
    Step { at, state: alert.phase, since, value, quality }
}

fn figure(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) | Value::Below(number) | Value::AtLeast(number) => Some(*number),
        Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
        Value::Text(_) | Value::List(_) => None,
    }
}

/// In what a rule missed an expectation.
fn missed(expected: &Expectation, steps: Option<&Vec<Step>>) -> Option<String> {
    let at = short_duration(expected.at);
    let rule = &expected.rule;
    let Some(step) = steps.and_then(|steps| steps.iter().find(|step| step.at == expected.at))
    else {
        return Some(format!("{rule} at {at}: the rules are not evaluated then"));
    };
    let mut wrong = Vec::new();
    if let Some(state) = expected.state.filter(|state| *state != step.state) {
        wrong.push(format!("state: expected {}, was {}", state.word(), step.state.word()));
    }
    if let Some(since) = expected.since.filter(|since| Some(*since) != step.since) {
        let was = step.since.map_or("none".to_owned(), short_duration);
        wrong.push(format!("since: expected {}, was {was}", short_duration(since)));
    }
    if let Some(value) =
        expected.value.filter(|value| !step.value.is_some_and(|was| near(was, *value)))
    {
        let was = step.value.map_or("none".to_owned(), tidy);
        wrong.push(format!("value: expected {}, was {was}", tidy(value)));
    }
    if let Some(quality) = expected.quality.filter(|quality| *quality != step.quality) {
        wrong.push(format!("quality: expected {quality:?}, was {:?}", step.quality));
    }
    (!wrong.is_empty()).then(|| format!("{rule} at {at}: {}", wrong.join("; ")))
}

/// Equal but for the last digits of floating-point arithmetic.
fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}
