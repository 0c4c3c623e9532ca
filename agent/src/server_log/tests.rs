//! Lines that servers really wrote, files that are moved away and cut, and bytes that mean harm.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
};

use parallax_model::{clock::Timestamp, facts::LogEvent};
use proptest::prelude::*;

use super::{
    follow::Follower,
    line::{Entry, Said, quarter_us, read},
    lines_of, written_at,
};

fn entry(line: &str) -> Option<Entry> {
    match read(line.as_bytes()) {
        Some(Said::Entry(entry)) => Some(entry),
        _ => None,
    }
}

fn nginx(message: &str) -> Option<(String, Option<u16>, LogEvent)> {
    let entry = entry(&format!("2026/11/24 15:07:09 [info] 3182#3182: *5 {message}"))?;
    assert_eq!(entry.quarter_us, 429_000_000);
    Some((entry.client.to_string(), entry.server_port, entry.event))
}

#[test]
fn lines_of_nginx_about_handshakes() {
    let rows = [
        ("peer closed connection in SSL handshake while SSL handshaking", LogEvent::PeerClosed),
        ("peer closed connection in SSL handshake (104: Connection reset by peer) while SSL handshaking", LogEvent::PeerReset),
        ("client timed out (110: Connection timed out) while SSL handshaking", LogEvent::PeerSilent),
        ("SSL_do_handshake() failed (SSL: error:0A000102:SSL routines::unsupported protocol) while SSL handshaking", LogEvent::HandshakeFailed(258)),
        ("SSL_do_handshake() failed (SSL: error:0A0000C1:SSL routines::no shared cipher) while SSL handshaking", LogEvent::HandshakeFailed(193)),
        ("SSL_do_handshake() failed (SSL: error:0A0000EB:SSL routines::no application protocol) while SSL handshaking", LogEvent::HandshakeFailed(235)),
        ("SSL_do_handshake() failed (SSL: error:0A0000EA:SSL routines::callback failed) while SSL handshaking", LogEvent::HandshakeFailed(234)),
        (
            "SSL_do_handshake() failed (SSL: error:0A000418:SSL routines::tlsv1 alert unknown ca:SSL alert number 48) while SSL handshaking",
            LogEvent::AlertReceived(48),
        ),
        (
            "SSL_do_handshake() failed (SSL: error:14094418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:SSL alert number 48) while SSL handshaking",
            LogEvent::AlertReceived(48),
        ),
        ("SSL_do_handshake() failed (SSL: error:0A000126:SSL routines::unexpected eof while reading) while SSL handshaking", LogEvent::PeerClosed),
        ("SSL_do_handshake() failed (SSL: error:0A00009C:SSL routines::http request) while SSL handshaking", LogEvent::NotTls),
        ("broken header: \"\u{16}\u{3}\u{1}\u{0}\u{f9}\" while reading PROXY protocol", LogEvent::ProxyHeaderMissing),
    ];
    for (message, event) in rows {
        let read = nginx(&format!("{message}, client: 198.18.1.10, server: 0.0.0.0:443"));
        assert_eq!(read, Some(("198.18.1.10".to_owned(), Some(443), event)), "{message}");
        let v6 = nginx(&format!("{message}, client: 2001:db8:1::10, server: [::]:443"));
        assert_eq!(v6, Some(("2001:db8:1::10".to_owned(), Some(443), event)), "{message}");
    }
}

#[test]
fn lines_of_nginx_about_requests() {
    let tail = r#"client: 198.18.1.10, server: www.example.test, request: "GET / HTTP/1.1", upstream: "https://192.0.2.9:443/", host: "www.example.test""#;
    let rows = [
        ("access forbidden by rule", LogEvent::Denied),
        ("limiting connections by zone \"addr\"", LogEvent::Limited),
        ("limiting requests, excess: 1.852 by zone \"one\"", LogEvent::Limited),
        ("client sent plain HTTP request to HTTPS port while reading client request headers", LogEvent::NotTls),
        ("client sent no required SSL certificate while reading client request headers", LogEvent::ClientCertificate),
        ("upstream timed out (110: Connection timed out) while SSL handshaking to upstream", LogEvent::UpstreamFailed),
        ("connect() failed (111: Connection refused) while connecting to upstream", LogEvent::UpstreamFailed),
        (
            "SSL_do_handshake() failed (SSL: error:0A00042E:SSL routines::tlsv1 alert protocol version:SSL alert number 70) while SSL handshaking to upstream",
            LogEvent::UpstreamFailed,
        ),
        ("peer closed connection in SSL handshake while SSL handshaking to upstream", LogEvent::UpstreamFailed),
        ("no live upstreams while connecting to upstream", LogEvent::UpstreamFailed),
    ];
    for (message, event) in rows {
        assert_eq!(nginx(&format!("{message}, {tail}")), Some(("198.18.1.10".to_owned(), None, event)), "{message}");
    }
    assert_eq!(nginx(&format!("client closed connection while waiting for request, {tail}")), None);
    assert_eq!(nginx("signal process started"), None);
}

#[test]
fn access_logs_and_other_servers() {
    let combined = r#"198.18.1.10 - - [24/Nov/2026:16:07:09 +0100] "GET /\x22 HTTP/1.1" 200 615 "-" "curl/8.5""#;
    let read = entry(combined).unwrap();
    assert_eq!((read.client.to_string(), read.client_port, read.event, read.quarter_us), ("198.18.1.10".to_owned(), None, LogEvent::Served(200), 429_000_000));
    assert_eq!(entry(&combined.replacen("10 -", "10:40001 -", 1)).unwrap().client_port, Some(40_001));
    assert_eq!(entry(&combined.replacen("198.18.1.10 -", "2001:db8::7 -", 1)).unwrap().client.to_string(), "2001:db8::7");

    let haproxy = |said: &str| entry(&format!("Nov 24 15:07:09 lb haproxy[812]: 198.18.1.10:40001 [24/Nov/2026:15:07:09.250] {said}"));
    let rows = [
        ("https/1: SSL handshake failure", LogEvent::HandshakeFailed(0)),
        ("https/1: SSL handshake failure (error:0A000102:SSL routines::unsupported protocol)", LogEvent::HandshakeFailed(258)),
        ("https/1: Received something which does not look like a PROXY protocol header", LogEvent::ProxyHeaderMissing),
        ("https/1: Connection closed during SSL handshake", LogEvent::PeerClosed),
        ("https tcp/<NOSRV> -1/-1/0 0 PR 1/1/0/0/0 0/0", LogEvent::Denied),
        ("https tcp/s1 0/-1/3004 0 SC 1/1/0/0/3 0/0", LogEvent::UpstreamFailed),
        ("https~ web/s1 0/0/1/3/4 200 615 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"", LogEvent::Served(200)),
    ];
    for (said, event) in rows {
        let read = haproxy(said).unwrap_or_else(|| panic!("{said}"));
        assert_eq!((read.client_port, read.event, read.quarter_us), (Some(40_001), event, 429_250_000), "{said}");
    }
}

#[test]
fn a_reason_of_apache_follows_its_failure() {
    let log = b"[Tue Nov 24 15:07:09.123456 2026] [ssl:info] [pid 812:tid 9] [client 198.18.1.10:40001] AH02008: SSL library error 1 in handshake (server www.example.test:443)\n\
        [Tue Nov 24 15:07:09.123460 2026] [ssl:info] [pid 812:tid 8] [client 198.18.2.10:40002] AH02008: SSL library error 1 in handshake (server www.example.test:443)\n\
        [Tue Nov 24 15:07:09.123480 2026] [ssl:info] [pid 812:tid 9] SSL Library Error: error:0A0000C1:SSL routines::no shared cipher -- Too restrictive SSLCipherSuite or using DSA server certificate?\n\
        [Tue Nov 24 15:07:10.000001 2026] [ssl:info] [pid 812:tid 9] [client 198.18.1.10:40003] AH02006: SSL handshake stopped: connection was closed\n\
        [Tue Nov 24 15:07:10.000002 2026] [ssl:info] [pid 812:tid 9] [client 2001:db8::7:40003] AH01996: SSL handshake failed: HTTP spoken on HTTPS port; trying to send HTML error page\n";
    let lines = lines_of(log, "2026-11-24T15:07:10Z".parse().unwrap());
    let events: Vec<_> = lines.iter().map(|line| (line.client.to_string(), line.client_port.unwrap(), line.event)).collect();
    let expected = [
        ("198.18.1.10", 40_001, LogEvent::HandshakeFailed(193)),
        ("198.18.2.10", 40_002, LogEvent::HandshakeFailed(0)),
        ("198.18.1.10", 40_003, LogEvent::PeerClosed),
        ("2001:db8::7", 40_003, LogEvent::NotTls),
    ];
    assert_eq!(events, expected.map(|(client, port, event)| (client.to_owned(), port, event)));
    assert_eq!((lines[0].server_port, lines[0].at), (Some(443), "2026-11-24T15:07:09.123456Z".parse().unwrap()));
}

#[test]
fn what_a_client_writes_names_nobody_else() {
    let forged = [
        r#"broken header: "x, client: 203.0.113.9, server: 0.0.0.0:443" while reading PROXY protocol, client: 198.18.1.10, server: 0.0.0.0:443"#,
        r#"access forbidden by rule, client: 198.18.1.10, server: x, request: "GET /, client: 203.0.113.9, server: 0.0.0.0:443 HTTP/1.1", host: "x""#,
    ];
    for line in forged {
        assert_eq!(nginx(line).unwrap().0, "198.18.1.10", "{line}");
    }
    let cut = r#"open() "/, client: 203.0.113.9, server: 0.0.0.0:443" failed while SSL handshaking, client: 198.18.1.10, server: x, request: "GET / broken header: , client: 203.0.113.9, server: 0.0.0.0:443"#;
    assert_eq!(nginx(cut), None);
    let user = r#"198.18.1.10 - ] \x22 203.0.113.9 - - [24/Nov/2026:16:07:09 +0100] "GET / HTTP/1.1" 200 615 "-" "-""#;
    assert_eq!(entry(user).map(|entry| entry.client.to_string()).as_deref(), Some("198.18.1.10"));
}

/// What nginx wrote of a ClientHello that came instead of a PROXY header.
fn broken_header(clock: &str, quoted: &[u8], client: &str) -> Vec<u8> {
    let begin = format!("2026/11/24 {clock} [error] 3182#3182: *5 broken header: \"");
    let end = format!("\" while reading PROXY protocol, client: {client}, server: 0.0.0.0:443\n");
    [begin.as_bytes(), quoted, end.as_bytes()].concat()
}

#[test]
fn a_hello_that_holds_ends_of_lines_is_read_as_one_line() {
    let now: Timestamp = "2026-11-24T15:07:20Z".parse().unwrap();
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x0a\x0a\xd1 \r\x0a\x00\x20\xff\x0a\x13\x01\x00\x0a\x00\x08\x00\x1d\x22, client: \x0a";
    let mut log = broken_header("15:07:09", hello, "198.18.1.10");
    log.extend_from_slice(
        b"2026/11/24 15:07:10 [info] 1#1: *6 peer closed connection in SSL handshake while SSL handshaking, client: 198.18.2.10, server: 0.0.0.0:443\n",
    );
    log.extend(broken_header("15:07:11", b"\x16\x03\x01\x02\x00", "198.18.3.10"));
    let told: Vec<_> = lines_of(&log, now).iter().map(|line| (line.at.to_string(), line.client.to_string(), line.server_port, line.event)).collect();
    let expected = [
        ("2026-11-24T15:07:09Z", "198.18.1.10", LogEvent::ProxyHeaderMissing),
        ("2026-11-24T15:07:10Z", "198.18.2.10", LogEvent::PeerClosed),
        ("2026-11-24T15:07:11Z", "198.18.3.10", LogEvent::ProxyHeaderMissing),
    ];
    assert_eq!(told, expected.map(|(at, client, event)| (at.to_owned(), client.to_owned(), Some(443), event)));
}

#[test]
fn a_line_within_a_quote_is_the_clients_and_a_quote_without_end_hides_no_other() {
    let now: Timestamp = "2026-11-24T15:07:20Z".parse().unwrap();
    let other = "2026/11/24 15:07:10 [info] 1#1: *6 peer closed connection in SSL handshake while SSL handshaking, client: 203.0.113.9, server: 0.0.0.0:443";
    let clients = |log: &[u8]| lines_of(log, now).iter().map(|line| (line.client.to_string(), line.event)).collect::<Vec<_>>();
    let forged = broken_header("15:07:09", format!("x\n{other}\n").as_bytes(), "198.18.1.10");
    assert_eq!(clients(&forged), [("198.18.1.10".to_owned(), LogEvent::ProxyHeaderMissing)]);
    let mut cut = broken_header("15:07:09", &[b'\n', b'x'].repeat(1_100), "198.18.1.10");
    cut.truncate(2_047);
    cut.extend_from_slice(format!("\n{other}\n").as_bytes());
    assert_eq!(clients(&cut), [("203.0.113.9".to_owned(), LogEvent::PeerClosed)]);
}

#[test]
fn the_zone_of_a_log_does_not_matter() {
    let now: Timestamp = "2026-11-24T15:07:10.4Z".parse().unwrap();
    for clock in ["15:07:09", "20:37:09", "20:52:09", "03:07:09"] {
        assert_eq!(written_at(quarter_us(clock).unwrap(), now, 0).to_string(), "2026-11-24T15:07:09Z", "{clock}");
    }
    assert_eq!(written_at(quarter_us("15:14:59.5").unwrap(), "2026-11-24T15:15:01Z".parse().unwrap(), 0), "2026-11-24T15:14:59.5Z".parse().unwrap());
    assert_eq!(written_at(quarter_us("15:07:19").unwrap(), now, 10_000_000).to_string(), "2026-11-24T15:07:09Z", "the host's clock is ten seconds ahead");
    for wrong in ["15:07", "15:7:09", "24:00:00", "15:07:09.", "15:07:0x", "", "1:2:3:4"] {
        assert_eq!(quarter_us(wrong), None, "{wrong}");
    }
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn news(follower: &mut Follower) -> (Vec<String>, u64) {
    let mut lines = Vec::new();
    let lost = follower.read(|line| lines.push(String::from_utf8_lossy(line).into_owned())).unwrap();
    (lines, lost)
}

#[test]
fn a_file_is_followed_over_rotation_and_truncation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("error.log");
    append(&path, "old\n");
    let mut follower = Follower::new(path.clone());
    follower.mark();
    append(&path, "just before\n");
    follower.mark();
    follower.begin().unwrap();
    assert_eq!(news(&mut follower), (vec!["just before".to_owned()], 0), "what came since the oldest mark");
    append(&path, "one\ntw");
    assert_eq!(news(&mut follower).0, ["one"]);
    append(&path, "o\n");
    assert_eq!(news(&mut follower).0, ["two"]);
    append(&path, "last\n");
    fs::rename(&path, folder.path().join("error.log.1")).unwrap();
    append(&folder.path().join("error.log.1"), "later still\n");
    assert_eq!(news(&mut follower).0, ["last", "later still"], "the old file is read to its end");
    append(&path, "new\n");
    assert_eq!(news(&mut follower).0, ["new"]);
    fs::write(&path, "").unwrap();
    assert_eq!(news(&mut follower).0, [""; 0]);
    append(&path, "cut\n");
    assert_eq!(news(&mut follower).0, ["cut"]);
}

#[test]
fn what_is_too_long_or_too_much_is_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("error.log");
    let mut follower = Follower::new(path.clone());
    assert!(follower.begin().is_err());
    append(&path, &format!("{}\nshort\n", "x".repeat(100_000)));
    assert_eq!(news(&mut follower), (vec!["short".to_owned()], 1));
    append(&path, &"y".repeat(100_000));
    assert_eq!(news(&mut follower), (vec![], 1));
    append(&path, "y\nshort\n");
    assert_eq!(news(&mut follower), (vec!["short".to_owned()], 0));
    append(&path, &"0123456789\n".repeat(1_000_000));
    append(&path, "end\n");
    let (mut lines, lost) = news(&mut follower);
    lines.extend(news(&mut follower).0);
    assert!(lost == 1 && lines.len() < 200_000 && lines.iter().all(|line| line.len() == 10 || line == "end"), "{lost} {}", lines.len());
    assert_eq!(lines.last().map(String::as_str), Some("end"));
    assert!(Follower::new(folder.path().to_owned()).begin().is_err(), "a folder is no log");
}

proptest! {
    #[test]
    fn any_line_is_read_or_refused(
        line in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            "(2026/11/24 15:07:09 \\[info\\] 1#1: \\*5 )?(broken header: |access forbidden by rule)?[ -~]{0,40}(, client: )[ -~]{0,40}(, server: )?[ -~]{0,30}"
                .prop_map(String::into_bytes),
            "(\\[[ -~]{0,30}\\] ?){0,5}[ -~]{0,40}".prop_map(String::into_bytes),
            "[0-9.:]{0,20} (- - )?\\[[ -~]{0,30}\\] [ -~]{0,60}".prop_map(String::into_bytes),
        ]
    ) {
        if let Some(Said::Entry(entry)) = read(&line) {
            prop_assert!(entry.quarter_us <= 901 * 1_000_000);
        }
    }
}

#[test]
fn the_fuzzers_corpus_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/server_log");
    let found = |entry: std::io::Result<fs::DirEntry>| lines_of(&fs::read(entry.unwrap().path()).unwrap(), Timestamp::from_micros(0)).len();
    let lines: usize = fs::read_dir(folder).unwrap().map(found).sum();
    assert!(lines > 5, "{lines}");
}
