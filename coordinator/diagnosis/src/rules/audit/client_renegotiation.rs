use parallax_model::{
    facts::{AuditAnswer, AuditFacts},
    verdict::Cause,
};

use super::Claim;

/// `server.client-renegotiation`: a second ClientHello on a finished connection makes the server begin another handshake, as often as the client likes.
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    (facts.renegotiation == Some(AuditAnswer::Hello)).then(|| Claim {
        cause: Cause::ServerClientRenegotiation,
        what: "begins another handshake whenever a client of TLS 1.2 asks for one on its connection".to_owned(),
        counter: Cause::ServerInsecureRenegotiation,
        next: "press R in openssl s_client -tls1_2",
    })
}
