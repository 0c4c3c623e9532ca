//! A second ClientHello under the keys of TLS 1.2 (RFC 5746): the library never sends one, but gives out the secret that it takes.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::{
    aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{self, SHA256, SHA384, digest},
    tls_prf::{self, P_SHA256, P_SHA384},
};
use parallax_model::{
    facts::{Direction, TranscriptEntry},
    profile::HelloRecipe,
};
use parallax_tls::{
    Alert, ClientHello, ServerHello,
    record::{Deframer, HandshakeJoiner, Record, encode_records},
    registry::{ContentType, HandshakeType, ProtocolVersion},
};
use rustls::KeyLog;

use super::full::{Parts, Session};

/// A session of TLS 1.2 whose keys can be had.
pub(crate) struct Renegotiable {
    parts: Parts,
    secret: Arc<MasterSecret>,
}

/// The keys of one connection, and what its first handshake said.
pub(crate) struct Keys {
    client: Side,
    server: Side,
    verify_data: Vec<u8>,
}

/// The keys of one direction (RFC 5288 section 3).
struct Side {
    key: LessSafeKey,
    salt: [u8; SALT_LEN],
}

/// What a record of the server says to a second ClientHello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// A ServerHello: it renegotiates.
    Hello,
    /// An alert.
    Alert(Alert),
    /// Something else, or what these keys cannot read.
    Other,
}

impl Renegotiable {
    /// Prepares a session; none when the library cannot send what the recipe says, or when its suites have other keys than AES-GCM's.
    pub(crate) fn of(recipe: &HelloRecipe, server_name: Option<&str>, address: std::net::IpAddr) -> Option<Self> {
        recipe.cipher_suites.iter().all(|suite| Ciphers::of(*suite).is_some()).then_some(())?;
        let mut parts = Parts::of(recipe, server_name, address)?;
        let secret = Arc::new(MasterSecret::default());
        Arc::make_mut(&mut parts.config).key_log = Arc::clone(&secret) as _;
        Some(Self { parts, secret })
    }

    /// Starts the session.
    pub(crate) fn session(&self) -> Option<Session> {
        self.parts.clone().session()
    }

    /// Derives the keys of the finished handshake (RFC 5246 section 6.3); none unless the whole of it stands in the transcript.
    pub(crate) fn keys(&self, cipher_suite: u16, transcript: &[TranscriptEntry]) -> Option<Keys> {
        let ciphers = Ciphers::of(cipher_suite)?;
        let clear = ClearPart::of(transcript)?;
        let secret = self.secret.take();
        let derive = |label: &str, seed: &[u8], length| tls_prf::Secret::new(ciphers.prf, &secret).ok()?.derive(label.as_bytes(), seed, length).ok();
        let verify_data = derive("client finished", digest(ciphers.hash, &clear.messages).as_ref(), VERIFY_DATA_LEN)?;
        let key_len = ciphers.aead.key_len();
        let block = derive("key expansion", &[clear.server_random, clear.client_random].concat(), 2 * (key_len + SALT_LEN))?;
        let (keys, salts) = block.as_ref().split_at(2 * key_len);
        let side = |at: usize| {
            let key = UnboundKey::new(ciphers.aead, &keys[at * key_len..][..key_len]).ok()?;
            Some(Side { key: LessSafeKey::new(key), salt: salts[at * SALT_LEN..][..SALT_LEN].try_into().ok()? })
        };
        Some(Keys { client: side(0)?, server: side(1)?, verify_data: verify_data.as_ref().to_vec() })
    }
}

impl Keys {
    /// Returns what binds a second handshake to the first (RFC 5746 section 3.5).
    pub(crate) fn verify_data(&self) -> Vec<u8> {
        self.verify_data.clone()
    }

    /// Writes the record of a second ClientHello, the client's first after Finished.
    pub(crate) fn seal(&self, hello: &ClientHello, explicit_nonce: [u8; EXPLICIT_LEN]) -> Option<Vec<u8>> {
        let mut sealed = hello.encode();
        let aad = aad(ContentType::HANDSHAKE, sealed.len())?;
        self.client.key.seal_in_place_append_tag(self.client.nonce(explicit_nonce), Aad::from(aad), &mut sealed).ok()?;
        let payload = [&explicit_nonce[..], &sealed].concat();
        Some(encode_records(ContentType::HANDSHAKE, ProtocolVersion::TLS12, &payload, payload.len()))
    }

    /// Reads the server's first record after Finished.
    pub(crate) fn open(&self, record: &Record<'_>) -> Said {
        match (record.content_type, self.server.open(record)) {
            (ContentType::HANDSHAKE, Some(message)) if message.first() == Some(&HandshakeType::SERVER_HELLO.0) => Said::Hello,
            (ContentType::ALERT, Some(alert)) => Alert::decode(&alert).map_or(Said::Other, Said::Alert),
            _ => Said::Other,
        }
    }
}

impl Side {
    fn nonce(&self, explicit: [u8; EXPLICIT_LEN]) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[..SALT_LEN].copy_from_slice(&self.salt);
        nonce[SALT_LEN..].copy_from_slice(&explicit);
        Nonce::assume_unique_for_key(nonce)
    }

    fn open(&self, record: &Record<'_>) -> Option<Vec<u8>> {
        let (explicit, sealed) = record.payload.split_first_chunk::<EXPLICIT_LEN>()?;
        let aad = aad(record.content_type, sealed.len().checked_sub(self.key.algorithm().tag_len())?)?;
        let mut opened = sealed.to_vec();
        let length = self.key.open_in_place(self.nonce(*explicit), Aad::from(aad), &mut opened).ok()?.len();
        opened.truncate(length);
        Some(opened)
    }
}

/// Writes what a record's seal covers besides its content (RFC 5246 section 6.2.3.3); Finished was record 0 of its side, this is record 1.
fn aad(content_type: ContentType, length: usize) -> Option<[u8; 13]> {
    let [major, minor] = ProtocolVersion::TLS12.0.to_be_bytes();
    let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
    Some([0, 0, 0, 0, 0, 0, 0, 1, content_type.0, major, minor, high, low])
}

/// The algorithms of a suite.
struct Ciphers {
    aead: &'static Algorithm,
    hash: &'static digest::Algorithm,
    prf: &'static tls_prf::Algorithm,
}

impl Ciphers {
    /// Returns those of the suites that the library speaks with AES-GCM (RFC 5289 section 3.2).
    fn of(cipher_suite: u16) -> Option<Self> {
        match cipher_suite {
            0xc02b | 0xc02f => Some(Self { aead: &AES_128_GCM, hash: &SHA256, prf: &P_SHA256 }),
            0xc02c | 0xc030 => Some(Self { aead: &AES_256_GCM, hash: &SHA384, prf: &P_SHA384 }),
            _ => None,
        }
    }
}

/// What both sides said in clear up to the client's Finished.
struct ClearPart {
    client_random: [u8; 32],
    server_random: [u8; 32],
    /// ClientHello, the server's flight, and the client's second flight (RFC 5246 section 7.4.9).
    messages: Vec<u8>,
}

impl ClearPart {
    fn of(transcript: &[TranscriptEntry]) -> Option<Self> {
        let (client, server) = (messages(transcript, Direction::Sent)?, messages(transcript, Direction::Received)?);
        let (hello, second_flight) = client.split_first()?;
        let done = server.iter().position(|message| message.first() == Some(&HandshakeType::SERVER_HELLO_DONE.0))?;
        let flight = server.get(..=done)?;
        Some(Self {
            client_random: ClientHello::decode(hello).ok()?.random,
            server_random: ServerHello::decode(flight.first()?).ok()?.random,
            messages: [hello.clone(), flight.concat(), second_flight.concat()].concat(),
        })
    }
}

/// Returns the handshake messages of one side before its ChangeCipherSpec; none when the bytes are no such stream.
fn messages(transcript: &[TranscriptEntry], direction: Direction) -> Option<Vec<Vec<u8>>> {
    let (mut deframer, mut joiner, mut messages) = (Deframer::new(), HandshakeJoiner::new(), Vec::new());
    for entry in transcript.iter().filter(|entry| entry.direction == direction) {
        deframer.feed(&entry.bytes.0).ok()?;
        while let Some(record) = deframer.next_record().ok()? {
            if record.content_type == ContentType::CHANGE_CIPHER_SPEC {
                return Some(messages);
            }
            joiner.feed(record.payload).ok()?;
            while let Some(message) = joiner.next_message().ok()? {
                messages.push(message.bytes.to_vec());
            }
        }
    }
    None
}

/// Takes the master secret of TLS 1.2 from the library.
#[derive(Debug, Default)]
struct MasterSecret(Mutex<Vec<u8>>);

impl MasterSecret {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl KeyLog for MasterSecret {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        if label == "CLIENT_RANDOM" {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = secret.to_vec();
        }
    }
}

/// Bytes of the nonce that the keys decide, and that stand in each record (RFC 5288 section 3).
const SALT_LEN: usize = 4;
const EXPLICIT_LEN: usize = 8;
const VERIFY_DATA_LEN: usize = 12;

#[cfg(test)]
mod tests {
    use parallax_model::profile::Profile;
    use rustls::{ServerConfig, ServerConnection, pki_types::PrivateKeyDer, version::TLS12};

    use super::*;

    fn server() -> ServerConnection {
        let made = rcgen::generate_simple_self_signed(["shop.corp.test".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS12]).unwrap();
        ServerConnection::new(Arc::new(config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap())).unwrap()
    }

    fn flight(server: &mut ServerConnection) -> Vec<u8> {
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    fn entry(direction: Direction, bytes: &[u8]) -> TranscriptEntry {
        TranscriptEntry { direction, at_us: 0, bytes: parallax_model::bytes::Bytes(bytes.to_vec()) }
    }

    /// Makes a whole handshake in memory; returns both ends and what was said.
    fn handshaken(suite: u16) -> (Renegotiable, Session, ServerConnection, Vec<TranscriptEntry>) {
        let recipe = HelloRecipe { cipher_suites: vec![suite], ..Profile::builtin("tls12").unwrap().hello };
        let renegotiable = Renegotiable::of(&recipe, Some("shop.corp.test"), "192.0.2.7".parse().unwrap()).unwrap();
        let (mut session, mut server, mut transcript) = (renegotiable.session().unwrap(), server(), Vec::new());
        for _ in 0..3 {
            let sent = session.outgoing();
            transcript.push(entry(Direction::Sent, &sent));
            server.read_tls(&mut sent.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            let received = flight(&mut server);
            transcript.push(entry(Direction::Received, &received));
            session.take(&received).unwrap();
        }
        (renegotiable, session, server, transcript)
    }

    #[test]
    fn a_second_hello_is_read_and_turned_down_by_a_library_that_never_renegotiates() {
        for suite in [0xc02b, 0xc02c] {
            let (renegotiable, _session, mut server, transcript) = handshaken(suite);
            let keys = renegotiable.keys(suite, &transcript).unwrap();
            assert_eq!(keys.verify_data().len(), VERIFY_DATA_LEN);
            let hello = ClientHello::decode(&messages(&transcript, Direction::Sent).unwrap()[0]).unwrap();
            let sealed = keys.seal(&hello, [9; EXPLICIT_LEN]).unwrap();
            server.read_tls(&mut sealed.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            let answer = flight(&mut server);
            let (record, _) = Record::decode(&answer).unwrap();
            // RFC 5246 section 7.2.2: no_renegotiation, a warning.
            assert!(matches!(keys.open(&record), Said::Alert(alert) if alert.description.0 == 100 && !alert.is_fatal()), "{suite:#x}");
        }
    }

    #[test]
    fn a_transcript_that_was_cut_gives_no_keys() {
        let (renegotiable, _, _, mut transcript) = handshaken(0xc02b);
        let flight = &mut transcript[1].bytes.0;
        flight.truncate(flight.len() - 1);
        assert!(renegotiable.keys(0xc02b, &transcript).is_none());
        assert!(renegotiable.keys(0xcca9, &transcript).is_none(), "ChaCha20 has other records");
    }
}
