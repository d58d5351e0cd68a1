//! Things that are only probed: a port, a certificate, a status page.

use super::TlsOptions;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl HostPort {
    /// `host:port`.
    pub fn shown(&self) -> String {
        let Self { host, port } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

/// A port that must accept connections.
#[derive(Clone, Debug)]
pub struct TcpSource {
    /// Where it is.
    pub at: HostPort,
}

/// A server whose certificate is looked at.
#[derive(Clone, Debug)]
pub struct TlsSource {
    /// Where it is.
    pub at: HostPort,
    /// The name that the certificate must be for.
    pub name: String,
    /// Whom to trust. Where nobody is verified, what is wrong with the certificate is
    /// reported and is no failure; unless it has expired.
    pub tls: TlsOptions,
}

/// A status page as Atlassian Statuspage has them.
#[derive(Clone, Debug)]
pub struct StatuspageSource {
    /// The address of its `status.json`.
    pub url: url::Url,
    /// Whom to trust.
    pub tls: TlsOptions,
}
