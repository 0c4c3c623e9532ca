//! The one TLS port: connections are taken at once, each handshake runs in a task of its own within a time limit.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::StartError;

/// Listens on an address; on `[::]` for both families, and for IPv4 alone where the host has no IPv6.
pub(super) fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, StartError> {
    let opened = open(address).or_else(|error| match error.raw_os_error() {
        Some(NO_IPV6) if address.is_ipv6() && address.ip().is_unspecified() => open(SocketAddr::from(([0, 0, 0, 0], address.port()))),
        _ => Err(error),
    });
    opened.map_err(|source| StartError::Listen { address, flag, source })
}

/// Returns where a listener is.
pub(super) fn bound(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(StartError::Bound)
}

/// Returns the connections whose handshake succeeded.
pub(super) fn handshakes(
    listener: TcpListener,
    config: Arc<ArcSwap<ServerConfig>>,
    stopping: CancellationToken,
) -> ReceiverStream<io::Result<TlsStream<TcpStream>>> {
    let (ready, connections) = mpsc::channel(BACKLOG);
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    tokio::spawn(async move {
        loop {
            let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
            let accepted = tokio::select! {
                () = stopping.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    debug!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (acceptor, ready) = (TlsAcceptor::from(config.load_full()), ready.clone());
            tokio::spawn(async move {
                let _place = place;
                let _ = stream.set_nodelay(true);
                match timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await {
                    Ok(Ok(connection)) => drop(ready.send(Ok(connection)).await),
                    Ok(Err(error)) => debug!(%peer, %error, "a handshake failed"),
                    Err(_) => debug!(%peer, "a handshake took too long"),
                }
            });
        }
    });
    ReceiverStream::new(connections)
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1_024)?;
    TcpListener::from_std(socket.into())
}

/// EAFNOSUPPORT of Linux.
const NO_IPV6: i32 = 97;
/// Handshakes at a time: a fleet that reconnects all at once is served in turn, and strangers cannot hold more than this.
const HANDSHAKES: usize = 512;
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
const BACKLOG: usize = 64;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
