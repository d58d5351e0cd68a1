//! How long a service asks to be left alone.

use std::time::Duration;

use hyper::HeaderMap;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

/// Nobody is left alone for longer than this, whatever the header says.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Numbers from here on are points in time in seconds, smaller ones are spans: 2001.
const EPOCH_SECONDS: f64 = 1e9;

/// Numbers from here on are points in time in milliseconds.
const EPOCH_MILLIS: f64 = 1e11;

/// The wait that the headers of an answer ask for. `Retry-After` (RFC 9110, 10.2.3) counts
/// before the various forms of `X-RateLimit-Reset`. Points in time are taken by the
/// service's own clock, where the answer has a `Date`.
pub fn after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let now = text("date").and_then(http_date).unwrap_or(now);
    let wait = match text("retry-after") {
        Some(value) => number(value).map(span).or_else(|| until(http_date(value)?, now)),
        None => None,
    };
    let reset = || {
        let value = text("x-ratelimit-reset").or_else(|| text("ratelimit-reset"))?;
        moment_or_span(value, now)
    };
    wait.or_else(reset).map(|wait| wait.min(LONGEST))
}

/// A point in time (ISO 8601, or seconds or milliseconds since the epoch) or a span in
/// seconds.
fn moment_or_span(value: &str, now: Timestamp) -> Option<Duration> {
    let Some(number) = number(value) else {
        return until(value.parse().ok().or_else(|| http_date(value))?, now);
    };
    let millis = match number {
        n if n >= EPOCH_MILLIS => n,
        n if n >= EPOCH_SECONDS => n * 1000.0,
        n => return Some(span(n)),
    };
    until(Timestamp::from_millisecond(millis as i64).ok()?, now)
}

fn number(value: &str) -> Option<f64> {
    value.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

fn span(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST)
}

/// The time until then; none where it has passed.
fn until(then: Timestamp, now: Timestamp) -> Option<Duration> {
    let span: SignedDuration = then.duration_since(now);
    Duration::try_from(span).ok()
}

pub(crate) fn http_date(value: &str) -> Option<Timestamp> {
    rfc2822::parse(value).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Headers = &'static [(&'static str, &'static str)];

    fn wait(headers: Headers) -> Option<u64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a header"));
        }
        // 2026-01-01T00:00:00Z
        let now = Timestamp::from_second(1_767_225_600).expect("a time");
        after(&map, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn every_form_of_wait_is_read() {
        let table: [(Headers, Option<u64>); 14] = [
            (&[("retry-after", "30")], Some(30)),
            (&[("retry-after", " 1.5 ")], Some(1)),
            (&[("retry-after", "Thu, 01 Jan 2026 00:01:00 GMT")], Some(60)),
            (&[("retry-after", "Wed, 31 Dec 2025 23:59:00 GMT")], None),
            (&[("retry-after", "-5")], None),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "99999999999999")], Some(86_400)),
            (&[("x-ratelimit-reset", "2026-01-01T00:00:45.000Z")], Some(45)),
            (&[("x-ratelimit-reset", "1767225690")], Some(90)),
            (&[("x-ratelimit-reset", "1767225690000")], Some(90)),
            (&[("x-ratelimit-reset", "12")], Some(12)),
            (&[("retry-after", "7"), ("x-ratelimit-reset", "12")], Some(7)),
            (&[("retry-after", "soon"), ("ratelimit-reset", "12")], Some(12)),
            (&[], None),
        ];
        for (headers, expected) in table {
            assert_eq!(wait(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn dates_are_taken_by_the_clock_of_the_service() {
        let headers: Headers = &[
            ("date", "Thu, 01 Jan 2026 01:00:00 GMT"),
            ("retry-after", "Thu, 01 Jan 2026 01:00:20 GMT"),
        ];
        assert_eq!(wait(headers), Some(20));
    }
}
