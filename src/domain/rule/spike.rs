//! Whether a counter grows far faster than usual.
//!
//! The usual is the median of the last sixty one-minute counts, its spread the median
//! absolute deviation (MAD), scaled by 1.4826 so that it estimates a standard deviation
//! (Rousseeuw and Croux 1993). A minute is too much above median + 5 scaled MADs, above
//! three times the median, and above ten: with little traffic everything looks like a
//! spike. Three such minutes of the last five make one.

use std::time::Duration;

use super::series::Series;
use crate::domain::{counter, time::Moment};

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
pub fn spike(series: &Series, now: Moment) -> Option<Spike> {
    let counts = minutes(series, now);
    if counts.len() < ENOUGH {
        return None;
    }
    let usual = median(&counts);
    let spread = median(&counts.iter().map(|count| (count - usual).abs()).collect::<Vec<_>>());
    let limit = (usual + 5.0 * 1.482_6 * spread).max(3.0 * usual).max(FLOOR);
    let recent = counts.iter().take(RECENT).filter(|count| **count > limit).count();
    Some(Spike {
        found: recent >= OF_RECENT,
        last: counts.first().copied().unwrap_or(0.0),
        limit,
        minutes: counts.len(),
    })
}

/// The growth in each minute, newest first, as far as all of it was watched.
fn minutes(series: &Series, now: Moment) -> Vec<f64> {
    let looks: Vec<(Moment, f64)> = series
        .within(now, REACH + MINUTE)
        .filter_map(|look| {
            Some((look.at, look.point.as_float().filter(|count| count.is_finite())?))
        })
        .collect();
    let Some((first, _)) = looks.first() else { return Vec::new() };
    let watched = (now.since(*first).as_secs() / 60).min(u64::from(USUAL)) as usize;
    let mut counts = vec![0.0; watched];
    for pair in looks.windows(2) {
        let minute = (now.since(pair[1].0).as_secs() / 60) as usize;
        if let Some(count) = counts.get_mut(minute) {
            *count += counter::growth(pair[0].1, pair[1].1);
        }
    }
    counts
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
