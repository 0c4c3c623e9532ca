use parallax_model::facts::{ConnectEnd, TcpFacts, TcpInfo};

use super::{
    address::{ip_bytes, ip_option},
    error::{ConvertError, inner, known, narrow, narrow_option, required_inner, unspecified},
};
use crate::v1;

impl From<&TcpFacts> for v1::TcpFacts {
    fn from(facts: &TcpFacts) -> Self {
        let (end, errno) = match facts.end {
            ConnectEnd::Connected => (v1::ConnectEnd::Connected, 0),
            ConnectEnd::Refused => (v1::ConnectEnd::Refused, 0),
            ConnectEnd::Reset => (v1::ConnectEnd::Reset, 0),
            ConnectEnd::TimedOut => (v1::ConnectEnd::TimedOut, 0),
            ConnectEnd::Unreachable(errno) => (v1::ConnectEnd::Unreachable, errno),
            ConnectEnd::LocalError(errno) => (v1::ConnectEnd::LocalError, errno),
        };
        Self {
            remote: Some(facts.remote.into()),
            local: facts.local.map(Into::into),
            source_port_pinned: facts.source_port_pinned,
            end: end.into(),
            errno,
            connect_us: facts.connect_us,
            hop_limit: facts.hop_limit.map(u32::from),
            mss_clamp: facts.mss_clamp.map(u32::from),
            icmp_from: facts.icmp_from.map_or_else(Vec::new, ip_bytes),
            at_connect: facts.at_connect.as_ref().map(Into::into),
            at_end: facts.at_end.as_ref().map(Into::into),
            ack_ttl: facts.ack_ttl.map(u32::from),
        }
    }
}

impl TryFrom<v1::TcpFacts> for TcpFacts {
    type Error = ConvertError;
    fn try_from(message: v1::TcpFacts) -> Result<Self, ConvertError> {
        let end = match known(message.end, "end")? {
            v1::ConnectEnd::Unspecified => return Err(unspecified("end")),
            v1::ConnectEnd::Connected => ConnectEnd::Connected,
            v1::ConnectEnd::Refused => ConnectEnd::Refused,
            v1::ConnectEnd::Reset => ConnectEnd::Reset,
            v1::ConnectEnd::TimedOut => ConnectEnd::TimedOut,
            v1::ConnectEnd::Unreachable => ConnectEnd::Unreachable(message.errno),
            v1::ConnectEnd::LocalError => ConnectEnd::LocalError(message.errno),
        };
        Ok(Self {
            remote: required_inner(message.remote, "remote")?,
            local: inner(message.local, "local")?,
            source_port_pinned: message.source_port_pinned,
            end,
            connect_us: message.connect_us,
            hop_limit: narrow_option(message.hop_limit, "hop_limit")?,
            mss_clamp: narrow_option(message.mss_clamp, "mss_clamp")?,
            icmp_from: ip_option(&message.icmp_from, "icmp_from")?,
            at_connect: inner(message.at_connect, "at_connect")?,
            at_end: inner(message.at_end, "at_end")?,
            ack_ttl: narrow_option(message.ack_ttl, "ack_ttl")?,
        })
    }
}

impl From<&TcpInfo> for v1::TcpInfo {
    fn from(info: &TcpInfo) -> Self {
        Self {
            state: u32::from(info.state),
            unacked: info.unacked,
            bytes_acked: info.bytes_acked,
            bytes_sent: info.bytes_sent,
            bytes_received: info.bytes_received,
            segments_in: info.segments_in,
            segments_out: info.segments_out,
            data_segments_in: info.data_segments_in,
            total_retransmissions: info.total_retransmissions,
            out_of_order_in: info.out_of_order_in,
            rtt_us: info.rtt_us,
            min_rtt_us: info.min_rtt_us,
            send_mss: info.send_mss,
            receive_mss: info.receive_mss,
            advertised_mss: info.advertised_mss,
            path_mtu: info.path_mtu,
        }
    }
}

impl TryFrom<v1::TcpInfo> for TcpInfo {
    type Error = ConvertError;
    fn try_from(message: v1::TcpInfo) -> Result<Self, ConvertError> {
        Ok(Self {
            state: narrow(message.state, "state")?,
            unacked: message.unacked,
            bytes_acked: message.bytes_acked,
            bytes_sent: message.bytes_sent,
            bytes_received: message.bytes_received,
            segments_in: message.segments_in,
            segments_out: message.segments_out,
            data_segments_in: message.data_segments_in,
            total_retransmissions: message.total_retransmissions,
            out_of_order_in: message.out_of_order_in,
            rtt_us: message.rtt_us,
            min_rtt_us: message.min_rtt_us,
            send_mss: message.send_mss,
            receive_mss: message.receive_mss,
            advertised_mss: message.advertised_mss,
            path_mtu: message.path_mtu,
        })
    }
}
