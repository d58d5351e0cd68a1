//! TLS for every connection: one provider, one set of roots, and certificate errors in words.

use std::sync::{Arc, OnceLock};

use jiff::{Timestamp, tz::TimeZone};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use x509_cert::{Certificate, der::Decode};

use super::{
    dial,
    progress::{self, Progress, Stage},
};
use crate::{
    config::profile::TlsOptions,
    domain::failure::{Failure, FailureKind},
};

/// What is remarked where a certificate is not verified.
pub const NOT_VERIFIED: &str = "the server's certificate is not verified";

/// The settings of one connection. They are built anew for each: a resumed session would
/// skip the certificate, which is what is being looked at, and a CA file that was
/// replaced is noticed.
pub async fn settings(options: &TlsOptions) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(FailureKind::Misconfigured, error.to_string()))?;
    let mut settings = if options.insecure {
        let verifier = Arc::new(NoVerification(provider));
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
    } else {
        let options = options.clone();
        let roots =
            tokio::task::spawn_blocking(move || roots(&options)).await.map_err(|_| {
                Failure::new(
                    FailureKind::Misconfigured,
                    "the trusted certificates could not be loaded",
                )
            })??;
        builder.with_root_certificates(roots).with_no_client_auth()
    };
    // What travels as early data could be repeated by somebody else.
    settings.enable_early_data = false;
    Ok(settings)
}

/// The roots to trust. Blocks on files.
pub(super) fn roots(options: &TlsOptions) -> Result<Arc<RootCertStore>, Failure> {
    let Some(path) = &options.ca_file else {
        return Ok(Arc::clone(system_roots()));
    };
    let unusable = |why: String| {
        let message = format!("the CA file {} cannot be used: {why}", path.display());
        Failure::new(FailureKind::Misconfigured, message)
    };
    let mut store = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    for certificate in found {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        store.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(unusable("it holds no certificate in PEM form".to_owned()));
    }
    Ok(Arc::new(store))
}

/// The system's roots, loaded once; Mozilla's where the system has none.
fn system_roots() -> &'static Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Arc::new(store)
    })
}

/// Shakes hands as a client of `host`.
pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: &str,
    settings: ClientConfig,
    progress: &mut Progress,
) -> Result<TlsStream<S>, Failure> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        let message = format!("{host} is no name that a certificate can have");
        Failure::new(FailureKind::Misconfigured, message)
    })?;
    progress.stage = Stage::Securing;
    let start = Instant::now();
    let connector = TlsConnector::from(Arc::new(settings));
    let result = connector.connect(name, stream).await;
    progress::add(&mut progress.phases.tls, start);
    result.map_err(|error| match dial::cause::<rustls::Error>(&error) {
        Some(error) => in_words(error, host),
        None => closed_in_handshake(host),
    })
}

/// The failure of a handshake that the other side ended without a word.
pub fn closed_in_handshake(host: &str) -> Failure {
    let message = format!("{host} closed the connection during the TLS handshake");
    Failure::new(FailureKind::Tls, message).hint("the port may not speak TLS")
}

/// A TLS error as an operator would say it.
pub fn in_words(error: &rustls::Error, host: &str) -> Failure {
    let message = match error {
        rustls::Error::InvalidCertificate(why) => return certificate_in_words(why, host),
        rustls::Error::InvalidMessage(_) => {
            return Failure::new(FailureKind::Tls, format!("{host} answers, but not with TLS"))
                .hint("the port may be for plain connections");
        }
        rustls::Error::AlertReceived(alert) => {
            format!("{host} refused the TLS handshake: {alert:?}")
        }
        rustls::Error::PeerIncompatible(why) => {
            format!("{host} has no TLS version or cipher in common with us: {why:?}")
        }
        other => format!("TLS with {host} failed: {other}"),
    };
    Failure::new(FailureKind::Tls, message)
}

fn certificate_in_words(error: &CertificateError, host: &str) -> Failure {
    let tls = |message: String| Failure::new(FailureKind::Tls, message);
    match error {
        CertificateError::ExpiredContext { time, not_after } => {
            let days = time.as_secs().saturating_sub(not_after.as_secs()) / 86_400;
            tls(format!(
                "the certificate of {host} expired on {}, {}",
                date(*not_after),
                if days == 1 { "1 day ago".to_owned() } else { format!("{days} days ago") }
            ))
            .hint("renew it")
        }
        CertificateError::Expired => tls(format!("the certificate of {host} has expired")),
        CertificateError::NotValidYetContext { not_before, .. } => {
            tls(format!("the certificate of {host} is valid only from {}", date(*not_before)))
                .hint("check the clock of this machine")
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            tls(format!("the certificate is not for {host}: it names {}", names(presented)))
        }
        CertificateError::NotValidForName => tls(format!("the certificate is not for {host}")),
        CertificateError::UnknownIssuer => {
            tls(format!("the certificate of {host} is signed by an authority that is not trusted"))
                .hint("name its root with ca_file, or install it on this machine")
        }
        CertificateError::Revoked => tls(format!("the certificate of {host} was revoked")),
        other => tls(format!("the certificate of {host} is not acceptable: {other}")),
    }
}

/// The first names of a certificate, which rustls writes as `DnsName("example.com")`.
fn names(presented: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut names: Vec<&str> = presented
        .iter()
        .take(SHOWN)
        .map(|name| match name.split_once('(') {
            Some((_, inner)) => inner.trim_end_matches(')').trim_matches('"'),
            None => name.as_str(),
        })
        .collect();
    if names.is_empty() {
        return "nobody".to_owned();
    }
    if presented.len() > SHOWN {
        names.push("…");
    }
    names.join(", ")
}

fn date(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map_or_else(
            || "an unknown date".to_owned(),
            |at| at.to_zoned(TimeZone::UTC).date().to_string(),
        )
}

/// When the certificate that the server showed expires.
pub fn expiry<S>(stream: &TlsStream<S>) -> Option<Timestamp> {
    let (_, session) = stream.get_ref();
    let leaf = session.peer_certificates()?.first()?;
    let certificate = Certificate::from_der(leaf).ok()?;
    let not_after = certificate.tbs_certificate.validity.not_after.to_unix_duration();
    Timestamp::from_second(i64::try_from(not_after.as_secs()).ok()?).ok()
}

/// Accepts any certificate. Only where the operator said so; a remark and the preview of
/// an action say so too.
#[derive(Debug)]
struct NoVerification(Arc<CryptoProvider>);

impl ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, time::Duration};

    use super::*;

    #[test]
    fn certificate_errors_say_what_is_wrong() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let name = ServerName::try_from("api.example.com").expect("a name").to_owned();
        let table = [
            (
                CertificateError::ExpiredContext { time: at(86_400 * 40), not_after: at(86_400) },
                "expired on 1970-01-02, 39 days ago",
            ),
            (
                CertificateError::NotValidYetContext { time: at(0), not_before: at(86_400) },
                "valid only from 1970-01-02",
            ),
            (
                CertificateError::NotValidForNameContext {
                    expected: name.clone(),
                    presented: vec!["DnsName(\"a.test\")".to_owned(), "IpAddress(::1)".to_owned()],
                },
                "not for api.example.com: it names a.test, ::1",
            ),
            (
                CertificateError::NotValidForNameContext { expected: name, presented: vec![] },
                "it names nobody",
            ),
            (CertificateError::UnknownIssuer, "an authority that is not trusted"),
        ];
        for (error, words) in table {
            let failure = in_words(&rustls::Error::InvalidCertificate(error), "api.example.com");
            assert_eq!(failure.kind, FailureKind::Tls);
            assert!(failure.message.contains(words), "{}", failure.message);
        }
    }

    #[tokio::test]
    async fn a_ca_file_that_is_missing_or_empty_is_named() {
        let missing = TlsOptions { ca_file: Some("/nonexistent/ca.pem".into()), insecure: false };
        let failure = settings(&missing).await.expect_err("no file");
        assert_eq!(failure.kind, FailureKind::Misconfigured);
        assert!(failure.message.contains("/nonexistent/ca.pem"), "{}", failure.message);

        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(b"not a certificate\n").expect("written");
        let empty = TlsOptions { ca_file: Some(file.path().to_owned()), insecure: false };
        let failure = settings(&empty).await.expect_err("no certificate");
        assert!(failure.message.contains("no certificate in PEM form"), "{}", failure.message);
    }

    #[tokio::test]
    async fn without_a_ca_file_there_are_roots() {
        settings(&TlsOptions::default()).await.expect("roots of the system or Mozilla's");
        assert!(!system_roots().is_empty());
    }
}
