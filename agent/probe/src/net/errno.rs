//! What the errors of the host's kernel mean for a measurement.

use std::io;

use parallax_model::facts::{ConnectEnd, QuicEnd, TlsEnd};

/// Names the end of a connection attempt that failed with `errno`.
pub(crate) fn connect_end(errno: i32) -> ConnectEnd {
    match errno {
        libc::ECONNREFUSED => ConnectEnd::Refused,
        libc::ECONNRESET | libc::EPIPE => ConnectEnd::Reset,
        libc::ETIMEDOUT => ConnectEnd::TimedOut,
        errno if is_unreachable(errno) => ConnectEnd::Unreachable(errno),
        errno => ConnectEnd::LocalError(errno),
    }
}

/// Names the end of a stream on which a read or write failed.
pub(crate) fn stream_end(error: &io::Error) -> TlsEnd {
    match error.raw_os_error() {
        Some(libc::ECONNRESET) => TlsEnd::Reset,
        // Written to after the peer had closed: the end was its close.
        Some(libc::EPIPE) => TlsEnd::Closed,
        Some(libc::ETIMEDOUT) => TlsEnd::TimedOut,
        Some(errno) if is_unreachable(errno) || errno == libc::ECONNREFUSED => TlsEnd::Unreachable(errno),
        Some(errno) => TlsEnd::LocalError(errno),
        None => match error.kind() {
            io::ErrorKind::ConnectionReset => TlsEnd::Reset,
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => TlsEnd::Closed,
            io::ErrorKind::TimedOut => TlsEnd::TimedOut,
            _ => TlsEnd::LocalError(0),
        },
    }
}

/// Names the end of an exchange of datagrams that failed.
pub(crate) fn datagram_end(error: &io::Error) -> QuicEnd {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => QuicEnd::Refused,
        Some(errno) if is_unreachable(errno) => QuicEnd::Unreachable(errno),
        errno => QuicEnd::LocalError(errno.unwrap_or(0)),
    }
}

/// Tells whether the host lacks something that has nothing to do with the target.
pub(crate) fn out_of_resources(errno: i32) -> bool {
    matches!(errno, libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EADDRNOTAVAIL | libc::EADDRINUSE | libc::EAGAIN)
}

/// Errors that an ICMP message, a missing route or a local packet filter leaves behind.
fn is_unreachable(errno: i32) -> bool {
    matches!(
        errno,
        libc::EHOSTUNREACH
            | libc::ENETUNREACH
            | libc::EHOSTDOWN
            | libc::ENETDOWN
            | libc::ENONET
            | libc::EACCES
            | libc::EPERM
            | libc::ENOPROTOOPT
            | libc::EMSGSIZE
            | libc::EPROTO
            | libc::EOPNOTSUPP
    )
}
