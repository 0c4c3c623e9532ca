//! What is done once a day: old history goes, and the server certificate is renewed in time.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tracing::{error, info};

use crate::{
    app::App,
    pki::{ServerCertificate, server_config},
};

/// Runs until the coordinator stops.
pub(super) async fn run(app: Arc<App>, tls: Arc<ArcSwap<ServerConfig>>, dir: PathBuf, names: BTreeSet<String>, retention: Duration) {
    loop {
        match app.store.retain_since(app.now() - retention).await {
            Ok(retained) if retained.days_dropped + retained.rounds_deleted > 0 => {
                info!(days = retained.days_dropped, rounds = retained.rounds_deleted, "old history was dropped");
            }
            Ok(_) => {}
            Err(failure) => error!(error = &failure as &dyn std::error::Error, "old history could not be dropped"),
        }
        if app.pause(DAY).await {
            return;
        }
        let renewed =
            ServerCertificate::load_or_issue(&dir, &app.authority, &names, app.now()).and_then(|certificate| server_config(&app.authority, &certificate));
        match renewed {
            Ok(config) => tls.store(Arc::new(config)),
            Err(failure) => error!(error = &failure as &dyn std::error::Error, "the server certificate could not be renewed"),
        }
    }
}

const DAY: Duration = Duration::from_secs(86_400);
