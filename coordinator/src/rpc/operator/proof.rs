//! A verdict with everything that it rests on.

use std::net::SocketAddr;

use parallax_diagnosis::RULES;
use parallax_model::proof::Excluded;
use parallax_proto::v1::{ExplainVerdictRequest, ExplainVerdictResponse, explain_verdict_response::Onlooker};
use tonic::Status;

use super::verdicts::{document, found};
use crate::{app::App, round::Recorded, rpc::status::of_store};

/// Returns a verdict, its attempts, who took part, and which hypotheses were tried in vain.
pub(super) async fn explain(app: &App, request: ExplainVerdictRequest) -> Result<ExplainVerdictResponse, Status> {
    let verdict = found(app, &request.round, request.revision).await?;
    let responders: Vec<_> = app.own_responder.responder.iter().cloned().chain(app.fleet.responders()).collect();
    let of_responders = responders.iter().flat_map(|responder| responder.addresses.iter().map(SocketAddr::to_string));
    let own_addresses: Vec<String> = of_responders.chain(app.coordinators.iter().cloned()).collect();
    let recorded = Recorded::read(&*app.store, responders, &verdict).await.map_err(of_store)?;
    let verdict_json = document(&verdict)?;
    let mut answer = ExplainVerdictResponse { verdict_json, own_addresses, present_rules: RULES.to_owned(), ..Default::default() };
    let Some(recorded) = recorded else { return Ok(answer) };
    let onlooker = |view: &parallax_diagnosis::VantageView| Onlooker {
        name: view.name.to_string(),
        labels: view.labels.clone(),
        group: view.group.to_string(),
        egress: view.egress.map_or_else(String::new, |address| address.to_string()),
    };
    answer.vantages = recorded.view.vantages.iter().map(onlooker).collect();
    answer.attempts = recorded.view.attempts.iter().map(Into::into).collect();
    let trust = app.trust.clone();
    let excluded = move || parallax_diagnosis::excluded(&recorded.view, &recorded.history, &trust.with(&recorded.view.check.trust), recorded.at);
    let excluded = tokio::task::spawn_blocking(excluded).await.map_err(|error| Status::internal(error.to_string()))?;
    let json = |excluded: &Excluded| serde_json::to_string(excluded).map_err(|error| Status::internal(error.to_string()));
    answer.excluded_json = excluded.iter().map(json).collect::<Result<_, _>>()?;
    Ok(answer)
}
