//! How Prometheus evaluates the same condition, so that the engine can be held against it.
//!
//! Here "no data" and "the condition is false" are one thing, NaN compares as false,
//! percentiles are interpolated, and a counter's growth is extrapolated to the edges of
//! the window. Source: the documentation and the behaviour of Prometheus 2.42 and 3.x
//! (`rules/alerting.go`, `promql/functions.go`, `promql/engine.go`).

use std::time::Duration;

use super::{
    expression::{Clause, Function, Join, SeriesName, Subject, Test, When},
    finding::Finding,
    series::{Look, Point, SeriesStore},
};
use crate::domain::{condition::Op, time::Moment, value::Value, verdict::Quality};

/// How far back Prometheus looks for the newest value.
const LOOK_BACK: Duration = Duration::from_secs(300);

/// The behaviour of which Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Windows include their beginning.
    Two,
    /// Windows do not include their beginning.
    Three,
}

/// Evaluates a condition as Prometheus does: never "cannot be said".
pub fn evaluate(when: &When, series: &SeriesStore, now: Moment, version: Version) -> Finding {
    let sight = Sight { series, now, version };
    let mut findings = when
        .clauses
        .iter()
        .enumerate()
        .map(|(at, clause)| Finding { clause: at, ..sight.clause(clause) });
    let Some(first) = findings.next() else {
        return Finding::unknown(Quality::Unconfigured, "the rule has no condition");
    };
    findings.fold(first, |a, b| {
        let a_decides = match when.join {
            Join::All => a.bad == Some(false),
            Join::Any => a.bad == Some(true),
        };
        if a_decides || a.bad == b.bad { a } else { b }
    })
}

struct Sight<'a> {
    series: &'a SeriesStore,
    now: Moment,
    version: Version,
}

impl Sight<'_> {
    fn clause(&self, clause: &Clause) -> Finding {
        let value = self.figure(&clause.subject);
        let bad = match (&clause.test, value) {
            (_, None) => false,
            (Test::Against(op, constant), Some(value)) => holds(*op, value, constant),
            (Test::Itself, Some(value)) => value != 0.0,
            (Test::Expected(_), Some(_)) => false,
        };
        Finding {
            bad: Some(bad),
            quality: if value.is_some() { Quality::Fresh } else { Quality::Stale },
            value: value.filter(|value| value.is_finite()).map(Value::Number),
            threshold: match &clause.test {
                Test::Against(_, constant) => Some(constant.clone()),
                _ => None,
            },
            n: None,
            covered: None,
            why: None,
            seen: None,
            clause: 0,
        }
    }

    fn figure(&self, subject: &Subject) -> Option<f64> {
        match subject {
            Subject::Latest(name) => self.newest(name),
            Subject::Window(function, name, window) => {
                over(*function, &self.range(name, *window), self.now, *window, self.version)
            }
            Subject::Absent(name, window) => self.range(name, *window).is_empty().then_some(1.0),
            Subject::Ratio { part, other, of_rest, window } => {
                let grown = |name| {
                    let range = self.range(name, *window);
                    over(Function::Increase, &range, self.now, *window, self.version)
                };
                let (part, other) = (grown(part)?, grown(other)?);
                Some(part / if *of_rest { part + other } else { other })
            }
            Subject::Part { part, whole: limit } | Subject::Used { part, limit } => {
                Some(self.newest(part)? / self.newest(limit)?)
            }
            Subject::CountOf(..)
            | Subject::ShareOf(..)
            | Subject::Age(_)
            | Subject::Change(..)
            | Subject::Spike(_) => None,
        }
    }

    /// Whether a look lies in a window that ends now.
    fn sees(&self, at: Moment, window: Duration) -> bool {
        at.mono <= self.now.mono
            && match self.version {
                Version::Two => self.now.since(at) <= window,
                Version::Three => self.now.since(at) < window,
            }
    }

    fn newest(&self, name: &SeriesName) -> Option<f64> {
        let newest = self.series.get(name)?.newest(self.now)?;
        self.sees(newest.at, LOOK_BACK).then(|| newest.point.as_float()).flatten()
    }

    /// The looks in the window; staleness markers are none.
    fn range(&self, name: &SeriesName, window: Duration) -> Vec<(Moment, f64)> {
        let Some(series) = self.series.get(name) else { return Vec::new() };
        series
            .looks()
            .filter(|look| self.sees(look.at, window) && look.point != Point::Gone)
            .filter_map(|look: &Look| Some((look.at, look.point.as_float()?)))
            .collect()
    }
}

/// A comparison as floating-point numbers do it: NaN is neither smaller nor greater.
fn holds(op: Op, value: f64, constant: &Value) -> bool {
    let constant = match constant {
        Value::Number(number) => *number,
        Value::Bool(yes) => f64::from(u8::from(*yes)),
        _ => return false,
    };
    match op {
        Op::Equal | Op::In => value == constant,
        Op::NotEqual | Op::NotIn => value != constant,
        Op::Less => value < constant,
        Op::LessOrEqual => value <= constant,
        Op::Greater => value > constant,
        Op::GreaterOrEqual => value >= constant,
    }
}

/// The functions over a range.
fn over(
    function: Function,
    range: &[(Moment, f64)],
    now: Moment,
    window: Duration,
    version: Version,
) -> Option<f64> {
    let values = || range.iter().map(|(_, value)| *value);
    let first = values().next()?;
    let n = range.len() as f64;
    Some(match function {
        Function::Count => n,
        Function::Sum => Sum::of(values()).total(),
        Function::Avg => mean(values(), version),
        // A NaN gives way to any number.
        Function::Max => {
            values().fold(first, |max, v| if v > max || max.is_nan() { v } else { max })
        }
        Function::Min => {
            values().fold(first, |min, v| if v < min || min.is_nan() { v } else { min })
        }
        Function::Percentile(per_mille) => {
            quantile(f64::from(per_mille) / 1_000.0, values().collect())
        }
        Function::Increase => return extrapolated(range, now, window, version),
    })
}

/// A sum with what rounding lost of it (Kahan's, in Neumaier's form), as `kahanSumInc` of
/// Prometheus: without it the last digits differ, and with them what is equal.
#[derive(Clone, Copy, Default)]
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        values.fold(Self::default(), Self::plus)
    }

    fn plus(self, value: f64) -> Self {
        let sum = self.sum + value;
        let lost = if sum.is_infinite() {
            0.0
        } else if self.sum.abs() >= value.abs() {
            self.lost + ((self.sum - sum) + value)
        } else {
            self.lost + ((value - sum) + self.sum)
        };
        Self { sum, lost }
    }

    fn total(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.lost }
    }
}

/// `avg_over_time`: version 2 moves a mean from value to value, version 3 divides the sum
/// where that does not overflow.
fn mean(values: impl Iterator<Item = f64> + Clone, version: Version) -> f64 {
    if version == Version::Three {
        let sum = Sum::of(values.clone());
        if !sum.sum.is_infinite() {
            return (sum.sum + sum.lost) / values.count() as f64;
        }
    }
    let mut mean = Sum::default();
    for (before, value) in values.enumerate() {
        // The mean of what has no bounds stays so, until the other end or nothing is added.
        let stays = value.is_finite() || (value.is_infinite() && (value > 0.0) == (mean.sum > 0.0));
        if mean.sum.is_infinite() && stays {
            continue;
        }
        let count = (before + 1) as f64;
        let centre = match version {
            Version::Two => mean.sum,
            Version::Three => mean.sum + mean.lost,
        };
        mean = mean.plus(value / count - centre / count);
    }
    mean.total()
}

/// `quantile_over_time`: linear between the two nearest ranks.
fn quantile(q: f64, mut values: Vec<f64>) -> f64 {
    // NaN is smaller than any number here.
    values.sort_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let rank = q * (values.len() - 1) as f64;
    let lower = rank.floor().max(0.0) as usize;
    let upper = (lower + 1).min(values.len() - 1);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}

/// `increase`: the growth between the first and the last look, stretched towards the edges
/// of the window.
fn extrapolated(
    range: &[(Moment, f64)],
    now: Moment,
    window: Duration,
    version: Version,
) -> Option<f64> {
    let ((first_at, first), (last_at, last)) = (*range.first()?, *range.last()?);
    if range.len() < 2 {
        return None;
    }
    let resets: f64 =
        range.windows(2).filter(|pair| pair[1].1 < pair[0].1).map(|pair| pair[0].1).sum();
    let grown = last - first + resets;
    let sampled = last_at.since(first_at).as_secs_f64();
    let apart = sampled / (range.len() - 1) as f64;
    let near = apart * 1.1;
    let mut to_start = window.as_secs_f64() - now.since(first_at).as_secs_f64();
    let to_end = now.since(last_at).as_secs_f64();
    // A counter cannot have been below zero: it is not stretched further back than that.
    let to_zero = (grown > 0.0 && first >= 0.0).then(|| sampled * (first / grown));
    match version {
        Version::Two => {
            to_start = to_start.min(to_zero.unwrap_or(f64::INFINITY));
            to_start = if to_start < near { to_start } else { apart / 2.0 };
        }
        Version::Three => {
            to_start = if to_start < near { to_start } else { apart / 2.0 };
            to_start = to_start.min(to_zero.unwrap_or(f64::INFINITY));
        }
    }
    let to_end = if to_end < near { to_end } else { apart / 2.0 };
    Some(grown * ((sampled + to_start + to_end) / sampled))
}
