use parallax_model::facts::UpgradeEnd;

use super::dialogue::{Dialogue, Foreign, Heard, Turn};

pub(super) struct Xmpp {
    opening: String,
    /// Whether the list of features has begun.
    in_features: bool,
    /// Whether TLS was asked for.
    asked: bool,
}

impl Xmpp {
    /// Makes the side of a client or of a server, by the namespace of its stanzas.
    pub(super) fn new(namespace: &str, host: &str) -> Self {
        let opening = format!("<?xml version='1.0'?><stream:stream xmlns='{namespace}' xmlns:stream='{STREAMS}' to='{host}' version='1.0'>");
        Self { opening, in_features: false, asked: false }
    }
}

impl Dialogue for Xmpp {
    fn opening(&self) -> Vec<u8> {
        self.opening.clone().into_bytes()
    }

    /// A message is a tag with the text before it; a `>` inside quotes does not end it.
    fn whole(&self, unread: &[u8]) -> Result<Option<usize>, Foreign> {
        if !self.in_features && !matches!(unread.trim_ascii_start().first(), None | Some(b'<')) {
            return Err(Foreign);
        }
        let Some(start) = unread.iter().position(|byte| *byte == b'<') else { return Ok(None) };
        let mut quote = None;
        for (at, byte) in unread.iter().enumerate().skip(start) {
            match (quote, *byte) {
                (None, b'>') => return Ok(Some(at + 1)),
                (None, b'\'' | b'"') => quote = Some(*byte),
                (Some(open), close) if open == close => quote = None,
                _ => {}
            }
        }
        Ok(None)
    }

    fn hear(&mut self, message: &[u8], heard: &mut Heard) -> Turn {
        let start = message.iter().position(|byte| *byte == b'<').unwrap_or_default();
        let tag = &message[start..];
        let (closes, name) = name_of(tag);
        match (closes, name) {
            (false, b"stream") => heard.greet(tag),
            (false, b"error") => return heard.decide(tag, UpgradeEnd::Refused),
            (true, b"stream") => return heard.decide(tag, UpgradeEnd::Closed),
            (false, b"proceed") if self.asked => return heard.decide(tag, UpgradeEnd::Ready),
            (false, b"failure") if self.asked => return heard.decide(tag, UpgradeEnd::Refused),
            (false, b"features") if !self.asked => {
                self.in_features = true;
                if tag.ends_with(b"/>") {
                    return self.ask(heard);
                }
            }
            (true, b"features") if self.in_features => return self.ask(heard),
            (false, name) if self.in_features => heard.can(name),
            (false, b"html" | b"!DOCTYPE") => return heard.decide(tag, UpgradeEnd::NotProtocol),
            _ => {}
        }
        Turn::listen()
    }
}

impl Xmpp {
    fn ask(&mut self, heard: &mut Heard) -> Turn {
        (self.in_features, self.asked) = (false, true);
        heard.ask_if_listed("starttls", "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    }
}

/// Returns whether a tag closes an element, and the element's name without its prefix.
fn name_of(tag: &[u8]) -> (bool, &[u8]) {
    let inside = tag.strip_prefix(b"<").unwrap_or(tag);
    let (closes, inside) = inside.strip_prefix(b"/").map_or((false, inside), |rest| (true, rest));
    let end = inside.iter().position(|byte| byte.is_ascii_whitespace() || b"/>".contains(byte)).unwrap_or(inside.len());
    let name = &inside[..end];
    let local = name.iter().position(|byte| *byte == b':').map_or(name, |at| &name[at + 1..]);
    (closes, local)
}

const STREAMS: &str = "http://etherx.jabber.org/streams";
