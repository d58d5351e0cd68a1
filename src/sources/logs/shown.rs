//! What the screen shows of an entry. What is personal, or a secret by its name, is taken
//! out wherever it stands: in a field, in objects within it, and in objects within a text.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::{
    gather::{field, number, plain},
    inline,
    names::{self, Kept},
    parse::Entry,
    window::general,
};
use crate::{
    config::profile::{LogFields, LogsSource},
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

/// How entries of a log are shown.
#[derive(Debug)]
pub(super) struct Shown {
    names: LogFields,
    kept: Kept,
}

impl Shown {
    /// As that log is configured.
    pub(super) fn new(config: &LogsSource) -> Self {
        Self { names: config.fields.clone(), kept: Kept::new(config) }
    }

    /// An entry as it is shown.
    pub(super) fn entry(&self, entry: &Entry, at: Timestamp) -> LogEntry {
        let names = &self.names;
        let level = names::level(&entry.fields, names);
        let message = names::message(&entry.fields, names);
        let said = match (&entry.plain, message) {
            (Some(words), _) => self.text(words),
            (None, Some((_, message))) => self.without_personal(message),
            (None, None) => String::new(),
        };
        let told = [
            names.time.as_str(),
            level.map_or(names.level.as_str(), |(name, _)| name),
            message.map_or(names.message.as_str(), |(name, _)| name),
        ];
        // What a request is about stands before the rest, wherever it was written.
        let first = [names.status.as_str(), "method", names.path.as_str(), names.duration.as_str()];
        let leading = first.iter().filter_map(|name| entry.fields.get_key_value(*name));
        let others = entry.fields.iter().filter(|(name, _)| !first.contains(&name.as_str()));
        let fields = leading.chain(others).filter(|(name, _)| !told.contains(&name.as_str()));
        let fields = fields.filter_map(|(name, value)| {
            let shown = self.kept.shown(name)?;
            let text = match value.as_str() {
                Some(path) if *name == names.path => general(path),
                _ => self.without_personal(value),
            };
            Some((shown, clip(&text, LONGEST_FIELD)))
        });
        let status = field(&entry.fields, &names.status).and_then(number);
        LogEntry {
            at,
            service: entry.service.as_deref().map(Arc::from),
            level: level.map(|(_, level)| Arc::from(clip(&plain(level), 20))),
            message: clip(&said, LONGEST_MESSAGE).into(),
            failed: status.is_some_and(|status| (500.0..600.0).contains(&status)),
            fields: fields.take(MOST_FIELDS).collect(),
        }
    }

    /// A text without personal objects in it.
    pub(super) fn text(&self, text: &str) -> String {
        let end = text.char_indices().nth(LONGEST_MESSAGE).map_or(text.len(), |(at, _)| at);
        inline::without(&text[..end], &|json| self.strip(json))
    }

    /// A value as text, without what is never kept.
    fn without_personal(&self, value: &Json) -> String {
        if matches!(value, Json::Null | Json::Bool(_) | Json::Number(_)) {
            return plain(value);
        }
        let mut value = value.clone();
        self.strip(&mut value);
        plain(&value)
    }

    /// Takes out what is never kept. Whether there was anything.
    fn strip(&self, value: &mut Json) -> bool {
        match value {
            Json::Object(fields) => {
                let before = fields.len();
                fields.retain(|name, _| self.kept.shown(name).is_some());
                let mut stripped = fields.len() < before;
                for value in fields.values_mut() {
                    stripped |= self.strip(value);
                }
                stripped
            }
            Json::Array(items) => {
                let mut stripped = false;
                for item in items {
                    stripped |= self.strip(item);
                }
                stripped
            }
            Json::String(words) => {
                let mut without = self.text(words);
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
}
