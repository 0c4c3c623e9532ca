//! Whether a certificate that the authority signed still stands for a vantage.

use parallax_model::{
    clock::Timestamp,
    id::VantageName,
    vantage::{Standing, Vantage},
};

use super::PeerIdentity;

/// Says why a certificate no longer admits its holder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// There is no such vantage.
    #[error("no vantage is called {0}: it was deleted; enrol again with a fresh join string and an empty data directory")]
    Unknown(VantageName),
    /// It is banned.
    #[error("the vantage {0} is banned")]
    Banned(VantageName),
    /// The certificate belongs to an earlier vantage of the same name.
    #[error("this certificate belongs to an earlier vantage called {0}: enrol again with a fresh join string and an empty data directory")]
    Superseded(VantageName),
}

/// Tells whether the holder of a certificate may act as its vantage.
pub(crate) fn admits(peer: &PeerIdentity, vantage: Option<&Vantage>) -> Result<(), Refusal> {
    let name = peer.name.clone();
    match vantage {
        None => Err(Refusal::Unknown(name)),
        Some(vantage) if vantage.standing == Standing::Banned => Err(Refusal::Banned(name)),
        Some(vantage) if peer.issued_at < vantage.enrolled_at => Err(Refusal::Superseded(name)),
        Some(_) => Ok(()),
    }
}

/// Reads the moment of issue from a serial number that the authority made.
pub(super) fn issued_at(serial: &[u8]) -> Option<Timestamp> {
    // Leading zero bytes are not part of an INTEGER's encoding.
    let mut bytes = [0; 16];
    let serial = serial.strip_prefix(&[0]).unwrap_or(serial);
    bytes.get_mut(16_usize.checked_sub(serial.len())?..)?.copy_from_slice(serial);
    let micros: [u8; 8] = bytes[..8].try_into().ok()?;
    Some(Timestamp::from_micros(i64::from_be_bytes(micros)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn bans_deletions_and_new_enrolments_end_a_certificate() {
        let now = Timestamp::from_micros(1_790_000_000_000_000);
        let peer = PeerIdentity { name: "north".parse().unwrap(), issued_at: now };
        let vantage = |standing, enrolled_at| Vantage {
            name: "north".parse().unwrap(),
            labels: Default::default(),
            standing,
            version: String::new(),
            enrolled_at,
            last_seen: None,
            egress: None,
            clock_offset_ms: None,
            capabilities: Vec::new(),
        };
        let name = || peer.name.clone();
        assert_eq!(admits(&peer, Some(&vantage(Standing::Active, now))), Ok(()));
        assert_eq!(admits(&peer, Some(&vantage(Standing::Cordoned, now))), Ok(()));
        assert_eq!(admits(&peer, Some(&vantage(Standing::Banned, now))), Err(Refusal::Banned(name())));
        assert_eq!(admits(&peer, Some(&vantage(Standing::Active, now + Duration::from_micros(1)))), Err(Refusal::Superseded(name())));
        assert_eq!(admits(&peer, None), Err(Refusal::Unknown(name())));
    }
}
