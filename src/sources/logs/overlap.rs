//! A program that is started anew prints its last lines again: each is counted once.

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

/// How far back it is asked to print again, milliseconds.
const BACK: i64 = 5_000;

/// How many lines are remembered for that.
const REMEMBERED: usize = 20_000;

/// How many lines are remembered whose own time is ahead.
const MOST_AHEAD: usize = 1_000;

/// The last lines that were counted.
#[derive(Debug, Default)]
pub(super) struct Overlap {
    recent: VecDeque<Seen>,
    /// Lines that say they are of a time that was still to come: they are printed again
    /// until then.
    ahead: VecDeque<Seen>,
    newest: Option<i64>,
    /// The time of the newest line that is not remembered for want of room.
    forgotten: Option<i64>,
    /// Lines with a time of their own that may come again, and how often.
    again: HashMap<u64, u32>,
    /// The same of lines without one.
    untimed: HashMap<u64, u32>,
    /// What is older than this was counted before the program was started anew.
    floor: Option<i64>,
}

/// A line that was counted.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Its own time or, where it has none, when it came: milliseconds since the epoch.
    time: i64,
    hash: u64,
    timed: bool,
}

/// What a line is that a program has printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Novelty {
    /// It was not printed before.
    New,
    /// It is remembered, and comes again.
    Again,
    /// It is older than what was to be printed again.
    Old,
}

impl Overlap {
    /// From when on the program is to print, milliseconds since the epoch; `None` where
    /// nothing was printed yet. Never in time to come, whatever a line says of itself.
    pub(super) fn since(&self) -> Option<i64> {
        let newest = self.newest?;
        // Not further back than every line is remembered.
        let remembered = self.forgotten.map_or(i64::MIN, |time| time + 1);
        Some((newest - BACK).max(remembered))
    }

    /// The program is started anew.
    pub(super) fn restart(&mut self) {
        self.floor = self.since();
        (self.again, self.untimed) = Default::default();
        let floor = self.floor.unwrap_or(i64::MIN);
        for seen in self.recent.iter().chain(&self.ahead).filter(|seen| seen.time >= floor) {
            let lines = if seen.timed { &mut self.again } else { &mut self.untimed };
            *lines.entry(seen.hash).or_default() += 1;
        }
    }

    /// What a line is. `own` is the time that it says of itself, in milliseconds; `arrived`
    /// is when it came.
    pub(super) fn take(&mut self, text: &str, own: Option<i64>, arrived: i64) -> Novelty {
        let hash = hash(text);
        let lines = if own.is_some() { &mut self.again } else { &mut self.untimed };
        if let Some(left) = lines.get_mut(&hash) {
            *left -= 1;
            if *left == 0 {
                lines.remove(&hash);
            }
            return Novelty::Again;
        }
        if own.zip(self.floor).is_some_and(|(own, floor)| own < floor) {
            return Novelty::Old;
        }
        self.remember(hash, own, arrived);
        Novelty::New
    }

    fn remember(&mut self, hash: u64, own: Option<i64>, arrived: i64) {
        // One line that is ahead would put off all that come after it.
        let time = own.unwrap_or(arrived).min(arrived);
        let newest = self.newest.map_or(time, |newest| newest.max(time));
        self.newest = Some(newest);
        let timed = own.is_some();
        let horizon = newest - 2 * BACK;
        if let Some(own) = own.filter(|own| *own > arrived) {
            if self.ahead.len() == MOST_AHEAD {
                self.ahead.pop_front();
            }
            self.ahead.push_back(Seen { time: own, hash, timed });
        } else {
            self.recent.push_back(Seen { time, hash, timed });
        }
        self.ahead.retain(|seen| seen.time >= horizon);
        while self.recent.len() > REMEMBERED
            || self.recent.front().is_some_and(|seen| seen.time < horizon)
        {
            let full = self.recent.len() > REMEMBERED;
            let gone = self.recent.pop_front().filter(|_| full);
            self.forgotten = gone.map(|seen| seen.time).or(self.forgotten);
        }
    }

    /// What was to come again has come: an equal line from now on is a new one. One with a
    /// time of its own is still the same; several services may be printed side by side, and
    /// one of them later than the others.
    pub(super) fn caught_up(&mut self) {
        self.untimed.clear();
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

    /// Later than every line here.
    const NOW: i64 = 1_000_000;

    #[test]
    fn a_line_that_comes_again_is_counted_once_and_an_equal_one_twice() {
        let mut overlap = Overlap::default();
        assert_eq!(overlap.since(), None);
        let first = [("old", 1_000), ("a", 9_000), ("same", 10_000), ("same", 10_000)];
        for (text, time) in first {
            assert_eq!(overlap.take(text, Some(time), NOW), Novelty::New, "{text}");
        }
        assert_eq!(overlap.since(), Some(5_000));
        overlap.restart();
        let second = [
            // Printed again although it was not asked for.
            ("older", 4_000, Novelty::Old),
            ("a", 9_000, Novelty::Again),
            ("same", 10_000, Novelty::Again),
            ("same", 10_000, Novelty::Again),
            // A third one that was written at the same moment is new.
            ("same", 10_000, Novelty::New),
            ("b", 11_000, Novelty::New),
        ];
        for (text, time, expected) in second {
            assert_eq!(overlap.take(text, Some(time), NOW), expected, "{text} at {time}");
        }
    }

    #[test]
    fn without_times_the_text_decides_until_it_has_caught_up() {
        let mut overlap = Overlap::default();
        assert_eq!(overlap.take("ping", None, 1_000), Novelty::New);
        overlap.restart();
        assert_eq!(overlap.take("ping", None, 1_500), Novelty::Again);
        assert_eq!(overlap.take("ping", None, 1_600), Novelty::New);
        overlap.restart();
        overlap.caught_up();
        assert_eq!(overlap.take("ping", None, 3_000), Novelty::New);
    }

    #[test]
    fn a_service_that_is_printed_later_than_the_others_is_not_counted_again() {
        let mut overlap = Overlap::default();
        overlap.take("a", Some(9_000), NOW);
        overlap.take("b", Some(9_500), NOW);
        overlap.restart();
        assert_eq!(overlap.take("a", Some(9_000), NOW), Novelty::Again);
        overlap.caught_up();
        assert_eq!(overlap.take("b", Some(9_500), NOW), Novelty::Again);
    }

    #[test]
    fn one_line_that_is_ahead_costs_no_later_line_and_is_counted_once() {
        let mut overlap = Overlap::default();
        let year = 365 * 86_400_000;
        overlap.take("a", Some(100_000), 100_010);
        assert_eq!(overlap.take("ahead", Some(100_000 + year), 100_020), Novelty::New);
        overlap.take("b", Some(100_030), 100_040);
        assert_eq!(overlap.since(), Some(100_030 - BACK));
        for restart in 1..5 {
            overlap.restart();
            let now = 100_000 + restart * 60_000;
            assert_eq!(overlap.take("ahead", Some(100_000 + year), now), Novelty::Again);
            let later = format!("later {restart}");
            assert_eq!(overlap.take(&later, Some(now), now + 10), Novelty::New, "{restart}");
        }
        for n in 0..5_000 {
            overlap.take(&n.to_string(), Some(n + year), 400_000);
        }
        assert_eq!(overlap.ahead.len(), MOST_AHEAD);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_never_asked_for_beyond() {
        let mut overlap = Overlap::default();
        for line in 0..50_000_i64 {
            overlap.take(&line.to_string(), Some(100_000 + line / 100), NOW);
        }
        assert_eq!(overlap.recent.len(), REMEMBERED);
        let since = overlap.since().expect("lines");
        assert_eq!(since, 100_000 + 300);
        overlap.restart();
        for line in 30_000..50_000_i64 {
            let novelty = overlap.take(&line.to_string(), Some(100_000 + line / 100), NOW);
            assert_eq!(novelty, Novelty::Again);
        }
    }
}
