use parallax_model::{
    facts::{AuditAnswer, AuditFacts, CertificateAsk, CertificateFacts},
    verdict::Cause,
};

use super::Claim;

/// `server.name-needed`: a client that sends no name is refused, or gets another certificate than one that does.
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let asked = |ask: CertificateAsk| facts.certificates.iter().find(|certificate| certificate.ask == ask);
    let named = asked(CertificateAsk::OwnName).filter(|certificate| certificate.chain.is_some())?;
    let nameless = asked(CertificateAsk::NoName)?;
    let leaf = |certificate: &CertificateFacts| facts.chains.get(certificate.chain? as usize)?.first();
    let what = match nameless.answer {
        AuditAnswer::Alert(_) => "refuses clients that send no name",
        AuditAnswer::Hello if nameless.chain.is_some() && nameless.version == named.version && leaf(nameless) != leaf(named) => {
            "shows another certificate to clients that send no name"
        }
        _ => return None,
    };
    Some(Claim {
        cause: Cause::ServerNameNeeded,
        what: what.to_owned(),
        counter: Cause::ServerDefaultCertificate,
        next: "probe with --profile no-sni where such clients matter (nginx and HAProxy as clients, monitors by address)",
    })
}
