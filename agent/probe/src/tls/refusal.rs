//! What the TLS library's errors stand for: the peer's doing, or the library's own limits.

use parallax_model::facts::{LocalRefusal, TlsEnd};
use parallax_tls::ServerAnswer;
use rustls::{Error, PeerIncompatible, PeerMisbehaved};

use super::answer::end_of;

/// Names the end that the library's error stands for.
pub(super) fn end_of_error(error: &Error, answer: &ServerAnswer) -> TlsEnd {
    match error {
        Error::AlertReceived(alert) => TlsEnd::Alert(u8::from(*alert)),
        Error::PeerIncompatible(reason) => TlsEnd::LocalRefusal(refusal_of_incompatible(reason)),
        Error::PeerMisbehaved(reason) => refusal_of_misbehaved(reason).map_or(TlsEnd::Malformed, TlsEnd::LocalRefusal),
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented => TlsEnd::LocalRefusal(LocalRefusal::CertificateEncoding),
        _ => match end_of(answer) {
            Some(end @ (TlsEnd::NotTls | TlsEnd::OverCap)) => end,
            _ => TlsEnd::Malformed,
        },
    }
}

fn refusal_of_incompatible(reason: &PeerIncompatible) -> LocalRefusal {
    match reason {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::SupportedVersionsExtensionRequired => LocalRefusal::Version,
        PeerIncompatible::NoCipherSuitesInCommon => LocalRefusal::CipherSuite,
        PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NamedGroupsExtensionRequired => LocalRefusal::Group,
        _ => LocalRefusal::Other,
    }
}

fn refusal_of_misbehaved(reason: &PeerMisbehaved) -> Option<LocalRefusal> {
    match reason {
        PeerMisbehaved::SelectedUnofferedCipherSuite
        | PeerMisbehaved::SelectedUnusableCipherSuiteForVersion
        | PeerMisbehaved::IllegalHelloRetryRequestWithUnofferedCipherSuite => Some(LocalRefusal::CipherSuite),
        PeerMisbehaved::SelectedUnofferedKxGroup
        | PeerMisbehaved::IllegalHelloRetryRequestWithUnofferedNamedGroup
        | PeerMisbehaved::IllegalHelloRetryRequestWithOfferedGroup => Some(LocalRefusal::Group),
        PeerMisbehaved::SelectedUnofferedApplicationProtocol => Some(LocalRefusal::ApplicationProtocol),
        PeerMisbehaved::IllegalHelloRetryRequestWithUnsupportedVersion | PeerMisbehaved::SelectedTls12UsingTls13VersionExtension => Some(LocalRefusal::Version),
        PeerMisbehaved::SignedKxWithWrongAlgorithm | PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme => Some(LocalRefusal::Signature),
        _ => None,
    }
}
