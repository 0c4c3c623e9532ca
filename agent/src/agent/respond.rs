//! This vantage as a control responder for the others.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use parallax_responder::{Identity, serve};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};

use super::AgentError;
use crate::{
    config::Settings,
    vantage::{advertised, host_addresses},
};

/// Responders that run.
pub(super) struct Responders {
    /// Where the other vantages reach them.
    pub(super) addresses: Vec<SocketAddr>,
    /// SHA-256 of their key; empty without responders.
    pub(super) key_sha256: Vec<u8>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Listens wherever the settings say.
pub(super) async fn start(settings: &Settings, folder: &Path) -> Result<Responders, AgentError> {
    let mut responders = Responders { addresses: Vec::new(), key_sha256: Vec::new(), stop: watch::Sender::new(false), tasks: JoinSet::new() };
    if settings.responder.value.is_empty() {
        return Ok(responders);
    }
    let identity = Arc::new(Identity::load_or_create(folder)?);
    responders.key_sha256 = identity.key_sha256().to_vec();
    let host = host_addresses();
    for address in &settings.responder.value {
        let failed = |source| AgentError::Responder { address: *address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        responders.addresses.extend(advertised(bound, &settings.advertise.value, &host));
        let mut stopped = responders.stop.subscribe();
        let shutdown = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        responders.tasks.spawn(serve(listener, Arc::clone(&identity), shutdown));
    }
    responders.addresses.sort();
    responders.addresses.dedup();
    Ok(responders)
}

impl Responders {
    /// Stops listening and gives open connections a moment.
    pub(super) async fn stop(mut self) {
        self.stop.send_replace(true);
        let _ = timeout(STOP, async { while self.tasks.join_next().await.is_some() {} }).await;
    }
}

const STOP: Duration = Duration::from_secs(1);
