//! Messages to bytes and back, where a message is signed or kept on disk, and the limits on its size.

use prost::Message;

use crate::convert::{ConvertError, Reason};

/// Largest message that either side accepts; to be set as `max_decoding_message_size` on every client and server.
///
/// One attempt stays below it, because a check reads at most 4 MiB from a server.
pub const MAX_MESSAGE_BYTES: usize = 8 << 20;

/// Size at which an `AttemptBatch` is closed, whatever the number of attempts in it; leaves room for one attempt of the largest size.
pub const BATCH_BYTES: usize = 1 << 20;

/// Encodes a message; the same message always gives the same bytes.
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    message.encode_to_vec()
}

/// Returns the number of bytes that [`encode`] gives.
pub fn encoded_bytes<M: Message>(message: &M) -> usize {
    message.encoded_len()
}

/// Decodes a message; fields that this build does not know are skipped.
pub fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, ConvertError> {
    let kind = std::any::type_name::<M>().rsplit("::").next().unwrap_or_default();
    M::decode(bytes).map_err(|error| ConvertError::new(kind, Reason::Refused(error.to_string())))
}
