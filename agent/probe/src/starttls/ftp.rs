use parallax_model::facts::UpgradeEnd;

use super::{
    dialogue::{Dialogue, Heard, Turn},
    replies::Reply,
};

#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Ftp {
    #[default]
    Greeting,
    /// The answer to FEAT (RFC 2389): a line with 211, lines that begin with a blank, a last line with 211.
    Features,
    Answer,
}

impl Dialogue for Ftp {
    fn hear(&mut self, line: &[u8], heard: &mut Heard) -> Turn {
        let feature = matches!(*self, Self::Features) && line.starts_with(b" ");
        if feature {
            heard.can(line);
            return Turn::listen();
        }
        let Some(reply) = Reply::of(line) else { return Self::between(line, heard) };
        match *self {
            Self::Greeting => {
                heard.greet(line);
                match reply.code {
                    _ if !reply.is_last => Turn::listen(),
                    220 => {
                        *self = Self::Features;
                        Turn::say("FEAT\r\n")
                    }
                    400..600 => heard.decide(line, UpgradeEnd::Refused),
                    _ => heard.decide(line, UpgradeEnd::NotProtocol),
                }
            }
            Self::Features if !reply.is_last => Turn::listen(),
            // Many servers know the command and do not list it: clients just ask.
            Self::Features => {
                let lists_tls = |line: &String| line.to_ascii_uppercase().strip_prefix("AUTH").is_some_and(|kinds| kinds.contains("TLS"));
                heard.offered = (reply.code == 211).then(|| heard.capabilities.iter().any(lists_tls));
                *self = Self::Answer;
                Turn::say("AUTH TLS\r\n")
            }
            Self::Answer if !reply.is_last => Turn::listen(),
            Self::Answer if reply.code == 234 => heard.decide(line, UpgradeEnd::Ready),
            Self::Answer => heard.refuse(line, reply.is_unknown_command() || reply.code == 530),
        }
    }
}

impl Ftp {
    /// A line without a code may stand inside a reply of several lines, and nowhere else.
    fn between(line: &[u8], heard: &mut Heard) -> Turn {
        if heard.greeting.is_some() { Turn::listen() } else { heard.decide(line, UpgradeEnd::NotProtocol) }
    }
}
