//! The operator's verbs, in the order of the .proto file; each lives in the file of its noun.

mod checks;
mod proof;
mod rejudge;
mod rounds;
mod status;
mod timeline;
mod tokens;
mod vantages;
mod verdicts;

use std::{pin::Pin, sync::Arc};

use parallax_proto::v1::{self, operator_service_server::OperatorService};
use parallax_store::Role;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::peer::operator;
use crate::app::App;

/// The service.
pub(super) struct Operators(pub(super) Arc<App>);

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl OperatorService for Operators {
    type RunRoundStream = Responses<v1::RunRoundResponse>;
    type RejudgeVerdictsStream = Responses<v1::RejudgeVerdictsResponse>;
    type WatchVerdictsStream = Responses<v1::WatchVerdictsResponse>;

    async fn run_round(&self, request: Request<v1::RunRoundRequest>) -> Result<Response<Self::RunRoundStream>, Status> {
        let who = operator(&self.0, &request, Role::Operator).await?;
        let responses = rounds::run(&self.0, &who, request.into_inner()).await?;
        Ok(Response::new(Box::pin(responses)))
    }

    async fn put_check(&self, request: Request<v1::PutCheckRequest>) -> Result<Response<v1::PutCheckResponse>, Status> {
        let who = operator(&self.0, &request, Role::Operator).await?;
        checks::put(&self.0, &who, request.into_inner()).await.map(Response::new)
    }

    async fn list_checks(&self, request: Request<v1::ListChecksRequest>) -> Result<Response<v1::ListChecksResponse>, Status> {
        operator(&self.0, &request, Role::Viewer).await?;
        checks::list(&self.0, request.into_inner()).await.map(Response::new)
    }

    async fn delete_check(&self, request: Request<v1::DeleteCheckRequest>) -> Result<Response<v1::DeleteCheckResponse>, Status> {
        let who = operator(&self.0, &request, Role::Operator).await?;
        checks::delete(&self.0, &who, request.into_inner()).await.map(Response::new)
    }

    async fn list_vantages(&self, request: Request<v1::ListVantagesRequest>) -> Result<Response<v1::ListVantagesResponse>, Status> {
        operator(&self.0, &request, Role::Viewer).await?;
        vantages::list(&self.0).await.map(Response::new)
    }

    async fn update_vantage(&self, request: Request<v1::UpdateVantageRequest>) -> Result<Response<v1::UpdateVantageResponse>, Status> {
        let who = operator(&self.0, &request, Role::Operator).await?;
        vantages::update(&self.0, &who, request.into_inner()).await.map(Response::new)
    }

    async fn delete_vantage(&self, request: Request<v1::DeleteVantageRequest>) -> Result<Response<v1::DeleteVantageResponse>, Status> {
        let who = operator(&self.0, &request, Role::Operator).await?;
        vantages::delete(&self.0, &who, request.into_inner()).await.map(Response::new)
    }

    async fn create_join_token(&self, request: Request<v1::CreateJoinTokenRequest>) -> Result<Response<v1::CreateJoinTokenResponse>, Status> {
        let who = operator(&self.0, &request, Role::Admin).await?;
        tokens::create(&self.0, &who, request.into_inner()).await.map(Response::new)
    }

    async fn list_verdicts(&self, request: Request<v1::ListVerdictsRequest>) -> Result<Response<v1::ListVerdictsResponse>, Status> {
        operator(&self.0, &request, Role::Viewer).await?;
        verdicts::list(&self.0, request.into_inner()).await.map(Response::new)
    }

    async fn get_verdict(&self, request: Request<v1::GetVerdictRequest>) -> Result<Response<v1::GetVerdictResponse>, Status> {
        operator(&self.0, &request, Role::Viewer).await?;
        verdicts::get(&self.0, request.into_inner()).await.map(Response::new)
    }

    async fn explain_verdict(&self, request: Request<v1::ExplainVerdictRequest>) -> Result<Response<v1::ExplainVerdictResponse>, Status> {
        operator(&self.0, &request, Role::Viewer).await?;
        proof::explain(&self.0, request.into_inner()).await.map(Response::new)
    }

    async fn rejudge_verdicts(&self, request: Request<v1::RejudgeVerdictsRequest>) -> Result<Response<Self::RejudgeVerdictsStream>, Status> {
        let needed = if request.get_ref().store { Role::Operator } else { Role::Viewer };
        let who = operator(&self.0, &request, needed).await?;
        let responses = rejudge::run(&self.0, &who, request.into_inner()).await?;
        Ok(Response::new(Box::pin(responses)))
    }

    async fn watch_verdicts(&self, request: Request<v1::WatchVerdictsRequest>) -> Result<Response<Self::WatchVerdictsStream>, Status> {
        operator(&self.0, &request, Role::Viewer).await?;
        let responses = verdicts::watch(&self.0, request.into_inner()).await?;
        Ok(Response::new(Box::pin(responses)))
    }

    async fn get_timeline(&self, request: Request<v1::GetTimelineRequest>) -> Result<Response<v1::GetTimelineResponse>, Status> {
        operator(&self.0, &request, Role::Viewer).await?;
        timeline::get(&self.0, request.into_inner()).await.map(Response::new)
    }

    async fn compare_windows(&self, request: Request<v1::CompareWindowsRequest>) -> Result<Response<v1::CompareWindowsResponse>, Status> {
        operator(&self.0, &request, Role::Viewer).await?;
        timeline::compare(&self.0, request.into_inner()).await.map(Response::new)
    }

    async fn get_status(&self, request: Request<v1::GetStatusRequest>) -> Result<Response<v1::GetStatusResponse>, Status> {
        operator(&self.0, &request, Role::Viewer).await?;
        status::get(&self.0).await.map(Response::new)
    }
}
