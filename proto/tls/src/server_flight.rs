//! What a server sends in clear: ServerHello and HelloRetryRequest, and the messages of TLS 1.2 and before.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::reader::Reader;
use crate::record::HandshakeMessage;
use crate::registry::{CipherSuite, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion, SignatureScheme};

pub use crate::key_exchange::{KeyExchangeGroup, ServerKeyExchange};
use crate::writer::handshake_message;

/// The random that makes a ServerHello a HelloRetryRequest (RFC 8446 section 4.1.3).
pub const HELLO_RETRY_REQUEST_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e,
    0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// A ServerHello of any version, or a HelloRetryRequest, which has the same shape (RFC 8446 section 4.1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHello {
    /// The version up to TLS 1.2; see [`Self::selected_version`].
    pub legacy_version: ProtocolVersion,
    /// The server's random.
    pub random: [u8; 32],
    /// The session id; TLS 1.3 returns the client's.
    pub session_id: Vec<u8>,
    /// The suite that the server chose.
    pub cipher_suite: CipherSuite,
    /// The compression method that the server chose.
    pub compression: u8,
    /// The extensions in order, with their bodies.
    pub extensions: Vec<(ExtensionType, Vec<u8>)>,
    /// Whether a block of length zero is written when there are no extensions; without it the message ends before the block.
    pub empty_extension_block: bool,
}

impl Default for ServerHello {
    fn default() -> Self {
        Self {
            legacy_version: ProtocolVersion::TLS12,
            random: [0; 32],
            session_id: Vec::new(),
            cipher_suite: CipherSuite(0),
            compression: 0,
            extensions: Vec::new(),
            empty_extension_block: false,
        }
    }
}

impl ServerHello {
    /// Reads a whole handshake message, header included; [`Self::encode`] writes the same bytes again.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let body = HandshakeMessage::body_of(bytes, HandshakeType::SERVER_HELLO, "server hello")?;
        let mut reader = Reader::new(body);
        let mut hello = Self {
            legacy_version: ProtocolVersion(reader.u16("legacy version")?),
            random: reader.array("random")?,
            session_id: reader.vec_u8("session id")?.to_vec(),
            cipher_suite: CipherSuite(reader.u16("cipher suite")?),
            compression: reader.u8("compression method")?,
            extensions: Vec::new(),
            empty_extension_block: false,
        };
        if reader.is_empty() {
            return Ok(hello);
        }
        let mut block = Reader::new(reader.vec_u16("extensions")?);
        reader.expect_end("server hello")?;
        hello.empty_extension_block = block.is_empty();
        while !block.is_empty() {
            let extension_type = ExtensionType(block.u16("extension type")?);
            hello.extensions.push((extension_type, block.vec_u16("extension body")?.to_vec()));
        }
        Ok(hello)
    }

    /// Writes the whole handshake message, header included.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        handshake_message(HandshakeType::SERVER_HELLO, |writer| {
            writer.u16(self.legacy_version.0);
            writer.bytes(&self.random);
            writer.vec_u8(|writer| writer.bytes(&self.session_id));
            writer.u16(self.cipher_suite.0);
            writer.u8(self.compression);
            if self.empty_extension_block || !self.extensions.is_empty() {
                writer.vec_u16(|writer| {
                    for (extension_type, body) in &self.extensions {
                        writer.u16(extension_type.0);
                        writer.vec_u16(|writer| writer.bytes(body));
                    }
                });
            }
        })
    }

    /// Says whether this asks for a second ClientHello.
    #[must_use]
    pub fn is_hello_retry_request(&self) -> bool {
        self.random == HELLO_RETRY_REQUEST_RANDOM
    }

    /// Returns the body of the first extension of a type.
    #[must_use]
    pub fn extension(&self, extension_type: ExtensionType) -> Option<&[u8]> {
        self.extensions.iter().find(|(found, _)| *found == extension_type).map(|(_, body)| body.as_slice())
    }

    /// Returns the version that the server chose: `supported_versions` when it is there and readable, else the legacy version.
    #[must_use]
    pub fn selected_version(&self) -> ProtocolVersion {
        match self.extension(ExtensionType::SUPPORTED_VERSIONS) {
            Some(&[high, low]) => ProtocolVersion(u16::from_be_bytes([high, low])),
            _ => self.legacy_version,
        }
    }

    /// Returns the group of `key_share`, in a ServerHello (group and key) as in a HelloRetryRequest (group alone).
    #[must_use]
    pub fn selected_group(&self) -> Option<NamedGroup> {
        let mut reader = Reader::new(self.extension(ExtensionType::KEY_SHARE)?);
        let group = NamedGroup(reader.u16("key share").ok()?);
        if !reader.is_empty() {
            reader.vec_u16("key share").ok()?;
        }
        reader.is_empty().then_some(group)
    }

    /// Returns the one protocol that the server chose by ALPN in clear, as TLS 1.2 does.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        let mut reader = Reader::new(self.extension(ExtensionType::ALPN)?);
        let mut list = Reader::new(reader.vec_u16("protocols").ok()?);
        let protocol = list.vec_u8("protocol").ok()?;
        (reader.is_empty() && list.is_empty()).then_some(protocol)
    }
}

/// The Certificate message of TLS 1.2 and before (RFC 5246 section 7.4.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateMessage {
    /// The certificates in DER, the server's own first.
    pub certificates: Vec<Vec<u8>>,
}

impl CertificateMessage {
    /// Reads a whole handshake message, header included.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "certificate";
        let mut reader = Reader::new(HandshakeMessage::body_of(bytes, HandshakeType::CERTIFICATE, WHAT)?);
        let mut list = Reader::new(reader.vec_u24("certificate list")?);
        reader.expect_end(WHAT)?;
        let mut certificates = Vec::new();
        while !list.is_empty() {
            let certificate = list.vec_u24(WHAT)?;
            if certificate.is_empty() {
                return Err(DecodeError::new(WHAT, DecodeErrorKind::BadLength));
            }
            certificates.push(certificate.to_vec());
        }
        Ok(Self { certificates })
    }

    /// Writes the whole handshake message, header included.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        handshake_message(HandshakeType::CERTIFICATE, |writer| {
            writer.vec_u24(|writer| {
                for certificate in &self.certificates {
                    writer.vec_u24(|writer| writer.bytes(certificate));
                }
            });
        })
    }
}

/// The CertificateRequest of TLS 1.2 and before (RFC 5246 section 7.4.4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateRequest {
    /// The certificate types that the server takes, such as 1 (RSA) and 64 (ECDSA).
    pub certificate_types: Vec<u8>,
    /// The signature schemes that the server takes; versions before TLS 1.2 have none.
    pub signature_schemes: Vec<SignatureScheme>,
    /// The names of the authorities that the server trusts, as DER.
    pub authorities: Vec<Vec<u8>>,
}

impl CertificateRequest {
    /// Reads a whole handshake message, header included, in the form of the version that the server chose.
    pub fn decode(bytes: &[u8], version: ProtocolVersion) -> Result<Self, DecodeError> {
        const WHAT: &str = "certificate request";
        let mut reader = Reader::new(HandshakeMessage::body_of(bytes, HandshakeType::CERTIFICATE_REQUEST, WHAT)?);
        let certificate_types = reader.vec_u8("certificate types")?.to_vec();
        let signature_schemes = if version >= ProtocolVersion::TLS12 {
            Reader::new(reader.vec_u16("signature schemes")?).rest_of_u16("signature schemes", SignatureScheme)?
        } else {
            Vec::new()
        };
        let mut list = Reader::new(reader.vec_u16("certificate authorities")?);
        reader.expect_end(WHAT)?;
        let mut authorities = Vec::new();
        while !list.is_empty() {
            authorities.push(list.vec_u16("certificate authority")?.to_vec());
        }
        Ok(Self { certificate_types, signature_schemes, authorities })
    }

    /// Writes the whole handshake message, header included, in the form of the given version.
    #[must_use]
    pub fn encode(&self, version: ProtocolVersion) -> Vec<u8> {
        handshake_message(HandshakeType::CERTIFICATE_REQUEST, |writer| {
            writer.vec_u8(|writer| writer.bytes(&self.certificate_types));
            if version >= ProtocolVersion::TLS12 {
                writer.vec_u16(|writer| self.signature_schemes.iter().for_each(|scheme| writer.u16(scheme.0)));
            }
            writer.vec_u16(|writer| {
                for authority in &self.authorities {
                    writer.vec_u16(|writer| writer.bytes(authority));
                }
            });
        })
    }
}

/// The NewSessionTicket of TLS 1.2 (RFC 5077 section 3.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewSessionTicket {
    /// How long the ticket may be kept, seconds; 0 leaves it to the client.
    pub lifetime_seconds: u32,
    /// The ticket.
    pub ticket: Vec<u8>,
}

impl NewSessionTicket {
    /// Reads a whole handshake message, header included.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "new session ticket";
        let mut reader = Reader::new(HandshakeMessage::body_of(bytes, HandshakeType::NEW_SESSION_TICKET, WHAT)?);
        let lifetime_seconds = u32::from_be_bytes(reader.array("ticket lifetime")?);
        let ticket = reader.vec_u16("ticket")?.to_vec();
        reader.expect_end(WHAT)?;
        Ok(Self { lifetime_seconds, ticket })
    }
}
