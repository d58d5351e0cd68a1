//! From lines to what is known of a log.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::{
    doubts::{self, Doubts},
    lines::Line,
    names,
    newest::Newest,
    overlap::{Novelty, Overlap},
    parse::{self, Entry, Parser},
    shown::Shown,
    skew::Skew,
    time,
    window::{Event, Request, Window},
};
use crate::{
    config::profile::{LogOrigin, LogsSource},
    domain::{
        log::Severity,
        observation::{Exhibit, Facts},
        time::Moment,
        value::Value,
    },
    net::{readings::from_text, words::clip},
};

/// The most services whose lines are told apart.
const MOST_SERVICES: usize = 64;

/// What is known of a line that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It was there before this program looked: only its own time counts, and where it has
    /// none, nobody knows when it was.
    Before,
    /// A program was started anew, and prints what it printed before and what came after.
    Again {
        /// A line without a time of its own is one that came after.
        untimed: bool,
    },
    /// It has just been written.
    Live,
}

/// What a line of a program was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Printed {
    /// The time that it says of itself.
    pub(super) own: Option<Timestamp>,
    /// It was counted before.
    pub(super) again: bool,
}

/// What is known of a log.
pub(super) struct Gathered {
    config: LogsSource,
    parser: Parser,
    window: Window,
    shown: Shown,
    newest: Newest,
    /// Entries before the next one are not known.
    skipped: bool,
    /// When the last line came.
    last_line: Option<Timestamp>,
    /// The totals of a program count from this time on.
    start: Option<Timestamp>,
    /// What the last line was.
    stage: Stage,
    skew: Skew,
    doubts: Doubts,
    /// How long ago the lines were written that come now, as far as is known.
    late: Duration,
    /// By service, whether the last line that began an entry was a new one: those that go on
    /// with it are, too.
    fates: HashMap<String, bool>,
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
            shown: Shown::new(config),
            newest: Newest::default(),
            skipped: false,
            last_line: None,
            start: None,
            stage: Stage::Before,
            skew: Skew::default(),
            doubts: Doubts::default(),
            late: Duration::ZERO,
            fates: HashMap::new(),
            overlap: Overlap::default(),
        }
    }

    /// A program is followed from this time on; of what was before `known` nothing is known.
    pub(super) fn begins(&mut self, start: Timestamp, known: Timestamp) {
        self.start = Some(start);
        self.window.known_since(known);
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

    /// So many bytes were passed over, because there were too many to read: what comes next
    /// begins anew.
    pub(super) fn lost(&mut self, bytes: u64, now: Timestamp) {
        self.doubts.skipped(bytes, now);
        self.skipped = true;
        self.parser = self.parser.anew();
    }

    /// What is known to be missing, or late.
    pub(super) fn doubts(&mut self) -> &mut Doubts {
        &mut self.doubts
    }

    /// The lines that come now were written so long ago.
    pub(super) fn late(&mut self, late: Duration) {
        self.late = late;
    }

    /// Takes a line.
    pub(super) fn line(&mut self, line: Line, stage: Stage, now: Timestamp) {
        self.last_line = Some(now);
        self.stage = stage;
        let Line::Whole(text) = line else {
            self.window.add(now, Event::Dropped, false, now);
            self.newest.too_long(stage != Stage::Live);
            return;
        };
        let text = parse::clean(&text);
        for entry in self.parser.line(&text) {
            self.entry(entry, now);
        }
    }

    /// As [`Self::line`], for a program that may print a line again.
    pub(super) fn printed(&mut self, line: Line, stage: Stage, now: Timestamp) -> Printed {
        let mut printed = Printed::default();
        if let Line::Whole(text) = &line {
            let cleaned = parse::clean(text);
            printed.own = self.own_time(&cleaned);
            let is_new = self.is_new(&cleaned, &mut printed, now);
            if !is_new {
                self.last_line = Some(now);
                return printed;
            }
        }
        self.line(line, stage, now);
        printed
    }

    fn is_new(&mut self, text: &str, printed: &mut Printed, now: Timestamp) -> bool {
        let bare = parse::bare(text);
        let service = bare.service.unwrap_or_default();
        if printed.own.is_none()
            && bare.goes_on()
            && let Some(fate) = self.fates.get(service)
        {
            printed.again = !fate;
            return *fate;
        }
        let own = printed.own.map(Timestamp::as_millisecond);
        let novelty = self.overlap.take(text, own, now.as_millisecond());
        printed.again = novelty == Novelty::Again;
        let is_new = novelty == Novelty::New;
        if self.fates.len() < MOST_SERVICES || self.fates.contains_key(service) {
            self.fates.insert(service.to_owned(), is_new);
        }
        is_new
    }

    /// The last words of a program, where they are none of the log but its own: an entry of
    /// the log may hold what nobody is to read.
    pub(super) fn complaint(&self, line: Line) -> Option<String> {
        let Line::Whole(text) = line else { return None };
        let entry = self.parser.anew().line(&parse::clean(&text)).pop()?;
        entry.plain.map(|words| self.shown.text(&words))
    }

    /// The time that a line has of itself, before it is looked at any closer.
    fn own_time(&self, text: &str) -> Option<Timestamp> {
        let bare = parse::bare(text);
        if bare.stamp.is_some() {
            return bare.stamp;
        }
        let mut parser = self.parser.anew();
        let entry = parser.line(text).pop().or_else(|| parser.give_up().pop())?;
        entry.time.or_else(|| self.time_of(&entry.fields))
    }

    fn time_of(&self, fields: &Map<String, Json>) -> Option<Timestamp> {
        let named = field(fields, &self.config.fields.time);
        let usual = || ["time", "@timestamp", "ts"].iter().find_map(|name| fields.get(*name));
        time::of_json(named.or_else(usual)?, &self.config.zone)
    }

    /// Objects whose end does not come are taken as they are.
    pub(super) fn give_up(&mut self, now: Timestamp) {
        for entry in self.parser.give_up() {
            self.entry(entry, now);
        }
    }

    /// Whether an object is waiting for its end.
    pub(super) fn waits(&self) -> bool {
        self.parser.waits()
    }

    fn entry(&mut self, entry: Entry, now: Timestamp) {
        let own = entry.time.or_else(|| self.time_of(&entry.fields));
        let is_of_now = !matches!(self.stage, Stage::Before | Stage::Again { untimed: false });
        // That the reading is late says nothing of the clock of whoever writes.
        let came = now.checked_sub(self.late).unwrap_or(now);
        let at = match own {
            Some(own) => own,
            None if is_of_now => came,
            None => {
                if self.stage == Stage::Before {
                    self.doubts.undated(now);
                }
                return;
            }
        };
        if let Some(own) = own {
            self.skew.look(own, now);
            if self.stage == Stage::Live {
                self.skew.compare(own, came);
            }
        }
        if std::mem::take(&mut self.skipped) {
            self.window.known_since(at);
        }
        if entry.cut {
            self.window.add(at, Event::Cut, false, now);
            if entry.fields.is_empty() {
                return;
            }
        }
        let names = &self.config.fields;
        let level = names::level(&entry.fields, names);
        let message = names::message(&entry.fields, names).and_then(|(_, said)| said.as_str());
        let is_request = message == Some(self.config.request.as_str());
        let written = level.map(|(_, level)| plain(level));
        let error = Severity::of(written.as_deref()) == Severity::Error;
        let excluded = is_request && self.is_excluded(&entry.fields);
        let counts = is_request && !excluded;
        let request = if counts { self.request(&entry.fields) } else { None };
        let event = Event::Entry { error, parsed: entry.plain.is_none(), request, excluded };
        // Of a program some of what was there before may come late.
        let is_new = match own.zip(self.start) {
            Some((own, start)) => own >= start,
            None => self.stage != Stage::Before,
        };
        self.window.add(at, event, is_new, now);
        let shown = self.shown.entry(&entry, at);
        self.newest.push(shown, error, self.stage != Stage::Live);
    }

    /// Whether a request is one of those that do not count.
    fn is_excluded(&self, fields: &Map<String, Json>) -> bool {
        let (names, exclude) = (&self.config.fields, &self.config.exclude);
        let text = |name| field(fields, name).and_then(Json::as_str);
        let path = text(&names.path).and_then(|path| path.split(['?', '#']).next());
        [(&exclude.path, path), (&exclude.agent, text(&names.agent))].iter().any(|(regex, text)| {
            regex.as_ref().zip(*text).is_some_and(|(r, text)| r.is_match(text))
        })
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

    /// What is known now; the newest entries are handed over.
    pub(super) fn report(&mut self, now: Moment) -> Facts {
        let mut facts = self.window.report(&self.config, now);
        let longest = self.config.windows.iter().copied().max().unwrap_or_default();
        facts.remarks.extend(self.skew.remark(now.wall, longest));
        for (position, window) in self.config.windows.iter().enumerate() {
            if let Some(why) = self.doubts.too_late(*window) {
                Window::take_back(&LogsSource::suffix(position, *window), &why, &mut facts);
            }
        }
        if let Some(why) = self.unknown() {
            self.take_back(&mut facts, &why);
        }
        // How late it is read matters more than what else is said.
        facts.remarks.splice(..0, self.doubts.remarks(now.wall, longest));
        if self.is_program() {
            let why = "how late a program prints is not known";
            facts.missing.extend(doubts::READINGS.map(|name| (name.into(), why.to_owned())));
        } else {
            self.doubts.readings(&mut facts);
        }
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

    fn is_program(&self) -> bool {
        matches!(self.config.from, LogOrigin::Command { .. })
    }

    /// Why nothing can be said of the windows, where that is so.
    fn unknown(&self) -> Option<String> {
        if self.is_program() && self.last_line.is_none() {
            let why = "nothing was printed yet: whether there is no traffic, or the log is not read, is not known";
            return Some(why.to_owned());
        }
        self.doubts.unreadable().or_else(|| self.skew.wrong())
    }

    /// Figures that rest on nothing, or on wrong times, are missing. The totals of a file do
    /// not rest on times.
    fn take_back(&self, facts: &mut Facts, why: &str) {
        let keeps = |name: &str| !self.is_program() && name.ends_with("_total");
        let names: Vec<_> = facts.readings.keys().filter(|name| !keeps(name)).cloned().collect();
        facts.readings.retain(|name, _| keeps(name));
        facts.missing.iter_mut().for_each(|(_, reason)| why.clone_into(reason));
        facts.missing.extend(names.into_iter().map(|name| (name, why.to_owned())));
        facts.exhibits.retain(|exhibit| !matches!(exhibit, Exhibit::Traffic(_)));
        facts.remarks.push(why.to_owned());
    }
}

/// A field by its name; dots lead into objects where no field has the whole name.
pub(super) fn field<'a>(fields: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    if let Some(value) = fields.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    field(fields.get(first)?.as_object()?, rest)
}

/// A value as text.
pub(super) fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value as a number, where it is one.
pub(super) fn number(value: &Json) -> Option<f64> {
    match value {
        Json::Number(number) => number.as_f64().filter(|number| number.is_finite()),
        Json::String(text) => from_text(text).ok()?.as_number(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::config::profile::{LogExclude, LogFields};

    fn gathered() -> Gathered {
        let names = ["timestamp", "level", "message", "status", "ms", "path", "trace", "agent"];
        let [time, level, message, status, duration, path, trace, agent] = names.map(str::to_owned);
        Gathered::new(&LogsSource {
            from: LogOrigin::File("log".into()),
            windows: vec![Duration::from_secs(300)],
            request: "done".to_owned(),
            fields: LogFields { time, level, message, status, duration, path, trace, agent },
            exclude: LogExclude::default(),
            drop: Vec::new(),
            zone: TimeZone::UTC,
        })
    }

    #[test]
    fn that_the_reading_is_late_is_not_put_on_the_clock() {
        let now = Moment::at_seconds(0.0);
        let line = |age: i64| {
            let time = now.wall - jiff::SignedDuration::from_secs(age);
            Line::Whole(format!("{{\"timestamp\":\"{time}\",\"message\":\"x\"}}"))
        };
        let mut gathered = gathered();
        gathered.late(Duration::from_secs(100));
        gathered.line(line(100), Stage::Live, now.wall);
        let facts = gathered.report(now);
        assert_eq!(facts.readings.get("lines").and_then(Value::as_number), Some(1.0));
        assert!(facts.remarks.is_empty(), "{:?}", facts.remarks);
        // The clock is wrong besides, and what has no time is of when it came.
        let mut gathered = self::gathered();
        gathered.late(Duration::from_secs(100));
        gathered.line(line(3_700), Stage::Live, now.wall);
        let facts = gathered.report(now);
        assert!(facts.remarks.iter().any(|remark| remark.contains("are 1h behind the clock")));
        gathered.line(Line::Whole("words".to_owned()), Stage::Live, now.wall);
        let shown = gathered.newest.hand_over().expect("an entry").entries[0].at;
        assert_eq!(now.wall.duration_since(shown).as_secs(), 100);
    }

    #[test]
    fn a_request_says_first_what_came_of_it_and_a_failed_one_is_an_error() {
        let now = Moment::at_seconds(0.0);
        let mut gathered = gathered();
        gathered.config.drop = vec!["email".to_owned()];
        gathered.shown = Shown::new(&gathered.config);
        let text = "{\"aaa\":1,\"lvl\":30,\"method\":\"GET\",\"ms\":5,\"msg\":\"done\",\
                    \"path\":\"/a\",\"status\":503,\"userEmail\":\"canary\"}";
        gathered.line(Line::Whole(text.to_owned()), Stage::Live, now.wall);
        let facts = gathered.report(now);
        assert_eq!(facts.readings.get("failed").and_then(Value::as_number), Some(1.0));
        let part = facts.exhibits.iter().find_map(|exhibit| match exhibit {
            Exhibit::Log(part) => Some(part),
            _ => None,
        });
        let entry = &part.expect("a part").entries[0];
        let mut text = String::new();
        entry.write(&mut text);
        assert_eq!(text, "30 done status=503 method=GET path=/a ms=5 aaa=1");
        assert_eq!((entry.severity(), entry.level_word()), (Severity::Error, "info"));
    }
}
