//! The text in which endpoints list their metrics: the format of Prometheus (0.0.4) and
//! OpenMetrics 1.0, as far as samples go.

use std::sync::Arc;

use super::{bad_answer, number};
use crate::{
    config::profile::{MetricPart, Selector},
    domain::{failure::Failure, ids::ReadingName, observation::Facts, value::Value},
    net::words::clip,
};

/// The samples of an endpoint.
#[derive(Debug)]
pub(super) struct Exposition {
    pub(super) samples: Vec<Sample>,
    /// The first line that could not be read, and how many there are.
    unreadable: Option<(String, usize)>,
}

/// One sample.
#[derive(Debug, PartialEq)]
pub(super) struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    /// As it is written.
    value: String,
}

impl Exposition {
    /// Reads a text. Lines that cannot be read are counted, so that a sample is never lost
    /// without a word.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Failure> {
        let text = std::str::from_utf8(body)
            .map_err(|_| bad_answer("the list of metrics is not text in UTF-8"))?;
        let mut found = Self { samples: Vec::new(), unreadable: None };
        for line in text.lines().map(|line| line.trim_matches([' ', '\t', '\r'])) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match sample(line) {
                Some(sample) => found.samples.push(sample),
                None => {
                    let first = || (clip(line, 60), 0);
                    found.unreadable.get_or_insert_with(first).1 += 1;
                }
            }
        }
        match (&found.unreadable, found.samples.is_empty()) {
            (Some((line, _)), true) => {
                Err(bad_answer(format!("this is no list of metrics; it begins: {line}")))
            }
            (None, true) => Err(bad_answer("there is no metric in the answer")),
            _ => Ok(found),
        }
    }

    /// What could not be read, in words.
    pub(super) fn remark(&self) -> Option<String> {
        let (line, count) = self.unreadable.as_ref()?;
        let lines = if *count == 1 { "line is" } else { "lines are" };
        Some(format!("{count} {lines} no metric, such as: {line}"))
    }

    /// Takes one reading; of a quantile, the bounds of its bucket.
    pub(super) fn read(&self, name: &ReadingName, part: &MetricPart, facts: &mut Facts) {
        let Some(quantile) = part.quantile else {
            match self.number(part) {
                Ok(number) => drop(facts.readings.insert(Arc::clone(name), Value::Number(number))),
                Err(why) => facts.missing.push((Arc::clone(name), why)),
            }
            return;
        };
        let (low, high) = match self.bounds(&part.selector, quantile) {
            Ok((low, high)) => (
                low.ok_or("below the lowest bound of the histogram"),
                high.ok_or("above the highest bound of the histogram"),
            ),
            Err(why) => {
                for side in ["low", "high"] {
                    facts.missing.push((format!("{name}_{side}").into(), why.clone()));
                }
                return;
            }
        };
        for (side, bound) in [("low", low), ("high", high)] {
            let name: ReadingName = format!("{name}_{side}").into();
            match bound {
                Ok(bound) => drop(facts.readings.insert(name, Value::Number(bound))),
                Err(why) => facts.missing.push((name, why.to_owned())),
            }
        }
    }

    fn number(&self, part: &MetricPart) -> Result<f64, String> {
        let found: Vec<&Sample> = self.matching(&part.selector.metric, &part.selector).collect();
        match found.as_slice() {
            [] => Err(self.absent(&part.selector)),
            [one] => number(&one.value).map_err(|why| format!("the sample {why}")),
            many if part.sum => many
                .iter()
                .map(|sample| number(&sample.value))
                .sum::<Result<f64, _>>()
                .map_err(|why| format!("one of the samples {why}")),
            many => Err(format!("{} samples, not one: name more labels, or write sum", many.len())),
        }
    }

    fn absent(&self, selector: &Selector) -> String {
        let metric = &selector.metric;
        if self.samples.iter().any(|sample| sample.name == *metric) {
            format!("{metric} is there, but not with these labels")
        } else {
            format!("there is no metric {metric}")
        }
    }

    fn matching<'a>(
        &'a self,
        metric: &'a str,
        selector: &'a Selector,
    ) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            sample.name == metric
                && selector.labels.iter().all(|wanted| sample.labels.contains(wanted))
        })
    }

    /// The bounds of the bucket in which the quantile lies: more is not known of it. The
    /// buckets of several histograms are added up. `None` is a side without a bound.
    fn bounds(
        &self,
        selector: &Selector,
        quantile: f64,
    ) -> Result<(Option<f64>, Option<f64>), String> {
        let metric = format!("{}_bucket", selector.metric);
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for sample in self.matching(&metric, selector) {
            let bound = sample.labels.iter().find(|(name, _)| name == "le");
            let bound = match bound.map(|(_, text)| text.as_str()) {
                Some("+Inf") => f64::INFINITY,
                Some(text) => number(text).map_err(|why| format!("the bound of a bucket {why}"))?,
                None => return Err(format!("a sample of {metric} has no bound")),
            };
            let count =
                number(&sample.value).map_err(|why| format!("the count of a bucket {why}"))?;
            match buckets.iter_mut().find(|(other, _)| *other == bound) {
                Some((_, sum)) => *sum += count,
                None => buckets.push((bound, count)),
            }
        }
        buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let total = match buckets.last() {
            None => return Err(self.absent(&Selector { metric, ..selector.clone() })),
            Some((bound, _)) if bound.is_finite() => {
                return Err(
                    "the histogram has no bucket +Inf, so it is not known how many there are"
                        .to_owned(),
                );
            }
            Some((_, total)) => *total,
        };
        if total <= 0.0 {
            return Err("no traffic: the histogram is empty".to_owned());
        }
        if buckets.windows(2).any(|pair| pair[0].1 > pair[1].1) {
            return Err("the counts of the buckets fall, so they are not cumulative".to_owned());
        }
        let rank = quantile * total;
        let at = buckets.iter().position(|(_, count)| *count >= rank).unwrap_or(buckets.len() - 1);
        let (high, _) = buckets[at];
        let low = match at.checked_sub(1) {
            Some(below) => Some(buckets[below].0),
            // What is measured in buckets above zero is not negative.
            None => (high > 0.0).then_some(0.0),
        };
        Ok((low, Some(high).filter(|high| high.is_finite())))
    }
}

/// Reads one line; `None` where it is no sample.
fn sample(line: &str) -> Option<Sample> {
    let name_end = line.find(['{', ' ', '\t'])?;
    let (name, mut rest) = line.split_at(name_end);
    let right = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.');
    if name.is_empty() || !name.chars().all(right) || name.starts_with(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner.trim_start();
        loop {
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, after) = rest.split_once('=')?;
            let (value, after) = quoted(after.trim_start().strip_prefix('"')?)?;
            labels.push((label.trim().to_owned(), value));
            rest = after.trim_start();
            rest = match rest.strip_prefix(',') {
                Some(after) => after.trim_start(),
                None if rest.starts_with('}') => rest,
                None => return None,
            };
        }
    }
    // Behind the value there may be a time, and behind `#` an exemplar.
    let value = rest.split_whitespace().next()?;
    let is_number = matches!(value, "NaN") || value.parse::<f64>().is_ok();
    is_number.then(|| Sample { name: name.to_owned(), labels, value: value.to_owned() })
}

/// A label's value up to its closing quote, and what stands behind that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                c @ ('\\' | '"') => out.push(c),
                c => out.extend(['\\', c]),
            },
            c => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n\
        http_requests_total{code=\"200\",path=\"/a\\\"}b\\\\\"} 12 1764237600000\n\
        http_requests_total{code=\"500\",path=\"/a\"} 3.5e1 # {trace_id=\"x\"} 1\n\
        temperature -3.25\nodd NaN\nhuge +Inf\n\
        lat_bucket{le=\"0.1\"} 5\nlat_bucket{le=\"0.5\"} 9\nlat_bucket{le=\"+Inf\"} 10\nlat_count 10\n\
        idle_bucket{le=\"1\"} 0\nidle_bucket{le=\"+Inf\"} 0\n\
        two_bucket{job=\"a\",le=\"1\"} 1\ntwo_bucket{job=\"a\",le=\"+Inf\"} 1\n\
        two_bucket{job=\"b\",le=\"1\"} 0\ntwo_bucket{job=\"b\",le=\"+Inf\"} 3\n\
        open_bucket{le=\"1\"} 4\n# EOF\n";

    type Expected = Result<f64, &'static str>;
    type Labels = &'static [(&'static str, &'static str)];

    fn read(metric: &str, labels: &[(&str, &str)], quantile: Option<f64>, sum: bool) -> Facts {
        let exposition = Exposition::parse(TEXT.as_bytes()).expect("metrics");
        assert_eq!(exposition.remark(), None);
        let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let selector = Selector { metric: metric.to_owned(), labels };
        let mut facts = Facts::default();
        exposition.read(&"x".into(), &MetricPart { selector, quantile, sum }, &mut facts);
        facts
    }

    #[test]
    fn one_sample_or_their_sum_is_a_reading() {
        let table: [(&str, Labels, bool, Expected); 8] = [
            ("temperature", &[], false, Ok(-3.25)),
            ("http_requests_total", &[("path", "/a\"}b\\")], false, Ok(12.0)),
            ("http_requests_total", &[("code", "500")], false, Ok(35.0)),
            ("http_requests_total", &[], true, Ok(47.0)),
            (
                "http_requests_total",
                &[],
                false,
                Err("2 samples, not one: name more labels, or write sum"),
            ),
            (
                "http_requests_total",
                &[("code", "404")],
                false,
                Err("http_requests_total is there, but not with these labels"),
            ),
            ("odd", &[], false, Err("the sample is NaN, which is no number to judge by")),
            ("gone", &[], true, Err("there is no metric gone")),
        ];
        for (metric, labels, sum, expected) in table {
            let facts = read(metric, labels, None, sum);
            let got = match facts.readings.get("x") {
                Some(value) => Ok(value.as_number().expect("a number")),
                None => Err(facts.missing[0].1.as_str()),
            };
            assert_eq!(got, expected, "{metric}");
        }
    }

    #[test]
    fn of_a_quantile_only_the_bounds_are_known() {
        let table: [(&str, f64, Expected, Expected); 6] = [
            ("lat", 0.5, Ok(0.0), Ok(0.1)),
            ("lat", 0.9, Ok(0.1), Ok(0.5)),
            ("lat", 0.95, Ok(0.5), Err("above the highest bound of the histogram")),
            ("two", 0.5, Ok(1.0), Err("above the highest bound of the histogram")),
            (
                "idle",
                0.5,
                Err("no traffic: the histogram is empty"),
                Err("no traffic: the histogram is empty"),
            ),
            (
                "none",
                0.5,
                Err("there is no metric none_bucket"),
                Err("there is no metric none_bucket"),
            ),
        ];
        for (metric, quantile, low, high) in table {
            let facts = read(metric, &[], Some(quantile), false);
            for (name, expected) in [("x_low", low), ("x_high", high)] {
                let got = match facts.readings.get(name) {
                    Some(value) => Ok(value.as_number().expect("a number")),
                    None => {
                        let missing = facts.missing.iter().find(|(missing, _)| &**missing == name);
                        Err(missing.expect("missing").1.as_str())
                    }
                };
                assert_eq!(got, expected, "{metric} {quantile} {name}");
            }
        }
        let open = read("open", &[], Some(0.5), false);
        assert!(open.missing[0].1.contains("no bucket +Inf"), "{:?}", open.missing);
    }

    #[test]
    fn what_is_no_metric_is_said() {
        let found = Exposition::parse(b"a 1\nb{x=\"1} 2\nwhat is this?\n").expect("one sample");
        assert_eq!(found.samples.len(), 1);
        assert_eq!(found.remark().as_deref(), Some("2 lines are no metric, such as: b{x=\"1} 2"));
        assert!(Exposition::parse(b"<html><body>login</body></html>").is_err());
        assert!(Exposition::parse(b"").is_err());
        assert!(Exposition::parse(b"\xff\xfe 1").is_err());
    }
}
