//! Prometheus, as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    source::source,
    value::{Headers, SizeText},
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
        /// For a server: instant queries in PromQL by the name of the reading. The answer
        /// must be one value.
        #[serde(default)]
        pub queries: BTreeMap<String, String>,
        /// For an endpoint: samples by the name of the reading.
        #[serde(default)]
        pub metrics: BTreeMap<String, RawMetric>,
    }
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
