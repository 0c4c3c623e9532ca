//! Who asks: a vantage by its client certificate, an operator by a token.

use std::net::IpAddr;

use parallax_model::vantage::Vantage;
use parallax_store::Role;
use tonic::{Request, Status};

use super::status::{of_refusal, of_store};
use crate::{
    app::App,
    pki::{PeerIdentity, Secret, admits, peer_identity},
};

/// An operator who may do what he asks for.
#[derive(Debug, Clone)]
pub(super) struct Operator {
    /// The name of his token.
    pub(super) name: String,
}

/// Finds the vantage behind a request; its certificate was verified in the handshake and still stands.
pub(super) async fn vantage<T>(app: &App, request: &Request<T>) -> Result<(PeerIdentity, Vantage), Status> {
    let certificates = request.peer_certs().ok_or_else(|| Status::unauthenticated("this call needs the client certificate of a vantage: enrol first"))?;
    let peer = certificates.first().and_then(peer_identity).ok_or_else(|| Status::unauthenticated("the client certificate names no vantage"))?;
    let vantage = app.store.vantage(&peer.name).await.map_err(of_store)?;
    admits(&peer, vantage.as_ref()).map_err(|refusal| of_refusal(&refusal))?;
    let vantage = vantage.ok_or_else(|| Status::permission_denied("the vantage was deleted"))?;
    Ok((peer, vantage))
}

/// Finds the operator behind a request and holds him to the role that the call needs.
pub(super) async fn operator<T>(app: &App, request: &Request<T>, needed: Role) -> Result<Operator, Status> {
    let header = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(|| {
        Status::unauthenticated("this call needs an operator's token: use the context file that the coordinator wrote (DATA_DIR/admin.toml), or --token")
    })?;
    let unknown = || Status::unauthenticated("the operator's token is not known to this coordinator");
    let secret = Secret::of_operator_token(token.trim()).ok_or_else(unknown)?;
    let found = app.store.operator_by_secret(&secret.digest()).await.map_err(of_store)?.ok_or_else(unknown)?;
    if found.role < needed {
        return Err(Status::permission_denied(format!("{} has the role {}, and this needs {needed}", found.name, found.role)));
    }
    Ok(Operator { name: found.name })
}

/// Returns the address that a request comes from.
pub(super) fn egress<T>(request: &Request<T>) -> Option<IpAddr> {
    request.remote_addr().map(|address| address.ip().to_canonical())
}
