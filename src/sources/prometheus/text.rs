//! The text in which endpoints list their metrics: the format of Prometheus (0.0.4) and
//! OpenMetrics 1.0, as far as samples go.

use std::sync::Arc;

use super::{
    bad_answer,
    histogram::{History, Labels, Look},
    number, recent,
};
use crate::{
    config::profile::{MetricPart, Selector},
    domain::{failure::Failure, ids::ReadingName, observation::Facts, time::Moment, value::Value},
    net::words::clip,
};

/// The samples of an endpoint.
#[derive(Debug)]
pub(super) struct Exposition {
    pub(super) samples: Vec<Sample>,
    /// The first line that could not be read, and how many there are.
    unreadable: Option<(String, usize)>,
    /// The last line has no end, and was left out.
    unfinished: bool,
}

/// In which of the two formats a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// The older one, text/plain.
    Classic,
    /// OpenMetrics, whose last line says that nothing is missing.
    OpenMetrics,
}

impl Format {
    /// Of an answer with that content type.
    pub(super) fn of(content_type: Option<&str>) -> Self {
        let name = content_type.unwrap_or_default().trim_start().to_ascii_lowercase();
        if name.starts_with("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Classic
        }
    }
}

/// One sample.
#[derive(Debug, PartialEq)]
pub(super) struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    /// As it is written.
    value: String,
    /// When it was measured, seconds since the epoch, where it says so.
    time: Option<f64>,
}

impl Sample {
    /// Its value now.
    fn number(&self, now: Moment) -> Result<f64, String> {
        if let Some(time) = self.time {
            recent(time, now.wall)?;
        }
        number(&self.value)
    }
}

impl Exposition {
    /// Reads a text. Lines that cannot be read are counted, so that a sample is never lost
    /// without a word. A text that was cut off is none, or is read as far as it goes: half a
    /// number is one, too, but another one.
    pub(super) fn parse(body: &[u8], format: Format) -> Result<Self, Failure> {
        let mut text = std::str::from_utf8(body)
            .map_err(|_| bad_answer("the list of metrics is not text in UTF-8"))?;
        let ends = text.trim_end().lines().next_back() == Some("# EOF");
        if format == Format::OpenMetrics && !ends {
            let message = "the list of metrics was cut off: it does not end with # EOF";
            return Err(bad_answer(message));
        }
        let mut unfinished = false;
        if !ends && !text.ends_with('\n') {
            let (whole, rest) = text.rsplit_once('\n').unwrap_or(("", text));
            unfinished = !rest.trim().is_empty();
            text = whole;
        }
        let mut found = Self { samples: Vec::new(), unreadable: None, unfinished };
        for line in text.lines().map(|line| line.trim_matches([' ', '\t', '\r'])) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match sample(line, format) {
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
            (None, true) if unfinished => {
                Err(bad_answer("this is no list of metrics, or was cut off in its first line"))
            }
            (None, true) => Err(bad_answer("there is no metric in the answer")),
            _ => Ok(found),
        }
    }

    /// What could not be read, in words.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some((line, count)) = &self.unreadable {
            let lines = if *count == 1 { "line is" } else { "lines are" };
            remarks.push(format!("{count} {lines} no metric, such as: {line}"));
        }
        if self.unfinished {
            let remark =
                "the list of metrics may be cut off: its last line has no end, and was left out";
            remarks.push(remark.to_owned());
        }
        remarks
    }

    /// Takes one reading that is no quantile.
    pub(super) fn read(
        &self,
        name: &ReadingName,
        part: &MetricPart,
        now: Moment,
        facts: &mut Facts,
    ) {
        match self.number(part, now) {
            Ok(number) => drop(facts.readings.insert(Arc::clone(name), Value::Number(number))),
            Err(why) => facts.missing.push((Arc::clone(name), why)),
        }
    }

    /// Takes a quantile of what was added to a histogram since earlier looks: the bounds of
    /// its bucket.
    pub(super) fn read_quantile(
        &self,
        name: &ReadingName,
        (selector, quantile): (&Selector, f64),
        history: &mut History,
        now: Moment,
        facts: &mut Facts,
    ) {
        let found = self.histograms(selector, now);
        let (low, high) = match found.and_then(|look| history.quantile(look, quantile, now)) {
            Ok(bounds) => {
                facts.remarks.extend(bounds.remark.map(|remark| format!("{name}: {remark}")));
                (
                    bounds.low.ok_or("below the lowest bound of the histogram".to_owned()),
                    bounds.high.ok_or("above the highest bound of the histogram".to_owned()),
                )
            }
            Err(why) => (Err(why.clone()), Err(why)),
        };
        for (side, bound) in [("low", low), ("high", high)] {
            let name: ReadingName = format!("{name}_{side}").into();
            match bound {
                Ok(bound) => drop(facts.readings.insert(name, Value::Number(bound))),
                Err(why) => facts.missing.push((name, why)),
            }
        }
    }

    fn number(&self, part: &MetricPart, now: Moment) -> Result<f64, String> {
        let found: Vec<&Sample> = self.matching(&part.selector.metric, &part.selector).collect();
        match found.as_slice() {
            [] => Err(self.absent(&part.selector)),
            [one] => one.number(now).map_err(|why| format!("the sample {why}")),
            many if part.sum => many
                .iter()
                .map(|sample| sample.number(now))
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

    /// The selected histograms.
    fn histograms(&self, selector: &Selector, now: Moment) -> Result<Look, String> {
        let metric = format!("{}_bucket", selector.metric);
        let mut look = Look::default();
        for sample in self.matching(&metric, selector) {
            let bound = sample.labels.iter().find(|(name, _)| name == "le");
            let bound = match bound.map(|(_, text)| text.as_str()) {
                Some("+Inf") => f64::INFINITY,
                Some(text) => number(text).map_err(|why| format!("the bound of a bucket {why}"))?,
                None => return Err(format!("a sample of {metric} has no bound")),
            };
            let count = sample.number(now).map_err(|why| format!("the count of a bucket {why}"))?;
            let others = sample.labels.iter().filter(|(name, _)| name != "le").cloned();
            let mut labels: Labels = others.collect();
            labels.sort();
            look.add(labels, bound, count)?;
        }
        if look.is_empty() {
            return Err(self.absent(&Selector { metric, ..selector.clone() }));
        }
        Ok(look)
    }
}

/// Reads one line; `None` where it is no sample.
fn sample(line: &str, format: Format) -> Option<Sample> {
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
    let mut words = rest.split_whitespace();
    let value = words.next()?;
    let is_number = matches!(value, "NaN") || value.parse::<f64>().is_ok();
    let time = match words.next().filter(|word| !word.starts_with('#')) {
        // The older format counts milliseconds.
        Some(word) if format == Format::Classic => Some(word.parse::<i64>().ok()? as f64 / 1_000.0),
        Some(word) => Some(word.parse().ok().filter(|time: &f64| time.is_finite())?),
        None => None,
    };
    is_number.then(|| Sample { name: name.to_owned(), labels, value: value.to_owned(), time })
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
        http_requests_total{code=\"200\",path=\"/a\\\"}b\\\\\"} 12 4102444800.5\n\
        http_requests_total{code=\"500\",path=\"/a\"} 3.5e1 # {trace_id=\"x\"} 1\n\
        temperature -3.25\nodd NaN\nhuge +Inf\n\
        # EOF\n";

    type Expected = Result<f64, &'static str>;
    type Labels = &'static [(&'static str, &'static str)];

    fn parse(text: &str) -> Exposition {
        Exposition::parse(text.as_bytes(), Format::OpenMetrics).expect("metrics")
    }

    fn select(metric: &str, labels: &[(&str, &str)]) -> Selector {
        let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Selector { metric: metric.to_owned(), labels }
    }

    fn read(metric: &str, labels: &[(&str, &str)], sum: bool) -> Facts {
        let exposition = parse(TEXT);
        assert_eq!(exposition.remarks(), Vec::<String>::new());
        let part = MetricPart { selector: select(metric, labels), quantile: None, sum };
        let mut facts = Facts::default();
        exposition.read(&"x".into(), &part, Moment::at_seconds(0.0), &mut facts);
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
            let facts = read(metric, labels, sum);
            let got = match facts.readings.get("x") {
                Some(value) => Ok(value.as_number().expect("a number")),
                None => Err(facts.missing[0].1.as_str()),
            };
            assert_eq!(got, expected, "{metric}");
        }
    }

    #[test]
    fn a_sample_that_says_it_is_old_is_no_reading() {
        let now = Moment::at_seconds(0.0);
        let second = now.wall.as_second();
        let read = |text: &str, format| {
            let exposition = Exposition::parse(text.as_bytes(), format).expect("metrics");
            let part = MetricPart { selector: select("load", &[]), quantile: None, sum: false };
            let mut facts = Facts::default();
            exposition.read(&"x".into(), &part, now, &mut facts);
            facts.missing.pop().map_or(String::new(), |(_, why)| why)
        };
        for (age, stale) in [(0, false), (299, false), (302, true), (-60, false)] {
            let at = second - age;
            let classic = read(&format!("load 1.5 {at}000\n"), Format::Classic);
            let open = read(&format!("load 1.5 {at}.0\n# EOF\n"), Format::OpenMetrics);
            assert_eq!((!classic.is_empty(), !open.is_empty()), (stale, stale), "{age}: {classic}");
        }
        let why = read("load 1.5 1395066363000\n", Format::Classic);
        assert!(
            why.starts_with("the sample is of 2014-03-17 14:26:03 UTC, by its own time"),
            "{why}"
        );
    }

    #[test]
    fn of_a_quantile_only_the_bounds_are_known() {
        let growing = |n: f64| {
            format!(
                "lat_bucket{{le=\"0.1\"}} {}\nlat_bucket{{le=\"0.5\"}} {}\nlat_bucket{{le=\"+Inf\"}} {}\n\
                 idle_bucket{{le=\"1\"}} 7\nidle_bucket{{le=\"+Inf\"}} 7\n\
                 two_bucket{{job=\"a\",le=\"1\"}} {n}\ntwo_bucket{{job=\"a\",le=\"+Inf\"}} {n}\n\
                 two_bucket{{le=\"1\",job=\"b\"}} 0\ntwo_bucket{{le=\"+Inf\",job=\"b\"}} {}\n\
                 mixed_bucket{{job=\"a\",le=\"1\"}} 0\nmixed_bucket{{job=\"a\",le=\"+Inf\"}} 0\n\
                 mixed_bucket{{job=\"b\",le=\"2\"}} 0\nmixed_bucket{{job=\"b\",le=\"+Inf\"}} 0\n\
                 open_bucket{{le=\"1\"}} 4\n# EOF\n",
                // What was before the first look is of no account.
                900.0 + 5.0 * n,
                900.0 + 9.0 * n,
                900.0 + 10.0 * n,
                3.0 * n,
            )
        };
        let nothing: Expected = Err("no traffic: nothing was measured in 1m");
        let beyond: Expected = Err("above the highest bound of the histogram");
        let mixed: Expected = Err(
            "the histograms have different bounds, so they cannot be added up: name more labels",
        );
        let open: Expected =
            Err("the histogram has no bucket +Inf, so it is not known how many there are");
        let absent: Expected = Err("there is no metric none_bucket");
        let table: [(&str, f64, Expected, Expected); 8] = [
            ("lat", 0.5, Ok(0.0), Ok(0.1)),
            ("lat", 0.9, Ok(0.1), Ok(0.5)),
            ("lat", 0.95, Ok(0.5), beyond),
            ("two", 0.5, Ok(1.0), beyond),
            ("idle", 0.5, nothing, nothing),
            ("mixed", 0.5, mixed, mixed),
            ("open", 0.5, open, open),
            ("none", 0.5, absent, absent),
        ];
        for (metric, quantile, low, high) in table {
            let mut history = History::default();
            let mut facts = Facts::default();
            for (n, second) in [(1.0, 0.0), (40.0, 60.0)] {
                facts = Facts::default();
                let (selector, now) = (select(metric, &[]), Moment::at_seconds(second));
                let wanted = (&selector, quantile);
                let exposition = parse(&growing(n));
                exposition.read_quantile(&"x".into(), wanted, &mut history, now, &mut facts);
                assert!(second > 0.0 || facts.readings.is_empty(), "one look is none");
            }
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
    }

    #[test]
    fn what_is_no_metric_is_said() {
        let classic = |text: &[u8]| Exposition::parse(text, Format::Classic);
        let found = classic(b"a 1\nb{x=\"1} 2\nwhat is this?\n").expect("one sample");
        assert_eq!(found.samples.len(), 1);
        assert_eq!(found.remarks(), ["2 lines are no metric, such as: b{x=\"1} 2"]);
        assert!(classic(b"<html><body>login</body></html>").is_err());
        assert!(classic(b"").is_err());
        assert!(classic(b"\xff\xfe 1").is_err());
    }

    #[test]
    fn a_text_that_was_cut_off_is_not_read_as_if_it_were_whole() {
        let parse =
            |text: &str, kind: &str| Exposition::parse(text.as_bytes(), Format::of(Some(kind)));
        let open = "Application/OpenMetrics-text; version=1.0.0; charset=utf-8";
        let plain = "text/plain; version=0.0.4";
        assert!(parse("a 1\nb 200\n# EOF\n", open).is_ok());
        assert!(parse("a 1\n# EOF", open).is_ok());
        let failure = parse("a 1\nb 2\n", open).expect_err("cut off");
        assert!(failure.message.contains("does not end with # EOF"), "{failure}");
        // It was b 200.
        let found = parse("a 1\nb 2", plain).expect("a sample");
        assert_eq!(found.samples.len(), 1);
        assert!(found.remarks()[0].contains("may be cut off"), "{:?}", found.remarks());
        assert!(parse("a 1", plain).is_err());
        assert_eq!(parse("a 1\n", plain).expect("whole").remarks(), Vec::<String>::new());
    }
}
