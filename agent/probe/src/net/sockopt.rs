//! Socket options that the safe crates lack; the only unsafe code of the package.

use std::{
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsRawFd, BorrowedFd},
};

use libc::{c_int, c_void};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg};
use parallax_model::facts::TcpInfo;

use super::{Icmp, IcmpKind};

/// Ignores packets of the peer whose TTL (hop limit) on arrival is below `least`.
pub(super) fn set_least_ttl(socket: BorrowedFd<'_>, v6: bool, least: u8) -> io::Result<()> {
    let (level, name) = if v6 { (libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT) } else { (libc::IPPROTO_IP, libc::IP_MINTTL) };
    set(socket, level, name, c_int::from(least))
}

/// Sets the hop limit of sent packets; none gives the host's default back.
pub(super) fn set_hop_limit(socket: BorrowedFd<'_>, v6: bool, hop_limit: Option<u8>) -> io::Result<()> {
    const DEFAULT: c_int = -1;
    let (level, name) = if v6 { (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS) } else { (libc::IPPROTO_IP, libc::IP_TTL) };
    set(socket, level, name, hop_limit.map_or(DEFAULT, c_int::from))
}

/// Switches the error queue for ICMP on or off; switching off empties it.
pub(super) fn set_error_queue(socket: BorrowedFd<'_>, v6: bool, on: bool) -> io::Result<()> {
    let (level, name) = if v6 { (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) } else { (libc::IPPROTO_IP, libc::IP_RECVERR) };
    set(socket, level, name, c_int::from(on))
}

/// Asks for a report in the error queue whenever sent data is acknowledged, with the acknowledgement's TTL in it; or takes that back.
pub(super) fn report_acknowledgements(socket: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    // Without the first three, what is in the queue already could not be read either.
    let reading = libc::SOF_TIMESTAMPING_SOFTWARE | libc::SOF_TIMESTAMPING_OPT_TSONLY | libc::SOF_TIMESTAMPING_OPT_STATS;
    let flags = if on { reading | SOF_TIMESTAMPING_TX_ACK } else { reading };
    set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, flags as c_int)
}

/// Returns the kernel's view of a connection; an older kernel leaves what it does not know at zero.
pub(super) fn tcp_info(socket: BorrowedFd<'_>) -> io::Result<TcpInfo> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    #[expect(unsafe_code, reason = "getsockopt writes at most `length` bytes into a zeroed structure of plain integers that lives until it returns")]
    let info = unsafe {
        if libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, info.as_mut_ptr().cast::<c_void>(), &raw mut length) != 0 {
            return Err(io::Error::last_os_error());
        }
        info.assume_init()
    };
    Ok(TcpInfo {
        state: info.tcpi_state,
        unacked: info.tcpi_unacked,
        bytes_acked: info.tcpi_bytes_acked,
        bytes_sent: info.tcpi_bytes_sent,
        bytes_received: info.tcpi_bytes_received,
        segments_in: info.tcpi_segs_in,
        segments_out: info.tcpi_segs_out,
        data_segments_in: info.tcpi_data_segs_in,
        total_retransmissions: info.tcpi_total_retrans,
        out_of_order_in: info.tcpi_rcv_ooopack,
        rtt_us: info.tcpi_rtt,
        min_rtt_us: info.tcpi_min_rtt,
        send_mss: info.tcpi_snd_mss,
        receive_mss: info.tcpi_rcv_mss,
        advertised_mss: info.tcpi_advmss,
        path_mtu: info.tcpi_pmtu,
    })
}

fn set(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let length = size_of::<c_int>() as libc::socklen_t;
    #[expect(unsafe_code, reason = "setsockopt reads `length` bytes of an integer that lives until it returns")]
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast::<c_void>(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// One entry of a socket's error queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueuedError {
    /// An ICMP error.
    Icmp(Icmp),
    /// An acknowledgement that arrived with this TTL.
    Acknowledged(u8),
    /// Anything else, such as a report without a TTL.
    Other,
}

/// Takes the next entry out of a socket's error queue; none when it is empty.
pub(super) fn next_queued_error(socket: BorrowedFd<'_>) -> Option<QueuedError> {
    let mut payload = [0; 64];
    let mut iov = [IoSliceMut::new(&mut payload)];
    let mut control = [0; 512];
    let message = recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut iov, Some(&mut control), MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT).ok()?;
    let mut found = QueuedError::Other;
    for part in message.cmsgs().ok()? {
        match part {
            ControlMessageOwned::Ipv4RecvErr(error, from) => {
                let from = from.map(|from| IpAddr::V4(Ipv4Addr::from(u32::from_be(from.sin_addr.s_addr))));
                found = icmp(error, from).map_or(found, QueuedError::Icmp);
            }
            ControlMessageOwned::Ipv6RecvErr(error, from) => {
                let from = from.map(|from| IpAddr::V6(Ipv6Addr::from(from.sin6_addr.s6_addr)).to_canonical());
                found = icmp(error, from).map_or(found, QueuedError::Icmp);
            }
            ControlMessageOwned::Unknown(other) if other.cmsg_header.cmsg_type == SCM_TIMESTAMPING_OPT_STATS => {
                found = ttl_in_statistics(&other.data_bytes).map_or(found, QueuedError::Acknowledged);
            }
            _ => {}
        }
    }
    Some(found)
}

fn icmp(error: libc::sock_extended_err, from: Option<IpAddr>) -> Option<Icmp> {
    let kind = match (error.ee_origin, error.ee_type, error.ee_code) {
        (libc::SO_EE_ORIGIN_ICMP, 11, _) | (libc::SO_EE_ORIGIN_ICMP6, 3, _) => IcmpKind::Expired,
        (libc::SO_EE_ORIGIN_ICMP, 3, 3) | (libc::SO_EE_ORIGIN_ICMP6, 1, 4) => IcmpKind::PortUnreachable,
        (libc::SO_EE_ORIGIN_ICMP, 3, _) | (libc::SO_EE_ORIGIN_ICMP6, 1, _) => IcmpKind::Unreachable,
        _ => return None,
    };
    Some(Icmp { from, kind })
}

/// Walks netlink attributes (length, type, value, padded to four bytes) for the TTL.
fn ttl_in_statistics(mut bytes: &[u8]) -> Option<u8> {
    const HEADER: usize = 4;
    while let Some(&[a, b, c, d]) = bytes.first_chunk::<HEADER>() {
        let length = usize::from(u16::from_ne_bytes([a, b]));
        if u16::from_ne_bytes([c, d]) == TCP_NLA_TTL && length > HEADER {
            return bytes.get(HEADER).copied().filter(|ttl| *ttl > 0);
        }
        bytes = bytes.get(length.max(HEADER).next_multiple_of(HEADER)..)?;
    }
    None
}

/// linux/net_tstamp.h.
const SOF_TIMESTAMPING_TX_ACK: u32 = 1 << 9;
/// asm-generic/socket.h.
const SCM_TIMESTAMPING_OPT_STATS: c_int = 54;
/// linux/tcp.h, since Linux 5.18.
const TCP_NLA_TTL: u16 = 26;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ttl_is_found_among_other_attributes_and_never_beyond_the_end() {
        let mut bytes = Vec::new();
        for (kind, value) in [(1_u16, [9_u8; 8].as_slice()), (TCP_NLA_TTL, &[61]), (3, &[0; 4])] {
            bytes.extend_from_slice(&(4 + value.len() as u16).to_ne_bytes());
            bytes.extend_from_slice(&kind.to_ne_bytes());
            bytes.extend_from_slice(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        assert_eq!(ttl_in_statistics(&bytes), Some(61));
        for end in 0..16 {
            assert_eq!(ttl_in_statistics(&bytes[..end]), None);
        }
        assert_eq!(ttl_in_statistics(&[0; 64]), None, "a length of zero must not hold the walk");
    }
}
