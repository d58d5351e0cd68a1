//! Whether the condition of a rule is true now, on what is known and no more.

use std::time::Duration;

use super::{
    Band,
    age::{absent, age, never_seen},
    expression::{Clause, Function, Join, SeriesName, Side, Subject, Test, When},
    finding::Finding,
    series::{Look, Point, Series, SeriesStore},
    spike::{median, spike},
    window,
};
use crate::domain::{
    condition::{Op, compare},
    reading::age_quality,
    time::{Moment, short_duration},
    value::{Value, tidy},
    verdict::Quality,
};

/// What a rule may look at.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    /// The series.
    pub series: &'a SeriesStore,
    /// The expected bands, by the time after the marker.
    pub bands: &'a [Band],
    /// How long ago the marker was; none where it is not known.
    pub marker_age: Option<Duration>,
    /// Fewer events than this are too few for a ratio.
    pub min_events: u64,
}

/// Evaluates a condition.
pub fn evaluate(when: &When, data: &Data<'_>, now: Moment) -> Finding {
    let mut findings = when
        .clauses
        .iter()
        .enumerate()
        .map(|(at, clause)| Finding { clause: at, ..one(clause, data, now) });
    let Some(first) = findings.next() else {
        return Finding::unknown(Quality::Unconfigured, "the rule has no condition");
    };
    findings.fold(first, |a, b| joined(when.join, a, b))
}

/// The three-valued `and` and `or` of Kleene. What decided stands for the whole.
fn joined(join: Join, a: Finding, b: Finding) -> Finding {
    let deciding = match join {
        Join::All => Some(false),
        Join::Any => Some(true),
    };
    match (a.bad, b.bad) {
        (bad, _) if bad == deciding => a,
        (_, bad) if bad == deciding => b,
        (None, _) => a,
        (_, None) => b,
        _ => a,
    }
}

fn one(clause: &Clause, data: &Data<'_>, now: Moment) -> Finding {
    let mut finding = figure(&clause.subject, data, now);
    match &clause.test {
        Test::Itself => finding,
        Test::Against(op, constant) => {
            finding.threshold = Some(constant.clone());
            compared(&mut finding, &clause.subject, *op, constant);
            finding
        }
        Test::Expected(side) => expected(finding, *side, data),
    }
}

/// Compares a figure with a constant, as far as the figure carries.
fn compared(finding: &mut Finding, subject: &Subject, op: Op, constant: &Value) {
    let Some(value) = finding.value.clone().filter(|_| finding.quality.usable()) else { return };
    finding.bad = compare(op, &value, constant);
    if let (Some(watched), true) = (finding.covered, subject.is_total()) {
        let certain = match (op, finding.bad) {
            (Op::Greater | Op::GreaterOrEqual, Some(bad)) => bad,
            (Op::Less | Op::LessOrEqual, Some(bad)) => !bad,
            // It may still grow to anything that is more.
            (Op::Equal | Op::NotEqual, Some(_)) => {
                compare(Op::Greater, &value, constant) == Some(true)
            }
            _ => false,
        };
        // What can fall again is no lower bound, but it is not whole either.
        let falls = matches!(subject, Subject::Window(Function::Sum, ..));
        if let (Value::Number(number), false) = (&value, falls) {
            finding.value = Some(Value::AtLeast(*number));
        }
        if !certain {
            let watched = short_duration(whole_seconds(watched));
            finding.bad = None;
            finding.quality = Quality::TooFew;
            finding.why = Some(format!("watched too little: only the last {watched} were watched"));
        }
        return;
    }
    if finding.bad.is_none() && finding.why.is_some() && matches!(value, Value::AtLeast(_)) {
        // It is waited for.
        finding.quality = Quality::Waiting;
    }
    if finding.bad.is_none() && finding.why.is_none() {
        finding.why = Some(format!("{value} cannot be compared with {constant}"));
    }
}

/// Compares a figure with the band that is expected so long after the marker.
fn expected(mut finding: Finding, side: Side, data: &Data<'_>) -> Finding {
    let Some(value) = finding.value.as_ref().and_then(Value::as_number) else { return finding };
    let Some(age) = data.marker_age else {
        let why = "it is not known how long ago the marker was";
        return Finding { value: finding.value, ..Finding::unknown(Quality::NoTraffic, why) };
    };
    let Some(band) = data.bands.iter().rev().find(|band| age >= band.after) else {
        let why = format!("warming up: {} after the marker", short_duration(whole_seconds(age)));
        return Finding { value: finding.value, ..Finding::unknown(Quality::NoTraffic, why) };
    };
    let below = band.from.filter(|from| value < *from);
    let above = band.to.filter(|to| value > *to);
    let broken = match side {
        Side::Below => below,
        Side::Above => above,
        Side::Outside => below.or(above),
    };
    finding.bad = finding.quality.usable().then_some(broken.is_some());
    finding.threshold = broken.or(band.from).or(band.to).map(Value::Number);
    finding.why =
        Some(format!("expected {} {} after the marker", band, short_duration(band.after)));
    finding
}

pub(super) fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

fn figure(subject: &Subject, data: &Data<'_>, now: Moment) -> Finding {
    match subject {
        Subject::Latest(name) => with_series(name, data, now, |_, look| latest(look)),
        Subject::Window(function, name, window) => with_series(name, data, now, |series, _| {
            window::figure(*function, series, now, *window)
        }),
        Subject::CountOf(passing, window) => {
            with_series(&passing.series, data, now, |series, _| {
                window::count_of(passing, series, now, *window)
            })
        }
        Subject::ShareOf(passing, window) => {
            with_series(&passing.series, data, now, |series, _| {
                window::share_of(passing, series, now, *window, data.min_events)
            })
        }
        Subject::Ratio { part, other, of_rest, window } => {
            with_series(part, data, now, |parts, _| {
                with_series(other, data, now, |others, _| {
                    window::ratio(parts, others, *of_rest, now, *window, data.min_events)
                })
            })
        }
        Subject::Used { part, limit } => with_series(part, data, now, |_, used| {
            with_series(limit, data, now, |_, limit| share_used(used, limit))
        }),
        Subject::Part { part, whole } => with_series(part, data, now, |_, part| {
            with_series(whole, data, now, |_, whole| share_part(part, whole, data.min_events))
        }),
        Subject::Age(name) => match never_seen(name, data, now) {
            Some(finding) => finding,
            None => with_series(name, data, now, |series, look| age(look, now, series.clock_ahead)),
        },
        Subject::Absent(name, limit) => absent(name, *limit, data, now),
        Subject::Change(inner, over) => change(inner, *over, data, now),
        Subject::Spike(name) => {
            with_series(name, data, now, |series, _| match spike(series, now) {
                Some(found) => Finding {
                    threshold: Some(Value::Number(found.limit)),
                    ..Finding::known(
                        Some(found.found),
                        Value::Number(found.last),
                        found.minutes as u64,
                    )
                },
                None => Finding::unknown(
                    Quality::TooFew,
                    "less than 30 minutes of history: nothing is known of the usual",
                ),
            })
        }
    }
}

/// Looks at a series that can be believed, and says of any other why it cannot.
fn with_series(
    name: &SeriesName,
    data: &Data<'_>,
    now: Moment,
    look_at: impl FnOnce(&Series, &Look) -> Finding,
) -> Finding {
    let Some(series) = data.series.get(name) else {
        return Finding::unknown(Quality::Unconfigured, format!("there is no series {name}"));
    };
    if let Some(trouble) = &series.trouble {
        return Finding {
            seen: series.newest(now).map(|look| look.at),
            ..Finding::unknown(trouble.quality, trouble.why.clone())
        };
    }
    let Some(newest) = series.newest(now) else {
        return Finding::unknown(Quality::Waiting, format!("{name} was not seen yet"));
    };
    let blind = series.blind_until.is_some_and(|until| newest.at.mono <= until.mono);
    let quality = match (&newest.point, blind) {
        (Point::Gone, _) | (_, true) => Quality::Stale,
        _ => age_quality(now.since(newest.at), series.interval),
    };
    if !quality.usable() {
        let why = format!(
            "{name} was last seen {} ago",
            short_duration(whole_seconds(now.since(newest.at)))
        );
        return Finding { seen: Some(newest.at), ..Finding::unknown(quality, why) };
    }
    let mut finding = look_at(series, newest);
    if finding.quality == Quality::Fresh {
        finding.quality = quality;
    }
    finding.seen = match finding.seen {
        Some(seen) if seen.mono < newest.at.mono => Some(seen),
        _ => Some(newest.at),
    };
    finding
}

fn latest(look: &Look) -> Finding {
    match &look.point {
        Point::Value(value) => Finding::known(None, value.clone(), 1),
        Point::NotANumber => Finding::unknown(Quality::NoTraffic, "the value is no number"),
        Point::Infinite(_) => Finding::unknown(Quality::NoTraffic, "the value has no bounds"),
        Point::Gone => Finding::unknown(Quality::Stale, "the value is gone"),
    }
}

/// A gauge as a share of what it may be. A limit of zero is none, as with Redis' maxmemory.
fn share_used(used: &Look, limit: &Look) -> Finding {
    let number = |look: &Look| match &look.point {
        Point::Value(value) => value.as_number(),
        _ => None,
    };
    match (number(used), number(limit)) {
        (Some(_), Some(limit)) if limit <= 0.0 => {
            Finding::unknown(Quality::NoTraffic, "nothing limits it: the limit is zero")
        }
        (Some(used), Some(limit)) => Finding::known(None, Value::Number(used / limit), 1),
        _ => Finding::unknown(Quality::NoTraffic, "one of the two is no number"),
    }
}

/// One count as a share of the count that it is a part of, where there are enough of them.
fn share_part(part: &Look, whole: &Look, min_events: u64) -> Finding {
    let count = |look: &Look| match &look.point {
        Point::Value(Value::Number(count)) if *count >= 0.0 => Some(*count),
        _ => None,
    };
    match (count(part), count(whole)) {
        (Some(_), Some(whole)) if (whole as u64) < min_events.max(1) => {
            window::too_few(whole as u64, min_events)
        }
        (Some(part), Some(whole)) => {
            Finding::known(None, Value::Number(part / whole), whole as u64)
        }
        _ => Finding::unknown(Quality::NoTraffic, "one of the two is no count"),
    }
}

/// The change of a figure against the window before it, as a share of what it was.
fn change(inner: &Subject, over: Duration, data: &Data<'_>, now: Moment) -> Finding {
    let current = figure(inner, data, now);
    let Some(new) = current.value.as_ref().and_then(Value::as_number) else { return current };
    let Some(old) = baseline(inner, over, data, now) else {
        let why = format!("nothing is known of the {} before", short_duration(over));
        return Finding { value: None, ..Finding::unknown(Quality::NoTraffic, why) };
    };
    if old == 0.0 {
        return Finding::unknown(Quality::NoTraffic, "it was zero before: no share of that");
    }
    let value = Value::Number((new - old) / old.abs());
    Finding { value: Some(value), why: Some(format!("{} before", tidy(old))), ..current }
}

/// What the figure was before: for a single value the median over the window, for a figure
/// over a window the same figure over the window before that window.
fn baseline(inner: &Subject, over: Duration, data: &Data<'_>, now: Moment) -> Option<f64> {
    let (earlier, name) = match inner {
        Subject::Latest(name) => (Duration::ZERO, name),
        other => (other.reach(), *other.series().first()?),
    };
    let series = data.series.get(name)?;
    let then = Moment { mono: now.mono.checked_sub(earlier)?, ..now };
    if series.covered(then, over).is_some() {
        return None;
    }
    if let Subject::Latest(_) = inner {
        let newest = series.newest(now)?.at;
        let values: Vec<f64> = series
            .within(then, over)
            .filter(|look| look.at.mono < newest.mono)
            .filter_map(|look| look.point.as_float())
            .filter(|value| value.is_finite())
            .collect();
        return (!values.is_empty()).then(|| median(&values));
    }
    let before = match inner {
        Subject::Window(function, _, _) => window::figure(*function, series, then, over),
        Subject::CountOf(passing, _) => window::count_of(passing, series, then, over),
        Subject::ShareOf(passing, _) => {
            window::share_of(passing, series, then, over, data.min_events)
        }
        Subject::Ratio { other, of_rest, .. } => {
            let other = data.series.get(other)?;
            window::ratio(series, other, *of_rest, then, over, data.min_events)
        }
        _ => return None,
    };
    let per = match inner {
        // A count over a longer window is larger for that alone.
        Subject::Window(
            super::expression::Function::Count
            | super::expression::Function::Sum
            | super::expression::Function::Increase,
            ..,
        )
        | Subject::CountOf(..) => earlier.as_secs_f64() / over.as_secs_f64(),
        _ => 1.0,
    };
    Some(before.value?.as_number()? * per)
}
