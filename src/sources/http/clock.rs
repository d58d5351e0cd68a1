//! How far the clock of a server is ahead of this one's.

use hyper::{
    HeaderMap,
    header::{AGE, DATE},
};
use jiff::Timestamp;

use crate::net::retry::http_date;

/// Whole seconds by which the server's clock is ahead, negative where it is behind; `None`
/// where it does not say what time it is. `middle` is this machine's time half way between
/// the request and the answer.
///
/// A `Date` has its fraction of a second cut off, so that its clock is ahead by up to a
/// second more than the difference says: rounded up, two clocks that agree are 0 apart. An
/// answer out of a cache is as old as its `Age` says.
pub(super) fn ahead(headers: &HeaderMap, middle: Timestamp) -> Option<f64> {
    let date = http_date(headers.get(DATE)?.to_str().ok()?)?;
    let age = match headers.get(AGE) {
        Some(age) => f64::from(age.to_str().ok()?.trim().parse::<u32>().ok()?),
        None => 0.0,
    };
    let ahead = (date.duration_since(middle).as_secs_f64() + age).ceil();
    // There is no negative zero among clocks.
    Some(ahead + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_agree_are_none_apart() {
        let date = "Thu, 27 Nov 2025 10:00:00 GMT";
        let table = [
            (date, None, "2025-11-27T10:00:00Z", Some(0.0)),
            (date, None, "2025-11-27T10:00:00.999Z", Some(0.0)),
            (date, None, "2025-11-27T09:59:57.5Z", Some(3.0)),
            (date, None, "2025-11-27T10:01:00.5Z", Some(-60.0)),
            (date, Some("60"), "2025-11-27T10:01:00.5Z", Some(0.0)),
            (date, Some("soon"), "2025-11-27T10:01:00.5Z", None),
            ("today", None, "2025-11-27T10:00:00Z", None),
        ];
        for (date, age, middle, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, date.parse().expect("a header"));
            if let Some(age) = age {
                headers.insert(AGE, age.parse().expect("a header"));
            }
            let got = ahead(&headers, middle.parse().expect("a time"));
            assert_eq!(got.map(f64::to_bits), expected.map(f64::to_bits), "{date} {middle}");
        }
        assert_eq!(ahead(&HeaderMap::new(), Timestamp::UNIX_EPOCH), None);
    }
}
