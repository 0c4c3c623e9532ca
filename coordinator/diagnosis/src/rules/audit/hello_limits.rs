use parallax_model::{
    facts::{AuditFacts, Rung},
    verdict::Cause,
};

use super::{Claim, tolerance};

/// `server.hello-limits`: a correct hello of a kind that no client in use sends is not answered, while the plain ones are.
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let what = tolerance::not_borne(facts, &RARE)?;
    Some(Claim {
        cause: Cause::ServerHelloLimits,
        what: format!("{what}, which no client in use sends today"),
        counter: Cause::EdgeFilter,
        next: "send the same hellos from the server itself, past its balancer",
    })
}

/// What no client in use does, in words that follow "a ClientHello".
const RARE: [(Rung, &str); 2] = [(Rung::ManySuites, "with more than 128 suites"), (Rung::Length10Mod256, "whose length is 10 modulo 256")];
