use parallax_model::{
    facts::{AuditAnswer, AuditFacts, Rung},
    verdict::Cause,
};

use super::Claim;
use crate::explain::row;

/// `server.hello-intolerance`: a hello with one peculiarity that clients in use have is not answered, while the plain one of its kind is.
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    Some(Claim {
        cause: Cause::ServerHelloIntolerance,
        what: not_borne(facts, &IN_USE)?,
        counter: Cause::EdgeFilter,
        next: "send the same hellos from the server itself, past its balancer",
    })
}

/// Says which of these hellos are not answered while the plain ones are; none when all are.
pub(super) fn not_borne(facts: &AuditFacts, hellos: &[(Rung, &str)]) -> Option<String> {
    if [Rung::Small, Rung::Modern].into_iter().any(|plain| facts.answer_to(plain) != Some(AuditAnswer::Hello)) {
        return None;
    }
    let fails = |rung: &&(Rung, &str)| facts.answer_to(rung.0).is_some_and(is_failure);
    let failed: Vec<&str> = hellos.iter().filter(fails).map(|(_, name)| *name).collect();
    (!failed.is_empty()).then(|| format!("does not answer a ClientHello {}", row(&failed)))
}

/// A missing connection says nothing about the hello.
fn is_failure(answer: AuditAnswer) -> bool {
    !matches!(answer, AuditAnswer::Hello | AuditAnswer::NotConnected | AuditAnswer::OverCap)
}

/// What clients in use do, in words that follow "a ClientHello".
const IN_USE: [(Rung, &str); 14] = [
    (Rung::SmallUpperCase, "with the name in upper case"),
    (Rung::Length256To511, "of 256 to 511 bytes"),
    (Rung::Length512, "of 512 bytes"),
    (Rung::Padded, "of more than one segment"),
    (Rung::HybridShare, "with a post-quantum key share"),
    (Rung::TwoSegments, "in two segments"),
    (Rung::NameInTwoSegments, "cut inside the name"),
    (Rung::TwoRecords, "in two records"),
    (Rung::Grease, "with GREASE values"),
    (Rung::UnknownExtension, "with an unknown extension"),
    (Rung::EmptyLastExtension, "with an empty extension at its end"),
    (Rung::RecordVersion0303, "in a record of version 0x0303"),
    (Rung::AlpnHttp, "with h2 and http/1.1 by ALPN"),
    (Rung::EchGrease, "with GREASE for encrypted hellos"),
];
