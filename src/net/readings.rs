//! Configured values out of an answer over HTTP.

use std::sync::Arc;

use hyper::HeaderMap;
use serde_json::Value as Json;
use serde_json_path::JsonPath;

use super::words::clip;
use crate::{config::profile::Extract, domain::value::Value};

/// The longest text that is kept, in characters.
const LONGEST_TEXT: usize = 200;

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
        (Extract::Json(_) | Extract::Count(_), None) => Err("there is no JSON".to_owned()),
        (Extract::Header(name), _) => header(name, headers),
        (Extract::Info(_), _) => Err("only Redis has INFO fields".to_owned()),
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
        Extract::Count(_) | Extract::Info(_) => None,
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

/// How many nodes there are. None may mean that the list is empty, or that there is no
/// list: only the first is a count.
fn count(path: &JsonPath, json: &Json) -> Result<Value, String> {
    let found = path.query(json).len();
    if found == 0 {
        list_exists(path, json)?;
    }
    Ok(Value::Number(found as f64))
}

/// Whether what the last bracket of a path selects from is there at all.
///
/// # Errors
/// It is not, as the text says.
pub fn list_exists(path: &JsonPath, json: &Json) -> Result<(), String> {
    let text = path.to_string();
    let Some(parent) = before_last_bracket(&text).and_then(|text| JsonPath::parse(text).ok())
    else {
        return Ok(());
    };
    let nodes = parent.query(json);
    if nodes.iter().any(|node| node.is_array() || node.is_object()) {
        return Ok(());
    }
    Err(format!("{parent} is not in the answer, or is no list"))
}

/// `$.a` of `$.a[?(@.b == "]")]`; none where the path does not end in a bracket.
fn before_last_bracket(path: &str) -> Option<&str> {
    path.ends_with(']').then_some(())?;
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
            _ => {}
        }
    }
    path.get(..start?)
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
    fn an_empty_list_counts_zero_and_no_list_counts_nothing() {
        let answer = json!({"alerts": [], "odd": 3, "some": [{"s": "]"}, {"s": "x"}]});
        assert_eq!(count(&path("$.alerts[*]"), &answer), Ok(Value::Number(0.0)));
        assert_eq!(count(&path("$.some[?@.s == ']']"), &answer), Ok(Value::Number(1.0)));
        assert_eq!(count(&path("$.some[?@.s == 'q]']"), &answer), Ok(Value::Number(0.0)));
        assert!(count(&path("$.gone[*]"), &answer).is_err());
        assert!(count(&path("$.odd[*]"), &answer).is_err());
    }
}
