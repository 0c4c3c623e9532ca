//! Alerts (RFC 8446 section 6).

use std::fmt;

use crate::error::DecodeError;
use crate::reader::Reader;
use crate::registry::{AlertDescription, AlertLevel, ContentType, ProtocolVersion};

/// A closure or error notice of two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alert {
    /// Warning or fatal; TLS 1.3 receivers ignore it.
    pub level: AlertLevel,
    /// What happened.
    pub description: AlertDescription,
}

impl Alert {
    /// Makes an alert that ends the connection.
    #[must_use]
    pub fn fatal(description: AlertDescription) -> Self {
        Self { level: AlertLevel::FATAL, description }
    }

    /// Says whether the level is fatal.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.level == AlertLevel::FATAL
    }

    /// Reads an alert from exactly two bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let alert = Self::read(&mut reader)?;
        reader.expect_end("alert")?;
        Ok(alert)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [level, description] = reader.array("alert")?;
        Ok(Self { level: AlertLevel(level), description: AlertDescription(description) })
    }

    /// Writes the two bytes, without a record header.
    #[must_use]
    pub fn encode(&self) -> [u8; 2] {
        [self.level.0, self.description.0]
    }

    /// Writes the alert as one plaintext record.
    #[must_use]
    pub fn to_record(&self, version: ProtocolVersion) -> Vec<u8> {
        crate::record::encode_records(ContentType::ALERT, version, &self.encode(), crate::record::MAX_FRAGMENT)
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.level, self.description)
    }
}
