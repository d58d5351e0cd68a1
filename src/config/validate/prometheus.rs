//! Prometheus servers and endpoints.

use std::{collections::BTreeMap, time::Duration};

use super::{Cx, Path, value::written};
use crate::{
    config::{
        profile::{
            MetricPart, PointTake, PromQuery, PrometheusSource, PrometheusTake, QueryRange,
            Selector,
        },
        raw::prometheus::{
            RawMetric, RawMetricTable, RawPointTake, RawPrometheus, RawQuery, RawRangeQuery,
        },
    },
    domain::ids::ReadingName,
};

/// How many points of a series a server gives: for more it refuses the query ("exceeded maximum
/// resolution of 11,000 points per timeseries").
const MOST_POINTS: u128 = 11_000;

/// How far back a server looks for a sample at each point, unless it is told otherwise. With
/// points further apart, samples between them would count for nothing, and the newest point
/// would mostly be too old to say anything of now.
const LOOKBACK: Duration = Duration::from_secs(5 * 60);

impl Cx<'_> {
    /// A Prometheus server or endpoint.
    pub fn prometheus(&mut self, path: &Path, raw: &RawPrometheus) -> Option<PrometheusSource> {
        let url = self.web_address(&path.key("url"), &raw.url, "prometheus");
        let headers = self.headers(&path.key("headers"), &raw.headers);
        let max_body = self.body_size(&path.key("max_body"), &raw.max_body);
        let secure = url.as_ref().is_none_or(|url| url.scheme() == "https");
        let tls = self.tls(path, raw.ca_file.as_deref(), raw.insecure, secure);
        self.credentials_in_clear(path, url.as_ref(), headers.as_deref());
        let take = match (raw.queries.is_empty(), raw.metrics.is_empty()) {
            (false, true) => self.queries(&path.key("queries"), &raw.queries),
            (true, false) => self.metrics(&path.key("metrics"), &raw.metrics),
            // Each entry has a fault that was reported.
            (true, true)
                if self.has_entries(path, "queries") || self.has_entries(path, "metrics") =>
            {
                None
            }
            _ => {
                self.error(
                    path,
                    format!("[{path}] must have either queries or metrics"),
                    "write queries = { NAME = \"PROMQL\" } for a server, metrics = { NAME = \"METRIC\" } for an endpoint",
                );
                None
            }
        };
        if let (Some(url), Some(PrometheusTake::Queries(_))) = (&url, &take)
            && (url.path().contains("/api/v1") || url.path().ends_with("/metrics"))
        {
            self.error(
                &path.key("url"),
                "this is not the address of the server itself",
                "take off /api/v1/… or /metrics",
            );
        }
        Some(PrometheusSource {
            url: url?,
            headers: headers?,
            max_body: max_body?,
            tls: tls?,
            take: take?,
        })
    }

    /// Whether that table was written with anything in it, sound or not.
    fn has_entries(&self, path: &Path, key: &str) -> bool {
        !self.prepared.written.ordered_keys(&path.key(key)).is_empty()
    }

    fn queries(&mut self, path: &Path, raw: &BTreeMap<String, RawQuery>) -> Option<PrometheusTake> {
        let mut out = Vec::new();
        for (name, query) in raw {
            let path = path.key(name);
            if self.is_measured(&path, name, &super::known::PROMETHEUS) {
                continue;
            }
            let query = match query {
                RawQuery::Now(text) => {
                    self.promql(&path, text).map(|text| PromQuery { text, over: None })
                }
                RawQuery::Over(raw) => {
                    let text = self.promql(&path.key("query"), &raw.query);
                    let over = self.query_range(&path, raw);
                    text.zip(over).map(|(text, over)| PromQuery { text, over: Some(over) })
                }
            };
            out.extend(query.map(|query| (ReadingName::from(name.as_str()), query)));
        }
        (out.len() == raw.len()).then_some(PrometheusTake::Queries(out))
    }

    fn promql(&mut self, path: &Path, text: &str) -> Option<String> {
        if text.trim().is_empty() {
            let cure = "such as \"sum(rate(http_requests_total[5m]))\"";
            self.error(path, "there is no query", cure);
            return None;
        }
        Some(text.to_owned())
    }

    fn query_range(&mut self, path: &Path, raw: &RawRangeQuery) -> Option<QueryRange> {
        let range = self.duration(&path.key("range"), &raw.range);
        let step = self.duration(&path.key("step"), &raw.step);
        let (range, step) = range.zip(step)?;
        let take = match raw.take {
            RawPointTake::Max => PointTake::Max,
            RawPointTake::Min => PointTake::Min,
            RawPointTake::Avg => PointTake::Avg,
            RawPointTake::Last => PointTake::Last,
            RawPointTake::Count => PointTake::Count,
        };
        if !step.subsec_nanos().is_multiple_of(1_000_000) {
            let message = format!("the step {:?} is no whole number of milliseconds", raw.step.0);
            self.error(&path.key("step"), message, "a server knows no finer time");
            return None;
        }
        if step > LOOKBACK {
            let message = format!("the step {} is longer than 5m", written(step));
            let cure = "at most \"5m\": a server looks no further back at each point, what lies between would not be seen";
            self.error(&path.key("step"), message, cure);
            return None;
        }
        if range <= step {
            let message = format!("the range {} is not longer than its step", written(range));
            let cure =
                format!("more than {}, or \"PROMQL\" alone for the value now", written(step));
            self.error(&path.key("range"), message, cure);
            return None;
        }
        // Both ends have a point.
        let points = range.as_millis() / step.as_millis() + 1;
        if points > MOST_POINTS {
            let message = format!("{points} points are more than a server gives, {MOST_POINTS}");
            self.error(&path.key("step"), message, "a longer step, or a shorter range");
            return None;
        }
        Some(QueryRange { range, step, take })
    }

    fn metrics(
        &mut self,
        path: &Path,
        raw: &BTreeMap<String, RawMetric>,
    ) -> Option<PrometheusTake> {
        let mut out = Vec::new();
        for (name, metric) in raw {
            let path = path.key(name);
            if self.is_measured(&path, name, &super::known::PROMETHEUS) {
                continue;
            }
            let part = match metric {
                RawMetric::One(text) => self.selector(&path, text).map(|selector| MetricPart {
                    selector,
                    quantile: None,
                    sum: false,
                }),
                RawMetric::Other(table) => self.metric_part(&path, table),
            };
            out.extend(part.map(|part| (ReadingName::from(name.as_str()), part)));
        }
        (out.len() == raw.len()).then_some(PrometheusTake::Metrics(out))
    }

    fn metric_part(&mut self, path: &Path, table: &RawMetricTable) -> Option<MetricPart> {
        match (&table.sum, &table.histogram, table.quantile) {
            (Some(text), None, None) => self
                .selector(&path.key("sum"), text)
                .map(|selector| MetricPart { selector, quantile: None, sum: true }),
            (None, Some(text), Some(quantile)) => {
                let selector = self.selector(&path.key("histogram"), text);
                if !(quantile > 0.0 && quantile < 1.0) {
                    let message = format!("there is no quantile {quantile}");
                    self.error(&path.key("quantile"), message, "above 0 and below 1, such as 0.95");
                    return None;
                }
                let selector = selector?;
                if let Some(base) = selector.metric.strip_suffix("_bucket") {
                    let cure = format!("write histogram = \"{base}\"");
                    self.error(
                        &path.key("histogram"),
                        "`_bucket` is put behind it by itself",
                        cure,
                    );
                    return None;
                }
                Some(MetricPart { selector, quantile: Some(quantile), sum: false })
            }
            _ => {
                self.error(
                    path,
                    format!("`{path}` must say what is taken"),
                    "write \"METRIC\", { sum = \"METRIC\" } or { histogram = \"METRIC\", quantile = 0.95 }",
                );
                None
            }
        }
    }

    fn selector(&mut self, path: &Path, text: &str) -> Option<Selector> {
        let found = parse_selector(text);
        if found.is_none() {
            let message = format!("{text:?} does not select samples of a metric");
            self.error(path, message, "such as \"http_requests_total{code='500', job='api'}\"; other comparisons than = are for a server");
        }
        found
    }
}

/// Reads `name{label='value', other="value"}`.
fn parse_selector(text: &str) -> Option<Selector> {
    let text = text.trim();
    let (metric, labels) = match text.split_once('{') {
        None => (text, ""),
        Some((metric, rest)) => (metric.trim(), rest.strip_suffix('}')?),
    };
    if !is_name(metric, ":") {
        return None;
    }
    let mut out = Vec::new();
    let mut rest = labels.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (value, after) = quoted(&after[1..], quote)?;
        if !is_name(name.trim(), "") {
            return None;
        }
        out.push((name.trim().to_owned(), value));
        rest = after.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(rest) => rest.trim_start(),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(Selector { metric: metric.to_owned(), labels: out })
}

fn is_name(text: &str, also: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_' || also.contains(c);
    text.starts_with(|c: char| inner(c) && !c.is_ascii_digit()) && text.chars().all(inner)
}

/// A text up to its closing quote, and what stands behind that.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => out.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            c if c == quote => return Some((out, &text[at + 1..])),
            c => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_names_and_equal_labels() {
        let selector = |metric: &str, labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            Some(Selector { metric: metric.to_owned(), labels })
        };
        let table = [
            ("up", selector("up", &[])),
            ("a:b{}", selector("a:b", &[])),
            (" x{ a='1' , b=\"q\\\"},\" } ", selector("x", &[("a", "1"), ("b", "q\"},")])),
            ("x{a='1',}", selector("x", &[("a", "1")])),
            ("", None),
            ("1x", None),
            ("x{a!='1'}", None),
            ("x{a=~'1'}", None),
            ("x{a='1'", None),
            ("x{a=1}", None),
            ("x{a='1' b='2'}", None),
            ("sum(x)", None),
            ("x{='1'}", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse_selector(text), expected, "{text}");
        }
    }
}
