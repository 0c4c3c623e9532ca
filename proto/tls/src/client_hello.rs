//! The ClientHello of any version (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2).

use crate::error::DecodeError;
use crate::reader::Reader;
use crate::record::{HandshakeMessage, MAX_FRAGMENT, encode_records};
use crate::registry::{CipherSuite, ContentType, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion};
use crate::writer::{Writer, handshake_message};

pub use crate::extension::Extension;
pub use crate::server_name::server_name_offset;

/// A ClientHello with every list in the order of the wire.
///
/// Nothing is checked for sense: a hello may offer no suite, repeat an extension or contradict itself, since probing
/// servers with such hellos is a use of this type. [`Default`] is TLS 1.2, zero random, null compression, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// The highest version up to TLS 1.2; TLS 1.3 is offered by [`Extension::SupportedVersions`].
    pub legacy_version: ProtocolVersion,
    /// The client's random.
    pub random: [u8; 32],
    /// The session id, by the RFC at most 32 bytes.
    pub session_id: Vec<u8>,
    /// The suites offered, most wanted first.
    pub cipher_suites: Vec<CipherSuite>,
    /// The compression methods offered; only null (0) is in use.
    pub compression_methods: Vec<u8>,
    /// The extensions in order.
    pub extensions: Vec<Extension>,
    /// Whether a block of length zero is written when there are no extensions; without it the message ends before
    /// the block, as in the time before extensions. Meaningless, and false after decoding, when there are some.
    pub empty_extension_block: bool,
}

impl Default for ClientHello {
    fn default() -> Self {
        Self {
            legacy_version: ProtocolVersion::TLS12,
            random: [0; 32],
            session_id: Vec::new(),
            cipher_suites: Vec::new(),
            compression_methods: vec![0],
            extensions: Vec::new(),
            empty_extension_block: false,
        }
    }
}

impl ClientHello {
    /// Reads a whole handshake message, header included; [`Self::encode`] writes the same bytes again.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let body = HandshakeMessage::body_of(bytes, HandshakeType::CLIENT_HELLO, "client hello")?;
        let mut reader = Reader::new(body);
        let mut hello = Self {
            legacy_version: ProtocolVersion(reader.u16("legacy version")?),
            random: reader.array("random")?,
            session_id: reader.vec_u8("session id")?.to_vec(),
            cipher_suites: Reader::new(reader.vec_u16("cipher suites")?).rest_of_u16("cipher suites", CipherSuite)?,
            compression_methods: reader.vec_u8("compression methods")?.to_vec(),
            extensions: Vec::new(),
            empty_extension_block: false,
        };
        if reader.is_empty() {
            return Ok(hello);
        }
        let mut block = Reader::new(reader.vec_u16("extensions")?);
        reader.expect_end("client hello")?;
        hello.empty_extension_block = block.is_empty();
        while !block.is_empty() {
            let extension_type = ExtensionType(block.u16("extension type")?);
            hello.extensions.push(Extension::decode(extension_type, block.vec_u16("extension body")?));
        }
        Ok(hello)
    }

    /// Writes the whole handshake message, header included.
    ///
    /// A list too long for its length field is cut there, see [`Writer`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        handshake_message(HandshakeType::CLIENT_HELLO, |writer| {
            writer.u16(self.legacy_version.0);
            writer.bytes(&self.random);
            writer.vec_u8(|writer| writer.bytes(&self.session_id));
            writer.vec_u16(|writer| self.cipher_suites.iter().for_each(|suite| writer.u16(suite.0)));
            writer.vec_u8(|writer| writer.bytes(&self.compression_methods));
            if self.empty_extension_block || !self.extensions.is_empty() {
                writer.vec_u16(|writer: &mut Writer| {
                    for extension in &self.extensions {
                        extension.write(writer);
                    }
                });
            }
        })
    }

    /// Writes the hello as the records that a client sends first, each with the given version in its header.
    ///
    /// Clients write [`ProtocolVersion::TLS10`] there (RFC 8446 section 5.1 allows it for compatibility).
    #[must_use]
    pub fn to_records(&self, record_version: ProtocolVersion) -> Vec<u8> {
        encode_records(ContentType::HANDSHAKE, record_version, &self.encode(), MAX_FRAGMENT)
    }

    /// Returns the first extension of a type.
    #[must_use]
    pub fn extension(&self, extension_type: ExtensionType) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.extension_type() == extension_type)
    }

    /// Returns the host name of `server_name`.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        match self.extension(ExtensionType::SERVER_NAME) {
            Some(Extension::ServerName(name)) => Some(name),
            _ => None,
        }
    }

    /// Returns the protocols of ALPN, empty when it is not offered.
    #[must_use]
    pub fn alpn(&self) -> &[Vec<u8>] {
        match self.extension(ExtensionType::ALPN) {
            Some(Extension::Alpn(protocols)) => protocols,
            _ => &[],
        }
    }

    /// Returns the versions offered: those of `supported_versions`, or the legacy version alone.
    #[must_use]
    pub fn offered_versions(&self) -> Vec<ProtocolVersion> {
        match self.extension(ExtensionType::SUPPORTED_VERSIONS) {
            Some(Extension::SupportedVersions(versions)) => versions.clone(),
            _ => vec![self.legacy_version],
        }
    }

    /// Returns the groups for which a key share is offered, in order.
    #[must_use]
    pub fn key_share_groups(&self) -> Vec<NamedGroup> {
        match self.extension(ExtensionType::KEY_SHARE) {
            Some(Extension::KeyShare(shares)) => shares.iter().map(|(group, _)| *group).collect(),
            _ => Vec::new(),
        }
    }

    /// Replaces the host name where it stands, or adds `server_name` as the first extension.
    #[must_use]
    pub fn with_server_name(mut self, name: &str) -> Self {
        let replacement = Extension::ServerName(name.to_owned());
        match self.extensions.iter_mut().find(|extension| is_server_name(extension)) {
            Some(extension) => *extension = replacement,
            None => self.extensions.insert(0, replacement),
        }
        self
    }

    /// Takes `server_name` away.
    #[must_use]
    pub fn without_server_name(mut self) -> Self {
        self.extensions.retain(|extension| !is_server_name(extension));
        self
    }
}

fn is_server_name(extension: &Extension) -> bool {
    extension.extension_type() == ExtensionType::SERVER_NAME
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::DecodeErrorKind;

    #[test]
    fn a_hello_without_a_block_differs_from_one_with_an_empty_block() {
        let bare = ClientHello { cipher_suites: vec![CipherSuite(0x002f)], ..ClientHello::default() };
        let empty = ClientHello { empty_extension_block: true, ..bare.clone() };
        assert_eq!(empty.encode().len(), bare.encode().len() + 2);
        assert_eq!(ClientHello::decode(&bare.encode()), Ok(bare));
        assert_eq!(ClientHello::decode(&empty.encode()), Ok(empty));
    }

    #[test]
    fn the_name_is_replaced_in_place_added_first_and_taken_away() {
        let hello = ClientHello { extensions: vec![Extension::ExtendedMasterSecret], ..ClientHello::default() };
        let named = hello.clone().with_server_name("a.example");
        assert_eq!(named.extensions[0], Extension::ServerName("a.example".to_owned()));
        let renamed = named.with_server_name("b.example");
        assert_eq!((renamed.server_name(), renamed.extensions.len()), (Some("b.example"), 2));
        assert_eq!(renamed.without_server_name(), hello);
    }

    #[test]
    fn bytes_behind_the_extensions_are_refused() {
        let mut bytes = ClientHello { empty_extension_block: true, ..ClientHello::default() }.encode();
        bytes.push(0);
        bytes[3] += 1;
        let error = ClientHello::decode(&bytes).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::TrailingBytes);
        bytes[0] = 2;
        assert_eq!(ClientHello::decode(&bytes).unwrap_err().kind, DecodeErrorKind::Unexpected);
    }
}
