//! The notation of a case.

use parallax_model::{
    facts::AuditFacts,
    verdict::{Cause, Tier},
};
use serde::Deserialize;

/// One round in short, and what its verdict must be.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// What the case is about.
    pub(super) title: String,
    #[serde(default = "target")]
    pub(super) target: String,
    /// `name:group`; the group `inside` makes an inside vantage.
    #[serde(default = "vantages")]
    pub(super) vantages: Vec<String>,
    /// `name key=value` of further labels, each on its own.
    #[serde(default)]
    pub(super) labels: Vec<String>,
    /// `name build` of agents of another build.
    #[serde(default)]
    pub(super) builds: Vec<String>,
    /// Profiles that the operator named; none takes the defaults.
    #[serde(default)]
    pub(super) profiles: Vec<String>,
    /// `vantage=milliseconds` of clocks that are off.
    #[serde(default)]
    pub(super) clocks: Vec<String>,
    /// Whether the fleet has responders, and every vantage reaches them unless a `try` says otherwise.
    #[serde(default = "yes")]
    pub(super) responders: bool,
    /// Plain attempts.
    #[serde(default)]
    pub(super) see: Vec<See>,
    /// Experiments.
    #[serde(default, rename = "try")]
    pub(super) tries: Vec<See>,
    /// Lookups.
    #[serde(default)]
    pub(super) resolve: Vec<Resolve>,
    /// What witnesses recorded of the plain attempts.
    #[serde(default)]
    pub(super) witness: Vec<Witnessed>,
    /// Vantages behind a translation of addresses.
    #[serde(default)]
    pub(super) translated: String,
    pub(super) healthy: bool,
    /// Exactly these findings.
    #[serde(default)]
    pub(super) expect: Vec<Expect>,
    /// Words that the headline must hold.
    #[serde(default)]
    pub(super) headline: Vec<String>,
}

/// Attempts from some vantages at some addresses.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct See {
    /// Vantages, separated by spaces.
    pub(super) from: String,
    /// Addresses, separated by spaces; the target's port is meant.
    #[serde(default = "address")]
    pub(super) at: String,
    #[serde(default)]
    pub(super) port: Option<u16>,
    /// Profiles, separated by spaces.
    #[serde(default)]
    pub(super) profile: String,
    #[serde(default)]
    pub(super) experiment: String,
    /// Outcomes in their order, separated by spaces, each with an optional `*n`.
    #[serde(default = "ok_twice")]
    pub(super) outcome: String,
    /// The chain that a finished handshake brings.
    #[serde(default = "good")]
    pub(super) chain: String,
    /// How a silence looks: `unacked`, `acked`, `gap`, `partial`.
    #[serde(default)]
    pub(super) silence: String,
    /// `reply=TTL`, `syn-ack=TTL`, `filtered`, `sibling:PORT:REPLY=TTL`, separated by spaces.
    #[serde(default)]
    pub(super) ttl: String,
    /// Bytes in each segment of the answer, when it matters.
    #[serde(default)]
    pub(super) segment_bytes: Option<u64>,
    /// Whether segments of the answer overtook others on their way.
    #[serde(default)]
    pub(super) overtaken: bool,
    /// The TTL with which the SYN-ACK came, when it matters.
    #[serde(default)]
    pub(super) ack_ttl: Option<u8>,
    /// Steps of a walk: `e` (expired, unknown), `e:ADDRESS`, `a` answered, `f` refused, `r` reset, `c` closed, `s` silent, `p:ADDRESS` prohibited, `l:NUMBER` alert, with an optional `*n`.
    #[serde(default)]
    pub(super) walk: String,
    /// What an audit found, as it is stored.
    pub(super) audit: Option<AuditFacts>,
    /// The chains that the audit was shown for RSA and ECDSA keys, `rsa=CHAIN ecdsa=CHAIN`.
    #[serde(default)]
    pub(super) key_types: String,
    /// Source ports, one per attempt, used again from the start.
    #[serde(default)]
    pub(super) source_ports: Vec<u16>,
    /// What the server picked in clear: `version=0x0301 suite=0x002f group=0x001d request`.
    #[serde(default)]
    pub(super) picked: String,
    /// Bytes of the hello, when it matters.
    #[serde(default)]
    pub(super) hello_bytes: Option<u32>,
    /// Bytes of the answer, when it matters.
    #[serde(default)]
    pub(super) answer_bytes: Option<u64>,
    /// From hello to end, milliseconds.
    #[serde(default)]
    pub(super) took_ms: Option<u64>,
    /// From hello to the first byte, milliseconds.
    #[serde(default)]
    pub(super) first_byte_ms: Option<u64>,
    /// The round trip that the kernel measured by acknowledgements, microseconds.
    #[serde(default)]
    pub(super) acknowledged_us: Option<u32>,
    #[serde(default)]
    pub(super) icmp_from: Option<String>,
    /// errno of `tcp.unreachable`.
    #[serde(default)]
    pub(super) errno: Option<i32>,
    /// Whether the alert came under the handshake's keys.
    #[serde(default)]
    pub(super) encrypted: bool,
    /// What ALPN settled on; empty for nothing.
    #[serde(default = "http1")]
    pub(super) alpn: String,
    /// The `strict-transport-security` header; a good one by default.
    #[serde(default)]
    pub(super) stays: Option<String>,
    /// How long connecting took, milliseconds, the kernel's round trip with it.
    #[serde(default)]
    pub(super) connected_ms: Option<u32>,
    /// When the last byte came, milliseconds after the first was sent; the transcript then holds all of them.
    #[serde(default)]
    pub(super) heard_until_ms: Option<u64>,
    /// The `server` header.
    #[serde(default)]
    pub(super) server: Option<String>,
    /// The `date` header, seconds from the round's start.
    #[serde(default)]
    pub(super) dated: Option<i64>,
    /// Whether TCP to the address fails as well, of a target over QUIC.
    #[serde(default)]
    pub(super) tcp_too: bool,
    /// What the server says it can do before TLS, separated by spaces.
    #[serde(default)]
    pub(super) capabilities: String,
    /// Its answer to the STARTTLS command.
    #[serde(default)]
    pub(super) reply: String,
    /// How the body ended, its bytes, and seconds from the request to its last byte and to the end: `whole 65536 0.05 0.05`; empty where none was asked for.
    #[serde(default)]
    pub(super) body: String,
    /// Seconds after the round's start at which the first attempt begins.
    #[serde(default)]
    pub(super) second: f64,
}

/// A lookup.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolve {
    pub(super) from: String,
    /// Addresses, or an outcome's name.
    pub(super) gives: String,
    /// Addresses of a second answer to the same query.
    #[serde(default)]
    pub(super) then: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    /// The resolver that is asked beside the vantage's own, as an operator types it.
    #[serde(default)]
    pub(super) resolver: Option<String>,
    /// The chain that it brings.
    #[serde(default)]
    pub(super) chain: Option<String>,
    /// What the same resolver gives by TCP.
    #[serde(default)]
    pub(super) by_tcp: String,
}

/// A witness's record of one address.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Witnessed {
    /// The vantage.
    pub(super) by: String,
    #[serde(default = "address")]
    pub(super) at: String,
    /// `vantage=word`, separated by spaces: `never`, `unanswered`, `refused`, `hello-lost`, `changed`, `mute`, `answer-lost`, `reset`, `alert`, `forged`, `ok`.
    #[serde(default)]
    pub(super) saw: String,
    /// What the server's log has of each, likewise: `proxy`, `protocol`, `denied`, `reset`, `served`.
    #[serde(default)]
    pub(super) log: String,
    /// Whether its lines have the client's port.
    #[serde(default)]
    pub(super) log_ports: bool,
    /// Packets that it missed.
    #[serde(default)]
    pub(super) lost: u64,
}

/// A finding that must be there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) cause: Cause,
    pub(super) tier: Tier,
    #[serde(default)]
    pub(super) vantages: Option<String>,
    #[serde(default)]
    pub(super) addresses: Option<String>,
    #[serde(default)]
    pub(super) profiles: Option<String>,
    #[serde(default)]
    pub(super) mechanism: Option<String>,
    #[serde(default)]
    pub(super) hops: Option<[u8; 2]>,
    #[serde(default)]
    pub(super) router: Option<String>,
    #[serde(default)]
    pub(super) counter: Option<Cause>,
    #[serde(default)]
    pub(super) share: Option<[f64; 2]>,
    /// Rules that must be among the evidence.
    #[serde(default)]
    pub(super) rules: Vec<String>,
    /// Words that a piece of its evidence must hold.
    #[serde(default)]
    pub(super) says: Vec<String>,
    /// Lines that its remedy must hold.
    #[serde(default)]
    pub(super) mend: Vec<String>,
    /// Words that what is still to be tried must hold.
    #[serde(default)]
    pub(super) next: Option<String>,
    /// Rules that must not.
    #[serde(default)]
    pub(super) without: Vec<String>,
}

fn target() -> String {
    "www.example.test".to_owned()
}

fn address() -> String {
    "192.0.2.11".to_owned()
}

fn vantages() -> Vec<String> {
    ["a:one", "d:one", "b:two", "c:three", "i:inside"].map(str::to_owned).to_vec()
}

fn yes() -> bool {
    true
}

fn ok_twice() -> String {
    "ok*2".to_owned()
}

fn http1() -> String {
    "http/1.1".to_owned()
}

fn good() -> String {
    "good".to_owned()
}
