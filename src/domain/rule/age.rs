//! How long ago something was: a point in time that a service tells, or the last look itself.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    evaluate::{Data, whole_seconds},
    expression::SeriesName,
    finding::Finding,
    series::{Look, Point},
};
use crate::domain::{
    time::{Moment, short_duration},
    value::{Value, tidy},
    verdict::Quality,
};

/// A point in time this far in the future is no rounding: one of the clocks is wrong.
const FUTURE: SignedDuration = SignedDuration::from_secs(5);

/// The time since the point in time that a look tells, by the clock of its server.
pub(super) fn age(look: &Look, now: Moment, clock_ahead: SignedDuration) -> Finding {
    let then = match &look.point {
        Point::Value(value) => point_in_time(value),
        _ => None,
    };
    let Some(then) = then else {
        return Finding::unknown(Quality::Error, "the value is no point in time");
    };
    let server_now = now.wall.saturating_add(clock_ahead).unwrap_or(now.wall);
    let age = server_now.duration_since(then);
    if age < -FUTURE {
        let ahead = tidy(-age.as_secs_f64());
        return Finding::unknown(
            Quality::Error,
            format!("the value lies {ahead} s in the future: compare the clocks"),
        );
    }
    let finding = Finding::known(None, Value::Number(age.as_secs_f64().max(0.0)), 1);
    let skew = tidy(clock_ahead.as_secs_f64().abs());
    let why = match clock_ahead {
        ahead if ahead > FUTURE => Some(format!("the server's clock is {skew} s ahead of ours")),
        ahead if ahead < -FUTURE => Some(format!("the server's clock is {skew} s behind ours")),
        _ => None,
    };
    Finding { why, ..finding }
}

/// What is known of the age of something that never was: it is at least as long ago as its
/// source has said so. Silence before that is no evidence, and a source that fails says nothing.
pub(super) fn never_seen(name: &SeriesName, data: &Data<'_>, now: Moment) -> Option<Finding> {
    let series = data.series.get(name)?;
    let (lacking, trouble) = (series.lacking?, series.trouble.as_ref()?);
    let since = match series.blind_until {
        Some(blind) if blind.mono > lacking.mono => blind,
        _ => lacking,
    };
    let watched = now.since(since);
    let why = format!("never seen in {}: {}", short_duration(whole_seconds(watched)), trouble.why);
    let value = Value::AtLeast(watched.as_secs_f64());
    Some(Finding { why: Some(why), ..Finding::known(None, value, 0) })
}

/// A point in time, as services write it: RFC 3339, or seconds or milliseconds since 1970.
fn point_in_time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Text(text) => text.trim().parse().ok(),
        Value::Number(number) if *number > 1e12 => Timestamp::from_millisecond(*number as i64).ok(),
        Value::Number(number) if *number > 1e9 => {
            Timestamp::from_millisecond((*number * 1_000.0) as i64).ok()
        }
        _ => None,
    }
}

/// Whether nothing was seen for `limit`. Silence before the console began to watch is no
/// evidence, and neither is a silence that is our own: those only delay the answer.
pub(super) fn absent(name: &SeriesName, limit: Duration, data: &Data<'_>, now: Moment) -> Finding {
    let Some(series) = data.series.get(name) else {
        return Finding::unknown(Quality::Unconfigured, format!("there is no series {name}"));
    };
    if let Some(trouble) = &series.trouble
        && trouble.quality == Quality::Unconfigured
    {
        // Nobody looks: that nothing is seen says nothing.
        return Finding::unknown(trouble.quality, trouble.why.clone());
    }
    if let Some(trouble) = &series.trouble
        && trouble.quality == Quality::Error
        && name.reading.as_ref() != "up"
    {
        // Whoever may not look cannot say that nothing happened.
        return Finding::unknown(trouble.quality, trouble.why.clone());
    }
    let newest = series
        .looks()
        .rev()
        .find(|look| look.at.mono <= now.mono && matches!(look.point, Point::Value(_)));
    let watched_from = match (series.began, series.blind_until) {
        (Some(began), Some(blind)) if blind.mono > began.mono => Some(blind),
        (began, _) => began,
    };
    let seen = newest.map(|look| look.at);
    let silent_since = match (seen, watched_from) {
        (Some(seen), Some(from)) if from.mono > seen.mono => from,
        (Some(seen), _) => seen,
        (None, Some(from)) => from,
        (None, None) => {
            return Finding::unknown(Quality::Waiting, format!("{name} was not seen yet"));
        }
    };
    let silence = now.since(silent_since);
    let bad = silence >= limit;
    let value = Value::Number(silence.as_secs_f64());
    // Silence is seen with every evaluation anew.
    let seen = seen.filter(|_| !bad);
    let finding = Finding { seen, ..Finding::known(Some(bad), value, 0) };
    let finding = Finding { threshold: Some(Value::Number(limit.as_secs_f64())), ..finding };
    match newest {
        Some(_) => finding,
        None if bad => Finding { why: Some(format!("{name} was never seen")), ..finding },
        None => Finding { bad: None, quality: Quality::Waiting, ..finding },
    }
}
