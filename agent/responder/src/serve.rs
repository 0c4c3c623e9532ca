//! The accept loop and its caps.

use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tracing::debug;

use crate::{Identity, connection::answer};

/// Answers connections until `shutdown` is ready, then gives the open ones two seconds.
///
/// At most 1,024 connections are open at a time, each for 26 seconds at the longest; further ones wait in the kernel's queue.
pub async fn serve(listener: TcpListener, identity: Arc<Identity>, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            () = &mut shutdown => break,
            place = Arc::clone(&places).acquire_owned() => place.expect("the semaphore is never closed"),
        };
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener) => accepted,
        };
        while connections.try_join_next().is_some() {}
        let identity = Arc::clone(&identity);
        connections.spawn(async move {
            let _place = place;
            let (stream, peer) = accepted;
            if let Err(error) = answer(stream, peer, &identity).await {
                debug!(%peer, %error, "responder connection ended early");
            }
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(SHUTDOWN_TIME, async { while connections.join_next().await.is_some() {} }).await;
}

/// Accepts the next connection; errors of a single connection, and a host without free descriptors, are waited out.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await.and_then(|(stream, peer)| stream.set_nodelay(true).map(|()| (stream, peer))) {
            Ok(accepted) => return accepted,
            Err(error) => {
                debug!(%error, "responder cannot accept");
                if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

const MAX_CONNECTIONS: usize = 1_024;
const SHUTDOWN_TIME: Duration = Duration::from_secs(2);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
