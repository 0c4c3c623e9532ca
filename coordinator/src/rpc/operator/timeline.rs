//! What happened over time: incidents and gaps, and what differs between two windows.

use parallax_model::clock::Timestamp;
use parallax_proto::v1::{CompareWindowsRequest, CompareWindowsResponse, GetTimelineRequest, GetTimelineResponse};
use serde::Serialize;
use tonic::Status;

use super::checks;
use crate::{app::App, incidents, rpc::status::of_store};

/// Returns the time line of a check.
pub(super) async fn get(app: &App, request: GetTimelineRequest) -> Result<GetTimelineResponse, Status> {
    let check = checks::by_name(app, &request.check).await?;
    let until = if request.until_us == 0 { app.now() } else { Timestamp::from_micros(request.until_us) };
    let timeline = incidents::timeline(app, &check, Timestamp::from_micros(request.since_us), until).await.map_err(of_store)?;
    Ok(GetTimelineResponse { timeline_json: document(&timeline)? })
}

/// Says what differs between two windows.
pub(super) async fn compare(app: &App, request: CompareWindowsRequest) -> Result<CompareWindowsResponse, Status> {
    let check = checks::by_name(app, &request.check).await?;
    let earlier = (Timestamp::from_micros(request.vs_since_us), Timestamp::from_micros(request.vs_until_us));
    let later = (Timestamp::from_micros(request.since_us), Timestamp::from_micros(request.until_us));
    let found = incidents::difference(app, &check, earlier, later).await.map_err(of_store)?;
    Ok(CompareWindowsResponse { difference_json: document(&found)? })
}

fn document(value: &impl Serialize) -> Result<String, Status> {
    serde_json::to_string(value).map_err(|error| Status::internal(error.to_string()))
}
