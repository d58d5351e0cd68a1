//! One HTTP/1.1 exchange over a connection of its own, with each phase timed.
//!
//! A pooled connection would hide what is to be measured: name resolution, the handshake,
//! the certificate, and a server that accepts no new connections.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request,
    body::{Body, Incoming},
    client::conn::http1,
    header::{self, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::time::{Instant, timeout};
use url::{Host, Url};

use super::super::{
    net::{self, BoxStream, Driver},
    progress::{self, Progress, Stage},
    tls,
};
use crate::{
    config::profile::TlsOptions,
    domain::{
        failure::{Failure, FailureKind},
        text::clip,
    },
};

/// The most that the head of an answer may take, bytes.
const LARGEST_HEAD: usize = 64 << 10;

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

/// The head of an answer, and its body still on the wire.
pub(in crate::sources) struct Answer {
    /// The status.
    pub(in crate::sources) status: u16,
    /// The headers.
    pub(in crate::sources) headers: HeaderMap,
    /// When the certificate of the server expires.
    pub(in crate::sources) expiry: Option<Timestamp>,
    body: Incoming,
    /// Ends with the answer, and the connection with it.
    _driver: Driver<()>,
}

/// Sends the question and waits for the head of the answer.
pub(in crate::sources) async fn exchange(
    question: Question<'_>,
    progress: &mut Progress,
) -> Result<Answer, Failure> {
    let request = request(&question)?;
    let (stream, expiry) = open(question.url, question.tls, progress).await?;
    let place = super::host(question.url);
    progress.stage = Stage::Asking;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(LARGEST_HEAD)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(|error| from_hyper(&error, &place))?;
    let driver = Driver::spawn(async move {
        // Its errors reach the sender or the body as well, and are reported there.
        let _ = connection.await;
    });
    let start = Instant::now();
    let response = sender.send_request(request).await;
    progress::add(&mut progress.phases.first_byte, start);
    let (head, body) = response.map_err(|error| from_hyper(&error, &place))?.into_parts();
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        expiry,
        body,
        _driver: driver,
    })
}

/// Opens the connection that the scheme of the address asks for.
async fn open(
    url: &Url,
    options: &TlsOptions,
    progress: &mut Progress,
) -> Result<(BoxStream, Option<Timestamp>), Failure> {
    let host = super::host(url);
    let port = url.port_or_known_default().unwrap_or(80);
    match url.scheme() {
        "http" => Ok((Box::new(net::connect(&host, port, progress).await?), None)),
        "https" => {
            let mut settings = tls::settings(options).await?;
            settings.alpn_protocols = vec![b"http/1.1".to_vec()];
            let stream = net::connect(&host, port, progress).await?;
            let stream = tls::handshake(stream, &host, settings, progress).await?;
            let expiry = tls::expiry(&stream);
            Ok((Box::new(stream), expiry))
        }
        other => {
            let message = format!("{other}:// is not an address for HTTP");
            Err(Failure::new(FailureKind::Misconfigured, message))
        }
    }
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

/// What the console calls itself.
const AGENT: &str = concat!("watchfloor/", env!("CARGO_PKG_VERSION"));

impl Answer {
    /// A header as text, where it is there and is text.
    pub(in crate::sources) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The whole body, or a failure where it is larger than `cap` bytes.
    pub(in crate::sources) async fn read(
        &mut self,
        cap: u64,
        progress: &mut Progress,
    ) -> Result<Bytes, Failure> {
        self.refuse_compression()?;
        let too_large = || {
            let message = format!("the body is larger than the {} allowed", size(cap));
            Failure::new(FailureKind::BadAnswer, message).hint("raise max_body")
        };
        if self.body.size_hint().lower() > cap {
            return Err(too_large());
        }
        progress.stage = Stage::Reading;
        let start = Instant::now();
        let mut whole = BytesMut::new();
        let outcome = loop {
            match self.body.frame().await {
                None => break Ok(whole.freeze()),
                Some(Err(error)) => break Err(from_hyper(&error, "the body")),
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if (whole.len() + data.len()) as u64 > cap {
                        break Err(too_large());
                    }
                    whole.extend_from_slice(&data);
                }
            }
        };
        progress::add(&mut progress.phases.body, start);
        outcome
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
        let mut bytes = BytesMut::new();
        let collect = async {
            while let Some(Ok(frame)) = self.body.frame().await {
                let Ok(data) = frame.into_data() else { continue };
                let room = EXCERPT_SIZE.saturating_sub(bytes.len());
                bytes.extend_from_slice(&data[..data.len().min(room)]);
                if bytes.len() >= EXCERPT_SIZE {
                    break;
                }
            }
        };
        // Whatever came until then is used.
        let _ = timeout(EXCERPT_PATIENCE, collect).await;
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

/// The class and the words of an error of the HTTP exchange.
fn from_hyper(error: &hyper::Error, place: &str) -> Failure {
    if let Some(tls) = net::cause::<rustls::Error>(error) {
        return tls::in_words(tls, place);
    }
    if let Some(io) = net::cause::<std::io::Error>(error) {
        return net::from_io(io, place);
    }
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        let message = format!("{place}: the connection was closed before the answer was complete");
        return Failure::new(FailureKind::Closed, message);
    }
    if error.is_parse() {
        let message = format!("{place}: the answer is not HTTP/1.1 ({error})");
        return Failure::new(FailureKind::BadAnswer, message)
            .hint("the port may speak TLS or another protocol");
    }
    Failure::new(FailureKind::BadAnswer, format!("{place}: {error}"))
}

/// The host of an address as a name to resolve or an address to connect to.
pub(in crate::sources) fn bare_host(host: &Host<&str>) -> String {
    match host {
        Host::Ipv6(address) => address.to_string(),
        other => other.to_string(),
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
