//! From lines to what is known of a log.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::{
    lines::Line,
    newest::Newest,
    overlap::Overlap,
    parse::{self, Entry, Parser},
    time,
    window::{Event, Request, Window},
};
use crate::{
    config::profile::LogsSource,
    domain::{
        log::Severity,
        observation::{Exhibit, Facts, LogEntry},
        time::Moment,
        value::Value,
    },
    net::{readings::from_text, words::clip},
};

/// How much of a message is kept, characters: enough for the trace of a stack.
const LONGEST_MESSAGE: usize = 2_000;

/// How much of a field is kept, characters.
const LONGEST_FIELD: usize = 300;

/// The most fields of an entry that are shown.
const MOST_FIELDS: usize = 16;

/// What is known of a log.
pub(super) struct Gathered {
    config: LogsSource,
    parser: Parser,
    window: Window,
    newest: Newest,
    /// Entries before the next one are not known.
    skipped: bool,
    /// When the last line came.
    last_line: Option<Timestamp>,
    /// Lines of a program that may come again.
    pub(super) overlap: Overlap,
}

impl Gathered {
    /// Nothing yet.
    pub(super) fn new(config: &LogsSource) -> Self {
        let fields = &config.fields;
        Self {
            config: config.clone(),
            parser: Parser::new(config.zone.clone(), &fields.level, &fields.message),
            window: Window::new(&config.windows),
            newest: Newest::default(),
            skipped: false,
            last_line: None,
            overlap: Overlap::default(),
        }
    }

    /// Nothing is known of what was before that time.
    pub(super) fn known_since(&mut self, time: Timestamp) {
        self.window.known_since(time);
    }

    /// What a file held further back was not looked at: the first time that is known is
    /// that of the next entry.
    pub(super) fn skipped_before(&mut self) {
        self.skipped = true;
    }

    /// Takes a line. Of one that was there `before` this program looked, only its own time
    /// counts: where it has none, nobody knows when it was.
    pub(super) fn line(&mut self, line: Line, before: bool, now: Timestamp) {
        self.last_line = Some(now);
        let Line::Whole(text) = line else {
            self.window.add(now, Event::Dropped, now);
            self.newest.too_long(before);
            return;
        };
        let text = parse::clean(&text);
        for entry in self.parser.line(&text) {
            self.entry(entry, before, now);
        }
    }

    /// As [`Self::line`], for a program that may print a line again.
    pub(super) fn printed(&mut self, line: Line, before: bool, now: Timestamp) {
        if let Line::Whole(text) = &line {
            let cleaned = parse::clean(text);
            let own = self.own_time(&cleaned).map(Timestamp::as_millisecond);
            if !self.overlap.is_new(&cleaned, own, now.as_millisecond()) {
                self.last_line = Some(now);
                return;
            }
        }
        self.line(line, before, now);
    }

    /// The time that a line has of itself, before it is looked at any closer.
    fn own_time(&self, text: &str) -> Option<Timestamp> {
        let bare = parse::bare(text);
        if bare.stamp.is_some() {
            return bare.stamp;
        }
        let mut parser = Parser::new(
            self.config.zone.clone(),
            &self.config.fields.level,
            &self.config.fields.message,
        );
        let entry = parser.line(text).pop().or_else(|| parser.give_up().pop())?;
        entry.time.or_else(|| self.time_of(&entry.fields))
    }

    fn time_of(&self, fields: &Map<String, Json>) -> Option<Timestamp> {
        let named = field(fields, &self.config.fields.time);
        let usual = || ["time", "@timestamp", "ts"].iter().find_map(|name| fields.get(*name));
        time::of_json(named.or_else(usual)?, &self.config.zone)
    }

    /// Objects whose end does not come are taken as they are.
    pub(super) fn give_up(&mut self, before: bool, now: Timestamp) {
        for entry in self.parser.give_up() {
            self.entry(entry, before, now);
        }
    }

    /// Whether an object is waiting for its end.
    pub(super) fn waits(&self) -> bool {
        self.parser.waits()
    }

    fn entry(&mut self, entry: Entry, before: bool, now: Timestamp) {
        let own = entry.time.or_else(|| self.time_of(&entry.fields));
        if before && own.is_none() {
            return;
        }
        let at = own.unwrap_or(now);
        if std::mem::take(&mut self.skipped) {
            self.window.known_since(at);
        }
        if entry.cut {
            self.window.add(at, Event::Cut, now);
            if entry.fields.is_empty() {
                return;
            }
        }
        let names = &self.config.fields;
        let level = field(&entry.fields, &names.level).cloned();
        let message = field(&entry.fields, &names.message).and_then(Json::as_str);
        let is_request = message == Some(self.config.request.as_str());
        let request = if is_request { self.request(&entry.fields) } else { None };
        let written = level.as_ref().map(plain);
        let error = Severity::of(written.as_deref()) == Severity::Error;
        let event = Event::Entry { error, parsed: entry.plain.is_none(), request };
        self.window.add(at, event, now);
        let shown = self.shown(&entry, at, level.as_ref());
        self.newest.push(shown, error, before);
    }

    fn request(&mut self, fields: &Map<String, Json>) -> Option<Request> {
        let names = &self.config.fields;
        let status = number(field(fields, &names.status)?)?;
        if !(100.0..=599.0).contains(&status) {
            return None;
        }
        let ms = field(fields, &names.duration).and_then(number).filter(|ms| *ms >= 0.0);
        let trace = field(fields, &names.trace).and_then(Json::as_str);
        let trace = trace.map(|trace| Arc::from(clip(trace, 64)));
        let path = field(fields, &names.path).and_then(Json::as_str).unwrap_or("").to_owned();
        let path = self.window.path(&path);
        Some(Request { status: status as u16, ms, path, trace })
    }

    /// What the screen shows of an entry.
    fn shown(&self, entry: &Entry, at: Timestamp, level: Option<&Json>) -> LogEntry {
        let names = &self.config.fields;
        let told = [&names.time, &names.level, &names.message];
        let fields = entry
            .fields
            .iter()
            .filter(|(name, _)| !told.contains(name) && !self.config.drop.contains(name));
        let fields = fields.take(MOST_FIELDS).map(|(name, value)| {
            (Arc::from(clip(name, 40)), clip(&self.without_personal(value), LONGEST_FIELD))
        });
        let message = match &entry.plain {
            Some(text) => text.clone(),
            None => field(&entry.fields, &names.message).map(plain).unwrap_or_default(),
        };
        LogEntry {
            at,
            service: entry.service.as_deref().map(Arc::from),
            level: level.map(|level| Arc::from(clip(&plain(level), 20))),
            message: clip(&message, LONGEST_MESSAGE).into(),
            fields: fields.collect(),
        }
    }

    /// A value as text, without the fields within it that are never kept.
    fn without_personal(&self, value: &Json) -> String {
        fn strip(value: &mut Json, drop: &[String]) {
            match value {
                Json::Object(fields) => {
                    fields.retain(|name, _| !drop.contains(name));
                    fields.values_mut().for_each(|value| strip(value, drop));
                }
                Json::Array(items) => items.iter_mut().for_each(|item| strip(item, drop)),
                _ => {}
            }
        }
        let mut value = value.clone();
        strip(&mut value, &self.config.drop);
        plain(&value)
    }

    /// What is known now; the newest entries are handed over.
    pub(super) fn report(&mut self, now: Moment) -> Facts {
        let mut facts = self.window.report(&self.config, now);
        match self.last_line {
            Some(last) => {
                let silent = now.wall.duration_since(last).as_secs_f64().max(0.0);
                facts.readings.insert("silent_seconds".into(), Value::Number(silent.floor()));
            }
            None => {
                let why = "no line has come since the console started".to_owned();
                facts.missing.push(("silent_seconds".into(), why));
            }
        }
        facts.exhibits.extend(self.newest.hand_over().map(Exhibit::Log));
        facts
    }
}

/// A field by its name; dots lead into objects where no field has the whole name.
fn field<'a>(fields: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    if let Some(value) = fields.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    field(fields.get(first)?.as_object()?, rest)
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn number(value: &Json) -> Option<f64> {
    match value {
        Json::Number(number) => number.as_f64().filter(|number| number.is_finite()),
        Json::String(text) => from_text(text).ok()?.as_number(),
        _ => None,
    }
}
