use parallax_model::verdict::Cause;

use super::{Hint, Served};

/// The certificates alone exceed the initial congestion window of ten segments (RFC 6928).
pub(super) fn test(served: &Served<'_, '_>) -> Option<Hint> {
    let bytes: usize = served.chain().sent.iter().map(|certificate| certificate.0.len()).sum();
    (bytes > INITIAL_WINDOW).then(|| Hint {
        cause: Cause::ServerChainOversized,
        rule: "chain",
        text: format!("the certificates take {bytes} bytes: more than ten segments, and so another round trip"),
        counter: Cause::ServerChainSurplus,
        next: "count the bytes of each certificate (openssl s_client -showcerts)",
    })
}

const INITIAL_WINDOW: usize = 14_600;
