//! A value that knows how old it is and whether it can still be believed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{failure::Failure, time::Moment, verdict::Quality};

/// A value from a source. There is no default value: an outage is never shown as zero,
/// empty or green.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reading<T> {
    /// Nothing was observed yet.
    Never,
    /// Observed recently.
    Fresh {
        /// What was observed.
        value: T,
        /// When.
        at: Moment,
    },
    /// Observed, but too long ago to be believed.
    Stale {
        /// What was observed.
        value: T,
        /// When.
        at: Moment,
    },
    /// The last attempt failed.
    Failed {
        /// The last good value and its time, where there was one.
        last_good: Option<(T, Moment)>,
        /// Why.
        why: Failure,
        /// Since when it has been failing.
        since: Moment,
    },
}

impl<T> Reading<T> {
    /// The last known value and when it was observed, whatever it is worth now.
    pub fn last_known(&self) -> Option<(&T, Moment)> {
        match self {
            Self::Never => None,
            Self::Fresh { value, at } | Self::Stale { value, at } => Some((value, *at)),
            Self::Failed { last_good, .. } => last_good.as_ref().map(|(value, at)| (value, *at)),
        }
    }

    /// The value, if it may be believed.
    pub fn fresh(&self) -> Option<&T> {
        match self {
            Self::Fresh { value, .. } => Some(value),
            _ => None,
        }
    }

    /// What the value is worth at `now`, given how often the source is asked.
    pub fn quality(&self, now: Moment, interval: Duration) -> Quality {
        match self {
            Self::Never => Quality::Waiting,
            Self::Failed { .. } => Quality::Error,
            Self::Stale { .. } => Quality::Stale,
            Self::Fresh { at, .. } => age_quality(now.since(*at), interval),
        }
    }

    /// The same reading with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Reading<U> {
        match self {
            Self::Never => Reading::Never,
            Self::Fresh { value, at } => Reading::Fresh { value: f(value), at },
            Self::Stale { value, at } => Reading::Stale { value: f(value), at },
            Self::Failed { last_good, why, since } => Reading::Failed {
                last_good: last_good.map(|(value, at)| (f(value), at)),
                why,
                since,
            },
        }
    }

    /// The same reading, borrowed.
    pub fn as_ref(&self) -> Reading<&T> {
        match self {
            Self::Never => Reading::Never,
            Self::Fresh { value, at } => Reading::Fresh { value, at: *at },
            Self::Stale { value, at } => Reading::Stale { value, at: *at },
            Self::Failed { last_good, why, since } => Reading::Failed {
                last_good: last_good.as_ref().map(|(value, at)| (value, *at)),
                why: why.clone(),
                since: *since,
            },
        }
    }
}

/// Fresh up to two intervals, late up to three (at least 15 s, at most 5 min), then stale.
pub fn age_quality(age: Duration, interval: Duration) -> Quality {
    if age <= interval * 2 {
        Quality::Fresh
    } else if age <= stale_after(interval) {
        Quality::Late
    } else {
        Quality::Stale
    }
}

/// The age from which a value is stale: three intervals, at least 15 s; five minutes at
/// most, but never less than two intervals and a half, so that a slow source is not
/// stale between two good polls.
pub fn stale_after(interval: Duration) -> Duration {
    (interval * 3).max(Duration::from_secs(15)).min(Duration::from_secs(300).max(interval * 5 / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_fresh_then_late_then_stale() {
        let interval = Duration::from_secs(10);
        let cases = [
            (0, Quality::Fresh),
            (20, Quality::Fresh),
            (21, Quality::Late),
            (30, Quality::Late),
            (31, Quality::Stale),
        ];
        for (age, quality) in cases {
            assert_eq!(age_quality(Duration::from_secs(age), interval), quality, "{age} s");
        }
    }

    #[test]
    fn the_limits_of_staleness() {
        let cases = [(1, 15), (5, 15), (10, 30), (60, 180), (100, 300), (600, 1_500)];
        for (interval, stale) in cases {
            let limit = stale_after(Duration::from_secs(interval));
            assert_eq!(limit, Duration::from_secs(stale), "interval {interval} s");
        }
    }
}
