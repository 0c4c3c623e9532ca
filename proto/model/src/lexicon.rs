//! What a pasted error line says: who wrote it, at which stage, and the set of causes that leave such a line; compiled in, so that `explain` works offline.
//!
//! A line is never a verdict: the same words follow several faults, and the probe that separates them stands beside the causes.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::verdict::Cause;

/// On which side of the failing handshake the writer of a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leg {
    /// It is the server, and speaks of a client.
    Server,
    /// It is a proxy, and speaks of its upstream.
    Upstream,
    /// It is the client, and speaks of a server.
    Client,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The program that writes such lines, none when several do.
    pub speaker: Option<&'static str>,
    /// Where it stands, none when the words do not tell.
    pub leg: Option<Leg>,
    /// What the line means; the most telling first, several when the line fits several alike.
    pub entries: Vec<&'static Entry>,
    /// The host that the line names, with its port when it is there.
    pub host: Option<String>,
}

/// The meaning of a kind of line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    when: Vec<String>,
    #[serde(default)]
    unless: Vec<String>,
    #[serde(default)]
    legs: Vec<Leg>,
    /// How far the handshake had come.
    pub stage: String,
    /// What happened, in plain sentences.
    pub says: String,
    /// The causes that leave such a line.
    pub causes: Vec<Cause>,
    /// The commands that separate them; `TARGET` stands for the host.
    pub probe: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Speaker {
    name: String,
    leg: Leg,
    when: Vec<String>,
}

#[derive(Deserialize)]
struct Lexicon {
    speaker: Vec<Speaker>,
    entry: Vec<Entry>,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| toml::from_str(include_str!("lexicon.toml")).expect("the lexicon is checked by a test"));

/// Reads a line of a log or of a client's output; none when the lexicon does not know it.
pub fn read(line: &str) -> Option<Reading> {
    let folded = line.to_lowercase();
    let speaker = LEXICON.speaker.iter().find(|speaker| weight(&speaker.when, &folded).is_some());
    let leg = speaker.map(|speaker| speaker.leg);
    let fits = |entry: &'static Entry| {
        let on_this_leg = entry.legs.is_empty() || leg.is_none_or(|leg| entry.legs.contains(&leg));
        let excluded = weight(&entry.unless, &folded).is_some();
        weight(&entry.when, &folded).filter(|_| on_this_leg && !excluded).map(|weight| (weight, entry))
    };
    let mut found: Vec<(usize, &Entry)> = LEXICON.entry.iter().filter_map(fits).collect();
    let most = found.iter().map(|(weight, _)| *weight).max()?;
    found.retain(|(weight, _)| *weight == most);
    Some(Reading {
        speaker: speaker.map(|speaker| speaker.name.as_str()),
        leg,
        entries: found.into_iter().map(|(_, entry)| entry).collect(),
        host: host_in(line, leg),
    })
}

/// Returns the length of the longest pattern that the line holds: a longer one says more.
fn weight(patterns: &[String], folded: &str) -> Option<usize> {
    let holds = |pattern: &&String| pattern.to_lowercase().split(" & ").all(|part| folded.contains(part));
    patterns.iter().filter(holds).map(String::len).max()
}

/// Finds the host that a line is about: the upstream for a proxy's own client, else the name that was asked for.
fn host_in(line: &str, leg: Option<Leg>) -> Option<String> {
    let marks: &[&str] = match leg {
        Some(Leg::Upstream) => &["upstream: \"https://", "https://"],
        Some(Leg::Server) => &["host: \"", "server: "],
        _ => &["https://", "host: \"", "dial tcp ", "in connection to "],
    };
    marks.iter().find_map(|mark| {
        let rest = &line[line.find(mark)? + mark.len()..];
        let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || "-.:[]".contains(letter))).unwrap_or(rest.len());
        let host = rest[..end].trim_end_matches([':', '.']);
        host.contains(|letter: char| letter.is_ascii_alphanumeric()).then(|| host.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(line: &str) -> Vec<&'static str> {
        let reading = read(line).unwrap_or_else(|| panic!("the lexicon does not know {line:?}"));
        reading.entries.iter().flat_map(|entry| &entry.causes).map(|cause| cause.as_str()).collect()
    }

    #[test]
    fn the_lexicon_is_sound() {
        for entry in &LEXICON.entry {
            assert!(!entry.when.is_empty() && !entry.causes.is_empty() && !entry.probe.is_empty(), "{}", entry.says);
            assert!(entry.probe.iter().all(|probe| probe.starts_with("parallax probe ")), "{:?}", entry.probe);
        }
    }

    #[test]
    fn a_line_of_one_fault_holds_its_cause_whoever_writes_it() {
        let table: [(&str, &[&str]); 8] = [
            (
                "server.chain-incomplete",
                &[
                    "curl: (60) SSL certificate problem: unable to get local issuer certificate",
                    "x509: certificate signed by unknown authority",
                    "javax.net.ssl.SSLHandshakeException: (certificate_unknown) PKIX path building failed: unable to find valid certification path",
                    "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate (_ssl.c:992)",
                    "Error: unable to verify the first certificate code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'",
                    "*** PKI verification of server certificate failed... Status: The certificate is NOT trusted. The certificate issuer is unknown.",
                    "invalid peer certificate: UnknownIssuer",
                    "2026/11/23 10:00:00 [info] 7#7: *1 SSL_do_handshake() failed (SSL: error:0A000418:SSL routines::tlsv1 alert unknown ca:SSL alert number 48) while SSL handshaking, client: 192.0.2.1, server: 0.0.0.0:443",
                ],
            ),
            (
                "server.protocol-version",
                &[
                    "error:0A00042E:SSL routines::tlsv1 alert protocol version:SSL alert number 70",
                    "remote error: tls: protocol version not supported",
                    "javax.net.ssl.SSLHandshakeException: Received fatal alert: protocol_version",
                    "received fatal alert: ProtocolVersion",
                    "SSL_do_handshake() failed (SSL: error:0A000102:SSL routines::unsupported protocol) while SSL handshaking",
                    "http: TLS handshake error from 192.0.2.1:1234: tls: client offered only unsupported versions: [303 302 301]",
                    "SSL_do_handshake() failed (SSL: error:0A00042E:SSL routines::tlsv1 alert protocol version:SSL alert number 70) while SSL handshaking to upstream",
                ],
            ),
            (
                "server.sni-rejected",
                &[
                    "error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112",
                    "remote error: tls: unrecognized name",
                    "ERR_SSL_UNRECOGNIZED_NAME_ALERT",
                    "AH02033: No hostname was provided via SNI for a name based virtual host",
                ],
            ),
            (
                "server.not-tls",
                &[
                    "error:0A00010B:SSL routines::wrong version number",
                    "http: server gave HTTP response to HTTPS client",
                    "javax.net.ssl.SSLException: Unsupported or unrecognized SSL message",
                    "AH01996: SSL handshake failed: HTTP spoken on HTTPS port; trying to send HTML error page",
                    "tls: oversized record received with length 20527",
                ],
            ),
            (
                "path.sni-filter",
                &[
                    "curl: (35) Recv failure: Connection reset by peer",
                    "net::ERR_CONNECTION_RESET",
                    "PR_CONNECT_RESET_ERROR",
                    "javax.net.ssl.SSLHandshakeException: Remote host terminated the handshake",
                    "peer closed connection in SSL handshake while SSL handshaking, client: 192.0.2.1, server: 0.0.0.0:443",
                    "write:errno=104",
                ],
            ),
            (
                "server.client-certificate-required",
                &["remote error: tls: certificate required", "client sent no required SSL certificate while reading client request headers"],
            ),
            ("path.mtu-blackhole", &["net/http: TLS handshake timeout", "upstream timed out (110: Connection timed out) while SSL handshaking to upstream"]),
            ("server.closes-handshake", &["fe/bk: Server bk/s1 is DOWN, reason: Layer6 invalid response, info: \"SSL handshake failure\""]),
        ];
        for (cause, lines) in table {
            for line in lines {
                assert!(causes(line).contains(&cause), "{line:?} gives {:?} and not {cause}", causes(line));
            }
        }
    }

    #[test]
    fn the_names_of_verdicts_are_read_as_well() {
        for (name, cause) in [
            ("tls.mitm.ca_signed", "path.interception"),
            ("tls.reset.sni", "path.sni-filter"),
            ("tls.timeout.size", "edge.mtu-blackhole"),
            ("dns.injection.bogon", "dns.tampering"),
            ("certificate.chain-incomplete", "server.chain-incomplete"),
            ("tls.alert.112", "server.sni-rejected"),
            ("http.502", "server.upstream-failure"),
        ] {
            assert!(causes(name).contains(&cause), "{name}: {:?}", causes(name));
            assert!(read(name).unwrap().speaker.is_some_and(|speaker| speaker.starts_with("Parallax")), "{name}");
        }
    }

    #[test]
    fn who_writes_a_line_is_told_by_its_own_words() {
        let line = "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to api.example.com:443";
        let reading = read(line).unwrap();
        assert_eq!((reading.speaker, reading.host.as_deref()), (Some("curl"), Some("api.example.com:443")));
        assert_eq!(read("SSL_ERROR_RX_RECORD_TOO_LONG").unwrap().speaker, Some("Firefox"));
        assert!(causes("remote error: tls: unrecognized name").contains(&"path.sni-filter"));
        let envoy = causes("TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end");
        assert!(envoy.contains(&"path.interception") && envoy.contains(&"vantage.captive-portal"), "{envoy:?}");
    }

    #[test]
    fn the_same_words_mean_another_side_in_another_log() {
        let at_server = read("peer closed connection in SSL handshake while SSL handshaking, client: 192.0.2.1, server: 0.0.0.0:443").unwrap();
        assert_eq!((at_server.speaker, at_server.leg), (Some("nginx, as the server"), Some(Leg::Server)));
        let line = "*5 peer closed connection in SSL handshake while SSL handshaking to upstream, client: 192.0.2.1, server: a.test, upstream: \"https://10.0.0.5:8443/x\", host: \"a.test\"";
        let to_upstream = read(line).unwrap();
        assert_eq!((to_upstream.leg, to_upstream.host.as_deref()), (Some(Leg::Upstream), Some("10.0.0.5:8443")));
        assert!(to_upstream.entries[0].probe[0].contains("nginx-upstream"));
    }

    #[test]
    fn hosts_are_taken_from_the_line_and_nothing_else_of_it() {
        let host = |line: &str| read(line).and_then(|reading| reading.host);
        assert_eq!(host("Get \"https://api.example.test:8443/v1\": remote error: tls: handshake failure").as_deref(), Some("api.example.test:8443"));
        assert_eq!(host("https://a.test$(reboot): remote error: tls: handshake failure").as_deref(), Some("a.test"));
        assert_eq!(host("https://[2001:db8::1]:443/ remote error: tls: handshake failure").as_deref(), Some("[2001:db8::1]:443"));
        assert_eq!(host("remote error: tls: handshake failure"), None);
    }

    #[test]
    fn what_is_not_known_is_not_read() {
        for line in ["", "everything is fine", "GET / HTTP/1.1", "\u{1F980} \u{0} \u{7f}"] {
            assert_eq!(read(line), None, "{line:?}");
        }
    }
}
