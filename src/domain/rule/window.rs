//! Figures over the values in a window, `(now - window, now]`.

use std::time::Duration;

use super::{
    expression::{Function, Passing},
    finding::Finding,
    series::{Look, Point, Series},
};
use crate::domain::{
    condition::compare,
    counter::{RatioCounter, growth},
    percentile::{self, Sample},
    reading::stale_after,
    time::Moment,
    value::Value,
    verdict::Quality,
};

/// A figure over the values of one series.
pub(super) fn figure(
    function: Function,
    series: &Series,
    now: Moment,
    window: Duration,
) -> Finding {
    match function {
        Function::Increase => increase(series, now, window),
        Function::Count => {
            let n = series.within(now, window).filter(|look| matches!(look.point, Point::Value(_)));
            let n = n.count() as u64;
            let finding = Finding::known(None, Value::Number(n as f64), n);
            Finding { covered: series.covered(now, window), ..finding }
        }
        Function::Percentile(per_mille) => percentile_of(per_mille, series, now, window),
        Function::Avg | Function::Min | Function::Max | Function::Sum => {
            folded(function, series, now, window)
        }
    }
}

/// Numbers with what is known of them: exact, at most, at least.
fn numbers(series: &Series, now: Moment, window: Duration) -> Vec<&Value> {
    series
        .within(now, window)
        .filter_map(|look| match &look.point {
            Point::Value(value @ (Value::Number(_) | Value::Below(_) | Value::AtLeast(_))) => {
                Some(value)
            }
            _ => None,
        })
        .collect()
}

fn bare(value: &Value) -> f64 {
    match value {
        Value::Number(number) | Value::Below(number) | Value::AtLeast(number) => *number,
        Value::Bool(_) | Value::Text(_) | Value::List(_) => f64::NAN,
    }
}

/// The figure, as far as the bounds that it was taken from carry.
fn bounded(number: f64, from: &[&Value]) -> Option<Value> {
    let below = from.iter().any(|value| matches!(value, Value::Below(_)));
    let at_least = from.iter().any(|value| matches!(value, Value::AtLeast(_)));
    match (below, at_least) {
        (false, false) => Value::number(number),
        (true, false) => Some(Value::Below(number)),
        (false, true) => Some(Value::AtLeast(number)),
        (true, true) => None,
    }
}

fn no_numbers(series: &Series, now: Moment, window: Duration) -> Finding {
    let seen = series.within(now, window).count();
    if seen == 0 {
        Finding::unknown(Quality::NoTraffic, "no value in the window")
    } else {
        Finding::unknown(Quality::NoTraffic, format!("{seen} values in the window, none a number"))
    }
}

fn folded(function: Function, series: &Series, now: Moment, window: Duration) -> Finding {
    let values = numbers(series, now, window);
    if values.is_empty() {
        return no_numbers(series, now, window);
    }
    let n = values.len();
    let all = || values.iter().map(|value| bare(value));
    let number = match function {
        Function::Min => all().fold(f64::INFINITY, f64::min),
        Function::Max => all().fold(f64::NEG_INFINITY, f64::max),
        Function::Sum => all().sum(),
        _ => all().sum::<f64>() / n as f64,
    };
    match bounded(number, &values) {
        Some(value) => Finding {
            covered: series.covered(now, window),
            ..Finding::known(None, value, n as u64)
        },
        None => Finding::unknown(Quality::NoTraffic, "only bounds on both sides are known"),
    }
}

fn percentile_of(per_mille: u16, series: &Series, now: Moment, window: Duration) -> Finding {
    let looks = series.within(now, window);
    let samples: Vec<Sample> = looks
        .filter_map(|look| {
            let (ms, censored) = match &look.point {
                Point::Value(Value::Number(ms) | Value::Below(ms)) => (*ms, false),
                Point::Value(Value::AtLeast(ms)) => (*ms, true),
                _ => return None,
            };
            Some(Sample { at: look.at, ms, censored })
        })
        .collect();
    let n = samples.len();
    if n == 0 {
        return no_numbers(series, now, window);
    }
    match percentile::percentile(samples, f64::from(per_mille) / 10.0) {
        Ok(found) => {
            let from = numbers(series, now, window);
            let below = from.iter().any(|value| matches!(value, Value::Below(_)));
            let value = match (below, found.at_least) {
                (false, false) => Value::Number(found.ms),
                (false, true) => Value::AtLeast(found.ms),
                (true, false) => Value::Below(found.ms),
                (true, true) => {
                    let why = "only bounds on both sides are known";
                    return Finding::unknown(Quality::NoTraffic, why);
                }
            };
            let covered = series.covered(now, window);
            Finding { covered, ..Finding::known(None, value, n as u64) }
        }
        Err(needed) => Finding {
            n: Some(n as u64),
            ..Finding::unknown(Quality::TooFew, format!("n = {n}, too few: {needed} are needed"))
        },
    }
}

/// The look that the window begins with, unless it lies so far before the window that what
/// happened since then is not what happened in it.
fn edge(series: &Series, now: Moment, window: Duration) -> Option<&Look> {
    let look = series.before(now, window)?;
    let early = now.since(look.at).saturating_sub(window);
    let blind = series.blind_until.is_some_and(|until| look.at.mono <= until.mono);
    (early <= stale_after(series.interval) && !blind).then_some(look)
}

/// How much a counter grew in the window: exact, nothing is extrapolated.
fn increase(series: &Series, now: Moment, window: Duration) -> Finding {
    let before = edge(series, now, window);
    let counts: Vec<f64> = before
        .into_iter()
        .chain(series.within(now, window))
        .filter_map(|look| match &look.point {
            Point::Value(Value::Number(count)) if *count >= 0.0 => Some(*count),
            _ => None,
        })
        .collect();
    if counts.len() < 2 {
        return Finding::unknown(Quality::TooFew, "one look at a counter is no difference");
    }
    let grown: f64 = counts.windows(2).map(|pair| growth(pair[0], pair[1])).sum();
    let n = (counts.len() - 1) as u64;
    let short = before.is_none();
    Finding {
        covered: short.then(|| series.covered(now, window)).flatten(),
        ..Finding::known(None, Value::Number(grown), n)
    }
}

/// How many of the values in the window pass the test.
pub(super) fn count_of(
    passing: &Passing,
    series: &Series,
    now: Moment,
    window: Duration,
) -> Finding {
    let Tested { passed, decided, undecided } = tested(passing, series, now, window);
    let count = passed as f64;
    let count = if undecided > 0 { Value::AtLeast(count) } else { Value::Number(count) };
    Finding { covered: series.covered(now, window), ..Finding::known(None, count, decided) }
}

/// Which share of the values in the window passes the test.
pub(super) fn share_of(
    passing: &Passing,
    series: &Series,
    now: Moment,
    window: Duration,
    min_events: u64,
) -> Finding {
    let Tested { passed, decided, undecided } = tested(passing, series, now, window);
    if undecided > 0 {
        let why = format!("of {undecided} values only a bound is known");
        return Finding::unknown(Quality::NoTraffic, why);
    }
    if decided < min_events.max(1) {
        return too_few(decided, min_events);
    }
    Finding {
        covered: series.covered(now, window),
        ..Finding::known(None, Value::Number(passed as f64 / decided as f64), decided)
    }
}

pub(super) fn too_few(n: u64, needed: u64) -> Finding {
    let (quality, why) = match n {
        0 => (Quality::NoTraffic, "no traffic: there is nothing to take a share of".to_owned()),
        _ => (Quality::TooFew, format!("n = {n}, too few: {needed} are needed")),
    };
    Finding { n: Some(n), ..Finding::unknown(quality, why) }
}

/// How the values of a window came out.
#[derive(Default)]
struct Tested {
    passed: u64,
    decided: u64,
    /// Of these only a bound is known, and on the wrong side.
    undecided: u64,
}

fn tested(passing: &Passing, series: &Series, now: Moment, window: Duration) -> Tested {
    let mut tested = Tested::default();
    for look in series.within(now, window) {
        let Point::Value(value) = &look.point else { continue };
        match compare(passing.op, value, &passing.constant) {
            Some(passes) => {
                tested.passed += u64::from(passes);
                tested.decided += 1;
            }
            None => tested.undecided += 1,
        }
    }
    tested
}

/// The growth of one counter over the growth of another.
pub(super) fn ratio(
    parts: &Series,
    others: &Series,
    of_rest: bool,
    now: Moment,
    window: Duration,
    min_events: u64,
) -> Finding {
    let mut pair = RatioCounter::default();
    let from = edge(parts, now, window);
    for look in from.into_iter().chain(parts.within(now, window)) {
        let (Some(part), Some(other)) = (count(look), at_same_time(others, look).and_then(count))
        else {
            continue;
        };
        let rest = if of_rest { other } else { (other - part).max(0.0) };
        pair.add(look.at, part, rest, None);
    }
    let Some(rate) = pair.over(now, window) else {
        return Finding::unknown(Quality::TooFew, "one look at a counter is no difference");
    };
    let n = rate.lookups as u64;
    match rate.ratio() {
        Some(ratio) if n >= min_events => Finding {
            covered: parts.covered(now, window),
            ..Finding::known(None, Value::Number(ratio), n)
        },
        _ => too_few(n, min_events),
    }
}

fn count(look: &Look) -> Option<f64> {
    match look.point {
        Point::Value(Value::Number(count)) if count >= 0.0 => Some(count),
        _ => None,
    }
}

/// The look at the other counter that was made together with this one, or the last before it.
fn at_same_time<'a>(others: &'a Series, look: &Look) -> Option<&'a Look> {
    others.newest(look.at)
}
