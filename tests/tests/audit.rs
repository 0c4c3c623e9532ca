//! The audit of servers that people run: nginx and `openssl s_server` on loopback, configured so that every list is known beforehand.
//!
//! These need the packages of `lab-packages.txt`; where they are missing the tests fail and say so.
#![expect(clippy::unwrap_used, reason = "tests may unwrap")]

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use parallax_model::{
    assignment::Experiment,
    check::Limits,
    facts::{AuditAnswer, AuditFacts, CertificateAsk, Resumption, VersionFacts},
    profile::Profile,
    target::Target,
};
use parallax_probe::{AuditManners, Plan, SystemNet, run, server_name_for};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use tempfile::TempDir;

const NAME: &str = "shop.example";

/// A server program of the distribution, which ends with the test.
struct Server {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Server {
    /// Starts a program with the arguments that `arguments` makes of its folder and port, and waits until it accepts.
    fn start(program: &str, arguments: impl FnOnce(&Path, u16) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        identity(folder.path(), "rsa", KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap());
        identity(folder.path(), "ecdsa", KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let mut command = Command::new(program);
        command.args(arguments(folder.path(), address.port())).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}; tests/packages installs it"));
        let server = Self { child, address, folder };
        let patience = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < patience, "{program} does not accept on {address}; its files are in {}", server.folder.path().display());
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    async fn audit(&self) -> AuditFacts {
        let target: Target = format!("tls://{NAME}:{}", self.address.port()).parse().unwrap();
        let plan = Plan {
            profile: Profile::builtin("modern").unwrap(),
            experiment: Experiment::Audit,
            address: self.address,
            server_name: server_name_for(Experiment::Audit, &target),
            limits: Limits::default(),
            source_port: None,
            http: false,
            pinned_responder: false,
            siblings: Vec::new(),
            manners: AuditManners::default(),
            target,
        };
        let audit = run(&plan, &SystemNet).await.audit.expect("the server was there");
        assert_eq!(audit.stopped, None, "{audit:?}");
        *audit
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn identity(folder: &Path, name: &str, key: KeyPair) {
    let certificate = CertificateParams::new(vec![NAME.to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
    fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

fn nginx(settings: &str) -> Server {
    Server::start("nginx", |folder, port| {
        let home = folder.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {home}/{kind}; ")).concat();
        let identities: String = ["rsa", "ecdsa"].map(|name| format!("ssl_certificate {home}/{name}.pem; ssl_certificate_key {home}/{name}.key; ")).concat();
        let text = format!(
            "daemon off; master_process off; pid {home}/pid; error_log {home}/error.log; events {{}}\n\
             http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port} ssl http2; server_name {NAME}; {identities} {settings} }} }}\n"
        );
        let path = folder.join("nginx.conf");
        fs::write(&path, text).unwrap();
        vec!["-c".to_owned(), path.display().to_string(), "-e".to_owned(), format!("{home}/error.log")]
    })
}

fn version(audit: &AuditFacts, number: u16) -> &VersionFacts {
    audit.versions.iter().find(|version| version.version == number).unwrap()
}

#[tokio::test]
async fn nginx_does_what_its_configuration_says() {
    let server = nginx(
        "ssl_protocols TLSv1 TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on; ssl_ecdh_curve secp384r1:X25519;\n\
         ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-SHA:AES128-SHA:@SECLEVEL=0;\n\
         ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256; ssl_session_cache shared:SSL:1m; ssl_early_data on;",
    );
    let audit = server.audit().await;
    let tls12 = version(&audit, 0x0303);
    assert_eq!((tls12.suites.numbers.as_slice(), tls12.suites.server_order), (&[0xc030, 0xcca9, 0xc013, 0x002f][..], Some(true)));
    assert_eq!((tls12.groups.numbers.as_slice(), tls12.groups.server_order), (&[24, 29][..], Some(true)));
    assert_eq!(tls12.suites.refusal, Some(AuditAnswer::Alert(40)));
    assert_eq!(tls12.prefers_chacha, Some(false));
    assert!([0x0401, 0x0403, 0x0804].iter().all(|scheme| tls12.signature_schemes.numbers.contains(scheme)), "{:x?}", tls12.signature_schemes);
    let tls13 = version(&audit, 0x0304);
    assert_eq!((tls13.suites.numbers.as_slice(), tls13.suites.server_order), (&[0x1302, 0x1301][..], Some(true)));
    assert_eq!((tls13.groups.numbers.as_slice(), tls13.groups.server_order), (&[24, 29][..], Some(true)));
    let mut schemes = tls13.signature_schemes.numbers.clone();
    schemes.sort_unstable();
    assert_eq!(schemes, [0x0403, 0x0804, 0x0805, 0x0806], "a P-256 key and an RSA key");
    let tls10 = version(&audit, 0x0301);
    assert_eq!((tls10.suites.numbers.as_slice(), tls10.answer), (&[0xc013, 0x002f][..], AuditAnswer::Hello));
    for refused in [0x0300, 0x0302] {
        assert!(version(&audit, refused).suites.numbers.is_empty(), "{refused:#06x}");
    }
    assert_ne!(audit.ssl2.map(|ssl2| ssl2.answer), Some(AuditAnswer::Hello));
    let alpn = audit.alpn.unwrap();
    assert_eq!((&alpn.accepted[..2], alpn.no_overlap), (&["h2".to_owned(), "http/1.1".to_owned()][..], Some(AuditAnswer::Alert(120))));
    let features = audit.features.unwrap();
    assert!(features.renegotiation_info && features.extended_master_secret && features.encrypt_then_mac == Some(true));
    assert_eq!((features.downgrade_sentinel, features.fallback_scsv, features.compression), (Some(1), Some(AuditAnswer::Alert(86)), 0));
    let resumed = Some(Resumption::Resumed);
    assert_eq!((audit.sessions.tls12_ticket, audit.sessions.tls12_id, audit.sessions.tls13_psk), (resumed, resumed, resumed));
    assert_eq!((audit.sessions.tls12_lifetime_seconds, audit.sessions.max_early_data_bytes), (Some(300), Some(16_384)));
    assert_eq!(audit.sessions.tls13_lifetime_seconds, Some(300), "nginx's ssl_session_timeout of five minutes");
    let chain_of = |ask| audit.certificates.iter().find(|seen| seen.ask == ask).and_then(|seen| seen.chain);
    assert_eq!(audit.chains.len(), 2);
    assert_ne!(chain_of(CertificateAsk::Rsa), chain_of(CertificateAsk::Ecdsa));
    assert!(audit.tolerance.len() > 20 && audit.tolerance.iter().all(parallax_model::facts::RungFacts::is_borne), "{:?}", audit.tolerance);
    assert_eq!(audit.jarm.map(|jarm| jarm.len()), Some(62));
}

#[tokio::test]
async fn the_order_is_the_clients_where_nginx_leaves_it_to_him() {
    let audit = nginx("ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384;").audit().await;
    let tls12 = version(&audit, 0x0303);
    assert_eq!((tls12.suites.numbers.as_slice(), tls12.suites.server_order), (&[0xc02f, 0xc030][..], Some(false)));
    assert_eq!(version(&audit, 0x0304).answer, AuditAnswer::Alert(70));
    assert_eq!(audit.features.unwrap().fallback_scsv, None, "there is nothing to fall back to");
}

#[tokio::test]
async fn openssl_shows_its_prime_and_whom_it_asks_for_a_certificate() {
    let server = Server::start("openssl", |folder, port| {
        let path = |name: &str| folder.join(name).display().to_string();
        let made =
            Command::new("openssl").args(["genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048", "-out"]).arg(path("dh.pem")).status();
        assert!(made.expect("tests/packages installs openssl").success());
        let accept = format!("127.0.0.1:{port}");
        let words = ["s_server", "-quiet", "-tls1_2", "-serverpref", "-cipher", "DHE-RSA-AES256-GCM-SHA384:AES256-SHA", "-verify", "1", "-accept", &accept];
        let files = [
            "-cert".to_owned(),
            path("rsa.pem"),
            "-key".to_owned(),
            path("rsa.key"),
            "-dhparam".to_owned(),
            path("dh.pem"),
            "-CAfile".to_owned(),
            path("ecdsa.pem"),
        ];
        words.map(str::to_owned).into_iter().chain(files).collect()
    });
    let audit = server.audit().await;
    let tls12 = version(&audit, 0x0303);
    assert_eq!((tls12.suites.numbers.as_slice(), tls12.suites.server_order), (&[0x009f, 0x0035][..], Some(true)));
    assert_eq!((tls12.groups.numbers.len(), tls12.groups.refusal), (0, None), "no suite has a curve");
    let field = audit.key_exchange.finite_field.unwrap();
    assert_eq!((field.prime_bits, field.well_known.as_deref(), field.value_reused), (2_048, Some("ffdhe2048"), Some(false)));
    let request = audit.client_certificate.unwrap();
    assert_eq!((request.authorities_count, request.authorities.len()), (1, 1));
    assert!(request.certificate_types.contains(&64) && request.flight_bytes > 500, "{request:?}");
}
