//! The IANA special-purpose address registries (RFC 6890) as they bear on a prober: what is not somebody's address on the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Tells whether an address is loopback, link-local, private or otherwise set aside; IPv6 addresses that carry an IPv4 address are judged by both.
pub(super) fn is_special_purpose(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(address) => in_any_v4(address),
        IpAddr::V6(address) => match embedded_ipv4(ip) {
            Some(inner) => in_any_v4(inner),
            None => !within_v6(address, GLOBAL_UNICAST) || SPECIAL_V6.iter().any(|range| within_v6(address, *range)),
        },
    }
}

/// Returns the IPv4 address that packets to this IPv6 address reach: mapped (RFC 4291), the well-known NAT64 prefix (RFC 6052), 6to4 (RFC 3056).
pub(super) fn embedded_ipv4(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = ip else { return None };
    let last = |octets: [u8; 16]| Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]);
    let octets = address.octets();
    if within_v6(address, MAPPED) || within_v6(address, NAT64) {
        return Some(last(octets));
    }
    within_v6(address, SIX_TO_FOUR).then(|| Ipv4Addr::new(octets[2], octets[3], octets[4], octets[5]))
}

fn in_any_v4(address: Ipv4Addr) -> bool {
    SPECIAL_V4.iter().any(|(network, length)| {
        let shift = 32 - length;
        u32::from(address) >> shift == u32::from(Ipv4Addr::from(*network)) >> shift
    })
}

fn within_v6(address: Ipv6Addr, (segments, length): RangeV6) -> bool {
    let shift = 128 - length;
    u128::from(address) >> shift == u128::from(Ipv6Addr::from(segments)) >> shift
}

type RangeV6 = ([u16; 8], u32);

const SPECIAL_V4: [([u8; 4], u32); 19] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([192, 175, 48, 0], 24),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
    ([255, 255, 255, 255], 32),
];

const MAPPED: RangeV6 = ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96);
const NAT64: RangeV6 = ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);
const SIX_TO_FOUR: RangeV6 = ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16);

/// Everything outside of it is loopback, unique-local, link-local, multicast, or not handed out.
const GLOBAL_UNICAST: RangeV6 = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

const SPECIAL_V6: [RangeV6; 4] = [
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    ([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn special(text: &str) -> bool {
        is_special_purpose(text.parse().unwrap())
    }

    #[test]
    fn the_registries_are_closed() {
        let v4 = "0.0.0.0 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 \
                  192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.9 224.0.0.1 240.0.0.1 255.255.255.255";
        let v6 = ":: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::192.168.0.1 64:ff9b:1::1 100::1 2001::1 2001:1ff::1 2001:db8::1 2002:7f00:1:: 2002:c0a8:101:: \
                  3fff::1 5f00::1 fc00::1 fdff::1 fe80::1 fec0::1 ff02::1 ::127.0.0.1";
        for text in v4.split_whitespace().chain(v6.split_whitespace()) {
            assert!(special(text), "{text}");
        }
    }

    #[test]
    fn public_addresses_are_open() {
        let public = "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 172.15.0.1 172.32.0.1 192.0.1.1 192.169.0.1 198.17.0.1 198.20.0.1 \
                      223.255.255.255 2600::1 2a00:1450::1 2001:200::1 2001:dc0::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1";
        for text in public.split_whitespace() {
            assert!(!special(text), "{text}");
        }
    }
}
