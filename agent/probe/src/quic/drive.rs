//! One QUIC connection of the library's state machine, driven by hand so that every datagram, its time and every ICMP error is seen.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use parallax_model::facts::QuicEnd;
use quinn_proto::{
    ClientConfig, Connection, ConnectionError, ConnectionHandle, DatagramEvent, Endpoint, EndpointConfig, Event, TransportConfig, VarInt,
    crypto::rustls::{HandshakeData, QuicClientConfig},
};
use tokio::time::{Instant, sleep_until};

use crate::{
    capture::micros,
    net::{Datagrams, datagram_end},
};

/// A connection under way.
pub(super) struct Drive<'a, D> {
    endpoint: Endpoint,
    handle: ConnectionHandle,
    connection: Connection,
    socket: &'a D,
    remote: SocketAddr,
    started: Instant,
    pub(super) noted: Noted,
}

/// What was seen on the way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Noted {
    pub(super) retry: bool,
    pub(super) datagrams_sent: u32,
    pub(super) datagrams_received: u32,
    pub(super) bytes_read: u64,
    pub(super) first_datagram_us: Option<u64>,
    pub(super) reason: Option<String>,
    pub(super) alpn: Option<String>,
    /// From the first Initial to the client's Finished, microseconds.
    pub(super) finished_us: Option<u64>,
    pub(super) elapsed_us: u64,
}

impl<'a, D: Datagrams> Drive<'a, D> {
    /// Prepares a connection; none when the library cannot do what the configuration says.
    pub(super) fn new(config: Arc<rustls::ClientConfig>, server_name: &str, socket: &'a D, remote: SocketAddr) -> Option<Self> {
        let mut transport = TransportConfig::default();
        transport.mtu_discovery_config(None).enable_segmentation_offload(false);
        let mut client = ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).ok()?));
        client.transport_config(Arc::new(transport));
        let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), None, false, None);
        let started = Instant::now();
        let (handle, connection) = endpoint.connect(started.into_std(), client, remote, server_name).ok()?;
        Some(Self { endpoint, handle, connection, socket, remote, started, noted: Noted::default() })
    }

    /// Takes the handshake to its end, waits whether the server takes it back, and closes.
    pub(super) async fn run(&mut self, deadline: Instant) -> QuicEnd {
        let mut end = self.until(deadline).await;
        if end == QuicEnd::Established {
            self.noted.finished_us = Some(micros(self.started.elapsed()));
            let data = self.connection.crypto_session().handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
            self.noted.alpn = data.and_then(|data| data.protocol).map(|protocol| String::from_utf8_lossy(&protocol).into_owned());
            // A demand for a client certificate, for one, shows only after the client's Finished.
            let glance = Instant::now() + self.connection.rtt() + GLANCE_MARGIN;
            end = match self.until(deadline.min(glance)).await {
                QuicEnd::TimedOut => QuicEnd::Established,
                taken_back => taken_back,
            };
        }
        self.noted.elapsed_us = micros(self.started.elapsed());
        self.connection.close(Instant::now().into_std(), H3_NO_ERROR, Bytes::new());
        let _ = self.transmit().await;
        end
    }

    /// Lets the two sides talk until something is decided or the time is up.
    async fn until(&mut self, deadline: Instant) -> QuicEnd {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            if let Err(error) = self.transmit().await {
                return datagram_end(&error);
            }
            if let Some(end) = self.decided() {
                return end;
            }
            let timer = self.connection.poll_timeout().map_or(deadline, Instant::from_std);
            tokio::select! {
                biased;
                received = self.socket.receive(&mut buffer) => match received {
                    Ok(length) => self.take(&buffer[..length]),
                    Err(error) => return datagram_end(&error),
                },
                () = sleep_until(timer.min(deadline)) => {
                    if Instant::now() >= deadline {
                        return QuicEnd::TimedOut;
                    }
                    self.connection.handle_timeout(Instant::now().into_std());
                }
            }
        }
    }

    async fn transmit(&mut self) -> io::Result<()> {
        let mut buffer = Vec::with_capacity(MAX_DATAGRAM);
        while let Some(transmit) = self.connection.poll_transmit(Instant::now().into_std(), 1, &mut buffer) {
            self.noted.datagrams_sent += 1;
            self.socket.send(&buffer[..transmit.size]).await?;
            buffer.clear();
        }
        Ok(())
    }

    fn take(&mut self, datagram: &[u8]) {
        self.noted.first_datagram_us.get_or_insert_with(|| micros(self.started.elapsed()));
        self.noted.datagrams_received += 1;
        self.noted.bytes_read += datagram.len() as u64;
        self.noted.retry |= is_retry(datagram);
        let mut reply = Vec::new();
        let event = self.endpoint.handle(Instant::now().into_std(), self.remote, None, None, BytesMut::from(datagram), &mut reply);
        if let Some(DatagramEvent::ConnectionEvent(handle, event)) = event
            && handle == self.handle
        {
            self.connection.handle_event(event);
        }
    }

    /// Passes events between the two halves of the state machine, and returns how the connection ended or was established.
    fn decided(&mut self) -> Option<QuicEnd> {
        while let Some(event) = self.connection.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(self.handle, event) {
                self.connection.handle_event(event);
            }
        }
        while let Some(event) = self.connection.poll() {
            match event {
                Event::Connected => return Some(QuicEnd::Established),
                Event::ConnectionLost { reason } => return Some(self.lost(&reason)),
                Event::HandshakeDataReady | Event::Stream(_) | Event::DatagramReceived | Event::DatagramsUnblocked => {}
            }
        }
        None
    }

    fn lost(&mut self, error: &ConnectionError) -> QuicEnd {
        let mut because = |reason: &[u8]| {
            let shown = crate::starttls::shown(reason, MAX_REASON_CHARS);
            self.noted.reason = Some(shown).filter(|reason| !reason.is_empty());
        };
        match error {
            ConnectionError::VersionMismatch => QuicEnd::VersionRefused,
            ConnectionError::ConnectionClosed(close) => {
                because(&close.reason);
                QuicEnd::Closed(close.error_code.into())
            }
            ConnectionError::ApplicationClosed(close) => {
                because(&close.reason);
                QuicEnd::ApplicationClosed(close.error_code.into())
            }
            ConnectionError::Reset => QuicEnd::Reset,
            ConnectionError::TransportError(error) => match u64::from(error.code) {
                code @ ALERTS..ALERTS_END => QuicEnd::LocalRefusal(code.to_be_bytes()[7]),
                code => QuicEnd::Malformed(code),
            },
            ConnectionError::TimedOut | ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => QuicEnd::TimedOut,
        }
    }
}

/// Tells whether a datagram begins with a Retry packet of version 1 (RFC 9000 section 17.2.5).
fn is_retry(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 0, 0, 0, 1, ..] if first & 0xf0 == 0xf0)
}

const MAX_DATAGRAM: usize = 2_048;
const MAX_REASON_CHARS: usize = 256;
/// Time for the server's part of the work, beyond a round trip.
const GLANCE_MARGIN: Duration = Duration::from_millis(20);
/// RFC 9114 section 8.1.
const H3_NO_ERROR: VarInt = VarInt::from_u32(0x100);
/// Codes of TLS alerts (RFC 9001 section 4.8).
const ALERTS: u64 = 0x100;
const ALERTS_END: u64 = 0x200;
