//! Checks, the rows of the panes, and contacts as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    source::thirty_seconds,
    value::{ConditionText, DurationText, Share},
};

/// A health check: conditions on the readings of one source.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCheck {
    /// Its title on the screen; otherwise its name.
    pub title: Option<String>,
    /// The source that it reads.
    pub source: String,
    /// Any of these true: critical.
    #[serde(default)]
    pub critical: Vec<ConditionText>,
    /// Any of these true: warning.
    #[serde(default)]
    pub warning: Vec<ConditionText>,
    /// Readings that must be there; a missing one makes the verdict unknown.
    #[serde(default)]
    pub shows: Vec<String>,
    /// Critical only after this many bad looks in a row; otherwise `defaults.down_after`.
    #[schemars(range(min = 1, max = 1000))]
    pub down_after: Option<u32>,
    /// Ok again only after this many good looks in a row; otherwise `defaults.up_after`.
    #[schemars(range(min = 1, max = 1000))]
    pub up_after: Option<u32>,
    /// The check of a primary source about the same thing. Where the two disagree, both are
    /// shown, and this one counts as it is.
    pub primary: Option<String>,
    /// What this source says is known to be worse than the thing is: where its source
    /// answers and the primary is OK, the disagreement is shown and does not count.
    #[serde(default)]
    pub expect_disagreement: bool,
}

/// A cache: two counters, and whatever else the source tells.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCache {
    /// Its title; otherwise its name.
    pub title: Option<String>,
    /// The source.
    pub source: String,
    /// The counter of hits; `keyspace_hits` for Redis.
    pub hits: Option<String>,
    /// The counter of misses; `keyspace_misses` for Redis.
    pub misses: Option<String>,
    /// Memory in use, in bytes; `used_memory` for Redis.
    pub used_memory: Option<String>,
    /// Memory allowed, in bytes; `maxmemory` for Redis.
    pub max_memory: Option<String>,
    /// The number of keys; `keys` for Redis.
    pub keys: Option<String>,
    /// Operations per second; `instantaneous_ops_per_sec` for Redis.
    pub ops: Option<String>,
    /// The counter of evictions; `evicted_keys` for Redis.
    pub evictions: Option<String>,
    /// A value that changes when the server restarts; `run_id` for Redis.
    pub run: Option<String>,
    /// The window of the hit rate.
    #[serde(default = "five_minutes")]
    pub window: DurationText,
    /// Fewer lookups in the window than this are too few to judge.
    #[serde(default = "twenty")]
    pub min_lookups: u64,
    /// The hit rate that is wanted.
    pub target: Option<Share>,
    /// A hit rate below this is a warning.
    pub warning_below: Option<Share>,
    /// A hit rate below this is critical.
    pub critical_below: Option<Share>,
    /// A used share of the memory above this is a warning.
    pub memory_warning_above: Option<Share>,
    /// What the figure really counts, where that is not obvious.
    pub note: Option<String>,
    /// Groups of keys that can be counted on demand.
    #[serde(default)]
    pub prefix: Vec<RawPrefix>,
}

/// A group of keys.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPrefix {
    /// Its name.
    pub name: String,
    /// Its keys: at least three literal characters and a final `*`.
    pub pattern: String,
    /// Never deleted by an action.
    #[serde(default)]
    pub protected: bool,
    /// What it holds.
    pub note: Option<String>,
}

/// A latency: one reading of one source, in milliseconds.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLatency {
    /// Its title; otherwise its name.
    pub title: Option<String>,
    /// The source.
    pub source: String,
    /// The reading, in milliseconds.
    #[serde(default = "total_ms")]
    pub reading: String,
    /// The p95 that is wanted.
    pub target: Option<DurationText>,
    /// A p95 above this is a warning.
    pub warning_above: Option<DurationText>,
    /// A p95 above this is critical.
    pub critical_above: Option<DurationText>,
}

/// The rate-limit pane.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLimits {
    /// Sources that report violations.
    #[serde(default)]
    pub violations: Vec<String>,
    /// Sources that report who is near a limit.
    #[serde(default)]
    pub pressure: Vec<String>,
    /// The window over which violations are counted.
    #[serde(default = "one_hour")]
    pub window: DurationText,
    /// Any of these true: the limiter lets everything through. Written with the source:
    /// `api.available == false`.
    #[serde(default)]
    pub failing_open: Vec<ConditionText>,
    /// All of these true: the limiter enforces.
    #[serde(default)]
    pub enforcing: Vec<ConditionText>,
    /// More violations in the window than this are a warning.
    pub warning_above: Option<u64>,
    /// Why the numbers may be too low.
    pub lower_bound: Option<String>,
}

/// A database.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawDatabase {
    /// Its title; otherwise its name.
    pub title: Option<String>,
    /// The source, of kind `postgres`.
    pub source: String,
    /// Share of the connections in use above which it is a warning.
    #[serde(default = "four_fifths")]
    pub connections_warning_above: Share,
    /// Share of the connections in use above which it is critical.
    #[serde(default = "nearly_all")]
    pub connections_critical_above: Share,
    /// A statement that runs longer than this is a warning.
    #[serde(default = "thirty_seconds")]
    pub long_query: DurationText,
}

/// A level of the escalation path.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawContact {
    /// 1 is called first.
    #[schemars(range(min = 1, max = 9))]
    pub level: u8,
    /// The team or role.
    pub name: String,
    /// How to reach them.
    pub contact: String,
    /// Who else.
    pub backup: Option<String>,
    /// How fast they answer.
    pub respond_within: Option<DurationText>,
    /// What they are for.
    pub handles: Option<String>,
}

fn five_minutes() -> DurationText {
    "5m".into()
}

fn one_hour() -> DurationText {
    "60m".into()
}

fn twenty() -> u64 {
    20
}

fn total_ms() -> String {
    "total_ms".to_owned()
}

fn four_fifths() -> Share {
    Share::Number(0.8)
}

fn nearly_all() -> Share {
    Share::Number(0.95)
}
