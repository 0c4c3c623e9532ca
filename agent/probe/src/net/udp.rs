//! UDP sockets of this host's kernel.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::AsFd as _,
};

use tokio::net::UdpSocket;

use super::{Datagrams, sockopt, sockopt::QueuedError};

/// A UDP socket of this host.
#[derive(Debug)]
pub struct SystemDatagrams(UdpSocket);

impl SystemDatagrams {
    /// Opens a socket that hears `remote` alone, ICMP errors about it included.
    pub(super) async fn open(remote: SocketAddr, source_port: Option<u16>) -> io::Result<Self> {
        let any: IpAddr = if remote.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind(SocketAddr::new(any, source_port.unwrap_or(0))).await?;
        sockopt::set_error_queue(socket.as_fd(), remote.is_ipv6(), true)?;
        socket.connect(remote).await?;
        Ok(Self(socket))
    }
}

impl Datagrams for SystemDatagrams {
    async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.send(bytes).await.map(|_| ())
    }

    async fn receive(&self, into: &mut [u8]) -> io::Result<usize> {
        self.0.recv(into).await
    }

    fn local(&self) -> Option<SocketAddr> {
        self.0.local_addr().ok()
    }

    fn icmp_from(&self) -> Option<IpAddr> {
        while let Some(entry) = sockopt::next_queued_error(self.0.as_fd()) {
            if let QueuedError::Icmp(icmp) = entry {
                return icmp.from;
            }
        }
        None
    }
}
