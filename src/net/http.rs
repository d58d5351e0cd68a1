//! One HTTP/1.1 exchange on a connection of its own.
//!
//! A [`Connection`] sends one request and is used up by it: nothing is ever sent a second
//! time, whatever became of the first.

use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, StatusCode,
    body::{Body as _, Bytes, Incoming},
    client::conn::http1,
    header::HeaderName,
};
use hyper_util::rt::TokioIo;
use tokio_util::task::AbortOnDropHandle;
use url::{Host, Url};

use super::{
    dial::{self, BoxStream, Endpoint},
    tls,
};
use crate::{
    config::profile::TlsOptions,
    domain::{
        failure::{Failure, FailureKind},
        text,
    },
};

/// What the console calls itself.
pub const AGENT: &str = concat!("watchfloor/", env!("CARGO_PKG_VERSION"));

/// The protocol that is offered over TLS.
pub const ALPN: &[u8] = b"http/1.1";

/// The most that the head of an answer may take, bytes.
const LARGEST_HEAD: usize = 64 << 10;

/// Where an address leads to.
///
/// # Errors
/// It is no address of HTTP.
pub fn endpoint(url: &Url, options: &TlsOptions) -> Result<Endpoint, Failure> {
    let misconfigured = |why: String| Failure::new(FailureKind::Misconfigured, why);
    let tls = match url.scheme() {
        "http" => None,
        "https" => Some(options.clone()),
        other => {
            let other = text::clip(other, 20);
            return Err(misconfigured(format!("{other}:// is not an address for HTTP")));
        }
    };
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return Err(misconfigured("the address has no host".to_owned()));
    };
    let host = match host {
        // Without its brackets.
        Host::Ipv6(address) => address.to_string(),
        other => other.to_string(),
    };
    Ok(Endpoint { host, port, tls })
}

/// A connection that has sent nothing yet.
pub struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: AbortOnDropHandle<()>,
}

/// The head of an answer, and its body still on the wire.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    /// Ends with the answer, and the connection with it.
    _driver: AbortOnDropHandle<()>,
}

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// All of it.
    Whole(Bytes),
    /// More than was allowed.
    TooLarge,
}

impl Connection {
    /// Prepares a stream for a request. Sends nothing.
    ///
    /// # Errors
    /// As [`failure`] says.
    pub async fn open(stream: BoxStream) -> Result<Self, hyper::Error> {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(LARGEST_HEAD)
            .handshake(TokioIo::new(stream))
            .await?;
        let driver = AbortOnDropHandle::new(tokio::spawn(async move {
            // Its errors reach the sender or the body as well, and are reported there.
            let _ = connection.await;
        }));
        Ok(Self { sender, driver })
    }

    /// Sends the request and waits for the head of the answer.
    ///
    /// # Errors
    /// As [`failure`] says. The request may have been received all the same.
    pub async fn send(mut self, request: Request<Full<Bytes>>) -> Result<Answer, hyper::Error> {
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        let status = head.status.as_u16();
        Ok(Answer { status, headers: head.headers, body, _driver: self.driver })
    }
}

impl Answer {
    /// `404 Not Found`.
    pub fn status_line(&self) -> String {
        status_line(self.status)
    }

    /// A header as text, where it is there and is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The whole body, unless it is larger than `cap` bytes.
    ///
    /// # Errors
    /// As [`failure`] says: it did not come to its end.
    pub async fn read(&mut self, cap: u64) -> Result<Body, hyper::Error> {
        if self.body.size_hint().lower() > cap {
            return Ok(Body::TooLarge);
        }
        let mut whole = Vec::new();
        while let Some(frame) = self.body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            if (whole.len() + data.len()) as u64 > cap {
                return Ok(Body::TooLarge);
            }
            whole.extend_from_slice(&data);
        }
        Ok(Body::Whole(Bytes::from(whole)))
    }

    /// What comes next of the body; `None` at its end.
    ///
    /// # Errors
    /// As [`failure`] says.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, hyper::Error> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// Adds what comes next of the body to `into`, until it holds `size` bytes or nothing
    /// more comes. What is there already stays when the future is dropped.
    pub async fn read_some(&mut self, into: &mut Vec<u8>, size: usize) {
        while into.len() < size {
            let Some(Ok(frame)) = self.body.frame().await else { return };
            let Ok(data) = frame.into_data() else { continue };
            let room = size.saturating_sub(into.len());
            into.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
}

/// A status with the words that usually come with it: `404 Not Found`.
pub fn status_line(status: u16) -> String {
    let known = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    format!("{status} {}", known.unwrap_or_default()).trim_end().to_owned()
}

/// The class and the words of an error of the exchange with that host.
pub fn failure(error: &hyper::Error, place: &str) -> Failure {
    if let Some(error) = dial::cause::<rustls::Error>(error) {
        return tls::in_words(error, place);
    }
    if let Some(io) = dial::cause::<std::io::Error>(error) {
        return dial::from_io(io, place);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_comes_with_its_usual_words() {
        assert_eq!(status_line(502), "502 Bad Gateway");
        assert_eq!(status_line(599), "599");
    }

    #[test]
    fn an_address_says_where_to_connect_to() {
        let table = [
            ("http://[::1]:8080/", Ok(("::1", 8080, false))),
            ("http://a.test/x?y#z", Ok(("a.test", 80, false))),
            ("https://a.test", Ok(("a.test", 443, true))),
            ("ftp://a.test", Err("ftp:// is not an address for HTTP")),
        ];
        for (url, expected) in table {
            let found = endpoint(&Url::parse(url).expect("an address"), &TlsOptions::default());
            let found = found.map(|found| (found.host, found.port, found.tls.is_some()));
            let expected =
                expected.map(|(host, port, tls): (&str, u16, bool)| (host.to_owned(), port, tls));
            assert_eq!(found.map_err(|failure| failure.message), expected.map_err(str::to_owned));
        }
    }
}
