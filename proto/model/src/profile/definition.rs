//! A profile as a file: TOML that a person writes, checked as it is read.

use std::{fmt, str::FromStr, sync::Arc};

use parallax_tls::{ClientHello, registry::NamedGroup};
use serde::{Deserialize, Serialize};

use super::{ClientLimits, Delivery, Depth, Fresh, HelloLayout, Profile};
use crate::id::ProfileName;

/// A profile with the text that defines it; the text is what travels, is stored and is shown.
///
/// ```
/// use parallax_model::profile::Definition;
/// let text = r#"
///     name = "kiosk"
///     summary = "the terminals in the shops"
///     [hello]
///     cipher-suites = ["TLS_RSA_WITH_AES_128_CBC_SHA"]
///     extensions = ["server_name", { supported_groups = ["secp256r1"] }]
/// "#;
/// let kiosk: Definition = text.parse()?;
/// assert_eq!(kiosk.profile().name.as_str(), "kiosk");
/// let error = text.replace("AES_128_CBC", "AES_129_CBC").parse::<Definition>().unwrap_err();
/// assert_eq!(error.line, Some(5));
/// # Ok::<(), parallax_model::profile::DefinitionError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Definition {
    text: Arc<str>,
    profile: Arc<Profile>,
}

/// What a profile says about a client besides its recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Client {
    /// Short names under which it is found too.
    pub aliases: Vec<ProfileName>,
    /// The hello that it sends.
    pub hello: HelloLayout,
    /// What it refuses although its hello does not say so.
    pub limits: ClientLimits,
}

impl Client {
    /// Returns a hello of this client with zeros for what changes with every connection: for its fingerprint and its size, not for sending.
    pub fn sample(&self, server_name: Option<&str>) -> ClientHello {
        let zeros = |group: NamedGroup| vec![0; group.key_share_len().unwrap_or_default()];
        self.hello.hello(server_name, &Fresh { random: [0; 32], session_id: [0; 32], public_key: &zeros })
    }
}

/// Says why a text defines no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct DefinitionError {
    /// Where, counted from 1; none when it is about the whole.
    pub line: Option<usize>,
    /// What is wrong there.
    pub reason: String,
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    name: ProfileName,
    summary: String,
    #[serde(default)]
    aliases: Vec<ProfileName>,
    #[serde(default)]
    delivery: Delivery,
    #[serde(default)]
    limits: ClientLimits,
    hello: HelloLayout,
}

impl Definition {
    /// Returns the profile.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Returns the text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Tells whether this profile is found under a name: its own, or one of its aliases.
    pub(super) fn answers_to(&self, name: &str) -> bool {
        let aliases = self.profile.client.iter().flat_map(|client| &client.aliases);
        std::iter::once(&self.profile.name).chain(aliases).any(|own| own.as_str() == name)
    }

    /// The longest text that is read, bytes.
    pub const MAX_BYTES: usize = 16 << 10;
}

impl FromStr for Definition {
    type Err = DefinitionError;
    fn from_str(text: &str) -> Result<Self, DefinitionError> {
        if text.len() > Self::MAX_BYTES {
            return Err(DefinitionError { line: None, reason: format!("a profile has at most {} bytes, this one has {}", Self::MAX_BYTES, text.len()) });
        }
        let file: File = toml::from_str(text).map_err(|error| DefinitionError::at(text, &error))?;
        let profile = Profile {
            name: file.name,
            summary: file.summary,
            hello: file.hello.recipe(),
            delivery: file.delivery,
            depth: Depth::Answer,
            client: Some(Box::new(Client { aliases: file.aliases, hello: file.hello, limits: file.limits })),
        };
        Ok(Self { text: text.into(), profile: Arc::new(profile) })
    }
}

impl DefinitionError {
    fn at(text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
        Self { line, reason: error.message().to_owned() }
    }
}

impl TryFrom<String> for Definition {
    type Error = DefinitionError;
    fn try_from(text: String) -> Result<Self, DefinitionError> {
        text.parse()
    }
}

impl From<Definition> for String {
    fn from(definition: Definition) -> Self {
        definition.text.as_ref().to_owned()
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Definition({})", self.profile.name)
    }
}
