//! A page of rate-limit violations out of a JSON answer.
//!
//! Services disagree on every detail, so that reading is tolerant: times as ISO 8601,
//! seconds or milliseconds, numbers as text, whole addresses as endpoints. The request
//! headers that some report along hold credentials and are never looked at.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use serde_json_path::JsonPath;

use crate::{
    domain::{observation::Exhibit, violations::Violation},
    net::{readings, words::clip},
};

/// The most violations that are taken from one answer.
const LARGEST_PAGE: usize = 1_000;

/// The longest identifier or endpoint that is kept, in characters.
const LONGEST_NAME: usize = 200;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The violations, as many as may be taken.
    pub(super) violations: Vec<Violation>,
    unreadable: usize,
    left_out: usize,
}

impl Page {
    /// What the operator must know about the page, where it is not whole.
    pub(super) fn remark(&self) -> Option<String> {
        let mut parts = Vec::new();
        if self.unreadable > 0 {
            parts.push(format!("{} violations could not be read", self.unreadable));
        }
        if self.left_out > 0 {
            parts.push(format!("{} more violations were not taken", self.left_out));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// The same, for whoever counts them.
    pub(super) fn incomplete(&self) -> Option<Exhibit> {
        let (unreadable, left_out) = (self.unreadable as u64, self.left_out as u64);
        (unreadable + left_out > 0).then_some(Exhibit::Incomplete { unreadable, left_out })
    }
}

/// The violations that the path selects. An answer without such a list, or with nothing in it
/// that can be read, is not an answer without violations.
pub(super) fn page(path: &JsonPath, json: &Json, now: Timestamp) -> Result<Page, String> {
    let nodes = path.query(json).all();
    let nodes: Vec<&Json> = match nodes.as_slice() {
        [Json::Array(list)] => list.iter().collect(),
        [] => {
            readings::list_exists(path, json)?;
            if !path.to_string().ends_with(']') {
                return Err(format!("{path} is not in the answer"));
            }
            Vec::new()
        }
        nodes => nodes.to_vec(),
    };
    let mut page = Page { left_out: nodes.len().saturating_sub(LARGEST_PAGE), ..Page::default() };
    for node in nodes.into_iter().take(LARGEST_PAGE) {
        match node.as_object().and_then(|object| violation(object, now)) {
            Some(violation) => page.violations.push(violation),
            None => page.unreadable += 1,
        }
    }
    if page.violations.is_empty() && page.unreadable > 0 {
        return Err(format!(
            "none of the {} violations can be read: each needs a time and an identifier",
            page.unreadable + page.left_out
        ));
    }
    Ok(page)
}

/// One violation: at least a time and somebody.
fn violation(object: &Map<String, Json>, now: Timestamp) -> Option<Violation> {
    let get = |names: &[&str]| names.iter().find_map(|name| object.get(*name));
    let at = time(get(&["timestamp", "time", "at", "createdAt", "created_at"])?, now)?;
    let identifier = name(get(&["identifier", "id", "key", "user", "ip"])?)?;
    let endpoint = get(&["endpoint", "path", "url", "route"]).and_then(name).unwrap_or_default();
    let endpoint = path_only(&endpoint);
    let tier = get(&["tier", "type"])
        .and_then(name)
        .or_else(|| tier_of_endpoint(&endpoint).map(str::to_owned));
    let window = get(&["windowMs", "window_ms"]).and_then(whole).map(Duration::from_millis);
    let window = window
        .or_else(|| get(&["windowSeconds", "window_s"]).and_then(whole).map(Duration::from_secs));
    Some(Violation {
        at,
        identifier,
        endpoint,
        limit: get(&["limit"]).and_then(whole),
        window,
        tier,
    })
}

fn time(json: &Json, now: Timestamp) -> Option<Timestamp> {
    let number = match json {
        Json::Number(number) => number.as_f64()?,
        Json::String(text) => match text.trim().parse::<f64>() {
            Ok(number) => number,
            Err(_) => return text.trim().parse().ok(),
        },
        _ => return None,
    };
    // Seconds and milliseconds since the epoch are three orders of magnitude apart.
    let seconds = now.as_second() as f64;
    let millis = if number > seconds * 30.0 { number } else { number * 1000.0 };
    (number > 0.0).then(|| Timestamp::from_millisecond(millis as i64).ok())?
}

fn name(json: &Json) -> Option<String> {
    let text = match json {
        Json::String(text) => clip(text.trim(), LONGEST_NAME),
        Json::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn whole(json: &Json) -> Option<u64> {
    match json {
        Json::Number(number) => number.as_u64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The path of an address; the query may hold tokens.
fn path_only(endpoint: &str) -> String {
    let without_origin = match endpoint.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => endpoint,
    };
    without_origin.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// The tier that an endpoint speaks of, where it speaks of exactly one.
fn tier_of_endpoint(endpoint: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 7] = [
        ("admin", "admin"),
        ("auth", "auth"),
        ("booking", "booking"),
        ("payment", "payment"),
        ("public", "public"),
        ("upload", "upload"),
        ("webhook", "webhook"),
    ];
    let mut found = None;
    for segment in endpoint.split('/') {
        let segment = segment.strip_suffix('s').unwrap_or(segment);
        for (word, tier) in WORDS {
            if segment.eq_ignore_ascii_case(word) {
                if found.is_some_and(|other| other != tier) {
                    return None;
                }
                found = Some(tier);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_767_225_600).expect("a time")
    }

    fn read(path: &str, answer: &Json) -> Result<Page, String> {
        page(&JsonPath::parse(path).expect("a path"), answer, now())
    }

    #[test]
    fn violations_are_read_tolerantly_and_without_headers() {
        let answer = json!({"violations": [
            {"timestamp": "2026-01-01T00:00:00Z", "identifier": "203.0.113.7",
             "endpoint": "https://a.test/api/bookings?token=s3cr3t-value", "limit": 10,
             "windowMs": 3_600_000, "headers": {"cookie": "session=s3cr3t-value"}},
            {"timestamp": 1_767_225_600_000_u64, "identifier": 42, "limit": "60"},
            {"timestamp": 1_767_225_600, "identifier": "u1", "endpoint": "/api/admin/payments"},
            {"identifier": "no time"},
            "not an object",
        ]});
        let page = read("$.violations[*]", &answer).expect("a page");
        assert_eq!(page.violations.len(), 3);
        assert_eq!(page.remark().as_deref(), Some("2 violations could not be read"));
        let incomplete = Exhibit::Incomplete { unreadable: 2, left_out: 0 };
        assert_eq!(page.incomplete(), Some(incomplete));
        let first = &page.violations[0];
        assert_eq!(first.endpoint, "/api/bookings");
        assert_eq!(first.tier.as_deref(), Some("booking"));
        assert_eq!((first.limit, first.window), (Some(10), Some(Duration::from_secs(3600))));
        assert!(!format!("{page:?}").contains("s3cr3t"));
        assert_eq!(page.violations[1].identifier, "42");
        assert_eq!(page.violations[1].limit, Some(60));
        assert!(page.violations.iter().all(|violation| violation.at == now()));
        assert_eq!(page.violations[2].tier, None, "two tiers are no clear one");
    }

    #[test]
    fn no_list_is_not_an_empty_list() {
        assert!(
            read("$.violations[*]", &json!({"violations": []}))
                .expect("none")
                .violations
                .is_empty()
        );
        assert!(
            read("$.violations", &json!({"violations": []})).expect("none").violations.is_empty()
        );
        assert!(read("$.violations[*]", &json!({"error": "x"})).is_err());
        assert!(read("$.violations", &json!({"error": "x"})).is_err());
        assert!(read("$.violations[*]", &json!({"violations": null})).is_err());
        let strange = json!({"violations": [{"when": 1}, {"when": 2}]});
        let why = read("$.violations[*]", &strange).expect_err("nothing can be read");
        assert!(why.starts_with("none of the 2 violations can be read"), "{why}");
    }

    #[test]
    fn a_page_is_bounded() {
        let one = json!({"timestamp": 1_767_225_600, "identifier": "x".repeat(900)});
        let answer = json!({ "violations": vec![one; 1_200] });
        let page = read("$.violations[*]", &answer).expect("a page");
        assert_eq!(page.violations.len(), LARGEST_PAGE);
        assert!(page.violations[0].identifier.chars().count() <= LONGEST_NAME);
        assert_eq!(page.remark().as_deref(), Some("200 more violations were not taken"));
    }
}
