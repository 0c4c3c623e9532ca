use parallax_model::facts::UpgradeEnd;

use super::dialogue::{Dialogue, Foreign, Heard, Turn, shown};

pub(super) struct Ldap;

impl Dialogue for Ldap {
    fn opening(&self) -> Vec<u8> {
        // LDAPMessage { messageID 1, ExtendedRequest { requestName } }, all lengths below 128.
        let name_length = START_TLS.len() as u8;
        let header = [SEQUENCE, name_length + 7, INTEGER, 1, 1, EXTENDED_REQUEST, name_length + 2, REQUEST_NAME, name_length];
        [header.as_slice(), START_TLS].concat()
    }

    fn whole(&self, unread: &[u8]) -> Result<Option<usize>, Foreign> {
        match unread {
            [] => Ok(None),
            [SEQUENCE, rest @ ..] => Ok(length(rest)?.map(|(content, header)| 1 + header + content).filter(|whole| *whole <= unread.len())),
            _ => Err(Foreign),
        }
    }

    fn hear(&mut self, message: &[u8], heard: &mut Heard) -> Turn {
        let Some((code, words)) = result(message) else { return heard.decide(message, UpgradeEnd::NotProtocol) };
        let told = format!("result code {code}: {}", shown(words, super::MAX_WORDS_CHARS));
        match code {
            SUCCESS => heard.decide(told.as_bytes(), UpgradeEnd::Ready),
            _ => heard.refuse(told.as_bytes(), code == PROTOCOL_ERROR),
        }
    }
}

/// Reads result code and diagnostic message of an ExtendedResponse.
fn result(message: &[u8]) -> Option<(u8, &[u8])> {
    let (content, _) = element(message, SEQUENCE)?;
    let (_, operation) = element(content, INTEGER)?;
    let (response, _) = element(operation, EXTENDED_RESPONSE)?;
    let (code, rest) = element(response, ENUMERATED)?;
    let (_matched, rest) = element(rest, OCTET_STRING)?;
    let (words, _) = element(rest, OCTET_STRING)?;
    Some((*code.first()?, words))
}

/// Takes an element of this tag off the front: its content, and what follows.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let rest = bytes.strip_prefix(&[tag])?;
    let (content, header) = length(rest).ok()??;
    rest.get(header..)?.split_at_checked(content)
}

/// Reads a definite length (X.690 section 8.1.3): the content's bytes, and its own; none while more must come.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Foreign> {
    match bytes {
        [] => Ok(None),
        [short @ 0..=0x7f, ..] => Ok(Some((usize::from(*short), 1))),
        [0x81, a, ..] => Ok(Some((usize::from(*a), 2))),
        [0x82, a, b, ..] => Ok(Some((usize::from(u16::from_be_bytes([*a, *b])), 3))),
        [0x84, 0, 0, a, b, ..] => Ok(Some((usize::from(u16::from_be_bytes([*a, *b])), 5))),
        [0x81 | 0x82] | [0x82, _] | [0x84] | [0x84, 0] | [0x84, 0, 0] | [0x84, 0, 0, _] => Ok(None),
        _ => Err(Foreign),
    }
}

const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const EXTENDED_REQUEST: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;
const REQUEST_NAME: u8 = 0x80;
const SUCCESS: u8 = 0;
/// The server does not support StartTLS (RFC 4511 section 4.14.1).
const PROTOCOL_ERROR: u8 = 2;
