//! Rate-limit violations: what they are, and how pages of them are merged.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::time::Moment;

/// A request that was refused for exceeding a limit. The request's headers, which some
/// services report with it, are dropped on arrival: they hold credentials.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Violation {
    /// When, by the service's clock.
    pub at: Timestamp,
    /// Who: an address, a user, a key.
    pub identifier: String,
    /// What was asked for, path only.
    pub endpoint: String,
    /// The limit that was exceeded, requests per window.
    pub limit: Option<u64>,
    /// The window of that limit.
    pub window: Option<Duration>,
    /// The tier of the limit: `public`, `auth`, `booking` and so on, where it can be told.
    pub tier: Option<String>,
}

/// How close one identifier is to its limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pressure {
    /// Who.
    pub identifier: String,
    /// The tier of the limit.
    pub tier: String,
    /// Requests in the current window.
    pub used: u64,
    /// Requests allowed.
    pub limit: u64,
}

impl Pressure {
    /// Used share of the limit; above 1 where refused requests are counted too.
    pub fn share(&self) -> f64 {
        if self.limit == 0 { f64::INFINITY } else { self.used as f64 / self.limit as f64 }
    }
}

/// Violations merged over polls. Two polls may reach two instances that each remember
/// their own violations, so a page never replaces what was known: it is added, and what
/// is already there is recognised by time, identifier and endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ViolationLog {
    seen: BTreeSet<Violation>,
    /// How many were dropped because the log was full.
    pub dropped: u64,
    /// How many were refused because they claim to be from the future.
    pub from_the_future: u64,
}

/// The most violations that are remembered.
const CAPACITY: usize = 20_000;

/// How far ahead of our clock a service's clock may be.
const CLOCK_SKEW: Duration = Duration::from_secs(120);

impl ViolationLog {
    /// Adds a page. Violations older than `keep` are forgotten; those from the future
    /// beyond a clock skew of two minutes are counted and left out.
    pub fn merge(&mut self, page: &[Violation], now: Moment, keep: Duration) {
        let horizon = now.wall.saturating_sub(keep).unwrap_or(Timestamp::MIN);
        let latest = now.wall.saturating_add(CLOCK_SKEW).unwrap_or(Timestamp::MAX);
        for violation in page {
            if violation.at > latest {
                self.from_the_future += 1;
            } else if violation.at >= horizon {
                self.seen.insert(violation.clone());
            }
        }
        self.seen = self.seen.split_off(&Violation::earliest(horizon));
        while self.seen.len() > CAPACITY {
            self.seen.pop_first();
            self.dropped += 1;
        }
    }

    /// The violations in the last `window`, oldest first.
    pub fn within(
        &self,
        now: Moment,
        window: Duration,
    ) -> impl DoubleEndedIterator<Item = &Violation> {
        let from = now.wall.saturating_sub(window).unwrap_or(Timestamp::MIN);
        self.seen.range(Violation::earliest(from)..)
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }
}

impl Violation {
    /// The smallest violation of that time, as a bound for a range.
    fn earliest(at: Timestamp) -> Self {
        Self {
            at,
            identifier: String::new(),
            endpoint: String::new(),
            limit: None,
            window: None,
            tier: None,
        }
    }
}

/// Which shape a burst of violations has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Most come from one identifier: abuse, or a broken client.
    OneClient,
    /// Many identifiers, few each: the limit is too tight, or an event.
    ManyClients,
    /// Neither stands out, or there are too few to say.
    Mixed,
}

impl Shape {
    /// Reads the shape off counts by identifier, largest first. With fewer than ten
    /// violations nothing is claimed.
    pub fn of(by_identifier: &[(String, u64)]) -> Self {
        let total: u64 = by_identifier.iter().map(|(_, count)| count).sum();
        let Some((_, top)) = by_identifier.first() else { return Self::Mixed };
        if total < 10 {
            Self::Mixed
        } else if top * 2 >= total {
            Self::OneClient
        } else if by_identifier.len() >= 5 && top * 5 <= total {
            Self::ManyClients
        } else {
            Self::Mixed
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::OneClient => "one client, many refusals: abuse or a broken client",
            Self::ManyClients => "many clients, few refusals each: limit too tight, or an event",
            Self::Mixed => "no single client stands out",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn violation(second: i64, who: &str) -> Violation {
        Violation {
            at: Timestamp::from_second(1_767_225_600 + second).unwrap(),
            identifier: who.to_owned(),
            endpoint: "/api/cars".to_owned(),
            limit: Some(60),
            window: Some(Duration::from_secs(60)),
            tier: None,
        }
    }

    fn total(log: &ViolationLog, second: f64) -> usize {
        log.within(Moment::at_seconds(second), HOUR).count()
    }

    #[test]
    fn pages_of_two_instances_are_added_and_never_replace_each_other() {
        let mut log = ViolationLog::default();
        let now = Moment::at_seconds(100.0);
        let one = [violation(1, "a"), violation(2, "a")];
        let two = [violation(2, "b"), violation(3, "a")];
        for page in [&one[..], &two[..], &one[..], &two[..]] {
            log.merge(page, now, HOUR);
        }
        assert_eq!(total(&log, 100.0), 4);
    }

    #[test]
    fn the_old_are_forgotten_and_the_future_is_refused() {
        let mut log = ViolationLog::default();
        log.merge(&[violation(0, "a"), violation(90, "a")], Moment::at_seconds(90.0), HOUR);
        log.merge(&[violation(9_999, "b")], Moment::at_seconds(3_640.0), HOUR);
        assert_eq!(total(&log, 3_640.0), 1);
        assert_eq!(log.from_the_future, 1);
    }

    #[test]
    fn the_log_is_bounded_and_counts_what_it_drops() {
        let mut log = ViolationLog::default();
        let page: Vec<Violation> =
            (0..CAPACITY + 5).map(|i| violation(0, &format!("client-{i}"))).collect();
        log.merge(&page, Moment::at_seconds(1.0), HOUR);
        assert_eq!((total(&log, 1.0), log.dropped), (CAPACITY, 5));
    }

    #[test]
    fn the_shape_tells_abuse_from_a_limit_that_is_too_tight() {
        let named = |counts: &[u64]| -> Vec<(String, u64)> {
            counts.iter().enumerate().map(|(i, n)| (format!("c{i}"), *n)).collect()
        };
        let cases = [
            (vec![], Shape::Mixed),
            (vec![3, 1], Shape::Mixed),
            (vec![50, 3, 2], Shape::OneClient),
            (vec![4; 20], Shape::ManyClients),
            (vec![10, 9, 8], Shape::Mixed),
        ];
        for (counts, shape) in cases {
            assert_eq!(Shape::of(&named(&counts)), shape, "{counts:?}");
        }
    }
}
