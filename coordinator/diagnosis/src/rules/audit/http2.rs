use parallax_model::{
    facts::{AuditFacts, Http2Answer},
    verdict::Cause,
};

use super::Claim;

/// `server.http2-broken`: `h2` is agreed on, and HTTP/2 is not spoken.
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let what = match facts.http2? {
        // A server that takes its time is no server without HTTP/2.
        Http2Answer::Settings | Http2Answer::Silence => return None,
        Http2Answer::Http1 => "agrees on h2 by ALPN and then answers in HTTP/1",
        Http2Answer::Other => "agrees on h2 by ALPN and then speaks no HTTP",
        Http2Answer::Ended => "agrees on h2 by ALPN and then ends the connection at the first byte of HTTP/2",
    };
    Some(Claim {
        cause: Cause::ServerHttp2Broken,
        what: what.to_owned(),
        counter: Cause::ServerUpstreamFailure,
        next: "ask by HTTP/2 and by HTTP/1.1 (curl --http2 and curl --http1.1)",
    })
}
