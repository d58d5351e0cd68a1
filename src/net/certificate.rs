//! A look at the certificate of a server, good or bad.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use tokio::net::TcpStream;

use super::{progress::Progress, tls};
use crate::{
    config::profile::TlsOptions,
    domain::failure::{Failure, FailureKind},
};

/// What a certificate is worth.
#[derive(Debug)]
pub struct Seen {
    /// Why the chain to a trusted root does not hold, where it does not.
    pub chain: Option<Failure>,
    /// Why it is not for that name, where it is not.
    pub name: Option<Failure>,
    /// It is out of its time: what is said of the chain.
    pub out_of_time: bool,
    /// When it expires.
    pub expiry: Option<Timestamp>,
}

/// What the verifier found.
#[derive(Debug, Default)]
struct Verdict {
    chain: Option<rustls::Error>,
    name: Option<rustls::Error>,
}

/// Verifies as every connection does, remembers what came of it, and goes on in any case:
/// nothing is sent over such a connection.
#[derive(Debug)]
struct Inspector {
    verifier: Arc<WebPkiServerVerifier>,
    verdict: Mutex<Verdict>,
}

/// Shakes hands and looks at the certificate.
///
/// # Errors
/// There was no handshake, or there are no roots to judge by.
pub async fn inspect(
    stream: TcpStream,
    name: &str,
    options: &TlsOptions,
    progress: &mut Progress,
) -> Result<Seen, Failure> {
    let misconfigured = |why: String| Failure::new(FailureKind::Misconfigured, why);
    let judged_by = TlsOptions { insecure: false, ..options.clone() };
    let roots = tokio::task::spawn_blocking(move || tls::roots(&judged_by))
        .await
        .map_err(|_| misconfigured("the trusted certificates could not be loaded".to_owned()))??;
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(|error| misconfigured(error.to_string()))?;
    let inspector = Arc::new(Inspector { verifier, verdict: Mutex::default() });
    let settings = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| misconfigured(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&inspector) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let stream = tls::handshake(stream, name, settings, progress).await?;
    let verdict =
        std::mem::take(&mut *inspector.verdict.lock().unwrap_or_else(PoisonError::into_inner));
    let out_of_time = verdict.chain.as_ref().is_some_and(is_out_of_time);
    let words = |error: rustls::Error| tls::in_words(&error, name);
    Ok(Seen {
        chain: verdict.chain.map(words),
        name: verdict.name.map(words),
        out_of_time,
        expiry: tls::expiry(&stream),
    })
}

fn is_out_of_time(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        )
    )
}

fn is_about_name(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        )
    )
}

impl ServerCertVerifier for Inspector {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let name = ParsedCertificate::try_from(end_entity)
            .and_then(|certificate| verify_server_name(&certificate, server_name))
            .err();
        // The name is looked at last: where it is what is wrong, the chain holds.
        let chain = self
            .verifier
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .err()
            .filter(|error| !is_about_name(error));
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Verdict { chain, name };
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
