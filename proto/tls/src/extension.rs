//! Extensions of a ClientHello, typed where the type is exact and raw otherwise.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::reader::Reader;
use crate::registry::{ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme, is_grease};
use crate::writer::Writer;

/// One extension of a ClientHello (RFC 8446 section 4.2).
///
/// [`Self::decode`] chooses a typed arm only when that arm writes the very same bytes again; everything else is [`Self::Raw`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Extension {
    /// `server_name` with exactly one host name (RFC 6066 section 3).
    ServerName(String),
    /// `supported_groups`.
    SupportedGroups(Vec<NamedGroup>),
    /// `signature_algorithms`.
    SignatureAlgorithms(Vec<SignatureScheme>),
    /// `signature_algorithms_cert`.
    SignatureAlgorithmsCert(Vec<SignatureScheme>),
    /// `supported_versions`.
    SupportedVersions(Vec<ProtocolVersion>),
    /// `key_share`: groups with the client's public keys; an empty list asks for a HelloRetryRequest.
    KeyShare(Vec<(NamedGroup, Vec<u8>)>),
    /// `application_layer_protocol_negotiation` (RFC 7301), such as `h2`.
    Alpn(Vec<Vec<u8>>),
    /// `ec_point_formats` (RFC 8422 section 5.1.2).
    EcPointFormats(Vec<u8>),
    /// `psk_key_exchange_modes`.
    PskKeyExchangeModes(Vec<u8>),
    /// `extended_master_secret` (RFC 7627).
    ExtendedMasterSecret,
    /// `encrypt_then_mac` (RFC 7366).
    EncryptThenMac,
    /// `post_handshake_auth`.
    PostHandshakeAuth,
    /// `session_ticket` (RFC 5077): the ticket, or nothing to ask for one.
    SessionTicket(Vec<u8>),
    /// `renegotiation_info` (RFC 5746): the previous verify data, empty in a first handshake.
    RenegotiationInfo(Vec<u8>),
    /// `status_request` for OCSP without responders or extensions (RFC 6066 section 8).
    StatusRequest,
    /// `signed_certificate_timestamp` (RFC 6962).
    SignedCertificateTimestamp,
    /// `cookie`: what a HelloRetryRequest asked to be returned.
    Cookie(Vec<u8>),
    /// `padding`: so many zero bytes (RFC 7685).
    Padding(usize),
    /// An extension whose type is reserved by GREASE (RFC 8701), with its body.
    Grease(u16, Vec<u8>),
    /// Any other extension, and any that its typed arm would not write byte for byte.
    Raw(ExtensionType, Vec<u8>),
}

impl Extension {
    /// Returns the type that stands on the wire.
    #[must_use]
    pub fn extension_type(&self) -> ExtensionType {
        match self {
            Self::ServerName(_) => ExtensionType::SERVER_NAME,
            Self::SupportedGroups(_) => ExtensionType::SUPPORTED_GROUPS,
            Self::SignatureAlgorithms(_) => ExtensionType::SIGNATURE_ALGORITHMS,
            Self::SignatureAlgorithmsCert(_) => ExtensionType::SIGNATURE_ALGORITHMS_CERT,
            Self::SupportedVersions(_) => ExtensionType::SUPPORTED_VERSIONS,
            Self::KeyShare(_) => ExtensionType::KEY_SHARE,
            Self::Alpn(_) => ExtensionType::ALPN,
            Self::EcPointFormats(_) => ExtensionType::EC_POINT_FORMATS,
            Self::PskKeyExchangeModes(_) => ExtensionType::PSK_KEY_EXCHANGE_MODES,
            Self::ExtendedMasterSecret => ExtensionType::EXTENDED_MASTER_SECRET,
            Self::EncryptThenMac => ExtensionType::ENCRYPT_THEN_MAC,
            Self::PostHandshakeAuth => ExtensionType::POST_HANDSHAKE_AUTH,
            Self::SessionTicket(_) => ExtensionType::SESSION_TICKET,
            Self::RenegotiationInfo(_) => ExtensionType::RENEGOTIATION_INFO,
            Self::StatusRequest => ExtensionType::STATUS_REQUEST,
            Self::SignedCertificateTimestamp => ExtensionType::SIGNED_CERTIFICATE_TIMESTAMP,
            Self::Cookie(_) => ExtensionType::COOKIE,
            Self::Padding(_) => ExtensionType::PADDING,
            Self::Grease(value, _) => ExtensionType(*value),
            Self::Raw(extension_type, _) => *extension_type,
        }
    }

    /// Reads the body of an extension of the given type; never fails, because what has no typed form stays raw.
    #[must_use]
    pub fn decode(extension_type: ExtensionType, body: &[u8]) -> Self {
        if is_grease(extension_type.0) {
            return Self::Grease(extension_type.0, body.to_vec());
        }
        match Self::decode_typed(extension_type, body) {
            Ok(typed) if typed.encode_body() == body => typed,
            _ => Self::Raw(extension_type, body.to_vec()),
        }
    }

    /// Writes the body, without type and length.
    #[must_use]
    pub fn encode_body(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.write_body(&mut writer);
        writer.into_bytes()
    }

    /// Writes type, length and body.
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.u16(self.extension_type().0);
        writer.vec_u16(|writer| self.write_body(writer));
    }

    fn write_body(&self, writer: &mut Writer) {
        match self {
            Self::ServerName(name) => writer.vec_u16(|writer| {
                writer.u8(HOST_NAME);
                writer.vec_u16(|writer| writer.bytes(name.as_bytes()));
            }),
            Self::SupportedGroups(groups) => writer.vec_u16(|writer| groups.iter().for_each(|group| writer.u16(group.0))),
            Self::SignatureAlgorithms(schemes) | Self::SignatureAlgorithmsCert(schemes) => {
                writer.vec_u16(|writer| schemes.iter().for_each(|scheme| writer.u16(scheme.0)));
            }
            Self::SupportedVersions(versions) => {
                writer.vec_u8(|writer| versions.iter().for_each(|version| writer.u16(version.0)));
            }
            Self::KeyShare(shares) => writer.vec_u16(|writer| {
                for (group, key) in shares {
                    writer.u16(group.0);
                    writer.vec_u16(|writer| writer.bytes(key));
                }
            }),
            Self::Alpn(protocols) => writer.vec_u16(|writer| {
                for protocol in protocols {
                    writer.vec_u8(|writer| writer.bytes(protocol));
                }
            }),
            Self::EcPointFormats(bytes) | Self::PskKeyExchangeModes(bytes) | Self::RenegotiationInfo(bytes) => {
                writer.vec_u8(|writer| writer.bytes(bytes));
            }
            Self::Cookie(cookie) => writer.vec_u16(|writer| writer.bytes(cookie)),
            Self::ExtendedMasterSecret | Self::EncryptThenMac | Self::PostHandshakeAuth | Self::SignedCertificateTimestamp => {}
            Self::StatusRequest => writer.bytes(&OCSP_WITHOUT_DETAILS),
            // One more than an extension can hold is enough to be cut there.
            Self::Padding(count) => writer.zeros((*count).min(usize::from(u16::MAX) + 1)),
            Self::SessionTicket(body) | Self::Grease(_, body) | Self::Raw(_, body) => writer.bytes(body),
        }
    }

    fn decode_typed(extension_type: ExtensionType, body: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "extension";
        let mut reader = Reader::new(body);
        let typed = match extension_type {
            ExtensionType::SERVER_NAME => Self::ServerName(single_host_name(reader.vec_u16(WHAT)?)?),
            ExtensionType::SUPPORTED_GROUPS => Self::SupportedGroups(pairs(reader.vec_u16(WHAT)?, NamedGroup)?),
            ExtensionType::SIGNATURE_ALGORITHMS => Self::SignatureAlgorithms(pairs(reader.vec_u16(WHAT)?, SignatureScheme)?),
            ExtensionType::SIGNATURE_ALGORITHMS_CERT => Self::SignatureAlgorithmsCert(pairs(reader.vec_u16(WHAT)?, SignatureScheme)?),
            ExtensionType::SUPPORTED_VERSIONS => Self::SupportedVersions(pairs(reader.vec_u8(WHAT)?, ProtocolVersion)?),
            ExtensionType::KEY_SHARE => {
                Self::KeyShare(items(reader.vec_u16(WHAT)?, |reader| Ok((NamedGroup(reader.u16(WHAT)?), reader.vec_u16(WHAT)?.to_vec())))?)
            }
            ExtensionType::ALPN => Self::Alpn(items(reader.vec_u16(WHAT)?, |reader| Ok(reader.vec_u8(WHAT)?.to_vec()))?),
            ExtensionType::EC_POINT_FORMATS => Self::EcPointFormats(reader.vec_u8(WHAT)?.to_vec()),
            ExtensionType::PSK_KEY_EXCHANGE_MODES => Self::PskKeyExchangeModes(reader.vec_u8(WHAT)?.to_vec()),
            ExtensionType::EXTENDED_MASTER_SECRET => Self::ExtendedMasterSecret,
            ExtensionType::ENCRYPT_THEN_MAC => Self::EncryptThenMac,
            ExtensionType::POST_HANDSHAKE_AUTH => Self::PostHandshakeAuth,
            ExtensionType::SESSION_TICKET => Self::SessionTicket(reader.rest().to_vec()),
            ExtensionType::RENEGOTIATION_INFO => Self::RenegotiationInfo(reader.vec_u8(WHAT)?.to_vec()),
            ExtensionType::STATUS_REQUEST => Self::StatusRequest,
            ExtensionType::SIGNED_CERTIFICATE_TIMESTAMP => Self::SignedCertificateTimestamp,
            ExtensionType::COOKIE => Self::Cookie(reader.vec_u16(WHAT)?.to_vec()),
            ExtensionType::PADDING => Self::Padding(reader.rest().len()),
            _ => Self::Raw(extension_type, reader.rest().to_vec()),
        };
        Ok(typed)
    }
}

fn single_host_name(list: &[u8]) -> Result<String, DecodeError> {
    const WHAT: &str = "server name";
    let mut reader = Reader::new(list);
    let forbidden = DecodeError::new(WHAT, DecodeErrorKind::BadValue);
    if reader.u8(WHAT)? != HOST_NAME {
        return Err(forbidden);
    }
    let name = reader.vec_u16(WHAT)?;
    reader.expect_end(WHAT)?;
    String::from_utf8(name.to_vec()).map_err(|_| forbidden)
}

fn pairs<T>(list: &[u8], item: impl Fn(u16) -> T) -> Result<Vec<T>, DecodeError> {
    Reader::new(list).rest_of_u16("extension", item)
}

fn items<T>(list: &[u8], item: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>) -> Result<Vec<T>, DecodeError> {
    let mut reader = Reader::new(list);
    let mut items = Vec::new();
    while !reader.is_empty() {
        items.push(item(&mut reader)?);
    }
    Ok(items)
}

/// The name type of a host name (RFC 6066 section 3).
pub(crate) const HOST_NAME: u8 = 0;

/// Status type OCSP, no responder ids, no request extensions (RFC 6066 section 8).
const OCSP_WITHOUT_DETAILS: [u8; 5] = [1, 0, 0, 0, 0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_typed_arm_would_not_write_stays_raw() {
        let cases: [(ExtensionType, &[u8]); 7] = [
            (ExtensionType::SERVER_NAME, &[0, 4, 1, 0, 1, b'a']),
            (ExtensionType::SERVER_NAME, &[0, 8, 0, 0, 1, b'a', 0, 0, 1, b'b']),
            (ExtensionType::SERVER_NAME, &[0, 4, 0, 0, 1, 0xff]),
            (ExtensionType::SUPPORTED_GROUPS, &[0, 3, 0, 29, 0]),
            (ExtensionType::PADDING, &[0, 0, 1]),
            (ExtensionType::STATUS_REQUEST, &[1, 0, 0, 0, 0, 0]),
            (ExtensionType::EXTENDED_MASTER_SECRET, &[0]),
        ];
        for (extension_type, body) in cases {
            let extension = Extension::decode(extension_type, body);
            assert_eq!(extension, Extension::Raw(extension_type, body.to_vec()));
        }
    }

    #[test]
    fn typed_arms_are_chosen_for_ordinary_bodies() {
        let name = Extension::decode(ExtensionType::SERVER_NAME, &[0, 4, 0, 0, 1, b'a']);
        assert_eq!(name, Extension::ServerName("a".to_owned()));
        assert_eq!(Extension::decode(ExtensionType::PADDING, &[0; 9]), Extension::Padding(9));
        assert_eq!(Extension::decode(ExtensionType(0x3a3a), &[7]), Extension::Grease(0x3a3a, vec![7]));
        assert_eq!(Extension::decode(ExtensionType::KEY_SHARE, &[0, 0]), Extension::KeyShare(vec![]));
    }

    #[test]
    fn impossible_padding_is_cut_at_the_length_field() {
        let mut writer = Writer::new();
        Extension::Padding(usize::MAX).write(&mut writer);
        assert_eq!(writer.into_bytes().len(), 4 + 65_535);
    }
}
