//! Vantages as operators see and direct them.

use parallax_model::{
    id::VantageName,
    vantage::{Standing, Vantage},
};
use parallax_proto::v1::{
    DeleteVantageRequest, DeleteVantageResponse, Drain, ListVantagesResponse, UpdateVantageRequest, UpdateVantageResponse, session_response::Message,
};
use tonic::Status;

use crate::{
    app::App,
    fleet::Ending,
    rpc::{
        enroll::valid_labels,
        peer::Operator,
        status::{not_found, of_store},
    },
    view::listed,
};

/// Lists every vantage.
pub(super) async fn list(app: &App) -> Result<ListVantagesResponse, Status> {
    let vantages = app.store.vantages().await.map_err(of_store)?;
    Ok(ListVantagesResponse { vantages: vantages.into_iter().map(|vantage| (&listed(app, vantage)).into()).collect() })
}

/// Changes labels and standing; a ban ends the live session at once.
pub(super) async fn update(app: &App, who: &Operator, request: UpdateVantageRequest) -> Result<UpdateVantageResponse, Status> {
    let vantage = by_name(app, &request.name).await?;
    let name = &vantage.name;
    let standing = standing(&request.standing)?;
    if !request.labels.is_empty() {
        let (removed, set): (Vec<_>, Vec<_>) = request.labels.into_iter().partition(|(_, value)| value.is_empty());
        let set = valid_labels(set.into_iter().collect())?;
        let mut labels = app.store.given_labels(name).await.map_err(of_store)?.unwrap_or_default();
        removed.iter().for_each(|(key, _)| drop(labels.remove(key)));
        labels.extend(set);
        app.store.set_labels(name, &labels).await.map_err(of_store)?;
        app.audit(&who.name, "label-vantage", name.as_str(), labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")).await;
    }
    if let Some(standing) = standing {
        app.store.set_standing(name, standing).await.map_err(of_store)?;
        app.audit(&who.name, "set-standing", name.as_str(), format!("{standing:?}").to_lowercase()).await;
        match standing {
            Standing::Banned => app.fleet.end(name, Ending::Revoked),
            Standing::Draining => drop(app.fleet.send(name, Message::Drain(Drain {}))),
            Standing::Active | Standing::Cordoned => {}
        }
    }
    app.plan.invalidate();
    let after = by_name(app, name.as_str()).await?;
    Ok(UpdateVantageResponse { vantage: Some((&listed(app, after)).into()) })
}

/// Deletes a vantage, which ends its session and frees its name.
pub(super) async fn delete(app: &App, who: &Operator, request: DeleteVantageRequest) -> Result<DeleteVantageResponse, Status> {
    let vantage = by_name(app, &request.name).await?;
    app.store.delete_vantage(&vantage.name).await.map_err(of_store)?;
    app.fleet.end(&vantage.name, Ending::Revoked);
    app.audit(&who.name, "delete-vantage", vantage.name.as_str(), String::new()).await;
    app.plan.invalidate();
    Ok(DeleteVantageResponse {})
}

async fn by_name(app: &App, name: &str) -> Result<Vantage, Status> {
    let parsed: VantageName = name.parse().map_err(|error| Status::invalid_argument(format!("vantage: {error}")))?;
    match app.store.vantage(&parsed).await.map_err(of_store)? {
        Some(vantage) => Ok(vantage),
        None => {
            let all = app.store.vantages().await.map_err(of_store)?;
            Err(not_found("vantage", name, all.iter().map(|vantage| vantage.name.as_str())))
        }
    }
}

fn standing(text: &str) -> Result<Option<Standing>, Status> {
    match text {
        "" => Ok(None),
        "active" => Ok(Some(Standing::Active)),
        "cordoned" => Ok(Some(Standing::Cordoned)),
        "draining" => Ok(Some(Standing::Draining)),
        "banned" => Ok(Some(Standing::Banned)),
        other => Err(Status::invalid_argument(format!("no standing is called {other:?}: use active, cordoned, draining or banned"))),
    }
}
