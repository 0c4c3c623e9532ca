//! Connecting, as facts.

use parallax_model::facts::{ConnectEnd, Facts, NotCompleted, TcpFacts};

use crate::{
    capture::micros,
    net::{Dial, Dialled, out_of_resources},
};

/// Turns what came of connecting into facts.
pub(crate) fn facts<C>(dial: &Dial, dialled: &Dialled<C>) -> TcpFacts {
    let connected = dialled.end == ConnectEnd::Connected;
    TcpFacts {
        remote: dial.remote,
        local: dialled.local,
        source_port_pinned: dial.source_port.is_some(),
        end: dialled.end,
        connect_us: micros(dialled.elapsed),
        hop_limit: dial.hop_limit,
        mss_clamp: dial.mss,
        icmp_from: dialled.icmp.and_then(|icmp| icmp.from),
        at_connect: dialled.info.filter(|_| connected),
        at_end: dialled.info.filter(|_| !connected),
        ack_ttl: None,
    }
}

/// Says why an attempt could not be made, when the host lacked what it takes.
pub(crate) fn not_completed(end: ConnectEnd) -> Option<NotCompleted> {
    match end {
        ConnectEnd::LocalError(errno) if out_of_resources(errno) => Some(NotCompleted::OutOfResources(errno)),
        _ => None,
    }
}

/// Returns facts of an attempt that ended with connecting.
pub(crate) fn failed(tcp: TcpFacts) -> Facts {
    Facts { not_completed: not_completed(tcp.end), tcp: Some(tcp), ..Facts::default() }
}
