//! Mail servers as the distribution ships them, taken to TLS by the probe engine on loopback.
//!
//! These need the packages of `lab-packages.txt`; where one is missing they fail and say which program it is.
#![expect(clippy::unwrap_used, reason = "tests may unwrap")]

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use parallax_model::{
    assignment::Experiment,
    check::Limits,
    facts::{Facts, TlsEnd, UpgradeEnd},
    outcome::Outcome,
    profile::Profile,
};
use parallax_probe::{AuditManners, Plan, SystemNet};

/// A server that ends with the test.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts a program and waits until its port answers.
    fn start(program: &str, arguments: &[&str], address: SocketAddr, folder: &Path) -> Self {
        let log = fs::File::create(folder.join("output.log")).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let process = command.spawn().unwrap_or_else(|error| panic!("{program} does not start ({error}): install the packages of tests/lab-packages.txt"));
        let server = Self { process, address };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            let said = || fs::read_to_string(folder.join("output.log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "{program} does not listen on {address}: {}", said());
            sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Dovecot takes its children along only when it is asked to stop.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Makes a folder with a certificate that a server of another user may read.
fn folder_with_certificate() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["mail.corp.test".to_owned()]).unwrap();
    fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    fs::create_dir(folder.path().join("spool")).unwrap();
    for path in [folder.path().to_owned(), folder.path().join("spool")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    folder
}

fn exim(folder: &Path, tls: bool) -> Server {
    let address = free_address();
    let (port, folder_name) = (address.port(), folder.display());
    let hosts = if tls { "*" } else { "" };
    let text = format!(
        "primary_hostname = mail.corp.test\nlocal_interfaces = 127.0.0.1\ndaemon_smtp_ports = {port}\nkeep_environment =\n\
         spool_directory = {folder_name}/spool\nlog_file_path = {folder_name}/spool/%slog\npid_file_path = {folder_name}/spool/pid\n\
         tls_advertise_hosts = {hosts}\ntls_certificate = {folder_name}/cert.pem\ntls_privatekey = {folder_name}/key.pem\n\
         host_lookup =\nrfc1413_query_timeout = 0s\n"
    );
    let file = folder.join("exim.conf");
    fs::write(&file, text).unwrap();
    Server::start("/usr/sbin/exim4", &["-bdf", "-C", &file.display().to_string()], address, folder)
}

fn dovecot(folder: &Path) -> Server {
    let address = free_address();
    let (port, folder_name) = (address.port(), folder.display());
    let text = format!(
        "base_dir = {folder_name}/dovecot\nstate_dir = {folder_name}/dovecot\nlog_path = {folder_name}/dovecot.log\nprotocols = imap\n\
         ssl = yes\nssl_cert = <{folder_name}/cert.pem\nssl_key = <{folder_name}/key.pem\n\
         service imap-login {{\n  chroot =\n  inet_listener imap {{\n    address = 127.0.0.1\n    port = {port}\n  }}\n  inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
         service anvil {{\n  chroot =\n}}\nservice stats {{\n  chroot =\n}}\npassdb {{\n  driver = static\n}}\nuserdb {{\n  driver = static\n}}\n"
    );
    let file = folder.join("dovecot.conf");
    fs::write(&file, text).unwrap();
    Server::start("/usr/sbin/dovecot", &["-F", "-c", &file.display().to_string()], address, folder)
}

fn look(scheme: &str, address: SocketAddr) -> Facts {
    let target: parallax_model::target::Target = format!("{scheme}://mail.corp.test:{}", address.port()).parse().unwrap();
    let plan = Plan {
        server_name: target.server_name().map(str::to_owned),
        target,
        profile: Profile::builtin("modern").unwrap(),
        experiment: Experiment::Baseline,
        address,
        limits: Limits { attempt_ms: 20_000, ..Limits::default() },
        source_port: None,
        http: false,
        pinned_responder: false,
        siblings: Vec::new(),
        manners: AuditManners::default(),
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(parallax_probe::run(&plan, &SystemNet))
}

#[test]
fn mail_servers_are_taken_to_tls() {
    let (mail, store) = (folder_with_certificate(), folder_with_certificate());
    let exim = exim(mail.path(), true);
    let dovecot = dovecot(store.path());
    for (scheme, server, greeting, listed) in
        [("smtp+starttls", &exim, "220 mail.corp.test ESMTP Exim", "PIPELINING"), ("imap+starttls", &dovecot, "* OK [CAPABILITY", "IMAP4rev1")]
    {
        let facts = look(scheme, server.address);
        let upgrade = facts.starttls.as_ref().unwrap();
        assert_eq!((upgrade.end, upgrade.offered), (UpgradeEnd::Ready, Some(true)), "{upgrade:?}");
        assert!(upgrade.greeting.as_ref().is_some_and(|words| words.starts_with(greeting)), "{upgrade:?}");
        assert!(upgrade.capabilities.iter().any(|line| line == listed), "{upgrade:?}");
        let tls = facts.tls.as_ref().unwrap();
        assert_eq!((tls.end, tls.certificates.len()), (TlsEnd::Established, 1), "{scheme}");
    }
}

#[test]
fn a_mail_server_without_tls_does_not_offer_it_and_is_no_imap_server() {
    let folder = folder_with_certificate();
    let exim = exim(folder.path(), false);
    let facts = look("smtp+starttls", exim.address);
    assert_eq!(Outcome::of_facts(&facts), Outcome::StartTlsNotOffered, "{facts:?}");
    assert_eq!(Outcome::of_facts(&look("imap+starttls", exim.address)), Outcome::StartTlsNotProtocol);
}
