//! Join tokens.

use std::time::Duration;

use parallax_proto::{
    join::JoinString,
    v1::{CreateJoinTokenRequest, CreateJoinTokenResponse},
};
use parallax_store::JoinToken;
use tonic::Status;

use crate::{
    app::App,
    pki::{Secret, fresh_token_id, sha256},
    rpc::{
        enroll::valid_labels,
        peer::Operator,
        status::{of_pki, of_store},
    },
};

/// Makes a token and the join string around it; the secret is shown this once.
pub(super) async fn create(app: &App, who: &Operator, request: CreateJoinTokenRequest) -> Result<CreateJoinTokenResponse, Status> {
    let uses = if request.uses == 0 { 1 } else { request.uses };
    let ttl = if request.ttl_seconds == 0 { DEFAULT_TTL } else { Duration::from_secs(request.ttl_seconds) };
    if ttl > LONGEST_TTL {
        return Err(Status::invalid_argument("a join token lives for a year at most"));
    }
    let labels = valid_labels(request.labels)?;
    let secret = Secret::fresh().map_err(of_pki)?;
    let now = app.now();
    let id = fresh_token_id().map_err(of_pki)?;
    let token = JoinToken {
        id,
        // What enrolment hashes is the secret as it stands in the join string.
        secret_sha256: secret.digest(),
        labels,
        uses_left: uses,
        expires_at: now + ttl,
        created_at: now,
        created_by: who.name.clone(),
    };
    app.store.put_join_token(&token).await.map_err(of_store)?;
    app.audit(&who.name, "create-join-token", &token.id, format!("{uses} uses until {}", token.expires_at)).await;
    let join = JoinString {
        coordinators: app.coordinators.clone(),
        authority_sha256: sha256(app.authority.certificate()),
        token_id: token.id,
        secret: secret.as_bytes().to_vec(),
    };
    Ok(CreateJoinTokenResponse { join: join.to_string(), expires_at_us: token.expires_at.as_micros(), coordinators: app.coordinators.clone() })
}

const DEFAULT_TTL: Duration = Duration::from_secs(3_600);
const LONGEST_TTL: Duration = Duration::from_secs(366 * 86_400);
