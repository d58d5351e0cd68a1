//! Whether the times in a log agree with the clock of this machine.

use std::{collections::VecDeque, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::domain::time::short_duration;

/// A line that is this far from the time at which it came is of another clock, or another
/// zone, or was long on its way.
const APART: SignedDuration = SignedDuration::from_secs(60);

/// How many lines are compared.
const COMPARED: usize = 16;

/// Older comparisons give way, apart from the last one.
const COMPARED_FOR: Duration = Duration::from_secs(300);

/// What lines said of themselves when they came, as they were written.
#[derive(Debug, Default)]
pub(super) struct Skew {
    /// When a line came, and by how much its own time is behind that.
    behind: VecDeque<(Timestamp, SignedDuration)>,
    /// The last line that was ahead, and by how much.
    ahead: Option<(Timestamp, SignedDuration)>,
}

impl Skew {
    /// A line that has just been written, as far as can be known, came with this time.
    pub(super) fn compare(&mut self, own: Timestamp, now: Timestamp) {
        if self.behind.len() == COMPARED {
            self.behind.pop_front();
        }
        self.behind.push_back((now, now.duration_since(own)));
        while self.behind.len() > 1
            && self.behind.front().is_some_and(|(at, _)| is_older(*at, now, COMPARED_FOR))
        {
            self.behind.pop_front();
        }
    }

    /// A line of whatever age.
    pub(super) fn look(&mut self, own: Timestamp, now: Timestamp) {
        let ahead = own.duration_since(now);
        if ahead > APART {
            self.ahead = Some((now, ahead));
        }
    }

    /// Why the times of the log say nothing about now, where they do not: all of the lines
    /// that came last are far away from when they came. One that is late is only late.
    pub(super) fn wrong(&self) -> Option<String> {
        let (_, last) = self.behind.back()?;
        let all = self.behind.iter().all(|(_, behind)| behind.abs() > APART);
        all.then(|| {
            let side = if last.is_negative() { "ahead of" } else { "behind" };
            format!(
                "the times in the log are {} {side} the clock: is `timezone` right, and the clock of the server?",
                length(*last)
            )
        })
    }

    /// That some line was ahead in that time, in words.
    pub(super) fn remark(&self, now: Timestamp, within: Duration) -> Option<String> {
        let (_, ahead) = self.ahead.filter(|(at, _)| !is_older(*at, now, within))?;
        let ahead = length(ahead);
        Some(format!("a line is {ahead} ahead of the clock: it counts as of when it came"))
    }
}

fn is_older(at: Timestamp, now: Timestamp, limit: Duration) -> bool {
    Duration::try_from(now.duration_since(at)).is_ok_and(|age| age > limit)
}

/// About how long, in hours, minutes or seconds: the largest of which there are two.
fn length(difference: SignedDuration) -> String {
    let seconds = difference.unsigned_abs().as_secs();
    let unit = [3_600, 60].into_iter().find(|unit| seconds >= 2 * unit).unwrap_or(1);
    short_duration(Duration::from_secs((seconds + unit / 2) / unit * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_764_237_600 + seconds).expect("a time")
    }

    #[test]
    fn a_wrong_zone_is_found_and_a_late_line_is_none() {
        let mut skew = Skew::default();
        assert_eq!(skew.wrong(), None);
        skew.compare(at(-18_003), at(0));
        let why = skew.wrong().expect("a wrong zone");
        assert!(why.starts_with("the times in the log are 5h behind the clock"), "{why}");
        skew.compare(at(9), at(10));
        assert_eq!(skew.wrong(), None, "one line of the right time is enough");
        // A batch that was long on its way.
        (0..8).for_each(|n| skew.compare(at(20), at(300 + n)));
        assert_eq!(skew.wrong(), None);
        // The clock of the server is set wrong.
        (0..16).for_each(|n| skew.compare(at(4_000 + n), at(400 + n)));
        let why = skew.wrong().expect("ahead");
        assert!(why.contains("1h ahead of the clock"), "{why}");
        // And right again.
        skew.compare(at(500), at(500));
        assert_eq!(skew.wrong(), None);
        // What was compared long ago does not vouch for today.
        skew.compare(at(-17_000), at(1_000));
        assert!(skew.wrong().is_some());
    }

    #[test]
    fn a_line_that_is_ahead_is_said_for_a_while() {
        let mut skew = Skew::default();
        let window = Duration::from_secs(300);
        skew.look(at(50), at(0));
        skew.look(at(-5_000), at(0));
        assert_eq!(skew.remark(at(1), window), None);
        skew.look(at(3 * 86_400), at(0));
        let remark = skew.remark(at(299), window).expect("a remark");
        assert_eq!(remark, "a line is 72h ahead of the clock: it counts as of when it came");
        assert_eq!(skew.remark(at(301), window), None);
    }
}
