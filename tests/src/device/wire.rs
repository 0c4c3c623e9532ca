//! A wire with length: two TAP interfaces whose frames reach the other end late, and some of them never.
//!
//! The interfaces can be moved to other network namespaces while this runs. No hop is added: it is a link, not a router.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::fd::AsRawFd as _,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How the wire carries frames.
#[derive(Debug, Clone, Copy)]
pub struct Wire {
    /// How late each frame is.
    pub delay: Duration,
    /// How many of a million frames are lost.
    pub lost_per_million: u32,
}

impl Wire {
    /// Makes the two interfaces and carries frames between them until the process ends.
    pub fn serve(self, left: &str, right: &str) -> io::Result<()> {
        let (left, right) = (tap(left)?, tap(right)?);
        let directions = [(left.try_clone()?, right.try_clone()?, 0x9e37_79b9), (right, left, 0x7f4a_7c15)];
        thread::scope(|scope| {
            for (from, to, seed) in directions {
                let (sender, receiver) = mpsc::channel();
                scope.spawn(move || self.take(from, &sender, seed));
                scope.spawn(move || give(to, &receiver));
            }
        });
        Ok(())
    }

    fn take(self, mut from: File, sender: &mpsc::Sender<(Instant, Vec<u8>)>, mut random: u32) {
        let mut frame = vec![0; 65_536];
        loop {
            let Ok(length) = from.read(&mut frame) else {
                // The interface is down while it moves to its namespace.
                thread::sleep(Duration::from_millis(1));
                continue;
            };
            random = next_random(random);
            if random % 1_000_000 >= self.lost_per_million && sender.send((Instant::now() + self.delay, frame[..length].to_vec())).is_err() {
                return;
            }
        }
    }
}

fn give(mut to: File, receiver: &mpsc::Receiver<(Instant, Vec<u8>)>) {
    for (due, frame) in receiver {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // A frame for an interface that is down is lost, as on a real wire.
        let _ = to.write(&frame);
    }
}

/// One step of a xorshift generator: the same seed loses the same frames.
fn next_random(state: u32) -> u32 {
    let mut next = state;
    next ^= next << 13;
    next ^= next >> 17;
    next ^ (next << 5)
}

#[expect(unsafe_code, reason = "ioctl(TUNSETIFF) has no safe wrapper; the request is a plain C struct")]
fn tap(name: &str) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    let file =
        file.map_err(|error| io::Error::new(error.kind(), format!("/dev/net/tun cannot be used ({error}); a long wire needs it: run the lab as root")))?;
    // SAFETY: `ifreq` is made of integers and a union of plain data, for which zero bytes are a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *place = libc::c_char::from_ne_bytes([byte]);
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_TAP | libc::IFF_NO_PI).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open and the request outlives the call, which reads and writes one `ifreq`.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_the_stated_share_of_frames_is_lost() {
        let mut random = 0x9e37_79b9;
        let lost = (0..100_000).filter(|_| {
            random = next_random(random);
            random % 1_000_000 < 10_000
        });
        let lost = lost.count();
        assert!((800..1200).contains(&lost), "{lost} of 100,000 at one per cent");
    }
}
