//! What the agent counts about itself.

use std::{collections::VecDeque, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::{request::iso, store::Unavailable};

/// How many operations an average is made of.
const AVERAGED: usize = 1_000;

/// What counts from the start of the process.
#[derive(Clone, Debug)]
pub(super) struct Totals {
    /// Whether the process was started with Redis switched on.
    pub(super) enabled: bool,
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) operations: u64,
    pub(super) errors: u64,
    /// How long the newest operations took.
    recent: VecDeque<Duration>,
    pub(super) last_error: Option<String>,
    /// What the last look at itself found: none before the first.
    pub(super) ping: Option<Result<Duration, Unavailable>>,
    pub(super) checked: Option<Timestamp>,
    /// Operations and errors at the last look.
    pub(super) seen: (u64, u64),
}

impl Totals {
    /// A process that has done nothing yet.
    pub(super) fn new(enabled: bool) -> Self {
        Self {
            enabled,
            hits: 0,
            misses: 0,
            operations: 0,
            errors: 0,
            recent: VecDeque::new(),
            last_error: None,
            ping: None,
            checked: None,
            seen: (0, 0),
        }
    }

    /// Its figures, flat, under the names that `/metrics` uses.
    pub(super) fn flat(&self) -> Value {
        json!({
            "timestamp": self.checked.map(iso),
            "hits": self.hits,
            "misses": self.misses,
            "hitRate": self.hit_rate(),
            "totalOperations": self.operations,
            "operationsPerSecond": self.per_second(),
            "averageResponseTime": self.average_ms(),
            "connectionLatency": self.latency_ms(),
            "errorRate": self.error_rate(),
            "totalErrors": self.errors,
            "lastError": self.last_error,
        })
    }

    /// Its figures as `/metrics/performance` groups them.
    pub(super) fn grouped(&self) -> Value {
        json!({
            "timestamp": iso(Timestamp::now()),
            "caching": {
                "hitRate": self.hit_rate(),
                "hits": self.hits,
                "misses": self.misses,
                "totalRequests": self.hits + self.misses,
            },
            "response": {
                "averageTime": self.average_ms(),
                "connectionLatency": self.latency_ms(),
            },
            "operations": {
                "operationsPerSecond": self.per_second(),
                "totalOperations": self.operations,
            },
            "errors": {
                "errorRate": self.error_rate(),
                "totalErrors": self.errors,
                "lastError": self.last_error,
            },
        })
    }

    /// Percent; 0 before the first lookup, as the agent reports it.
    fn hit_rate(&self) -> f64 {
        let looked = self.hits + self.misses;
        if looked == 0 { 0.0 } else { rounded(self.hits as f64 * 100.0 / looked as f64) }
    }

    /// Percent; not a number before the first operation.
    fn error_rate(&self) -> Option<f64> {
        (self.operations > 0).then(|| rounded(self.errors as f64 * 100.0 / self.operations as f64))
    }

    /// All operations ever, divided by sixty: what the agent calls its rate.
    fn per_second(&self) -> f64 {
        rounded(self.operations as f64 / 60.0)
    }

    /// Counts one operation, which took so long.
    pub(super) fn operation(&mut self, took: Duration, worked: bool) {
        self.operations += 1;
        self.recent.push_back(took);
        if self.recent.len() > AVERAGED {
            self.recent.pop_front();
        }
        if !worked {
            self.errors += 1;
            self.last_error = Some("Command timed out".to_owned());
        }
    }

    /// The mean of the newest operations, which is the only average that it knows.
    fn average_ms(&self) -> f64 {
        let spent: Duration = self.recent.iter().sum();
        rounded(spent.as_secs_f64() * 1_000.0 / self.recent.len().max(1) as f64)
    }

    fn latency_ms(&self) -> Option<f64> {
        self.ping.and_then(Result::ok).map(in_ms)
    }
}

/// Milliseconds with two decimals.
pub(in crate::demo) fn in_ms(took: Duration) -> f64 {
    rounded(took.as_secs_f64() * 1_000.0)
}

fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// The agent's word for a hit rate in percent.
pub(in crate::demo) fn praise(hit_rate: f64) -> &'static str {
    match hit_rate {
        rate if rate > 80.0 => "excellent",
        rate if rate > 60.0 => "good",
        rate if rate > 40.0 => "acceptable",
        _ => "poor",
    }
}
