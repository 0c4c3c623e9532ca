use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use super::error::{ConvertError, Reason, narrow};
use crate::v1;

/// Writes an IP address as 4 or 16 bytes.
pub(crate) fn ip_bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Reads an IP address from 4 or 16 bytes.
pub(crate) fn ip(bytes: &[u8], field: &str) -> Result<IpAddr, ConvertError> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Ok(octets.into());
    }
    let wrong = if bytes.is_empty() { Reason::Missing } else { Reason::Length(bytes.len()) };
    <[u8; 16]>::try_from(bytes).map(IpAddr::from).map_err(|_| ConvertError::new(field, wrong))
}

/// Reads an IP address that is absent when there are no bytes.
pub(crate) fn ip_option(bytes: &[u8], field: &str) -> Result<Option<IpAddr>, ConvertError> {
    if bytes.is_empty() { Ok(None) } else { ip(bytes, field).map(Some) }
}

impl From<SocketAddr> for v1::SocketAddress {
    fn from(address: SocketAddr) -> Self {
        let scope_id = match address {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(address) => address.scope_id(),
        };
        Self { ip: ip_bytes(address.ip()), port: u32::from(address.port()), scope_id }
    }
}

impl TryFrom<v1::SocketAddress> for SocketAddr {
    type Error = ConvertError;
    fn try_from(address: v1::SocketAddress) -> Result<Self, ConvertError> {
        let port = narrow(address.port, "port")?;
        Ok(match ip(&address.ip, "ip")? {
            IpAddr::V4(ip) => (ip, port).into(),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, address.scope_id).into(),
        })
    }
}
