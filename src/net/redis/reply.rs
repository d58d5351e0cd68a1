//! Replies as plain types.

use std::collections::BTreeMap;

use redis::Value as Reply;

use crate::{
    domain::failure::{Failure, FailureKind},
    net::words::clip,
};

/// The most fields that are kept. Redis 7 reports some 180 by default.
const MOST_FIELDS: usize = 600;

/// The longest text of a field that is kept, in characters.
const LONGEST_TEXT: usize = 200;

/// A reply as an integer.
pub fn integer(reply: &Reply) -> Option<i64> {
    match reply {
        Reply::Int(number) => Some(*number),
        other => text(other)?.parse().ok(),
    }
}

/// A reply as text.
pub fn text(reply: &Reply) -> Option<String> {
    match reply {
        Reply::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Reply::SimpleString(text) | Reply::VerbatimString { text, .. } => Some(text.clone()),
        Reply::Okay => Some("OK".to_owned()),
        _ => None,
    }
}

/// The cursor and the keys in a reply to SCAN.
///
/// # Errors
/// It is no such reply.
pub fn scanned(reply: Reply) -> Result<(u64, Vec<Vec<u8>>), Failure> {
    let bad = || Failure::new(FailureKind::BadAnswer, "SCAN answered something else than keys");
    let Reply::Array(parts) = reply else { return Err(bad()) };
    let mut parts = parts.into_iter();
    let (Some(cursor), Some(Reply::Array(keys))) = (parts.next(), parts.next()) else {
        return Err(bad());
    };
    let cursor = text(&cursor).and_then(|text| text.parse().ok()).ok_or_else(bad)?;
    let keys = keys
        .into_iter()
        .filter_map(|key| match key {
            Reply::BulkString(bytes) => Some(bytes),
            _ => None,
        })
        .collect();
    Ok((cursor, keys))
}

/// The fields of an INFO answer by name, as text. What is no line `name:value` with a
/// plain name is left out.
pub fn fields(text: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        if line.starts_with('#') || !is_name(name) || fields.len() >= MOST_FIELDS {
            continue;
        }
        fields.insert(name.to_owned(), clip(value.trim_end(), LONGEST_TEXT));
    }
    fields
}

/// Whether that can be the name of a field.
pub fn is_name(name: &str) -> bool {
    (1..=80).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '|'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_bounded() {
        let long: String =
            (0..5_000).map(|i| format!("field{i}:{}\n", "x".repeat(1_000))).collect();
        let fields = fields(&long);
        assert_eq!(fields.len(), MOST_FIELDS);
        assert!(fields.values().all(|text| text.chars().count() <= LONGEST_TEXT));
    }
}
