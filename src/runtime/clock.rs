//! Where the moments of messages come from.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::domain::time::Moment;

/// Reads both clocks. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    /// Set in tests: the wall clock then follows the monotonic one from here.
    simulated: Option<Timestamp>,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self { start: Instant::now(), simulated: None }
    }

    /// A clock whose wall time begins at `wall` and follows the runtime's time, which a
    /// test can pause.
    pub fn simulated(wall: Timestamp) -> Self {
        Self { start: Instant::now(), simulated: Some(wall) }
    }

    /// Now.
    pub fn now(&self) -> Moment {
        let mono = self.start.elapsed();
        let wall = match self.simulated {
            Some(start) => start.saturating_add(mono).unwrap_or(start),
            None => Timestamp::now(),
        };
        Moment { mono, wall }
    }
}

/// Notices when the console was not running: the process was stopped, or the machine
/// suspended. The monotonic clock stands still during a suspend, so both clocks are compared.
#[derive(Clone, Copy, Debug)]
pub struct GapDetector {
    last: Moment,
    limit: Duration,
}

impl GapDetector {
    /// Ticks that are further apart than `limit` are a gap.
    pub fn new(now: Moment, limit: Duration) -> Self {
        Self { last: now, limit }
    }

    /// Takes a tick; returns how long nothing was observed, where that is a gap. A wall
    /// clock that was set back is no gap.
    pub fn tick(&mut self, now: Moment) -> Option<Duration> {
        let mono = now.since(self.last);
        let wall = Duration::try_from(now.wall.duration_since(self.last.wall)).unwrap_or(mono);
        self.last = now;
        let blind = mono.max(wall);
        (blind > self.limit).then_some(blind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(mono: u64, wall: i64) -> Moment {
        Moment {
            mono: Duration::from_secs(mono),
            wall: Timestamp::from_second(1_767_225_600 + wall).unwrap(),
        }
    }

    #[test]
    fn a_stop_and_a_suspend_are_gaps_and_a_clock_set_back_is_none() {
        let limit = Duration::from_secs(5);
        let cases = [
            ("on time", moment(1, 1), None),
            ("stopped: both clocks jump", moment(60, 60), Some(60)),
            ("suspended: only the wall clock jumps", moment(1, 900), Some(900)),
            ("wall clock set back", moment(1, -3_600), None),
        ];
        for (name, now, gap) in cases {
            let mut detector = GapDetector::new(moment(0, 0), limit);
            assert_eq!(detector.tick(now), gap.map(Duration::from_secs), "{name}");
            assert_eq!(detector.tick(now.plus(Duration::from_secs(1))), None, "{name}, then");
        }
    }
}
