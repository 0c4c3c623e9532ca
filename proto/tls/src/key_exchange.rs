//! The ServerKeyExchange of TLS 1.2 and before (RFC 5246 section 7.4.3, RFC 8422 section 5.4).

use crate::error::{DecodeError, DecodeErrorKind};
use crate::reader::Reader;
use crate::record::HandshakeMessage;
use crate::registry::{CipherSuite, HandshakeType, KeyExchange, NamedGroup, ProtocolVersion, SignatureScheme};

/// The group of an ephemeral key exchange in TLS 1.2 and before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyExchangeGroup {
    /// A curve by its number (RFC 8422 section 5.4).
    Named(NamedGroup),
    /// Finite field Diffie-Hellman over a prime that the server sent (RFC 5246 section 7.4.3), without leading zeros.
    FiniteField {
        /// The prime, big-endian.
        prime: Vec<u8>,
        /// The generator, big-endian.
        generator: Vec<u8>,
    },
}

impl KeyExchangeGroup {
    /// Returns the size of the prime in bits; none for a curve.
    #[must_use]
    pub fn prime_bits(&self) -> Option<u32> {
        match self {
            Self::Named(_) => None,
            Self::FiniteField { prime, .. } => Some(prime.first().map_or(0, |top| prime.len() as u32 * 8 - top.leading_zeros())),
        }
    }
}

/// The parameters of a ServerKeyExchange that this crate reads; the signature itself is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerKeyExchange {
    /// The group of the exchange.
    pub group: KeyExchangeGroup,
    /// The server's public value: a point, or a number without leading zeros.
    pub public_value: Vec<u8>,
    /// The scheme of the signature over the parameters; absent before TLS 1.2 and for anonymous exchanges.
    pub signature_scheme: Option<SignatureScheme>,
}

impl ServerKeyExchange {
    /// Reads a whole handshake message, header included; `None` for a suite whose parameters this crate does not know.
    pub fn decode(bytes: &[u8], version: ProtocolVersion, suite: CipherSuite) -> Result<Option<Self>, DecodeError> {
        const WHAT: &str = "server key exchange";
        let mut reader = Reader::new(HandshakeMessage::body_of(bytes, HandshakeType::SERVER_KEY_EXCHANGE, WHAT)?);
        if suite.has_pre_shared_key() {
            reader.vec_u16("identity hint")?;
        }
        let (group, public_value) = match suite.key_exchange() {
            KeyExchange::EllipticCurve => elliptic_curve(&mut reader)?,
            KeyExchange::FiniteField => finite_field(&mut reader)?,
            KeyExchange::Tls13 | KeyExchange::Other => return Ok(None),
        };
        let signature_scheme =
            if version >= ProtocolVersion::TLS12 && !reader.is_empty() { Some(SignatureScheme(reader.u16("signature scheme")?)) } else { None };
        if !reader.is_empty() {
            reader.vec_u16("signature")?;
        }
        reader.expect_end(WHAT)?;
        Ok(Some(Self { group, public_value, signature_scheme }))
    }
}

fn elliptic_curve(reader: &mut Reader<'_>) -> Result<(KeyExchangeGroup, Vec<u8>), DecodeError> {
    const NAMED_CURVE: u8 = 3;
    if reader.u8("curve type")? != NAMED_CURVE {
        return Err(DecodeError::new("curve type", DecodeErrorKind::BadValue));
    }
    let group = NamedGroup(reader.u16("named curve")?);
    Ok((KeyExchangeGroup::Named(group), reader.vec_u8("public key")?.to_vec()))
}

fn finite_field(reader: &mut Reader<'_>) -> Result<(KeyExchangeGroup, Vec<u8>), DecodeError> {
    let prime = significant(reader.vec_u16("prime")?);
    let generator = significant(reader.vec_u16("generator")?);
    Ok((KeyExchangeGroup::FiniteField { prime, generator }, significant(reader.vec_u16("public key")?)))
}

fn significant(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}
