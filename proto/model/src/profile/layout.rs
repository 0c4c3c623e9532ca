//! The exact shape of a ClientHello: everything that stays the same from one connection of a client to the next.

use parallax_tls::{
    ClientHello, Extension,
    registry::{CipherSuite, ExtensionType, NamedGroup, ProtocolVersion, is_grease},
};
use serde::{Deserialize, Serialize};

use super::{
    HelloRecipe,
    text::{name, names},
};

/// A ClientHello without what changes with every connection: random, session id, server name and public keys.
///
/// Numbers are written by their names in the TLS registries or in hexadecimal (`0x0A0A`); GREASE (RFC 8701) stands where the client puts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HelloLayout {
    /// The version in the record's header; clients write TLS 1.0 there (RFC 8446 section 5.1).
    #[serde(with = "name", default = "tls10")]
    pub record_version: ProtocolVersion,
    /// The highest version up to TLS 1.2.
    #[serde(with = "name", default = "tls12")]
    pub legacy_version: ProtocolVersion,
    /// Bytes of session id, 0 to 32.
    #[serde(default)]
    pub session_id: SessionIdLength,
    /// Cipher suites, most wanted first.
    #[serde(with = "names")]
    pub cipher_suites: Vec<CipherSuite>,
    /// Compression methods; 0 is none.
    #[serde(default = "no_compression")]
    pub compression: Vec<u8>,
    /// Extensions in their order; absent, the message ends before them.
    #[serde(default)]
    pub extensions: ExtensionLayouts,
}

/// How many bytes of session id a client sends, 0 to 32 (RFC 5246 section 7.4.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct SessionIdLength(u8);

/// The extensions of a [`HelloLayout`], each type at most once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<ExtensionLayout>", into = "Vec<ExtensionLayout>")]
pub struct ExtensionLayouts(Vec<ExtensionLayout>);

/// One extension of a [`HelloLayout`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtensionLayout {
    /// `server_name` with the name that is wanted; left out when there is none.
    ServerName,
    /// `key_share` with a fresh public key for each group; one zero byte for GREASE.
    KeyShare(Vec<NamedGroup>),
    /// `padding` that brings a handshake message of more than 255 bytes to this size; left out when it is not needed (RFC 7685).
    Padding(u16),
    /// Any other, the same in every connection.
    Fixed(Extension),
}

/// What a hello needs besides its layout.
pub struct Fresh<'a> {
    /// The client's random.
    pub random: [u8; 32],
    /// What the session id is cut from.
    pub session_id: [u8; 32],
    /// Makes a public key for a group.
    pub public_key: &'a dyn Fn(NamedGroup) -> Vec<u8>,
}

impl HelloLayout {
    /// Writes the records of a hello with this name.
    pub fn records(&self, server_name: Option<&str>, fresh: &Fresh<'_>) -> Vec<u8> {
        self.hello(server_name, fresh).to_records(self.record_version)
    }

    /// Fills the layout in.
    pub fn hello(&self, server_name: Option<&str>, fresh: &Fresh<'_>) -> ClientHello {
        let extensions: Vec<Option<Extension>> = self.extensions.0.iter().map(|layout| layout.fill(server_name, fresh)).collect();
        let mut hello = ClientHello {
            legacy_version: self.legacy_version,
            random: fresh.random,
            session_id: fresh.session_id[..usize::from(self.session_id.0)].to_vec(),
            cipher_suites: self.cipher_suites.clone(),
            compression_methods: self.compression.clone(),
            extensions: extensions.iter().flatten().cloned().collect(),
            empty_extension_block: false,
        };
        if let Some((at, padding)) = self.padding(hello.encode().len()) {
            let before = extensions[..at].iter().flatten().count();
            hello.extensions.insert(before, padding);
        }
        hello
    }

    /// Returns what the layout offers, as far as a recipe can say it.
    pub fn recipe(&self) -> HelloRecipe {
        let mut recipe = HelloRecipe {
            versions: vec![self.legacy_version.0],
            cipher_suites: without_grease(self.cipher_suites.iter().map(|suite| suite.0)),
            groups: Vec::new(),
            key_shares: Vec::new(),
            signature_schemes: Vec::new(),
            alpn: Vec::new(),
            server_name: false,
        };
        for layout in &self.extensions.0 {
            match layout {
                ExtensionLayout::ServerName => recipe.server_name = true,
                ExtensionLayout::KeyShare(groups) => recipe.key_shares = without_grease(groups.iter().map(|group| group.0)),
                ExtensionLayout::Padding(_) => {}
                ExtensionLayout::Fixed(extension) => recipe.note(extension),
            }
        }
        recipe
    }

    /// Returns the extensions in their order.
    pub fn extensions(&self) -> &[ExtensionLayout] {
        &self.extensions.0
    }

    /// Returns the padding for a message of this size, and its place among the layouts.
    fn padding(&self, unpadded: usize) -> Option<(usize, Extension)> {
        let (at, wanted) = self.extensions.0.iter().enumerate().find_map(|(at, layout)| match layout {
            ExtensionLayout::Padding(wanted) => Some((at, usize::from(*wanted))),
            _ => None,
        })?;
        let needed = (SMALLEST_PADDED..wanted).contains(&unpadded);
        needed.then(|| (at, Extension::Padding((wanted - unpadded).saturating_sub(EXTENSION_HEADER))))
    }
}

impl HelloRecipe {
    fn note(&mut self, extension: &Extension) {
        match extension {
            Extension::SupportedVersions(versions) => self.versions = without_grease(versions.iter().map(|version| version.0)),
            Extension::SupportedGroups(groups) => self.groups = without_grease(groups.iter().map(|group| group.0)),
            Extension::SignatureAlgorithms(schemes) => self.signature_schemes = without_grease(schemes.iter().map(|scheme| scheme.0)),
            Extension::Alpn(protocols) => self.alpn = protocols.iter().map(|protocol| String::from_utf8_lossy(protocol).into_owned()).collect(),
            _ => {}
        }
    }
}

impl ExtensionLayout {
    /// Returns the type that stands on the wire.
    pub fn extension_type(&self) -> ExtensionType {
        match self {
            Self::ServerName => ExtensionType::SERVER_NAME,
            Self::KeyShare(_) => ExtensionType::KEY_SHARE,
            Self::Padding(_) => ExtensionType::PADDING,
            Self::Fixed(extension) => extension.extension_type(),
        }
    }

    fn fill(&self, server_name: Option<&str>, fresh: &Fresh<'_>) -> Option<Extension> {
        let share = |group: &NamedGroup| (*group, if is_grease(group.0) { vec![0] } else { (fresh.public_key)(*group) });
        match self {
            Self::ServerName => server_name.map(|name| Extension::ServerName(name.to_owned())),
            Self::KeyShare(groups) => Some(Extension::KeyShare(groups.iter().map(share).collect())),
            Self::Padding(_) => None,
            Self::Fixed(extension) => Some(extension.clone()),
        }
    }
}

impl TryFrom<Vec<ExtensionLayout>> for ExtensionLayouts {
    type Error = String;
    fn try_from(layouts: Vec<ExtensionLayout>) -> Result<Self, String> {
        let repeated = |at: &usize| layouts[..*at].iter().any(|before| before.extension_type() == layouts[*at].extension_type());
        match (0..layouts.len()).find(repeated) {
            Some(at) => Err(format!("extension {} stands twice", layouts[at].extension_type())),
            None => Ok(Self(layouts)),
        }
    }
}

impl From<ExtensionLayouts> for Vec<ExtensionLayout> {
    fn from(layouts: ExtensionLayouts) -> Self {
        layouts.0
    }
}

impl TryFrom<u8> for SessionIdLength {
    type Error = String;
    fn try_from(length: u8) -> Result<Self, String> {
        if length <= 32 { Ok(Self(length)) } else { Err(format!("a session id has 0 to 32 bytes, not {length}")) }
    }
}

impl From<SessionIdLength> for u8 {
    fn from(length: SessionIdLength) -> Self {
        length.0
    }
}

fn without_grease(numbers: impl Iterator<Item = u16>) -> Vec<u16> {
    numbers.filter(|number| !is_grease(*number)).collect()
}

fn tls10() -> ProtocolVersion {
    ProtocolVersion::TLS10
}

fn tls12() -> ProtocolVersion {
    ProtocolVersion::TLS12
}

fn no_compression() -> Vec<u8> {
    vec![0]
}

/// Servers that hang do so on messages of 256 to 511 bytes, so clients leave smaller ones as they are (RFC 7685 section 1).
const SMALLEST_PADDED: usize = 256;
/// Type and length of an extension.
const EXTENSION_HEADER: usize = 4;
