//! The full path: rustls up to Finished and beyond, driven by hand so that every byte and every refusal is seen.

use std::{io::Read as _, sync::Arc};

use parallax_model::{
    facts::{HandshakeFacts, HelloSent, TlsEnd},
    profile::{Delivery, HelloRecipe},
};
use rustls::{ClientConfig, ClientConnection, Error, HandshakeKind, pki_types::ServerName};
use tokio::time::Instant;

use super::{
    exchange::Exchange,
    recorder::{Recorder, Seen},
    refusal::end_of_error,
    template::template,
};
use crate::net::Connection;

/// A full handshake, as far as it came.
pub(crate) struct Handshaken {
    pub(crate) end: TlsEnd,
    pub(crate) hello: HelloSent,
    /// What the library knows of the session; stays usable when the handshake was finished.
    pub(crate) session: Session,
    pub(crate) elapsed_us: u64,
}

/// The library's side of a connection.
pub(crate) struct Session {
    tls: ClientConnection,
    recorder: Arc<Recorder>,
    plaintext: Vec<u8>,
}

/// What came of bytes that the library was given.
pub(super) struct Taken {
    /// Whether the peer has said that nothing more comes.
    peer_closed: bool,
}

/// What sessions are made of: a configuration, whom it is for, and who watches.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) name: ServerName<'static>,
    pub(crate) recorder: Arc<Recorder>,
}

impl Parts {
    /// Puts the parts together; none when the library cannot send what the recipe says.
    pub(crate) fn of(recipe: &HelloRecipe, server_name: Option<&str>, address: std::net::IpAddr) -> Option<Self> {
        let template = template(recipe)?;
        let name = match server_name {
            Some(name) => ServerName::try_from(name.to_owned()).ok()?,
            None => ServerName::IpAddress(address.into()),
        };
        let algorithms = template.config.crypto_provider().signature_verification_algorithms;
        let recorder = Arc::new(Recorder::new(algorithms, Arc::clone(&template.schemes)));
        let mut config = template.config.clone();
        config.enable_sni = server_name.is_some();
        config.client_auth_cert_resolver = Arc::clone(&recorder) as _;
        config.dangerous().set_certificate_verifier(Arc::clone(&recorder) as _);
        Some(Self { config: Arc::new(config), name, recorder })
    }

    /// Starts a session.
    pub(super) fn session(self) -> Option<Session> {
        let tls = ClientConnection::new(self.config, self.name).ok()?;
        Some(Session { tls, recorder: self.recorder, plaintext: Vec::new() })
    }
}

/// Prepares a session; none when the library cannot send what the recipe says.
pub(crate) fn session(recipe: &HelloRecipe, server_name: Option<&str>, address: std::net::IpAddr) -> Option<Session> {
    Parts::of(recipe, server_name, address)?.session()
}

/// Takes a handshake to Finished, or as far as it goes.
pub(crate) async fn handshake<C: Connection>(mut session: Session, exchange: &mut Exchange<C>, delivery: Delivery, server_name: Option<&str>) -> Handshaken {
    let first_flight = session.outgoing();
    let hello = exchange.deliver(first_flight, delivery, server_name).await;
    let end = loop {
        if session.tls.wants_write() {
            exchange.send(&session.outgoing()).await;
        }
        if !session.tls.is_handshaking() {
            exchange.clear_part_is_over();
            break TlsEnd::Established;
        }
        if let Err(end) = exchange.receive().await {
            break end;
        }
        if let Err(error) = session.take(exchange.received()) {
            let end = end_of_error(&error, exchange.answer());
            exchange.send(&session.outgoing()).await;
            break end;
        }
    };
    Handshaken { end, hello, session, elapsed_us: exchange.elapsed_us() }
}

impl Session {
    /// Returns the bytes that the library wants sent.
    pub(super) fn outgoing(&mut self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FLIGHT_SIZE);
        while self.tls.wants_write() {
            if self.tls.write_tls(&mut bytes).is_err() {
                break;
            }
        }
        bytes
    }

    /// Gives the library the bytes that came.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Result<Taken, Error> {
        let mut taken = Taken { peer_closed: false };
        while !bytes.is_empty() {
            match self.tls.read_tls(&mut bytes) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let state = self.tls.process_new_packets()?;
            taken.peer_closed = state.peer_has_closed();
            if state.plaintext_bytes_to_read() > 0 {
                let start = self.plaintext.len();
                self.plaintext.resize(start + state.plaintext_bytes_to_read(), 0);
                let read = self.tls.reader().read(&mut self.plaintext[start..]).unwrap_or(0);
                self.plaintext.truncate(start + read);
            }
        }
        Ok(taken)
    }

    /// Tells whether the handshake was whole or took up a session of before; none before that is known.
    pub(crate) fn kind(&self) -> Option<HandshakeKind> {
        self.tls.handshake_kind()
    }

    /// Takes out what the server showed of itself.
    pub(crate) fn seen(&self) -> Seen {
        self.recorder.take()
    }

    /// Returns what was negotiated, none when the server chose nothing.
    pub(crate) fn negotiated(&self, seen: &Seen, elapsed_us: u64) -> Option<HandshakeFacts> {
        let version = self.tls.protocol_version()?;
        Some(HandshakeFacts {
            version: Some(u16::from(version)),
            cipher_suite: self.tls.negotiated_cipher_suite().map(|suite| u16::from(suite.suite())),
            group: self.tls.negotiated_key_exchange_group().map(|group| u16::from(group.name())),
            alpn: self.tls.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
            hello_retry: self.tls.handshake_kind() == Some(HandshakeKind::FullWithHelloRetryRequest),
            signature_verified: seen.signature,
            staple: seen.staple.clone(),
            elapsed_us,
            echo_sha256: None,
        })
    }
}

/// Application data over a finished handshake.
pub(crate) struct Channel<'a, C> {
    session: &'a mut Session,
    exchange: &'a mut Exchange<C>,
    /// Whether the peer sends nothing more.
    ended: bool,
}

/// How reading application data ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadEnd {
    /// The peer said that nothing more comes (close_notify).
    Notified,
    /// The stream ended in another way.
    Stream(TlsEnd),
}

impl<'a, C: Connection> Channel<'a, C> {
    pub(crate) fn new(session: &'a mut Session, exchange: &'a mut Exchange<C>) -> Self {
        Self { session, exchange, ended: false }
    }

    /// Sends application data.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        if std::io::Write::write_all(&mut self.session.tls.writer(), bytes).is_ok() {
            self.flush().await;
        }
    }

    /// Waits until more application data than before is there.
    pub(crate) async fn read(&mut self, until: Instant) -> Result<(), ReadEnd> {
        let before = self.session.plaintext.len();
        loop {
            if let Err(end) = self.exchange.receive_until(until).await {
                self.ended = end != TlsEnd::TimedOut;
                return Err(ReadEnd::Stream(end));
            }
            let result = self.session.take(self.exchange.received());
            self.ended = result.as_ref().map_or(true, |state| state.peer_closed);
            if self.session.tls.wants_write() {
                self.flush().await;
            }
            if let Err(error) = result {
                return Err(ReadEnd::Stream(end_of_error(&error, self.exchange.answer())));
            }
            if self.session.plaintext.len() > before {
                return Ok(());
            }
            if self.ended {
                return Err(ReadEnd::Notified);
            }
        }
    }

    /// Returns the application data that came so far.
    pub(crate) fn plaintext(&self) -> &[u8] {
        &self.session.plaintext
    }

    /// Returns the kernel's smoothed round trip, zero when it does not say.
    pub(crate) fn round_trip(&self) -> std::time::Duration {
        let micros = self.exchange.connection().info().map_or(0, |info| info.rtt_us);
        std::time::Duration::from_micros(u64::from(micros))
    }

    /// Tells whether the peer sends nothing more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Tells whether the server chose a protocol by ALPN.
    pub(crate) fn has_protocol(&self) -> bool {
        self.session.tls.alpn_protocol().is_some()
    }

    /// Says that nothing more is sent; what still comes can be read.
    pub(crate) async fn finish(&mut self) {
        // A peer that has closed would answer with a reset.
        if !self.ended {
            self.session.tls.send_close_notify();
            self.flush().await;
        }
    }

    /// Says that nothing more is sent, for good.
    pub(crate) async fn close(mut self) {
        self.finish().await;
    }

    async fn flush(&mut self) {
        let bytes = self.session.outgoing();
        self.exchange.send(&bytes).await;
    }
}

/// Room for a post-quantum hello.
const FLIGHT_SIZE: usize = 2_048;

#[cfg(test)]
mod tests {
    use parallax_model::profile::Profile;

    use super::*;

    fn first_flight(profile: &str, name: Option<&str>) -> Option<Vec<u8>> {
        let recipe = Profile::builtin(profile).unwrap().hello;
        session(&recipe, name, "192.0.2.7".parse().unwrap()).map(|mut session| session.outgoing())
    }

    #[test]
    fn the_library_sends_what_the_recipe_says() {
        for profile in ["modern", "modern-pq", "tls12", "nginx-upstream"] {
            let recipe = Profile::builtin(profile).unwrap().hello;
            let name = recipe.server_name.then_some("shop.example");
            let wire = first_flight(profile, name).unwrap();
            let hello = parallax_tls::ClientHello::decode(&wire[5..]).unwrap();
            assert_eq!(hello.server_name(), name, "{profile}");
            let suites: Vec<u16> = hello.cipher_suites.iter().map(|suite| suite.0).filter(|suite| *suite != 0x00ff).collect();
            assert_eq!(suites, recipe.cipher_suites, "{profile}");
            assert_eq!(hello.key_share_groups().iter().map(|group| group.0).collect::<Vec<_>>(), recipe.key_shares, "{profile}");
            assert_eq!(hello.offered_versions().iter().map(|version| version.0).collect::<Vec<_>>(), recipe.versions, "{profile}");
            assert_eq!(hello.alpn().len(), recipe.alpn.len(), "{profile}");
        }
    }

    #[test]
    fn one_segment_or_more_is_as_the_profiles_promise() {
        assert!(first_flight("modern", Some("shop.example")).unwrap().len() < 1_200);
        assert!(first_flight("modern-pq", Some("shop.example")).unwrap().len() > 1_448);
    }

    #[test]
    fn what_the_library_lacks_is_left_to_the_own_codec() {
        assert!(first_flight("legacy", Some("shop.example")).is_none());
    }
}
