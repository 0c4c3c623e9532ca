//! TLS of the one port: clients may show a certificate of the fleet's authority, or none.

use std::sync::Arc;

use parallax_model::{clock::Timestamp, id::VantageName};
use rustls::{RootCertStore, ServerConfig, crypto::aws_lc_rs, pki_types::CertificateDer, server::WebPkiClientVerifier};
use x509_parser::extensions::GeneralName;

use super::{Authority, PkiError, ServerCertificate, csr::URI_PREFIX, revocation::issued_at};

/// Who shows a client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerIdentity {
    /// The vantage's name.
    pub(crate) name: VantageName,
    /// When the certificate was issued.
    pub(crate) issued_at: Timestamp,
}

/// Makes the TLS configuration; dates of client certificates are judged by this host's clock.
pub(crate) fn server_config(authority: &Authority, server: &ServerCertificate) -> Result<ServerConfig, PkiError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone()).map_err(PkiError::Tls)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(|error| PkiError::Tls(rustls::Error::General(error.to_string())))?;
    // The authority goes along, because a joining agent knows it by its fingerprint alone.
    let chain = vec![server.certificate().clone(), authority.certificate().clone()];
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_client_cert_verifier(verifier).with_single_cert(chain, server.private_key()))
        .map_err(PkiError::Tls)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// Reads who stands behind a client certificate that the handshake has verified; none when it names no vantage.
pub(crate) fn peer_identity(certificate: &CertificateDer<'_>) -> Option<PeerIdentity> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let name = names.value.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => uri.strip_prefix(URI_PREFIX)?.parse().ok(),
        _ => None,
    })?;
    Some(PeerIdentity { name, issued_at: issued_at(parsed.raw_serial())? })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::pki::client_certificate;

    #[test]
    fn a_certificate_tells_its_vantage_and_the_moment_of_its_issue() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::from_micros(1_790_000_000_123_456);
        let authority = Authority::load_or_create(dir.path(), now).unwrap();
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let request = CertificateParams::default().serialize_request(&key).unwrap();
        let issued = client_certificate(&authority, request.der(), &"fra-1".parse().unwrap(), now, Duration::from_secs(60)).unwrap();
        let peer = peer_identity(&CertificateDer::from(issued.der)).unwrap();
        assert_eq!(peer, PeerIdentity { name: "fra-1".parse().unwrap(), issued_at: now });
        assert_eq!(peer_identity(authority.certificate()), None);
    }
}
