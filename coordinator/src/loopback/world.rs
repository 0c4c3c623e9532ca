use std::{path::PathBuf, time::Duration};

use parallax_proto::v1::{self, enrollment_service_client::EnrollmentServiceClient, operator_service_client::OperatorServiceClient};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use crate::{
    config::{Config, StoreKind},
    pki::AdminCredential,
    serve::{Running, start},
};

/// A coordinator with an operator at its side.
pub(super) struct World {
    pub(super) dir: tempfile::TempDir,
    pub(super) running: Option<Running>,
    pub(super) admin: AdminCredential,
}

pub(super) type Operator = OperatorServiceClient<InterceptedService<Channel, Bearer>>;

#[derive(Clone)]
pub(super) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

impl World {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let running = start(&config(dir.path().join("co"))).await.unwrap();
        let admin = read_admin(&dir.path().join("co"));
        Self { dir, running: Some(running), admin }
    }

    pub(super) fn config(&self) -> Config {
        config(self.dir.path().join("co"))
    }

    pub(super) async fn stop(&mut self) {
        self.running.take().unwrap().stop().await;
    }

    pub(super) async fn restart(&mut self) {
        self.stop().await;
        self.running = Some(start(&self.config()).await.unwrap());
        let before = std::mem::replace(&mut self.admin, read_admin(&self.dir.path().join("co")));
        assert_eq!((before.token, before.authority_pem), (self.admin.token.clone(), self.admin.authority_pem.clone()));
    }

    pub(super) async fn channel(&self, identity: Option<Identity>) -> Channel {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&self.admin.authority_pem));
        let tls = identity.into_iter().fold(tls, ClientTlsConfig::identity);
        let address = self.running.as_ref().unwrap().listen();
        Endpoint::from_shared(format!("https://{address}")).unwrap().tls_config(tls).unwrap().connect().await.unwrap()
    }

    pub(super) async fn operator(&self) -> Operator {
        self.operator_with(&self.admin.token).await
    }

    pub(super) async fn operator_with(&self, token: &str) -> Operator {
        let bearer = Bearer(format!("Bearer {token}").parse().unwrap());
        OperatorServiceClient::with_interceptor(self.channel(None).await, bearer)
    }

    pub(super) async fn enrollment(&self) -> EnrollmentServiceClient<Channel> {
        EnrollmentServiceClient::new(self.channel(None).await)
    }

    pub(super) async fn join_token(&self, uses: u32) -> parallax_proto::join::JoinString {
        let request = v1::CreateJoinTokenRequest { uses, labels: [("site".to_owned(), "lab".to_owned())].into(), ..Default::default() };
        self.operator().await.create_join_token(request).await.unwrap().into_inner().join.parse().unwrap()
    }

    /// Waits until the operator sees this many verdicts of a check, newest first.
    pub(super) async fn verdicts(&self, check: &str, count: usize) -> Vec<parallax_model::verdict::Verdict> {
        let mut operator = self.operator().await;
        for _ in 0..200 {
            let request = v1::ListVerdictsRequest { check: check.to_owned(), ..Default::default() };
            let found = operator.list_verdicts(request).await.unwrap().into_inner().verdicts_json;
            if found.len() >= count {
                return found.iter().map(|json| serde_json::from_str(json).unwrap()).collect();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{check} never had {count} verdicts");
    }
}

fn config(data_dir: PathBuf) -> Config {
    Config {
        data_dir,
        listen: "127.0.0.1:0".parse().unwrap(),
        advertise: Vec::new(),
        http: Some("127.0.0.1:0".parse().unwrap()),
        responders: vec!["127.0.0.1:0".parse().unwrap()],
        store: StoreKind::Sqlite,
        retention: Duration::from_secs(30 * 86_400),
        certificate_life: Duration::from_secs(86_400),
    }
}

fn read_admin(dir: &std::path::Path) -> AdminCredential {
    toml::from_str(&std::fs::read_to_string(dir.join("admin.toml")).unwrap()).unwrap()
}
