//! Holding the coordinator to the pinned authority, without believing the host's clock.

use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use parallax_model::clock::Timestamp;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{WebPkiSupportedAlgorithms, aws_lc_rs::default_provider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use super::keystore::validity;

/// What a coordinator is held to.
#[derive(Debug, Clone)]
pub(crate) enum Pin {
    /// The authority itself, as stored at enrolment.
    Authority(CertificateDer<'static>),
    /// SHA-256 of the authority's certificate, as a join string carries it; the coordinator presents the certificate.
    Fingerprint([u8; 32]),
}

/// What a handshake showed, to be judged once the coordinator has stated its time.
#[derive(Debug, Clone)]
pub(crate) struct Observed {
    /// From when until when the coordinator's certificate is valid.
    pub(crate) validity: (Timestamp, Timestamp),
}

/// Says that a server belongs to another fleet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PinError {
    /// The pinned authority is not among the presented certificates.
    #[error("the server's certificate is not of the authority that the join string names")]
    OtherAuthority,
    /// The certificate is not one of a server.
    #[error("the certificate is not made for a server")]
    NotAServer,
}

/// Verifies chain and key against the pinned authority.
///
/// Dates are judged by the newest time that a coordinator ever stated, never by the host's clock; the caller judges them again by the time that this
/// coordinator states. Names are not judged: an authority that serves one fleet only is a narrower pin than any name.
#[derive(Debug)]
pub(crate) struct PinnedVerifier {
    pin: Pin,
    newest_seen: Option<Timestamp>,
    algorithms: WebPkiSupportedAlgorithms,
    observed: Mutex<Option<Observed>>,
}

impl PinnedVerifier {
    /// Pins a coordinator; `newest_seen` is the newest time that one ever stated.
    pub(crate) fn new(pin: Pin, newest_seen: Option<Timestamp>) -> Arc<Self> {
        Arc::new(Self { pin, newest_seen, algorithms: default_provider().signature_verification_algorithms, observed: Mutex::new(None) })
    }

    /// Returns what the handshake showed; none before a successful one.
    pub(crate) fn observed(&self) -> Option<Observed> {
        self.observed.lock().expect("no code panics while it holds this lock").clone()
    }

    fn authority(&self, leaf: &CertificateDer<'_>, rest: &[CertificateDer<'_>]) -> Result<CertificateDer<'static>, Error> {
        match &self.pin {
            Pin::Authority(authority) => Ok(authority.clone()),
            Pin::Fingerprint(pinned) => {
                let fits = |certificate: &&CertificateDer<'_>| digest(&SHA256, certificate).as_ref() == pinned;
                let found = std::iter::once(leaf).chain(rest).find(fits).map(|found| found.clone().into_owned());
                found.ok_or_else(|| other(PinError::OtherAuthority))
            }
        }
    }
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _host_clock: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let authority = self.authority(leaf, rest)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority)?;
        let dates = validity(leaf).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let judged_at = self.newest_seen.map_or(dates.0, |seen| seen.max(dates.0));
        let seconds = u64::try_from(judged_at.as_micros().div_euclid(1_000_000)).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        verify_server_cert_signed_by_trust_anchor(&ParsedCertificate::try_from(leaf)?, &roots, rest, now, self.algorithms.all)?;
        // Every vantage holds a certificate of this authority, so that only its purpose tells a coordinator from a vantage.
        if !is_for_servers(leaf) {
            return Err(other(PinError::NotAServer));
        }
        *self.observed.lock().expect("no code panics while it holds this lock") = Some(Observed { validity: dates });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(&self, message: &[u8], leaf: &CertificateDer<'_>, signed: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.algorithms)
    }

    fn verify_tls13_signature(&self, message: &[u8], leaf: &CertificateDer<'_>, signed: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn is_for_servers(leaf: &[u8]) -> bool {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(leaf) else { return false };
    parsed.extended_key_usage().ok().flatten().is_some_and(|usage| usage.value.server_auth)
}

fn other(error: PinError) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fleet::Fleet;

    const DAY: i64 = 86_400_000_000;

    fn verify(verifier: &PinnedVerifier, chain: &[CertificateDer<'static>]) -> Result<(), Error> {
        let name = ServerName::try_from("any.name.test").unwrap();
        // The host's clock stands at the epoch.
        let host_clock = UnixTime::since_unix_epoch(std::time::Duration::ZERO);
        verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], host_clock).map(drop)
    }

    #[test]
    fn the_pinned_authority_is_the_only_one() {
        let (ours, theirs) = (Fleet::new(), Fleet::new());
        for pin in [Pin::Authority(ours.authority()), Pin::Fingerprint(ours.fingerprint())] {
            let verifier = PinnedVerifier::new(pin, None);
            verify(&verifier, &theirs.server_chain()).unwrap_err();
            assert!(verifier.observed().is_none());
            verify(&verifier, &ours.server_chain()).unwrap();
            assert!(verifier.observed().is_some());
        }
    }

    #[test]
    fn a_foreign_chain_with_our_authority_attached_is_refused() {
        let (ours, theirs) = (Fleet::new(), Fleet::new());
        let mut chain = theirs.server_chain();
        chain.push(ours.authority());
        verify(&PinnedVerifier::new(Pin::Fingerprint(ours.fingerprint()), None), &chain).unwrap_err();
    }

    #[test]
    fn a_vantage_cannot_play_the_coordinator() {
        let fleet = Fleet::new();
        let chain = [fleet.identity("fra-1").client_certificate().0, vec![fleet.authority()]].concat();
        verify(&PinnedVerifier::new(Pin::Authority(fleet.authority()), None), &chain).unwrap_err();
    }

    #[test]
    fn dates_are_judged_by_the_newest_time_seen() {
        let fleet = Fleet::new();
        let (_, not_after) = validity(&fleet.server_chain()[0]).unwrap();
        let judged = |seen: Option<Timestamp>| verify(&PinnedVerifier::new(Pin::Authority(fleet.authority()), seen), &fleet.server_chain());
        judged(None).unwrap();
        judged(Some(Timestamp::from_micros(0))).unwrap();
        judged(Some(Timestamp::from_micros(not_after.as_micros() - DAY))).unwrap();
        judged(Some(Timestamp::from_micros(not_after.as_micros() + DAY))).unwrap_err();
    }
}
