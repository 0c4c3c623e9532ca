//! What a ServerHello of TLS 1.2 or before grants to a hello that offers every extension.

use parallax_model::facts::{ClientCertificateFacts, FeatureFacts};
use parallax_tls::{
    Extension, ServerAnswer, ServerHello,
    registry::{CipherSuite, ExtensionType, ProtocolVersion},
};

use super::{
    ask::{Ask, Reply},
    caller::Caller,
};

/// Offers everything, compression and a made-up session included.
pub(super) fn everything(caller: &Caller, version: ProtocolVersion, accepted: &[u16]) -> Ask {
    let mut offer = caller.offer(version, accepted.iter().copied().map(CipherSuite).collect());
    offer.more = vec![
        Extension::ExtendedMasterSecret,
        Extension::EncryptThenMac,
        Extension::SessionTicket(Vec::new()),
        Extension::StatusRequest,
        Extension::SignedCertificateTimestamp,
        Extension::Raw(ExtensionType::HEARTBEAT, vec![PEER_MAY_SEND]),
        Extension::Raw(ExtensionType::NEXT_PROTOCOL_NEGOTIATION, Vec::new()),
        Extension::RenegotiationInfo(Vec::new()),
    ];
    let mut ask = caller.ask(offer);
    ask.hello.compression_methods = vec![DEFLATE, 0];
    ask.hello.session_id = caller.session_id.to_vec();
    // The extension says the same, and both together are one too many for some.
    ask.hello.cipher_suites.retain(|suite| !suite.is_signal());
    ask
}

/// Offers `encrypt_then_mac` with CBC suites alone, for which it is meant; none when the server accepts none of them.
pub(super) fn encrypt_then_mac(caller: &Caller, version: ProtocolVersion, accepted: &[u16]) -> Option<Ask> {
    let suites: Vec<CipherSuite> = accepted.iter().copied().map(CipherSuite).filter(|suite| suite.is_cbc()).collect();
    (!suites.is_empty()).then(|| {
        let mut offer = caller.offer(version, suites);
        offer.more = vec![Extension::EncryptThenMac];
        caller.ask(offer)
    })
}

/// Claims to fall back to this version (RFC 7507), with its suites.
pub(super) fn fallback(caller: &Caller, version: ProtocolVersion, accepted: &[u16]) -> Ask {
    let mut ask = caller.ask(caller.offer(version, accepted.iter().copied().map(CipherSuite).collect()));
    ask.hello.cipher_suites.push(CipherSuite::TLS_FALLBACK_SCSV);
    ask
}

/// Reads the answer to [`everything`], and those to the other two hellos where they were asked.
pub(super) fn facts(caller: &Caller, all: &Reply, cbc: Option<&Reply>, fallback: Option<&Reply>) -> Option<FeatureFacts> {
    let hello = all.hello()?;
    let has = |extension| hello.extension(extension).is_some();
    Some(FeatureFacts {
        version: hello.selected_version().0,
        cipher_suite: hello.cipher_suite.0,
        extensions: hello.extensions.iter().map(|(kind, _)| kind.0).collect(),
        renegotiation_info: has(ExtensionType::RENEGOTIATION_INFO),
        extended_master_secret: has(ExtensionType::EXTENDED_MASTER_SECRET),
        encrypt_then_mac: cbc.and_then(Reply::hello).map(|hello| hello.extension(ExtensionType::ENCRYPT_THEN_MAC).is_some()),
        compression: hello.compression,
        heartbeat: hello.extension(ExtensionType::HEARTBEAT).map(|mode| mode.first().copied().unwrap_or(0)),
        next_protocols: hello.extension(ExtensionType::NEXT_PROTOCOL_NEGOTIATION).map(next_protocols),
        session_ticket: has(ExtensionType::SESSION_TICKET),
        session_id_bytes: u8::try_from(hello.session_id.len()).unwrap_or(u8::MAX),
        session_id_echoed: hello.session_id == caller.session_id,
        downgrade_sentinel: sentinel(hello),
        fallback_scsv: fallback.map(|reply| reply.end),
    })
}

/// Reads the last byte of the sentinel that a server of TLS 1.3 puts into an older hello (RFC 8446 section 4.1.3).
fn sentinel(hello: &ServerHello) -> Option<u8> {
    let (tail, [.., last]) = (hello.random.get(24..31)?, hello.random);
    (tail == DOWNGRADE && last <= 1).then_some(last)
}

fn next_protocols(mut body: &[u8]) -> Vec<String> {
    let mut protocols = Vec::new();
    while let Some((&length, rest)) = body.split_first() {
        let Some((protocol, rest)) = rest.split_at_checked(usize::from(length)) else { break };
        if protocols.len() < MOST_PROTOCOLS {
            protocols.push(String::from_utf8_lossy(protocol).into_owned());
        }
        body = rest;
    }
    protocols
}

/// Reads the request for a client certificate out of any answer.
pub(super) fn client_certificate(answer: &ServerAnswer) -> Option<ClientCertificateFacts> {
    let request = answer.certificate_request.as_ref()?;
    Some(ClientCertificateFacts {
        certificate_types: request.certificate_types.clone(),
        signature_schemes: request.signature_schemes.iter().map(|scheme| scheme.0).collect(),
        authorities: request.authorities.iter().take(MOST_AUTHORITIES).cloned().map(parallax_model::bytes::Bytes).collect(),
        authorities_count: u32::try_from(request.authorities.len()).unwrap_or(u32::MAX),
        flight_bytes: answer.records.bytes,
    })
}

/// Chooses the version to claim a fallback to: the highest below the server's best, with its suites.
pub(super) fn fallback_version(accepted: &[(ProtocolVersion, Vec<u16>)]) -> Option<&(ProtocolVersion, Vec<u16>)> {
    let best = accepted.iter().map(|(version, _)| *version).max()?;
    accepted.iter().filter(|(version, _)| *version < best).max_by_key(|(version, _)| *version)
}

const DOWNGRADE: &[u8] = b"DOWNGRD";
const DEFLATE: u8 = 1;
const PEER_MAY_SEND: u8 = 1;
const MOST_PROTOCOLS: usize = 16;
pub(super) const MOST_AUTHORITIES: usize = 32;

#[cfg(test)]
mod tests {
    use parallax_model::facts::AuditAnswer;

    use super::*;
    use crate::audit::tests::{caller, replied};

    fn granted(hello: ServerHello) -> Reply {
        replied(AuditAnswer::Hello, ServerAnswer { server_hello: Some(hello), ..ServerAnswer::default() })
    }

    #[test]
    fn what_the_server_hello_grants_is_read() {
        let caller = caller();
        let mut random = [7; 32];
        random[24..].copy_from_slice(b"DOWNGRD\x01");
        let extensions = vec![
            (ExtensionType::RENEGOTIATION_INFO, vec![0]),
            (ExtensionType::HEARTBEAT, vec![1]),
            (ExtensionType::NEXT_PROTOCOL_NEGOTIATION, b"\x02h2\x08http/1.1\x09cut".to_vec()),
        ];
        let hello = ServerHello { random, session_id: caller.session_id.to_vec(), compression: 1, extensions, ..ServerHello::default() };
        let refusal = replied(AuditAnswer::Alert(86), ServerAnswer::default());
        let cbc = granted(ServerHello { extensions: vec![(ExtensionType::ENCRYPT_THEN_MAC, Vec::new())], ..ServerHello::default() });
        let found = facts(&caller, &granted(hello), Some(&cbc), Some(&refusal)).unwrap();
        assert!(found.renegotiation_info && found.session_id_echoed && !found.extended_master_secret && !found.session_ticket);
        assert_eq!((found.compression, found.heartbeat, found.downgrade_sentinel), (1, Some(1), Some(1)));
        assert_eq!(found.next_protocols, Some(vec!["h2".to_owned(), "http/1.1".to_owned()]));
        assert_eq!((found.encrypt_then_mac, found.fallback_scsv), (Some(true), Some(AuditAnswer::Alert(86))));
        assert_eq!(facts(&caller, &refusal, None, None), None);
    }

    #[test]
    fn the_hello_for_everything_signals_renegotiation_once() {
        let ask = everything(&caller(), ProtocolVersion::TLS12, &[0xc02f]);
        assert!(!ask.hello.cipher_suites.contains(&CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV));
        assert_eq!((ask.hello.session_id.len(), ask.hello.compression_methods), (32, vec![1, 0]));
        assert!(encrypt_then_mac(&caller(), ProtocolVersion::TLS12, &[0xc02f]).is_none());
    }

    #[test]
    fn a_fallback_is_claimed_to_the_second_best_version() {
        let versions = [(ProtocolVersion::TLS10, vec![1]), (ProtocolVersion::TLS12, vec![2]), (ProtocolVersion::TLS13, vec![3])];
        assert_eq!(fallback_version(&versions), Some(&versions[1]));
        assert_eq!(fallback_version(&versions[..1]), None);
        let ask = fallback(&caller(), ProtocolVersion::TLS12, &[0xc02f]);
        assert_eq!(ask.hello.cipher_suites.last(), Some(&CipherSuite::TLS_FALLBACK_SCSV));
    }
}
