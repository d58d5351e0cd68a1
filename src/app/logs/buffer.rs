//! The newest entries of all logs, in the order of their times. Bounded.

use std::{collections::VecDeque, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    ids::SourceId,
    log::{Pattern, Severity},
    observation::LogEntry,
};

/// How many lines are kept, and how much memory their entries may take, bytes. Where there are
/// more, the oldest go.
pub const MOST: usize = 10_000;
/// See [`MOST`].
pub const MOST_BYTES: usize = 8 << 20;

/// What a line is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// An entry of a log.
    Entry {
        /// The log.
        source: SourceId,
        /// What it says.
        entry: Arc<LogEntry>,
    },
    /// A line that the operator has drawn.
    Mark,
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its number, in the order in which lines came; no two have the same.
    pub number: u64,
    /// Where it belongs in time.
    pub order: Timestamp,
    /// What it is.
    pub what: What,
    /// It passes the filter.
    pub passes: bool,
}

impl Line {
    fn weight(&self) -> usize {
        match &self.what {
            What::Entry { entry, .. } => entry.weight(),
            What::Mark => 0,
        }
    }
}

/// Which lines are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Entries that are at least so bad.
    pub least: Severity,
    /// Entries that match this pattern; a leading `!` turns it round.
    pub text: String,
}

impl Filter {
    /// Whether it lets everything through.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    fn ready(&self) -> Ready {
        // A pattern that cannot be read never gets here: it is refused where it is typed.
        Ready { least: self.least, pattern: Pattern::filter(&self.text).ok().flatten() }
    }
}

/// A filter ready for use.
struct Ready {
    least: Severity,
    pattern: Option<Pattern>,
}

impl Ready {
    /// Whether a line is listed. `text` is scratch space.
    fn passes(&self, what: &What, text: &mut String) -> bool {
        let What::Entry { entry, .. } = what else { return true };
        if self.least > Severity::Other && entry.severity() < self.least {
            return false;
        }
        let Some(pattern) = &self.pattern else { return true };
        text.clear();
        entry.write(text);
        pattern.matches(text)
    }
}

/// The newest lines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Buffer {
    lines: VecDeque<Line>,
    bytes: usize,
    /// The number of the next line.
    next: u64,
    /// How many lines had to go.
    gone: u64,
    filter: Filter,
}

impl Buffer {
    /// The lines, oldest first.
    pub fn lines(&self) -> &VecDeque<Line> {
        &self.lines
    }

    /// How much memory the entries take, roughly, bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many lines had to go because there were more.
    pub fn gone(&self) -> u64 {
        self.gone
    }

    /// The number that the next line will have: as many as ever came.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Which lines are listed.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Changes which lines are listed.
    pub fn set_filter(&mut self, filter: Filter) {
        let ready = filter.ready();
        let mut text = String::new();
        for line in &mut self.lines {
            line.passes = ready.passes(&line.what, &mut text);
        }
        self.filter = filter;
    }

    /// Where the lines stand that are listed, oldest first.
    pub fn listed(&self) -> Vec<usize> {
        let lines = self.lines.iter().enumerate();
        lines.filter(|(_, line)| line.passes).map(|(at, _)| at).collect()
    }

    /// Adds the entries of one log, oldest first, that came between `after` and `now`. They are
    /// put among those of other logs by their times; but no clock that is wrong moves one out
    /// of the time in which it came, and the entries of one log stay in their order.
    pub fn add(
        &mut self,
        source: &SourceId,
        entries: &[Arc<LogEntry>],
        after: Option<Timestamp>,
        now: Timestamp,
    ) {
        let ready = self.filter.ready();
        let mut text = String::new();
        let mut order = after.unwrap_or(Timestamp::MIN).min(now);
        let mut new = VecDeque::with_capacity(entries.len());
        for entry in entries {
            order = entry.at.clamp(order, now);
            let what = What::Entry { source: source.clone(), entry: Arc::clone(entry) };
            let passes = ready.passes(&what, &mut text);
            new.push_back(Line { number: self.next, order, what, passes });
            self.next += 1;
        }
        self.merge(new);
        self.evict();
    }

    /// Draws a line at this time. Returns it.
    pub fn mark(&mut self, now: Timestamp) -> Line {
        let line = Line { number: self.next, order: now, what: What::Mark, passes: true };
        self.next += 1;
        self.put(line.clone());
        line
    }

    /// Adds a line that another buffer has numbered.
    pub fn put(&mut self, line: Line) {
        self.merge(VecDeque::from([line]));
        self.evict();
    }

    /// Forgets the entries of a log.
    pub fn forget(&mut self, gone: &SourceId) {
        let of = |line: &Line| matches!(&line.what, What::Entry { source, .. } if source == gone);
        self.lines.retain(|line| !of(line));
        self.bytes = self.lines.iter().map(Line::weight).sum();
    }

    /// Both are in order; of two lines of the same time the one that was there is first.
    fn merge(&mut self, mut new: VecDeque<Line>) {
        let Some(first) = new.front() else { return };
        self.bytes += new.iter().map(Line::weight).sum::<usize>();
        let from = self.lines.partition_point(|line| line.order <= first.order);
        let mut later = self.lines.split_off(from);
        while let (Some(old), Some(fresh)) = (later.front(), new.front()) {
            let next = if old.order <= fresh.order { &mut later } else { &mut new };
            self.lines.extend(next.pop_front());
        }
        self.lines.append(&mut later);
        self.lines.append(&mut new);
    }

    fn evict(&mut self) {
        while self.lines.len() > MOST || self.bytes > MOST_BYTES {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes -= oldest.weight();
            self.gone += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(second: i64, message: &str) -> Arc<LogEntry> {
        Arc::new(LogEntry {
            at: Timestamp::from_second(second).unwrap(),
            service: None,
            level: None,
            message: message.into(),
            failed: false,
            fields: Vec::new(),
        })
    }

    fn said(buffer: &Buffer) -> String {
        let word = |line: &Line| match &line.what {
            What::Entry { entry, .. } => entry.message.to_string(),
            What::Mark => "|".to_owned(),
        };
        buffer.lines().iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn logs_are_merged_by_time_and_a_wrong_clock_moves_nothing_far() {
        let (a, b) = (SourceId::from("a"), SourceId::from("b"));
        let mut buffer = Buffer::default();
        buffer.add(&a, &[entry(1, "a1"), entry(5, "a5")], None, second(6));
        buffer.add(&b, &[entry(2, "b2"), entry(5, "b5"), entry(7, "b7")], None, second(8));
        assert_eq!(said(&buffer), "a1 b2 a5 b5 b7");
        buffer.mark(second(9));
        // An hour behind, and an hour ahead: they came between 8 and 12.
        let wrong = [entry(-3_600, "behind"), entry(3_600, "ahead"), entry(11, "back")];
        buffer.add(&b, &wrong, Some(second(8)), second(12));
        assert_eq!(said(&buffer), "a1 b2 a5 b5 b7 behind | ahead back");
        buffer.add(&a, &[entry(10, "a10")], Some(second(6)), second(13));
        assert_eq!(said(&buffer), "a1 b2 a5 b5 b7 behind | a10 ahead back");
    }

    #[test]
    fn neither_many_nor_heavy_entries_take_more_room_than_there_is() {
        let source = SourceId::from("a");
        let mut buffer = Buffer::default();
        for step in 0..30 {
            let many: Vec<_> = (0..1_000).map(|n| entry(step * 1_000 + n, "x")).collect();
            buffer.add(&source, &many, None, second(40_000));
        }
        assert_eq!((buffer.lines().len(), buffer.gone(), buffer.next()), (MOST, 20_000, 30_000));
        let heavy: Vec<_> = (0..2_000).map(|_| entry(40_000, &"x".repeat(10_000))).collect();
        buffer.add(&source, &heavy, None, second(40_000));
        assert!(buffer.bytes() <= MOST_BYTES);
        let counted: usize = buffer.lines().iter().map(Line::weight).sum();
        assert_eq!(buffer.bytes(), counted);
        buffer.forget(&source);
        assert_eq!((buffer.lines().len(), buffer.bytes()), (0, 0));
    }
}
