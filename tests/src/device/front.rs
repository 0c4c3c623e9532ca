//! A relay in front of a server that looks at the ClientHello first: a naive reader, or a router by name.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    str::FromStr,
    thread,
    time::Duration,
};

use clap::ValueEnum;
use parallax_tls::{
    ClientHello, Extension,
    record::HEADER_LEN,
    registry::{CipherSuite, ProtocolVersion},
};

use super::{defect::Defect, intercept::original_destination, relic::Relics};

/// What the relay does with a ClientHello.
#[derive(Debug, Clone)]
pub struct Front {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where good connections go; where the client wanted to, if a firewall redirected it here.
    pub upstream: Option<SocketAddr>,
    /// Any connection whose first bytes do not hold this name is ended.
    pub only_name: Option<String>,
    /// Any connection whose first bytes hold this name is ended.
    pub not_name: Option<String>,
    /// Reads once, at most so many bytes, and closes if the first record is not complete by then.
    pub read_once: Option<usize>,
    /// Connections whose ClientHello has this are ended.
    pub defect: Option<Defect>,
    /// What the relay answers itself when the server turns it down.
    pub relics: Option<Relics>,
    /// What it takes out of the ClientHello, so that the server does not see it.
    pub takes_out: Option<Part>,
    /// How connections are ended.
    pub end: End,
}

/// A part of a ClientHello that a server can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// TLS_FALLBACK_SCSV (RFC 7507).
    Fallback,
    /// TLS 1.3 among the versions, as one who wants to break an older version does (RFC 8446, section 4.1.3).
    Tls13,
}

/// How the relay ends a connection that it does not carry on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By a reset.
    Reset,
    /// By a FIN.
    Close,
    /// Not at all: it reads on and never answers.
    Silence,
    /// By a fatal alert in clear.
    Alert(u8),
}

impl FromStr for End {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "reset" => Ok(Self::Reset),
            "close" => Ok(Self::Close),
            "silence" => Ok(Self::Silence),
            number => number.parse().map(Self::Alert),
        }
    }
}

impl Front {
    /// Serves until the process ends.
    pub fn serve(self) -> io::Result<()> {
        let listener = TcpListener::bind(self.listen)?;
        for stream in listener.incoming() {
            let (stream, front) = (stream?, self.clone());
            thread::spawn(move || front.handle(stream));
        }
        Ok(())
    }

    fn handle(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut first = vec![0; self.read_once.unwrap_or(16_384)];
        let mut count = client.read(&mut first)?;
        while self.read_once.is_none() && !is_complete(&first[..count]) && count < first.len() {
            match client.read(&mut first[count..])? {
                0 => break,
                more => count += more,
            }
        }
        let first = &first[..count];
        if self.read_once.is_some() && !is_complete(first) {
            return client.shutdown(Shutdown::Both);
        }
        let is_known = |name: &String| first.windows(name.len()).any(|window| window == name.as_bytes());
        let is_unbearable = self.defect.is_some_and(|defect| defect.is_triggered_by(first));
        let is_unwanted = !self.only_name.as_ref().is_none_or(is_known) || self.not_name.as_ref().is_some_and(is_known);
        if is_unbearable || is_unwanted {
            return self.end(client);
        }
        let upstream = match self.upstream {
            Some(upstream) => upstream,
            None => original_destination(&client, client.local_addr()?.ip())?,
        };
        let mut server = TcpStream::connect(upstream)?;
        server.write_all(&self.takes_out.map_or_else(|| first.to_vec(), |part| part.taken_out_of(first)))?;
        if let Some(answer) = self.relics.as_ref().and_then(|relics| relics.answer(first))
            && is_refused(&server)?
        {
            return client.write_all(&answer);
        }
        client.set_read_timeout(None)?;
        let (mut reader, mut writer) = (server.try_clone()?, client.try_clone()?);
        let back = thread::spawn(move || {
            let _ = io::copy(&mut reader, &mut writer);
            writer.shutdown(Shutdown::Write)
        });
        let _ = io::copy(&mut client, &mut server);
        let _ = server.shutdown(Shutdown::Write);
        let _ = back.join();
        Ok(())
    }

    fn end(&self, mut client: TcpStream) -> io::Result<()> {
        match self.end {
            End::Reset => socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)),
            End::Close => client.shutdown(Shutdown::Both),
            End::Silence => {
                client.set_read_timeout(None)?;
                io::copy(&mut client, &mut io::sink()).map(drop)
            }
            // RFC 8446, sections 5.1 and 6.
            End::Alert(number) => client.write_all(&[21, 3, 3, 0, 2, 2, number]),
        }
    }
}

impl Part {
    /// Writes a ClientHello without it; what is none stays as it is.
    fn taken_out_of(self, first: &[u8]) -> Vec<u8> {
        let Some(Ok(mut hello)) = first.get(HEADER_LEN..).map(ClientHello::decode) else { return first.to_vec() };
        match self {
            Self::Fallback => hello.cipher_suites.retain(|suite| *suite != CipherSuite::TLS_FALLBACK_SCSV),
            Self::Tls13 => {
                hello.extensions.retain(|extension| !matches!(extension, Extension::SupportedVersions(versions) if versions.contains(&ProtocolVersion::TLS13)))
            }
        }
        hello.to_records(ProtocolVersion::TLS10)
    }
}

/// Waits for the server's first word and tells whether it is no handshake.
fn is_refused(server: &TcpStream) -> io::Result<bool> {
    let mut kind = [0];
    Ok(server.peek(&mut kind)? == 0 || kind != [22])
}

/// Tells whether the bytes hold a whole TLS record (RFC 8446, section 5.1), or no TLS at all.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    match bytes {
        [22, _, _, high, low, rest @ ..] => rest.len() >= usize::from(*high) * 256 + usize::from(*low),
        [22, ..] => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_is_taken_out_and_nothing_else() {
        let hello = ClientHello { cipher_suites: vec![CipherSuite(0xc02f), CipherSuite(0xc030)], ..ClientHello::default() };
        let plain = hello.to_records(ProtocolVersion::TLS10);
        let mut signalled = hello;
        signalled.cipher_suites.push(CipherSuite::TLS_FALLBACK_SCSV);
        assert_eq!(Part::Fallback.taken_out_of(&signalled.to_records(ProtocolVersion::TLS10)), plain);
        assert_eq!(Part::Fallback.taken_out_of(&plain), plain);
        assert_eq!(Part::Fallback.taken_out_of(b"GET /"), b"GET /");
        let modern = ClientHello { extensions: vec![Extension::SupportedVersions(vec![ProtocolVersion::TLS13])], ..signalled.clone() };
        assert_eq!(Part::Tls13.taken_out_of(&modern.to_records(ProtocolVersion::TLS10)), signalled.to_records(ProtocolVersion::TLS10));
    }

    #[test]
    fn a_record_is_complete_when_its_length_is_reached() {
        assert!(!is_complete(&[22, 3, 1]));
        assert!(!is_complete(&[22, 3, 1, 0, 3, 1, 2]));
        assert!(is_complete(&[22, 3, 1, 0, 3, 1, 2, 3]));
        assert!(is_complete(b"GET / HTTP/1.1"));
    }
}
