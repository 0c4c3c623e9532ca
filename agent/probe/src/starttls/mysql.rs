use parallax_model::facts::UpgradeEnd;

use super::dialogue::{Dialogue, Foreign, Heard, Turn};

pub(super) struct Mysql;

impl Dialogue for Mysql {
    /// A packet: three bytes of length, a sequence number that starts at 0, and the kind of the first packet.
    fn whole(&self, unread: &[u8]) -> Result<Option<usize>, Foreign> {
        let &[a, b, c, sequence, kind, ..] = unread else {
            return Ok(None);
        };
        let length = u32::from_le_bytes([a, b, c, 0]) as usize;
        if sequence != 0 || !matches!(kind, HANDSHAKE_V10 | ERROR) || !(1..=MAX_PACKET_BYTES).contains(&length) {
            return Err(Foreign);
        }
        Ok(Some(HEADER + length).filter(|whole| *whole <= unread.len()))
    }

    fn hear(&mut self, message: &[u8], heard: &mut Heard) -> Turn {
        let payload = message.get(HEADER..).unwrap_or_default();
        if let [ERROR, rest @ ..] = payload {
            return heard.decide(rest.get(2..).unwrap_or_default(), UpgradeEnd::Refused);
        }
        let Some((version, can_tls)) = handshake(payload) else { return heard.decide(payload, UpgradeEnd::NotProtocol) };
        heard.greet(version);
        heard.offered = Some(can_tls);
        if !can_tls {
            return Turn::end(UpgradeEnd::NotOffered);
        }
        heard.can(b"CLIENT_SSL");
        // The server reads a ClientHello next, without a word.
        Turn { say: ssl_request(), end: Some(UpgradeEnd::Ready) }
    }
}

/// Reads the version and whether the server can do TLS.
fn handshake(payload: &[u8]) -> Option<(&[u8], bool)> {
    let rest = payload.strip_prefix(&[HANDSHAKE_V10])?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let capabilities = rest.get(end + 1 + THREAD_ID + AUTH_DATA + FILLER..)?.first_chunk::<2>()?;
    Some((&rest[..end], u32::from(u16::from_le_bytes(*capabilities)) & CLIENT_SSL != 0))
}

fn ssl_request() -> Vec<u8> {
    let flags = CLIENT_LONG_PASSWORD | CLIENT_PROTOCOL_41 | CLIENT_SSL | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH;
    let mut packet = vec![32, 0, 0, 1];
    packet.extend_from_slice(&flags.to_le_bytes());
    packet.extend_from_slice(&MAX_PACKET.to_le_bytes());
    packet.push(UTF8MB4);
    packet.extend_from_slice(&[0; 23]);
    packet
}

const HEADER: usize = 4;
const HANDSHAKE_V10: u8 = 10;
const ERROR: u8 = 0xff;
const THREAD_ID: usize = 4;
const AUTH_DATA: usize = 8;
const FILLER: usize = 1;
const CLIENT_LONG_PASSWORD: u32 = 0x0001;
const CLIENT_PROTOCOL_41: u32 = 0x0200;
const CLIENT_SSL: u32 = 0x0800;
const CLIENT_SECURE_CONNECTION: u32 = 0x8000;
const CLIENT_PLUGIN_AUTH: u32 = 0x0008_0000;
const MAX_PACKET: u32 = 1 << 24;
const UTF8MB4: u8 = 45;
const MAX_PACKET_BYTES: usize = 4_096;
