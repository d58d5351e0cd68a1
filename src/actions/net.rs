//! Opening a connection. Everything that fails in here failed before anything was sent.

use std::{io, path::Path, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream, lookup_host},
    time::timeout,
};

use super::{tls, words};
use crate::{
    config::profile::TlsOptions,
    domain::failure::{Failure, FailureKind},
};

/// How long opening a connection may take, TLS included.
pub(super) const DIAL_LIMIT: Duration = Duration::from_secs(5);

/// A connection of any sort.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection, whatever it runs over.
pub(super) type BoxStream = Box<dyn Stream>;

/// The other end of a connection over TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Name or address, without brackets.
    pub(super) host: String,
    /// Port.
    pub(super) port: u16,
    /// Whom to trust, where the connection is encrypted.
    pub(super) tls: Option<TlsOptions>,
}

impl Endpoint {
    /// `host:port`.
    pub(super) fn shown(&self) -> String {
        let host = words::clip(&self.host, 100);
        if host.contains(':') {
            format!("[{host}]:{}", self.port)
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// Opens a connection, encrypted where that is wanted.
    pub(super) async fn dial(&self) -> Result<BoxStream, Failure> {
        let attempt = async {
            let stream = self.connect().await?;
            match &self.tls {
                None => Ok(Box::new(stream) as BoxStream),
                Some(options) => {
                    let stream = tls::handshake(stream, &self.host, options).await?;
                    Ok(Box::new(stream) as BoxStream)
                }
            }
        };
        timeout(DIAL_LIMIT, attempt).await.unwrap_or_else(|_| Err(self.too_slow()))
    }

    /// Opens a TCP connection and closes it again.
    pub(super) async fn reach(&self) -> Result<(), Failure> {
        let attempt = timeout(DIAL_LIMIT, self.connect()).await;
        attempt.unwrap_or_else(|_| Err(self.too_slow())).map(drop)
    }

    fn too_slow(&self) -> Failure {
        let message = format!("{} did not take the connection within {DIAL_LIMIT:?}", self.shown());
        Failure::new(FailureKind::Timeout, message)
    }

    async fn connect(&self) -> Result<TcpStream, Failure> {
        let found = lookup_host((self.host.as_str(), self.port)).await.map_err(|error| {
            let message = format!("{} does not resolve: {error}", self.shown());
            Failure::new(FailureKind::Dns, words::clip(&message, 300))
        })?;
        let mut last = None;
        for address in found {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Only a matter of speed.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(match last {
            Some(error) => in_words(&error, &self.shown()),
            None => Failure::new(FailureKind::Dns, format!("{} has no address", self.shown())),
        })
    }
}

/// Opens a connection to a Unix socket.
pub(super) async fn dial_unix(path: &Path) -> Result<BoxStream, Failure> {
    let shown = path.display().to_string();
    match timeout(DIAL_LIMIT, UnixStream::connect(path)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(in_words(&error, &shown)),
        Err(_) => {
            let message = format!("{shown} did not take the connection within {DIAL_LIMIT:?}");
            Err(Failure::new(FailureKind::Timeout, message))
        }
    }
}

/// An error of the operating system as an operator would say it.
pub(super) fn in_words(error: &io::Error, whom: &str) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => FailureKind::Refused,
        io::ErrorKind::TimedOut => FailureKind::Timeout,
        io::ErrorKind::PermissionDenied => FailureKind::Forbidden,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => FailureKind::Closed,
        _ => FailureKind::Unreachable,
    };
    Failure::new(kind, words::clip(&format!("{whom}: {error}"), 300))
}
