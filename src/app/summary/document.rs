//! The shape of the document.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    app::limits::Limiter,
    domain::{
        action::ActionOutcome,
        failure::FailureKind,
        guard::Guard,
        verdict::{Quality, Verdict},
    },
};

/// The version of the document.
pub const SCHEMA: u32 = 1;

/// The whole state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The version of this document.
    pub schema: u32,
    /// When.
    pub at: Timestamp,
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// The judgement on the whole.
    pub verdict: Verdict,
    /// Why, worst first.
    pub reasons: Vec<String>,
    /// Sources.
    pub sources: Vec<SourceSummary>,
    /// Checks, worst first.
    pub checks: Vec<CheckSummary>,
    /// Caches.
    pub cache: Vec<CacheSummary>,
    /// Latencies over five minutes.
    pub latency: Vec<LatencySummary>,
    /// Rate limits.
    pub rate_limits: Option<LimitsSummary>,
    /// Databases.
    pub database: Vec<DatabaseSummary>,
    /// Alerts of rules.
    pub alerts: Vec<serde_json::Value>,
    /// Escalation levels.
    pub contacts: Vec<ContactSummary>,
    /// Actions.
    pub actions: Vec<ActionSummary>,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct SourceSummary {
    pub id: String,
    pub kind: String,
    pub quality: Quality,
    pub error: Option<ErrorSummary>,
    pub last_good_at: Option<Timestamp>,
    pub age_seconds: Option<f64>,
    pub interval_seconds: f64,
    pub took_ms: Option<f64>,
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct ErrorSummary {
    pub kind: FailureKind,
    pub message: String,
}

/// A check.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct CheckSummary {
    pub id: String,
    pub title: String,
    pub verdict: Verdict,
    pub quality: Quality,
    pub reason: String,
    pub disagreement: Option<String>,
    pub since: Timestamp,
    pub age_seconds: Option<f64>,
}

/// A cache.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct CacheSummary {
    pub id: String,
    pub source: String,
    pub verdict: Verdict,
    pub reason: String,
    pub hit_rate: Option<f64>,
    pub lifetime_hit_rate: Option<f64>,
    pub lookups: Option<u64>,
    pub window_seconds: f64,
    pub quality: Quality,
    pub used_memory_bytes: Option<f64>,
    pub max_memory_bytes: Option<f64>,
    pub keys: Option<f64>,
    pub ops_per_second: Option<f64>,
    pub evicted: Option<f64>,
}

/// A latency.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct LatencySummary {
    pub id: String,
    pub verdict: Verdict,
    pub reason: String,
    pub window_seconds: f64,
    pub n: usize,
    pub timeouts: usize,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub max_ms: Option<f64>,
    pub quality: Quality,
}

/// A count by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Counted {
    pub key: String,
    pub count: u64,
}

/// The rate limits. Identifiers are masked.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct LimitsSummary {
    pub verdict: Verdict,
    pub reason: String,
    pub quality: Quality,
    pub limiter: Limiter,
    pub window_seconds: f64,
    pub violations: Option<u64>,
    pub lower_bound: bool,
    pub identifiers: Option<u64>,
    pub by_endpoint: Vec<Counted>,
    pub by_identifier: Vec<Counted>,
    pub by_tier: Vec<Counted>,
    pub pressure: Option<Vec<PressureSummary>>,
}

/// Who is near a limit. Identifiers are masked.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct PressureSummary {
    pub identifier: String,
    pub tier: String,
    pub used: u64,
    pub limit: u64,
}

/// A database.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct DatabaseSummary {
    pub id: String,
    pub source: String,
    pub verdict: Verdict,
    pub reason: String,
    pub quality: Quality,
    pub connections: Option<f64>,
    pub max_connections: Option<f64>,
    pub blocked: Option<f64>,
    pub longest_query_seconds: Option<f64>,
    pub size_bytes: Option<f64>,
    pub replication_lag_bytes: Option<f64>,
}

/// An escalation level.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct ContactSummary {
    pub level: u8,
    pub name: String,
    pub contact: String,
    pub verdict: Verdict,
    pub quality: Quality,
    pub reason: String,
    pub configured: bool,
    pub response_seconds: Option<f64>,
    pub contacted_at: Option<Timestamp>,
    pub due_at: Option<Timestamp>,
}

/// An action.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct ActionSummary {
    pub id: String,
    pub title: String,
    pub risk: Guard,
    pub enabled: bool,
    pub why_not: Option<String>,
    pub last: Option<LastRun>,
}

/// How an action's last run ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct LastRun {
    pub outcome: ActionOutcome,
    pub at: Timestamp,
    pub by: String,
}
