use parallax_proto::v1::{self, enrollment_service_client::EnrollmentServiceClient, session_response::Message as Down};
use tonic::Code;

use super::{Agent, World, agent::enrol};

#[tokio::test]
async fn a_token_lets_in_as_many_as_it_may_and_its_labels_win() {
    let world = World::new().await;
    let join = world.join_token(1).await;
    let enrolled = enrol(&world, &join, "north").await.unwrap();
    Agent::connect(&world, "north", enrolled).await.unwrap();
    let used_up = enrol(&world, &join, "south").await.err().unwrap();
    assert_eq!(used_up.code(), Code::FailedPrecondition);
    assert!(used_up.message().contains("used up"), "{used_up:?}");
    let taken = enrol(&world, &world.join_token(1).await, "north").await.err().unwrap();
    assert_eq!(taken.code(), Code::AlreadyExists);
    let mut forged = world.join_token(1).await;
    forged.secret[0] ^= 1;
    assert_eq!(enrol(&world, &forged, "south").await.err().unwrap().code(), Code::Unauthenticated);
    assert_eq!(enrol(&world, &world.join_token(1).await, "no spaces").await.err().unwrap().code(), Code::InvalidArgument);
    let listed = world.operator().await.list_vantages(v1::ListVantagesRequest {}).await.unwrap().into_inner().vantages;
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].labels["site"].as_str(), listed[0].labels["rack"].as_str()), ("lab", "7"));
}

#[tokio::test]
async fn a_session_needs_a_certificate_and_a_ban_ends_it_at_once() {
    let world = World::new().await;
    let mut north = Agent::join(&world, "north").await;
    let stranger = v1::session_service_client::SessionServiceClient::new(world.channel(None).await).session(tokio_stream::empty()).await.err().unwrap();
    assert_eq!(stranger.code(), Code::Unauthenticated);
    let mut operator = world.operator().await;
    let ban = v1::UpdateVantageRequest { name: "north".into(), standing: "banned".into(), ..Default::default() };
    operator.update_vantage(ban).await.unwrap();
    let end = loop {
        match north.next().await {
            Ok(_) => {}
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), Code::PermissionDenied);
    let listed = operator.list_vantages(v1::ListVantagesRequest {}).await.unwrap().into_inner().vantages;
    assert_eq!(listed[0].state, "banned");
    assert_eq!(north.reconnect(&world).await.err().unwrap().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_deleted_vantage_cannot_come_back_by_its_old_certificate() {
    let world = World::new().await;
    let old = Agent::join(&world, "north").await;
    world.operator().await.delete_vantage(v1::DeleteVantageRequest { name: "north".into() }).await.unwrap();
    let new = Agent::join(&world, "north").await;
    let refused = old.reconnect(&world).await.err().unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("earlier vantage"), "{refused:?}");
    new.reconnect(&world).await.unwrap();
}

#[tokio::test]
async fn a_certificate_is_renewed_by_its_holder() {
    let world = World::new().await;
    let north = Agent::join(&world, "north").await;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
    let request = v1::RenewRequest { certificate_request: request.der().to_vec() };
    let stranger = world.enrollment().await.renew(request.clone()).await.err().unwrap();
    assert_eq!(stranger.code(), Code::Unauthenticated);
    let mut client = EnrollmentServiceClient::new(world.channel(Some(north.identity.clone())).await);
    let renewed = client.renew(request).await.unwrap().into_inner();
    let peer = crate::pki::peer_identity(&renewed.certificate.into()).unwrap();
    assert_eq!(peer.name.as_str(), "north");
}

#[tokio::test]
async fn the_newer_session_of_a_vantage_wins() {
    let world = World::new().await;
    let mut first = Agent::join(&world, "north").await;
    let enrolled = super::agent::Enrolled { identity: first.identity.clone(), assignment_key: first.assignment_key.clone() };
    let mut second = Agent::connect(&world, "north", enrolled).await.unwrap();
    let end = loop {
        match first.next().await {
            Ok(_) => {}
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), Code::Aborted);
    second.send(v1::session_request::Message::Heartbeat(v1::Heartbeat { sent_at_us: 77, ..Default::default() })).await;
    let ack = second.expect(|message| if let Down::HeartbeatAck(ack) = message { Some(ack) } else { None }).await;
    assert!(ack.agent_sent_at_us == 77 && ack.answered_at_us >= ack.received_at_us);
}
