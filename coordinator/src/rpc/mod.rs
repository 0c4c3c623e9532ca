//! The gRPC services: each verb in a file of its own, authentication in [`peer`], every error's status in [`status`].

mod agent;
mod enroll;
mod operator;
mod peer;
mod session;
mod status;

use std::sync::Arc;

use parallax_proto::{
    FILE_DESCRIPTOR_SET,
    v1::{enrollment_service_server::EnrollmentServiceServer, operator_service_server::OperatorServiceServer, session_service_server::SessionServiceServer},
    wire::MAX_MESSAGE_BYTES,
};
use tonic::{codec::CompressionEncoding, service::Routes};

use crate::app::App;

/// Returns every service of the coordinator's one port.
pub(crate) async fn routes(app: &Arc<App>) -> Result<Routes, tonic_reflection::server::Error> {
    let session =
        SessionServiceServer::new(agent::Sessions(Arc::clone(app))).max_decoding_message_size(MAX_MESSAGE_BYTES).accept_compressed(CompressionEncoding::Zstd);
    let operator = OperatorServiceServer::new(operator::Operators(Arc::clone(app)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .accept_compressed(CompressionEncoding::Zstd);
    let enrollment = EnrollmentServiceServer::new(enroll::Enrollment(Arc::clone(app)));
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<SessionServiceServer<agent::Sessions>>().await;
    health.set_serving::<OperatorServiceServer<operator::Operators>>().await;
    health.set_serving::<EnrollmentServiceServer<enroll::Enrollment>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    Ok(Routes::new(session).add_service(operator).add_service(enrollment).add_service(health_service).add_service(reflection))
}
