//! What an audited server can do, as a compact block that is read without colour: `!` marks what is weak.

use owo_colors::OwoColorize as _;
use parallax_model::{
    facts::{CertificateAsk, Http2Answer, Resumption},
    report::{AuditReport, CertificateReport, FeatureReport, KeyExchangeReport, ResumptionReport, VersionReport},
};

use crate::render;

/// Writes one block per address; `wide` names every suite.
pub fn text(reports: &[AuditReport], wide: bool) -> String {
    reports.iter().map(|report| block(report, wide) + "\n").collect()
}

fn block(report: &AuditReport, wide: bool) -> String {
    let mut out = format!("{}\n", heading(report).bold());
    let mut line = |name: &str, words: String| {
        if !words.is_empty() {
            out.push_str(&render::wrap(&format!("{name:<10}{words}"), "  ", "            "));
            out.push('\n');
        }
    };
    for version in report.versions.iter().rev().filter(|version| version.accepted) {
        line(&marked(&version.version, is_old(version)), version_words(version));
        if wide {
            line("", format!("suites {}", suites(version)));
        } else if !version.weak_suites.is_empty() {
            line("", format!("! {}", version.weak_suites.join(", ")));
        }
        line("", listed("groups", &version.groups));
        line("", listed("signs with", &version.signature_schemes));
    }
    line("refused", report.versions.iter().filter(|version| !version.accepted).map(refusal).collect::<Vec<_>>().join(", "));
    line("alpn", alpn(report));
    line("sessions", sessions(&report.resumption));
    line("secrets", secrets(&report.key_exchange));
    line("shows", certificates(&report.certificates));
    line("clients", report.client_certificate_authorities.map_or_else(String::new, |count| format!("asked for a certificate of {count} authorities")));
    line("lacks", report.features.as_ref().map_or_else(String::new, lacks));
    line("! has", has(report));
    line("! breaks", report.not_borne.iter().map(|refusal| format!("{} ({})", refusal.rung, refusal.answer)).collect::<Vec<_>>().join(", "));
    line("jarm", report.jarm.clone().unwrap_or_default());
    out
}

fn heading(report: &AuditReport) -> String {
    let cut = report.stopped.map(|stop| format!(", cut short: {stop}")).unwrap_or_default();
    format!("what {} can do, from {} ({} connections, {} ms{cut})", report.address, report.vantage, report.connections, report.elapsed_ms)
}

fn marked(name: &str, is_weak: bool) -> String {
    if is_weak { format!("! {name}") } else { name.to_owned() }
}

/// Below TLS 1.2, which RFC 8996 ended.
fn is_old(version: &VersionReport) -> bool {
    !["TLSv1.2", "TLSv1.3"].contains(&version.version.as_str())
}

fn version_words(version: &VersionReport) -> String {
    let weak = match version.weak_suites.len() {
        0 => String::new(),
        count => format!(", ! {count} of them weak"),
    };
    let order = version.suite_order.as_ref().map(|who| format!(", in the {who}'s order")).unwrap_or_default();
    let count = version.suites.len();
    format!("{count} {}{weak}{order}", if count == 1 { "suite" } else { "suites" })
}

fn suites(version: &VersionReport) -> String {
    version.suites.iter().map(|suite| marked(suite, version.weak_suites.contains(suite))).collect::<Vec<_>>().join(", ")
}

fn listed(name: &str, items: &[String]) -> String {
    if items.is_empty() { String::new() } else { format!("{name} {}", items.join(", ")) }
}

fn refusal(version: &VersionReport) -> String {
    format!("{} ({})", version.version, version.answer)
}

fn alpn(report: &AuditReport) -> String {
    let accepted = (!report.alpn.is_empty()).then(|| report.alpn.join(", "));
    match &report.alpn_without_overlap {
        Some(answer) => format!("{}; without overlap {answer}", accepted.as_deref().unwrap_or("none")),
        None => accepted.unwrap_or_default(),
    }
}

fn sessions(sessions: &ResumptionReport) -> String {
    let one = |name: &str, seen: Option<Resumption>| seen.map(|seen| format!("{name} {seen}"));
    let seconds = sessions.ticket_lifetime_seconds.map(|seconds| format!("tickets for {seconds} s"));
    let early = sessions.max_early_data_bytes.filter(|bytes| *bytes > 0).map(|bytes| format!("early data of {bytes} bytes"));
    let parts = [one("TLSv1.3 PSK", sessions.tls13_psk), one("TLSv1.2 ticket", sessions.tls12_ticket), one("id", sessions.tls12_id), seconds, early];
    let elsewhere = sessions.elsewhere.iter().map(|seen| format!("{} at {}", seen.resumption, seen.address));
    let across_names = one("! one of another name", sessions.across_names.filter(|seen| *seen == Resumption::Resumed));
    parts.into_iter().flatten().chain(elsewhere).chain(across_names).collect::<Vec<_>>().join(", ")
}

fn secrets(secrets: &KeyExchangeReport) -> String {
    const LEAST_BITS: u32 = 2_048;
    let name = secrets.prime_name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let prime = secrets.prime_bits.map(|bits| marked(&format!("prime of {bits} bits{name}"), bits < LEAST_BITS));
    let reused = secrets.value_reused.filter(|reused| *reused).map(|_| "! the same public value twice".to_owned());
    let hybrids = (!secrets.hybrids.is_empty()).then(|| format!("post-quantum {}", secrets.hybrids.join(", ")));
    [hybrids, prime, reused].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Names each leaf once, with the questions that it answers.
fn certificates(seen: &[CertificateReport]) -> String {
    let mut leaves: Vec<(&str, &CertificateReport, Vec<&str>)> = Vec::new();
    for report in seen {
        let Some(leaf) = report.leaf_sha256.as_deref() else { continue };
        match leaves.iter_mut().find(|(known, ..)| *known == leaf) {
            Some((.., asks)) => asks.push(asked(report.ask)),
            None => leaves.push((leaf, report, vec![asked(report.ask)])),
        }
    }
    leaves.iter().map(|(leaf, report, asks)| format!("{} to {}", shown(leaf, report), asks.join(", "))).collect::<Vec<_>>().join("; ")
}

fn shown(leaf: &str, report: &CertificateReport) -> String {
    let timestamps = match report.signed_timestamps {
        0 => None,
        1 => Some("1 SCT".to_owned()),
        count => Some(format!("{count} SCTs")),
    };
    let staple = report.stapled.then(|| "a staple".to_owned());
    let parts = [Some(format!("chain of {}", report.chain_length)), timestamps, staple];
    format!("{} ({})", leaf.get(..SHORT_DIGEST).unwrap_or(leaf), parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

fn asked(ask: CertificateAsk) -> &'static str {
    match ask {
        CertificateAsk::OwnName => "the name",
        CertificateAsk::NoName => "no name",
        CertificateAsk::OtherName => "another name",
        CertificateAsk::Rsa => "RSA alone",
        CertificateAsk::Ecdsa => "ECDSA alone",
    }
}

fn lacks(features: &FeatureReport) -> String {
    let scsv_ignored = features.fallback_scsv.as_deref() == Some("hello");
    let parts = [
        (!features.renegotiation_info, "! secure renegotiation"),
        (!features.extended_master_secret, "extended master secret"),
        (features.encrypt_then_mac == Some(false), "encrypt-then-MAC"),
        (scsv_ignored, "protection against fallback (TLS_FALLBACK_SCSV)"),
    ];
    chosen(&parts)
}

fn has(report: &AuditReport) -> String {
    let granted = |is_so: fn(&FeatureReport) -> bool| report.features.as_ref().is_some_and(is_so);
    chosen(&[
        (granted(|features| features.compression), "TLS compression"),
        (granted(|features| features.heartbeat), "heartbeat"),
        (granted(|features| features.next_protocols.is_some()), "NPN"),
        (report.renegotiation.as_deref() == Some("hello"), "renegotiation at a client's wish"),
        (report.http2.is_some_and(|answer| answer != Http2Answer::Settings), "h2 by ALPN, which nothing behind it speaks"),
    ])
}

fn chosen(parts: &[(bool, &str)]) -> String {
    parts.iter().filter(|(is_so, _)| *is_so).map(|(_, what)| *what).collect::<Vec<_>>().join(", ")
}

/// Hexadecimal digits that tell a server's few certificates apart.
const SHORT_DIGEST: usize = 12;
