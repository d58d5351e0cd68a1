//! One HTTP/1.1 exchange over a connection of its own, with each phase timed.
//!
//! A pooled connection would hide what is to be measured: name resolution, the handshake,
//! the certificate, and a server that accepts no new connections.

use std::time::Duration;

use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request,
    body::Bytes,
    header::{self, HeaderName, HeaderValue},
};
use jiff::Timestamp;
use tokio::time::{Instant, timeout};
use url::Url;

use crate::{
    config::profile::TlsOptions,
    domain::failure::{Failure, FailureKind},
    net::{
        http::{self, AGENT, ALPN, Body, Connection},
        progress::{self, Progress, Stage},
        words::clip,
    },
};

/// How long the body of a refusal is waited for: its status is already the answer.
const EXCERPT_PATIENCE: Duration = Duration::from_millis(500);

/// How much of the body of a refusal is read, bytes.
const EXCERPT_SIZE: usize = 4 << 10;

/// How much of the body of a refusal is quoted, characters.
const EXCERPT_SHOWN: usize = 200;

/// What is to be sent.
pub(in crate::sources) struct Question<'a> {
    /// The method.
    pub(in crate::sources) method: Method,
    /// Where to.
    pub(in crate::sources) url: &'a Url,
    /// Headers beside `Host`, `User-Agent`, `Accept` and `Accept-Encoding`, which they
    /// replace where they have the same name.
    pub(in crate::sources) headers: &'a [(HeaderName, HeaderValue)],
    /// The body.
    pub(in crate::sources) body: Bytes,
    /// Whom to trust.
    pub(in crate::sources) tls: &'a TlsOptions,
}

/// An answer whose body is still on the wire.
pub(in crate::sources) struct Answer {
    answer: http::Answer,
    /// Half way between the request and the head of the answer.
    pub(in crate::sources) middle: Instant,
    /// When the certificate of the server expires.
    pub(in crate::sources) expiry: Option<Timestamp>,
}

/// Sends the question and waits for the head of the answer.
pub(in crate::sources) async fn exchange(
    question: Question<'_>,
    progress: &mut Progress,
) -> Result<Answer, Failure> {
    let request = request(&question)?;
    let endpoint = http::endpoint(question.url, question.tls)?;
    let opened = endpoint.dial(Some(ALPN), progress).await?;
    let from_hyper = |error| http::failure(&error, &endpoint.host);
    progress.stage = Stage::Asking;
    let connection = Connection::open(opened.stream).await.map_err(from_hyper)?;
    let start = Instant::now();
    let answer = connection.send(request).await;
    progress::add(&mut progress.phases.first_byte, start);
    let middle = start + start.elapsed() / 2;
    Ok(Answer { answer: answer.map_err(from_hyper)?, middle, expiry: opened.expiry })
}

fn request(question: &Question<'_>) -> Result<Request<Full<Bytes>>, Failure> {
    let url = question.url;
    let misconfigured = |why: String| Failure::new(FailureKind::Misconfigured, why);
    let mut target = url.path().to_owned();
    if let Some(query) = url.query() {
        target.push('?');
        target.push_str(query);
    }
    let mut request = Request::builder()
        .method(question.method.clone())
        .uri(target)
        .body(Full::new(question.body.clone()))
        .map_err(|error| misconfigured(format!("the request cannot be built: {error}")))?;
    let host = match (url.host(), url.port()) {
        (None, _) => return Err(misconfigured("the address has no host".to_owned())),
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_string(),
    };
    let host = HeaderValue::try_from(host)
        .map_err(|_| misconfigured("the host of the address cannot be sent".to_owned()))?;
    let headers = request.headers_mut();
    headers.insert(header::HOST, host);
    headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    for (name, value) in question.headers {
        headers.insert(name, value.clone());
    }
    Ok(request)
}

impl Answer {
    /// The status.
    pub(in crate::sources) fn status(&self) -> u16 {
        self.answer.status
    }

    /// The headers.
    pub(in crate::sources) fn headers(&self) -> &HeaderMap {
        &self.answer.headers
    }

    /// A header as text, where it is there and is text.
    pub(in crate::sources) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.answer.header(name)
    }

    /// The whole body, or a failure where it is larger than `cap` bytes.
    pub(in crate::sources) async fn read(
        &mut self,
        cap: u64,
        progress: &mut Progress,
    ) -> Result<Bytes, Failure> {
        self.refuse_compression()?;
        progress.stage = Stage::Reading;
        let start = Instant::now();
        let outcome = self.answer.read(cap).await;
        progress::add(&mut progress.phases.body, start);
        match outcome.map_err(|error| http::failure(&error, "the body"))? {
            Body::Whole(bytes) => Ok(bytes),
            Body::TooLarge => {
                let message = format!("the body is larger than the {} allowed", size(cap));
                Err(Failure::new(FailureKind::BadAnswer, message).hint("raise max_body"))
            }
        }
    }

    /// What comes next of the body; `None` at its end.
    pub(in crate::sources) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        self.refuse_compression()?;
        self.answer.chunk().await.map_err(|error| http::failure(&error, "the stream"))
    }

    /// Identity was asked for. Whoever compresses nevertheless cannot be read.
    fn refuse_compression(&self) -> Result<(), Failure> {
        match self.header(&header::CONTENT_ENCODING) {
            None | Some("identity" | "") => Ok(()),
            Some(encoding) => {
                let encoding = clip(encoding, 40);
                let message =
                    format!("the body is compressed ({encoding}), which was not asked for");
                Err(Failure::new(FailureKind::BadAnswer, message))
            }
        }
    }

    /// The beginning of the body as words, for a refusal; empty where it has none.
    pub(in crate::sources) async fn excerpt(&mut self) -> String {
        let mut bytes = Vec::new();
        // Whatever came until then is used.
        let _ = timeout(EXCERPT_PATIENCE, self.answer.read_some(&mut bytes, EXCERPT_SIZE)).await;
        if self.refuse_compression().is_err() {
            return String::new();
        }
        beginning(&String::from_utf8_lossy(&bytes))
    }
}

/// The beginning of a text that was not expected: the title of a page, or its first
/// characters.
pub(in crate::sources) fn beginning(text: &str) -> String {
    if is_html(text) {
        let lower = text.to_ascii_lowercase();
        let title = lower
            .find("<title>")
            .and_then(|start| Some((start + 7, start + 7 + lower[start + 7..].find("</title>")?)));
        if let Some((start, end)) = title {
            return format!("a page titled “{}”", clip(text[start..end].trim(), EXCERPT_SHOWN));
        }
    }
    clip(text.trim(), EXCERPT_SHOWN)
}

/// Whether a text is a web page.
pub(in crate::sources) fn is_html(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(14).collect::<String>().to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html")
}

/// A size as the configuration writes it.
fn size(bytes: u64) -> String {
    match bytes {
        b if b >= 1 << 20 && b % (1 << 20) == 0 => format!("{} MiB", b >> 20),
        b if b >= 1 << 10 && b % (1 << 10) == 0 => format!("{} KiB", b >> 10),
        b => format!("{b} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_page_is_its_title() {
        let table = [
            ("<html><head><TITLE> 502 Bad Gateway </TITLE>", "a page titled “502 Bad Gateway”"),
            ("<!DOCTYPE html><body>no title", "<!DOCTYPE html><body>no title"),
            ("  plain\nwords ", "plain words"),
            ("<html><title>cut", "<html><title>cut"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(beginning(text), expected);
        }
        assert_eq!(beginning(&"x".repeat(500)).chars().count(), EXCERPT_SHOWN);
    }

    #[test]
    fn sizes_are_written_as_configured() {
        assert_eq!(size(1 << 20), "1 MiB");
        assert_eq!(size(1536), "1536 bytes");
        assert_eq!(size(64 << 10), "64 KiB");
    }
}
