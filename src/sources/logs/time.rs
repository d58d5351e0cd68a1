//! Times as logs write them.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::Value as Json;

/// Numbers above this are milliseconds since the epoch, below it seconds.
const MILLISECONDS_FROM: f64 = 1e11;

/// A time in text, such as `2025-11-27T10:00:00.123Z` or, in that zone,
/// `2025-11-27 10:00:00,123`.
pub(super) fn of_text(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    if !text.as_bytes().first()?.is_ascii_digit() || text.len() > 40 {
        return None;
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let local: DateTime = text.replacen(',', ".", 1).parse().ok()?;
    // A time alone is a date to the parser: the hour has to be there.
    text.contains(':').then(|| zone.to_ambiguous_timestamp(local).compatible().ok())?
}

/// A time in a field.
pub(super) fn of_json(value: &Json, zone: &TimeZone) -> Option<Timestamp> {
    match value {
        Json::String(text) => of_text(text, zone),
        Json::Number(number) => {
            let number = number.as_f64().filter(|number| *number > 0.0)?;
            let scale = if number >= MILLISECONDS_FROM { 1.0 } else { 1_000.0 };
            let millis = number * scale;
            (millis < 1e15).then(|| Timestamp::from_millisecond(millis as i64).ok())?
        }
        _ => None,
    }
}

/// Separates the time that `docker logs --timestamps` puts before a line.
pub(super) fn before(line: &str) -> Option<(Timestamp, &str)> {
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    let like = first.len() >= 20 && first.as_bytes().get(10) == Some(&b'T');
    like.then(|| first.parse().ok())?.map(|time| (time, rest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read_in_their_own_zone_or_the_configured_one() {
        let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
        let table = [
            ("2025-11-27T10:00:00.123Z", Some(1_764_237_600_123)),
            ("2025-11-27T10:00:00+01:00", Some(1_764_234_000_000)),
            ("2025-11-27 10:00:00.123", Some(1_764_234_000_123)),
            ("2025-11-27 10:00:00,123", Some(1_764_234_000_123)),
            ("2025-11-27", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, millis) in table {
            assert_eq!(of_text(text, &berlin).map(Timestamp::as_millisecond), millis, "{text}");
        }
        let table = [
            (json!(1_764_237_600), Some(1_764_237_600_000)),
            (json!(1_764_237_600_123_u64), Some(1_764_237_600_123)),
            (json!(-5), None),
            (json!(1e300), None),
            (json!(true), None),
        ];
        for (value, millis) in table {
            let got = of_json(&value, &berlin).map(Timestamp::as_millisecond);
            assert_eq!(got, millis, "{value}");
        }
        let (time, rest) = before("2025-11-27T10:00:00.123456789Z text").expect("a time");
        assert_eq!((time.as_millisecond(), rest), (1_764_237_600_123, "text"));
        assert_eq!(before("2025-11-27 10:00:00 text"), None);
    }
}
