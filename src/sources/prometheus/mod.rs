//! Prometheus: queries to a server, of now or over a range, or the text of an endpoint.

mod histogram;

mod query;

mod range;

mod text;

use std::{collections::BTreeMap, sync::Arc};

use hyper::{
    Method,
    body::Bytes,
    header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue},
};
use jiff::{SignedDuration, Timestamp};
use url::Url;

use self::{
    histogram::History,
    text::{Exposition, Format},
};
use super::http::{
    exchange::{Answer, Question, exchange},
    header_value, status,
};
use crate::{
    config::profile::{PromQuery, PrometheusSource, PrometheusTake},
    domain::{
        failure::{Failure, FailureKind},
        ids::ReadingName,
        observation::Facts,
        time::Moment,
        value::Value,
    },
    net::{progress::Progress, tls, words::clip},
};

/// The formats that are asked for, the one that is read best first.
const FORMATS: &str =
    "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// A server or an endpoint.
pub(super) struct Prometheus {
    config: PrometheusSource,
    /// What quantiles are taken from.
    histories: BTreeMap<ReadingName, History>,
}

impl Prometheus {
    /// One that was not asked yet.
    pub(super) fn new(config: &PrometheusSource) -> Self {
        Self { config: config.clone(), histories: BTreeMap::new() }
    }

    /// Asks once: every query, or for the whole text.
    pub(super) async fn poll(
        &mut self,
        now: Moment,
        progress: &mut Progress,
    ) -> Result<Facts, Failure> {
        let mut facts = Facts::default();
        match &self.config.take {
            PrometheusTake::Queries(queries) => {
                for (name, query) in queries {
                    let url = query_address(&self.config.url, query, now.wall);
                    let answer = self.ask(&url, progress).await?;
                    // A query that is wrong is 400 or 422, with the reason as JSON.
                    let accepted = matches!(answer.status(), 200..=299 | 400 | 422);
                    let body = self.body(answer, accepted, now, progress).await?;
                    let reply = query::reply(&body, query.over.map(|over| over.take), now.wall)?;
                    let remarks = reply.warning.into_iter().chain(reply.left_out);
                    facts.remarks.extend(remarks.map(|text| format!("{name}: {text}")));
                    match reply.value {
                        Ok(value) => drop(facts.readings.insert(Arc::clone(name), value)),
                        Err(why) => facts.missing.push((Arc::clone(name), why)),
                    }
                }
            }
            PrometheusTake::Metrics(metrics) => {
                let answer = self.ask(&self.config.url, progress).await?;
                let accepted = (200..=299).contains(&answer.status());
                let format = Format::of(answer.header(&CONTENT_TYPE));
                let body = self.body(answer, accepted, now, progress).await?;
                let exposition = Exposition::parse(&body, format)?;
                facts.remarks.extend(exposition.remarks());
                let samples = exposition.samples.len() as f64;
                facts.readings.insert("samples".into(), Value::Number(samples));
                for (name, part) in metrics {
                    let Some(quantile) = part.quantile else {
                        exposition.read(name, part, now, &mut facts);
                        continue;
                    };
                    let history = self.histories.entry(Arc::clone(name)).or_default();
                    let wanted = (&part.selector, quantile);
                    exposition.read_quantile(name, wanted, history, now, &mut facts);
                }
            }
        }
        if self.config.tls.insecure && self.config.url.scheme() == "https" {
            facts.remarks.push(tls::NOT_VERIFIED.to_owned());
        }
        Ok(facts)
    }

    async fn ask(&self, url: &Url, progress: &mut Progress) -> Result<Answer, Failure> {
        let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
        if matches!(self.config.take, PrometheusTake::Metrics(_)) {
            headers.push((ACCEPT, HeaderValue::from_static(FORMATS)));
        }
        for (name, text) in &self.config.headers {
            headers.push(header_value(name, text)?);
        }
        let question = Question {
            method: Method::GET,
            url,
            headers: &headers,
            body: Bytes::new(),
            tls: &self.config.tls,
        };
        exchange(question, progress).await
    }

    async fn body(
        &self,
        mut answer: Answer,
        accepted: bool,
        now: Moment,
        progress: &mut Progress,
    ) -> Result<Bytes, Failure> {
        if !accepted {
            let excerpt = answer.excerpt().await;
            let refusal = status::Refusal {
                status: answer.status(),
                headers: answer.headers(),
                excerpt: &excerpt,
                credentials: &self.config.headers,
                now: now.wall,
            };
            return Err(refusal.failure());
        }
        answer.read(self.config.max_body, progress).await
    }
}

/// The address of a query, asked now.
fn query_address(server: &Url, query: &PromQuery, now: Timestamp) -> Url {
    let mut url = server.clone();
    let place = if query.over.is_some() { "query_range" } else { "query" };
    url.set_path(&format!("{}/api/v1/{place}", server.path().trim_end_matches('/')));
    let mut pairs = url.query_pairs_mut();
    pairs.append_pair("query", &query.text);
    if let Some(over) = &query.over {
        pairs.extend_pairs(range::parameters(over, now));
    }
    drop(pairs);
    url
}

/// What is asked, in words.
pub(super) fn request(config: &PrometheusSource) -> String {
    let address = super::http::shown(&config.url);
    match &config.take {
        PrometheusTake::Metrics(_) => format!("GET {address}"),
        PrometheusTake::Queries(queries) => {
            let queries: Vec<String> =
                queries.iter().map(|(_, query)| range::words(query)).collect();
            format!("query {address}: {}", clip(&queries.join("; "), 300))
        }
    }
}

/// A sample's value as Prometheus writes it: a number, or why it is none.
fn number(text: &str) -> Result<f64, String> {
    let number = match text {
        "+Inf" | "Inf" | "-Inf" | "NaN" => None,
        text => text.parse::<f64>().ok().filter(|number| number.is_finite()),
    };
    number.ok_or_else(|| format!("is {}, which is no number to judge by", clip(text, 40)))
}

/// How old a sample may be, as Prometheus has it: what is older is not the state of anything
/// any more. <https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness>
const STALE: SignedDuration = SignedDuration::from_mins(5);

/// Whether a sample of that time, seconds since the epoch, is one of now.
///
/// # Errors
/// It is not, in words that follow its name.
fn recent(seconds: f64, now: Timestamp) -> Result<(), String> {
    let time = Timestamp::from_millisecond((seconds * 1_000.0) as i64);
    let time = time.map_err(|_| format!("says a time that is none, {seconds}"))?;
    if now.duration_since(time) <= STALE {
        return Ok(());
    }
    Err(format!(
        "is of {}, by its own time: older than 5 minutes, it says nothing of now",
        time.strftime("%Y-%m-%d %H:%M:%S UTC")
    ))
}

/// An answer that does not have the form of what was asked for.
fn bad_answer(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::BadAnswer, message)
}
