use std::time::Duration;

use parallax_model::{
    assignment::{Assignment, Experiment},
    attempt::Attempt,
    clock::{Clock, SystemClock, Timestamp},
    facts::Facts,
    id::{AttemptId, BootId, CheckId, RoundId},
};
use parallax_proto::v1::{
    self, SessionRequest, session_request::Message as Up, session_response::Message as Down, session_service_client::SessionServiceClient,
};
use rcgen::{CertificateParams, KeyPair};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Identity};

use super::World;

/// An enrolled agent that says what the test says.
pub(super) struct Agent {
    pub(super) name: String,
    pub(super) boot: BootId,
    pub(super) identity: Identity,
    pub(super) assignment_key: Vec<u8>,
    up: mpsc::Sender<SessionRequest>,
    down: Streaming<v1::SessionResponse>,
    sequence: u64,
}

/// What a host keeps after it enrolled.
pub(super) struct Enrolled {
    pub(super) identity: Identity,
    pub(super) assignment_key: Vec<u8>,
}

pub(super) async fn enrol(world: &World, join: &parallax_proto::join::JoinString, name: &str) -> Result<Enrolled, Status> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap();
    let request = v1::EnrollRequest {
        token_id: join.token_id.clone(),
        secret: join.secret.clone(),
        certificate_request: request.der().to_vec(),
        name: name.to_owned(),
        labels: own_labels(),
        version: "0.1.0".to_owned(),
    };
    let response = world.enrollment().await.enroll(request).await?.into_inner();
    let pem = |der: &[u8]| {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    Ok(Enrolled { identity: Identity::from_pem(pem(&response.certificate), key.serialize_pem()), assignment_key: response.assignment_key })
}

fn own_labels() -> parallax_model::vantage::Labels {
    [("rack".to_owned(), "7".to_owned()), ("site".to_owned(), "mine".to_owned())].into()
}

impl Agent {
    pub(super) async fn join(world: &World, name: &str) -> Self {
        let enrolled = enrol(world, &world.join_token(1).await, name).await.unwrap();
        Self::connect(world, name, enrolled).await.unwrap()
    }

    pub(super) async fn connect(world: &World, name: &str, enrolled: Enrolled) -> Result<Self, Status> {
        let mut client = SessionServiceClient::new(world.channel(Some(enrolled.identity.clone())).await);
        let (up, requests) = mpsc::channel(64);
        let boot = BootId::new();
        let hello = v1::Hello {
            protocol: 1,
            version: "0.1.0".to_owned(),
            capabilities: Experiment::ALL.iter().map(|experiment| experiment.as_str().to_owned()).collect(),
            boot_id: boot.0.as_bytes().to_vec(),
            labels: own_labels(),
            now_us: SystemClock.now().as_micros(),
            ..Default::default()
        };
        up.send(SessionRequest { message: Some(Up::Hello(hello)) }).await.unwrap();
        let down = client.session(ReceiverStream::new(requests)).await?.into_inner();
        let mut agent = Self { name: name.to_owned(), boot, identity: enrolled.identity, assignment_key: enrolled.assignment_key, up, down, sequence: 1 };
        match agent.next().await? {
            Down::Welcome(_) => Ok(agent),
            other => panic!("{other:?} instead of a welcome"),
        }
    }

    pub(super) async fn reconnect(self, world: &World) -> Result<Self, Status> {
        let Self { name, identity, assignment_key, .. } = self;
        Self::connect(world, &name, Enrolled { identity, assignment_key }).await
    }

    pub(super) async fn next(&mut self) -> Result<Down, Status> {
        let message = tokio::time::timeout(Duration::from_secs(10), self.down.message()).await.expect("a message")?;
        message.and_then(|response| response.message).ok_or_else(|| Status::ok("the stream ended"))
    }

    /// Returns the first message that `pick` takes; others are passed over.
    pub(super) async fn expect<T>(&mut self, pick: impl Fn(Down) -> Option<T>) -> T {
        loop {
            if let Some(found) = pick(self.next().await.unwrap()) {
                return found;
            }
        }
    }

    pub(super) async fn task(&mut self) -> Assignment {
        let task = self.expect(|message| if let Down::RunTask(task) = message { task.assignment } else { None }).await;
        task.try_into().unwrap()
    }

    /// Returns the next set of assignments, its signature verified.
    pub(super) async fn assignments(&mut self) -> v1::AssignmentSet {
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
        let signed = self.expect(|message| if let Down::Assignments(signed) = message { Some(signed) } else { None }).await;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.assignment_key).verify(&signed.assignment_set, &signed.signature).unwrap();
        parallax_proto::wire::decode(&signed.assignment_set).unwrap()
    }

    pub(super) async fn send(&self, message: Up) {
        self.up.send(SessionRequest { message: Some(message) }).await.unwrap();
    }

    /// Sends attempts in one batch and returns the acknowledgement.
    pub(super) async fn report(&mut self, attempts: &[Attempt]) -> u64 {
        let batch = self.batch(attempts);
        self.send(Up::AttemptBatch(batch)).await;
        self.acknowledgement().await
    }

    pub(super) fn batch(&mut self, attempts: &[Attempt]) -> v1::AttemptBatch {
        let first_sequence = self.sequence;
        self.sequence += u64::try_from(attempts.len()).unwrap();
        v1::AttemptBatch { boot_id: self.boot.0.as_bytes().to_vec(), first_sequence, attempts: attempts.iter().map(Into::into).collect() }
    }

    pub(super) async fn acknowledgement(&mut self) -> u64 {
        self.expect(|message| if let Down::BatchAck(ack) = message { Some(ack.acknowledged_through) } else { None }).await
    }

    pub(super) async fn done(&self, round: RoundId, follow_up: bool) {
        self.send(Up::ShareDone(v1::ShareDone { round_id: round.0.as_bytes().to_vec(), follow_up, not_completed: String::new() })).await;
    }
}

/// Makes an attempt; it claims to come from another vantage, which the coordinator must not believe.
pub(super) fn attempt(check: CheckId, round: RoundId, started_at: Timestamp, facts: Facts) -> Attempt {
    Attempt {
        id: AttemptId::new(),
        round,
        check,
        vantage: "somebody-else".parse().unwrap(),
        profile: "modern".parse().unwrap(),
        experiment: Experiment::Baseline,
        address: Some("192.0.2.7:443".parse().unwrap()),
        sequence: 0,
        started_at,
        elapsed_us: 1_000,
        clock_offset_us: Some(0),
        facts,
    }
}
