//! A client that makes one connection and tells what it saw; it shares no code with the products.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, IpAddr, ServerName, UnixTime},
};
use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, Socket, Type};

use super::tcp_info;
use crate::lab::scenario::Hello;

/// What one connection showed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// `ok`, `http 502`, `reset`, `closed`, `timeout`, `alert 112`, `not-tls`, `refused`, `connect-timeout`, `unreachable`, `silent` (after garbage), ….
    pub face: String,
    /// The common name of the leaf that was presented.
    pub certificate: Option<String>,
    /// Whether all that was written is acknowledged.
    pub acknowledged: bool,
    /// Whether segments arrived before their turn.
    pub out_of_order: bool,
    /// Bytes received in order.
    pub received_bytes: u64,
    /// Milliseconds from the first SYN to the end.
    pub elapsed_ms: u64,
}

/// How the connection is made.
#[derive(Debug, Clone)]
pub struct Call {
    /// Where to.
    pub address: SocketAddr,
    /// The server name; empty for none.
    pub name: String,
    /// Which ClientHello.
    pub hello: Hello,
    /// The maximum segment size to announce.
    pub mss: Option<u32>,
}

/// Makes one connection.
pub fn call(call: &Call) -> Contact {
    let started = Instant::now();
    let mut contact = Contact::default();
    match connect(call) {
        Err(error) => contact.face = connect_face(&error).to_owned(),
        Ok(mut stream) => {
            contact.face = if call.hello == Hello::Garbage { garbage(&mut stream) } else { handshake(&mut stream, call, &mut contact.certificate) };
            let account = tcp_info::read(&stream).unwrap_or_default();
            contact.acknowledged = account.unacknowledged == 0;
            contact.out_of_order = account.out_of_order > 0;
            contact.received_bytes = account.received_bytes;
        }
    }
    contact.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    contact
}

fn connect(call: &Call) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(call.address), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(mss) = call.mss {
        socket.set_tcp_mss(mss)?;
    }
    socket.connect_timeout(&call.address.into(), PATIENCE)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket.into())
}

fn connect_face(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionRefused => "refused",
        ErrorKind::TimedOut => "connect-timeout",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "unreachable",
        _ => "connect-error",
    }
}

fn stream_face(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => "reset",
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "timeout",
        ErrorKind::UnexpectedEof => "closed",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "unreachable",
        _ => "stream-error",
    }
}

fn garbage(stream: &mut TcpStream) -> String {
    if let Err(error) = stream.write_all(&[b'x'; 1440]) {
        return stream_face(&error).to_owned();
    }
    match stream.read(&mut [0; 512]) {
        Ok(0) => "closed".to_owned(),
        Ok(_) => "answered".to_owned(),
        Err(error) if stream_face(&error) == "timeout" => "silent".to_owned(),
        Err(error) => stream_face(&error).to_owned(),
    }
}

fn handshake(stream: &mut TcpStream, call: &Call, certificate: &mut Option<String>) -> String {
    let name = ServerName::try_from(call.name.clone()).unwrap_or_else(|_| ServerName::IpAddress(IpAddr::from(call.address.ip())));
    let Ok(mut connection) = ClientConnection::new(Arc::new(configuration(call.hello)), name) else { return "bad-name".to_owned() };
    let mut first = Vec::new();
    let _ = connection.write_tls(&mut first);
    let sent = if call.hello == Hello::Split { write_split(stream, &first, call.name.as_bytes()) } else { stream.write_all(&first) };
    if let Err(error) = sent {
        return stream_face(&error).to_owned();
    }
    let result = complete(stream, &mut connection);
    *certificate = connection.peer_certificates().and_then(|chain| common_name(chain.first()?));
    match result {
        Err(face) => face,
        Ok(()) => request(stream, &mut connection, &call.name),
    }
}

fn write_split(stream: &mut TcpStream, hello: &[u8], name: &[u8]) -> io::Result<()> {
    let place = hello.windows(name.len().max(1)).position(|window| window == name).unwrap_or(0);
    let (head, tail) = hello.split_at(place + name.len() / 2);
    stream.write_all(head)?;
    thread::sleep(Duration::from_millis(50));
    stream.write_all(tail)
}

fn complete(stream: &mut TcpStream, connection: &mut ClientConnection) -> Result<(), String> {
    let mut is_first = true;
    while connection.is_handshaking() {
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).map_err(|error| stream_face(&error).to_owned())?;
        if count == 0 {
            return Err("closed".to_owned());
        }
        if is_first && bytes.starts_with(b"HTTP/") {
            return Err("not-tls".to_owned());
        }
        is_first = false;
        feed(connection, &bytes[..count])?;
        flush(stream, connection)?;
    }
    Ok(())
}

fn feed(connection: &mut ClientConnection, mut bytes: &[u8]) -> Result<(), String> {
    while !bytes.is_empty() {
        connection.read_tls(&mut bytes).map_err(|error| error.to_string())?;
        connection.process_new_packets().map_err(|error| tls_face(&error))?;
    }
    Ok(())
}

fn flush(stream: &mut TcpStream, connection: &mut ClientConnection) -> Result<(), String> {
    while connection.wants_write() {
        connection.write_tls(stream).map_err(|error| stream_face(&error).to_owned())?;
    }
    Ok(())
}

/// Asks for the page, as `curl -I` would.
fn request(stream: &mut TcpStream, connection: &mut ClientConnection, name: &str) -> String {
    let ask = || -> Result<String, String> {
        let head = format!("HEAD / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        connection.writer().write_all(head.as_bytes()).map_err(|error| error.to_string())?;
        flush(stream, connection)?;
        let mut text = Vec::new();
        while !text.contains(&b'\n') {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).map_err(|error| stream_face(&error).to_owned())?;
            if count == 0 {
                break;
            }
            feed(connection, &bytes[..count])?;
            let mut plain = [0; 4096];
            text.extend_from_slice(connection.reader().read(&mut plain).map(|count| &plain[..count]).unwrap_or_default());
        }
        Ok(String::from_utf8_lossy(&text).split_whitespace().nth(1).unwrap_or("none").to_owned())
    };
    let mut ask = ask;
    match ask() {
        Ok(code) if code == "200" => "ok".to_owned(),
        Ok(code) => format!("http {code}"),
        Err(face) => face,
    }
}

fn tls_face(error: &TlsError) -> String {
    match error {
        TlsError::AlertReceived(AlertDescription::Unknown(code)) => format!("alert {code}"),
        TlsError::AlertReceived(alert) => format!("alert {}", u8::from(*alert)),
        TlsError::InvalidMessage(_) => "not-tls".to_owned(),
        other => format!("tls: {other}"),
    }
}

fn common_name(leaf: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(leaf).ok()?;
    parsed.subject().iter_common_name().next()?.as_str().ok().map(str::to_owned)
}

/// A client that takes any certificate, remembers no session and speaks HTTP/1.1.
pub(super) fn configuration(hello: Hello) -> ClientConfig {
    let mut provider = aws_lc_rs::default_provider();
    if hello != Hello::Large {
        provider.kx_groups = vec![aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::SECP256R1];
    }
    let provider = Arc::new(provider);
    let versions = if hello == Hello::Tls12 { &[&rustls::version::TLS12][..] } else { rustls::ALL_VERSIONS };
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions).expect("the provider has suites for both versions");
    let mut configuration = builder.dangerous().with_custom_certificate_verifier(Arc::new(Anything(provider))).with_no_client_auth();
    configuration.resumption = Resumption::disabled();
    configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
    configuration
}

#[derive(Debug)]
struct Anything(Arc<CryptoProvider>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Longer than two retransmission timeouts, so that silence is silence.
const PATIENCE: Duration = Duration::from_secs(4);
