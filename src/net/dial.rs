//! Names to addresses, addresses to connections, and errors to words. Whatever fails in
//! here failed before anything was sent.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
};

use jiff::Timestamp;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::{Instant, timeout},
};

use super::{
    progress::{self, Progress, Stage},
    tls, words,
};
use crate::{
    config::profile::TlsOptions,
    domain::failure::{Failure, FailureKind},
};

/// A connection of any sort.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection, whatever it runs over.
pub type BoxStream = Box<dyn Stream>;

/// The other end of a connection over TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whom to trust, where the connection is encrypted.
    pub tls: Option<TlsOptions>,
}

/// A connection that was just opened.
pub struct Opened {
    /// The connection.
    pub stream: BoxStream,
    /// When the certificate of the server expires.
    pub expiry: Option<Timestamp>,
}

impl Endpoint {
    /// `host:port`.
    pub fn shown(&self) -> String {
        let host = words::clip(&self.host, 100);
        if host.contains(':') {
            format!("[{host}]:{}", self.port)
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// Opens a connection, encrypted where that is wanted. `alpn` is the protocol that is
    /// offered over TLS, if any.
    pub async fn dial(
        &self,
        alpn: Option<&[u8]>,
        progress: &mut Progress,
    ) -> Result<Opened, Failure> {
        let Some(options) = &self.tls else {
            let stream = connect(&self.host, self.port, progress).await?;
            return Ok(Opened { stream: Box::new(stream), expiry: None });
        };
        // First, so that a CA file that cannot be used costs nobody a connection.
        let mut settings = tls::settings(options).await?;
        settings.alpn_protocols.extend(alpn.map(<[u8]>::to_vec));
        let stream = connect(&self.host, self.port, progress).await?;
        let stream = tls::handshake(stream, &self.host, settings, progress).await?;
        let expiry = tls::expiry(&stream);
        Ok(Opened { stream: Box::new(stream), expiry })
    }

    /// Opens a TCP connection and closes it again.
    pub async fn reach(&self, progress: &mut Progress) -> Result<(), Failure> {
        connect(&self.host, self.port, progress).await.map(drop)
    }
}

/// Connects to a host: every address of its name is tried in the order of the resolver,
/// each with its share of the time that is left.
pub async fn connect(host: &str, port: u16, progress: &mut Progress) -> Result<TcpStream, Failure> {
    let addresses = resolve(host, port, progress).await?;
    progress.stage = Stage::Connecting;
    let start = Instant::now();
    let mut first_failure = None;
    let count = addresses.len();
    for (tried, address) in addresses.into_iter().enumerate() {
        let share = progress.left() / u32::try_from(count - tried).unwrap_or(1);
        let failure = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                progress::add(&mut progress.phases.connect, start);
                // Requests are small and wait for their answers: there is nothing to gather.
                stream.set_nodelay(true).map_err(|error| from_io(&error, &place(address)))?;
                return Ok(stream);
            }
            Ok(Err(error)) => from_io(&error, &place(address)),
            Err(_) => {
                let message = format!("{}: packets go unanswered", place(address));
                Failure::new(FailureKind::Timeout, message)
            }
        };
        first_failure.get_or_insert(failure);
    }
    let mut failure = first_failure
        .unwrap_or_else(|| Failure::new(FailureKind::Dns, format!("{host} has no address")));
    if count > 1 {
        failure
            .message
            .push_str(&format!("; the other addresses of {host} failed too ({count} tried)"));
    }
    Err(failure)
}

fn place(address: SocketAddr) -> String {
    address.to_string()
}

async fn resolve(
    host: &str,
    port: u16,
    progress: &mut Progress,
) -> Result<Vec<SocketAddr>, Failure> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    progress.stage = Stage::Resolving;
    let start = Instant::now();
    let found = tokio::net::lookup_host((host, port)).await;
    progress::add(&mut progress.phases.dns, start);
    let mut addresses: Vec<SocketAddr> = Vec::new();
    let found = found.map_err(|error| {
        let text = error.to_string();
        let why = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
        Failure::new(FailureKind::Dns, format!("the name {host} does not resolve: {why}"))
    })?;
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        let message = format!("the name {host} has no address");
        return Err(Failure::new(FailureKind::Dns, message));
    }
    Ok(addresses)
}

/// Connects to a Unix socket.
pub async fn connect_unix(path: &Path, progress: &mut Progress) -> Result<UnixStream, Failure> {
    progress.stage = Stage::Connecting;
    UnixStream::connect(path).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let message = format!("there is no socket at {}", path.display());
            Failure::new(FailureKind::Refused, message)
        }
        _ => from_io(&error, &path.display().to_string()),
    })
}

/// The class and the words of an I/O error.
pub fn from_io(error: &io::Error, place: &str) -> Failure {
    use io::ErrorKind as Io;
    let (kind, words) = match error.kind() {
        Io::ConnectionRefused => (FailureKind::Refused, "nothing listens there".to_owned()),
        Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe | Io::NotConnected => {
            (FailureKind::Closed, "the connection was closed by the other side".to_owned())
        }
        Io::UnexpectedEof => (
            FailureKind::Closed,
            "the connection was closed before the answer was complete".to_owned(),
        ),
        Io::TimedOut => (FailureKind::Timeout, "packets go unanswered".to_owned()),
        Io::HostUnreachable | Io::NetworkUnreachable | Io::NetworkDown | Io::AddrNotAvailable => {
            (FailureKind::Unreachable, "there is no route to it".to_owned())
        }
        Io::PermissionDenied => {
            (FailureKind::Forbidden, "this user may not connect to it".to_owned())
        }
        Io::InvalidData => (FailureKind::BadAnswer, error.to_string()),
        _ => (FailureKind::Unreachable, error.to_string()),
    };
    Failure::new(kind, format!("{place}: {words}"))
}

/// The first error of that type in a chain of causes. `io::Error` hides the error that it
/// wraps from `source`, so it is opened by hand.
pub fn cause<'a, T: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a T> {
    let mut current = error;
    loop {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        let wrapped = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        current = match wrapped {
            Some(inner) => inner as &(dyn std::error::Error + 'static),
            None => current.source()?,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn io_errors_are_told_apart() {
        let table = [
            (io::ErrorKind::ConnectionRefused, FailureKind::Refused),
            (io::ErrorKind::ConnectionReset, FailureKind::Closed),
            (io::ErrorKind::BrokenPipe, FailureKind::Closed),
            (io::ErrorKind::UnexpectedEof, FailureKind::Closed),
            (io::ErrorKind::TimedOut, FailureKind::Timeout),
            (io::ErrorKind::HostUnreachable, FailureKind::Unreachable),
            (io::ErrorKind::NetworkUnreachable, FailureKind::Unreachable),
            (io::ErrorKind::PermissionDenied, FailureKind::Forbidden),
            (io::ErrorKind::Other, FailureKind::Unreachable),
        ];
        for (kind, expected) in table {
            let failure = from_io(&io::Error::from(kind), "db:5432");
            assert_eq!(failure.kind, expected, "{kind:?}");
            assert!(failure.message.starts_with("db:5432: "), "{}", failure.message);
        }
    }

    #[test]
    fn a_cause_is_found_through_io_errors() {
        let inner = rustls::Error::DecryptError;
        let outer = io::Error::other(io::Error::other(inner));
        assert_eq!(cause::<rustls::Error>(&outer), Some(&rustls::Error::DecryptError));
        assert!(cause::<rustls::Error>(&io::Error::other("x")).is_none());
    }

    #[tokio::test]
    async fn a_socket_that_is_not_there_is_refused() {
        let mut progress = Progress::new(Duration::from_secs(1));
        let failure = connect_unix(Path::new("/nonexistent/redis.sock"), &mut progress)
            .await
            .expect_err("no socket");
        assert_eq!(failure.kind, FailureKind::Refused);
        assert!(failure.message.contains("no socket at /nonexistent/redis.sock"));
    }
}
