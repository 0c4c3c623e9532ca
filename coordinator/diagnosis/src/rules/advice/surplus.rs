use parallax_model::verdict::Cause;

use super::{Hint, Served};
use crate::explain::count;

/// A root, a repetition or a stranger in the chain: sent to no end.
pub(super) fn test(served: &Served<'_, '_>) -> Option<Hint> {
    let surplus = served.judgement().surplus;
    (surplus > 0).then(|| Hint {
        cause: Cause::ServerChainSurplus,
        rule: "chain",
        text: format!("of {} that the server sends, no client needs {surplus}", count(served.chain().sent.len(), "certificate")),
        counter: Cause::ServerChainMisordered,
        next: "compare the chain with the one that the authority delivers",
    })
}
