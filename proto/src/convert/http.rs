use parallax_model::{
    clock::Timestamp,
    facts::{BodyEnd, BodyFacts, HttpEnd, HttpFacts},
};

use super::{
    bounds::{cut_text, text_option},
    error::{ConvertError, inner, known, narrow, narrow_option, unspecified},
};
use crate::v1;

impl From<&HttpFacts> for v1::HttpFacts {
    fn from(facts: &HttpFacts) -> Self {
        let (end, alert) = match facts.end {
            HttpEnd::Answered => (v1::HttpEnd::Answered, 0),
            HttpEnd::Closed => (v1::HttpEnd::Closed, 0),
            HttpEnd::Reset => (v1::HttpEnd::Reset, 0),
            HttpEnd::TimedOut => (v1::HttpEnd::TimedOut, 0),
            HttpEnd::Alert(number) => (v1::HttpEnd::Alert, u32::from(number)),
            HttpEnd::NotHttp => (v1::HttpEnd::NotHttp, 0),
            HttpEnd::Quiet => (v1::HttpEnd::Quiet, 0),
        };
        Self {
            end: end.into(),
            alert,
            status: facts.status.map(u32::from),
            server: facts.server.as_deref().map(cut_text),
            location: facts.location.as_deref().map(cut_text),
            alt_svc: facts.alt_svc.as_deref().map(cut_text),
            bytes_read: facts.bytes_read,
            elapsed_us: facts.elapsed_us,
            body: facts.body.as_ref().map(Into::into),
            date_us: facts.date.map(Timestamp::as_micros),
            age_seconds: facts.age_seconds,
            strict_transport_security: facts.strict_transport_security.as_deref().map(cut_text),
        }
    }
}

impl TryFrom<v1::HttpFacts> for HttpFacts {
    type Error = ConvertError;
    fn try_from(message: v1::HttpFacts) -> Result<Self, ConvertError> {
        let end = match known(message.end, "end")? {
            v1::HttpEnd::Unspecified => return Err(unspecified("end")),
            v1::HttpEnd::Answered => HttpEnd::Answered,
            v1::HttpEnd::Closed => HttpEnd::Closed,
            v1::HttpEnd::Reset => HttpEnd::Reset,
            v1::HttpEnd::TimedOut => HttpEnd::TimedOut,
            v1::HttpEnd::Alert => HttpEnd::Alert(narrow(message.alert, "alert")?),
            v1::HttpEnd::NotHttp => HttpEnd::NotHttp,
            v1::HttpEnd::Quiet => HttpEnd::Quiet,
        };
        Ok(Self {
            end,
            status: narrow_option(message.status, "status")?,
            server: text_option(message.server, "server")?,
            location: text_option(message.location, "location")?,
            alt_svc: text_option(message.alt_svc, "alt_svc")?,
            bytes_read: message.bytes_read,
            elapsed_us: message.elapsed_us,
            body: inner(message.body, "body")?,
            date: message.date_us.map(Timestamp::from_micros),
            age_seconds: message.age_seconds,
            strict_transport_security: text_option(message.strict_transport_security, "strict_transport_security")?,
        })
    }
}

impl From<&BodyFacts> for v1::BodyFacts {
    fn from(facts: &BodyFacts) -> Self {
        let (end, alert) = match facts.end {
            BodyEnd::Whole => (v1::BodyEnd::Whole, 0),
            BodyEnd::Capped => (v1::BodyEnd::Capped, 0),
            BodyEnd::Ended => (v1::BodyEnd::Ended, 0),
            BodyEnd::Closed => (v1::BodyEnd::Closed, 0),
            BodyEnd::Reset => (v1::BodyEnd::Reset, 0),
            BodyEnd::TimedOut => (v1::BodyEnd::TimedOut, 0),
            BodyEnd::Alert(number) => (v1::BodyEnd::Alert, u32::from(number)),
            BodyEnd::Malformed => (v1::BodyEnd::Malformed, 0),
        };
        let BodyFacts { bytes, promised, first_byte_us, last_byte_us, elapsed_us, .. } = *facts;
        Self { end: end.into(), alert, bytes, promised, first_byte_us, last_byte_us, elapsed_us }
    }
}

impl TryFrom<v1::BodyFacts> for BodyFacts {
    type Error = ConvertError;
    fn try_from(message: v1::BodyFacts) -> Result<Self, ConvertError> {
        let v1::BodyFacts { bytes, promised, first_byte_us, last_byte_us, elapsed_us, .. } = message;
        let end = match known(message.end, "end")? {
            v1::BodyEnd::Unspecified => return Err(unspecified("end")),
            v1::BodyEnd::Whole => BodyEnd::Whole,
            v1::BodyEnd::Capped => BodyEnd::Capped,
            v1::BodyEnd::Ended => BodyEnd::Ended,
            v1::BodyEnd::Closed => BodyEnd::Closed,
            v1::BodyEnd::Reset => BodyEnd::Reset,
            v1::BodyEnd::TimedOut => BodyEnd::TimedOut,
            v1::BodyEnd::Alert => BodyEnd::Alert(narrow(message.alert, "alert")?),
            v1::BodyEnd::Malformed => BodyEnd::Malformed,
        };
        Ok(Self { end, bytes, promised, first_byte_us, last_byte_us, elapsed_us })
    }
}
