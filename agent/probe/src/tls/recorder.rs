//! Watches what the server shows of itself during a full handshake, and lets everything pass: judging is the coordinator's.

use std::sync::{Arc, Mutex, PoisonError};

use parallax_model::bytes::Bytes;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::CertifiedKey,
};

/// Records what one handshake shows.
#[derive(Debug)]
pub(crate) struct Recorder {
    algorithms: WebPkiSupportedAlgorithms,
    schemes: Arc<[SignatureScheme]>,
    seen: Mutex<Seen>,
}

/// What a server showed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The chain as it was sent, leaf first.
    pub(crate) chain: Vec<Bytes>,
    /// The stapled OCSP response.
    pub(crate) staple: Option<Bytes>,
    /// Whether the server's signature over the handshake verifies; none when it was not reached or the library cannot tell.
    pub(crate) signature: Option<bool>,
    /// Whether a client certificate was asked for.
    pub(crate) certificate_requested: bool,
    /// The schemes that it may be signed with, by number.
    pub(crate) client_schemes: Vec<u16>,
    /// The names of the authorities that it may come from (DER).
    pub(crate) authorities: Vec<Bytes>,
}

impl Recorder {
    pub(crate) fn new(algorithms: WebPkiSupportedAlgorithms, schemes: Arc<[SignatureScheme]>) -> Self {
        Self { algorithms, schemes, seen: Mutex::default() }
    }

    /// Takes out what was seen.
    pub(crate) fn take(&self) -> Seen {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_signature(&self, signature: &DigitallySignedStruct, result: &Result<HandshakeSignatureValid, Error>) {
        self.lock().signature = match result {
            Ok(_) => Some(true),
            Err(Error::InvalidCertificate(CertificateError::BadSignature)) if !made_by_short_rsa_key(signature) => Some(false),
            // A certificate that the library cannot read says nothing about the key behind it.
            Err(_) => None,
        };
    }
}

/// The library refuses RSA keys below 2,048 bits without looking at the signature, which is as long as the key.
fn made_by_short_rsa_key(signature: &DigitallySignedStruct) -> bool {
    const RSA_2048_BYTES: usize = 256;
    let rsa = matches!(
        signature.scheme,
        SignatureScheme::RSA_PKCS1_SHA256
            | SignatureScheme::RSA_PKCS1_SHA384
            | SignatureScheme::RSA_PKCS1_SHA512
            | SignatureScheme::RSA_PSS_SHA256
            | SignatureScheme::RSA_PSS_SHA384
            | SignatureScheme::RSA_PSS_SHA512
    );
    rsa && signature.signature().len() < RSA_2048_BYTES
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        staple: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut seen = self.lock();
        seen.chain = std::iter::once(leaf).chain(others).map(|certificate| Bytes(certificate.to_vec())).collect();
        seen.staple = (!staple.is_empty()).then(|| Bytes(staple.to_vec()));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note_signature(signature, &verify_tls12_signature(message, certificate, signature, &self.algorithms));
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note_signature(signature, &verify_tls13_signature(message, certificate, signature, &self.algorithms));
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.to_vec()
    }
}

impl ResolvesClientCert for Recorder {
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let mut seen = self.lock();
        seen.certificate_requested = true;
        seen.client_schemes = schemes.iter().copied().map(u16::from).collect();
        seen.authorities = issuers.iter().map(|issuer| Bytes(issuer.to_vec())).collect();
        None
    }

    fn has_certs(&self) -> bool {
        // Only then does the library ask at all.
        true
    }
}
