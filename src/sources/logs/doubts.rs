//! What is known to be missing from the figures of a log, and how late it is read.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::{
    observation::Facts,
    time::short_duration,
    value::{Value, amount, grouped},
};

/// A log that is read less late than this is read as it comes.
const LATE: Duration = Duration::from_secs(2);

/// Figures over a window end that much before now at most, in parts of the window.
const MOST_OF_WINDOW: u32 = 4;

/// The readings of how late a file is read: bytes, seconds, and bytes that were skipped.
pub(super) const READINGS: [&str; 3] = ["behind_bytes", "behind_seconds", "skipped_bytes_total"];

/// What happened last, and how often or how much altogether.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    count: u64,
    last: Option<Timestamp>,
}

impl Counted {
    fn add(&mut self, count: u64, now: Timestamp) {
        self.count = self.count.saturating_add(count);
        self.last = Some(now);
    }

    /// The count, where the last was within that time.
    fn within(&self, window: Duration, now: Timestamp) -> Option<u64> {
        let age = Duration::try_from(now.duration_since(self.last?)).unwrap_or_default();
        (age < window).then_some(self.count)
    }
}

/// What is missing.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    behind: u64,
    late: Duration,
    skipped: Counted,
    rewritten: Counted,
    undated: Counted,
    endless: u64,
}

impl Doubts {
    /// So many bytes are still to be read, and what was read last was written so long ago.
    pub(super) fn behind(&mut self, bytes: u64, late: Duration) {
        (self.behind, self.late) = (bytes, late);
    }

    /// So many bytes were skipped, because it grows faster than it is read.
    pub(super) fn skipped(&mut self, bytes: u64, now: Timestamp) {
        self.skipped.add(bytes, now);
    }

    /// The file was cut off, and has grown beyond what was read of it.
    pub(super) fn rewritten(&mut self, now: Timestamp) {
        self.rewritten.add(1, now);
    }

    /// A line that was there before says no time.
    pub(super) fn undated(&mut self, now: Timestamp) {
        self.undated.add(1, now);
    }

    /// How many bytes of a line that is too long have come; 0 where none is coming.
    pub(super) fn endless(&mut self, bytes: u64) {
        self.endless = bytes;
    }

    /// Why nothing that comes can be read, where that is so.
    pub(super) fn unreadable(&self) -> Option<String> {
        let length = (self.endless > 0).then(|| amount(self.endless))?;
        Some(format!(
            "a line without an end is being written ({length} so far): what the log says is not known"
        ))
    }

    /// Why figures over that window say too little about now, where they do.
    pub(super) fn too_late(&self, window: Duration) -> Option<String> {
        (self.late > window / MOST_OF_WINDOW).then(|| {
            let (late, window) = (about(self.late), short_duration(window));
            format!("the log is read about {late} late: too late for figures over {window}")
        })
    }

    /// What is said of it, the most important first.
    pub(super) fn remarks(&self, now: Timestamp, window: Duration) -> Vec<String> {
        let mut remarks = Vec::new();
        let (behind, late) = (amount(self.behind), about(self.late));
        let growing = "it grows faster than it is read";
        if self.late >= LATE {
            remarks
                .push(format!("{behind}, about {late} behind: {growing}, the figures end there"));
        }
        if let Some(skipped) = self.skipped.within(window, now) {
            let skipped = amount(skipped);
            remarks.push(format!("{skipped} were skipped and are in no figure: {growing}"));
        }
        if self.rewritten.within(window, now).is_some() {
            let what = "the file was cut off in place and has grown beyond what was read of it";
            remarks.push(format!("{what}: lines right before that may be lost"));
        }
        if let Some(undated) = self.undated.within(window, now) {
            let lines = if undated == 1 { "1 line that was" } else { "lines that were" };
            let count = if undated == 1 { String::new() } else { grouped(undated) + " " };
            remarks.push(format!(
                "{count}{lines} there before say no time: not counted, and not listed"
            ));
        }
        remarks
    }

    /// Its readings.
    pub(super) fn readings(&self, facts: &mut Facts) {
        let numbers = [self.behind, self.late.as_secs(), self.skipped.count];
        for (name, number) in READINGS.into_iter().zip(numbers) {
            facts.readings.insert(name.into(), Value::Number(number as f64));
        }
    }
}

fn about(length: Duration) -> String {
    short_duration(Duration::from_secs(length.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_764_237_600 + seconds).expect("a time")
    }

    #[test]
    fn what_is_missing_is_counted_and_said_as_long_as_it_matters() {
        let mut doubts = Doubts::default();
        assert!(doubts.remarks(at(0), HOUR).is_empty());
        doubts.behind(5_000, Duration::from_millis(300));
        assert!(doubts.remarks(at(0), HOUR).is_empty(), "that is nothing");
        doubts.behind(214_600_000, Duration::from_secs(31));
        doubts.skipped(60_000_000, at(0));
        doubts.skipped(1_500_000, at(1));
        doubts.rewritten(at(2));
        doubts.undated(at(3));
        let remarks = doubts.remarks(at(4), HOUR);
        let begins =
            ["214 MB, about 31s behind", "61 MB were skipped", "the file was cut", "1 line"];
        assert_eq!(remarks.len(), begins.len());
        for (remark, begins) in remarks.iter().zip(begins) {
            assert!(remark.starts_with(begins), "{remark}");
        }
        doubts.undated(at(3));
        doubts.behind(0, Duration::ZERO);
        let remarks = doubts.remarks(at(3_602), HOUR);
        assert_eq!(
            remarks,
            ["2 lines that were there before say no time: not counted, and not listed"]
        );
        let mut facts = Facts::default();
        doubts.readings(&mut facts);
        let skipped = facts.readings.get("skipped_bytes_total").and_then(Value::as_number);
        assert_eq!(skipped, Some(61_500_000.0));
    }

    #[test]
    fn figures_that_end_long_before_now_are_none() {
        let mut doubts = Doubts::default();
        doubts.behind(1, Duration::from_secs(16));
        assert!(doubts.too_late(Duration::from_secs(60)).is_some());
        assert_eq!(doubts.too_late(Duration::from_secs(300)), None);
        assert_eq!(doubts.unreadable(), None);
        doubts.endless(120_000);
        assert!(doubts.unreadable().is_some_and(|why| why.contains("120 kB so far")));
    }
}
