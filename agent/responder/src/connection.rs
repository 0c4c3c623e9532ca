//! One connection, from its first byte to its orderly end.

use std::{io, net::SocketAddr, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use parallax_model::{bytes::Bytes, echo::Echo};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Identity,
    hello::{FirstFlight, Replayed, read_first_flight},
};

/// Answers one client: handshake, one line, close. The caller's socket is gone afterwards; whatever the client did is no error of the responder.
pub(crate) async fn answer<S>(mut stream: S, peer: SocketAddr, identity: &Identity) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let flight = timeout(HELLO_TIME, read_first_flight(&mut stream)).await??;
    let offered = flight.hello.as_ref().map(|(_, hello)| hello.alpn().to_vec()).unwrap_or_default();
    let echo = echo_of(&flight, peer);
    let acceptor = TlsAcceptor::from(identity.config_for(&offered));
    // The library also gets what is no ClientHello: it answers with the alert that is due.
    let mut tls = timeout(HANDSHAKE_TIME, acceptor.accept(Replayed::new(flight.bytes, stream))).await??;
    if let Some(echo) = echo {
        timeout(CLOSE_TIME, tls.write_all(echo.to_line().as_bytes())).await??;
    }
    timeout(CLOSE_TIME, tls.shutdown()).await??;
    // Closing with unread bytes would send a reset, which may overtake the line.
    timeout(CLOSE_TIME, drain(&mut tls)).await?
}

fn echo_of(flight: &FirstFlight, peer: SocketAddr) -> Option<Echo> {
    let (length, hello) = flight.hello.as_ref()?;
    let records = flight.bytes.get(..*length)?;
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    Some(Echo {
        hello_sha256: Bytes(digest(&SHA256, records).as_ref().to_vec()),
        hello_bytes: u32::try_from(records.len()).unwrap_or(u32::MAX),
        server_name: hello.server_name().map(str::to_owned),
        peer,
    })
}

async fn drain<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<()> {
    let mut chunk = [0; 4_096];
    let mut left = DRAIN_BYTES;
    while left > 0 {
        match stream.read(&mut chunk).await? {
            0 => return Ok(()),
            count => left = left.saturating_sub(count),
        }
    }
    Ok(())
}

const HELLO_TIME: Duration = Duration::from_secs(10);
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
const CLOSE_TIME: Duration = Duration::from_secs(2);
const DRAIN_BYTES: usize = 64 * 1024;
