//! Lines to entries: JSON, or the console form that spreads an object over many lines.
//!
//! ```text
//! content-service-1  | 2025-11-27 10:00:00.123 [info]: request.completed {
//! content-service-1  |   "status": 200,
//! content-service-1  | }
//! ```

use std::{collections::HashMap, sync::LazyLock};

use jiff::{Timestamp, tz::TimeZone};
use regex::Regex;
use serde_json::{Map, Value as Json};

use super::{inline, time};
use crate::domain::text;

/// The most lines of one object.
const LONGEST_OBJECT: usize = 200;

/// The most objects, one per service, that may be open at a time.
const MOST_OPEN: usize = 64;

/// One entry of a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    /// When it was written, where it says so.
    pub(super) time: Option<Timestamp>,
    /// The service that docker compose names before the line.
    pub(super) service: Option<String>,
    /// Its fields; of the console form, `level` and `message` too. Empty where the line is
    /// plain text.
    pub(super) fields: Map<String, Json>,
    /// The line, where it is plain text.
    pub(super) plain: Option<String>,
    /// Parts of it are missing.
    pub(super) cut: bool,
}

/// A line without what others have put around it.
pub(super) struct Bare<'a> {
    /// The service that docker compose puts before it.
    pub(super) service: Option<&'a str>,
    /// The time that docker puts before it.
    pub(super) stamp: Option<Timestamp>,
    text: &'a str,
    /// The text with that time.
    stamped: &'a str,
}

/// Puts objects together that are spread over many lines.
#[derive(Debug)]
pub(super) struct Parser {
    zone: TimeZone,
    level: String,
    message: String,
    open: HashMap<String, Open>,
}

/// An object whose end was not seen yet.
#[derive(Debug)]
struct Open {
    entry: Entry,
    depth: u32,
    lines: usize,
}

impl Bare<'_> {
    /// Whether the line goes on with an entry that began before it.
    pub(super) fn goes_on(&self) -> bool {
        self.text.starts_with([' ', '\t', '}'])
    }
}

fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

static SERVICE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,80}) +\|(?: (.*))?$"));

static HEADER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?) \[?([A-Za-z]{3,9})\]?:? (.*)$",
    )
});

static FIELD: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"^\s+(?:"([^"]+)"|'([^']+)'|([A-Za-z_$@][\w$@.-]*)): (.*?),?$"#));

/// Takes away what docker and docker compose have put before a line.
pub(super) fn bare(line: &str) -> Bare<'_> {
    let found = SERVICE.as_ref().and_then(|pattern| pattern.captures(line));
    let (service, rest) = match found {
        Some(found) => (found.get(1).map(|m| m.as_str()), found.get(2).map_or("", |m| m.as_str())),
        None => (None, line),
    };
    match time::before(rest) {
        Some((stamp, text)) => Bare { service, stamp: Some(stamp), text, stamped: rest },
        None => Bare { service, stamp: None, text: rest, stamped: rest },
    }
}

impl Parser {
    /// Reads times that name no zone in this one. `level` and `message` are what these two
    /// are called in JSON.
    pub(super) fn new(zone: TimeZone, level: &str, message: &str) -> Self {
        let (level, message) = (level.to_owned(), message.to_owned());
        Self { zone, level, message, open: HashMap::new() }
    }

    /// Another one like it that has seen nothing yet.
    pub(super) fn anew(&self) -> Self {
        Self::new(self.zone.clone(), &self.level, &self.message)
    }

    /// The entries that end with this line, which holds no control sequences any more.
    pub(super) fn line(&mut self, line: &str) -> Vec<Entry> {
        let line = bare(line);
        let key = line.service.unwrap_or_default();
        if let Some(open) = self.open.get_mut(key) {
            if let Some(done) = open.take(line.text) {
                let entry = if done { self.open.remove(key).map(|open| open.entry) } else { None };
                return entry.into_iter().collect();
            }
            // Something else begins: the end of the object never came.
            let cut = self.open.remove(key).map(|open| open.cut());
            let mut entries: Vec<Entry> = cut.into_iter().collect();
            entries.extend(self.begin(&line));
            return entries;
        }
        self.begin(&line).into_iter().collect()
    }

    /// Objects of which nothing more has come for a while.
    pub(super) fn give_up(&mut self) -> Vec<Entry> {
        self.open.drain().map(|(_, open)| open.cut()).collect()
    }

    /// Whether an object is waiting for its end.
    pub(super) fn waits(&self) -> bool {
        !self.open.is_empty()
    }

    fn begin(&mut self, line: &Bare<'_>) -> Option<Entry> {
        let text = line.text;
        let entry = Entry {
            time: line.stamp,
            service: line.service.map(str::to_owned),
            ..Entry::default()
        };
        if text.trim().is_empty() {
            return None;
        }
        if let Some(fields) = object(text) {
            return Some(Entry { fields, ..entry });
        }
        // What looks like the time that docker puts before a line may be its own.
        let header = |text| HEADER.as_ref().and_then(|pattern| pattern.captures(text));
        let own = text.starts_with('[').then_some(line.stamped);
        if let Some(found) = header(text).or_else(|| header(own?)) {
            let own = time::of_text(&found[1], &self.zone);
            let (message, opens) = match found[3].trim_end().strip_suffix('{') {
                Some(message) => (message, true),
                None => (&found[3], false),
            };
            let mut entry = Entry { time: entry.time.or(own), ..entry };
            let (level, message) = (found[2].to_ascii_lowercase(), message.trim().to_owned());
            entry.fields.insert(self.level.clone(), Json::String(level));
            entry.fields.insert(self.message.clone(), Json::String(message));
            if !opens {
                return Some(entry);
            }
            if self.open.len() >= MOST_OPEN {
                return Some(Entry { cut: true, ..entry });
            }
            let key = line.service.unwrap_or_default().to_owned();
            self.open.insert(key, Open { entry, depth: 1, lines: 0 });
            return None;
        }
        if text.trim_end() == "}" {
            // The end of an object whose beginning was not seen.
            return Some(Entry { cut: true, ..entry });
        }
        if text.starts_with([' ', '\t']) {
            // More of what was said before, such as a stack trace, or of a cut object.
            return None;
        }
        Some(Entry { plain: Some(text.to_owned()), ..entry })
    }
}

impl Open {
    /// Takes a line of the object: whether it is complete with it. `None` where the line is
    /// none of the object.
    fn take(&mut self, text: &str) -> Option<bool> {
        let trimmed = text.trim();
        if !text.starts_with(' ') && !trimmed.starts_with('}') {
            return None;
        }
        self.lines += 1;
        if self.lines > LONGEST_OBJECT {
            return None;
        }
        if trimmed.starts_with(['}', ']']) {
            self.depth = self.depth.saturating_sub(1);
            if trimmed.ends_with(['{', '[']) {
                self.depth += 1;
            }
            return Some(self.depth == 0);
        }
        if trimmed.ends_with(['{', '[']) {
            self.depth += 1;
        } else if self.depth == 1 {
            self.field(text);
        }
        Some(false)
    }

    fn field(&mut self, text: &str) {
        let Some(found) = FIELD.as_ref().and_then(|pattern| pattern.captures(text)) else { return };
        let name = (1..=3).find_map(|group| found.get(group)).map(|m| m.as_str());
        if let Some(name) = name {
            self.entry.fields.insert(name.to_owned(), inline::value(&found[4]));
        }
    }

    fn cut(self) -> Entry {
        Entry { cut: true, ..self.entry }
    }
}

/// A line that is a JSON object.
fn object(text: &str) -> Option<Map<String, Json>> {
    let text = text.trim();
    if !text.starts_with('{') || !text.ends_with('}') {
        return None;
    }
    match serde_json::from_str(text) {
        Ok(Json::Object(fields)) => Some(fields),
        _ => None,
    }
}

/// A line without colours and other control sequences; what it is indented by stays.
pub(super) fn clean(line: &str) -> String {
    text::safe(line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parser() -> Parser {
        Parser::new(TimeZone::UTC, "level", "message")
    }

    fn entries(parser: &mut Parser, text: &str) -> Vec<Entry> {
        text.lines().flat_map(|line| parser.line(&clean(line))).collect()
    }

    fn at(text: &str) -> Option<Timestamp> {
        text.parse().ok()
    }

    #[test]
    fn an_object_over_many_lines_is_one_entry() {
        let text = "content-service-1  | 2025-11-27 10:00:00.123 [\u{1b}[32minfo\u{1b}[39m]: request.completed {\n\
            content-service-1  |   \"trace_id\": \"abc\",\n\
            user-service-1     | 2025-11-27 10:00:00.200 [info]: started\n\
            content-service-1  |   \"status\": 500,\n\
            content-service-1  |   \"nested\": {\n\
            content-service-1  |     \"status\": 1\n\
            content-service-1  |   },\n\
            content-service-1  |   duration_ms: 12.5,\n\
            content-service-1  |   path: '/a\\'b'\n\
            content-service-1  | }";
        let found = entries(&mut parser(), text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0].service.as_deref(), Some("user-service-1"));
        assert_eq!(found[0].fields["message"], "started");
        let request = &found[1];
        assert_eq!(request.time, at("2025-11-27T10:00:00.123Z"));
        assert_eq!(request.fields["level"], "info");
        assert_eq!(request.fields["message"], "request.completed");
        assert_eq!(request.fields["trace_id"], "abc");
        assert_eq!(request.fields["status"], 500);
        assert_eq!(request.fields["duration_ms"], 12.5);
        assert_eq!(request.fields["path"], "/a'b");
        assert!(!request.cut);
    }

    #[test]
    fn the_time_of_an_entry_is_not_taken_for_that_of_docker() {
        let text = "2025-11-27T10:00:00.123Z [error]: lost {\n  \"code\": 7\n}\n\
            api-1  | 2025-11-27T10:00:01Z 2025-11-27T10:00:00.9Z [warn]: slow";
        let found = entries(&mut parser(), text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(
            (&found[0].fields["level"], &found[0].fields["code"]),
            (&"error".into(), &7.into())
        );
        assert_eq!(found[0].time, at("2025-11-27T10:00:00.123Z"));
        assert_eq!(
            (&found[1].fields["level"], found[1].time),
            (&"warn".into(), at("2025-11-27T10:00:01Z"))
        );
    }

    #[test]
    fn a_cut_object_costs_no_other_entry() {
        let mut parser = parser();
        let text = "  \"status\": 200\n}\n\
            2025-11-27 10:00:00.123 [info]: request.completed {\n  \"status\": 502,\n\
            2025-11-27 10:00:01.000 [info]: request.completed {\n  \"status\": 200\n}\n\
            2025-11-27 10:00:02.000 [error]: boom {\n  \"code\": 7,";
        let found = entries(&mut parser, text);
        let seen: Vec<_> = found.iter().map(|e| (e.cut, e.fields.get("status").cloned())).collect();
        assert_eq!(seen, [(true, None), (true, Some(502.into())), (false, Some(200.into()))]);
        assert!(parser.waits());
        let rest = parser.give_up();
        assert_eq!(rest.len(), 1);
        assert!(rest[0].cut && rest[0].fields["code"] == 7);
        // One that never ends is given up as well.
        let endless = format!("2025-11-27 10:00:00 [info]: x {{\n{}", "  a: 1,\n".repeat(500));
        let found = entries(&mut parser, &endless);
        assert_eq!(found.iter().filter(|entry| entry.cut).count(), 1);
        assert!(!parser.waits());
    }

    #[test]
    fn json_lines_and_plain_ones_are_told_apart() {
        let text = "{\"level\":\"error\",\"message\":\"x\"}\n\
            2025-11-27T10:00:00.5Z {\"a\":1}\n\
            api-1 | 2025-11-27T10:00:01Z plain text\n\
            \u{20}   at stack (trace.js:1)\n\
            {\"cut\":\n\nnot a|service";
        let found = entries(&mut parser(), text);
        assert_eq!(found.len(), 5, "{found:?}");
        assert_eq!(found[0].fields["level"], "error");
        assert_eq!(found[1].time, at("2025-11-27T10:00:00.5Z"));
        assert_eq!(found[2].plain.as_deref(), Some("plain text"));
        assert_eq!(found[2].service.as_deref(), Some("api-1"));
        assert_eq!(found[3].plain.as_deref(), Some("{\"cut\":"));
        assert_eq!(found[4].plain.as_deref(), Some("not a|service"));
    }

    proptest::proptest! {
        #[test]
        fn no_line_does_harm(lines in proptest::collection::vec(".{0,80}|[ ]{0,4}[}{\\]\\[a:,]{1,6}|2025-01-01 00:00:00 \\[a{3}\\]: x \\{", 0..60)) {
            let mut parser = parser();
            for line in &lines {
                parser.line(&clean(line));
            }
            parser.give_up();
        }
    }
}
