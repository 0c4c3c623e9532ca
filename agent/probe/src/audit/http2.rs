//! Whether the server behind `h2` speaks HTTP/2: a balancer agrees on a protocol that its backend may not know.

use parallax_model::{
    facts::{Http2Answer, TlsEnd, VersionFacts},
    profile::HelloRecipe,
};
use tokio::time::Instant;

use super::{driver::Driver, sessions};
use crate::{
    net::Net,
    tls::{self, ReadEnd},
};

/// Agrees on `h2`, sends the client's preface and reads what comes first; none where `h2` is not agreed on.
pub(super) async fn ask<N: Net>(driver: &Driver<'_, N>, version: &VersionFacts) -> Option<Http2Answer> {
    let recipe = HelloRecipe { alpn: vec!["h2".to_owned()], ..sessions::recipe(version)? };
    let session = tls::session(&recipe, driver.plan.name_in(&recipe), driver.plan.address.ip())?;
    let mut open = sessions::open(driver, driver.plan.address, session, 0).await?.ok()?;
    let until = Instant::now() + open.patience;
    let mut channel = open.channel();
    channel.has_protocol().then_some(())?;
    channel.write(PREFACE).await;
    let mut ended = None;
    while ended.is_none() && channel.plaintext().len() < FRAME_HEADER {
        ended = channel.read(until).await.err();
    }
    let answer = read(channel.plaintext(), ended);
    channel.close().await;
    open.finish(driver);
    Some(answer)
}

fn read(plaintext: &[u8], ended: Option<ReadEnd>) -> Http2Answer {
    match plaintext {
        [_, _, _, SETTINGS, _, 0, 0, 0, 0, ..] => Http2Answer::Settings,
        [b'H', b'T', b'T', b'P', b'/', b'1', ..] => Http2Answer::Http1,
        [] if ended == Some(ReadEnd::Stream(TlsEnd::TimedOut)) => Http2Answer::Silence,
        [] => Http2Answer::Ended,
        _ => Http2Answer::Other,
    }
}

/// The client's connection preface with an empty SETTINGS frame (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// Length, type, flags and stream of a frame (RFC 9113 section 4.1).
const FRAME_HEADER: usize = 9;
const SETTINGS: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_on_the_connection_itself_are_http_2() {
        let timed_out = Some(ReadEnd::Stream(TlsEnd::TimedOut));
        assert_eq!(read(&[0, 0, 18, 4, 0, 0, 0, 0, 0, 0, 3], None), Http2Answer::Settings);
        assert_eq!(read(&[0, 0, 18, 4, 0, 0, 0, 0, 1], None), Http2Answer::Other);
        assert_eq!(read(b"HTTP/1.1 400 Bad Request\r\n", None), Http2Answer::Http1);
        assert_eq!(read(b"SSH-", timed_out), Http2Answer::Other);
        assert_eq!(read(b"", timed_out), Http2Answer::Silence);
        assert_eq!(read(b"", Some(ReadEnd::Notified)), Http2Answer::Ended);
    }
}
