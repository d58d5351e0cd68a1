//! Status pages of others, as Atlassian Statuspage has them: `GET /api/v2/status.json`.

use hyper::{Method, body::Bytes};
use serde::Deserialize;

use super::http::{
    exchange::{Question, beginning, exchange},
    status,
};
use crate::{
    config::profile::StatuspageSource,
    domain::{
        failure::{Failure, FailureKind},
        observation::Facts,
        time::Moment,
        value::Value,
    },
    net::{progress::Progress, tls, words::clip},
};

/// The largest answer that is read, bytes.
const LARGEST: u64 = 256 << 10;

/// What a page says of itself, from well to worst. `maintenance` is announced work.
const INDICATORS: [(&str, f64); 5] =
    [("none", 0.0), ("maintenance", 1.0), ("minor", 1.0), ("major", 2.0), ("critical", 3.0)];

/// A status page.
pub(super) struct Statuspage {
    config: StatuspageSource,
}

#[derive(Deserialize)]
struct Page {
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    indicator: String,
    #[serde(default)]
    description: Option<String>,
}

impl Statuspage {
    /// A page that was not asked yet.
    pub(super) fn new(config: &StatuspageSource) -> Self {
        Self { config: config.clone() }
    }

    /// Asks once.
    pub(super) async fn poll(
        &mut self,
        now: Moment,
        progress: &mut Progress,
    ) -> Result<Facts, Failure> {
        let StatuspageSource { url, tls } = &self.config;
        let question = Question { method: Method::GET, url, headers: &[], body: Bytes::new(), tls };
        let mut answer = exchange(question, progress).await?;
        if !(200..=299).contains(&answer.status()) {
            let excerpt = answer.excerpt().await;
            let refusal = status::Refusal {
                status: answer.status(),
                headers: answer.headers(),
                excerpt: &excerpt,
                credentials: &[],
                now: now.wall,
            };
            return Err(refusal.failure());
        }
        let body = answer.read(LARGEST, progress).await?;
        let mut facts = read(&body)?;
        if tls.insecure && url.scheme() == "https" {
            facts.remarks.push(tls::NOT_VERIFIED.to_owned());
        }
        Ok(facts)
    }
}

/// What a page says. What it may mean otherwise is not guessed at: a page that is not
/// understood is not a good one.
fn read(body: &[u8]) -> Result<Facts, Failure> {
    let bad = |why: String| Failure::new(FailureKind::BadAnswer, why);
    let page: Page = serde_json::from_slice(body).map_err(|error| {
        let text = String::from_utf8_lossy(&body[..body.len().min(4096)]);
        bad(format!("this is no status page ({error}); it begins: {}", beginning(&text)))
    })?;
    let indicator = page.status.indicator.trim().to_ascii_lowercase();
    let severity = INDICATORS.iter().find(|(name, _)| *name == indicator);
    let (_, severity) = severity.ok_or_else(|| {
        let known = INDICATORS.map(|(name, _)| name).join(", ");
        bad(format!("the indicator {:?} is none of {known}", clip(&indicator, 40)))
    })?;
    let mut facts = Facts::default();
    facts.readings.insert("indicator".into(), Value::Text(indicator.into()));
    facts.readings.insert("severity".into(), Value::Number(*severity));
    match page.status.description.filter(|text| !text.trim().is_empty()) {
        Some(text) => {
            facts.readings.insert("description".into(), Value::Text(clip(&text, 200).into()));
        }
        None => facts.missing.push(("description".into(), "the page has none".to_owned())),
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_understood_can_be_good() {
        let page = |indicator: &str| {
            format!("{{\"status\":{{\"indicator\":{indicator},\"description\":\"All Systems\"}}}}")
        };
        let table = [
            (page("\"none\""), Some(0.0)),
            (page("\"minor\""), Some(1.0)),
            (page("\"maintenance\""), Some(1.0)),
            (page("\"major\""), Some(2.0)),
            (page("\"Critical\""), Some(3.0)),
            (page("\"fine\""), None),
            (page("null"), None),
            (page("0"), None),
            ("{}".to_owned(), None),
            ("{\"status\":\"ok\"}".to_owned(), None),
            ("<html>".to_owned(), None),
            (String::new(), None),
        ];
        for (body, expected) in table {
            let got = read(body.as_bytes());
            if let Err(failure) = &got {
                assert!(!failure.kind.means_down(), "{failure}");
            }
            let got = got.ok().and_then(|facts| facts.readings["severity"].as_number());
            assert_eq!(got, expected, "{body}");
        }
    }
}
