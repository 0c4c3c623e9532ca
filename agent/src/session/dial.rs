//! One connection to a coordinator: TCP, TLS under the pinned authority, HTTP/2.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use rustls::{
    CertificateError, ClientConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint};

use crate::identity::PinnedVerifier;

/// Says why a coordinator was not reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    /// Nobody named a coordinator.
    #[error("no coordinator is known: name one with --coordinator HOST:PORT")]
    NoAddress,
    /// The text is not `HOST:PORT`.
    #[error("{0:?} is not a coordinator's address: write HOST:PORT")]
    NotAnAddress(String),
    /// The name does not resolve.
    #[error("the name in {address} does not resolve")]
    Resolve {
        /// The coordinator's address as it was given.
        address: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// TCP failed at every address of the name.
    #[error("cannot connect to {address}")]
    Connect {
        /// The coordinator's address as it was given.
        address: String,
        /// What the system said last.
        source: io::Error,
    },
    /// The server there is not of this fleet.
    #[error("the server at {address} is not this fleet's coordinator")]
    NotTheCoordinator {
        /// The coordinator's address as it was given.
        address: String,
        /// What the verification said.
        source: io::Error,
    },
    /// The handshake failed otherwise.
    #[error("no TLS connection with {address}")]
    Handshake {
        /// The coordinator's address as it was given.
        address: String,
        /// What the TLS library said.
        source: io::Error,
    },
    /// The connection did not become HTTP/2.
    #[error("the server at {address} does not speak gRPC")]
    Http {
        /// The coordinator's address as it was given.
        address: String,
        /// What the gRPC library said.
        source: tonic::transport::Error,
    },
}

/// Connects to `HOST:PORT` and holds the server to the verifier's authority.
pub(crate) async fn dial(
    address: &str,
    verifier: &Arc<PinnedVerifier>,
    client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Result<TlsStream<TcpStream>, DialError> {
    let not_an_address = || DialError::NotAnAddress(address.to_owned());
    let (host, _) = address.rsplit_once(':').ok_or_else(not_an_address)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|_| not_an_address())?;
    let resolve = |source| DialError::Resolve { address: address.to_owned(), source };
    let found = timeout(RESOLVE_TIME, tokio::net::lookup_host(address)).await.map_err(|elapsed| resolve(elapsed.into()))?.map_err(resolve)?;
    let stream = connect_any(found).await.map_err(|source| DialError::Connect { address: address.to_owned(), source })?;
    let handshake = |source| DialError::Handshake { address: address.to_owned(), source };
    let connector = TlsConnector::from(Arc::new(client_config(verifier, client).map_err(|error| handshake(io::Error::other(error)))?));
    match timeout(HANDSHAKE_TIME, connector.connect(name, stream)).await.map_err(|elapsed| handshake(elapsed.into()))? {
        Ok(stream) => Ok(stream),
        Err(source) if is_refused_certificate(&source) => Err(DialError::NotTheCoordinator { address: address.to_owned(), source }),
        Err(source) => Err(handshake(source)),
    }
}

/// Speaks HTTP/2 on a connection; a peer that went silent is noticed within ten seconds.
pub(crate) async fn open_channel(address: &str, stream: TlsStream<TcpStream>) -> Result<Channel, DialError> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|_| DialError::NotAnAddress(address.to_owned()))?;
    let endpoint = endpoint
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .user_agent(concat!("parallax-agent/", env!("CARGO_PKG_VERSION")))
        .map_err(|_| DialError::NotAnAddress(address.to_owned()))?;
    let mut once = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_| {
        let stream = once.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
        std::future::ready(stream)
    });
    endpoint.connect_with_connector(connector).await.map_err(|source| DialError::Http { address: address.to_owned(), source })
}

async fn connect_any(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match timeout(CONNECT_TIME, small_segments(address)?.connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(elapsed) => last = elapsed.into(),
        }
    }
    Err(last)
}

/// Makes a socket whose packets pass a path with an MTU hole in either direction, so that the agent can report the hole.
fn small_segments(peer: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if peer.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    socket2::SockRef::from(&socket).set_tcp_mss(SEGMENT_BYTES)?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Fits the smallest MTU that IPv6 allows (1,280 bytes, RFC 8200 section 5) with room for options.
const SEGMENT_BYTES: u32 = 1_200;

fn client_config(
    verifier: &Arc<PinnedVerifier>,
    client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(verifier) as Arc<dyn rustls::client::danger::ServerCertVerifier>);
    let mut config = match client {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would not show the present certificate, which a renewal wants to try.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

fn is_refused_certificate(error: &io::Error) -> bool {
    let refused = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(refused, Some(rustls::Error::InvalidCertificate(reason)) if !matches!(reason, CertificateError::Expired | CertificateError::ExpiredContext { .. }))
}

const RESOLVE_TIME: Duration = Duration::from_secs(5);
const CONNECT_TIME: Duration = Duration::from_secs(3);
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Instructions are small; results go the other way.
const WINDOW_BYTES: u32 = 256 * 1024;
