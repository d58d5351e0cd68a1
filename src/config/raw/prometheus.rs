//! Prometheus, as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    source::source,
    value::{DurationText, Headers, SizeText},
};

source! {
    /// A Prometheus server that is queried, or an endpoint that lists metrics in its format.
    pub struct RawPrometheus {
        /// The address: of a server without `/api/v1`; of an endpoint all of it, such as
        /// `http://host:9100/metrics`.
        pub url: String,
        /// Headers to send.
        #[serde(default)]
        pub headers: Headers,
        /// The largest answer that is read.
        #[serde(default = "four_megabytes")]
        pub max_body: SizeText,
        /// A PEM file with the only roots to trust.
        pub ca_file: Option<String>,
        /// Do not verify the certificate at all.
        #[serde(default)]
        pub insecure: bool,
        /// For a server: queries in PromQL by the name of the reading, of now or over a range.
        /// The answer must be one value, or one series of values.
        #[serde(default)]
        pub queries: BTreeMap<String, RawQuery>,
        /// For an endpoint: samples by the name of the reading.
        #[serde(default)]
        pub metrics: BTreeMap<String, RawMetric>,
    }
}

/// A query to a server.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("x-expects" = "a query such as \"sum(rate(http_requests_total[5m]))\", or { query = \"PROMQL\", range = \"15m\", step = \"15s\", take = \"max\" }"))]
pub enum RawQuery {
    /// Its value now.
    Now(String),
    /// One number out of its values over a range of time.
    Over(RawRangeQuery),
}

/// A query over a range of time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRangeQuery {
    /// The query in PromQL. It must give one series.
    pub query: String,
    /// How far back from now.
    pub range: DurationText,
    /// How far apart its points are, up to five minutes.
    pub step: DurationText,
    /// What is taken of the points that are numbers: max, min, avg, last or count.
    pub take: RawPointTake,
}

/// What is taken of the points of a range.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawPointTake {
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// Their mean.
    Avg,
    /// The newest.
    Last,
    /// How many there are.
    Count,
}

/// A sample of an endpoint.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("x-expects" = "a metric such as \"up{job='api'}\", { sum = \"METRIC\" } or { histogram = \"METRIC\", quantile = 0.95 }"))]
pub enum RawMetric {
    /// The only sample that is selected.
    One(String),
    /// Several.
    Other(RawMetricTable),
}

/// Exactly one of `sum` and `histogram`, the latter with a `quantile`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawMetricTable {
    /// All samples that are selected, added up.
    pub sum: Option<String>,
    /// The histogram, without `_bucket`.
    pub histogram: Option<String>,
    /// The quantile, 0 to 1, of what was measured in the last 5 minutes, or since the poll
    /// before where that is longer ago. What is known of it are the bounds of its bucket: the
    /// readings are NAME_low and NAME_high.
    pub quantile: Option<f64>,
}

fn four_megabytes() -> SizeText {
    "4MB".into()
}
