//! The packet socket: every packet of this host that the filter keeps, before its firewall on the way in and behind it on the way out.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::{
    libc,
    sys::socket::{AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg, setsockopt, socket, sockopt},
};
use socket2::Socket;
use tokio::io::unix::AsyncFd;

use super::filter;

/// A packet socket with a filter.
pub(super) struct Tap {
    socket: Socket,
    buffer: Vec<u8>,
}

/// A packet, and what the kernel says of it.
pub(super) struct Caught<'a> {
    /// From its IP header on.
    pub(super) packet: &'a [u8],
    /// Whether this host sends it.
    pub(super) outgoing: bool,
    /// Packets that were lost since the socket was opened, when the kernel told.
    pub(super) lost: Option<u32>,
}

impl Tap {
    /// Opens a socket that keeps nothing yet; needs CAP_NET_RAW.
    pub(super) fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let opened: OwnedFd = socket(AddressFamily::Packet, SockType::Datagram, flags, SockProtocol::EthAll)?;
        setsockopt(&opened, sockopt::RxqOvfl, &1)?;
        let socket = Socket::from(opened);
        socket.attach_filter(&filter::program(&[]))?;
        // The host's limit may allow less, which only makes losses likelier.
        let _ = socket.set_recv_buffer_size(BUFFER);
        Ok(Self { socket, buffer: vec![0; LARGEST] })
    }

    /// Keeps the packets of these servers from now on.
    pub(super) fn watch(&self, servers: &[SocketAddr]) -> io::Result<()> {
        self.socket.attach_filter(&filter::program(servers))
    }

    /// Returns a handle to wait on for packets.
    pub(super) fn waiter(&self) -> io::Result<AsyncFd<OwnedFd>> {
        let descriptor = OwnedFd::from(self.socket.try_clone()?);
        #[expect(unsafe_code, reason = "an OwnedFd is the same open descriptor for as long as the AsyncFd that owns it, which is what registering it asks for")]
        let waiter = unsafe { AsyncFd::register(descriptor)? };
        Ok(waiter)
    }

    /// Takes the next packet that waits; none when there is none.
    pub(super) fn next(&mut self) -> Option<Caught<'_>> {
        let mut iov = [IoSliceMut::new(&mut self.buffer)];
        let mut control = nix::cmsg_space!(u32);
        let message = recvmsg::<LinkAddr>(self.socket.as_raw_fd(), &mut iov, Some(&mut control), MsgFlags::MSG_DONTWAIT).ok()?;
        let lost =
            message.cmsgs().ok().and_then(|mut parts| parts.find_map(|part| if let ControlMessageOwned::RxqOvfl(lost) = part { Some(lost) } else { None }));
        let outgoing = message.address.is_some_and(|address| address.pkttype() == libc::PACKET_OUTGOING);
        let length = message.bytes;
        Some(Caught { packet: &self.buffer[..length], outgoing, lost })
    }
}

const BUFFER: usize = 4 * 1024 * 1024;
const LARGEST: usize = 32 * 1024;
