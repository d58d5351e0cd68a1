//! TLS for the connections that carry an action.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    actions::words,
    config::profile::TlsOptions,
    domain::failure::{Failure, FailureKind},
};

/// Shakes hands as a client of `host`.
pub(super) async fn handshake(
    stream: TcpStream,
    host: &str,
    options: &TlsOptions,
) -> Result<TlsStream<TcpStream>, Failure> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        misconfigured(format!("{} is no name that a certificate can have", words::clip(host, 80)))
    })?;
    let options = options.clone();
    let settings = tokio::task::spawn_blocking(move || settings(&options))
        .await
        .map_err(|_| misconfigured("the trusted certificates could not be loaded".to_owned()))??;
    let connector = TlsConnector::from(Arc::new(settings));
    connector.connect(name, stream).await.map_err(|error| in_words(&error, host))
}

fn misconfigured(message: String) -> Failure {
    Failure::new(FailureKind::Misconfigured, message)
}

fn in_words(error: &io::Error, host: &str) -> Failure {
    let inner = error.get_ref().map_or_else(|| error.to_string(), ToString::to_string);
    let message = format!("TLS with {host} failed: {}", words::clip(&inner, 200));
    let failure = Failure::new(FailureKind::Tls, message);
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            failure.hint("the port may not speak TLS")
        }
        _ => failure,
    }
}

/// Blocks on the files with the roots.
fn settings(options: &TlsOptions) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| misconfigured(error.to_string()))?;
    let mut settings = if options.insecure {
        let verifier = Arc::new(AcceptsAnything(provider));
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
    } else {
        builder.with_root_certificates(roots(options)?).with_no_client_auth()
    };
    // A request that travels as early data could be repeated by somebody else.
    settings.enable_early_data = false;
    Ok(settings)
}

/// The one file that is to be trusted, else the system's roots, else Mozilla's.
fn roots(options: &TlsOptions) -> Result<RootCertStore, Failure> {
    let mut store = RootCertStore::empty();
    let Some(path) = &options.ca_file else {
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        return Ok(store);
    };
    let unusable = |why: String| {
        misconfigured(format!("the CA file {} cannot be used: {why}", path.display()))
    };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    for certificate in found {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        store.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(unusable("it holds no certificate in PEM form".to_owned()));
    }
    Ok(store)
}

/// Takes any certificate. Only where the configuration says so; the preview says it too.
#[derive(Debug)]
struct AcceptsAnything(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptsAnything {
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
