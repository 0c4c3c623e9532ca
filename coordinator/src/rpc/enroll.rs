//! How a host becomes a vantage, and how its certificate is renewed.

use std::sync::Arc;

use parallax_model::{
    bytes::Bytes,
    vantage::{Labels, Standing, Vantage, parse_label},
};
use parallax_proto::v1::{EnrollRequest, EnrollResponse, RenewRequest, RenewResponse, enrollment_service_server::EnrollmentService};
use parallax_store::EnrolOutcome;
use tonic::{Request, Response, Status};
use tracing::info;

use super::{
    peer,
    status::{of_csr, of_store},
};
use crate::{
    app::App,
    pki::{client_certificate, sha256},
    telemetry::Counters,
};

/// The service.
pub(super) struct Enrollment(pub(super) Arc<App>);

#[tonic::async_trait]
impl EnrollmentService for Enrollment {
    async fn enroll(&self, request: Request<EnrollRequest>) -> Result<Response<EnrollResponse>, Status> {
        enroll(&self.0, request).await.map(Response::new)
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<RenewResponse>, Status> {
        renew(&self.0, request).await.map(Response::new)
    }
}

async fn enroll(app: &App, request: Request<EnrollRequest>) -> Result<EnrollResponse, Status> {
    let egress = peer::egress(&request);
    let EnrollRequest { token_id, secret, certificate_request, name, labels, version } = request.into_inner();
    let name = name.parse().map_err(|error| Status::invalid_argument(format!("--name: {error}")))?;
    let labels = valid_labels(labels)?;
    let now = app.now();
    let issued = client_certificate(&app.authority, &certificate_request, &name, now, app.certificate_life).map_err(of_csr)?;
    let vantage = Vantage {
        name,
        labels,
        standing: Standing::Active,
        version,
        enrolled_at: now,
        last_seen: None,
        egress,
        clock_offset_ms: None,
        capabilities: Vec::new(),
    };
    let secret = Bytes(sha256(&secret).to_vec());
    let outcome = app.store.enrol(&token_id, &secret, &vantage, &issued.record, now).await.map_err(of_store)?;
    let name = vantage.name.as_str();
    if let Some(status) = refused(outcome, name) {
        app.audit(name, "enrol-refused", &token_id, format!("{outcome:?}")).await;
        return Err(status);
    }
    app.audit(name, "enrol", name, format!("by token {token_id}")).await;
    info!(vantage.name = name, "a vantage enrolled");
    Counters::add(&app.counters.enrolments, 1);
    app.plan.invalidate();
    Ok(EnrollResponse {
        certificate: issued.der,
        authority: app.authority.certificate().to_vec(),
        coordinators: app.coordinators.clone(),
        assignment_key: app.assignment_key.public_key(),
    })
}

async fn renew(app: &App, request: Request<RenewRequest>) -> Result<RenewResponse, Status> {
    let (peer, _) = peer::vantage(app, &request).await?;
    let issued = client_certificate(&app.authority, &request.into_inner().certificate_request, &peer.name, app.now(), app.certificate_life).map_err(of_csr)?;
    app.store.renew_certificate(&peer.name, &issued.record).await.map_err(of_store)?;
    app.audit(peer.name.as_str(), "renew", peer.name.as_str(), format!("until {}", issued.record.not_after)).await;
    Ok(RenewResponse { certificate: issued.der, authority: app.authority.certificate().to_vec() })
}

fn refused(outcome: EnrolOutcome, name: &str) -> Option<Status> {
    let anew = "make a new one with 'parallax vantage token create'";
    match outcome {
        EnrolOutcome::Enrolled => None,
        EnrolOutcome::UnknownToken => Some(Status::unauthenticated(format!("this coordinator does not know the join string: {anew}"))),
        EnrolOutcome::Expired => Some(Status::failed_precondition(format!("the join string has expired: {anew}"))),
        EnrolOutcome::UsedUp => Some(Status::failed_precondition(format!("the join string was used before and is used up: {anew}"))),
        EnrolOutcome::NameTaken => Some(Status::already_exists(format!(
            "another vantage is called {name}: choose another --name, or delete the old one with 'parallax vantage delete {name}'"
        ))),
        EnrolOutcome::Banned => Some(Status::permission_denied(format!("the vantage {name} is banned"))),
    }
}

/// Holds labels to the form that selectors can name.
pub(super) fn valid_labels(labels: Labels) -> Result<Labels, Status> {
    labels
        .into_iter()
        .map(|(key, value)| parse_label(&format!("{key}={value}")))
        .collect::<Result<_, _>>()
        .map_err(|error| Status::invalid_argument(error.to_string()))
}
