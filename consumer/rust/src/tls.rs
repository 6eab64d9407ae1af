//! TLS by rustls with the system's roots; `SSL_CERT_FILE` takes their place, as with OpenSSL.

use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// Makes ring the cryptography provider of this process. To be called before the first connection.
pub fn install_provider() {
    // Fails only when there is one already, and then it is this one.
    let _ = ring::default_provider().install_default();
}

/// A certificate of this client, and its key.
pub type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Reads a certificate and its key from their files. None when they cannot be read.
pub fn identity(certificate: &str, key: &str) -> Option<Identity> {
    Some((certificates(certificate)?, PrivateKeyDer::from_pem_file(key).ok()?))
}

/// A configuration that checks certificates against the roots of a file, or those of the system. None when the file cannot
/// be read.
pub fn verified(roots: Option<&str>, identity: Option<&Identity>) -> Option<ClientConfig> {
    let mut store = RootCertStore::empty();
    match roots {
        None | Some("system") => store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
        Some(file) => store.add_parsable_certificates(certificates(file)?),
    };
    with_identity(ClientConfig::builder().with_root_certificates(store), identity)
}

/// A configuration that checks no certificate: only where the operator's URL says so.
pub fn unverified(identity: Option<&Identity>) -> Option<ClientConfig> {
    let algorithms = ring::default_provider().signature_verification_algorithms;
    let builder = ClientConfig::builder().dangerous().with_custom_certificate_verifier(Arc::new(Anyone(algorithms)));
    with_identity(builder, identity)
}

fn certificates(file: &str) -> Option<Vec<CertificateDer<'static>>> {
    Some(CertificateDer::pem_file_iter(file).ok()?.flatten().collect())
}

fn with_identity(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    identity: Option<&Identity>,
) -> Option<ClientConfig> {
    match identity {
        None => Some(builder.with_no_client_auth()),
        Some((certificates, key)) => builder.with_client_auth_cert(certificates.clone(), key.clone_key()).ok(),
    }
}

/// The file of the system's roots, for a driver that takes only a file.
pub fn roots_file() -> Option<std::path::PathBuf> {
    std::env::var_os("SSL_CERT_FILE").map(Into::into).or_else(|| openssl_probe::probe().cert_file)
}

#[derive(Debug)]
struct Anyone(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
