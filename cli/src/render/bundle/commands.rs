//! The commands that show the same with everybody's tools.

use parallax_model::verdict::{Cause, Finding, Locus};

use super::Case;

/// A command, and what it shows.
pub(super) struct Reproduction {
    pub(super) shows: String,
    pub(super) line: String,
}

/// Returns the commands that reproduce a finding from a vantage that it blames.
pub(super) fn of(case: &Case<'_>, finding: &Finding) -> Vec<Reproduction> {
    let Some(aim) = Aim::of(case, finding) else { return Vec::new() };
    let mut list: Vec<Reproduction> = Vec::new();
    let mut add = |shows: &str, line: String| list.push(Reproduction { shows: shows.to_owned(), line });
    if finding.locus == Locus::Dns {
        add("what this network's resolver says", format!("dig {} A; dig {} AAAA", aim.host, aim.host));
        add("what a resolver elsewhere says, over TCP", format!("dig +tcp @9.9.9.9 {} A", aim.host));
        return list;
    }
    add("the handshake as it fails", aim.openssl(""));
    add("the same as a client sees it", aim.curl(""));
    match finding.cause {
        Cause::PathSniFilter | Cause::ServerSniRejected | Cause::ServerDefaultCertificate | Cause::EdgeFilter => {
            add("another name at the same address: passes where only the name is minded", aim.openssl_as("another.example"));
            add("no name at all", format!("openssl s_client -connect {} -noservername{} </dev/null", aim.address, aim.starttls));
        }
        Cause::PathMtuBlackhole | Cause::EdgeMtuBlackhole | Cause::PathHelloSize | Cause::ServerHelloIntolerance => {
            add("a small ClientHello: passes where the size of the hello decides", aim.openssl(" -groups P-256 -tls1_2"));
            add("a large one (OpenSSL 3.5 or later): fails there", aim.openssl(" -groups X25519MLKEM768"));
            add("the largest packet that gets through", format!("tracepath -n {}", aim.ip));
            add("1,500 bytes without fragments", format!("ping -c 3 -M do -s {} {}", if aim.ip.contains(':') { 1452 } else { 1472 }, aim.ip));
        }
        Cause::PathMultipathLeg => {
            let each = format!(
                "for p in $(seq 40000 40015); do curl -so /dev/null -m 5 --local-port $p {} && echo $p passes || echo $p fails; done",
                aim.curl_words()
            );
            add("one source port after the other: the same ports fail each time", each);
        }
        Cause::PathInterception => {
            let line = format!(
                "openssl s_client -connect {} -servername {}{} </dev/null 2>/dev/null | openssl x509 -noout -issuer -fingerprint -sha256",
                aim.address, aim.host, aim.starttls
            );
            add("who issued the certificate that comes: here and from another network", line);
        }
        Cause::PathVersionFilter | Cause::ServerProtocolVersion => {
            add("TLS 1.2 only", aim.openssl(" -tls1_2"));
            add("TLS 1.3 only", aim.openssl(" -tls1_3"));
        }
        Cause::PathQuicBlocked => add("QUIC alone", aim.curl(" --http3-only")),
        Cause::PathRateLimited | Cause::PolicyRateLimited | Cause::PolicyBanned => {
            let each = format!("for i in $(seq 1 20); do curl -so /dev/null -m 5 -w '%{{http_code}} %{{time_appconnect}}\\n' {}; done", aim.curl_words());
            add("twenty in a row: whether the later ones fail", each);
        }
        cause if cause.as_str().starts_with("server.certificate") || cause.as_str().starts_with("server.chain") => {
            add(
                "every certificate that is sent, and what does not verify",
                aim.openssl(&format!(" -showcerts -verify_return_error -verify_hostname {}", aim.host)),
            );
        }
        _ => {}
    }
    if matches!(finding.locus, Locus::Path | Locus::Edge | Locus::Policy | Locus::Undetermined) || finding.cause == Cause::ServerUnreachable {
        add("the routers on the way to the port", format!("traceroute -n -T -p {} {}", aim.port, aim.ip));
        add("the same with tcptraceroute", format!("tcptraceroute -n {} {}", aim.ip, aim.port));
    }
    list
}

/// Where a command is aimed at.
struct Aim {
    host: String,
    address: String,
    ip: String,
    port: String,
    starttls: String,
}

impl Aim {
    fn of(case: &Case<'_>, finding: &Finding) -> Option<Self> {
        let verdict = &case.proof.verdict;
        let (host, port) = verdict.target.rsplit_once(':')?;
        let address = finding.scope.addresses.first().or_else(|| verdict.matrix.first().map(|cell| &cell.address)).unwrap_or(&verdict.target);
        let ip = address.rsplit_once(':').map_or(address.as_str(), |pair| pair.0).trim_matches(['[', ']']);
        let upgrade = case.attempts.iter().any(|attempt| attempt.facts.starttls.is_some());
        let protocol = if upgrade { protocol(port) } else { "" };
        let starttls = if protocol.is_empty() { String::new() } else { format!(" -starttls {protocol}") };
        Some(Self { host: word(host), address: word(address), ip: word(ip), port: word(port), starttls })
    }

    fn openssl(&self, more: &str) -> String {
        format!("openssl s_client -connect {} -servername {}{}{more} </dev/null", self.address, self.host, self.starttls)
    }

    fn openssl_as(&self, name: &str) -> String {
        format!("openssl s_client -connect {} -servername {name}{} </dev/null", self.address, self.starttls)
    }

    fn curl(&self, more: &str) -> String {
        format!("curl -v -o /dev/null{more} {}", self.curl_words())
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
