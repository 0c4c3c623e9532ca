use parallax_model::facts::{StartTlsFacts, UpgradeEnd};

use super::{
    bounds::{cut, cut_text, each, text, text_option},
    error::{ConvertError, known, unspecified},
};
use crate::v1;

impl From<&StartTlsFacts> for v1::StartTlsFacts {
    fn from(facts: &StartTlsFacts) -> Self {
        use v1::UpgradeEnd as Wire;
        let (end, errno) = match facts.end {
            UpgradeEnd::Ready => (Wire::Ready, 0),
            UpgradeEnd::NotOffered => (Wire::NotOffered, 0),
            UpgradeEnd::Refused => (Wire::Refused, 0),
            UpgradeEnd::NotProtocol => (Wire::NotProtocol, 0),
            UpgradeEnd::Closed => (Wire::Closed, 0),
            UpgradeEnd::Reset => (Wire::Reset, 0),
            UpgradeEnd::TimedOut => (Wire::TimedOut, 0),
            UpgradeEnd::OverCap => (Wire::OverCap, 0),
            UpgradeEnd::Unreachable(errno) => (Wire::Unreachable, errno),
            UpgradeEnd::LocalError(errno) => (Wire::LocalError, errno),
        };
        Self {
            end: end.into(),
            errno,
            greeting: facts.greeting.as_deref().map(cut_text),
            capabilities: cut(&facts.capabilities).iter().map(|line| cut_text(line)).collect(),
            offered: facts.offered,
            reply: facts.reply.as_deref().map(cut_text),
            first_byte_us: facts.first_byte_us,
            elapsed_us: facts.elapsed_us,
            bytes_read: facts.bytes_read,
            surplus_bytes: facts.surplus_bytes,
        }
    }
}

impl TryFrom<v1::StartTlsFacts> for StartTlsFacts {
    type Error = ConvertError;
    fn try_from(message: v1::StartTlsFacts) -> Result<Self, ConvertError> {
        use v1::UpgradeEnd as Wire;
        let end = match known(message.end, "end")? {
            Wire::Unspecified => return Err(unspecified("end")),
            Wire::Ready => UpgradeEnd::Ready,
            Wire::NotOffered => UpgradeEnd::NotOffered,
            Wire::Refused => UpgradeEnd::Refused,
            Wire::NotProtocol => UpgradeEnd::NotProtocol,
            Wire::Closed => UpgradeEnd::Closed,
            Wire::Reset => UpgradeEnd::Reset,
            Wire::TimedOut => UpgradeEnd::TimedOut,
            Wire::OverCap => UpgradeEnd::OverCap,
            Wire::Unreachable => UpgradeEnd::Unreachable(message.errno),
            Wire::LocalError => UpgradeEnd::LocalError(message.errno),
        };
        Ok(Self {
            end,
            greeting: text_option(message.greeting, "greeting")?,
            capabilities: each(message.capabilities, "capabilities", |line| text(line, ""))?,
            offered: message.offered,
            reply: text_option(message.reply, "reply")?,
            first_byte_us: message.first_byte_us,
            elapsed_us: message.elapsed_us,
            bytes_read: message.bytes_read,
            surplus_bytes: message.surplus_bytes,
        })
    }
}
