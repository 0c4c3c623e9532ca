//! A network that does not exist: vantages, the routers before them, servers, and devices that do harm.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use super::dice::Dice;

/// Where a look is taken from.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    pub(super) name: String,
    pub(super) group: usize,
    pub(super) inside: bool,
    pub(super) ipv6: bool,
    /// Whether it has the options that arrival TTLs need.
    pub(super) reads_ttl: bool,
    /// Its upstream's number: groups with the same one share routers.
    pub(super) upstream: usize,
    /// Routers before the upstream.
    pub(super) access: usize,
    /// Whether its share gets through at all.
    pub(super) reports: bool,
    /// Milliseconds by which its clock is off.
    pub(super) clock_ms: i64,
}

/// What minds which packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Minds {
    Syn,
    /// The wanted name within one packet.
    Name,
    /// The wanted name, over segments.
    NameReassembled,
    AnyHello,
    AnyPayload,
    PacketsOut(u32),
    PacketsBack(u32),
    /// A ClientHello of so many bytes, over segments.
    LargeHello(u32),
    /// A ClientHello in more than one segment.
    Split,
    /// TLS 1.3 offered.
    Version,
    /// Everything that the server answers after the SYN-ACK.
    Answers,
    /// Connections from every second source port.
    OddPorts,
    /// Nothing but how fast they come: nine of ten attempts fail, after a pause none does.
    Rate,
}

/// What it does then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Drop,
    /// Resets (or refuses a SYN), and lets the packet go on or not.
    Reset {
        swallows: bool,
    },
    Close,
    Alert(u8),
    Prohibit,
}

/// Something that fails connections.
#[derive(Debug, Clone)]
pub(super) struct Device {
    pub(super) minds: Minds,
    pub(super) does: Does,
    pub(super) seats: BTreeSet<usize>,
    pub(super) places: BTreeSet<usize>,
    pub(super) stands: Stands,
    /// Whether it copies the TTL of the server's packets.
    pub(super) mimics: bool,
    /// The TTL with which its packets start.
    pub(super) initial_ttl: u8,
    /// Whether it acts before the router counts the packet down.
    pub(super) early: bool,
    /// Whether it acts on the way to the fleet's responders too.
    pub(super) everywhere: bool,
}

/// Where on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// At this router, counted from the vantage; 1 is the first.
    FromVantage(usize),
    /// At this router, counted from the server; 0 is the last one.
    FromServer(usize),
    AtServer,
}

/// How a server behaves at an address.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Serves {
    Well,
    /// Does not answer SYNs.
    Nothing,
    Refuses,
    /// The outcome of every hello, and whether an alert is under its keys.
    Ends(&'static str, bool),
    /// The outcome where the wanted name is asked for.
    EndsForName(&'static str),
    /// Fails so with hellos that take two segments, or are cut.
    EndsForSplit(&'static str),
    /// Fails so with everything but TLS 1.2 alone (or the reverse).
    EndsForVersion13(&'static str),
    /// Another chain, of the notation's names, of every so-manieth connection.
    Chain(&'static str, usize),
    /// Every so-manieth connection ends so.
    Now(&'static str, f64),
    Http(&'static str),
}

/// A whole world.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) viewers: Vec<Viewer>,
    pub(super) places: Vec<SocketAddr>,
    pub(super) serves: Vec<Serves>,
    pub(super) devices: Vec<Device>,
    /// Seats whose TLS somebody else terminates, at this router, with this chain, and for every target or this alone.
    pub(super) interceptors: Vec<(BTreeSet<usize>, usize, &'static str, bool)>,
    /// Seats with this resolver's answer instead of the addresses.
    pub(super) lookups: Vec<(usize, String)>,
    /// Seats without a network.
    pub(super) offline: BTreeSet<usize>,
    pub(super) portals: BTreeSet<usize>,
    /// Groups to which the request is denied by status.
    pub(super) denied: BTreeSet<usize>,
    /// Routers at the server's side.
    pub(super) common: usize,
    pub(super) server_ttl: u8,
    /// What the server answers to a name that it does not know.
    pub(super) control: &'static str,
    pub(super) loss: f64,
}

impl World {
    /// Makes a healthy world of a random shape.
    pub(super) fn healthy(dice: &mut Dice, groups: usize, addresses: usize) -> Self {
        let mut viewers = Vec::new();
        let common = dice.between(1, 3);
        for group in 0..groups {
            let members = if dice.chance(0.4) { 2 } else { 1 };
            let (upstream, access, ipv6) = (dice.between(0, groups.max(2) - 1), dice.between(1, 3), dice.chance(0.85));
            let reads_ttl = dice.chance(0.8);
            for member in 0..members {
                let name = format!("g{group}v{member}");
                let reports = dice.chance(0.95);
                viewers.push(Viewer { name, group, inside: false, ipv6, reads_ttl, upstream, access, reports, clock_ms: 3 });
            }
        }
        if dice.chance(0.5) {
            let name = "i".to_owned();
            viewers.push(Viewer { name, group: groups, inside: true, ipv6: true, reads_ttl: true, upstream: 0, access: 0, reports: true, clock_ms: 3 });
        }
        let both = dice.chance(0.4);
        let address = |at: usize| if both && at % 2 == 1 { format!("[2001:db8::{}]:443", at + 11) } else { format!("192.0.2.{}:443", at + 11) };
        let places: Vec<SocketAddr> = (0..addresses).map(|at| address(at).parse().unwrap()).collect();
        let mut places = places;
        places.sort_unstable();
        Self {
            serves: vec![Serves::Well; places.len()],
            viewers,
            places,
            devices: Vec::new(),
            interceptors: Vec::new(),
            lookups: Vec::new(),
            offline: BTreeSet::new(),
            portals: BTreeSet::new(),
            denied: BTreeSet::new(),
            common,
            server_ttl: dice.pick(&[64, 64, 64, 128]),
            control: dice.pick(&["ok", "ok", "ok", "tls.alert.112", "tls.alert.40", "tls.reset", "tls.closed"]),
            loss: 0.01,
        }
    }

    /// Returns the routers between a seat and the server.
    pub(super) fn routers(&self, seat: usize) -> Vec<IpAddr> {
        let viewer = &self.viewers[seat];
        if viewer.inside {
            return Vec::new();
        }
        let number = |n: usize| u8::try_from(n).unwrap();
        let access = (0..viewer.access).map(|at| IpAddr::from([198, 18, number(viewer.group), number(at + 1)]));
        let transit = (0..1).map(|at| IpAddr::from([198, 19, number(viewer.upstream), number(at + 1)]));
        let common = (0..self.common).map(|at| IpAddr::from([203, 0, 113, number(at + 200)]));
        access.chain(transit).chain(common).collect()
    }

    /// Returns the router at which a device stands for a seat, from 1; one more than there are routers for the server itself.
    pub(super) fn hop(&self, device: &Device, seat: usize) -> usize {
        let routers = self.routers(seat).len();
        match device.stands {
            Stands::FromVantage(hop) => hop,
            Stands::FromServer(back) => routers - back,
            Stands::AtServer => routers + 1,
        }
    }

    /// Returns the devices on the way of a seat to a place (or to a responder), the nearest first.
    pub(super) fn on_the_way(&self, seat: usize, place: Option<usize>) -> Vec<&Device> {
        let there = |device: &&Device| place.map_or(device.everywhere, |place| device.places.contains(&place));
        let mut met: Vec<&Device> = self.devices.iter().filter(|device| device.seats.contains(&seat)).filter(there).collect();
        met.sort_by_key(|device| self.hop(device, seat));
        met
    }

    pub(super) fn outside(&self) -> Vec<usize> {
        (0..self.viewers.len()).filter(|seat| !self.viewers[*seat].inside).collect()
    }

    pub(super) fn of_groups(&self, groups: &BTreeSet<usize>) -> BTreeSet<usize> {
        self.outside().into_iter().filter(|seat| groups.contains(&self.viewers[*seat].group)).collect()
    }
}
