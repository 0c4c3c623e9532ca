//! Connections of this host's kernel.

use std::{
    io,
    net::SocketAddr,
    os::fd::AsFd as _,
    pin::Pin,
    sync::atomic::{AtomicU8, Ordering},
    task::{Context, Poll},
    time::Duration,
};

use parallax_model::facts::{ConnectEnd, TcpInfo};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::{Connection, Dial, Dialled, Icmp, Net, SystemDatagrams, connect_end, sockopt, sockopt::QueuedError};

/// The network of this host.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNet;

impl Net for SystemNet {
    type Connection = SystemConnection;
    type Datagrams = SystemDatagrams;

    async fn datagrams(&self, remote: SocketAddr, source_port: Option<u16>) -> io::Result<SystemDatagrams> {
        SystemDatagrams::open(remote, source_port).await
    }

    async fn dial(&self, dial: &Dial) -> Dialled<SystemConnection> {
        let started = Instant::now();
        let stream = match start(dial) {
            Ok(stream) => stream,
            Err(error) => return Dialled::failed(connect_end(error.raw_os_error().unwrap_or(0)), started.elapsed()),
        };
        let v6 = dial.remote.is_ipv6();
        let decided = match timeout_at(started + dial.timeout, wait_until_decided(&stream)).await {
            Ok(Ok(decided)) => decided,
            Ok(Err(error)) => Decided { end: connect_end(error.raw_os_error().unwrap_or(0)), icmp: None, info: None },
            Err(_) => Decided { end: ConnectEnd::TimedOut, icmp: None, info: None },
        };
        let elapsed = started.elapsed();
        let Decided { end, icmp, info } = decided;
        let info = info.or_else(|| sockopt::tcp_info(stream.as_fd()).ok());
        let local = stream.local_addr().ok();
        let connection = (end == ConnectEnd::Connected).then(|| {
            // From here on a stray ICMP error must not end a stream that the kernel would have saved by sending again.
            let _ = sockopt::set_error_queue(stream.as_fd(), v6, false);
            if dial.want_ack_ttl {
                let _ = sockopt::report_acknowledgements(stream.as_fd(), true);
            }
            SystemConnection { stream, v6, reports: dial.want_ack_ttl, writes: 0, first_ack_ttl: AtomicU8::new(0) }
        });
        Dialled { end, connection, elapsed, local, icmp, info }
    }
}

/// Opens the socket with its options and sends the SYN.
fn start(dial: &Dial) -> io::Result<TcpStream> {
    let v6 = dial.remote.is_ipv6();
    let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    sockopt::set_error_queue(socket.as_fd(), v6, true)?;
    if let Some(port) = dial.source_port {
        let any = if v6 { "[::]:0" } else { "0.0.0.0:0" };
        let mut local: SocketAddr = any.parse().expect("a constant address");
        local.set_port(port);
        socket.set_reuse_address(true)?;
        socket.bind(&SockAddr::from(local))?;
    }
    if let Some(mss) = dial.mss {
        socket.set_tcp_mss(u32::from(mss))?;
    }
    if dial.hop_limit.is_some() {
        sockopt::set_hop_limit(socket.as_fd(), v6, dial.hop_limit)?;
    }
    if let Some(least) = dial.least_ttl {
        sockopt::set_least_ttl(socket.as_fd(), v6, least)?;
    }
    match socket.connect(&SockAddr::from(dial.remote)) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    TcpStream::from_std(socket.into())
}

/// The kernel's word on a connection.
struct Decided {
    end: ConnectEnd,
    icmp: Option<Icmp>,
    info: Option<TcpInfo>,
}

/// Waits for the kernel's word. SO_ERROR is read before the error queue, which can clear it, and only `tcpi_state` proves a connection.
async fn wait_until_decided(stream: &TcpStream) -> io::Result<Decided> {
    loop {
        stream.ready(Interest::WRITABLE | Interest::ERROR).await?;
        if let Some(errno) = stream.take_error()?.and_then(|error| error.raw_os_error()) {
            return Ok(Decided { end: connect_end(errno), icmp: queued_icmp(stream), info: None });
        }
        let info = sockopt::tcp_info(stream.as_fd()).ok();
        if info.is_some_and(|info| [ESTABLISHED, CLOSE_WAIT].contains(&info.state)) {
            return Ok(Decided { end: ConnectEnd::Connected, icmp: None, info });
        }
        if let Some(icmp) = queued_icmp(stream) {
            return Ok(Decided { end: ConnectEnd::Unreachable(libc::EHOSTUNREACH), icmp: Some(icmp), info: None });
        }
        // Not decided: tell the runtime that the socket is not ready after all.
        let not_yet = || Err::<(), _>(io::Error::from(io::ErrorKind::WouldBlock));
        let _ = stream.try_io(Interest::WRITABLE, not_yet);
        let _ = stream.try_io(Interest::ERROR, not_yet);
    }
}

fn queued_icmp(stream: &TcpStream) -> Option<Icmp> {
    while let Some(entry) = sockopt::next_queued_error(stream.as_fd()) {
        if let QueuedError::Icmp(icmp) = entry {
            return Some(icmp);
        }
    }
    None
}

/// A connection of this host.
#[derive(Debug)]
pub struct SystemConnection {
    stream: TcpStream,
    v6: bool,
    /// Whether the kernel reports acknowledgements.
    reports: bool,
    writes: u32,
    /// 0 as long as no acknowledgement was reported.
    first_ack_ttl: AtomicU8,
}

impl Connection for SystemConnection {
    fn info(&self) -> Option<TcpInfo> {
        sockopt::tcp_info(self.stream.as_fd()).ok()
    }

    fn set_hop_limit(&self, hop_limit: Option<u8>) {
        let _ = sockopt::set_hop_limit(self.stream.as_fd(), self.v6, hop_limit);
    }

    fn set_least_ttl(&self, least: u8) {
        let _ = sockopt::set_least_ttl(self.stream.as_fd(), self.v6, least);
    }

    fn heed_icmp(&self) {
        let _ = sockopt::set_error_queue(self.stream.as_fd(), self.v6, true);
    }

    async fn stirs(&self) {
        let _ = self.stream.ready(Interest::READABLE | Interest::ERROR).await;
    }

    fn take_error(&self) -> Option<i32> {
        self.stream.take_error().ok().flatten().and_then(|error| error.raw_os_error())
    }

    fn reset_on_close(&self) {
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    fn ack_ttl(&self) -> Option<u8> {
        while self.first_ack_ttl.load(Ordering::Relaxed) == 0 {
            match sockopt::next_queued_error(self.stream.as_fd())? {
                QueuedError::Acknowledged(ttl) => self.first_ack_ttl.store(ttl, Ordering::Relaxed),
                QueuedError::Icmp(_) | QueuedError::Other => {}
            }
        }
        Some(self.first_ack_ttl.load(Ordering::Relaxed))
    }
}

impl AsyncRead for SystemConnection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for SystemConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes = self.writes.saturating_add(1);
        if self.reports && self.writes == 2 {
            // The first flight's acknowledgement is what counts; every further report would wake the task for nothing.
            let _ = sockopt::report_acknowledgements(self.stream.as_fd(), false);
            self.reports = false;
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Values of `tcpi_state` (include/net/tcp_states.h).
const ESTABLISHED: u8 = 1;
const CLOSE_WAIT: u8 = 8;
