use parallax_model::facts::UpgradeEnd;

use super::dialogue::{Dialogue, Foreign, Heard, Turn};

pub(super) struct Postgres;

impl Dialogue for Postgres {
    fn opening(&self) -> Vec<u8> {
        SSL_REQUEST.to_vec()
    }

    fn whole(&self, unread: &[u8]) -> Result<Option<usize>, Foreign> {
        match unread {
            [] => Ok(None),
            [b'S' | b'N', ..] => Ok(Some(1)),
            // An ErrorResponse: a length that counts itself, then fields.
            [b'E', a, b, c, d, ..] => match u32::from_be_bytes([*a, *b, *c, *d]) as usize {
                length @ 4..=MAX_ERROR_BYTES => Ok(Some(1 + length).filter(|whole| *whole <= unread.len())),
                _ => Err(Foreign),
            },
            [b'E', ..] => Ok(None),
            _ => Err(Foreign),
        }
    }

    fn hear(&mut self, message: &[u8], heard: &mut Heard) -> Turn {
        match message {
            [b'S'] => heard.decide(message, UpgradeEnd::Ready),
            [b'N'] => heard.decide(message, UpgradeEnd::NotOffered),
            _ => heard.decide(error_text(message), UpgradeEnd::Refused),
        }
    }
}

/// Returns the human-readable field of an ErrorResponse.
fn error_text(message: &[u8]) -> &[u8] {
    let fields = message.get(5..).unwrap_or_default();
    fields.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"M")).unwrap_or(fields)
}

/// Length 8, then the code 1234.5679.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const MAX_ERROR_BYTES: usize = 4_096;
