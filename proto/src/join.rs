//! The join string: one word to paste, with which a host finds its coordinator, knows it, and becomes a vantage.
//!
//! `plx1.` and then base64url (RFC 4648 section 5, no padding) of a length-delimited message and a CRC-32, so that a string that was cut or mistyped while it
//! was copied is told from one that the coordinator refuses.

use std::{fmt, str::FromStr};

use base64::{DecodeError, Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use prost::Message;

/// What a host needs to become a vantage.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinString {
    /// The coordinator's addresses, `HOST:PORT`, best first; at least one.
    pub coordinators: Vec<String>,
    /// SHA-256 of the certificate (DER) of the fleet's authority, to which the agent holds the coordinator.
    pub authority_sha256: [u8; 32],
    /// The part of the token that may be shown and logged.
    pub token_id: String,
    /// The part of the token that nobody else may see.
    pub secret: Vec<u8>,
}

/// Says why a text is no join string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// It does not begin like one.
    #[error("this is not a join string, which begins with plx1. : 'parallax vantage token create' prints one")]
    NotJoin,
    /// It was made by a newer coordinator.
    #[error("this join string is of format {0}, and this agent knows only format 1: install an agent of the coordinator's version")]
    Newer(u32),
    /// Its end is missing.
    #[error("the join string is cut off: copy the whole line")]
    Truncated,
    /// A character was lost, added or changed.
    #[error("the join string was damaged while it was copied: copy it again, without spaces or line breaks")]
    Damaged,
    /// It is whole, but a part that an agent needs is missing or wrong.
    #[error("the join string has no usable {0}: make a new one with 'parallax vantage token create'")]
    Incomplete(&'static str),
}

const PREFIX: &str = "plx";
const VERSION: u32 = 1;
const CHECKSUM_BYTES: usize = 4;

#[derive(Clone, PartialEq, Message)]
struct Payload {
    #[prost(string, repeated, tag = "1")]
    coordinators: Vec<String>,
    #[prost(bytes = "vec", tag = "2")]
    authority_sha256: Vec<u8>,
    #[prost(string, tag = "3")]
    token_id: String,
    #[prost(bytes = "vec", tag = "4")]
    secret: Vec<u8>,
}

impl fmt::Display for JoinString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = Payload {
            coordinators: self.coordinators.clone(),
            authority_sha256: self.authority_sha256.to_vec(),
            token_id: self.token_id.clone(),
            secret: self.secret.clone(),
        };
        let mut bytes = payload.encode_length_delimited_to_vec();
        bytes.extend_from_slice(&crc32(&bytes).to_be_bytes());
        write!(f, "{PREFIX}{VERSION}.{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl fmt::Debug for JoinString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinString").field("coordinators", &self.coordinators).field("token_id", &self.token_id).finish_non_exhaustive()
    }
}

impl FromStr for JoinString {
    type Err = JoinError;
    fn from_str(text: &str) -> Result<Self, JoinError> {
        let (version, encoded) = text.trim().strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')).ok_or(JoinError::NotJoin)?;
        match version.parse::<u32>() {
            Ok(VERSION) => {}
            Ok(newer) if newer > VERSION => return Err(JoinError::Newer(newer)),
            _ => return Err(JoinError::NotJoin),
        }
        let payload = payload(encoded)?;
        let authority_sha256 = payload.authority_sha256.try_into().map_err(|_| JoinError::Incomplete("fingerprint of the authority"))?;
        if payload.coordinators.is_empty() || !payload.coordinators.iter().all(|address| is_host_and_port(address)) {
            return Err(JoinError::Incomplete("address of a coordinator"));
        }
        if payload.token_id.is_empty() || payload.secret.is_empty() {
            return Err(JoinError::Incomplete("token"));
        }
        Ok(Self { coordinators: payload.coordinators, authority_sha256, token_id: payload.token_id, secret: payload.secret })
    }
}

fn payload(encoded: &str) -> Result<Payload, JoinError> {
    let bytes = match URL_SAFE_NO_PAD.decode(encoded) {
        Ok(bytes) => bytes,
        Err(DecodeError::InvalidLength(_) | DecodeError::InvalidLastSymbol(..)) => return Err(JoinError::Truncated),
        Err(DecodeError::InvalidByte(..) | DecodeError::InvalidPadding) => return Err(JoinError::Damaged),
    };
    let mut rest = bytes.as_slice();
    let length = prost::decode_length_delimiter(&mut rest).map_err(|_| if bytes.is_empty() { JoinError::Truncated } else { JoinError::Damaged })?;
    let prefix = bytes.len() - rest.len();
    let whole = prefix.saturating_add(length).saturating_add(CHECKSUM_BYTES);
    if bytes.len() < whole {
        return Err(JoinError::Truncated);
    }
    let (checked, checksum) = bytes.split_at(whole - CHECKSUM_BYTES);
    if checksum != crc32(checked).to_be_bytes() {
        return Err(JoinError::Damaged);
    }
    Payload::decode(&checked[prefix..]).map_err(|_| JoinError::Damaged)
}

fn is_host_and_port(address: &str) -> bool {
    let port = |digits: &str| digits.parse::<u16>().is_ok_and(|port| port > 0);
    address.rsplit_once(':').is_some_and(|(host, digits)| !host.is_empty() && !host.contains(char::is_whitespace) && port(digits))
}

/// Computes the CRC-32 of Ethernet and zip files (reflected polynomial 0xEDB88320).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join() -> JoinString {
        JoinString {
            coordinators: vec!["203.0.113.7:8443".into(), "[2001:db8::7]:8443".into()],
            authority_sha256: [0xa5; 32],
            token_id: "k7f3".into(),
            secret: vec![0x5e; 32],
        }
    }

    fn read(text: &str) -> Result<JoinString, JoinError> {
        text.parse()
    }

    #[test]
    fn it_reads_back_and_survives_the_white_space_of_a_paste() {
        let text = join().to_string();
        assert!(text.starts_with("plx1.") && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{text}");
        assert_eq!(read(&text), Ok(join()));
        assert_eq!(read(&format!("  {text}\n")), Ok(join()));
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn every_cut_is_called_cut_and_every_change_is_noticed() {
        let text = join().to_string();
        for end in 5..text.len() {
            assert_eq!(read(&text[..end]), Err(JoinError::Truncated), "cut at {end}");
        }
        for at in 5..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
            assert!(read(&String::from_utf8(changed).unwrap()).is_err(), "changed at {at}");
        }
        assert_eq!(read(&format!("{text}AAAA")), Err(JoinError::Damaged));
        assert_eq!(read(&text.replace("plx1.", "plx1. ")), Err(JoinError::Damaged));
    }

    #[test]
    fn what_is_something_else_is_told_apart() {
        for text in ["", "plx", "plx1", "plx.AA", "plx0.AA", "hello", "https://x.test/"] {
            assert_eq!(read(text), Err(JoinError::NotJoin), "{text:?}");
        }
        assert_eq!(read("plx2.AAAA"), Err(JoinError::Newer(2)));
        let message = read("plx2.AAAA").unwrap_err().to_string();
        assert!(message.contains("format 2") && message.contains("install"), "{message}");
    }

    #[test]
    fn a_whole_string_that_no_agent_can_use_is_refused() {
        let refused = |change: fn(&mut JoinString)| {
            let mut join = join();
            change(&mut join);
            read(&join.to_string()).unwrap_err()
        };
        assert_eq!(refused(|join| join.coordinators.clear()), JoinError::Incomplete("address of a coordinator"));
        assert_eq!(refused(|join| join.coordinators[0] = "no-port".into()), JoinError::Incomplete("address of a coordinator"));
        assert_eq!(refused(|join| join.coordinators[0] = "x:0".into()), JoinError::Incomplete("address of a coordinator"));
        assert_eq!(refused(|join| join.secret.clear()), JoinError::Incomplete("token"));
    }

    #[test]
    fn debug_output_hides_the_secret() {
        let shown = format!("{:?}", join());
        assert!(shown.contains("k7f3") && !shown.contains("94") && !shown.contains("secret"), "{shown}");
    }
}
