//! The kernel's own account of a TCP connection.

use std::{io, mem, os::fd::AsRawFd};

/// What the kernel counted for one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// Segments sent and not acknowledged.
    pub unacknowledged: u32,
    /// Bytes received in order.
    pub received_bytes: u64,
    /// Segments that arrived before their turn.
    pub out_of_order: u32,
}

/// Reads the account of a socket.
#[expect(unsafe_code, reason = "getsockopt(TCP_INFO) has no safe wrapper; the buffer is a plain C struct of the length that is passed")]
pub fn read(socket: &impl AsRawFd) -> io::Result<Account> {
    // SAFETY: `tcp_info` is made of integers only, for which zero bytes are a value.
    let mut info: libc::tcp_info = unsafe { mem::zeroed() };
    let mut length = libc::socklen_t::try_from(size_of_val(&info)).map_err(io::Error::other)?;
    // SAFETY: the pointer and the length describe `info`, which outlives the call; the kernel writes at most `length` bytes.
    let result = unsafe { libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &raw mut length) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Account { unacknowledged: info.tcpi_unacked, received_bytes: info.tcpi_bytes_received, out_of_order: info.tcpi_rcv_ooopack })
}
