//! Prometheus: a server that answers queries, or an endpoint that lists its metrics.

use std::time::Duration;

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
    /// Of a server: the answer to a query each, by the name of the reading.
    Queries(Vec<(ReadingName, PromQuery)>),
    /// Of an endpoint: samples of its text.
    Metrics(Vec<(ReadingName, MetricPart)>),
}

/// A query to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromQuery {
    /// In PromQL.
    pub text: String,
    /// Over which time; its value now where there is none.
    pub over: Option<QueryRange>,
}

/// The points over which a query is asked, and the one number that is made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryRange {
    /// How far back from the newest point.
    pub range: Duration,
    /// How far apart the points are: whole milliseconds, shorter than the range.
    pub step: Duration,
    /// What is taken of them.
    pub take: PointTake,
}

/// What is taken of the points of a range, those that are no numbers left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointTake {
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
