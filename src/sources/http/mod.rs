//! HTTP endpoints, asked with GET over a fresh connection each time.
//!
//! Every answer brings `status`, `total_ms`, and as far as there was such a phase `dns_ms`,
//! `connect_ms`, `tls_ms`, `first_byte_ms` and `body_ms`; over TLS also `cert_days`, the
//! days until the server's certificate expires; and where the server says what time it is,
//! `clock_ahead_seconds`. A configured reading of the same name takes its place.

pub(super) mod exchange;

mod clock;

mod extract;

pub(super) mod status;

mod violations;

use std::time::Duration;

use hyper::{
    Method,
    body::Bytes,
    header::{self, HeaderName, HeaderValue},
};
use jiff::Timestamp;
use tokio::time::Instant;
use url::Url;

use self::exchange::{Answer, Question, exchange};
use crate::{
    config::profile::{Extract, HttpSource, Text},
    domain::{
        failure::{Failure, FailureKind},
        observation::{Exhibit, Facts},
        time::Moment,
        value::Value,
    },
    net::{progress::Progress, tls, words::clip},
};

/// An endpoint.
pub(super) struct Http {
    config: HttpSource,
}

/// An answer that stands at the end of any redirects.
struct Final {
    answer: Answer,
    /// Whether the configured headers were sent to where the answer came from.
    with_credentials: bool,
}

impl Http {
    /// An endpoint that was not asked yet.
    pub(super) fn new(config: &HttpSource) -> Self {
        Self { config: config.clone() }
    }

    /// Asks once.
    pub(super) async fn poll(
        &mut self,
        now: Moment,
        progress: &mut Progress,
    ) -> Result<Facts, Failure> {
        let start = Instant::now();
        let Final { mut answer, with_credentials } = self.follow(progress).await?;
        if !self.accepts(answer.status()) {
            let excerpt = answer.excerpt().await;
            let refusal = status::Refusal {
                status: answer.status(),
                headers: answer.headers(),
                excerpt: &excerpt,
                credentials: if with_credentials { &self.config.headers } else { &[] },
                now: now.wall,
            };
            return Err(refusal.failure());
        }
        let body = answer.read(self.config.max_body, progress).await?;
        let total = start.elapsed();
        let mut facts = Facts::default();
        measurements(&mut facts, &answer, progress, total, now.wall);
        let middle = now.wall.checked_add(answer.middle.duration_since(start));
        let ahead = middle.ok().and_then(|middle| clock::ahead(answer.headers(), middle));
        if let Some(ahead) = ahead {
            facts.readings.insert("clock_ahead_seconds".into(), Value::Number(ahead));
        }
        if self.config.tls.insecure && self.config.url.scheme() == "https" {
            facts.remarks.push(tls::NOT_VERIFIED.to_owned());
        }
        self.contents(&mut facts, &answer, &body, now)?;
        Ok(facts)
    }

    fn accepts(&self, status: u16) -> bool {
        self.config.accept.iter().any(|range| range.contains(status))
    }

    /// Asks, and follows redirects as far as allowed. Configured headers go only to the
    /// configured scheme, host and port: once left, they are not sent again.
    async fn follow(&self, progress: &mut Progress) -> Result<Final, Failure> {
        let headers = header_values(&self.config)?;
        let mut url = self.config.url.clone();
        let mut with_credentials = true;
        let mut visited: Vec<Url> = Vec::new();
        loop {
            let question = Question {
                method: Method::GET,
                url: &url,
                headers: if with_credentials { &headers } else { &[] },
                body: Bytes::new(),
                tls: &self.config.tls,
            };
            let answer = exchange(question, progress).await?;
            if self.accepts(answer.status()) || !status::is_redirect(answer.status()) {
                return Ok(Final { answer, with_credentials });
            }
            let next = destination(&answer, &url)?;
            if self.config.redirects == 0 {
                let message = format!("{} redirects to {}", answer.status(), origin(&next));
                return Err(Failure::new(FailureKind::BadAnswer, message)
                    .hint("a login page? redirects are not followed unless configured"));
            }
            visited.push(url);
            if visited.contains(&next) {
                let message = format!("the redirects run in a circle at {}", origin(&next));
                return Err(Failure::new(FailureKind::BadAnswer, message));
            }
            if visited.len() > usize::from(self.config.redirects) {
                let allowed = self.config.redirects;
                let message =
                    format!("more than {allowed} redirects; the next is {}", origin(&next));
                return Err(Failure::new(FailureKind::BadAnswer, message));
            }
            with_credentials &= next.origin() == self.config.url.origin();
            url = next;
        }
    }

    /// What was configured to be taken out of the answer.
    fn contents(
        &self,
        facts: &mut Facts,
        answer: &Answer,
        body: &[u8],
        now: Moment,
    ) -> Result<(), Failure> {
        let from_json = |from: &Extract| !matches!(from, Extract::Header(_) | Extract::Info(_));
        let needs_json = self.config.violations.is_some()
            || self.config.readings.iter().any(|reading| from_json(&reading.from));
        let json = if needs_json { Some(parse(answer, body)?) } else { None };
        extract::readings(&self.config.readings, json.as_ref(), answer.headers(), facts);
        if let (Some(config), Some(json)) = (&self.config.violations, &json) {
            match violations::page(&config.path, json, now.wall) {
                Ok(page) => {
                    facts.remarks.extend(page.remark());
                    facts.exhibits.extend(page.incomplete());
                    facts.exhibits.push(Exhibit::Violations(page.violations));
                }
                Err(reason) => facts.missing.push(("violations".into(), reason)),
            }
        }
        Ok(())
    }
}

/// The body as JSON, or what it is instead.
fn parse(answer: &Answer, body: &[u8]) -> Result<serde_json::Value, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        let text = String::from_utf8_lossy(&body[..body.len().min(4096)]);
        let kind = answer.header(&header::CONTENT_TYPE).map_or_else(
            || "no content type".to_owned(),
            |kind| format!("content type {}", clip(kind, 60)),
        );
        let message = if body.is_empty() {
            "the body is empty where JSON was expected".to_owned()
        } else if exchange::is_html(&text) {
            let begins = exchange::beginning(&text);
            format!("a web page instead of JSON ({kind}): {begins}")
        } else {
            let begins = clip(text.trim(), 80);
            format!("the body is not JSON ({kind}; {error}); it begins: {begins}")
        };
        Failure::new(FailureKind::BadAnswer, message)
    })
}

/// What every exchange measures, beside what it says.
fn measurements(
    facts: &mut Facts,
    answer: &Answer,
    progress: &Progress,
    total: Duration,
    now: Timestamp,
) {
    let phases = progress.phases;
    let measured = [
        ("total_ms", Some(total)),
        ("dns_ms", phases.dns),
        ("connect_ms", phases.connect),
        ("tls_ms", phases.tls),
        ("first_byte_ms", phases.first_byte),
        ("body_ms", phases.body),
    ];
    for (name, duration) in measured {
        if let Some(duration) = duration {
            let millis = duration.as_secs_f64() * 1000.0;
            facts.readings.insert(name.into(), Value::Number(millis));
        }
    }
    facts.readings.insert("status".into(), Value::Number(f64::from(answer.status())));
    if let Some(expiry) = answer.expiry {
        let days = expiry.duration_since(now).as_secs_f64() / 86_400.0;
        facts.readings.insert("cert_days".into(), Value::Number(days));
    }
}

/// The configured headers in the form in which they are sent.
fn header_values(config: &HttpSource) -> Result<Vec<(HeaderName, HeaderValue)>, Failure> {
    let mut headers = Vec::new();
    for (name, text) in &config.headers {
        headers.push(header_value(name, text)?);
    }
    let url = &config.url;
    let has_authorization = headers.iter().any(|(name, _)| name == header::AUTHORIZATION);
    if !has_authorization && !url.username().is_empty() {
        let user = percent_decoded(url.username());
        let password = percent_decoded(url.password().unwrap_or_default());
        let encoded = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            format!("{user}:{password}"),
        );
        headers.push(header_value("authorization", &Text::Plain(format!("Basic {encoded}")))?);
    }
    Ok(headers)
}

/// A header in the form in which it is sent. Its value stays out of the failure.
pub(super) fn header_value(name: &str, text: &Text) -> Result<(HeaderName, HeaderValue), Failure> {
    let misconfigured = |why: &str| {
        let message = format!("the header {} cannot be sent: {why}", clip(name, 60));
        Failure::new(FailureKind::Misconfigured, message)
    };
    let header = HeaderName::try_from(name).map_err(|_| misconfigured("it is no header name"))?;
    let mut value = HeaderValue::try_from(text.expose())
        .map_err(|_| misconfigured("its value holds a line break or another control character"))?;
    value.set_sensitive(true);
    Ok((header, value))
}

fn percent_decoded(text: &str) -> String {
    // The name of a form field is decoded the same way, but for `+`, which is a space there.
    let field = text.replace('+', "%2B");
    url::form_urlencoded::parse(field.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

/// Where a redirect leads to.
fn destination(answer: &Answer, from: &Url) -> Result<Url, Failure> {
    let bad = |why: String| Failure::new(FailureKind::BadAnswer, why);
    let status = answer.status();
    let location = answer
        .header(&header::LOCATION)
        .ok_or_else(|| bad(format!("{status} redirects without saying where to")))?;
    let mut next = from
        .join(location)
        .map_err(|_| bad(format!("{status} redirects to something that is no address")))?;
    if !matches!(next.scheme(), "http" | "https") {
        return Err(bad(format!("{status} redirects to {}://", clip(next.scheme(), 20))));
    }
    // A fragment is never sent, so that it makes no difference to a circle.
    next.set_fragment(None);
    Ok(next)
}

/// Scheme, host and port of an address; the rest of a redirect may hold tokens.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// An address without anything that may be secret: no user, no password, no query.
pub(super) fn shown(url: &Url) -> String {
    let query = if url.query().is_some() { "?…" } else { "" };
    clip(&format!("{}{}{query}", origin(url), url.path()), 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_addresses_hold_no_secrets() {
        let table = [
            ("https://u:secret@a.test/health?token=1#f", "https://a.test/health?…"),
            ("http://[::1]:8080/", "http://[::1]:8080/"),
            ("https://a.test", "https://a.test/"),
        ];
        for (url, expected) in table {
            assert_eq!(shown(&Url::parse(url).expect("an address")), expected);
        }
    }

    #[test]
    fn credentials_in_the_address_become_a_header() {
        assert_eq!(percent_decoded("a%3Ab+c"), "a:b+c");
        assert_eq!(percent_decoded(""), "");
    }
}
