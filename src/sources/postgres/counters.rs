//! Rates out of counters that only ever grow, until somebody resets them.

use std::time::Duration;

/// The counters at one look.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    /// When, monotonic.
    pub(super) at: Duration,
    /// Committed and rolled back transactions.
    pub(super) transactions: f64,
    /// Blocks found in the server's cache.
    pub(super) hits: f64,
    /// Blocks read from outside of it.
    pub(super) reads: f64,
    /// Deadlocks.
    pub(super) deadlocks: f64,
    /// Changes with the server's start and with a reset of the statistics.
    pub(super) epoch: String,
}

/// What happened between two looks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rates {
    /// Transactions per second.
    pub(super) tps: f64,
    /// The share of blocks found in the cache; none where no block was wanted.
    pub(super) hit_ratio: Option<f64>,
    /// Deadlocks.
    pub(super) deadlocks: f64,
}

/// What happened since the look before, or why that cannot be said.
pub(super) fn since(before: Option<&Sample>, now: &Sample) -> Result<Rates, &'static str> {
    let before = before.ok_or("known from the second look on")?;
    let seconds = now.at.saturating_sub(before.at).as_secs_f64();
    let [transactions, hits, reads, deadlocks] = [
        now.transactions - before.transactions,
        now.hits - before.hits,
        now.reads - before.reads,
        now.deadlocks - before.deadlocks,
    ];
    let fell = [transactions, hits, reads, deadlocks].iter().any(|difference| *difference < 0.0);
    if before.epoch != now.epoch || fell {
        return Err(
            "the server restarted or its statistics were reset: known from the next look on",
        );
    }
    if seconds <= 0.0 {
        return Err("no time has passed since the last look");
    }
    let wanted = hits + reads;
    Ok(Rates {
        tps: transactions / seconds,
        hit_ratio: (wanted > 0.0).then(|| hits / wanted),
        deadlocks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seconds: u64, counts: [f64; 4], epoch: &str) -> Sample {
        let [transactions, hits, reads, deadlocks] = counts;
        let at = Duration::from_secs(seconds);
        Sample { at, transactions, hits, reads, deadlocks, epoch: epoch.to_owned() }
    }

    #[test]
    fn rates_are_differences() {
        let before = sample(10, [100.0, 1_000.0, 100.0, 1.0], "a");
        let now = sample(20, [150.0, 1_090.0, 110.0, 3.0], "a");
        let rates = since(Some(&before), &now).expect("rates");
        assert_eq!(rates, Rates { tps: 5.0, hit_ratio: Some(0.9), deadlocks: 2.0 });
    }

    #[test]
    fn an_idle_database_has_no_hit_ratio() {
        let before = sample(10, [1.0; 4], "a");
        let rates = since(Some(&before), &sample(20, [1.0; 4], "a")).expect("rates");
        assert_eq!(rates, Rates { tps: 0.0, hit_ratio: None, deadlocks: 0.0 });
    }

    #[test]
    fn resets_and_restarts_are_not_differences() {
        let before = sample(10, [100.0; 4], "a");
        assert!(since(None, &before).is_err());
        assert!(since(Some(&before), &sample(20, [200.0; 4], "b")).is_err());
        assert!(since(Some(&before), &sample(20, [100.0, 50.0, 100.0, 100.0], "a")).is_err());
        assert!(since(Some(&before), &sample(10, [100.0; 4], "a")).is_err());
    }
}
