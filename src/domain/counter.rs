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
