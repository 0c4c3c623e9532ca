use parallax_model::verdict::Cause;

use super::{Hint, Served};

/// The server asks for a certificate and goes on without one.
pub(super) fn test(served: &Served<'_, '_>) -> Option<Hint> {
    let goes_on = served.seen.iter().all(|(_, look)| look.outcome.is_ok() && look.certificate_was_requested());
    goes_on.then(|| Hint {
        cause: Cause::ServerClientCertificateOptional,
        rule: "certificate-request",
        text: "the server asks its clients for a certificate and goes on without one".to_owned(),
        counter: Cause::ServerClientCertificateRequired,
        next: "try the paths that need a client certificate",
    })
}
