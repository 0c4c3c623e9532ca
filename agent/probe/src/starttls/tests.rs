use std::{fs, path::Path};

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

/// What a server says at once, or what is expected of the client.
enum Line {
    Server(&'static [u8]),
    Client(&'static str),
}
use Line::{Client as C, Server as S};

/// Plays a transcript twice, whole and byte by byte; both must end alike.
fn play(protocol: StartTls, lines: &[Line]) -> (Option<UpgradeEnd>, Heard, usize) {
    let whole = play_in(protocol, lines, usize::MAX);
    let dripped = play_in(protocol, lines, 1);
    assert_eq!((whole.0, &whole.1.capabilities), (dripped.0, &dripped.1.capabilities), "{protocol:?}");
    whole
}

fn play_in(protocol: StartTls, lines: &[Line], size: usize) -> (Option<UpgradeEnd>, Heard, usize) {
    let mut upgrade = Upgrade::new(protocol, "mail.corp.test");
    let mut said = upgrade.opening();
    let mut end = None;
    for line in lines {
        match line {
            C(expected) => {
                assert!(String::from_utf8_lossy(&said).starts_with(expected), "{protocol:?}: said {:?}, not {expected:?}", String::from_utf8_lossy(&said));
                said.clear();
            }
            S(bytes) => {
                assert!(said.is_empty(), "{protocol:?}: {:?} was not expected", String::from_utf8_lossy(&said));
                for piece in bytes.chunks(size) {
                    let turn = upgrade.feed(piece);
                    said.extend(turn.say);
                    end = turn.end;
                }
            }
        }
    }
    assert!(said.is_empty() || end.is_some(), "{protocol:?}: {:?} was not expected", String::from_utf8_lossy(&said));
    (end, upgrade.heard().clone(), upgrade.surplus_bytes())
}

#[test]
fn servers_that_offer_it_wait_for_a_client_hello() {
    let table: [(StartTls, &[Line], &str); 15] = [
        (
            StartTls::Smtp,
            &[
                S(b"220-mail.corp.test ESMTP\r\n220 be patient\r\n"),
                C("EHLO "),
                S(b"250-mail.corp.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n"),
                C("STARTTLS\r\n"),
                S(b"220 2.0.0 Ready\r\n"),
            ],
            "220-mail.corp.test ESMTP",
        ),
        (StartTls::Smtp, &[S(b"220 x\n"), C("EHLO "), S(b"250-x\n250-starttls\n250 SIZE 1\n"), C("STARTTLS"), S(b"220-wait\n220 go\n")], "220 x"),
        (
            StartTls::Imap,
            &[
                S(b"* OK [CAPABILITY IMAP4rev1] ready\r\n"),
                C("p1 CAPABILITY\r\n"),
                S(b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\np1 OK done\r\n"),
                C("p2 STARTTLS\r\n"),
                S(b"p2 OK begin\r\n"),
            ],
            "* OK [CAPABILITY IMAP4rev1] ready",
        ),
        (StartTls::Imap, &[S(b"* OK hi\r\n"), C("p1 "), S(b"p1 BAD what?\r\n"), C("p2 STARTTLS"), S(b"* 1 EXISTS\r\np2 ok\r\n")], "* OK hi"),
        (StartTls::Pop3, &[S(b"+OK ready\r\n"), C("CAPA\r\n"), S(b"+OK\r\nUSER\r\nSTLS\r\n.\r\n"), C("STLS\r\n"), S(b"+OK begin\r\n")], "+OK ready"),
        (StartTls::Pop3, &[S(b"+OK\r\n"), C("CAPA\r\n"), S(b"-ERR what?\r\n"), C("STLS\r\n"), S(b"+OK\r\n")], "+OK"),
        (
            StartTls::Ftp,
            &[
                S(b"220-hello\r\n free text\r\n220 go\r\n"),
                C("FEAT\r\n"),
                S(b"211-Extensions\r\n AUTH TLS;SSL\r\n UTF8\r\n211 End\r\n"),
                C("AUTH TLS\r\n"),
                S(b"234 go\r\n"),
            ],
            "220-hello",
        ),
        (StartTls::Ftp, &[S(b"220 go\r\n"), C("FEAT\r\n"), S(b"500 what?\r\n"), C("AUTH TLS\r\n"), S(b"234 go\r\n")], "220 go"),
        (
            StartTls::Nntp,
            &[S(b"200 news\r\n"), C("CAPABILITIES\r\n"), S(b"101 list:\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n"), C("STARTTLS\r\n"), S(b"382 go\r\n")],
            "200 news",
        ),
        (
            StartTls::Sieve,
            &[S(b"\"IMPLEMENTATION\" \"Pigeonhole\"\r\n\"STARTTLS\"\r\nOK \"ready\"\r\n"), C("STARTTLS\r\n"), S(b"OK \"begin\"\r\n")],
            "\"IMPLEMENTATION\" \"Pigeonhole\"",
        ),
        (
            StartTls::Xmpp,
            &[
                C("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='mail.corp.test'"),
                S(b"<?xml version='1.0'?><stream:stream from='a>b'><stream:features><starttls xmlns='x'><required/></starttls></stream:features>"),
                C("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
                S(b"<proceed xmlns='x'/>"),
            ],
            "<stream:stream from='a>b'>",
        ),
        (
            StartTls::XmppServer,
            &[
                C("<?xml version='1.0'?><stream:stream xmlns='jabber:server'"),
                S(b"<stream:stream>\n<stream:features>\n<starttls/>\n</stream:features>"),
                C("<starttls "),
                S(b"\n<proceed/>"),
            ],
            "<stream:stream>",
        ),
        (StartTls::Ldap, &[C("0\u{1d}\u{2}\u{1}\u{1}w"), S(b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00")], ""),
        (StartTls::Postgres, &[C("\0\0\0\u{8}\u{4}"), S(b"S")], ""),
        (StartTls::Mysql, &[S(b"\x22\0\0\0\x0a8.0.36\0\x01\0\0\0authdata\0\xff\xff\x2d\x02\0\xff\xdf\x15\0\0\0\0\0"), C(" \0\0\u{1}")], "8.0.36"),
    ];
    for (protocol, lines, greeting) in table {
        let (end, heard, surplus) = play(protocol, lines);
        assert_eq!((end, surplus), (Some(UpgradeEnd::Ready), 0), "{protocol:?}: {heard:?}");
        assert_eq!(heard.greeting.unwrap_or_default(), greeting, "{protocol:?}");
        assert_ne!(heard.offered, Some(false), "{protocol:?}");
    }
}

#[test]
fn servers_that_do_not_are_told_apart_from_those_that_will_not() {
    use UpgradeEnd::{Closed, NotOffered, NotProtocol, OverCap, Refused};
    let table: [(StartTls, &[Line], UpgradeEnd); 36] = [
        (StartTls::Smtp, &[S(b"220 x\r\n"), C("EHLO"), S(b"250-x\r\n250 SIZE\r\n")], NotOffered),
        (StartTls::Smtp, &[S(b"220 x\r\n"), C("EHLO"), S(b"250-x\r\n250 XXXXXXXX\r\n")], NotOffered),
        (StartTls::Smtp, &[S(b"220 x\r\n"), C("EHLO"), S(b"502 what?\r\n")], NotOffered),
        (StartTls::Smtp, &[S(b"220 x\r\n"), C("EHLO"), S(b"550 not from you\r\n")], Refused),
        (StartTls::Smtp, &[S(b"554 go away\r\n")], Refused),
        (StartTls::Smtp, &[S(b"220 x\r\n"), C("EHLO"), S(b"250-x\r\n250 STARTTLS\r\n"), C("STARTTLS"), S(b"454 no certificate\r\n")], Refused),
        (StartTls::Smtp, &[S(b"220 x\r\n"), C("EHLO"), S(b"250-x\r\n250 STARTTLS\r\n"), C("STARTTLS"), S(b"500 what is XXXXXXXX?\r\n")], Refused),
        (StartTls::Smtp, &[S(b"200 news\r\n")], NotProtocol),
        (StartTls::Smtp, &[S(b"SSH-2.0-OpenSSH\r\n")], NotProtocol),
        (StartTls::Smtp, &[S(b"\x15\x03\x01\0\x02\x02\x28")], NotProtocol),
        (StartTls::Smtp, &[S(&[b'2'; 9_000])], OverCap),
        (StartTls::Imap, &[S(b"* OK\r\n"), C("p1"), S(b"* CAPABILITY IMAP4rev1\r\np1 OK\r\n")], NotOffered),
        (StartTls::Imap, &[S(b"* OK\r\n"), C("p1"), S(b"p1 NO\r\n"), C("p2"), S(b"p2 BAD what?\r\n")], NotOffered),
        (StartTls::Imap, &[S(b"* OK\r\n"), C("p1"), S(b"* CAPABILITY STARTTLS\r\np1 OK\r\n"), C("p2"), S(b"p2 NO not now\r\n")], Refused),
        (StartTls::Imap, &[S(b"* PREAUTH welcome\r\n")], Refused),
        (StartTls::Imap, &[S(b"* BYE full\r\n")], Refused),
        (StartTls::Imap, &[S(b"* OK\r\n"), C("p1"), S(b"* BYE shutting down\r\n")], Refused),
        (StartTls::Imap, &[S(b"+OK POP3\r\n")], NotProtocol),
        (StartTls::Pop3, &[S(b"+OK\r\n"), C("CAPA"), S(b"+OK\r\nUSER\r\n.\r\n")], NotOffered),
        (StartTls::Pop3, &[S(b"+OK\r\n"), C("CAPA"), S(b"-ERR\r\n"), C("STLS"), S(b"-ERR what?\r\n")], NotOffered),
        (StartTls::Pop3, &[S(b"+OK\r\n"), C("CAPA"), S(b"+OK\r\nSTLS\r\n.\r\n"), C("STLS"), S(b"-ERR not now\r\n")], Refused),
        (StartTls::Ftp, &[S(b"220 x\r\n"), C("FEAT"), S(b"211-F\r\n UTF8\r\n211 End\r\n"), C("AUTH TLS"), S(b"530 log in first\r\n")], NotOffered),
        (StartTls::Ftp, &[S(b"220 x\r\n"), C("FEAT"), S(b"211-F\r\n AUTH TLS\r\n211 End\r\n"), C("AUTH TLS"), S(b"431 no resource\r\n")], Refused),
        (StartTls::Nntp, &[S(b"200 x\r\n"), C("CAP"), S(b"101 x\r\nREADER\r\n.\r\n")], NotOffered),
        (StartTls::Nntp, &[S(b"200 x\r\n"), C("CAP"), S(b"500 what?\r\n"), C("STARTTLS"), S(b"500 what?\r\n")], NotOffered),
        (StartTls::Nntp, &[S(b"502 no service\r\n")], Refused),
        (StartTls::Sieve, &[S(b"\"SASL\" \"PLAIN\"\r\nOK\r\n")], NotOffered),
        (StartTls::Sieve, &[S(b"BYE \"too many\"\r\n")], Refused),
        (StartTls::Xmpp, &[C("<?xml"), S(b"<stream:stream><stream:features/>")], NotOffered),
        (StartTls::Xmpp, &[C("<?xml"), S(b"<stream:stream><stream:error><host-unknown/></stream:error>")], Refused),
        (StartTls::Xmpp, &[C("<?xml"), S(b"</stream:stream>")], Closed),
        (StartTls::Xmpp, &[C("<?xml"), S(b"HTTP/1.1 400 Bad Request\r\n")], NotProtocol),
        (StartTls::Ldap, &[C("0"), S(b"\x30\x0f\x02\x01\x01\x78\x0a\x0a\x01\x02\x04\x00\x04\x03who")], NotOffered),
        (StartTls::Ldap, &[C("0"), S(b"\x30\x0f\x02\x01\x01\x78\x0a\x0a\x01\x34\x04\x00\x04\x03off")], Refused),
        (StartTls::Postgres, &[C("\0"), S(b"E\0\0\0\x0dSFATAL\0Mno\0")], Refused),
        (StartTls::Mysql, &[S(b"\x07\0\0\0\xff\x69\x04host")], Refused),
    ];
    for (at, (protocol, lines, expected)) in table.into_iter().enumerate() {
        let (end, heard, _) = play(protocol, lines);
        assert_eq!(end, Some(expected), "row {at}, {protocol:?}: {heard:?}");
    }
    assert_eq!(play(StartTls::Postgres, &[C("\0"), S(b"N")]).0, Some(NotOffered));
    let without_tls = S(b"\x22\0\0\0\x0a5.5.5\0\x01\0\0\0authdata\0\xff\xf7\x2d\x02\0\xff\xdf\x15\0\0\0\0\0\0");
    assert_eq!(play(StartTls::Mysql, &[without_tls]).0, Some(NotOffered));
}

#[test]
fn words_are_kept_within_caps_and_fit_to_be_shown() {
    let mut upgrade = Upgrade::new(StartTls::Smtp, "x.test");
    upgrade.feed(b"220 \x1b[2J\xff hello \xc3\xa9\r\n");
    upgrade.feed(b"250-x\r\n");
    for _ in 0..100 {
        upgrade.feed(&[b"250-".as_slice(), &[b'a'; 500], b"\r\n"].concat());
    }
    let heard = upgrade.heard();
    assert_eq!(heard.greeting.as_deref(), Some("220 .[2J\u{fffd} hello é"));
    assert_eq!((heard.capabilities.len(), heard.capabilities[0].len()), (MAX_CAPABILITIES, MAX_CAPABILITY_CHARS));
}

#[test]
fn a_banner_without_end_ends() {
    let mut upgrade = Upgrade::new(StartTls::Smtp, "x.test");
    let lines = (0..).map(|_| upgrade.feed(b"220-all work and no play makes Jack a dull boy\r\n")).take_while(|turn| turn.end.is_none()).count();
    assert!(lines < Upgrade::MAX_BYTES / 40);
    assert_eq!(upgrade.feed(b"more").end, Some(UpgradeEnd::OverCap));
}

#[test]
fn words_in_clear_behind_the_answer_are_counted() {
    let lines = [S(b"220 x\r\n"), C("EHLO"), S(b"250-x\r\n250 STARTTLS\r\n"), C("STARTTLS"), S(b"220 go\r\n250 injected\r\n")];
    assert_eq!(play_in(StartTls::Smtp, &lines, usize::MAX).2, 14);
}

/// Feeds bytes in pieces of a size; what comes of them must not depend on it.
fn digest(protocol: StartTls, bytes: &[u8], size: usize) -> (Vec<u8>, Option<UpgradeEnd>, Vec<String>) {
    let mut upgrade = Upgrade::new(protocol, "x.test");
    let (mut said, mut end) = (Vec::new(), None);
    for piece in bytes.chunks(size) {
        let turn = upgrade.feed(piece);
        said.extend(turn.say);
        end = turn.end;
        assert!(upgrade.unread.len() <= Upgrade::MAX_BYTES);
    }
    (said, end, upgrade.heard().capabilities.clone())
}

proptest! {
    #[test]
    fn pieces_make_no_difference(protocol in select(StartTls::ALL.to_vec()), bytes in vec(prop_oneof![any::<u8>(), select(b"250-SOK+* <>/\r\n".to_vec())], 0..400), size in 1_usize..40) {
        prop_assert_eq!(digest(protocol, &bytes, size), digest(protocol, &bytes, 400));
    }
}

#[test]
fn the_fuzzers_findings_and_seeds_are_replayed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/starttls");
    let mut replayed = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let input = fs::read(entry.unwrap().path()).unwrap();
        let Some((&[protocol, size], bytes)) = input.split_first_chunk::<2>() else { continue };
        let protocol = StartTls::ALL[usize::from(protocol) % StartTls::ALL.len()];
        assert_eq!(digest(protocol, bytes, usize::from(size) + 1), digest(protocol, bytes, bytes.len().max(1)));
        replayed += 1;
    }
    assert!(replayed >= StartTls::ALL.len(), "{replayed}");
}
