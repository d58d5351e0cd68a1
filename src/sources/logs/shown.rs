//! What the screen shows of an entry. What is personal, or a secret by its name, is taken
//! out wherever it stands: in a field, in objects within it, and in objects within a text.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::{
    gather::{field, plain},
    inline,
    parse::Entry,
    window::general,
};
use crate::{
    config::{mask::is_secret_name, profile::LogsSource},
    domain::observation::LogEntry,
    net::words::clip,
};

/// How much of a message is kept, characters: enough for the trace of a stack. No more of a
/// text is looked at.
const LONGEST_MESSAGE: usize = 2_000;

/// How much of a field is kept, characters.
const LONGEST_FIELD: usize = 300;

/// The most fields of an entry that are shown.
const MOST_FIELDS: usize = 16;

/// An entry as it is shown.
pub(super) fn entry(config: &LogsSource, entry: &Entry, at: Timestamp) -> LogEntry {
    let names = &config.fields;
    let told = [&names.time, &names.level, &names.message];
    let fields =
        entry.fields.iter().filter(|(name, _)| !told.contains(name) && !is_kept_out(config, name));
    let fields = fields.take(MOST_FIELDS).map(|(name, value)| {
        let text = match value.as_str() {
            Some(path) if *name == names.path => general(path),
            _ => without_personal(config, value),
        };
        (Arc::from(clip(name, 40)), clip(&text, LONGEST_FIELD))
    });
    let level = field(&entry.fields, &names.level);
    let message = match &entry.plain {
        Some(words) => text(config, words),
        None => field(&entry.fields, &names.message)
            .map(|message| without_personal(config, message))
            .unwrap_or_default(),
    };
    LogEntry {
        at,
        service: entry.service.as_deref().map(Arc::from),
        level: level.map(|level| Arc::from(clip(&plain(level), 20))),
        message: clip(&message, LONGEST_MESSAGE).into(),
        fields: fields.collect(),
    }
}

/// A text without personal objects in it.
pub(super) fn text(config: &LogsSource, text: &str) -> String {
    let end = text.char_indices().nth(LONGEST_MESSAGE).map_or(text.len(), |(at, _)| at);
    inline::without(&text[..end], &|json| strip(config, json))
}

/// A value as text, without what is never kept.
fn without_personal(config: &LogsSource, value: &Json) -> String {
    let mut value = value.clone();
    strip(config, &mut value);
    plain(&value)
}

fn is_kept_out(config: &LogsSource, name: &String) -> bool {
    config.drop.contains(name) || is_secret_name(name)
}

/// Takes out what is never kept. Whether there was anything.
fn strip(config: &LogsSource, value: &mut Json) -> bool {
    match value {
        Json::Object(fields) => {
            let before = fields.len();
            fields.retain(|name, _| !is_kept_out(config, name));
            let mut stripped = fields.len() < before;
            for value in fields.values_mut() {
                stripped |= strip(config, value);
            }
            stripped
        }
        Json::Array(items) => {
            let mut stripped = false;
            for item in items {
                stripped |= strip(config, item);
            }
            stripped
        }
        Json::String(words) => {
            let mut without = text(config, words);
            // What is asked for with a path may be anybody's.
            if without.starts_with('/') || without.starts_with("http") {
                without.truncate(without.find('?').unwrap_or(without.len()));
            }
            let stripped = without != *words;
            *words = without;
            stripped
        }
        _ => false,
    }
}
