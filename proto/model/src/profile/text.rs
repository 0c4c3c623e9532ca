//! Numbers of the TLS registries, written by their names.

use std::{fmt::Display, marker::PhantomData, str::FromStr};

use parallax_tls::{
    Extension,
    registry::{ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor},
    ser::SerializeMap,
};

use super::layout::ExtensionLayout;
use crate::bytes::Bytes;

/// A number as its name.
pub(super) struct Name<T>(T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Name<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(OneName(PhantomData))
    }
}

/// Parses while the deserializer still knows the line.
struct OneName<T>(PhantomData<T>);

impl<T: FromStr<Err: Display>> Visitor<'_> for OneName<T> {
    type Value = Name<T>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a name of a TLS registry, or a number such as \"0x0A0A\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Name<T>, E> {
        text.parse().map(Name).map_err(E::custom)
    }
}

impl<T: Display> Serialize for Name<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// One number, for `#[serde(with)]`.
pub(super) mod name {
    use super::{Deserialize, Deserializer, Display, FromStr, Name, Serializer};

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        Name::deserialize(deserializer).map(|name| name.0)
    }
}

/// A list of numbers, for `#[serde(with)]`.
pub(super) mod names {
    use super::{Deserialize, Deserializer, Display, FromStr, Name, Serializer};

    pub(crate) fn serialize<T: Display, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(Name))
    }

    pub(crate) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        Vec::<Name<T>>::deserialize(deserializer).map(|names| names.into_iter().map(|name| name.0).collect())
    }
}

/// An extension is its name alone when its body is empty or filled in later, else a table of one entry, from its name to its body:
/// a list of names, protocols, a size, or hexadecimal bytes.
impl<'de> Deserialize<'de> for ExtensionLayout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneExtension)
    }
}

struct OneExtension;

impl<'de> Visitor<'de> for OneExtension {
    type Value = ExtensionLayout;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the name of an extension, or a table of its name and its body")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ExtensionLayout, E> {
        let kind = text.parse().map_err(E::custom)?;
        match kind {
            ExtensionType::SERVER_NAME => Ok(ExtensionLayout::ServerName),
            kind if has_list(kind) => Err(E::custom(format!("{kind} needs a body: {{ {kind} = … }}"))),
            kind => Ok(ExtensionLayout::Fixed(Extension::decode(kind, &[]))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ExtensionLayout, A::Error> {
        let Some(Name(kind)) = map.next_key::<Name<ExtensionType>>()? else { return Err(A::Error::custom("an extension needs a name")) };
        let layout = match kind {
            ExtensionType::SERVER_NAME => return Err(A::Error::custom("the server name is filled in for every target: write \"server_name\" alone")),
            ExtensionType::KEY_SHARE => ExtensionLayout::KeyShare(list(&mut map)?),
            ExtensionType::PADDING => ExtensionLayout::Padding(map.next_value()?),
            kind => ExtensionLayout::Fixed(fixed(kind, &mut map)?),
        };
        match map.next_key::<String>()? {
            None => Ok(layout),
            Some(other) => Err(A::Error::custom(format!("one extension a table: {other:?} stands beside {kind}"))),
        }
    }
}

fn fixed<'de, A: MapAccess<'de>>(kind: ExtensionType, map: &mut A) -> Result<Extension, A::Error> {
    Ok(match kind {
        ExtensionType::SUPPORTED_GROUPS => Extension::SupportedGroups(list::<NamedGroup, A>(map)?),
        ExtensionType::SIGNATURE_ALGORITHMS => Extension::SignatureAlgorithms(list::<SignatureScheme, A>(map)?),
        ExtensionType::SIGNATURE_ALGORITHMS_CERT => Extension::SignatureAlgorithmsCert(list::<SignatureScheme, A>(map)?),
        ExtensionType::SUPPORTED_VERSIONS => Extension::SupportedVersions(list::<ProtocolVersion, A>(map)?),
        ExtensionType::ALPN => Extension::Alpn(map.next_value::<Vec<String>>()?.into_iter().map(String::into_bytes).collect()),
        kind => Extension::decode(kind, &map.next_value::<Bytes>()?.0),
    })
}

fn list<'de, T: FromStr<Err: Display>, A: MapAccess<'de>>(map: &mut A) -> Result<Vec<T>, A::Error> {
    map.next_value::<Vec<Name<T>>>().map(|names| names.into_iter().map(|name| name.0).collect())
}

fn has_list(kind: ExtensionType) -> bool {
    matches!(
        kind,
        ExtensionType::SUPPORTED_GROUPS
            | ExtensionType::SIGNATURE_ALGORITHMS
            | ExtensionType::SIGNATURE_ALGORITHMS_CERT
            | ExtensionType::SUPPORTED_VERSIONS
            | ExtensionType::ALPN
            | ExtensionType::KEY_SHARE
            | ExtensionType::PADDING
    )
}

impl Serialize for ExtensionLayout {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = self.extension_type();
        match self {
            Self::ServerName => serializer.collect_str(&kind),
            Self::KeyShare(groups) => entry(serializer, kind, &all(groups)),
            Self::Padding(size) => entry(serializer, kind, size),
            Self::Fixed(Extension::SupportedGroups(groups)) => entry(serializer, kind, &all(groups)),
            Self::Fixed(Extension::SignatureAlgorithms(schemes) | Extension::SignatureAlgorithmsCert(schemes)) => entry(serializer, kind, &all(schemes)),
            Self::Fixed(Extension::SupportedVersions(versions)) => entry(serializer, kind, &all(versions)),
            Self::Fixed(Extension::Alpn(protocols)) => {
                entry(serializer, kind, &protocols.iter().map(|protocol| String::from_utf8_lossy(protocol)).collect::<Vec<_>>())
            }
            Self::Fixed(extension) => match extension.encode_body() {
                body if body.is_empty() => serializer.collect_str(&kind),
                body => entry(serializer, kind, &Bytes(body)),
            },
        }
    }
}

fn entry<S: Serializer, T: Serialize>(serializer: S, kind: ExtensionType, body: &T) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(&Name(kind), body)?;
    map.end()
}

fn all<T: Display>(values: &[T]) -> Vec<Name<&T>> {
    values.iter().map(Name).collect()
}
