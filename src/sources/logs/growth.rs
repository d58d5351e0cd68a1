//! When what is read now was written: how far behind the reading is, whatever the log says.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Marks nearer to each other than this are one.
const APART: Duration = Duration::from_millis(500);

/// The most marks: with those that are [`APART`] two minutes, more than is ever read late.
const MOST: usize = 240;

/// How long a file was, and when.
#[derive(Debug, Default)]
pub(super) struct Growth {
    marks: VecDeque<(u64, Instant)>,
}

impl Growth {
    /// It is so long now.
    pub(super) fn reached(&mut self, length: u64, now: Instant) {
        if self.marks.back().is_some_and(|(known, _)| *known >= length) {
            return;
        }
        // What came within that time counts as of its beginning: rather older than newer.
        match self.marks.back_mut() {
            Some((known, at)) if now.duration_since(*at) < APART => *known = length,
            _ => self.marks.push_back((length, now)),
        }
        if self.marks.len() > MOST {
            // The one that is forgotten is written off as of the next.
            self.marks.pop_front();
        }
    }

    /// What stands before that place is read.
    pub(super) fn read(&mut self, offset: u64) {
        while self.marks.front().is_some_and(|(length, _)| *length <= offset) {
            self.marks.pop_front();
        }
    }

    /// How long ago what stands at that place was seen to be there for the first time.
    pub(super) fn late(&self, offset: u64, now: Instant) -> Duration {
        let there = self.marks.iter().find(|(length, _)| *length > offset);
        there.map_or(Duration::ZERO, |(_, at)| now.duration_since(*at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_late_is_as_old_as_when_it_was_seen_to_be_there() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut growth = Growth::default();
        for second in 0..10 {
            growth.reached((second + 1) * 100, at(second));
        }
        assert_eq!(growth.late(0, at(9)), Duration::from_secs(9));
        assert_eq!(growth.late(450, at(9)), Duration::from_secs(5));
        growth.read(950);
        assert_eq!(growth.late(950, at(12)), Duration::from_secs(3));
        growth.read(1_000);
        assert_eq!(growth.late(1_000, at(99)), Duration::ZERO);
        assert!(growth.marks.is_empty());
        (0..5_000).for_each(|n| growth.reached(2_000 + n, at(100 + n)));
        assert_eq!(growth.marks.len(), MOST);
    }
}
