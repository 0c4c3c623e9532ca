//! A fresh certificate before the old one ends.

use parallax_model::{bytes::Bytes, clock::Timestamp};
use parallax_proto::v1::{self, enrollment_service_client::EnrollmentServiceClient};
use rcgen::{CertificateParams, KeyPair};
use tonic::transport::Channel;

use super::Identity;

/// Returns when a certificate is to be renewed: at half of its life.
pub(crate) fn renew_at(not_before: Timestamp, not_after: Timestamp) -> Timestamp {
    Timestamp::from_micros(not_before.as_micros() + not_after.micros_since(not_before) / 2)
}

/// Says why a key or a request for a certificate could not be made, or why the coordinator gave none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenewError {
    /// The host could not make a key.
    #[error("cannot make a key on this host")]
    Key(#[from] rcgen::Error),
    /// The coordinator refused.
    #[error("the coordinator gave no new certificate")]
    Refused(#[from] tonic::Status),
}

/// Makes a P-256 key and a signing request for it (DER).
pub(super) fn key_and_request(name: &str) -> Result<(KeyPair, Vec<u8>), rcgen::Error> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let request = params.serialize_request(&key)?.der().to_vec();
    Ok((key, request))
}

/// Gets a certificate for a fresh key over the channel that the present certificate opened.
pub(crate) async fn renew(channel: Channel, present: &Identity) -> Result<Identity, RenewError> {
    let (key, certificate_request) = key_and_request(present.name.as_str())?;
    let response = EnrollmentServiceClient::new(channel).renew(v1::RenewRequest { certificate_request }).await?.into_inner();
    Ok(Identity { certificate: Bytes(response.certificate), authority: Bytes(response.authority), key: Bytes(key.serialize_der()), ..present.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_renewed_at_half_of_their_life() {
        let at = Timestamp::from_micros;
        assert_eq!(renew_at(at(100), at(300)), at(200));
        assert_eq!(renew_at(at(-100), at(100)), at(0));
        assert_eq!(renew_at(at(5), at(5)), at(5));
        assert_eq!(renew_at(at(0), at(i64::MAX)), at(i64::MAX / 2));
    }
}
