//! Counters that only grow, until something restarts.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use super::time::Moment;

/// One look at a pair of counters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    at: Moment,
    hits: f64,
    misses: f64,
    /// Counts restarts: samples of two epochs are never subtracted from each other.
    epoch: u32,
}

/// A ratio over a window, with what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowedRate {
    /// Hits in the window.
    pub hits: f64,
    /// Hits and misses in the window.
    pub lookups: f64,
    /// How much of the window was observed.
    pub covered: Duration,
    /// Whether a restart of the counters lies in the window.
    pub restarted: bool,
}

impl WindowedRate {
    /// The ratio, 0 to 1; none over zero lookups, which is "no traffic" and not 0 %.
    pub fn ratio(&self) -> Option<f64> {
        (self.lookups > 0.0).then(|| (self.hits / self.lookups).clamp(0.0, 1.0))
    }
}

/// A pair of counters, hits and misses, kept long enough to take differences over a window.
///
/// A decrease of either counter, or a change of the server's run, begins a new epoch. The
/// first sample of an epoch that began by a decrease counts from zero (as Prometheus's
/// `increase` does) only where *both* counters fell: where one of the two fell alone, the
/// interval cannot be trusted and is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RatioCounter {
    samples: VecDeque<Sample>,
    run: Option<String>,
    /// When the last restart was noticed.
    pub last_restart: Option<Moment>,
}

/// The longest window that can be asked for.
pub const LONGEST_WINDOW: Duration = Duration::from_secs(3_600);

/// How much a counter grew between two looks. A counter that fell was restarted, and has
/// counted from zero since (as Prometheus's `increase` takes it).
pub fn growth(earlier: f64, later: f64) -> f64 {
    if later >= earlier { later - earlier } else { later.max(0.0) }
}

impl RatioCounter {
    /// Adds a look. Negative or non-finite counters are ignored: they are not counts.
    /// Returns whether a restart was recognised.
    pub fn add(&mut self, at: Moment, hits: f64, misses: f64, run: Option<&str>) -> bool {
        let plausible = hits.is_finite() && misses.is_finite() && hits >= 0.0 && misses >= 0.0;
        if !plausible {
            return false;
        }
        let last = self.samples.back().copied();
        let run_changed = run.is_some() && self.run.is_some() && self.run.as_deref() != run;
        let fell = last.is_some_and(|last| hits < last.hits || misses < last.misses);
        let restarted = run_changed || fell;
        let mut epoch = last.map_or(0, |last| last.epoch);
        if restarted {
            epoch += 1;
            self.last_restart = Some(at);
            let from_zero =
                run_changed || last.is_some_and(|last| hits <= last.hits && misses <= last.misses);
            if let (true, Some(last)) = (from_zero, last) {
                self.samples.push_back(Sample { at: last.at, hits: 0.0, misses: 0.0, epoch });
            }
        }
        if run.is_some() {
            self.run = run.map(str::to_owned);
        }
        self.samples.push_back(Sample { at, hits, misses, epoch });
        let horizon = LONGEST_WINDOW + Duration::from_secs(600);
        while self.samples.len() > 2 && at.since(self.samples[1].at) > horizon {
            self.samples.pop_front();
        }
        restarted
    }

    /// The hit rate over the last `window` before `now`: sums of differences between
    /// neighbouring looks of the same epoch. The window begins at the newest look that
    /// is at least `window` old, or at the first look. None before the second look.
    pub fn over(&self, now: Moment, window: Duration) -> Option<WindowedRate> {
        let start =
            self.samples.iter().rposition(|sample| now.since(sample.at) >= window).unwrap_or(0);
        let in_window: Vec<&Sample> = self.samples.iter().skip(start).collect();
        let (first, last) = (in_window.first()?, in_window.last()?);
        if in_window.len() < 2 {
            return None;
        }
        let mut rate = WindowedRate {
            hits: 0.0,
            lookups: 0.0,
            covered: last.at.since(first.at),
            restarted: first.epoch != last.epoch,
        };
        for pair in in_window.windows(2) {
            if pair[0].epoch == pair[1].epoch {
                let hits = pair[1].hits - pair[0].hits;
                let misses = pair[1].misses - pair[0].misses;
                rate.hits += hits;
                rate.lookups += hits + misses;
            }
        }
        Some(rate)
    }

    /// The ratio since the server began to count, as the last look had it. A secondary
    /// figure: it hides incidents.
    pub fn lifetime(&self) -> Option<f64> {
        let last = self.samples.back()?;
        let lookups = last.hits + last.misses;
        (lookups > 0.0).then(|| last.hits / lookups)
    }

    /// When it was last looked at.
    pub fn last_at(&self) -> Option<Moment> {
        self.samples.back().map(|sample| sample.at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::at_seconds(seconds as f64)
    }

    fn fed(samples: &[(u64, f64, f64)]) -> RatioCounter {
        let mut counter = RatioCounter::default();
        for (second, hits, misses) in samples {
            counter.add(at(*second), *hits, *misses, None);
        }
        counter
    }

    const WINDOW: Duration = Duration::from_secs(300);

    #[test]
    fn the_rate_is_the_difference_over_the_window_not_the_lifetime_ratio() {
        let counter = fed(&[(0, 990_000.0, 10_000.0), (60, 990_010.0, 10_090.0)]);
        let rate = counter.over(at(60), WINDOW).unwrap();
        assert_eq!((rate.hits, rate.lookups), (10.0, 100.0));
        assert_eq!(rate.ratio(), Some(0.1));
        assert!(counter.lifetime().unwrap() > 0.98);
    }

    #[test]
    fn one_look_gives_no_rate_and_no_lookups_give_no_ratio() {
        assert_eq!(fed(&[(0, 5.0, 5.0)]).over(at(0), WINDOW), None);
        let idle = fed(&[(0, 5.0, 5.0), (10, 5.0, 5.0)]);
        assert_eq!(idle.over(at(10), WINDOW).unwrap().ratio(), None);
        assert_eq!(fed(&[]).lifetime(), None);
    }

    #[test]
    fn a_reset_of_both_counters_counts_from_zero() {
        let counter = fed(&[(0, 100.0, 100.0), (10, 110.0, 110.0), (20, 9.0, 1.0)]);
        let rate = counter.over(at(20), WINDOW).unwrap();
        assert_eq!((rate.hits, rate.lookups), (19.0, 30.0));
        assert!(rate.restarted);
        assert_eq!(counter.last_restart, Some(at(20)));
    }

    #[test]
    fn an_interval_in_which_one_counter_fell_alone_is_left_out() {
        let counter = fed(&[(0, 100.0, 100.0), (10, 5.0, 150.0), (20, 15.0, 160.0)]);
        let rate = counter.over(at(20), WINDOW).unwrap();
        assert_eq!((rate.hits, rate.lookups), (10.0, 20.0));
    }

    #[test]
    fn a_changed_run_is_a_restart_even_where_the_counters_grew() {
        let mut counter = RatioCounter::default();
        counter.add(at(0), 10.0, 10.0, Some("a"));
        assert!(counter.add(at(10), 50.0, 50.0, Some("b")));
        let rate = counter.over(at(10), WINDOW).unwrap();
        assert_eq!((rate.hits, rate.lookups), (50.0, 100.0));
    }

    #[test]
    fn what_is_no_count_is_ignored() {
        let mut counter = fed(&[(0, 1.0, 1.0)]);
        for (hits, misses) in [(-1.0, 5.0), (5.0, -1.0), (f64::NAN, 1.0), (1.0, f64::INFINITY)] {
            assert!(!counter.add(at(5), hits, misses, None));
        }
        assert_eq!(counter.over(at(5), WINDOW), None);
    }

    #[test]
    fn only_the_window_counts() {
        let counter =
            fed(&[(0, 0.0, 0.0), (100, 100.0, 0.0), (400, 100.0, 50.0), (410, 110.0, 50.0)]);
        let rate = counter.over(at(410), WINDOW).unwrap();
        assert_eq!((rate.hits, rate.lookups), (10.0, 60.0));
    }

    proptest! {
        #[test]
        fn a_ratio_lies_between_zero_and_one_whatever_the_counters_do(
            samples in prop::collection::vec((0u32..1_000, 0u32..1_000), 2..40)
        ) {
            let mut counter = RatioCounter::default();
            for (i, (hits, misses)) in samples.iter().enumerate() {
                counter.add(at(i as u64 * 10), f64::from(*hits), f64::from(*misses), None);
            }
            let now = at(samples.len() as u64 * 10);
            let rate = counter.over(now, LONGEST_WINDOW).unwrap();
            prop_assert!(rate.hits >= 0.0 && rate.lookups >= rate.hits);
            if let Some(ratio) = rate.ratio() {
                prop_assert!((0.0..=1.0).contains(&ratio));
            }
        }

        #[test]
        fn resets_lose_nothing_that_was_counted_after_them(
            steps in prop::collection::vec((0u32..50, 0u32..50, any::<bool>()), 1..40)
        ) {
            let mut counter = RatioCounter::default();
            let (mut hits, mut misses) = (1_000.0, 1_000.0);
            counter.add(at(0), hits, misses, Some("0"));
            let mut expected = 0.0;
            for (i, (h, m, restart)) in steps.iter().enumerate() {
                if *restart {
                    (hits, misses) = (0.0, 0.0);
                }
                hits += f64::from(*h);
                misses += f64::from(*m);
                expected += f64::from(h + m);
                let run = steps[..=i].iter().filter(|step| step.2).count().to_string();
                counter.add(at(i as u64 + 1), hits, misses, Some(&run));
            }
            let rate = counter.over(at(steps.len() as u64), LONGEST_WINDOW).unwrap();
            prop_assert!((rate.lookups - expected).abs() < 1e-6);
        }
    }
}
