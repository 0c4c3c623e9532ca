//! Bytes as they went over the wire: records and messages by their names, and a dump.

use parallax_model::facts::{Direction, TcpInfo, TranscriptEntry};
use parallax_tls::registry::AlertDescription;

/// Bytes of one entry that are dumped; the document beside the page has them all.
const DUMPED: usize = 512;

/// One write or read, described.
pub(super) struct Packet {
    pub(super) at_ms: f64,
    pub(super) sent: bool,
    pub(super) bytes: usize,
    pub(super) holds: String,
    pub(super) dump: String,
    pub(super) cut: bool,
}

/// Describes a transcript.
pub(super) fn of(transcript: &[TranscriptEntry]) -> Vec<Packet> {
    let (mut there, mut back) = (Records::default(), Records::default());
    let describe = |entry: &TranscriptEntry| {
        let sent = entry.direction == Direction::Sent;
        let records = if sent { &mut there } else { &mut back };
        let bytes = &entry.bytes.0;
        Packet {
            at_ms: entry.at_us as f64 / 1_000.0,
            sent,
            bytes: bytes.len(),
            holds: records.read(bytes).join(", "),
            dump: dump(&bytes[..bytes.len().min(DUMPED)]),
            cut: bytes.len() > DUMPED,
        }
    };
    transcript.iter().map(describe).collect()
}

/// Follows the records of one direction, which need not end where a write ends.
#[derive(Default)]
struct Records {
    left: usize,
    name: String,
    encrypted: bool,
    not_tls: bool,
}

impl Records {
    fn read(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        let mut at = 0;
        if self.left > 0 {
            found.push(format!("more of {}", self.name));
            at = self.left.min(bytes.len());
            self.left -= at;
        }
        while let (false, Some(header)) = (self.not_tls, bytes.get(at..at + 5)) {
            if !(20..=24).contains(&header[0]) || header[1] != 3 {
                self.not_tls = true;
                break;
            }
            let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
            let body = &bytes[at + 5..bytes.len().min(at + 5 + length)];
            self.name = self.record(header[0], body);
            found.push(self.name.clone());
            self.left = length - body.len();
            at += 5 + body.len();
        }
        if at < bytes.len() {
            found.push(if self.not_tls { "not TLS" } else { "the head of a record" }.to_owned());
        }
        found
    }

    fn record(&mut self, content: u8, body: &[u8]) -> String {
        match content {
            20 => {
                self.encrypted = true;
                "ChangeCipherSpec".to_owned()
            }
            21 => match body {
                &[level, number] => format!("Alert: {} {number} ({})", if level == 1 { "warning" } else { "fatal" }, AlertDescription(number)),
                _ => "Alert (encrypted)".to_owned(),
            },
            22 if self.encrypted => "Handshake (encrypted)".to_owned(),
            22 => messages(body),
            23 => "encrypted record".to_owned(),
            _ => "Heartbeat".to_owned(),
        }
    }
}

fn messages(body: &[u8]) -> String {
    let mut names = Vec::new();
    let mut rest = body;
    while let &[kind, a, b, c, ..] = rest {
        names.push(message(kind));
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        rest = rest.get(4 + length..).unwrap_or_default();
    }
    if names.is_empty() { "Handshake".to_owned() } else { names.join(" + ") }
}

fn message(kind: u8) -> &'static str {
    match kind {
        0 => "HelloRequest",
        1 => "ClientHello",
        2 => "ServerHello",
        4 => "NewSessionTicket",
        11 => "Certificate",
        12 => "ServerKeyExchange",
        13 => "CertificateRequest",
        14 => "ServerHelloDone",
        15 => "CertificateVerify",
        16 => "ClientKeyExchange",
        20 => "Finished",
        22 => "CertificateStatus",
        _ => "handshake message",
    }
}

fn dump(bytes: &[u8]) -> String {
    let row = |(at, row): (usize, &[u8])| {
        let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String = row.iter().map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }).collect();
        format!("{:04x}  {:<47}  {text}", at * 16, hex.join(" "))
    };
    bytes.chunks(16).enumerate().map(row).collect::<Vec<_>>().join("\n")
}

/// Lists what the kernel knew of a connection.
pub(super) fn kernel(info: &TcpInfo) -> Vec<(&'static str, String)> {
    let ms = |micros: u32| format!("{:.2} ms", f64::from(micros) / 1_000.0);
    vec![
        ("segments sent", info.segments_out.to_string()),
        ("segments received", info.segments_in.to_string()),
        ("never acknowledged", info.unacked.to_string()),
        ("retransmissions", info.total_retransmissions.to_string()),
        ("bytes acknowledged", info.bytes_acked.to_string()),
        ("bytes received", info.bytes_received.to_string()),
        ("round trip, smallest", format!("{}, {}", ms(info.rtt_us), ms(info.min_rtt_us))),
        ("MSS sent, path MTU", format!("{}, {}", info.send_mss, info.path_mtu)),
    ]
}

#[cfg(test)]
mod tests {
    use parallax_model::bytes::Bytes;

    use super::*;

    fn entry(direction: Direction, bytes: &[u8]) -> TranscriptEntry {
        TranscriptEntry { direction, at_us: 1_500, bytes: Bytes(bytes.to_vec()) }
    }

    #[test]
    fn records_are_named_across_writes() {
        let hello = [22, 3, 1, 0, 6, 1, 0, 0, 2, 0xaa, 0xbb];
        let told = of(&[
            entry(Direction::Sent, &hello[..8]),
            entry(Direction::Sent, &hello[8..]),
            entry(Direction::Received, &[21, 3, 3, 0, 2, 2, 40]),
            entry(Direction::Received, b"HTTP/1.1 400"),
        ]);
        let names: Vec<&str> = told.iter().map(|packet| packet.holds.as_str()).collect();
        assert_eq!(names[1..], ["more of Handshake", "Alert: fatal 40 (handshake_failure)", "not TLS"]);
        assert!(told[3].dump.ends_with("HTTP/1.1 400"), "{}", told[3].dump);
    }
}
