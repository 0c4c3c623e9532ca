//! From a join string to an identity.

use parallax_model::{bytes::Bytes, id::VantageName, vantage::Labels};
use parallax_proto::{
    join::JoinString,
    v1::{self, enrollment_service_client::EnrollmentServiceClient},
};
use tonic::Code;

use super::{Identity, Pin, PinnedVerifier, keystore::validity, renew::key_and_request};
use crate::session::{DialError, dial, open_channel};

/// What a host says of itself when it enrols.
#[derive(Debug, Clone)]
pub(crate) struct Enrolment {
    /// The name that it wants.
    pub(crate) name: VantageName,
    /// Its own labels; the token's win.
    pub(crate) labels: Labels,
    /// Coordinator addresses that replace those of the join string; empty for none.
    pub(crate) coordinators: Vec<String>,
}

/// Says why a host did not become a vantage, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnrollError {
    /// No coordinator could be reached.
    #[error(
        "no coordinator of this join string can be reached: check the address, the port and the firewalls between, or name a reachable one with --coordinator"
    )]
    Unreachable(#[source] DialError),
    /// Something else than the fleet's coordinator answers.
    #[error("{0} is not the coordinator of this join string, or its traffic is intercepted: its authority is another one")]
    OtherAuthority(String),
    /// The token is wrong, used up or expired.
    #[error("the coordinator refuses to enrol this host: {0}")]
    Token(String),
    /// The name belongs to another vantage.
    #[error("the name {name} is taken: choose another with --name, or remove the old vantage with 'parallax vantage delete {name}'")]
    NameTaken {
        /// The name.
        name: VantageName,
    },
    /// The coordinator answered with another refusal.
    #[error("the coordinator refuses to enrol this host: {}", .0.message())]
    Refused(tonic::Status),
    /// The host could not make a key.
    #[error("cannot make a key on this host")]
    Key(#[source] rcgen::Error),
    /// The coordinator's answer is unusable.
    #[error("the coordinator's answer has no usable certificate: install an agent of the coordinator's version")]
    Unusable,
}

/// Exchanges the one-time secret for a certificate; the key is made here and stays here.
pub(crate) async fn enroll(join: &JoinString, wanted: &Enrolment) -> Result<Identity, EnrollError> {
    let addresses = if wanted.coordinators.is_empty() { &join.coordinators } else { &wanted.coordinators };
    let mut last = None;
    for address in addresses {
        let verifier = PinnedVerifier::new(Pin::Fingerprint(join.authority_sha256), None);
        match dial(address, &verifier, None).await {
            Ok(stream) => {
                let channel = open_channel(address, stream).await.map_err(EnrollError::Unreachable)?;
                return exchange(channel, join, wanted).await;
            }
            Err(DialError::NotTheCoordinator { address, .. }) => return Err(EnrollError::OtherAuthority(address)),
            Err(error) => last = Some(error),
        }
    }
    Err(EnrollError::Unreachable(last.unwrap_or(DialError::NoAddress)))
}

async fn exchange(channel: tonic::transport::Channel, join: &JoinString, wanted: &Enrolment) -> Result<Identity, EnrollError> {
    let (key, certificate_request) = key_and_request(wanted.name.as_str()).map_err(EnrollError::Key)?;
    let request = v1::EnrollRequest {
        token_id: join.token_id.clone(),
        secret: join.secret.clone(),
        certificate_request,
        name: wanted.name.to_string(),
        labels: wanted.labels.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let response = EnrollmentServiceClient::new(channel).enroll(request).await.map_err(|status| refusal(status, wanted))?.into_inner();
    // The handshake was held to the fingerprint, and the answer must name the same authority.
    let is_pinned = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &response.authority).as_ref() == join.authority_sha256;
    if !is_pinned || validity(&response.certificate).is_none() || response.assignment_key.is_empty() {
        return Err(EnrollError::Unusable);
    }
    let coordinators = if response.coordinators.is_empty() { join.coordinators.clone() } else { response.coordinators };
    Ok(Identity {
        name: wanted.name.clone(),
        coordinators,
        authority: Bytes(response.authority),
        assignment_key: Bytes(response.assignment_key),
        certificate: Bytes(response.certificate),
        key: Bytes(key.serialize_der()),
    })
}

fn refusal(status: tonic::Status, wanted: &Enrolment) -> EnrollError {
    match status.code() {
        Code::AlreadyExists => EnrollError::NameTaken { name: wanted.name.clone() },
        Code::Unauthenticated | Code::PermissionDenied | Code::NotFound | Code::ResourceExhausted | Code::FailedPrecondition => {
            let hint = if status.message().contains(TOKEN_COMMAND) { String::new() } else { format!(": make a fresh join string with '{TOKEN_COMMAND}'") };
            EnrollError::Token(format!("{}{hint}", status.message()))
        }
        _ => EnrollError::Refused(status),
    }
}

const TOKEN_COMMAND: &str = "parallax vantage token create";
