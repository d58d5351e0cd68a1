//! Configured values out of an answer over HTTP.

use std::sync::Arc;

use hyper::HeaderMap;
use jiff::{Timestamp, tz::TimeZone};
use regex::Regex;
use serde_json::Value as Json;
use serde_json_path::JsonPath;

use super::words::{clip, quote};
use crate::{config::profile::Extract, domain::value::Value};

/// The longest text that is kept, in characters.
const LONGEST_TEXT: usize = 200;
/// The most texts of a list that are kept: nobody chooses from more.
const LONGEST_LIST: usize = 100;

/// The longest text that is quoted, in characters.
const LONGEST_QUOTED: usize = 80;

/// The longest value that is passed on as it was written, bytes.
const LONGEST_WRITTEN: usize = 4 << 10;

/// One value out of an answer, whose body is `json` where it is JSON at all.
///
/// # Errors
/// The value is not there, or is none; the text says why. It never becomes a zero.
pub fn read(from: &Extract, json: Option<&Json>, headers: &HeaderMap) -> Result<Value, String> {
    match (from, json) {
        (Extract::Json(paths), Some(json)) => first(paths, json),
        (Extract::Count(path), Some(json)) => count(path, json),
        (Extract::List(path), Some(json)) => list(path, json),
        (Extract::Labels { items, parts }, Some(json)) => labels(items, parts, json),
        (Extract::Past { path, pattern }, Some(json)) => {
            past(path, pattern.as_ref(), json, Timestamp::now())
        }
        (Extract::Header(name), _) => header(name, headers),
        (Extract::Info(_), _) => Err("only Redis has INFO fields".to_owned()),
        (_, None) => Err("there is no JSON".to_owned()),
    }
}

/// One value out of a JSON document that did not come over HTTP.
///
/// # Errors
/// As [`read`].
pub fn in_json(from: &Extract, json: &Json) -> Result<Value, String> {
    read(from, Some(json), &HeaderMap::new())
}

/// The same value as it was written, without reading it as a number: for whoever passes it
/// on. None where it is none, or longer than anything that one would pass on.
pub fn as_written(from: &Extract, json: Option<&Json>, headers: &HeaderMap) -> Option<String> {
    match from {
        Extract::Json(paths) => {
            let json = json?;
            paths.iter().find_map(|path| {
                let nodes = path.query(json);
                if nodes.len() == 1 { nodes.first().and_then(written) } else { None }
            })
        }
        Extract::Header(name) => {
            let text = headers.get(name)?.to_str().ok()?;
            (text.len() <= LONGEST_WRITTEN).then(|| text.to_owned())
        }
        Extract::Count(_)
        | Extract::List(_)
        | Extract::Labels { .. }
        | Extract::Past { .. }
        | Extract::Info(_) => None,
    }
}

/// A single JSON value as it was written.
pub fn written(json: &Json) -> Option<String> {
    let text = match json {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Bool(flag) => flag.to_string(),
        Json::Null | Json::Array(_) | Json::Object(_) => return None,
    };
    (!text.is_empty() && text.len() <= LONGEST_WRITTEN).then_some(text)
}

/// The value at the first path that leads to one.
fn first(paths: &[JsonPath], json: &Json) -> Result<Value, String> {
    let mut reason = None;
    for path in paths {
        let nodes = path.query(json);
        let outcome = match nodes.len() {
            0 => continue,
            1 => nodes.first().map_or_else(|| Err(String::new()), value),
            many => Err(format!("{path} matches {many} values, not one")),
        };
        match outcome {
            Ok(value) => return Ok(value),
            Err(why) => {
                reason.get_or_insert(if why.contains('$') { why } else { format!("{path} {why}") });
            }
        }
    }
    Err(reason.unwrap_or_else(|| {
        let tried: Vec<String> = paths.iter().map(ToString::to_string).collect();
        format!("not in the answer (looked for {})", tried.join(", "))
    }))
}

/// A JSON value, where it is a single one.
///
/// # Errors
/// It is none, as the text says.
pub fn value(json: &Json) -> Result<Value, String> {
    match json {
        Json::Null => Err("is null".to_owned()),
        Json::Bool(flag) => Ok(Value::Bool(*flag)),
        Json::Number(number) => number
            .as_f64()
            .and_then(Value::number)
            .ok_or_else(|| format!("is no number that can be used: {number}")),
        Json::String(text) => from_text(text),
        Json::Array(_) => Err("is a list, not a value".to_owned()),
        Json::Object(_) => Err("is an object, not a value".to_owned()),
    }
}

/// The number, the bound or the text that a text spells.
///
/// # Errors
/// It says nothing, or that there is no number.
pub fn from_text(text: &str) -> Result<Value, String> {
    match text.trim() {
        "" => Err("is empty".to_owned()),
        odd
        @ ("NaN" | "nan" | "Infinity" | "-Infinity" | "inf" | "-inf" | "null" | "undefined") => {
            Err(format!("is {odd}"))
        }
        text => Ok(match Value::from_text(text) {
            Value::Text(text) => Value::Text(Arc::from(clip(&text, LONGEST_TEXT))),
            other => other,
        }),
    }
}

/// The texts that a path matches. None is an empty list only where the list is there.
fn list(path: &JsonPath, json: &Json) -> Result<Value, String> {
    let nodes = path.query(json);
    if nodes.is_empty() {
        list_exists(path, json)?;
    }
    let texts: Result<Vec<String>, String> = nodes
        .iter()
        .map(|node| match node {
            Json::String(text) => Ok(text.clone()),
            Json::Number(number) => Ok(number.to_string()),
            _ => Err(format!("{path} matches something that is neither a text nor a number")),
        })
        .collect();
    Ok(choices(texts?.iter().map(String::as_str)))
}

/// A line for each node that a path matches, in their order: an empty one where nothing tells
/// a node apart, so that the next one keeps its own.
fn labels(items: &JsonPath, parts: &[JsonPath], json: &Json) -> Result<Value, String> {
    let nodes = items.query(json);
    if nodes.is_empty() {
        list_exists(items, json)?;
    }
    let line = |node: &Json| {
        let parts = parts.iter().filter_map(|part| label(part.query(node).first()?));
        Arc::from(clip(&parts.collect::<Vec<_>>().join("  "), LONGEST_TEXT))
    };
    Ok(Value::List(nodes.iter().take(LONGEST_LIST).map(|node| line(node)).collect()))
}

/// A value in a line: a time to the minute, of a text its first line.
fn label(json: &Json) -> Option<String> {
    // Milliseconds between 2001 and 2286; nothing else that people tell things apart by.
    const MILLISECONDS: std::ops::Range<i64> = 1_000_000_000_000..10_000_000_000_000;
    let minute = |at: Timestamp| at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%MZ").to_string();
    let text = match json {
        Json::String(text) => match text.parse::<Timestamp>() {
            Ok(at) => minute(at),
            Err(_) => text.trim().lines().next().unwrap_or_default().to_owned(),
        },
        Json::Number(number) => number
            .as_i64()
            .filter(|number| MILLISECONDS.contains(number))
            .and_then(|number| Timestamp::from_millisecond(number).ok())
            .map_or_else(|| number.to_string(), minute),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// How many of the texts that a path matches name a point in time that is over by now. One
/// that names none is an error: it would be over for ever unseen.
fn past(
    path: &JsonPath,
    pattern: Option<&Regex>,
    json: &Json,
    now: Timestamp,
) -> Result<Value, String> {
    let nodes = path.query(json);
    if nodes.is_empty() {
        list_exists(path, json)?;
    }
    let mut over = 0_u32;
    for node in nodes.iter() {
        let text =
            node.as_str().ok_or_else(|| format!("{path} matches something that is no text"))?;
        let named = match pattern {
            Some(pattern) => pattern
                .captures(text)
                .and_then(|found| found.get(1).or_else(|| found.get(0)))
                .map(|found| found.as_str()),
            None => Some(text.trim()),
        };
        let time: Timestamp = named
            .and_then(|named| named.parse().ok())
            .ok_or_else(|| format!("{} names no point in time", quote(text, LONGEST_QUOTED)))?;
        over += u32::from(time <= now);
    }
    Ok(Value::Number(f64::from(over)))
}

/// A list of what one can choose from: each text once and on one line, the first hundred.
pub fn choices<'a>(texts: impl IntoIterator<Item = &'a str>) -> Value {
    let mut kept: Vec<Arc<str>> = Vec::new();
    for text in texts {
        let text = clip(text.trim(), LONGEST_TEXT);
        if !text.is_empty() && kept.iter().all(|other| **other != *text) {
            kept.push(text.into());
        }
        if kept.len() == LONGEST_LIST {
            break;
        }
    }
    Value::List(kept.into())
}

/// How many nodes there are. None may mean that there is nothing to count, or that what it
/// would stand in is not there: only the first is a count.
fn count(path: &JsonPath, json: &Json) -> Result<Value, String> {
    let found = path.query(json).len();
    if found == 0 {
        list_exists(path, json)?;
    }
    Ok(Value::Number(found as f64))
}

/// Whether what the last step of a path selects from is there at all: the list of
/// `$.data.alerts[*]`, the object `$.data` of `$.data.alerts`. An empty list along the path
/// is there, and holds nothing to select from.
///
/// # Errors
/// It is not, as the text says.
pub fn list_exists(path: &JsonPath, json: &Json) -> Result<(), String> {
    // A descendant by its name is shown with a dot too many.
    let mut text = path.to_string().replace("...", "..");
    // The path itself may well match nothing.
    let mut may_be_empty = true;
    while let Some((before, last)) = before_last_step(&text) {
        let Ok(parent) = JsonPath::parse(before) else { return Ok(()) };
        let nodes = parent.query(json);
        if nodes.iter().any(|node| node.is_array() || node.is_object()) {
            if may_be_empty || selects_any_number(last) {
                return Ok(());
            }
            return Err(format!("{text} is not in the answer, or is no list"));
        }
        if !nodes.is_empty() {
            return Err(format!("{parent} is no list and no object"));
        }
        may_be_empty = false;
        text = before.to_owned();
    }
    Err(format!("{text} is no list and no object"))
}

/// Whether a step may select nothing of something that is there: all of it, what a filter
/// finds, or a slice.
fn selects_any_number(step: &str) -> bool {
    let inner = step.strip_prefix('[').and_then(|step| step.strip_suffix(']'));
    match inner.map(str::trim) {
        Some(inner) => inner == "*" || inner.starts_with('?') || inner.contains(':'),
        None => step == "*",
    }
}

/// `$.a` and the last step of `$.a[?(@.b == "]")]`, `$.a.b` and `$..b`; none of `$`.
fn before_last_step(path: &str) -> Option<(&str, &str)> {
    let (mut depth, mut start, mut quote, mut escaped) = (0_u32, None, None, false);
    for (at, c) in path.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => {
                if depth == 0 {
                    start = Some(at);
                }
                depth += 1;
            }
            (None, ']') => depth = depth.saturating_sub(1),
            (None, '.') if depth == 0 => start = Some(at),
            _ => {}
        }
    }
    let (before, last) = path.split_at_checked(start?)?;
    Some((before.trim_end_matches('.'), last.trim_start_matches('.')))
}

fn header(name: &str, headers: &HeaderMap) -> Result<Value, String> {
    match headers.get(name).map(hyper::header::HeaderValue::to_str) {
        None => Err(format!("not reported: no header {name}")),
        Some(Err(_)) => Err(format!("the header {name} is not text")),
        Some(Ok(text)) => from_text(text).map_err(|why| format!("the header {name} {why}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> JsonPath {
        JsonPath::parse(text).expect("a path")
    }

    #[test]
    fn values_keep_what_was_reported() {
        let table = [
            (json!(12.5), Ok(Value::Number(12.5))),
            (json!(-3), Ok(Value::Number(-3.0))),
            (json!(true), Ok(Value::Bool(true))),
            (json!("< 10ms"), Ok(Value::Below(10.0))),
            (json!("85%"), Ok(Value::Number(85.0))),
            (json!("healthy"), Ok(Value::Text("healthy".into()))),
            (json!("\u{1b}[31mred"), Ok(Value::Text("red".into()))),
            (json!(null), Err("$.x is null")),
            (json!("NaN"), Err("$.x is NaN")),
            (json!(""), Err("$.x is empty")),
            (json!([1]), Err("$.x is a list, not a value")),
            (json!({"y": 1}), Err("$.x is an object, not a value")),
        ];
        for (reported, expected) in table {
            let got = first(&[path("$.x")], &json!({ "x": reported.clone() }));
            assert_eq!(got.as_ref().map_err(|why| why.as_str()), expected.as_ref().map_err(|e| *e));
        }
    }

    #[test]
    fn the_first_path_with_a_value_wins() {
        let answer = json!({"a": null, "b": {"c": 7}, "d": [1, 2]});
        let paths = [path("$.missing"), path("$.a"), path("$.b.c")];
        assert_eq!(first(&paths, &answer), Ok(Value::Number(7.0)));
        let why = first(&[path("$.missing"), path("$.gone")], &answer).expect_err("nothing there");
        assert_eq!(why, "not in the answer (looked for $.missing, $.gone)");
        let why = first(&[path("$.d[*]")], &answer).expect_err("two");
        assert!(why.contains("matches 2 values"), "{why}");
    }

    #[test]
    fn what_is_over_is_counted_and_what_names_no_time_is_an_error() {
        let notes = |notes: &[&str]| json!({ "ips": notes.iter().map(|note| json!({ "notes": note })).collect::<Vec<_>>() });
        let pattern = Regex::new(r"until (\S+?Z)").expect("a pattern");
        let now = "2026-11-21T18:00:00Z".parse().expect("a time");
        let look = |answer: &Json| past(&path("$.ips[*].notes"), Some(&pattern), answer, now);
        let until =
            ["until 2026-11-21T17:59Z: x", "until 2026-11-21T18:00Z", "until 2026-11-21T18:01Z"];
        assert_eq!(look(&notes(&until)), Ok(Value::Number(2.0)));
        assert_eq!(look(&notes(&[])), Ok(Value::Number(0.0)));
        assert!(look(&json!({})).is_err());
        for odd in ["for ever", "until 2026-13-21T18:00Z"] {
            let why = look(&notes(&[odd])).expect_err("no time");
            assert!(why.contains("no point in time"), "{why}");
        }
        assert!(look(&json!({ "ips": [{ "notes": 5 }] })).is_err());
        let whole = past(&path("$.ends"), None, &json!({ "ends": "2020-01-01T00:00:00Z" }), now);
        assert_eq!(whole, Ok(Value::Number(1.0)));
    }

    #[test]
    fn an_empty_list_counts_zero_and_no_list_counts_nothing() {
        let answer = json!({"alerts": [], "odd": 3, "some": [{"s": "]"}, {"s": "x"}]});
        assert_eq!(count(&path("$.alerts[*]"), &answer), Ok(Value::Number(0.0)));
        assert_eq!(count(&path("$.some[?@.s == ']']"), &answer), Ok(Value::Number(1.0)));
        assert_eq!(count(&path("$.some[?@.s == 'q]']"), &answer), Ok(Value::Number(0.0)));
        assert!(count(&path("$.gone[*]"), &answer).is_err());
        assert!(count(&path("$.odd[*]"), &answer).is_err());
    }

    #[test]
    fn what_stands_in_something_absent_is_not_counted_as_none() {
        let answer = json!({"data": {"open": [], "some": [{"id": 1}], "odd": 3}});
        let table = [
            ("$.data.alerts", Ok(0)),
            ("$.data.some[*].id", Ok(1)),
            ("$.data.some[*].name", Ok(0)),
            ("$.data.some[5]", Ok(0)),
            // The list is there, and is empty: so is what would stand in its entries.
            ("$.data.open[*].id", Ok(0)),
            ("$.data.open[?@.x == 1].list[*]", Ok(0)),
            ("$.data.some[0:1].list[*]", Err(".list is not in the answer")),
            ("$.gone.alerts", Err("$.gone is not in the answer")),
            ("$.gone.more.alerts", Err("$.gone is not in the answer")),
            ("$.data.gone[*].id", Err("$.data.gone is not in the answer")),
            ("$.data.gone[0].id", Err("$.data.gone is not in the answer")),
            ("$.data['gone']['id']", Err("is not in the answer")),
            ("$.data.odd.id", Err("$.data.odd is no list and no object")),
            ("$.data.odd[*].id", Err("$.data.odd is no list and no object")),
            ("$..gone[*].id", Err("is not in the answer")),
        ];
        for (text, expected) in table {
            match (count(&path(text), &answer), expected) {
                (Ok(got), Ok(expected)) => {
                    assert_eq!(got.as_number(), Some(f64::from(expected)), "{text}");
                }
                (Err(got), Err(expected)) => assert!(got.contains(expected), "{text}: {got}"),
                (got, expected) => panic!("{text}: {got:?}, not {expected:?}"),
            }
        }
        assert!(count(&path("$.alerts"), &json!(5)).is_err());
    }

    #[test]
    fn what_tells_items_apart_is_a_line_for_each_of_them() {
        let json: Json = serde_json::json!({ "deployments": [
            { "uid": "a", "created": 1_767_225_660_000_i64, "meta": { "ref": "main", "message": "Fix\n\nmore" } },
            { "uid": "b" },
            { "uid": "c", "created": "2026-01-01T00:02:03.5Z", "meta": { "ref": "main", "message": "Fix" } },
        ] });
        let path = |text: &str| JsonPath::parse(text).expect("a path");
        let from = |items: &str| Extract::Labels {
            items: path(items),
            parts: ["$.created", "$.meta.ref", "$.meta.message"].map(path).into(),
        };
        let Ok(Value::List(lines)) = in_json(&from("$.deployments[*]"), &json) else {
            panic!("no list");
        };
        let lines: Vec<&str> = lines.iter().map(|line| &**line).collect();
        assert_eq!(lines, ["2026-01-01 00:01Z  main  Fix", "", "2026-01-01 00:02Z  main  Fix"]);
        assert!(in_json(&from("$.nothing[*]"), &json).is_err());
    }
}
