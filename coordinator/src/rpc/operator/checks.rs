//! Scheduled checks.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use parallax_model::{
    cadence::Cadence,
    check::Check,
    id::VantageName,
    vantage::{Standing, Vantage},
};
use parallax_proto::{
    convert::{check_from_operator, required},
    v1::{CheckEntry, DeleteCheckRequest, DeleteCheckResponse, ListChecksRequest, ListChecksResponse, PutCheckRequest, PutCheckResponse},
};
use parallax_store::PutCheck;
use tonic::Status;

use crate::{
    app::App,
    rpc::{
        peer::Operator,
        status::{not_found, of_store},
    },
    schedule::{eligible, next_start},
};

/// Creates or changes a check; identity and phase of an existing one stay.
pub(super) async fn put(app: &Arc<App>, who: &Operator, request: PutCheckRequest) -> Result<PutCheckResponse, Status> {
    let wanted = check_from_operator(required(request.check, "check")?, app.now() + LEAD)?;
    let name = wanted.name.clone().ok_or_else(|| Status::invalid_argument("a scheduled check needs a name"))?;
    if wanted.cadence == Cadence::Once {
        return Err(Status::invalid_argument("say when the check runs: --every 60s or --cron EXPR"));
    }
    let stored = app.store.check_by_name(&name).await.map_err(of_store)?;
    if request.create_only && stored.is_some() {
        return Err(Status::already_exists(format!("a check called {name} exists: change it with 'parallax check apply', or delete it first")));
    }
    if request.expected_revision != 0 && stored.as_ref().map(|stored| stored.revision) != Some(request.expected_revision) {
        return Err(changed_meanwhile(&name));
    }
    let mut check = match &stored {
        Some(stored) => {
            // Another cadence counts its rounds from now, so that the first one is not in the past.
            let anchor = if stored.cadence == wanted.cadence { stored.anchor } else { wanted.anchor };
            Check { id: stored.id, revision: stored.revision, anchor, ..wanted }
        }
        None => wanted,
    };
    let fleet = app.store.vantages().await.map_err(of_store)?;
    let vantages = held_by(&check, &fleet);
    if !fleet.is_empty() {
        // Checks may be set up before the first agent joins; after that, a selector that takes nobody is a slip.
        someone(&check, &fleet, vantages.len())?;
    }
    let (created, changed) = (stored.is_none(), stored.as_ref() != Some(&check));
    if changed && !request.validate_only {
        match app.store.put_check(&check, Some(stored.as_ref().map_or(0, |stored| stored.revision))).await.map_err(of_store)? {
            PutCheck::Created => check.revision = 1,
            PutCheck::Updated { revision } => check.revision = revision,
            PutCheck::RevisionConflict | PutCheck::NameTaken => return Err(changed_meanwhile(&name)),
        }
        app.audit(
            &who.name,
            if created { "create-check" } else { "change-check" },
            name.as_str(),
            format!("{}, {}, revision {}", check.target, check.cadence, check.revision),
        )
        .await;
        app.plan.invalidate();
    }
    Ok(PutCheckResponse { check: Some((&check).into()), created, changed, vantages })
}

/// Lists checks with who holds them, their last verdict and their next round.
pub(super) async fn list(app: &App, request: ListChecksRequest) -> Result<ListChecksResponse, Status> {
    let checks = match request.name.as_str() {
        "" => app.store.checks().await.map_err(of_store)?,
        name => vec![by_name(app, name).await?],
    };
    let fleet = app.store.vantages().await.map_err(of_store)?;
    let now = app.now();
    let mut entries = Vec::new();
    for check in checks.iter().filter(|check| check.name.is_some()) {
        let last = app.store.verdicts_of_check(check.id, None, None, 1).await.map_err(of_store)?;
        let last_verdict_json = last.first().map(serde_json::to_string).transpose().map_err(|error| Status::internal(error.to_string()))?.unwrap_or_default();
        let next_round_us = next_start(check, now).map_or(0, |start| start.as_micros());
        entries.push(CheckEntry { check: Some(check.into()), vantages: held_by(check, &fleet), last_verdict_json, next_round_us });
    }
    Ok(ListChecksResponse { checks: entries })
}

/// Deletes a check; its history stays.
pub(super) async fn delete(app: &App, who: &Operator, request: DeleteCheckRequest) -> Result<DeleteCheckResponse, Status> {
    let check = by_name(app, &request.name).await?;
    app.store.delete_check(check.id).await.map_err(of_store)?;
    app.incidents.forget(check.id);
    app.audit(&who.name, "delete-check", &request.name, check.target.to_string()).await;
    app.plan.invalidate();
    Ok(DeleteCheckResponse {})
}

/// Finds a check by its name.
pub(super) async fn by_name(app: &App, name: &str) -> Result<Check, Status> {
    let parsed = name.parse().map_err(|error| Status::invalid_argument(format!("check: {error}")))?;
    match app.store.check_by_name(&parsed).await.map_err(of_store)? {
        Some(check) => Ok(check),
        None => {
            let all = app.store.checks().await.map_err(of_store)?;
            Err(not_found("check", name, all.iter().filter_map(|check| check.name.as_ref()).map(|name| name.as_str())))
        }
    }
}

/// Refuses a check that takes no vantage, with a sentence that says which there are.
pub(super) fn someone(check: &Check, fleet: &[Vantage], chosen: usize) -> Result<(), Status> {
    if chosen > 0 {
        return Ok(());
    }
    let names = |wanted: fn(Standing) -> bool| {
        fleet.iter().filter(|vantage| wanted(vantage.standing)).map(|vantage| vantage.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let active = names(|standing| standing == Standing::Active);
    let aside = names(|standing| standing != Standing::Active);
    let aside = if aside.is_empty() { String::new() } else { format!(" (put aside: {aside})") };
    let sentence = match active.as_str() {
        "" => format!("the fleet has no vantage that takes part{aside}: add one with 'parallax vantage token create'"),
        _ => format!("no vantage matches {:?}; there are: {active}{aside}", check.from.to_string()),
    };
    Err(Status::failed_precondition(sentence))
}

fn held_by(check: &Check, fleet: &[Vantage]) -> Vec<String> {
    let nobody: BTreeSet<VantageName> = BTreeSet::new();
    eligible(check, fleet, &nobody).iter().map(|vantage| vantage.name.to_string()).collect()
}

/// How long after its creation a check has its first round: by then every agent that is connected knows of it.
const LEAD: Duration = Duration::from_secs(1);

fn changed_meanwhile(name: &parallax_model::id::CheckName) -> Status {
    Status::aborted(format!("the check {name} was changed meanwhile: look at it with 'parallax check show {name}' and try again"))
}
