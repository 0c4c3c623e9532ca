//! The facts of one attempt in a few words each: what an engineer looks for first.

use parallax_model::{
    attempt::Attempt,
    facts::{
        BodyEnd, BodyFacts, DnsFacts, EndKind, Facts, QuicEnd, QuicFacts, Reply, ReplyTtlFacts, Sender, StepEnd, TcpFacts, TcpInfo, TlsFacts, TtlRange,
        UpgradeEnd, WalkFacts, WalkPayload, WitnessFacts,
    },
    outcome::Outcome,
};
use parallax_tls::registry::{AlertDescription, CipherSuite, NamedGroup, ProtocolVersion};
use serde_json::{Value, json};

/// Writes an attempt as one line, without its facts; `outcome` is what it was judged to be.
pub fn line(attempt: &Attempt, outcome: Outcome) -> String {
    let address = attempt.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
    let port = attempt.facts.tcp.as_ref().and_then(|tcp| tcp.local).map_or_else(String::new, |local| format!(" from port {}", local.port()));
    format!(
        "{} {} → {address}{port}  {} {}: {} in {:.1} ms",
        clock(attempt),
        attempt.vantage,
        attempt.profile,
        attempt.experiment,
        judged(outcome),
        attempt.elapsed_us as f64 / 1_000.0
    )
}

/// Returns an attempt for programs: its facts, the `outcome` that they have by themselves, and what it was `judged` to be.
pub fn document(attempt: &Attempt, judged: Outcome) -> Value {
    let mut document = json!(attempt);
    if let Some(fields) = document.as_object_mut() {
        fields.insert("outcome".to_owned(), json!(Outcome::of(attempt)));
        fields.insert("judged".to_owned(), json!(judged));
    }
    document
}

/// Says what an attempt was judged to be; a certificate is judged only where the handshake came about.
pub fn judged(outcome: Outcome) -> String {
    match outcome {
        Outcome::Certificate(_) => format!("handshake done; {outcome}"),
        _ => outcome.to_string(),
    }
}

/// Returns the time of day at which an attempt began.
pub fn clock(attempt: &Attempt) -> String {
    attempt.started_at.to_jiff().strftime("%H:%M:%S%.3f").to_string()
}

/// Says what an attempt saw, the facts that matter first; empty when there is nothing beyond its outcome.
pub fn of(facts: &Facts) -> Vec<String> {
    let ended_badly = Outcome::of_facts(facts).is_failure();
    let mut said = Vec::new();
    said.extend(facts.dns.as_ref().map(dns));
    said.extend(facts.reply_ttl.as_ref().map(reply_ttl));
    said.extend(facts.walk.as_ref().map(walk));
    said.extend(facts.witness.as_deref().map(witness));
    if let Some(starttls) = &facts.starttls {
        let reply = starttls.reply.as_ref().map(|reply| format!(", reply {reply:?}")).unwrap_or_default();
        said.push(format!("before TLS {}{reply}", upgrade_end(starttls.end)));
    }
    said.extend(facts.tls.as_ref().map(hello));
    said.extend(facts.tls.as_ref().and_then(answer));
    said.extend(facts.quic.as_ref().map(quic));
    if let Some(http) = &facts.http {
        let server = http.server.as_ref().map(|server| format!(" by {server:?}")).unwrap_or_default();
        said.extend(http.status.map(|status| format!("HTTP {status}{server}")));
        said.extend(http.body.map(body));
    }
    said.extend(facts.tcp.as_ref().and_then(|facts| tcp(facts, ended_badly)));
    said
}

fn body(facts: BodyFacts) -> String {
    let last = facts.last_byte_us.map_or_else(String::new, |last| format!(", the last after {:.1} s", last as f64 / 1e6));
    format!("{} bytes of the body came{last}, {} after {:.1} s", facts.bytes, body_end(facts.end), facts.elapsed_us as f64 / 1e6)
}

/// Says how a body ended.
fn body_end(end: BodyEnd) -> String {
    match end {
        BodyEnd::Whole => "whole".to_owned(),
        BodyEnd::Capped => "as much as is read at most".to_owned(),
        BodyEnd::Ended => "ended by the server".to_owned(),
        BodyEnd::Closed => "closed".to_owned(),
        BodyEnd::Reset => "reset".to_owned(),
        BodyEnd::TimedOut => "silence".to_owned(),
        BodyEnd::Alert(number) => format!("alert {number}"),
        BodyEnd::Malformed => "malformed".to_owned(),
    }
}

/// Says how the upgrade to TLS ended.
fn upgrade_end(end: UpgradeEnd) -> String {
    match end {
        UpgradeEnd::Ready => "ready".to_owned(),
        UpgradeEnd::NotOffered => "not offered".to_owned(),
        UpgradeEnd::Refused => "refused".to_owned(),
        UpgradeEnd::NotProtocol => "not the protocol".to_owned(),
        UpgradeEnd::Closed => "closed".to_owned(),
        UpgradeEnd::Reset => "reset".to_owned(),
        UpgradeEnd::TimedOut => "silence".to_owned(),
        UpgradeEnd::OverCap => "too long".to_owned(),
        UpgradeEnd::Unreachable(errno) => format!("unreachable (errno {errno})"),
        UpgradeEnd::LocalError(errno) => format!("error of the host (errno {errno})"),
    }
}

fn quic(facts: &QuicFacts) -> String {
    let mut parts = vec![format!("QUIC {}", quic_end(facts.end))];
    parts.extend(facts.handshake.as_ref().and_then(|handshake| handshake.alpn.as_ref()).map(|chosen| format!("{chosen} chosen")));
    if !facts.versions.is_empty() {
        let versions: Vec<String> = facts.versions.iter().map(|version| format!("0x{version:08x}")).collect();
        parts.push(format!("versions {}", versions.join(" ")));
    }
    parts.push(format!("{} datagrams sent, {} received", facts.datagrams_sent, facts.datagrams_received));
    parts.join(", ")
}

/// Says how a QUIC connection ended.
fn quic_end(end: QuicEnd) -> String {
    match end {
        QuicEnd::Established => "established".to_owned(),
        QuicEnd::TimedOut => "silence".to_owned(),
        QuicEnd::VersionRefused => "version refused".to_owned(),
        QuicEnd::Closed(code @ 0x100..0x200) => format!("alert {}", code - 0x100),
        QuicEnd::Closed(code) => format!("closed (code 0x{code:x})"),
        QuicEnd::ApplicationClosed(code) => format!("closed by the application (code 0x{code:x})"),
        QuicEnd::Reset => "stateless reset".to_owned(),
        QuicEnd::Refused => "refused".to_owned(),
        QuicEnd::Unreachable(errno) => format!("unreachable (errno {errno})"),
        QuicEnd::LocalRefusal(number) => format!("given up by the own library (alert {number})"),
        QuicEnd::Malformed(code) => format!("malformed (code 0x{code:x})"),
        QuicEnd::LocalError(errno) => format!("error of the host (errno {errno})"),
    }
}

fn dns(facts: &DnsFacts) -> String {
    let addresses: Vec<String> = facts.addresses.iter().map(ToString::to_string).collect();
    let came = if addresses.is_empty() { "nothing".to_owned() } else { addresses.join(", ") };
    let twice = if facts.answers.iter().any(|answer| answer.second_answer) { ", two different answers came" } else { "" };
    format!("{} is {came}{twice}", facts.name)
}

/// Says with which TTL a packet came.
fn range(ttl: TtlRange) -> String {
    if ttl.least == ttl.most { ttl.least.to_string() } else { format!("{} to {}", ttl.least, ttl.most) }
}

fn reply_ttl(facts: &ReplyTtlFacts) -> String {
    let mut parts = Vec::new();
    parts.extend(facts.syn_ack.map(|ttl| format!("SYN-ACK with TTL {}", range(ttl))));
    parts.extend(facts.reply.zip(facts.reply_ttl).map(|(reply, ttl)| format!("{} with TTL {}", reply_name(reply), range(ttl))));
    parts.extend(facts.passed_when_filtered.map(|passed| {
        let went = if passed { "went on" } else { "did not go on" };
        format!("the handshake {went} with packets of that TTL filtered out")
    }));
    if parts.is_empty() { "no TTL could be measured".to_owned() } else { parts.join(", ") }
}

/// Names what somebody answered with.
pub fn reply_name(reply: Reply) -> &'static str {
    match reply {
        Reply::SynAck => "SYN-ACK",
        Reply::Refusal => "refusal",
        Reply::Reset => "reset",
        Reply::Close => "close",
        Reply::Alert => "alert",
        Reply::Data => "data",
    }
}

fn walk(facts: &WalkFacts) -> String {
    let what = match &facts.payload {
        WalkPayload::Syn => "SYNs".to_owned(),
        WalkPayload::Hello(Some(name)) => format!("ClientHellos for {name}"),
        WalkPayload::Hello(None) => "ClientHellos without a name".to_owned(),
    };
    let steps: Vec<String> = facts.steps.iter().map(|step| format!("{} {}", step.hop_limit, step_name(step.end))).collect();
    format!("{what} by hop limit: {}", steps.join(", "))
}

/// Says what came of one step of a walk.
pub fn step_name(end: StepEnd) -> String {
    match end {
        StepEnd::Expired(Some(router)) => format!("expired at {router}"),
        StepEnd::Expired(None) => "expired".to_owned(),
        StepEnd::Prohibited(Some(router)) => format!("prohibited by {router}"),
        StepEnd::Prohibited(None) => "prohibited".to_owned(),
        StepEnd::Answered => "answered".to_owned(),
        StepEnd::Refused => "refused".to_owned(),
        StepEnd::Reset => "reset".to_owned(),
        StepEnd::Closed => "closed".to_owned(),
        StepEnd::Alert(number) => format!("alert {number}"),
        StepEnd::Silent => "silence".to_owned(),
        StepEnd::NotConnected => "not connected".to_owned(),
    }
}

fn witness(facts: &WitnessFacts) -> String {
    let flows: Vec<String> = facts
        .flows
        .iter()
        .map(|flow| {
            let hello =
                flow.hello.as_ref().map_or_else(|| "no ClientHello arrived whole".to_owned(), |hello| format!("ClientHello of {} bytes arrived", hello.bytes));
            let ends: Vec<String> =
                flow.ends.iter().map(|end| format!("{} in the name of the {} (TTL {})", end_name(end.kind), sender(end.by), end.ttl)).collect();
            let ends = if ends.is_empty() { String::new() } else { format!(", {}", ends.join(", ")) };
            format!("from {}: {hello}, {} bytes left{ends}", flow.client, flow.server_bytes)
        })
        .collect();
    if flows.is_empty() { "no connection arrived at the server's host".to_owned() } else { format!("at the server's host, {}", flows.join("; ")) }
}

fn end_name(kind: EndKind) -> String {
    match kind {
        EndKind::Reset => "reset".to_owned(),
        EndKind::Close => "FIN".to_owned(),
        EndKind::Alert(number) => format!("alert {number}"),
    }
}

fn sender(by: Sender) -> &'static str {
    match by {
        Sender::Client => "client",
        Sender::Server => "server",
    }
}

fn hello(tls: &TlsFacts) -> String {
    if tls.hello.bytes == 0 {
        return "sent bytes that are no ClientHello".to_owned();
    }
    let name = tls.hello.server_name.as_ref().map_or_else(|| "without a name".to_owned(), |name| format!("for {name}"));
    let writes = if tls.hello.writes > 1 { format!(" in {} writes", tls.hello.writes) } else { String::new() };
    format!("ClientHello {name}, {} bytes{writes}", tls.hello.bytes)
}

fn answer(tls: &TlsFacts) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    if let Some(version) = tls.handshake.as_ref().and_then(|handshake| handshake.version).or(tls.answer.version) {
        let suite = tls.handshake.as_ref().and_then(|handshake| handshake.cipher_suite).or(tls.answer.cipher_suite);
        let group = tls.handshake.as_ref().and_then(|handshake| handshake.group).or(tls.answer.group);
        let chosen = [suite.map(|suite| CipherSuite(suite).to_string()), group.map(|group| NamedGroup(group).to_string())];
        parts.push([vec![ProtocolVersion(version).to_string()], chosen.into_iter().flatten().collect()].concat().join(" "));
    }
    for alert in &tls.answer.alerts {
        let how = if alert.encrypted { "under the handshake's keys" } else { "in clear" };
        let level = if alert.level == 1 { "warning" } else { "fatal" };
        parts.push(format!("{level} alert {} ({}) {how}", alert.description, AlertDescription(alert.description)));
    }
    if tls.handshake.as_ref().is_some_and(|handshake| handshake.signature_verified == Some(true)) {
        parts.push("key proven".to_owned());
    }
    if !tls.certificates.is_empty() {
        parts.push(format!("{} certificate{}", tls.certificates.len(), if tls.certificates.len() == 1 { "" } else { "s" }));
    }
    if tls.bytes_read == 0 {
        parts.push("no byte came back".to_owned());
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn tcp(tcp: &TcpFacts, ended_badly: bool) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(tcp.icmp_from.map(|from| format!("ICMP from {from}")));
    parts.extend(tcp.hop_limit.map(|limit| format!("hop limit {limit}")));
    parts.extend(tcp.mss_clamp.map(|clamp| format!("MSS clamped to {clamp}")));
    parts.extend(tcp.ack_ttl.map(|ttl| format!("TTL {ttl} on the acknowledgement of the hello")));
    parts.extend(tcp.at_end.as_ref().and_then(|info| unusual(info, ended_badly)));
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Says what of the kernel's view at the end is out of the ordinary; who ends a connection that passed leaves segments unacknowledged itself.
fn unusual(info: &TcpInfo, ended_badly: bool) -> Option<String> {
    let mut parts = Vec::new();
    if info.unacked > 0 && ended_badly {
        parts.push(format!("{} never acknowledged", plural(info.unacked, "segment")));
    }
    if info.total_retransmissions > 0 {
        parts.push(plural(info.total_retransmissions, "retransmission"));
    }
    if info.out_of_order_in > 0 {
        parts.push(format!("{} out of order", plural(info.out_of_order_in, "segment")));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn plural(number: u32, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}
