use parallax_model::id::{AttemptId, BootId, CheckId, RoundId};
use uuid::Uuid;

use super::error::{ConvertError, Reason};

fn uuid(bytes: &[u8], field: &str) -> Result<Uuid, ConvertError> {
    Uuid::from_slice(bytes).map_err(|_| ConvertError::new(field, if bytes.is_empty() { Reason::Missing } else { Reason::Length(bytes.len()) }))
}

/// Reads a check's identifier from 16 bytes.
pub fn check_id(bytes: &[u8], field: &str) -> Result<CheckId, ConvertError> {
    uuid(bytes, field).map(CheckId)
}

/// Reads a round's identifier from 16 bytes.
pub fn round_id(bytes: &[u8], field: &str) -> Result<RoundId, ConvertError> {
    uuid(bytes, field).map(RoundId)
}

/// Reads an attempt's identifier from 16 bytes.
pub fn attempt_id(bytes: &[u8], field: &str) -> Result<AttemptId, ConvertError> {
    uuid(bytes, field).map(AttemptId)
}

/// Reads the identifier of an agent's run from 16 bytes.
pub fn boot_id(bytes: &[u8], field: &str) -> Result<BootId, ConvertError> {
    uuid(bytes, field).map(BootId)
}

/// Writes an identifier as 16 bytes.
pub(crate) fn id_bytes(id: &Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}
