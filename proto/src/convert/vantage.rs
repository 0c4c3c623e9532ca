use parallax_model::{
    bytes::Bytes,
    clock::Timestamp,
    id::VantageName,
    vantage::{Labels, Responder, Standing, Vantage, VantageState},
};

use super::{
    bounds::{MAX_DIGEST_BYTES, MAX_ENTRIES, each, parsed, text},
    error::{ConvertError, Reason},
};
use crate::v1;

/// A vantage as operators list it: what the coordinator keeps, and what it is doing now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVantage {
    /// What the coordinator keeps.
    pub vantage: Vantage,
    /// What it is doing.
    pub state: VantageState,
}

impl From<&ListedVantage> for v1::VantageEntry {
    fn from(listed: &ListedVantage) -> Self {
        let vantage = &listed.vantage;
        Self {
            name: vantage.name.to_string(),
            state: listed.state.to_string(),
            labels: vantage.labels.clone(),
            version: vantage.version.clone(),
            last_seen_us: vantage.last_seen.map_or(0, Timestamp::as_micros),
            clock_offset_ms: vantage.clock_offset_ms,
            capabilities: vantage.capabilities.clone(),
            group: vantage.group().to_string(),
            egress: vantage.egress.map_or_else(String::new, |address| address.to_string()),
            enrolled_at_us: vantage.enrolled_at.as_micros(),
        }
    }
}

/// The group is computed anew from labels and egress; of the standing only what the state shows is known.
impl TryFrom<v1::VantageEntry> for ListedVantage {
    type Error = ConvertError;
    fn try_from(message: v1::VantageEntry) -> Result<Self, ConvertError> {
        let (state, standing) = match message.state.as_str() {
            "online" => (VantageState::Online, Standing::Active),
            "silent" => (VantageState::Silent, Standing::Active),
            "cordoned" => (VantageState::Cordoned, Standing::Cordoned),
            "draining" => (VantageState::Draining, Standing::Draining),
            "banned" => (VantageState::Banned, Standing::Banned),
            other => return Err(ConvertError::new("state", Reason::Refused(format!("no state is called {other:?}")))),
        };
        let vantage = Vantage {
            name: parsed(message.name, "name")?,
            labels: labels(message.labels)?,
            standing,
            version: text(message.version, "version")?,
            enrolled_at: Timestamp::from_micros(message.enrolled_at_us),
            last_seen: (message.last_seen_us != 0).then(|| Timestamp::from_micros(message.last_seen_us)),
            egress: (!message.egress.is_empty()).then(|| parsed(message.egress, "egress")).transpose()?,
            clock_offset_ms: message.clock_offset_ms,
            capabilities: each(message.capabilities, "capabilities", |capability| text(capability, ""))?,
        };
        Ok(Self { vantage, state })
    }
}

fn labels(labels: Labels) -> Result<Labels, ConvertError> {
    if labels.len() > MAX_ENTRIES {
        return Err(ConvertError::new("labels", Reason::TooMany { found: labels.len(), most: MAX_ENTRIES, unit: "entries" }));
    }
    labels.into_iter().map(|(key, value)| Ok((text(key, "labels")?, text(value, "labels")?))).collect()
}

impl From<&Responder> for v1::Responder {
    fn from(responder: &Responder) -> Self {
        Self {
            addresses: responder.addresses.iter().map(ToString::to_string).collect(),
            key_sha256: responder.key_sha256.0.clone(),
            vantage: responder.vantage.as_ref().map_or_else(String::new, ToString::to_string),
        }
    }
}

impl TryFrom<v1::Responder> for Responder {
    type Error = ConvertError;
    fn try_from(message: v1::Responder) -> Result<Self, ConvertError> {
        responder(message.addresses, message.key_sha256, message.vantage)
    }
}

impl From<&Responder> for v1::get_status_response::Responder {
    fn from(responder: &Responder) -> Self {
        let v1::Responder { addresses, key_sha256, vantage } = responder.into();
        Self { addresses, key_sha256, vantage }
    }
}

impl TryFrom<v1::get_status_response::Responder> for Responder {
    type Error = ConvertError;
    fn try_from(message: v1::get_status_response::Responder) -> Result<Self, ConvertError> {
        responder(message.addresses, message.key_sha256, message.vantage)
    }
}

fn responder(addresses: Vec<String>, key_sha256: Vec<u8>, vantage: String) -> Result<Responder, ConvertError> {
    if key_sha256.len() != MAX_DIGEST_BYTES {
        return Err(ConvertError::new("key_sha256", Reason::Length(key_sha256.len())));
    }
    let vantage = (!vantage.is_empty()).then(|| parsed::<VantageName>(vantage, "vantage")).transpose()?;
    Ok(Responder { addresses: each(addresses, "addresses", |address| parsed(address, ""))?, key_sha256: Bytes(key_sha256), vantage })
}
