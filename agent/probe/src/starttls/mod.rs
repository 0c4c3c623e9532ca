//! What is said in clear until a server waits for a ClientHello: pure dialogues, bytes in, bytes out.
//!
//! | file | protocol |
//! |---|---|
//! | `smtp` | RFC 5321, RFC 3207 |
//! | `imap` | RFC 9051 section 6.2.1 |
//! | `pop3` | RFC 1939, RFC 2449, RFC 2595 |
//! | `ftp` | RFC 959, RFC 4217 |
//! | `xmpp` | RFC 6120 section 5, for clients and for servers |
//! | `ldap` | RFC 4511 section 4.14 |
//! | `postgres` | PostgreSQL manual, "Message Flow", "SSL Session Encryption" |
//! | `mysql` | MySQL internals, "Connection Phase" |
//! | `nntp` | RFC 3977, RFC 4642 |
//! | `sieve` | RFC 5804 |

mod carry;
mod dialogue;
mod ftp;
mod imap;
mod ldap;
mod mysql;
mod nntp;
mod pop3;
mod postgres;
mod replies;
mod sieve;
mod smtp;
mod xmpp;

use parallax_model::{facts::UpgradeEnd, target::StartTls};

pub(crate) use carry::{before_tls, to_tls};
use dialogue::Dialogue;
pub(crate) use dialogue::shown;
pub use dialogue::{Heard, MAX_CAPABILITIES, MAX_CAPABILITY_CHARS, MAX_WORDS_CHARS, Turn};

/// One upgrade under way, for one connection.
///
/// Never panics and never holds more than [`Upgrade::MAX_BYTES`], whatever it is fed.
pub struct Upgrade {
    dialogue: Box<dyn Dialogue>,
    unread: Vec<u8>,
    heard: Heard,
    end: Option<UpgradeEnd>,
    /// How many bytes may still be read.
    room: usize,
}

impl Upgrade {
    /// Most bytes that are read in clear.
    pub const MAX_BYTES: usize = 64 * 1024;
    /// Most bytes of one message: a line, a tag, a packet.
    pub const MAX_MESSAGE_BYTES: usize = 8 * 1024;

    /// Prepares the dialogue of a protocol; `host` is whom the client calls, where the protocol says so.
    pub fn new(protocol: StartTls, host: &str) -> Self {
        let dialogue: Box<dyn Dialogue> = match protocol {
            StartTls::Smtp => Box::<smtp::Smtp>::default(),
            StartTls::Imap => Box::<imap::Imap>::default(),
            StartTls::Pop3 => Box::<pop3::Pop3>::default(),
            StartTls::Ftp => Box::<ftp::Ftp>::default(),
            StartTls::Xmpp => Box::new(xmpp::Xmpp::new("jabber:client", host)),
            StartTls::XmppServer => Box::new(xmpp::Xmpp::new("jabber:server", host)),
            StartTls::Ldap => Box::new(ldap::Ldap),
            StartTls::Postgres => Box::new(postgres::Postgres),
            StartTls::Mysql => Box::new(mysql::Mysql),
            StartTls::Nntp => Box::<nntp::Nntp>::default(),
            StartTls::Sieve => Box::<sieve::Sieve>::default(),
        };
        Self { dialogue, unread: Vec::new(), heard: Heard::default(), end: None, room: Self::MAX_BYTES }
    }

    /// Returns what the client says first; empty where the server does.
    pub fn opening(&self) -> Vec<u8> {
        self.dialogue.opening()
    }

    /// Takes in what came, and returns what to say and whether that is the end.
    pub fn feed(&mut self, bytes: &[u8]) -> Turn {
        let (taken, beyond) = bytes.split_at(bytes.len().min(self.room));
        self.room -= taken.len();
        self.unread.extend_from_slice(taken);
        let mut say = Vec::new();
        while self.end.is_none() {
            let turn = match self.dialogue.whole(&self.unread) {
                Err(dialogue::Foreign) => {
                    self.heard.foreign(&self.unread);
                    Turn::end(UpgradeEnd::NotProtocol)
                }
                Ok(found) if found.unwrap_or(self.unread.len()) > Self::MAX_MESSAGE_BYTES => Turn::end(UpgradeEnd::OverCap),
                Ok(Some(length)) => {
                    let message: Vec<u8> = self.unread.drain(..length).collect();
                    self.dialogue.hear(&message, &mut self.heard)
                }
                Ok(None) if !beyond.is_empty() => Turn::end(UpgradeEnd::OverCap),
                Ok(None) => break,
            };
            say.extend(turn.say);
            self.end = turn.end;
        }
        Turn { say, end: self.end }
    }

    /// Returns what the server said so far.
    pub fn heard(&self) -> &Heard {
        &self.heard
    }

    /// Returns how many bytes came behind the last message of the dialogue.
    pub fn surplus_bytes(&self) -> usize {
        if self.end == Some(UpgradeEnd::Ready) { self.unread.len() } else { 0 }
    }
}

impl std::fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgrade").field("heard", &self.heard).field("end", &self.end).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
