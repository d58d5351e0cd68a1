//! What a field is, by its name: what says how bad an entry is, and what is never kept.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use serde_json::{Map, Value as Json};

use super::gather::field;
use crate::{
    config::{
        mask::is_secret_name,
        profile::{LogFields, LogsSource},
    },
    net::words::clip,
};

/// Where the level stands in logs that have no field of the configured name.
const LEVELS: [&str; 4] = ["level", "severity", "lvl", "loglevel"];

/// The same for what happened.
const MESSAGES: [&str; 2] = ["message", "msg"];

/// The most names of which it is remembered what they are.
const MOST: usize = 1_000;

/// How much of a name is kept, characters.
const LONGEST: usize = 40;

/// How bad an entry is, as it is written, and the name of the field that says so.
pub(super) fn level<'a>(
    fields: &'a Map<String, Json>,
    names: &'a LogFields,
) -> Option<(&'a str, &'a Json)> {
    named(fields, &names.level, &LEVELS)
}

/// What happened, and the name of the field that says so.
pub(super) fn message<'a>(
    fields: &'a Map<String, Json>,
    names: &'a LogFields,
) -> Option<(&'a str, &'a Json)> {
    named(fields, &names.message, &MESSAGES)
}

fn named<'a>(
    fields: &'a Map<String, Json>,
    name: &'a str,
    usual: &[&'static str],
) -> Option<(&'a str, &'a Json)> {
    let configured = field(fields, name).map(|value| (name, value));
    let is_plain = |value: &Json| value.is_string() || value.is_number();
    configured.or_else(|| {
        usual.iter().find_map(|name| {
            let value = fields.get(*name).filter(|value| is_plain(value))?;
            Some((*name, value))
        })
    })
}

/// What is kept, and under which name.
#[derive(Debug)]
pub(super) struct Kept {
    /// The parts of the names of what is not.
    dropped: Vec<Vec<String>>,
    /// Fields that the console itself needs are dropped by their whole name alone.
    needed: Vec<String>,
    /// What was found out: the name as it is shown, or that the field is left out.
    known: RefCell<HashMap<Box<str>, Option<Arc<str>>>>,
}

impl Kept {
    /// As that log is configured.
    pub(super) fn new(config: &LogsSource) -> Self {
        let names = &config.fields;
        let needed =
            [&names.status, &names.duration, &names.path, &names.trace].map(|name| name.to_owned());
        Self {
            dropped: config.drop.iter().map(|name| parts(name)).collect(),
            needed: needed.to_vec(),
            known: RefCell::default(),
        }
    }

    /// The name of a field as it is shown; none where the field is never kept.
    pub(super) fn shown(&self, name: &str) -> Option<Arc<str>> {
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        let is_out = is_secret_name(name) || self.is_dropped(name);
        let shown = (!is_out).then(|| Arc::from(clip(name, LONGEST)));
        let mut known = self.known.borrow_mut();
        if known.len() < MOST {
            known.insert(name.into(), shown.clone());
        }
        shown
    }

    /// Whether a name is one of those, however it is written, or has one as a part of it:
    /// `Email`, `userEmail` and `email_address` are of `email`; `zip` is not of `ip`.
    fn is_dropped(&self, name: &str) -> bool {
        let parts = parts(name);
        let whole = self.needed.iter().any(|needed| needed == name);
        self.dropped.iter().filter(|dropped| !dropped.is_empty()).any(|dropped| {
            parts == *dropped
                || (!whole && parts.windows(dropped.len()).any(|part| part == dropped.as_slice()))
        })
    }
}

/// The words that a name is made of, in small letters: `clientIPAddress`, `client_ip_address`
/// and `Client-Ip-Address` are of the same.
fn parts(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut part = String::new();
    let chars: Vec<char> = name.chars().collect();
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| chars[before]);
        let after = chars.get(at + 1);
        let begins = c.is_uppercase()
            && (before.is_some_and(|before| before.is_lowercase() || before.is_numeric())
                || (before.is_some_and(char::is_uppercase)
                    && after.is_some_and(|after| after.is_lowercase())));
        if begins || !c.is_alphanumeric() {
            parts.extend(Some(std::mem::take(&mut part)).filter(|part| !part.is_empty()));
        }
        if c.is_alphanumeric() {
            part.extend(c.to_lowercase());
        }
    }
    parts.extend(Some(part).filter(|part| !part.is_empty()));
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_taken_apart_however_they_are_written() {
        let table = [
            ("userEmail", "user email"),
            ("client_ip", "client ip"),
            ("clientIPAddress", "client ip address"),
            ("User-Agent", "user agent"),
            ("x.y2Z", "x y2 z"),
            ("IP", "ip"),
            ("__", ""),
        ];
        for (name, expected) in table {
            assert_eq!(parts(name).join(" "), expected, "{name}");
        }
    }

    #[test]
    fn what_is_dropped_is_dropped_under_every_spelling_and_nothing_else() {
        let drop = ["user_id", "ip", "email", "id", "Path"];
        let kept = Kept {
            dropped: drop.iter().map(|name| parts(name)).collect(),
            needed: vec!["trace_id".to_owned(), "path".to_owned()],
            known: RefCell::default(),
        };
        for name in ["Email", "userEmail", "client_ip", "UserId", "IP", "email_address", "path"] {
            assert_eq!(kept.shown(name), None, "{name}");
        }
        // The second time it is remembered.
        assert_eq!(kept.shown("Email"), None);
        for name in ["zip", "shipping", "emailed", "trace_id", "ipv", "userid"] {
            assert_eq!(kept.shown(name).as_deref(), Some(name));
            assert_eq!(kept.shown(name).as_deref(), Some(name));
        }
        assert_eq!(kept.shown("api_token"), None, "a secret by its name");
        (0..5_000).for_each(|n| drop_in(&kept, &format!("n{n}x")));
        assert!(kept.known.borrow().len() <= MOST);
    }

    fn drop_in(kept: &Kept, name: &str) {
        assert!(kept.shown(name).is_some());
    }

    #[test]
    fn levels_and_messages_are_found_under_their_usual_names() {
        let name = |name: &str| name.to_owned();
        let names = LogFields {
            time: name("t"),
            level: name("grade"),
            message: name("what"),
            status: name("s"),
            duration: name("d"),
            path: name("p"),
            trace: name("i"),
            agent: name("a"),
        };
        let table = [
            (json!({"severity": "ERROR", "msg": "x"}), Some("severity"), Some("msg")),
            (json!({"lvl": 50, "message": "x", "msg": "y"}), Some("lvl"), Some("message")),
            (json!({"grade": "warn", "level": "info", "what": 1}), Some("grade"), Some("what")),
            (json!({"level": {"x": 1}, "msg": ["y"]}), None, None),
        ];
        for (fields, of_level, of_message) in table {
            let fields = fields.as_object().expect("an object");
            assert_eq!(level(fields, &names).map(|(name, _)| name), of_level, "{fields:?}");
            assert_eq!(message(fields, &names).map(|(name, _)| name), of_message, "{fields:?}");
        }
    }
}
