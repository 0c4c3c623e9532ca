//! A proxy on the way that ends TLS and signs anew with an authority of its own.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::AsFd,
    sync::Arc,
};

use nix::sys::socket::{
    getsockopt,
    sockopt::{Ip6tOriginalDst, OriginalDst},
};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{LazyConfigAcceptor, TlsConnector, rustls::server::Acceptor};

use super::client;
use crate::lab::{
    Authority,
    scenario::{Certificate, ChainPart, Hello, Validity},
};

/// Serves connections that a firewall redirected here, until the process ends.
pub async fn serve(listen: SocketAddr, authority: Authority) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let authority = Arc::new(authority);
    loop {
        let (stream, _) = listener.accept().await?;
        let authority = Arc::clone(&authority);
        tokio::spawn(async move { handle(stream, &authority).await });
    }
}

async fn handle(stream: TcpStream, authority: &Authority) -> io::Result<()> {
    let destination = original_destination(&stream, stream.local_addr()?.ip())?;
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let name = start.client_hello().server_name().map(str::to_owned);
    let upstream_name = name.clone().and_then(|name| ServerName::try_from(name).ok()).unwrap_or_else(|| ServerName::IpAddress(destination.ip().into()));
    let connector = TlsConnector::from(Arc::new(client::configuration(Hello::Large)));
    let mut server = connector.connect(upstream_name, TcpStream::connect(destination).await?).await?;
    let configuration = mint(authority, name.as_deref().unwrap_or("unnamed.test")).map_err(io::Error::other)?;
    let mut client = start.into_stream(Arc::new(configuration)).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

fn mint(authority: &Authority, name: &str) -> anyhow::Result<ServerConfig> {
    let issued = authority.issue(&Certificate {
        id: name.to_owned(),
        names: vec![name.to_owned()],
        sends: vec![ChainPart::Leaf, ChainPart::Intermediate],
        validity: Validity::Current,
        padding: 0,
        self_signed: false,
    })?;
    let chain: Result<Vec<_>, _> = rustls::pki_types::CertificateDer::pem_slice_iter(issued.chain.as_bytes()).collect();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?.with_no_client_auth();
    let mut configuration = builder.with_single_cert(chain?, PrivateKeyDer::from_pem_slice(issued.key.as_bytes())?)?;
    configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(configuration)
}

/// Where the client wanted to go before the firewall sent it here, to this address.
pub(super) fn original_destination(stream: &impl AsFd, local: IpAddr) -> io::Result<SocketAddr> {
    match local.to_canonical() {
        IpAddr::V4(_) => {
            let address = getsockopt(stream, OriginalDst)?;
            Ok(SocketAddr::from((u32::from_be(address.sin_addr.s_addr).to_be_bytes(), u16::from_be(address.sin_port))))
        }
        IpAddr::V6(_) => {
            let address = getsockopt(stream, Ip6tOriginalDst)?;
            Ok(SocketAddr::from((address.sin6_addr.s6_addr, u16::from_be(address.sin6_port))))
        }
    }
}
