//! Range queries: what is asked, and the one number that is made of the points.
//! <https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries>

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::recent;
use crate::{
    config::profile::{PointTake, PromQuery, QueryRange},
    domain::time::short_duration,
    net::words::clip,
};

/// The parameters that name the points. They lie on multiples of the step since the epoch, none
/// after now: asked again within a step, a server looks at the same points.
pub(super) fn parameters(over: &QueryRange, now: Timestamp) -> [(&'static str, String); 3] {
    let millis = |duration: Duration| i64::try_from(duration.as_millis());
    // Both are at most a year, and a step is at least a millisecond.
    let step = millis(over.step).unwrap_or(i64::MAX).max(1);
    let range = millis(over.range).unwrap_or(i64::MAX);
    let end = now.as_millisecond().div_euclid(step) * step;
    let start = end - range / step * step;
    // A fraction of a second is rounded down by a server: its own unit stays whole.
    let width = if step % 1_000 == 0 { (step / 1_000).to_string() } else { format!("{step}ms") };
    [("start", seconds(start)), ("end", seconds(end)), ("step", width)]
}

/// Milliseconds as seconds, exactly.
fn seconds(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    match millis % 1_000 {
        0 => format!("{sign}{}", millis / 1_000),
        rest => format!("{sign}{}.{rest:03}", millis / 1_000),
    }
}

/// A query in words: what is asked, and of which time.
pub(super) fn words(query: &PromQuery) -> String {
    match &query.over {
        None => query.text.clone(),
        Some(over) => {
            format!("{} of {} over {}", name(over.take), query.text, short_duration(over.range))
        }
    }
}

fn name(take: PointTake) -> &'static str {
    match take {
        PointTake::Max => "max",
        PointTake::Min => "min",
        PointTake::Avg => "avg",
        PointTake::Last => "last",
        PointTake::Count => "count",
    }
}

/// What was made of the points of a range.
#[derive(Debug, PartialEq)]
pub(super) struct Taken {
    /// The number.
    pub(super) value: f64,
    points: usize,
    left_out: usize,
}

impl Taken {
    /// Says that the number is not of all points, where it is not.
    pub(super) fn remark(&self) -> Option<String> {
        let (out, all) = (self.left_out, self.points);
        (out > 0).then(|| format!("{out} of {all} points are no numbers and left out"))
    }
}

/// Takes one number of the one series of an answer.
///
/// # Errors
/// There is none, in words: not one series, no points, none that is a number, none of now.
pub(super) fn take(
    kind: &str,
    result: &Json,
    take: PointTake,
    now: Timestamp,
) -> Result<Taken, String> {
    let one = one_series(kind, result)?;
    let points = one["values"].as_array().ok_or("the answer has no points")?;
    let mut numbers = Vec::with_capacity(points.len());
    for point in points {
        numbers.extend(number_at(point)?);
    }
    let newest = numbers.iter().copied().max_by(|(one, _), (other, _)| one.total_cmp(other));
    let Some((time, last)) = newest else {
        return Err(match points.len() {
            0 => "the series has no points".to_owned(),
            1 => "its one point is no number to judge by".to_owned(),
            all => format!("none of its {all} points is a number to judge by"),
        });
    };
    recent(time, now).map_err(|why| format!("the newest number {why}"))?;
    let values = numbers.iter().map(|(_, value)| *value);
    let count = numbers.len() as f64;
    let value = match take {
        PointTake::Max => values.fold(f64::NEG_INFINITY, f64::max),
        PointTake::Min => values.fold(f64::INFINITY, f64::min),
        PointTake::Avg => values.sum::<f64>() / count,
        PointTake::Last => last,
        PointTake::Count => count,
    };
    if !value.is_finite() {
        return Err("the points are too large to be added up".to_owned());
    }
    Ok(Taken { value, points: points.len(), left_out: points.len() - numbers.len() })
}

/// The one series of an answer, which is of numbers.
fn one_series<'a>(kind: &str, result: &'a Json) -> Result<&'a Json, String> {
    let series = match (kind, result) {
        ("matrix", Json::Array(series)) => series.as_slice(),
        (other, _) => {
            return Err(format!("the query gives a {}, not points of a range", clip(other, 20)));
        }
    };
    let one = match series {
        [] => return Err("no series: nothing matches the query in all of the range".to_owned()),
        [one] => one,
        many => {
            return Err(format!(
                "{} series, not one: aggregate them, as with sum(…) or max(…), or select more",
                many.len()
            ));
        }
    };
    if one["histograms"].as_array().is_some_and(|histograms| !histograms.is_empty()) {
        return Err("the query gives histograms, not numbers: ask for histogram_quantile(…), histogram_sum(…) or histogram_count(…) of them".to_owned());
    }
    Ok(one)
}

/// The time of a point, seconds since the epoch, and its number; None where it is infinite, not
/// a number, or marked as the end of a series.
///
/// # Errors
/// It has not the form of a point.
fn number_at(point: &Json) -> Result<Option<(f64, f64)>, String> {
    let time = point.get(0).and_then(Json::as_f64).ok_or("a point of the answer has no time")?;
    let text = point.get(1).and_then(Json::as_str).ok_or("a point of the answer has no value")?;
    if text == "stale" {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(number) => Ok(number.is_finite().then_some((time, number))),
        Err(_) => Err(format!("a point is {}, which is no number to judge by", clip(text, 40))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn of(take: PointTake, range: u64, step: u64) -> QueryRange {
        let (range, step) = (Duration::from_millis(range), Duration::from_millis(step));
        QueryRange { range, step, take }
    }

    /// A series of points, the last of which is of now and each other 15 seconds earlier.
    fn series(values: &[&str]) -> Json {
        let points = values.iter().rev().enumerate().map(|(back, value)| {
            let back = i64::try_from(back).expect("a few");
            json!([NOW - 15 * back, value])
        });
        let points: Vec<Json> = points.collect::<Vec<_>>().into_iter().rev().collect();
        json!([{ "metric": {}, "values": points }])
    }

    #[test]
    fn the_points_lie_on_multiples_of_the_step() {
        let table = [
            // The range and the step, the time, what is asked; all in milliseconds.
            ((900_000, 15_000), 1_000_000, ("90", "990", "15")),
            ((900_000, 15_000), 1_004_999, ("90", "990", "15")),
            ((900_000, 15_000), 1_005_000, ("105", "1005", "15")),
            // What is no multiple of the step is not exceeded.
            ((100_000, 15_000), 1_005_001, ("915", "1005", "15")),
            ((1_000, 290), 1_000_000, ("999.050", "999.920", "290ms")),
            ((60_000, 1_500), 1_000_001, ("939", "999", "1500ms")),
            // A clock that was never set.
            ((10_000, 500), 1_250, ("-9", "1", "500ms")),
            ((10_000, 500), -250, ("-10.500", "-0.500", "500ms")),
        ];
        for ((range, step), millis, (start, end, width)) in table {
            let now = Timestamp::from_millisecond(millis).expect("a time");
            let got = parameters(&of(PointTake::Max, range, step), now);
            let expected = [("start", start), ("end", end), ("step", width)];
            assert_eq!(got, expected.map(|(name, text)| (name, text.to_owned())), "{millis}");
        }
    }

    #[test]
    fn one_number_is_made_of_those_points_that_are_numbers() {
        use PointTake::{Avg, Count, Last, Max, Min};
        let plain = ["3", "-1.5", "9", "1e+1", "2"];
        let gaps = ["NaN", "4", "+Inf", "6", "-Inf", "stale", "NaN"];
        let table: [(&[&str], PointTake, f64, usize); 12] = [
            (&plain, Max, 10.0, 0),
            (&plain, Min, -1.5, 0),
            (&plain, Avg, 4.5, 0),
            (&plain, Last, 2.0, 0),
            (&plain, Count, 5.0, 0),
            (&gaps, Max, 6.0, 5),
            (&gaps, Min, 4.0, 5),
            (&gaps, Avg, 5.0, 5),
            (&gaps, Last, 6.0, 5),
            (&gaps, Count, 2.0, 5),
            (&["-7"], Max, -7.0, 0),
            (&["0"], Min, 0.0, 0),
        ];
        for (values, what, expected, left_out) in table {
            let got = take("matrix", &series(values), what, at(NOW)).expect("a number");
            assert_eq!((got.value, got.left_out), (expected, left_out), "{what:?} of {values:?}");
        }
        let got = take("matrix", &series(&gaps), Max, at(NOW)).expect("a number");
        assert_eq!(got.remark().as_deref(), Some("5 of 7 points are no numbers and left out"));
        let got = take("matrix", &series(&plain), Max, at(NOW)).expect("a number");
        assert_eq!(got.remark(), None);
        // The newest by its own time, in whatever order they come.
        let mixed = json!([{ "values": [[990, "2"], [1_000, "3"], [980, "1"]] }]);
        assert_eq!(take("matrix", &mixed, Last, at(NOW)).map(|taken| taken.value), Ok(3.0));
    }

    #[test]
    fn where_there_is_no_number_it_is_said_why() {
        let one = |inner: Json| json!([inner]);
        let table = [
            (json!([]), "no series: nothing matches the query in all of the range"),
            (
                json!([{ "values": [[1_000, "1"]] }, { "values": [[1_000, "2"]] }]),
                "2 series, not one: aggregate them, as with sum(…) or max(…), or select more",
            ),
            (one(json!({ "values": [] })), "the series has no points"),
            (series(&["NaN"]), "its one point is no number to judge by"),
            (series(&["NaN", "+Inf", "stale"]), "none of its 3 points is a number to judge by"),
            (series(&["1", "abc"]), "a point is abc, which is no number to judge by"),
            (series(&["1e308", "1e308"]), "the points are too large to be added up"),
            (one(json!({})), "the answer has no points"),
            (one(json!(7)), "the answer has no points"),
            (one(json!({ "values": [["x", "1"]] })), "a point of the answer has no time"),
            (one(json!({ "values": [[1_000, 1]] })), "a point of the answer has no value"),
            (one(json!({ "values": [7] })), "a point of the answer has no time"),
            (
                one(json!({ "values": [[1_000, "1"]], "histograms": [[1_000, {}]] })),
                "the query gives histograms, not numbers: ask for histogram_quantile(…), histogram_sum(…) or histogram_count(…) of them",
            ),
        ];
        for (result, expected) in table {
            let got = take("matrix", &result, PointTake::Avg, at(NOW));
            assert_eq!(got, Err(expected.to_owned()), "{result}");
        }
        for (kind, result) in [("vector", json!([])), ("scalar", json!([1, "1"]))] {
            let why = take(kind, &result, PointTake::Max, at(NOW)).expect_err("another kind");
            assert_eq!(why, format!("the query gives a {kind}, not points of a range"));
        }
        assert!(take("matrix", &json!({}), PointTake::Max, at(NOW)).is_err());
    }

    #[test]
    fn numbers_that_ended_more_than_five_minutes_ago_say_nothing_of_now() {
        for what in [PointTake::Max, PointTake::Count, PointTake::Last] {
            let got = take("matrix", &series(&["5", "6"]), what, at(NOW + 300));
            assert!(got.is_ok(), "{got:?}");
            let got = take("matrix", &series(&["5", "6"]), what, at(NOW + 301));
            let why = got.expect_err("it is old");
            assert!(why.starts_with("the newest number is of 1970-01-01 00:16:40 UTC"), "{why}");
            // What is no number does not make the others newer.
            let mut values = vec!["5"];
            values.extend(["NaN"; 21]);
            let why = take("matrix", &series(&values), what, at(NOW)).expect_err("it is old");
            assert!(why.starts_with("the newest number is of 1970-01-01 00:11:25 UTC"), "{why}");
        }
    }

    #[test]
    fn a_query_in_words_says_of_which_time_it_is() {
        let query = |over| PromQuery { text: "up".to_owned(), over };
        assert_eq!(words(&query(None)), "up");
        let over = of(PointTake::Max, 900_000, 15_000);
        assert_eq!(words(&query(Some(over))), "max of up over 15m");
    }
}
