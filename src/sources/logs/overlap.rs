//! A program that is started anew prints its last lines again: each is counted once.

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

/// How far back it is asked to print again, milliseconds.
const BACK: i64 = 5_000;

/// How many lines are remembered for that.
const REMEMBERED: usize = 20_000;

/// The last lines that were counted.
#[derive(Debug, Default)]
pub(super) struct Overlap {
    /// Time in milliseconds since the epoch, and the hash of the text.
    recent: VecDeque<(i64, u64)>,
    newest: Option<i64>,
    /// The time of the newest line that is not remembered for want of room.
    forgotten: Option<i64>,
    /// Lines that may come again, and how often.
    again: HashMap<u64, u32>,
    /// What is older than this was counted before the program was started anew.
    floor: Option<i64>,
}

impl Overlap {
    /// From when on the program is to print, milliseconds since the epoch; `None` where
    /// nothing was printed yet.
    pub(super) fn since(&self) -> Option<i64> {
        let newest = self.newest?;
        // Not further back than every line is remembered.
        let remembered = self.forgotten.map_or(i64::MIN, |time| time + 1);
        Some((newest - BACK).max(remembered))
    }

    /// The program is started anew.
    pub(super) fn restart(&mut self) {
        self.floor = self.since();
        self.again.clear();
        let floor = self.floor.unwrap_or(i64::MIN);
        for (_, hash) in self.recent.iter().filter(|(time, _)| *time >= floor) {
            *self.again.entry(*hash).or_default() += 1;
        }
    }

    /// Whether a line is a new one. `own` is the time that it says of itself, in
    /// milliseconds; `arrived` is when it came.
    pub(super) fn is_new(&mut self, text: &str, own: Option<i64>, arrived: i64) -> bool {
        let hash = hash(text);
        if let Some(left) = self.again.get_mut(&hash) {
            *left -= 1;
            if *left == 0 {
                self.again.remove(&hash);
            }
            return false;
        }
        if own.zip(self.floor).is_some_and(|(own, floor)| own < floor) {
            return false;
        }
        let time = own.unwrap_or(arrived);
        self.newest = Some(self.newest.map_or(time, |newest| newest.max(time)));
        self.recent.push_back((time, hash));
        let horizon = self.newest.unwrap_or(time) - 2 * BACK;
        while self.recent.len() > REMEMBERED
            || self.recent.front().is_some_and(|(time, _)| *time < horizon)
        {
            let full = self.recent.len() > REMEMBERED;
            let gone = self.recent.pop_front().filter(|_| full);
            self.forgotten = gone.map(|(time, _)| time).or(self.forgotten);
        }
        true
    }

    /// What was to come again has come: an equal line from now on is a new one.
    pub(super) fn caught_up(&mut self) {
        self.again.clear();
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_comes_again_is_counted_once_and_an_equal_one_twice() {
        let mut overlap = Overlap::default();
        assert_eq!(overlap.since(), None);
        let first = [("old", 1_000), ("a", 9_000), ("same", 10_000), ("same", 10_000)];
        for (text, time) in first {
            assert!(overlap.is_new(text, Some(time), 0), "{text}");
        }
        assert_eq!(overlap.since(), Some(5_000));
        overlap.restart();
        let second = [
            // Printed again although it was not asked for.
            ("older", 4_000, false),
            ("a", 9_000, false),
            ("same", 10_000, false),
            ("same", 10_000, false),
            // A third one that was written at the same moment is new.
            ("same", 10_000, true),
            ("b", 11_000, true),
        ];
        for (text, time, new) in second {
            assert_eq!(overlap.is_new(text, Some(time), 0), new, "{text} at {time}");
        }
    }

    #[test]
    fn without_times_the_text_decides_until_it_has_caught_up() {
        let mut overlap = Overlap::default();
        assert!(overlap.is_new("ping", None, 1_000));
        overlap.restart();
        assert!(!overlap.is_new("ping", None, 1_500));
        assert!(overlap.is_new("ping", None, 1_600));
        overlap.restart();
        overlap.caught_up();
        assert!(overlap.is_new("ping", None, 3_000));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_never_asked_for_beyond() {
        let mut overlap = Overlap::default();
        for line in 0..50_000_i64 {
            overlap.is_new(&line.to_string(), Some(100_000 + line / 100), 0);
        }
        assert_eq!(overlap.recent.len(), REMEMBERED);
        let since = overlap.since().expect("lines");
        assert_eq!(since, 100_000 + 300);
        overlap.restart();
        for line in 30_000..50_000_i64 {
            assert!(!overlap.is_new(&line.to_string(), Some(100_000 + line / 100), 0));
        }
    }
}
