use parallax_model::{bytes::Bytes, clock::Timestamp, outcome::CertificateFault};
use x509_parser::{
    asn1_rs::{Any, Class, Enumerated, FromDer, GeneralizedTime, OctetString, Sequence, Tag},
    prelude::X509Certificate,
};

/// Judges the stapled OCSP response (RFC 6960) of a leaf; a missing one is a fault only when the leaf demands it (RFC 7633).
pub(super) fn fault(leaf: &X509Certificate<'_>, staple: Option<&Bytes>, now: Timestamp) -> Option<CertificateFault> {
    let Some(response) = staple.filter(|response| !response.0.is_empty()) else {
        return demands_staple(leaf).then_some(CertificateFault::StapleMissing);
    };
    match read(&response.0) {
        Some(Single { status: Status::Revoked, .. }) => Some(CertificateFault::Revoked),
        Some(Single { status: Status::Good, next_update, serial }) => {
            let stale = next_update.is_some_and(|next| now.as_micros() / 1_000_000 > next);
            let of_another = serial != trimmed(leaf.raw_serial());
            (stale || of_another).then_some(CertificateFault::StapleInvalid)
        }
        Some(Single { status: Status::Unknown, .. }) | None => Some(CertificateFault::StapleInvalid),
    }
}

/// The TLS feature extension with status_request (5).
fn demands_staple(leaf: &X509Certificate<'_>) -> bool {
    let feature = leaf.extensions().iter().find(|extension| extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.24");
    feature.is_some_and(|extension| extension.value.windows(3).any(|window| window == [0x02, 0x01, 0x05]))
}

#[derive(Debug, PartialEq, Eq)]
enum Status {
    Good,
    Revoked,
    Unknown,
}

struct Single {
    status: Status,
    next_update: Option<i64>,
    serial: Vec<u8>,
}

/// Reads the first single response; the responder's signature is not verified, since the server itself stapled it.
fn read(der: &[u8]) -> Option<Single> {
    let (_, response) = Sequence::from_der(der).ok()?;
    let (rest, status) = Enumerated::from_der(&response.content).ok()?;
    if status.0 != 0 {
        return None;
    }
    let (_, wrapped) = Any::from_der(rest).ok()?;
    let (_, bytes) = Sequence::from_der(wrapped.data).ok()?;
    let (rest, _kind) = Any::from_der(&bytes.content).ok()?;
    let (_, basic) = OctetString::from_der(rest).ok()?;
    let (_, basic) = Sequence::from_der(basic.as_ref()).ok().map(|(rest, sequence)| (rest.len(), sequence.content.into_owned()))?;
    let (_, data) = Sequence::from_der(&basic).ok()?;
    let mut rest: &[u8] = &data.content;
    loop {
        let (next, item) = Any::from_der(rest).ok()?;
        rest = next;
        let is_list = item.tag() == Tag::Sequence && item.class() == Class::Universal;
        if is_list && let Some(single) = Sequence::from_der(item.data).ok().and_then(|(_, single)| read_single(&single.content)) {
            return Some(single);
        }
    }
}

fn read_single(content: &[u8]) -> Option<Single> {
    let (rest, identifier) = Sequence::from_der(content).ok()?;
    let (identifier_rest, _algorithm) = Sequence::from_der(&identifier.content).ok()?;
    let (identifier_rest, _name_hash) = OctetString::from_der(identifier_rest).ok()?;
    let (identifier_rest, _key_hash) = OctetString::from_der(identifier_rest).ok()?;
    let (_, serial) = Any::from_der(identifier_rest).ok()?;
    let (rest, status) = Any::from_der(rest).ok()?;
    let status = match status.tag().0 {
        0 => Status::Good,
        1 => Status::Revoked,
        _ => Status::Unknown,
    };
    let (rest, _this_update) = GeneralizedTime::from_der(rest).ok()?;
    let next_update = Any::from_der(rest).ok().filter(|(_, item)| item.class() == Class::ContextSpecific && item.tag().0 == 0);
    let next_update = next_update.and_then(|(_, item)| GeneralizedTime::from_der(item.data).ok()).and_then(|(_, time)| time.utc_datetime().ok());
    Some(Single { status, next_update: next_update.map(|time| time.unix_timestamp()), serial: trimmed(serial.data) })
}

fn trimmed(serial: &[u8]) -> Vec<u8> {
    serial.iter().copied().skip_while(|byte| *byte == 0).collect()
}
