//! Time as a value: the console never asks for the time inside its logic, it is told.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A point in time as the console saw it: the wall clock, for showing and for the
/// ages that servers report, and a monotonic reading, for every duration.
///
/// Wall clocks are stepped and laptops are suspended; a duration is therefore only
/// ever taken between two `mono` readings of the same run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment {
    /// Monotonic time since the console started.
    pub mono: Duration,
    /// Wall-clock time, UTC.
    pub wall: Timestamp,
}

impl Moment {
    /// The time from `earlier` to this moment; zero where `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.mono.saturating_sub(earlier.mono)
    }

    /// The time from `earlier` to this moment by the wall clock; zero where `earlier` is
    /// later. For what people wait for, and for what began before this run.
    pub fn wall_since(self, earlier: Self) -> Duration {
        Duration::try_from(self.wall.duration_since(earlier.wall)).unwrap_or_default()
    }

    /// This moment, `by` later on both clocks.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        let wall = self.wall.saturating_add(by).unwrap_or(self.wall);
        Self { mono: self.mono.saturating_add(by), wall }
    }

    /// A moment of a made-up run that began at 2026-01-01T00:00:00Z, `seconds` in.
    /// For tests and examples.
    pub fn at_seconds(seconds: f64) -> Self {
        let mono = Duration::from_secs_f64(seconds.max(0.0));
        let start = Timestamp::from_second(1_767_225_600).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { mono: Duration::ZERO, wall: start }.plus(mono)
    }
}

/// An age in the fewest characters that still tell the truth: `now`, `40s`, `3m`, `2h`, `5d`.
///
/// Ages below ten seconds are all `now`, and up to a minute they move in steps of ten
/// seconds: a figure that changes every second on every row would repaint the screen
/// for nothing.
pub fn coarse_age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..=9 => "now".to_owned(),
        10..=59 => format!("{}s", seconds / 10 * 10),
        60..=3_599 => format!("{}m", seconds / 60),
        3_600..=86_399 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long ago something was, coarsely: `3m ago`, `just now`.
pub fn ago(age: Duration) -> String {
    match coarse_age(age).as_str() {
        "now" => "just now".to_owned(),
        age => format!("{age} ago"),
    }
}

/// A duration to the second, as `m:ss` or `h:mm:ss`: for countdowns.
pub fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// What is left until something, as [`clock`] says it, rounded up: `0:00` is when it is over.
pub fn clock_left(left: Duration) -> String {
    clock(Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0)))
}

/// A duration in the largest unit that divides it, as the configuration writes it: `90s`, `5m`, `1h`.
pub fn short_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => "0s".to_owned(),
        m if m % 3_600_000 == 0 => format!("{}h", m / 3_600_000),
        m if m % 60_000 == 0 => format!("{}m", m / 60_000),
        m if m % 1_000 == 0 => format!("{}s", m / 1_000),
        m => format!("{m}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_never_nothing_before_its_end() {
        let cases = [(0, "0:00"), (1, "0:01"), (999, "0:01"), (1_000, "0:01"), (59_001, "1:00")];
        for (millis, expected) in cases {
            assert_eq!(clock_left(Duration::from_millis(millis)), expected, "{millis}");
        }
    }

    #[test]
    fn ages_are_coarse_while_young() {
        let cases = [
            (0, "now"),
            (9, "now"),
            (10, "10s"),
            (59, "50s"),
            (60, "1m"),
            (3_599, "59m"),
            (7_200, "2h"),
            (200_000, "2d"),
        ];
        for (seconds, text) in cases {
            assert_eq!(coarse_age(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn durations_and_clocks_read_as_they_are_written() {
        let cases = [
            (0, "0s"),
            (1_500, "1500ms"),
            (5_000, "5s"),
            (90_000, "90s"),
            (300_000, "5m"),
            (7_200_000, "2h"),
        ];
        for (ms, text) in cases {
            assert_eq!(short_duration(Duration::from_millis(ms)), text);
        }
        assert_eq!(clock(Duration::from_secs(599)), "9:59");
        assert_eq!(clock(Duration::from_secs(3_661)), "1:01:01");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_negative_age() {
        let (early, late) = (Moment::at_seconds(1.0), Moment::at_seconds(5.0));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late.since(early), Duration::from_secs(4));
    }
}
