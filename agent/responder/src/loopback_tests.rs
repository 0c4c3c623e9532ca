//! The responder from outside, on loopback.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use crate::{Identity, serve};
use parallax_model::echo::Echo;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tokio_rustls::TlsConnector;

struct Running {
    address: SocketAddr,
    identity: Arc<Identity>,
    _dir: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

async fn start() -> Running {
    let dir = tempfile::tempdir().unwrap();
    let identity = Arc::new(Identity::load_or_create(dir.path()).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(serve(listener, Arc::clone(&identity), async { drop(stopped.await) }));
    Running { address, identity, _dir: dir, stop, task }
}

#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(&self, m: &[u8], c: &CertificateDer<'_>, d: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(m, c, d, &aws_lc_rs::default_provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(&self, m: &[u8], c: &CertificateDer<'_>, d: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(m, c, d, &aws_lc_rs::default_provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Keeps a copy of the first write, which is the ClientHello.
struct Tee(TcpStream, Arc<Mutex<Vec<u8>>>);

impl AsyncRead for Tee {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Tee {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.0).poll_write(cx, bytes))?;
        let mut first = self.1.lock().unwrap();
        if first.is_empty() {
            first.extend_from_slice(&bytes[..count]);
        }
        drop(first);
        Poll::Ready(Ok(count))
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

fn client(versions: &[&'static rustls::SupportedProtocolVersion], alpn: &[&str]) -> TlsConnector {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    ::aws_lc_rs::digest::digest(&::aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

#[tokio::test]
async fn any_name_in_both_versions_gets_its_hello_echoed() {
    let running = start().await;
    let both: [&[&rustls::SupportedProtocolVersion]; 2] = [&[&rustls::version::TLS13], &[&rustls::version::TLS12]];
    for versions in both {
        for (alpn, chosen) in [(&["http/1.1", "h2"][..], Some("http/1.1")), (&["h2", "http/1.1"], Some("h2")), (&["acme/9"], None), (&[], None)] {
            let written = Arc::default();
            let stream = TcpStream::connect(running.address).await.unwrap();
            let local = stream.local_addr().unwrap();
            let name = ServerName::try_from("blocked.example.test").unwrap();
            let mut tls = client(versions, alpn).connect(name, Tee(stream, Arc::clone(&written))).await.unwrap();
            assert_eq!(tls.get_ref().1.alpn_protocol(), chosen.map(str::as_bytes));
            let leaf = tls.get_ref().1.peer_certificates().unwrap()[0].clone();
            let spki = rustls::server::ParsedCertificate::try_from(&leaf).unwrap().subject_public_key_info();
            assert_eq!(sha256(&spki), running.identity.key_sha256());
            tls.write_all(b"HEAD / HTTP/1.1\r\nHost: blocked.example.test\r\n\r\n").await.unwrap();
            let mut line = Vec::new();
            tls.read_to_end(&mut line).await.unwrap();
            let echo = Echo::from_line(&line).unwrap();
            let hello = written.lock().unwrap().clone();
            assert_eq!((echo.hello_sha256.0, echo.hello_bytes as usize), (sha256(&hello), hello.len()));
            assert_eq!((echo.server_name.as_deref(), echo.peer), (Some("blocked.example.test"), local));
        }
    }
}

#[tokio::test]
async fn what_is_not_tls_is_ended_and_harms_nobody() {
    let running = start().await;
    for hostile in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 70_000], &[22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff], &[]] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let _ = stream.write_all(hostile).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer[0] == 21, "an alert at most, not {answer:?}");
    }
    let stream = TcpStream::connect(running.address).await.unwrap();
    client(rustls::ALL_VERSIONS, &[]).connect(ServerName::try_from("x.test").unwrap(), stream).await.unwrap();
}

#[tokio::test]
async fn stopping_ends_the_listener_at_once() {
    let running = start().await;
    let started = Instant::now();
    running.stop.send(()).unwrap();
    running.task.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
    assert!(TcpStream::connect(running.address).await.is_err());
}
