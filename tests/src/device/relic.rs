//! What only TLS libraries long out of use answer: SSL 2, SSL 3, suites for export and a Diffie-Hellman value for all, each up to the end of the server's first flight.

use std::{io, path::Path};

use clap::ValueEnum;
use parallax_model::bytes::Bytes;
use parallax_tls::{
    ClientHello, ServerHello,
    record::{MAX_FRAGMENT, encode_records},
    registry::{CipherSuite, ContentType, ProtocolVersion},
    server_flight::CertificateMessage,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

/// What a server has never been rid of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Relic {
    /// SSL 2 (RFC 6101, appendix E).
    Ssl2,
    /// SSL 3 (RFC 6101).
    Ssl3,
    /// Suites for export, in TLS 1.0 (RFC 2246).
    Export,
    /// Diffie-Hellman with one and the same public value for all connections, in TLS 1.2.
    StaticDh,
}

/// A relic and the certificates that the server shows with it.
#[derive(Debug, Clone)]
pub struct Relics {
    relic: Relic,
    certificates: Vec<Vec<u8>>,
}

impl Relics {
    /// Reads the chain (PEM).
    pub fn new(relic: Relic, chain: &Path) -> io::Result<Self> {
        let certificates = CertificateDer::pem_file_iter(chain).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(io::Error::other)?;
        Ok(Self { relic, certificates: certificates.iter().map(|certificate| certificate.to_vec()).collect() })
    }

    /// Returns the flight that answers the first bytes of a connection; none where they offer nothing of the relic.
    pub fn answer(&self, first: &[u8]) -> Option<Vec<u8>> {
        match self.relic {
            Relic::Ssl2 => matches!(first, [header, _, 1, 0, 2, ..] if header & 0x80 != 0).then(|| self.ssl2_hello()),
            Relic::Ssl3 => self.flight(first, ProtocolVersion::SSL30, &RSA_SUITES, Vec::new()),
            Relic::Export => self.flight(first, ProtocolVersion::TLS10, &EXPORT_SUITES, Vec::new()),
            Relic::StaticDh => self.flight(first, ProtocolVersion::TLS12, &DHE_SUITES, key_exchange()),
        }
    }

    fn flight(&self, first: &[u8], version: ProtocolVersion, suites: &[CipherSuite], key_exchange: Vec<u8>) -> Option<Vec<u8>> {
        let hello = ClientHello::decode(first.get(5..)?).ok().filter(|hello| hello.offered_versions() == [version])?;
        let cipher_suite = *suites.iter().find(|suite| hello.cipher_suites.contains(suite))?;
        let hello = ServerHello { legacy_version: version, random: [7; 32], session_id: vec![7; 32], cipher_suite, ..ServerHello::default() };
        let certificate = CertificateMessage { certificates: self.certificates.clone() };
        let messages = [hello.encode(), certificate.encode(), key_exchange, SERVER_HELLO_DONE.to_vec()].concat();
        Some(encode_records(ContentType::HANDSHAKE, version, &messages, MAX_FRAGMENT))
    }

    fn ssl2_hello(&self) -> Vec<u8> {
        let certificate = self.certificates.first().map_or(&[][..], Vec::as_slice);
        let lengths = [certificate.len(), SSL2_KINDS.len(), CONNECTION_ID.len()];
        let head = [&[4, 0, 1, 0, 2][..], &lengths.map(|length| (length as u16).to_be_bytes()).concat()].concat();
        let body = [&head, certificate, &SSL2_KINDS, &CONNECTION_ID].concat();
        [&(0x8000 | body.len() as u16).to_be_bytes()[..], &body].concat()
    }
}

/// Writes a ServerKeyExchange (RFC 5246 section 7.4.3) of the group ffdhe2048; nobody who reads on would believe its signature.
fn key_exchange() -> Vec<u8> {
    let prime: Bytes = FFDHE_2048.parse().expect("hexadecimal digits");
    let vector = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let body = [vector(&prime.0), vector(&[2]), vector(&[7; 256]), vec![8, 4], vector(&[7; 256])].concat();
    [&[12, 0][..], &vector(&body)].concat()
}

/// RFC 7919, appendix A.1.
const FFDHE_2048: &str = "ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695a9e13641146433fbcc939dce249b3ef97d2fe363630c75d8f681b202aec4617ad3df1ed5d5fd65612433f51f5f066ed0856365553ded1af3b557135e7f57c935984f0c70e0e68b77e2a689daf3efe8721df158a136ade73530acca4f483a797abc0ab182b324fb61d108a94bb2c8e3fbb96adab760d7f4681d4f42a3de394df4ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f619172fe9ce98583ff8e4f1232eef28183c3fe3b1b4c6fad733bb5fcbc2ec22005c58ef1837d1683b2c6f34a26c1b2effa886b423861285c97ffffffffffffffff";
const DHE_SUITES: [CipherSuite; 1] = [CipherSuite(0x009e)];
/// RC4 of 128 bits and DES-EDE3, both with MD5.
const SSL2_KINDS: [u8; 6] = [1, 0, 0x80, 7, 0, 0xc0];
const CONNECTION_ID: [u8; 16] = [7; 16];
const RSA_SUITES: [CipherSuite; 2] = [CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA, CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA];
/// RC4 and DES of 40 bits.
const EXPORT_SUITES: [CipherSuite; 2] = [CipherSuite(0x0003), CipherSuite(0x0008)];
const SERVER_HELLO_DONE: [u8; 4] = [14, 0, 0, 0];

#[cfg(test)]
mod tests {
    use super::*;
    use parallax_tls::{server_answer::read_server_answer, ssl2};

    fn relics(relic: Relic) -> Relics {
        Relics { relic, certificates: vec![vec![0x30, 0]] }
    }

    fn record(version: ProtocolVersion, suite: u16) -> Vec<u8> {
        let hello = ClientHello { legacy_version: version, cipher_suites: vec![CipherSuite(suite)], ..ClientHello::default() };
        hello.to_records(version.min(ProtocolVersion::TLS10))
    }

    #[test]
    fn a_relic_answers_what_offers_it_with_a_whole_flight() {
        let ssl2 = relics(Relic::Ssl2).answer(&ssl2::client_hello(&[1; 16])).unwrap();
        assert_eq!(ssl2::ServerHello::decode(&ssl2).unwrap(), ssl2::ServerHello { cipher_kinds: vec![0x01_0080, 0x07_00c0], certificate: vec![0x30, 0] });
        let others =
            [(Relic::Ssl3, ProtocolVersion::SSL30, 0x002f), (Relic::Export, ProtocolVersion::TLS10, 0x0008), (Relic::StaticDh, ProtocolVersion::TLS12, 0x009e)];
        for (relic, version, suite) in others {
            let answer = read_server_answer(&relics(relic).answer(&record(version, suite)).unwrap());
            let hello = answer.server_hello.as_ref().unwrap();
            assert_eq!((hello.legacy_version, hello.cipher_suite, answer.server_hello_done), (version, CipherSuite(suite), true), "{relic:?}");
            let bits = answer.server_key_exchange.and_then(|exchange| exchange.group.prime_bits());
            assert_eq!(bits, (relic == Relic::StaticDh).then_some(2_048));
        }
    }

    #[test]
    fn what_does_not_offer_a_relic_is_left_to_the_server() {
        assert_eq!(relics(Relic::Ssl2).answer(&record(ProtocolVersion::SSL30, 0x002f)), None);
        assert_eq!(relics(Relic::Ssl3).answer(&record(ProtocolVersion::TLS12, 0x002f)), None);
        assert_eq!(relics(Relic::Ssl3).answer(&ssl2::client_hello(&[1; 16])), None);
        assert_eq!(relics(Relic::Export).answer(&record(ProtocolVersion::TLS10, 0x002f)), None);
    }
}
