//! Violations counted once, when they come in or leave the window, and not with every frame:
//! in a flood there are tens of thousands of them.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    time::Moment,
    violations::{Shape, Violation, ViolationLog},
};

/// How many names a list keeps. The totals count all of them.
pub const LISTED: usize = 1_000;

/// From so many violations on, they are counted again only now and then.
const MANY: u64 = 2_000;

/// How often many are counted again, as long as nothing new comes in.
const MANY_EVERY: Duration = Duration::from_secs(10);

/// The violations of a window in figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Violations in the window.
    pub total: u64,
    /// Identifiers that caused them.
    pub identifiers: u64,
    /// Violations per minute, oldest first, one for each minute of the window.
    pub trend: Vec<u64>,
    /// By identifier, most first, the first [`LISTED`] of them.
    pub by_identifier: Vec<(String, u64)>,
    /// By endpoint, most first, the first [`LISTED`] of them.
    pub by_endpoint: Vec<(String, u64)>,
    /// By tier, most first, the first [`LISTED`] of them.
    pub by_tier: Vec<(String, u64)>,
    /// The shape of the burst.
    pub shape: Shape,
    at: Option<Moment>,
    oldest: Option<Timestamp>,
}

impl Default for Tally {
    fn default() -> Self {
        Self::of(&[], Duration::ZERO, None)
    }
}

impl Tally {
    /// Counts the violations of the last `window`.
    pub fn count(log: &ViolationLog, now: Moment, window: Duration) -> Self {
        let within: Vec<&Violation> = log.within(now, window).collect();
        Self::of(&within, window, Some(now))
    }

    fn of(within: &[&Violation], window: Duration, now: Option<Moment>) -> Self {
        let (mut who, mut what, mut tiers) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut trend = vec![0; (window.as_secs() / 60).max(1) as usize];
        let minutes = trend.len();
        for violation in within {
            *who.entry(violation.identifier.as_str()).or_insert(0) += 1;
            *what.entry(violation.endpoint.as_str()).or_insert(0) += 1;
            if let Some(tier) = &violation.tier {
                *tiers.entry(tier.as_str()).or_insert(0) += 1;
            }
            let age = now.map_or(0, |now| now.wall.duration_since(violation.at).as_secs().max(0));
            let slot = minutes.checked_sub(age as usize / 60 + 1);
            if let Some(slot) = slot.and_then(|slot| trend.get_mut(slot)) {
                *slot += 1;
            }
        }
        let mut by_identifier = ranked(who);
        let (identifiers, shape) = (by_identifier.len() as u64, Shape::of(&by_identifier));
        let (mut by_endpoint, mut by_tier) = (ranked(what), ranked(tiers));
        for list in [&mut by_identifier, &mut by_endpoint, &mut by_tier] {
            list.truncate(LISTED);
        }
        Self {
            total: within.len() as u64,
            identifiers,
            trend,
            by_identifier,
            by_endpoint,
            by_tier,
            shape,
            at: now,
            oldest: within.first().map(|violation| violation.at),
        }
    }

    /// Whether time alone has made it wrong: something has left the window, or moved on to
    /// the next minute. Many are left as they are for a few seconds.
    pub fn is_outdated(&self, now: Moment, window: Duration) -> bool {
        let Some(at) = self.at else { return true };
        let passed = now.since(at);
        let from = now.wall.saturating_sub(window).unwrap_or(Timestamp::MIN);
        let left = self.oldest.is_some_and(|oldest| oldest < from);
        let moved = self.total > 0 && passed >= Duration::from_secs(1);
        (left || moved) && (self.total < MANY || passed >= MANY_EVERY)
    }
}

/// Most first, then by name.
fn ranked(counts: BTreeMap<&str, u64>) -> Vec<(String, u64)> {
    let mut ranked: Vec<(&str, u64)> = counts.into_iter().collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    ranked.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn log(count: usize, second: i64) -> ViolationLog {
        let page: Vec<Violation> = (0..count)
            .map(|i| Violation {
                at: Moment::at_seconds(0.0).wall + jiff::SignedDuration::from_secs(second),
                identifier: format!("client-{i}"),
                endpoint: "/api".to_owned(),
                limit: None,
                window: None,
                tier: None,
            })
            .collect();
        let mut log = ViolationLog::default();
        log.merge(&page, Moment::at_seconds(second as f64), HOUR);
        log
    }

    #[test]
    fn a_flood_is_counted_whole_and_listed_in_part() {
        let tally = Tally::count(&log(5_000, 10), Moment::at_seconds(70.0), HOUR);
        assert_eq!((tally.total, tally.identifiers), (5_000, 5_000));
        assert_eq!(tally.by_identifier.len(), LISTED);
        assert_eq!(tally.shape, Shape::ManyClients);
        assert_eq!((tally.trend[58], tally.trend[59]), (5_000, 0));
    }

    #[test]
    fn time_makes_a_count_wrong_and_a_long_one_less_often() {
        let at = Moment::at_seconds;
        let none = Tally::count(&log(0, 0), at(10.0), HOUR);
        assert!(!none.is_outdated(at(9_999.0), HOUR), "nothing can leave");
        let few = Tally::count(&log(3, 0), at(10.0), HOUR);
        assert!(!few.is_outdated(at(10.5), HOUR) && few.is_outdated(at(11.0), HOUR));
        let many = Tally::count(&log(5_000, 0), at(10.0), HOUR);
        assert!(!many.is_outdated(at(19.0), HOUR) && many.is_outdated(at(20.0), HOUR));
    }
}
