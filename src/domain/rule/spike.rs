//! Whether a counter grows far faster than usual.
//!
//! The usual is the median of the last sixty one-minute counts, its spread the median
//! absolute deviation (MAD), scaled by 1.4826 so that it estimates a standard deviation
//! (Rousseeuw and Croux 1993). A minute is too much above median + 5 scaled MADs, above
//! three times the median, and above ten: with little traffic everything looks like a
//! spike. Three such minutes of the last five make one.

use std::time::Duration;

use super::series::Series;
use crate::domain::{counter, reading::stale_after, time::Moment};

/// How far back it looks.
pub const REACH: Duration = Duration::from_secs(61 * 60);

const MINUTE: Duration = Duration::from_secs(60);
const USUAL: u32 = 60;
const ENOUGH: usize = 30;
const RECENT: usize = 5;
const OF_RECENT: usize = 3;
const FLOOR: f64 = 10.0;

/// The last minute, and what would be too much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spike {
    /// Whether three of the last five minutes were too much.
    pub found: bool,
    /// Events in the last minute.
    pub last: f64,
    /// More than this in a minute is too much.
    pub limit: f64,
    /// Minutes that the usual was taken from.
    pub minutes: usize,
}

/// Looks for a spike. None with less than half an hour of history: there is no usual yet.
/// Minutes that were not watched count as nothing, not as none.
pub fn spike(series: &Series, now: Moment) -> Option<Spike> {
    let minutes = minutes(series, now);
    let counts: Vec<f64> = minutes.iter().flatten().copied().collect();
    if counts.len() < ENOUGH {
        return None;
    }
    let usual = median(&counts);
    let spread = median(&counts.iter().map(|count| (count - usual).abs()).collect::<Vec<_>>());
    let limit = (usual + 5.0 * 1.482_6 * spread).max(3.0 * usual).max(FLOOR);
    let recent = minutes.iter().take(RECENT).flatten();
    Some(Spike {
        found: recent.filter(|count| **count > limit).count() >= OF_RECENT,
        last: counts.first().copied().unwrap_or(0.0),
        limit,
        minutes: counts.len(),
    })
}

/// The growth in each minute, newest first, as far as all of it was watched; none for a
/// minute of which a part was not.
fn minutes(series: &Series, now: Moment) -> Vec<Option<f64>> {
    let looks: Vec<(Moment, f64)> = series
        .within(now, REACH + MINUTE)
        .filter_map(|look| {
            Some((look.at, look.point.as_float().filter(|count| count.is_finite())?))
        })
        .collect();
    let Some((first, _)) = looks.first() else { return Vec::new() };
    let watched = (now.since(*first).as_secs() / 60).min(u64::from(USUAL)) as usize;
    let mut counts = vec![Some(0.0); watched];
    let minute = |at: Moment| (now.since(at).as_secs() / 60) as usize;
    for pair in looks.windows(2) {
        let ((from, before), (to, after)) = (pair[0], pair[1]);
        let (oldest, newest) = (minute(from), minute(to));
        if is_blind(series, from, to) {
            counts.iter_mut().take(oldest + 1).skip(newest).for_each(|count| *count = None);
            continue;
        }
        // Looks that are further apart than a minute: nobody knows in which of them it grew.
        let grown = counter::growth(before, after);
        let share = grown / (oldest - newest).max(1) as f64;
        for count in counts.iter_mut().take(oldest.max(newest + 1)).skip(newest).flatten() {
            *count += share;
        }
    }
    counts
}

/// Whether nobody looked between two looks, for longer than looks are apart.
fn is_blind(series: &Series, from: Moment, to: Moment) -> bool {
    let gap = series.blind_until;
    to.since(from) > stale_after(series.interval).max(MINUTE)
        || gap.is_some_and(|gap| from.mono <= gap.mono && gap.mono < to.mono)
}

/// The median; of an even number, the mean of the two in the middle.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.len() % 2) {
        (Some(value), 1) => *value,
        (Some(value), _) => (value + sorted.get(middle.wrapping_sub(1)).unwrap_or(value)) / 2.0,
        (None, _) => 0.0,
    }
}
