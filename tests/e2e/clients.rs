//! Every recorded client against a real nginx on loopback: who gets in, who does not, and with what.
#![expect(clippy::unwrap_used, reason = "tests may unwrap")]

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use futures_util::future::join_all;
use parallax_model::{assignment::Experiment, check::Limits, facts::TlsFacts, outcome::Outcome, profile::Profile};
use parallax_probe::{Plan, SystemNet, run, server_name_for};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};

/// An nginx that ends with its value.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts nginx with these lines in its only server block, and waits until it listens.
fn nginx(folder: &Path, lines: &str) -> (Nginx, SocketAddr) {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let certificate = CertificateParams::new(["shop.corp.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let own = folder.display();
    let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|what| format!("{what}_temp_path {own}/{what};")).concat();
    let server = format!("listen {address} ssl; server_name shop.corp.test; ssl_certificate {own}/cert.pem; ssl_certificate_key {own}/key.pem; {lines}");
    let text = format!(
        "daemon off; master_process off; pid {own}/pid; error_log {own}/error.log; events {{}} http {{ access_log off; {places} server {{ {server} }} }}"
    );
    let configuration = folder.join("nginx.conf");
    std::fs::write(&configuration, text).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(&configuration).stdin(Stdio::null()).stderr(Stdio::null());
    let mut nginx = Nginx(command.spawn().expect("nginx is installed: tests/packages"));
    while TcpStream::connect(address).is_err() {
        assert!(nginx.0.try_wait().unwrap().is_none(), "nginx ended: {}", std::fs::read_to_string(folder.join("error.log")).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(10));
    }
    (nginx, address)
}

/// Tries every client once, all at the same time.
async fn survey(address: SocketAddr) -> Vec<(Profile, Outcome, TlsFacts)> {
    let target: parallax_model::target::Target = "tls://shop.corp.test".parse().unwrap();
    let tries = Profile::clients().iter().map(|client| {
        let profile = client.profile().clone();
        let server_name = server_name_for(Experiment::Baseline, &target);
        let plan = Plan {
            target: target.clone(),
            profile: profile.clone(),
            experiment: Experiment::Baseline,
            address,
            server_name,
            limits: Limits::default(),
            source_port: None,
            http: false,
            pinned_responder: false,
            siblings: Vec::new(),
            manners: Default::default(),
        };
        async move {
            let facts = run(&plan, &SystemNet).await;
            (profile, Outcome::of_facts(&facts), facts.tls.unwrap())
        }
    });
    join_all(tries).await
}

#[tokio::test]
async fn a_server_of_tls13_alone_turns_older_clients_away_with_alert_70() {
    let folder = tempfile::tempdir().unwrap();
    let (_nginx, address) = nginx(folder.path(), "ssl_protocols TLSv1.3;");
    let seen = survey(address).await;
    for (profile, outcome, tls) in &seen {
        if profile.hello.versions.contains(&0x0304) {
            assert_eq!((*outcome, tls.answer.version), (Outcome::Ok, Some(0x0304)), "{}", profile.name);
            assert!(profile.hello.groups.contains(&tls.answer.group.unwrap()), "{}", profile.name);
        } else {
            assert_eq!(*outcome, Outcome::TlsAlert(70), "{}", profile.name);
        }
        assert_eq!(tls.hello.server_name.is_some(), profile.hello.server_name, "{}", profile.name);
    }
    assert!(seen.iter().filter(|(_, outcome, _)| outcome.is_ok()).count() >= 25, "most clients of today get in");
}

#[tokio::test]
async fn a_server_of_every_version_takes_each_client_at_its_newest() {
    let folder = tempfile::tempdir().unwrap();
    let (_nginx, address) = nginx(folder.path(), "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0;");
    for (profile, outcome, tls) in survey(address).await {
        // RC4, 3DES and DES are all that it knows, and OpenSSL 3 knows none of them.
        if profile.name.as_str() == "ie-8-xp" {
            assert_eq!(outcome, Outcome::TlsAlert(40));
            continue;
        }
        assert_eq!((outcome, tls.answer.version), (Outcome::Ok, profile.hello.versions.iter().copied().max()), "{}", profile.name);
        assert!(profile.hello.cipher_suites.contains(&tls.answer.cipher_suite.unwrap()), "{}", profile.name);
    }
}
