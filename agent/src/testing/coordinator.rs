//! A coordinator that does what a test says: real TLS, real gRPC, no store.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
};

use parallax_model::clock::Timestamp;
use parallax_proto::v1::{
    self,
    enrollment_service_server::{EnrollmentService, EnrollmentServiceServer},
    session_request::Message as Up,
    session_response::Message as Down,
    session_service_server::{SessionService, SessionServiceServer},
};
use rustls::{RootCertStore, ServerConfig, crypto::aws_lc_rs::default_provider, server::WebPkiClientVerifier};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_rustls::TlsAcceptor;
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

use super::fleet::Fleet;

/// What a test decides.
pub(crate) struct Script {
    pub(crate) fleet: Fleet,
    /// The time that the coordinator states.
    pub(crate) now: Timestamp,
    /// The answer to an enrolment instead of a certificate.
    pub(crate) refuse_enrolment: Option<Status>,
    /// Whether a certificate that was renewed is refused.
    pub(crate) refuse_renewed: bool,
    /// Certificates that were handed out by renewal.
    pub(crate) renewed: Mutex<Vec<Vec<u8>>>,
    sessions: mpsc::UnboundedSender<Session>,
}

/// One session as the coordinator sees it.
pub(crate) struct Session {
    pub(crate) hello: v1::Hello,
    /// The client certificate that was shown.
    pub(crate) certificate: Vec<u8>,
    requests: Streaming<v1::SessionRequest>,
    responses: mpsc::Sender<Result<v1::SessionResponse, Status>>,
}

impl Session {
    /// Waits for the next request that is no heartbeat; heartbeats are answered.
    pub(crate) async fn next(&mut self) -> Option<Up> {
        loop {
            match self.requests.next().await?.ok()?.message? {
                Up::Heartbeat(beat) => {
                    let ack = v1::HeartbeatAck { agent_sent_at_us: beat.sent_at_us, received_at_us: beat.sent_at_us, answered_at_us: beat.sent_at_us };
                    self.send(Down::HeartbeatAck(ack)).await;
                }
                other => return Some(other),
            }
        }
    }

    pub(crate) async fn send(&self, message: Down) {
        let _ = self.responses.send(Ok(v1::SessionResponse { message: Some(message) })).await;
    }
}

/// A coordinator that runs until it is dropped.
pub(crate) struct Coordinator {
    pub(crate) address: SocketAddr,
    pub(crate) script: Arc<Script>,
    pub(crate) sessions: mpsc::UnboundedReceiver<Session>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Starts a coordinator on loopback; `change` adapts what it does.
pub(crate) async fn start(change: impl FnOnce(&mut Script)) -> Coordinator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sessions, inbox) = mpsc::unbounded_channel();
    let mut fleet = Fleet::new();
    fleet.coordinators = vec![address.to_string()];
    let now = "2026-11-23T12:00:00Z".parse().unwrap();
    let mut script = Script { fleet, now, refuse_enrolment: None, refuse_renewed: false, renewed: Mutex::default(), sessions };
    change(&mut script);
    let script = Arc::new(script);
    let (connected, incoming) = mpsc::channel(8);
    let acceptor = TlsAcceptor::from(Arc::new(server_config(&script.fleet)));
    let accepting = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, connected) = (acceptor.clone(), connected.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let _ = connected.send(Ok::<_, std::io::Error>(stream)).await;
                }
            });
        }
    });
    let service = Arc::clone(&script);
    let serving = tokio::spawn(async move {
        tonic::transport::Server::builder()
            .add_service(EnrollmentServiceServer::from_arc(Arc::clone(&service)))
            .add_service(SessionServiceServer::from_arc(service))
            .serve_with_incoming(ReceiverStream::new(incoming))
            .await
            .unwrap();
    });
    Coordinator { address, script, sessions: inbox, tasks: vec![accepting, serving] }
}

fn server_config(fleet: &Fleet) -> ServerConfig {
    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(fleet.authority()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).allow_unauthenticated().build().unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(fleet.server_chain(), fleet.server_key())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

#[tonic::async_trait]
impl EnrollmentService for Script {
    async fn enroll(&self, request: Request<v1::EnrollRequest>) -> Result<Response<v1::EnrollResponse>, Status> {
        if let Some(status) = &self.refuse_enrolment {
            return Err(status.clone());
        }
        let request = request.into_inner();
        Ok(Response::new(v1::EnrollResponse {
            certificate: self.fleet.certify(&request.certificate_request, &request.name),
            authority: self.fleet.authority().to_vec(),
            coordinators: self.fleet.coordinators.clone(),
            assignment_key: self.fleet.assignment_key(),
        }))
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        let certificate = self.fleet.certify(&request.into_inner().certificate_request, "fra-1");
        self.renewed.lock().unwrap().push(certificate.clone());
        Ok(Response::new(v1::RenewResponse { certificate, authority: self.fleet.authority().to_vec() }))
    }
}

#[tonic::async_trait]
impl SessionService for Script {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<v1::SessionResponse, Status>> + Send>>;

    async fn session(&self, request: Request<Streaming<v1::SessionRequest>>) -> Result<Response<Self::SessionStream>, Status> {
        let shown = request.peer_certs().and_then(|chain| chain.first().map(|leaf| leaf.to_vec()));
        let certificate = shown.ok_or_else(|| Status::unauthenticated("no certificate"))?;
        if self.refuse_renewed && self.renewed.lock().unwrap().contains(&certificate) {
            return Err(Status::unauthenticated("this certificate is not known"));
        }
        let mut requests = request.into_inner();
        let Some(Up::Hello(hello)) = requests.next().await.and_then(Result::ok).and_then(|request| request.message) else {
            return Err(Status::invalid_argument("Hello comes first"));
        };
        let (responses, queue) = mpsc::channel(32);
        let session = Session { hello, certificate, requests, responses };
        session.send(Down::Welcome(v1::Welcome { epoch: 1, now_us: self.now.as_micros(), heartbeat_interval_ms: 200, ..v1::Welcome::default() })).await;
        let _ = self.sessions.send(session);
        Ok(Response::new(Box::pin(ReceiverStream::new(queue))))
    }
}
