//! Alert rules, and the files that test them, as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::value::{DurationText, RuleText, Share};

/// An alert rule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRule {
    /// Its title on the screen; otherwise its name.
    pub title: Option<String>,
    /// What is wrong while it is true, such as `p95(cars.total_ms, 5m) > 200ms`.
    pub when: RuleText,
    /// How long that must be so before it fires; `0s` fires on the first look.
    #[serde(rename = "for", default = "at_once")]
    pub hold: DurationText,
    /// How long it must be over before it is resolved; otherwise two intervals of its source.
    pub keep_firing_for: Option<DurationText>,
    /// How bad it is.
    #[serde(default)]
    pub severity: RawSeverity,
    /// The priority that it proposes; otherwise P1 for critical, P2 for warning.
    pub priority: Option<RawPriority>,
    /// What missing data means: the alert stays as it is, it is bad, it is good.
    #[serde(default)]
    pub on_missing: RawOnMissing,
    /// Fewer events than this are too few for a ratio.
    #[serde(default = "twenty")]
    pub min_events: u64,
    /// What is expected from some time after the marker.
    #[serde(default)]
    pub expected: Vec<RawBand>,
    /// What that time is counted from: `deploy`, `action:NAME`, or a reading in seconds such
    /// as `redis.uptime_in_seconds`.
    pub marker: Option<String>,
    /// Rules that make this one a mere consequence while they fire.
    #[serde(default)]
    pub inhibited_by: Vec<String>,
    /// Actions that may help. A rule never starts one.
    #[serde(default)]
    pub suggests: Vec<String>,
    /// While it fires, a line of its own below the header says so, whoever looks after it: for
    /// a state that somebody has to end, such as a deployment that stands rolled back.
    #[serde(default)]
    pub banner: bool,
    /// Where it says what to do.
    pub runbook: Option<String>,
    /// What it means, in a sentence.
    pub summary: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawSeverity {
    /// Somebody should look in working hours.
    #[default]
    Warning,
    /// Somebody must look now.
    Critical,
}

/// The priority that a rule proposes.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub enum RawPriority {
    /// Everything is down.
    P0,
    /// A main function is down.
    P1,
    /// Something is degraded.
    P2,
    /// A nuisance.
    P3,
}

/// What missing data means.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawOnMissing {
    /// The alert stays as it is.
    #[default]
    Hold,
    /// Missing data is itself bad.
    Fire,
    /// Missing data is good.
    Ok,
}

/// What is expected from some time after the marker.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawBand {
    /// From this long after the marker.
    pub after: DurationText,
    /// Not less than this.
    pub from: Option<Share>,
    /// Not more than this.
    pub to: Option<Share>,
}

/// A file of rule tests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTests {
    /// The tests.
    #[serde(default)]
    pub test: Vec<RawTest>,
}

/// One test of rules.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTest {
    /// Its name.
    pub name: String,
    /// The rules are evaluated at zero and then every so often.
    #[serde(default = "one_minute")]
    pub every: DurationText,
    /// The last evaluation; otherwise the end of the longest series.
    pub until: Option<DurationText>,
    /// Whose semantics: `prometheus` for those of Prometheus 3, `prometheus2` for 2;
    /// otherwise our own.
    pub compat: Option<RawCompat>,
    /// A file whose rules are tested: a configuration, or one with nothing but rules;
    /// `profile:NAME` for a built-in profile.
    pub rules: Option<String>,
    /// Rules that stand right here.
    #[serde(default)]
    pub rule: Vec<RawTestRule>,
    /// What the rules look at.
    #[serde(default)]
    pub series: Vec<RawSeries>,
    /// When the marker was that expected bands are counted from.
    pub marker_at: Option<DurationText>,
    /// What should come out.
    #[serde(default)]
    pub expect: Vec<RawExpect>,
}

/// Whose semantics.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawCompat {
    /// Prometheus 3.
    Prometheus,
    /// Prometheus 2, whose windows include their beginning.
    Prometheus2,
}

/// A rule with its name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
pub struct RawTestRule {
    /// Its name.
    pub id: String,
    /// The rule.
    #[serde(flatten)]
    pub rule: RawRule,
}

/// A made-up series.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSeries {
    /// Its name: `source.reading`.
    pub name: String,
    /// The time from one value to the next; otherwise the test's `every`.
    pub every: Option<DurationText>,
    /// The values, such as `0+10x5 _x3 stale`.
    pub values: String,
}

/// What should be at some time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawExpect {
    /// When.
    pub at: DurationText,
    /// The rule; may be left out where there is only one.
    pub rule: Option<String>,
    /// Where its alert stands.
    pub state: Option<RawPhase>,
    /// Since when its condition is true.
    pub since: Option<DurationText>,
    /// The figure.
    pub value: Option<f64>,
    /// What the data is worth.
    pub quality: Option<RawQuality>,
}

/// Where an alert stands.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawPhase {
    /// Nothing is known.
    Unknown,
    /// Known to be well.
    Ok,
    /// True, but not yet for long enough.
    Pending,
    /// True for long enough.
    Firing,
    /// No longer true, but not yet for long enough.
    Recovering,
}

/// What data is worth.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawQuality {
    /// Younger than two intervals.
    Fresh,
    /// Younger than three.
    Late,
    /// Too old.
    Stale,
    /// The source fails.
    Error,
    /// Too little happened.
    NoTraffic,
    /// Too few values, or too little of the window watched.
    TooFew,
    /// Nothing was seen yet.
    Waiting,
    /// There is no such series.
    Unconfigured,
}

fn at_once() -> DurationText {
    "0s".into()
}

fn one_minute() -> DurationText {
    "1m".into()
}

fn twenty() -> u64 {
    crate::domain::rule::MIN_EVENTS
}
