//! TLS for tokio-postgres, with the same modes that sqlx has.

use std::sync::Arc;

use foldlog_core::Error;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Endpoint, invalid};

/// How much is asked of the server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsMode {
    /// No TLS.
    Disable,
    /// TLS if the server has it; the certificate is not looked at.
    Prefer,
    /// TLS; the certificate is not looked at.
    Require,
    /// The certificate comes from a known authority.
    VerifyCa,
    /// And it is the host's own.
    VerifyFull,
}

/// The connector for an endpoint. Certificates are read now, so that a missing file is an error
/// here and not at each connection.
pub(super) fn connector(endpoint: &Endpoint) -> Result<MakeRustlsConnect, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(roots(endpoint)?);
    let inner = if roots.is_empty() {
        None
    } else {
        let builder = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
        Some(builder.build().map_err(|error| invalid(format!("root certificates: {error}")))?)
    };
    let verifier = Verifier { mode: endpoint.tls, inner, provider: Arc::clone(&provider) };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid(format!("TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match (&endpoint.client_certificate, &endpoint.client_key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("sslcert", certificate)?;
            let key = private_key(key.reveal())?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| invalid(format!("sslcert and sslkey: {error}")))?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => return Err(invalid("sslcert and sslkey belong together: give both or neither")),
    };
    Ok(MakeRustlsConnect::new(config))
}

fn roots(endpoint: &Endpoint) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    if matches!(endpoint.tls, TlsMode::VerifyCa | TlsMode::VerifyFull) {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(file) = &endpoint.root_certificate {
            for certificate in certificates("sslrootcert", file)? {
                roots.add(certificate).map_err(|error| invalid(format!("sslrootcert: {error}")))?;
            }
        }
    }
    Ok(roots)
}

/// The certificates of a PEM file, or of PEM text itself.
fn certificates(key: &str, source: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read: Result<Vec<_>, _> = if source.starts_with("-----BEGIN") {
        CertificateDer::pem_slice_iter(source.as_bytes()).collect()
    } else {
        CertificateDer::pem_file_iter(source).and_then(Iterator::collect)
    };
    read.map_err(|error| invalid(format!("{key} can't be read as PEM certificates: {error}")))
}

fn private_key(source: &str) -> Result<PrivateKeyDer<'static>, Error> {
    let read = if source.starts_with("-----BEGIN") {
        PrivateKeyDer::from_pem_slice(source.as_bytes())
    } else {
        PrivateKeyDer::from_pem_file(source)
    };
    read.map_err(|error| invalid(format!("sslkey can't be read as a PEM key: {error}")))
}

#[derive(Debug)]
struct Verifier {
    mode: TlsMode,
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if matches!(self.mode, TlsMode::Disable | TlsMode::Prefer | TlsMode::Require) {
            return Ok(ServerCertVerified::assertion());
        }
        let Some(inner) = &self.inner else {
            return Err(TlsError::InvalidCertificate(CertificateError::UnknownIssuer));
        };
        match inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.mode == TlsMode::VerifyCa => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
