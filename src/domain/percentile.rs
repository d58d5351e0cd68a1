//! Percentiles of raw samples, and when they may be shown.
//!
//! Nearest rank: the p-th percentile of n sorted samples is the one at position
//! ceil(p·n/100), counted from one (Hyndman and Fan 1996, definition 1). It is always a
//! value that was observed. Percentiles are never averaged and never merged.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use super::time::Moment;

/// One measured latency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The slot it belongs to.
    pub at: Moment,
    /// Milliseconds.
    pub ms: f64,
    /// Given up after `ms`: the true value is at least that.
    pub censored: bool,
}

/// Raw samples of one latency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    kept: VecDeque<Sample>,
}

/// How long samples are kept.
pub const KEEP: Duration = Duration::from_secs(3_600);

/// The most samples that are kept.
const CAPACITY: usize = 8_192;

/// A percentile that may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Percentile {
    /// Milliseconds.
    pub ms: f64,
    /// The sample at this rank was given up: the true value is at least `ms`.
    pub at_least: bool,
    /// So few samples that the figure is a rough one.
    pub rough: bool,
}

/// Percentiles over a window, as far as the number of samples allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Samples in the window.
    pub n: usize,
    /// How many of them were given up.
    pub timeouts: usize,
    /// Shown from 5 samples.
    pub p50: Option<Percentile>,
    /// Shown from 20 samples, rough below 59.
    pub p95: Option<Percentile>,
    /// Shown from 100 samples, rough below 299.
    pub p99: Option<Percentile>,
    /// The largest sample.
    pub max: Option<Percentile>,
}

impl Samples {
    /// Adds a sample; non-finite and negative ones are not latencies and are ignored.
    pub fn add(&mut self, sample: Sample) {
        if !sample.ms.is_finite() || sample.ms < 0.0 {
            return;
        }
        self.kept.push_back(sample);
        while self.kept.len() > CAPACITY
            || self.kept.front().is_some_and(|first| sample.at.since(first.at) > KEEP)
        {
            self.kept.pop_front();
        }
    }

    /// The samples in the last `window`.
    pub fn within(&self, now: Moment, window: Duration) -> impl Iterator<Item = &Sample> {
        self.kept.iter().filter(move |sample| now.since(sample.at) < window)
    }

    /// When the newest sample was taken.
    pub fn last_at(&self) -> Option<Moment> {
        self.kept.back().map(|sample| sample.at)
    }

    /// The percentiles over the last `window`.
    pub fn summary(&self, now: Moment, window: Duration) -> Summary {
        let in_window: Vec<Sample> = self.within(now, window).copied().collect();
        summary(in_window)
    }
}

/// The percentiles of some samples.
pub fn summary(mut samples: Vec<Sample>) -> Summary {
    samples.sort_by(|a, b| a.ms.total_cmp(&b.ms).then(a.censored.cmp(&b.censored)));
    let n = samples.len();
    let shown = |percent: f64| {
        let rough = n < firm_for(percent);
        (n >= enough_for(percent)).then(|| nearest_rank(&samples, percent, rough)).flatten()
    };
    Summary {
        n,
        timeouts: samples.iter().filter(|sample| sample.censored).count(),
        p50: shown(50.0),
        p95: shown(95.0),
        p99: shown(99.0),
        max: samples.last().map(|last| Percentile {
            ms: last.ms,
            at_least: samples.iter().any(|sample| sample.censored),
            rough: false,
        }),
    }
}

/// One percentile of some samples, `percent` from 0 to 100.
///
/// # Errors
/// The number of samples that would be needed, where there are fewer: with fewer than
/// `100 / (100 - percent)` samples a percentile is the maximum under another name.
pub fn percentile(mut samples: Vec<Sample>, percent: f64) -> Result<Percentile, usize> {
    let needed = enough_for(percent);
    if samples.len() < needed {
        return Err(needed);
    }
    samples.sort_by(|a, b| a.ms.total_cmp(&b.ms).then(a.censored.cmp(&b.censored)));
    let rough = samples.len() < firm_for(percent);
    nearest_rank(&samples, percent, rough).ok_or(needed)
}

/// How many samples a percentile needs to be shown.
pub fn enough_for(percent: f64) -> usize {
    let tail = (100.0 - percent).max(0.1);
    ((100.0 / tail).round() as usize).max(5)
}

/// How many samples it takes for the largest of them to lie above the true percentile
/// with a probability of 95 %: the smallest n with (percent/100)^n <= 0.05.
fn firm_for(percent: f64) -> usize {
    let share = (percent / 100.0).clamp(0.01, 0.999);
    (0.05_f64.ln() / share.ln()).ceil() as usize
}

/// The nearest-rank percentile of sorted samples. Where any sample at or below the rank
/// was given up, its true value may lie above the rank, so the figure is a lower bound.
fn nearest_rank(sorted: &[Sample], percent: f64, rough: bool) -> Option<Percentile> {
    let rank = (percent * sorted.len() as f64 / 100.0).ceil().max(1.0) as usize;
    let sample = sorted.get(rank - 1)?;
    let at_least = sorted[..rank].iter().any(|below| below.censored);
    Some(Percentile { ms: sample.ms, at_least, rough })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn samples(values: impl IntoIterator<Item = f64>) -> Vec<Sample> {
        values
            .into_iter()
            .map(|ms| Sample { at: Moment::at_seconds(0.0), ms, censored: false })
            .collect()
    }

    #[test]
    fn nearest_rank_of_the_textbook() {
        let summary = summary(samples((1..=100).map(f64::from)));
        assert_eq!(summary.p50.unwrap().ms, 50.0);
        assert_eq!(summary.p95.unwrap().ms, 95.0);
        assert_eq!(summary.p99.unwrap().ms, 99.0);
        assert_eq!(summary.max.unwrap().ms, 100.0);
    }

    #[test]
    fn what_too_few_samples_cannot_carry_is_not_shown() {
        let cases = [
            (4, [false, false, false]),
            (5, [true, false, false]),
            (19, [true, false, false]),
            (20, [true, true, false]),
            (99, [true, true, false]),
            (100, [true, true, true]),
        ];
        for (n, shown) in cases {
            let got = summary(samples((0..n).map(f64::from)));
            let is = [got.p50.is_some(), got.p95.is_some(), got.p99.is_some()];
            assert_eq!(is, shown, "n = {n}");
        }
        assert!(summary(samples((0..58).map(f64::from))).p95.unwrap().rough);
        assert!(!summary(samples((0..59).map(f64::from))).p95.unwrap().rough);
    }

    #[test]
    fn a_timeout_makes_the_ranks_above_it_lower_bounds() {
        let mut all = samples((1..=40).map(f64::from));
        for sample in &mut all[30..33] {
            (sample.ms, sample.censored) = (3_000.0, true);
        }
        let got = summary(all);
        assert_eq!(got.timeouts, 3);
        assert!(!got.p50.unwrap().at_least, "the timeouts lie above the median");
        assert!(got.p95.unwrap().at_least && got.max.unwrap().at_least);
        assert_eq!(got.max.unwrap().ms, 3_000.0);
    }

    #[test]
    fn what_is_no_latency_is_ignored_and_old_samples_are_forgotten() {
        let mut kept = Samples::default();
        for ms in [f64::NAN, f64::INFINITY, -1.0] {
            kept.add(Sample { at: Moment::at_seconds(0.0), ms, censored: false });
        }
        assert_eq!(kept.last_at(), None);
        kept.add(Sample { at: Moment::at_seconds(0.0), ms: 1.0, censored: false });
        kept.add(Sample { at: Moment::at_seconds(4_000.0), ms: 2.0, censored: false });
        let now = Moment::at_seconds(4_000.0);
        assert_eq!(kept.summary(now, KEEP).n, 1);
    }

    proptest! {
        #[test]
        fn a_percentile_is_a_sample_and_enough_samples_lie_at_or_below_it(
            values in prop::collection::vec(0.0f64..1e6, 100..400)
        ) {
            let got = summary(samples(values.iter().copied()));
            for (percent, figure) in [(50.0, got.p50), (95.0, got.p95), (99.0, got.p99)] {
                let ms = figure.unwrap().ms;
                prop_assert!(values.contains(&ms));
                let below = values.iter().filter(|value| **value <= ms).count() as f64;
                prop_assert!(below * 100.0 >= percent * values.len() as f64);
                let strictly = values.iter().filter(|value| **value < ms).count() as f64;
                prop_assert!(strictly * 100.0 < percent * values.len() as f64);
            }
        }

        #[test]
        fn percentiles_never_fall_with_the_rank(
            values in prop::collection::vec((0.0f64..1e4, any::<bool>()), 100..300)
        ) {
            let all = values
                .iter()
                .map(|(ms, censored)| Sample { at: Moment::at_seconds(0.0), ms: *ms, censored: *censored })
                .collect();
            let got = summary(all);
            let figures = [got.p50, got.p95, got.p99, got.max].map(|figure| figure.unwrap().ms);
            prop_assert!(figures.windows(2).all(|pair| pair[0] <= pair[1]));
        }
    }
}
