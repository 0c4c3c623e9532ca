//! How the coordinator itself is.

use parallax_model::id::CheckName;
use parallax_proto::v1::GetStatusResponse;
use tonic::Status;

use crate::{app::App, rpc::status::of_store};

/// Counts what there is.
pub(super) async fn get(app: &App) -> Result<GetStatusResponse, Status> {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let checks = app.store.checks().await.map_err(of_store)?;
    let named: Vec<&CheckName> = checks.iter().filter_map(|check| check.name.as_ref()).collect();
    let responders = app.own_responder.responder.iter().cloned().chain(app.fleet.responders());
    Ok(GetStatusResponse {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now_us: app.now().as_micros(),
        vantages_online: number(app.fleet.len()),
        vantages: number(app.store.vantages().await.map_err(of_store)?.len()),
        checks: number(named.len()),
        attempts_stored: app.store.count_attempts(None).await.map_err(of_store)?,
        responders: responders.map(|responder| (&responder).into()).collect(),
    })
}
