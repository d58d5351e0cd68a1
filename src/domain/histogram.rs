//! Percentiles of streams that are too fast to keep every sample of: request logs.
//!
//! A ring of high dynamic range histograms, one for every ten seconds, added up over the
//! window that is asked for. Each value is kept to three significant digits, so a figure is
//! at most 0.1 % off; histograms of the same range add up exactly, unlike percentiles, which
//! cannot be merged at all. Source: Gil Tene, HdrHistogram; the crate of that name.
//!
//! Samples that the console takes itself are few: those are kept raw, see
//! [`percentile`](super::percentile).

use std::{collections::VecDeque, time::Duration};

use hdrhistogram::Histogram;

use super::{percentile::enough_for, time::Moment};

/// The width of one part of the ring.
const STEP: Duration = Duration::from_secs(10);

/// The longest window that can be asked for.
pub const LONGEST: Duration = Duration::from_secs(900);

/// Durations are kept in microseconds, up to an hour: longer ones count as an hour.
const HIGHEST: u64 = 3_600_000_000;

/// Significant digits.
const DIGITS: u8 = 3;

/// A ring of histograms of durations.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    parts: VecDeque<(u64, Histogram<u32>)>,
}

/// What a stream tells about a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Samples.
    pub n: u64,
    /// Milliseconds; none below 5 samples.
    pub p50: Option<f64>,
    /// Milliseconds; none below 20 samples.
    pub p95: Option<f64>,
    /// Milliseconds; none below 100 samples.
    pub p99: Option<f64>,
    /// Milliseconds.
    pub max: Option<f64>,
}

impl Stream {
    /// Adds a duration in milliseconds. What is no duration is dropped; returns whether it
    /// was taken. One that belongs to a time before the ring is dropped too.
    pub fn add(&mut self, at: Moment, ms: f64) -> bool {
        if !ms.is_finite() || ms < 0.0 {
            return false;
        }
        let step = at.mono.as_secs() / STEP.as_secs();
        let newest = self.parts.back().map_or(step, |(newest, _)| (*newest).max(step));
        let oldest = newest.saturating_sub(LONGEST.as_secs() / STEP.as_secs());
        while self.parts.front().is_some_and(|(part, _)| *part < oldest) {
            self.parts.pop_front();
        }
        if step < oldest {
            return false;
        }
        let place = self.parts.partition_point(|(part, _)| *part < step);
        if self.parts.get(place).is_none_or(|(part, _)| *part != step) {
            // It grows with its values: most durations are short, and so are most histograms.
            let Ok(fresh) = Histogram::new(DIGITS) else { return false };
            self.parts.insert(place, (step, fresh));
        }
        let Some((_, part)) = self.parts.get_mut(place) else { return false };
        // The smallest duration that a histogram knows is one microsecond.
        part.record(((ms * 1_000.0).round() as u64).clamp(1, HIGHEST)).is_ok()
    }

    /// The figures over the last `window`, in whole steps of ten seconds.
    pub fn over(&self, now: Moment, window: Duration) -> Figures {
        let last = now.mono.as_secs() / STEP.as_secs();
        let steps = window.as_secs().div_ceil(STEP.as_secs());
        let within = |part: u64| part <= last && last - part < steps;
        let mut parts = self.parts.iter().filter(|(part, _)| within(*part)).map(|(_, of)| of);
        let Some(mut sum) = parts.next().cloned() else { return Figures::default() };
        for part in parts {
            // All have the same range: adding cannot fail.
            let _ = sum.add(part);
        }
        let n = sum.len();
        let figure = |percent: f64| {
            let enough = n as usize >= enough_for(percent);
            enough.then(|| sum.value_at_quantile(percent / 100.0) as f64 / 1_000.0)
        };
        Figures {
            n,
            p50: figure(50.0),
            p95: figure(95.0),
            p99: figure(99.0),
            max: Some(sum.max() as f64 / 1_000.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::percentile::{Sample, summary};

    fn at(seconds: u64) -> Moment {
        Moment::at_seconds(seconds as f64)
    }

    #[test]
    fn a_window_is_made_of_its_steps_and_nothing_else() {
        let mut stream = Stream::default();
        for second in 0..600 {
            assert!(stream.add(at(second), if second < 300 { 10.0 } else { 1_000.0 }));
        }
        let recent = stream.over(at(599), Duration::from_secs(300));
        assert_eq!(recent.n, 300);
        assert!(recent.p50.is_some_and(|ms| (ms - 1_000.0).abs() <= 1.0));
        assert_eq!(stream.over(at(599), Duration::from_secs(600)).n, 600);
        assert_eq!(stream.over(at(2_000), Duration::from_secs(300)), Figures::default());
    }

    #[test]
    fn what_is_late_or_no_duration_is_dropped() {
        let mut stream = Stream::default();
        assert!(stream.add(at(2_000), 5.0));
        assert!(!stream.add(at(0), 5.0), "older than the ring");
        assert!(stream.add(at(1_990), 5.0), "late, but within it");
        for ms in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(!stream.add(at(2_000), ms), "{ms}");
        }
        assert_eq!(stream.over(at(2_000), LONGEST).n, 2);
    }

    #[test]
    fn too_few_samples_carry_no_percentile() {
        let mut stream = Stream::default();
        (0..19).for_each(|_| assert!(stream.add(at(0), 7.0)));
        let few = stream.over(at(0), LONGEST);
        assert_eq!((few.n, few.p50.is_some(), few.p95, few.p99), (19, true, None, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Against the raw samples: off by no more than three significant digits allow, and
        /// by the microsecond to which a duration is rounded.
        #[test]
        fn figures_are_within_the_stated_precision(
            values in prop::collection::vec(0.01f64..100_000.0, 100..400)
        ) {
            let mut stream = Stream::default();
            let mut samples = Vec::new();
            for (number, ms) in values.iter().enumerate() {
                prop_assert!(stream.add(at(number as u64 % 300), *ms));
                samples.push(Sample { at: at(0), ms: *ms, censored: false });
            }
            let (exact, found) = (summary(samples), stream.over(at(299), LONGEST));
            prop_assert_eq!(found.n as usize, exact.n);
            let pairs = [(found.p50, exact.p50), (found.p95, exact.p95), (found.p99, exact.p99), (found.max, exact.max)];
            for (found, exact) in pairs {
                let (found, exact) = (found.unwrap(), exact.unwrap().ms);
                prop_assert!((found - exact).abs() <= exact * 0.001 + 0.001, "{} for {}", found, exact);
            }
        }

        /// Where the samples fall into the ring makes no difference to what they come to.
        #[test]
        fn histograms_add_up(
            values in prop::collection::vec((0u64..890, 0.1f64..10_000.0), 100..300)
        ) {
            let (mut spread, mut together) = (Stream::default(), Stream::default());
            for (second, ms) in &values {
                spread.add(at(*second), *ms);
                together.add(at(880), *ms);
            }
            prop_assert_eq!(spread.over(at(889), LONGEST), together.over(at(889), LONGEST));
        }
    }
}
