//! Ports, certificates, status pages.

use std::net::IpAddr;

use super::{Cx, Path};
use crate::config::{
    profile::{HostPort, StatuspageSource, TcpSource, TlsSource},
    raw::probe::{RawStatuspage, RawTcp, RawTls},
};

/// Where a status page says how things are.
const STATUS: &str = "/api/v2/status.json";

impl Cx<'_> {
    /// A port.
    pub fn tcp(&mut self, path: &Path, raw: &RawTcp) -> Option<TcpSource> {
        let at = self.host_port(&path.key("address"), &raw.address, None)?;
        Some(TcpSource { at })
    }

    /// A certificate.
    pub fn tls_source(&mut self, path: &Path, raw: &RawTls) -> Option<TlsSource> {
        let at = self.host_port(&path.key("address"), &raw.address, Some(443));
        let tls = self.tls(path, raw.ca_file.as_deref(), raw.insecure, true);
        let at = at?;
        let name = raw.name.clone().unwrap_or_else(|| at.host.clone());
        if rustls::pki_types::ServerName::try_from(name.as_str()).is_err() {
            let path = if raw.name.is_some() { path.key("name") } else { path.key("address") };
            self.error(
                &path,
                format!("{name:?} is no name that a certificate can have"),
                "such as \"api.example.com\"",
            );
            return None;
        }
        Some(TlsSource { at, name, tls: tls? })
    }

    /// A status page.
    pub fn statuspage(&mut self, path: &Path, raw: &RawStatuspage) -> Option<StatuspageSource> {
        let url = self.web_address(&path.key("url"), &raw.url, "statuspage");
        let secure = url.as_ref().is_none_or(|url| url.scheme() == "https");
        let tls = self.tls(path, raw.ca_file.as_deref(), raw.insecure, secure);
        let mut url = url?;
        if url.path() == "/" {
            url.set_path(STATUS);
        }
        Some(StatuspageSource { url, tls: tls? })
    }

    fn host_port(&mut self, path: &Path, text: &str, usual: Option<u16>) -> Option<HostPort> {
        let found = parse_host_port(text, usual);
        if found.is_none() {
            let (message, cure) = if text.contains("://") {
                ("this is an address of the web, not host:port", "such as \"db.example.com:5432\"")
            } else if usual.is_none() {
                ("this is not host:port", "such as \"db.example.com:5432\" or \"[::1]:5432\"")
            } else {
                (
                    "this is neither host nor host:port",
                    "such as \"example.com\" or \"example.com:8443\"",
                )
            };
            self.error(path, message, cure);
        }
        found
    }
}

/// Reads `host:port`, `[::1]:port`, and where there is a usual port, `host`.
fn parse_host_port(text: &str, usual: Option<u16>) -> Option<HostPort> {
    let text = text.trim();
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<IpAddr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match text.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => return None,
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
        None => usual?,
    };
    let named = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    (!host.is_empty() && host.chars().all(named)).then(|| HostPort { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hosts_and_ports() {
        let table = [
            ("db:5432", None, Some(("db", 5432))),
            ("[::1]:80", None, Some(("::1", 80))),
            ("db", None, None),
            ("db", Some(443), Some(("db", 443))),
            ("[::1]", Some(443), Some(("::1", 443))),
            ("::1:80", None, None),
            ("db:0", None, None),
            ("db:70000", None, None),
            (":80", None, None),
            ("https://db:80", None, None),
            ("a b:80", None, None),
            ("[db]:80", None, None),
        ];
        for (text, usual, expected) in table {
            let got = parse_host_port(text, usual);
            let got = got.as_ref().map(|found| (found.host.as_str(), found.port));
            assert_eq!(got, expected, "{text}");
        }
    }
}
