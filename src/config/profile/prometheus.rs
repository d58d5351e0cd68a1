//! Prometheus: a server that answers queries, or an endpoint that lists its metrics.

use super::{Text, TlsOptions};
use crate::domain::ids::ReadingName;

/// A server or an endpoint.
#[derive(Clone, Debug)]
pub struct PrometheusSource {
    /// The address: of the server, without `/api/v1`; or of the endpoint, all of it.
    pub url: url::Url,
    /// Header names and values.
    pub headers: Vec<(String, Text)>,
    /// The largest answer that is read, bytes.
    pub max_body: u64,
    /// Whom to trust.
    pub tls: TlsOptions,
    /// What is taken.
    pub take: PrometheusTake,
}

/// What is taken out of Prometheus.
#[derive(Clone, Debug)]
pub enum PrometheusTake {
    /// Of a server: the answer to an instant query each, by the name of the reading.
    Queries(Vec<(ReadingName, String)>),
    /// Of an endpoint: samples of its text.
    Metrics(Vec<(ReadingName, MetricPart)>),
}

/// One value out of the text of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricPart {
    /// Which samples.
    pub selector: Selector,
    /// The quantile of the histogram whose buckets these are, 0 to 1; otherwise the one
    /// sample that is selected.
    pub quantile: Option<f64>,
    /// The samples are added up, where there are several.
    pub sum: bool,
}

/// A metric with labels, all of which must be equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The name of the metric.
    pub metric: String,
    /// Names and values of labels.
    pub labels: Vec<(String, String)>,
}
