//! The commands that show the same with everybody's tools.

use std::{collections::BTreeMap, net::IpAddr};

use parallax_model::{
    assignment::Experiment,
    facts::{DnsAnswer, DnsTransport, LookupEnd},
    outcome::{CertificateFault, Outcome},
    verdict::{Cause, Finding, Locus, MatrixCell},
};

use super::Case;

/// A command, what it shows, and what it should say.
pub(super) struct Reproduction {
    pub(super) shows: String,
    pub(super) line: String,
    pub(super) expect: String,
}

/// Addresses at which the handshake itself is shown.
const ADDRESSES: usize = 4;

/// Returns a finding's vantages, first those that no other finding blames: what is seen there is of this fault alone.
pub(super) fn vantages<'a>(case: &Case<'_>, finding: &'a Finding) -> Vec<&'a str> {
    let others: Vec<&String> = case.faults().filter(|other| *other != finding).flat_map(|other| &other.scope.vantages).collect();
    let (shared, own): (Vec<&String>, Vec<&String>) = finding.scope.vantages.iter().partition(|vantage| others.contains(vantage));
    own.into_iter().chain(shared).map(String::as_str).collect()
}

/// Returns the commands that reproduce a finding from a vantage that it blames.
pub(super) fn of(case: &Case<'_>, finding: &Finding) -> Vec<Reproduction> {
    let aims = Aim::all(case, finding);
    let Some(aim) = aims.first() else { return Vec::new() };
    let mut list = List(Vec::new());
    if finding.locus == Locus::Dns {
        lookups(case, finding, aim, &mut list);
        return list.0;
    }
    let seen = usual_failure(case, finding);
    let verify = if matches!(seen, Some(Outcome::Certificate(_))) { format!(" -verify_hostname {}", aim.host) } else { String::new() };
    let often = if finding.scope.share < 0.995 { format!("in about {:.0} % of the tries ", finding.scope.share * 100.0) } else { String::new() };
    for aim in aims.iter().take(ADDRESSES) {
        list.add(format!("the handshake as it fails at {}", aim.address), aim.openssl(&verify), often.clone() + &openssl_says(seen));
    }
    if aim.starttls.is_empty() {
        list.add("the same as a client sees it", aim.curl(""), often + &curl_says(seen));
    }
    if let Some(fine) = passing_address(case, finding) {
        list.add(
            format!("the same name at {fine}, which passes"),
            Aim { address: word(&fine), ..aim.clone() }.openssl(&verify),
            "a certificate and 'Verify return code: 0 (ok)'",
        );
    }
    of_cause(case, finding, aim, seen, &mut list);
    if matches!(finding.locus, Locus::Path | Locus::Edge | Locus::Policy | Locus::Undetermined) || finding.cause == Cause::ServerUnreachable {
        let expect = match &finding.location {
            Some(at) => format!("the names of hops {} to {}, whose owner to ask", at.first_hop, at.last_hop),
            None => "the routers on the way, whose owners to ask".to_owned(),
        };
        list.add("the routers on the way to the port (as root)", format!("traceroute -n -T -p {} {}", aim.port, aim.ip), expect.clone());
        list.add("the same with tcptraceroute", format!("tcptraceroute -n {} {}", aim.ip, aim.port), expect);
    }
    list.0
}

struct List(Vec<Reproduction>);

impl List {
    fn add(&mut self, shows: impl Into<String>, line: String, expect: impl Into<String>) {
        self.0.push(Reproduction { shows: shows.into(), line, expect: expect.into() });
    }
}

fn of_cause(case: &Case<'_>, finding: &Finding, aim: &Aim, seen: Option<Outcome>, list: &mut List) {
    match finding.cause {
        Cause::PathSniFilter | Cause::ServerSniRejected | Cause::ServerDefaultCertificate | Cause::EdgeFilter => {
            let expect = match finding.cause {
                Cause::ServerDefaultCertificate => "the same certificate again: it belongs to no name that is asked for",
                _ => "a certificate, whatever its name, where something reacts to the wanted name alone",
            };
            list.add("another name at the same address", aim.openssl_as("another.example"), expect);
            list.add("no name at all", format!("timeout 10 openssl s_client -connect {} -noservername{} </dev/null", aim.address, aim.starttls), expect);
        }
        Cause::PathMtuBlackhole | Cause::EdgeMtuBlackhole => {
            if is_outward(finding) {
                sizes_of_hello(aim, list);
            } else {
                small_segments(aim, list);
            }
            list.add("the largest packet that gets through", format!("tracepath -n {}", aim.ip), "a pmtu below 1500, or no reply from some hop on");
            let payload = if aim.is_v6() { 1452 } else { 1472 };
            list.add("1,500 bytes without fragments", format!("ping -c 3 -M do -s {payload} {}", aim.ip), "100 % loss, where a ping of 56 bytes is answered");
        }
        Cause::PathHelloSize | Cause::ServerHelloIntolerance => sizes_of_hello(aim, list),
        Cause::PathMultipathLeg => source_ports(case, finding, aim, list),
        Cause::PathInterception => {
            let line = format!(
                "timeout 10 openssl s_client -connect {} -servername {}{} </dev/null 2>/dev/null | openssl x509 -noout -issuer -fingerprint -sha256",
                aim.address, aim.host, aim.starttls
            );
            list.add("who issued the certificate that comes: here and from another network", line, "another issuer and another fingerprint here than there");
        }
        Cause::PathVersionFilter | Cause::ServerProtocolVersion => {
            let expect = "one of the two versions gets a certificate, and the other fails";
            list.add("TLS 1.2 only", aim.openssl(" -tls1_2"), expect);
            list.add("TLS 1.3 only", aim.openssl(" -tls1_3"), expect);
        }
        Cause::PathQuicBlocked => list.add("QUIC alone", aim.curl(" --http3-only"), "no answer (exit code 28) where the same without --http3-only passes"),
        Cause::PathRateLimited | Cause::PolicyRateLimited | Cause::PolicyBanned => {
            let each = format!("for i in $(seq 1 20); do curl -kso /dev/null -m 5 -w '%{{http_code}} %{{time_appconnect}}\\n' {}; done", aim.curl_words());
            list.add("twenty in a row", each, "the later ones fail: 000, or a time of 0");
        }
        _ if matches!(seen, Some(Outcome::Certificate(_))) => {
            list.add("every certificate that is sent", aim.openssl(" -showcerts"), "the subjects (s:) and issuers (i:) of the chain as the page lists them");
        }
        _ => {}
    }
}

fn lookups(case: &Case<'_>, finding: &Finding, aim: &Aim, list: &mut List) {
    let blamed = |vantage: &str| finding.scope.vantages.iter().any(|name| name == vantage);
    let answers = |wanted: bool| {
        let of_vantage = case.attempts.iter().filter(move |attempt| attempt.experiment == Experiment::Resolve && blamed(attempt.vantage.as_str()) == wanted);
        of_vantage.filter_map(|attempt| attempt.facts.dns.as_ref()).flat_map(|dns| dns.answers.iter().map(move |answer| (dns, answer)))
    };
    let of_type = |ip: &str| if ip.contains(':') { 28 } else { 1 };
    let wanted = of_type(&aim.ip);
    let asked = answers(true).find(|(_, answer)| answer.record_type == wanted && answer.server.is_some()).or_else(|| answers(true).next());
    let Some((dns, answer)) = asked else {
        list.add("what this network's resolver says", format!("dig {} A; dig {} AAAA", aim.host, aim.host), "what the vantages of the finding got");
        return;
    };
    let line = dig(&aim.host, answer);
    let addresses = |of: &[IpAddr]| of.iter().filter(|ip| ip.is_ipv6() == (answer.record_type == 28)).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let here = if addresses(&dns.addresses).is_empty() { says(answer.end) } else { addresses(&dns.addresses) };
    list.add("what the resolver that was asked says", line.clone(), here);
    if let Some((dns, _)) = answers(false).find(|(dns, _)| !addresses(&dns.addresses).is_empty()) {
        list.add("the same question to the same resolver from another network", line, addresses(&dns.addresses));
    }
    for aim in Aim::all(case, finding).iter().take(ADDRESSES).filter(|aim| aim.ip.parse::<IpAddr>().is_ok()) {
        if !finding.scope.addresses.is_empty() {
            list.add(
                "who answers at the address that was given here",
                aim.openssl(&format!(" -verify_hostname {}", aim.host)),
                "no trusted certificate for the name, or no answer",
            );
        }
    }
    if let Some(fine) = passing_address(case, finding) {
        let there = Aim { address: word(&fine), ..aim.clone() };
        list.add(
            "who answers at the address that the others were given",
            there.openssl(&format!(" -verify_hostname {}", aim.host)),
            "'Verify return code: 0 (ok)'",
        );
    }
}

fn dig(host: &str, answer: &DnsAnswer) -> String {
    let server = answer.server.map(|server| format!(" @{} -p {}", server.ip(), server.port())).unwrap_or_default();
    let transport = match answer.transport {
        DnsTransport::Udp => "",
        DnsTransport::Tcp => " +tcp",
        DnsTransport::Tls => " +tls",
        DnsTransport::Https => " +https",
    };
    format!("dig{server}{transport} {host} {}", if answer.record_type == 28 { "AAAA" } else { "A" })
}

fn says(end: LookupEnd) -> String {
    match end {
        LookupEnd::Response(0) => "no address".to_owned(),
        LookupEnd::Response(2) => "status: SERVFAIL".to_owned(),
        LookupEnd::Response(3) => "status: NXDOMAIN".to_owned(),
        LookupEnd::Response(5) => "status: REFUSED".to_owned(),
        LookupEnd::Response(code) => format!("RCODE {code}"),
        _ => "no usable answer".to_owned(),
    }
}

fn is_outward(finding: &Finding) -> bool {
    finding.evidence.iter().any(|evidence| evidence.rule == "large-non-tls")
}

fn sizes_of_hello(aim: &Aim, list: &mut List) {
    list.add("a small ClientHello", aim.openssl(" -groups P-256 -tls1_2"), "a certificate, where the size of the hello decides");
    list.add("a large one (OpenSSL 3.5 or later)", aim.openssl(" -groups X25519MLKEM768"), "the failure again");
}

/// Makes the server send small segments: it obeys the MSS that the route advertises.
fn small_segments(aim: &Aim, list: &mut List) {
    let (ip, bits) = if aim.is_v6() { ("ip -6", 128) } else { ("ip", 32) };
    let gateway = format!("GATEWAY=$({ip} route get {} | sed -n 's/.* via \\([^ ]*\\) .*/\\1/p')", aim.ip);
    let line = format!("{gateway}\n{ip} route add {}/{bits} via $GATEWAY advmss 496\n{}\n{ip} route del {}/{bits}", aim.ip, aim.openssl(""), aim.ip);
    list.add(
        "small segments from the server (as root): the route asks it for an MSS of 496 bytes",
        line,
        "a certificate, where full segments are lost; the last line puts the route back",
    );
}

fn source_ports(case: &Case<'_>, finding: &Finding, aim: &Aim, list: &mut List) {
    let of_vantage = |vantage: &str| {
        let mut ports: BTreeMap<u16, Vec<bool>> = BTreeMap::new();
        for attempt in
            case.attempts.iter().filter(|attempt| attempt.vantage.as_str() == vantage && attempt.address.is_some_and(|at| at.to_string() == aim.address))
        {
            if let Some(local) = attempt.facts.tcp.as_ref().filter(|tcp| tcp.source_port_pinned).and_then(|tcp| tcp.local) {
                ports.entry(local.port()).or_default().push(case.outcome(attempt).is_ok());
            }
        }
        ports
    };
    let measured = vantages(case, finding).into_iter().map(|vantage| (vantage, of_vantage(vantage))).find(|(_, ports)| !ports.is_empty());
    let row = |wanted: bool, ports: &BTreeMap<u16, Vec<bool>>| {
        let those: Vec<String> = ports.iter().filter(|(_, passed)| passed.iter().all(|passed| *passed == wanted)).map(|(port, _)| port.to_string()).collect();
        if those.is_empty() { "none".to_owned() } else { those.join(", ") }
    };
    let (ports, shows, expect) = match measured {
        Some((vantage, ports)) => (
            ports.keys().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            format!("one source port after the other, as they were measured from {vantage}: the same ports fail each time"),
            format!("from the address of {vantage}, 0 at {}; 35 or 28 at {}; from another address other ports", row(true, &ports), row(false, &ports)),
        ),
        None => ("$(seq 40000 40015)".to_owned(), "one source port after the other".to_owned(), "the same ports fail each time".to_owned()),
    };
    let line = format!(
        "for p in {ports}; do curl -kso /dev/null -m 5 --local-port $p {}; echo \"$p $?\"; done   # 0 passes, 35 reset, 28 silence, 45: wait a minute",
        aim.curl_words()
    );
    list.add(shows, line, expect);
}

/// Returns what most attempts of the blamed cells failed by.
fn usual_failure(case: &Case<'_>, finding: &Finding) -> Option<Outcome> {
    let verdict = &case.proof.verdict;
    let cells = || verdict.matrix.iter().filter(|cell| finding.blames(cell));
    let of_certificate = finding.mechanism.as_deref().and_then(|mechanism| mechanism.parse().ok()).filter(|outcome| matches!(outcome, Outcome::Certificate(_)));
    of_certificate.or_else(|| cells().max_by_key(|cell| cell.failures).map(|cell| cell.outcome))
}

/// Returns an address beside the finding's that passes for one of its vantages.
fn passing_address(case: &Case<'_>, finding: &Finding) -> Option<String> {
    let others = || case.proof.verdict.matrix.iter().filter(|cell| cell.attempts > 0 && cell.failures == 0 && !finding.scope.addresses.contains(&cell.address));
    let own = |cell: &&MatrixCell| finding.scope.vantages.contains(&cell.vantage);
    others().find(own).map(|cell| cell.address.clone())
}

fn openssl_says(seen: Option<Outcome>) -> String {
    let text = match seen {
        Some(Outcome::TlsReset) => "'read 0 bytes' and 'write:errno=104' (reset)",
        Some(Outcome::TlsTimeout) => "nothing after CONNECTED, until timeout ends it (exit code 124)",
        Some(Outcome::TlsClosed) => "'read 0 bytes' and 'unexpected eof while reading'",
        Some(Outcome::TlsNotTls) => "'wrong version number' or 'packet length too long'",
        Some(Outcome::TcpTimeout) => "no CONNECTED, until timeout ends it (exit code 124)",
        Some(Outcome::TcpRefused) => "'Connection refused'",
        Some(Outcome::TcpReset) => "'Connection reset by peer'",
        Some(Outcome::TcpUnreachable) => "'No route to host' or 'Network is unreachable'",
        Some(Outcome::Certificate(fault)) => return format!("the handshake comes about, and {}", verify_says(fault)),
        Some(Outcome::TlsAlert(number)) => return format!("'SSL alert number {number}'"),
        Some(other) => return format!("what the matrix shows as {other}"),
        None => "what the matrix shows",
    };
    text.to_owned()
}

fn verify_says(fault: CertificateFault) -> &'static str {
    match fault {
        CertificateFault::Expired | CertificateFault::ChainExpired => "'Verify return code: 10 (certificate has expired)'",
        CertificateFault::NotYetValid => "'Verify return code: 9 (certificate is not yet valid)'",
        CertificateFault::NameMismatch => "'Verify return code: 62 (hostname mismatch)'",
        CertificateFault::SelfSigned => "'Verify return code: 18 (self-signed certificate)'",
        CertificateFault::ChainIncomplete => "'Verify return code: 21 (unable to verify the first certificate)' or 20",
        CertificateFault::Untrusted => "'Verify return code: 19 (self-signed certificate in certificate chain)' or 20 (unable to get local issuer certificate)",
        _ => "a chain with the fault that the page names",
    }
}

fn curl_says(seen: Option<Outcome>) -> String {
    let text = match seen {
        Some(Outcome::TlsReset | Outcome::TlsClosed | Outcome::TlsAlert(_) | Outcome::TlsNotTls | Outcome::TcpReset) => "exit code 35",
        Some(Outcome::TlsTimeout | Outcome::TcpTimeout) => "exit code 28",
        Some(Outcome::TcpRefused | Outcome::TcpUnreachable) => "exit code 7",
        Some(Outcome::Certificate(_)) => "exit code 60",
        _ => "the same failure",
    };
    text.to_owned()
}

/// Where a command is aimed at.
#[derive(Clone)]
struct Aim {
    host: String,
    address: String,
    ip: String,
    port: String,
    starttls: String,
}

impl Aim {
    /// Returns an aim for each address that a finding blames.
    fn all(case: &Case<'_>, finding: &Finding) -> Vec<Self> {
        let verdict = &case.proof.verdict;
        let Some((host, port)) = verdict.target.rsplit_once(':') else { return Vec::new() };
        let upgrade = case.attempts.iter().any(|attempt| attempt.facts.starttls.is_some());
        let protocol = if upgrade { protocol(port) } else { "" };
        let starttls = if protocol.is_empty() { String::new() } else { format!(" -starttls {protocol}") };
        let aim = |address: &String| {
            let ip = address.rsplit_once(':').map_or(address.as_str(), |pair| pair.0).trim_matches(['[', ']']);
            Self { host: word(host), address: word(address), ip: word(ip), port: word(port), starttls: starttls.clone() }
        };
        if finding.scope.addresses.is_empty() {
            return vec![aim(verdict.matrix.first().map_or(&verdict.target, |cell| &cell.address))];
        }
        finding.scope.addresses.iter().map(aim).collect()
    }

    fn is_v6(&self) -> bool {
        self.ip.contains(':')
    }

    fn openssl(&self, more: &str) -> String {
        format!("timeout 10 openssl s_client -connect {} -servername {}{}{more} </dev/null", self.address, self.host, self.starttls)
    }

    fn openssl_as(&self, name: &str) -> String {
        format!("timeout 10 openssl s_client -connect {} -servername {name}{} </dev/null", self.address, self.starttls)
    }

    fn curl(&self, more: &str) -> String {
        format!("curl -m 10 -sS -v -o /dev/null{more} {}", self.curl_words())
    }

    fn curl_words(&self) -> String {
        format!("--connect-to ::{} https://{}:{}/", self.address, self.host, self.port)
    }
}

/// Keeps what can stand in a shell's command without quotes; names and addresses of the network are nothing else.
fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_' | '[' | ']' | '*')).collect()
}

/// Returns OpenSSL's name for the protocol of a port that begins in clear.
fn protocol(port: &str) -> &'static str {
    match port {
        "110" => "pop3",
        "143" => "imap",
        "21" => "ftp",
        "119" => "nntp",
        "389" => "ldap",
        "3306" => "mysql",
        "4190" => "sieve",
        "5222" => "xmpp",
        "5269" => "xmpp-server",
        "5432" => "postgres",
        _ => "smtp",
    }
}
