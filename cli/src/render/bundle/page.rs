//! The page from the sentence to the packets.

use std::collections::BTreeSet;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use parallax_model::{
    attempt::Attempt,
    facts::Direction,
    outcome::Outcome,
    proof::Onlooker,
    verdict::{Finding, Tier},
};

use super::{Case, certificates, commands, packets, path, shared_labels, timeline};
use crate::render::{facts, matrix::blames, proof::is_about};

/// Attempts whose packets are shown for one finding.
const WITH_PACKETS: usize = 4;

pub(super) fn page(case: &Case<'_>) -> Markup {
    let verdict = &case.proof.verdict;
    let time = |at: parallax_model::clock::Timestamp| at.to_jiff().strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (verdict.target) ": " (state(case)) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                p.dim { (verdict.target) " · " (state(case)) " · " (time(verdict.started_at)) " to " (time(verdict.closed_at)) }
                h1 { (verdict.headline) }
                p.dim {
                    (verdict.vantages.reported) " of " (verdict.vantages.eligible) " vantages reported · round " (verdict.round) ", revision " (verdict.revision)
                    ", judged by rules " (verdict.rules) @if let Some(check) = &verdict.check { " · check " (check) }
                }
                (matrix(case))
                h2 { "What was found" }
                @if verdict.findings.is_empty() { p { "Nothing is wrong." } }
                @for finding in &verdict.findings { (of_finding(case, finding)) }
                h2 { "Who looked" }
                (vantages(case))
                h2 { "When" }
                p.dim { "A bar per attempt; tall: failed, low: passed. The numbers are those of the list of all attempts." }
                (timeline::draw(case))
                h2 { "Packets" }
                (all_packets(case))
                h2 { "Certificates" }
                (all_certificates(case))
                h2 { "All attempts" }
                (all_attempts(case))
            }
        }
    }
}

fn state(case: &Case<'_>) -> &'static str {
    if case.proof.verdict.healthy { "healthy" } else { "not healthy" }
}

/// One table for each address, so that no column is out of sight, on paper neither.
fn matrix(case: &Case<'_>) -> Markup {
    let mut addresses: Vec<&str> = Vec::new();
    for cell in &case.proof.verdict.matrix {
        if !addresses.contains(&cell.address.as_str()) {
            addresses.push(&cell.address);
        }
    }
    html! {
        @for address in &addresses { h3 { (address) } (matrix_of(case, address)) }
        @if !addresses.is_empty() { p.dim { "A row for each vantage, a column for each way to shake hands; framed cells are those that a finding blames." } }
    }
}

fn matrix_of(case: &Case<'_>, address: &str) -> Markup {
    let cells: Vec<_> = case.proof.verdict.matrix.iter().filter(|cell| cell.address == address).collect();
    let (mut profiles, mut rows): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for cell in &cells {
        if !profiles.contains(&cell.profile.as_str()) {
            profiles.push(&cell.profile);
        }
        if !rows.contains(&cell.vantage.as_str()) {
            rows.push(&cell.vantage);
        }
    }
    let draw = |vantage: &str, profile: &str| {
        let Some(cell) = cells.iter().find(|cell| cell.vantage == vantage && cell.profile == profile) else {
            return html! { td { "·" } };
        };
        let blamed = case.faults().any(|finding| blames(finding, cell));
        let class = match cell.outcome {
            Outcome::Ok => "pass",
            Outcome::NotCompleted(_) | Outcome::Certificate(_) | Outcome::Http(_) => "note",
            _ => "fail",
        };
        html! {
            td class=(if blamed { format!("{class} blamed") } else { class.to_owned() }) {
                @if cell.outcome == Outcome::Ok { "✓\u{a0}passes" } @else { "✗\u{a0}" (cell.outcome) }
                @if cell.failures > 0 { br; (cell.failures) " of " (cell.attempts) " failed" }
                @if blamed { br; "blamed" }
            }
        }
    };
    html! {
        div.scroll { table {
            thead { tr { th { "vantage" } @for profile in &profiles { th { (profile) } } } }
            tbody { @for vantage in &rows { tr { th { (vantage) } @for profile in &profiles { (draw(vantage, profile)) } } } }
        } }
    }
}

fn of_finding(case: &Case<'_>, finding: &Finding) -> Markup {
    let advice = finding.cause.is_informational();
    let all = |items: &[String]| if items.is_empty() { "all".to_owned() } else { items.join(", ") };
    html! {
        div class=(if advice { "finding advice" } else { "finding" }) {
            h3 { (finding.cause) @if finding.tier != Tier::Insufficient { " · " (finding.tier) } @if advice { " · worth knowing" } }
            dl {
                dt { "who" } dd { "vantages " (all(&finding.scope.vantages)) " · addresses " (all(&finding.scope.addresses)) " · profiles " (all(&finding.scope.profiles)) }
                @if let Some(mechanism) = &finding.mechanism { dt { "what is seen" } dd { (mechanism) } }
                @if let Some(at) = &finding.location {
                    dt { "where" }
                    dd { "hops " (at.first_hop) " to " (at.last_hop) @if let Some(router) = &at.router { " (last router that answered: " (router) ")" } }
                }
            }
        }
        h3 { "Why: the rules that fired" }
        ul { @for evidence in &finding.evidence {
            li { (evidence.text) " " span.dim { "(" (evidence.rule) ")" } " " (references(case, &evidence.attempts.iter().collect())) }
        } }
        @if !advice { (reasons_against(case, finding)) }
        h3 { "Mend" }
        p { (finding.remedy.summary) }
        @if !finding.remedy.steps.is_empty() { pre { (finding.remedy.steps.join("\n")) } }
        @if !advice {
            @if let Some(drawing) = path::draw(case, finding) { h3 { "The path" } (drawing) }
            h3 { "See it yourself" }
            p.dim { "From " (all(&finding.scope.vantages)) ", or any host on the same network:" }
            @for command in commands::of(case, finding) { p.dim { (command.shows) } pre { (command.line) } }
        }
    }
}

fn references(case: &Case<'_>, wanted: &BTreeSet<&parallax_model::id::AttemptId>) -> Markup {
    let numbers: Vec<usize> = case.attempts.iter().filter(|attempt| wanted.contains(&attempt.id)).map(|attempt| case.number(attempt)).collect();
    html! { @for number in numbers { a href=(format!("#a{number}")) { "#" (number) } " " } }
}

fn reasons_against(case: &Case<'_>, finding: &Finding) -> Markup {
    let tried: Vec<_> = case.proof.excluded.iter().filter(|excluded| is_about(excluded, finding)).collect();
    html! {
        @if let Some(counter) = &finding.counter {
            h3 { "Unless" }
            p { "The best competing explanation is " b { (counter.cause) } ". What would separate the two: " (counter.next) "." }
        }
        @if !tried.is_empty() {
            h3 { "Tried and not held" }
            div.scroll { table {
                thead { tr { th { "hypothesis" } th { "requires" } th { "is excluded by" } } }
                tbody { @for excluded in tried { tr {
                    td { (excluded.cause) @if let Some(tier) = excluded.held { br; "held as " (tier) ", something stronger was found" } }
                    td { (excluded.requires) } td { (excluded.excluded_by) }
                } } }
            } }
        }
    }
}

fn vantages(case: &Case<'_>) -> Markup {
    let mut groups: Vec<&str> = case.proof.vantages.iter().map(|seen| seen.group.as_str()).collect();
    groups.sort_unstable();
    groups.dedup();
    let number = |seen: &Onlooker| groups.iter().position(|group| *group == seen.group).map_or(0, |at| at + 1);
    let labels = |seen: &Onlooker| shared_labels(&seen.labels).into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ");
    let remark = |seen: &Onlooker| {
        let taken = &case.proof.verdict.vantages;
        let discarded = taken.discarded.iter().find(|discarded| discarded.vantage == seen.name).map(|discarded| format!("not scored: {}", discarded.cause));
        discarded.or_else(|| taken.missing.contains(&seen.name).then(|| "not heard".to_owned())).unwrap_or_default()
    };
    html! {
        p.dim { "Vantages of one group share a network and count as one." }
        div.scroll { table {
            thead { tr { th { "vantage" } th { "group" } th { "stands" } th { "remark" } } }
            tbody { @for seen in &case.proof.vantages { tr { td { (seen.name) } td { (number(seen)) } td { (labels(seen)) } td { (remark(seen)) } } } }
        } }
        @for gate in &case.proof.verdict.vantages.gates_not_run { p.dim { "Not run: " (gate) } }
    }
}

fn all_packets(case: &Case<'_>) -> Markup {
    let has_bytes = |attempt: &&Attempt| attempt.facts.tls.as_ref().is_some_and(|tls| !tls.transcript.is_empty()) && !super::is_own(attempt);
    let mut chosen: Vec<&Attempt> = Vec::new();
    for finding in case.faults() {
        let of_finding: Vec<&Attempt> = case.evidence(finding).into_iter().filter(has_bytes).collect();
        let failed = of_finding.iter().filter(|attempt| !Outcome::of(attempt).is_ok()).take(WITH_PACKETS / 2);
        let passed = of_finding.iter().filter(|attempt| Outcome::of(attempt).is_ok()).take(WITH_PACKETS / 2);
        for attempt in failed.chain(passed) {
            if !chosen.iter().any(|known| known.id == attempt.id) {
                chosen.push(attempt);
            }
        }
    }
    html! {
        @if chosen.is_empty() { p.dim { "No bytes are kept of the attempts that the findings rest on." } }
        @else { p.dim { "Of each finding, attempts that fail and attempts that pass for comparison; the JSON beside this page has all bytes." } }
        @for attempt in chosen { (with_packets(case, attempt)) }
    }
}

fn with_packets(case: &Case<'_>, attempt: &Attempt) -> Markup {
    let Some(tls) = &attempt.facts.tls else { return html! {} };
    let sent: usize = tls.transcript.iter().filter(|entry| entry.direction == Direction::Sent).map(|entry| entry.bytes.0.len()).sum();
    html! {
        h3 { a href=(format!("#a{}", case.number(attempt))) { "#" (case.number(attempt)) } " " (facts::line(attempt)) }
        @for packet in packets::of(&tls.transcript) {
            p { (format!("{:.2} ms", packet.at_ms)) " " b { @if packet.sent { "→ sent" } @else { "← received" } } " " (packet.bytes) " bytes: " (packet.holds) @if packet.cut { span.dim { " (the first 512 are shown)" } } }
            pre.dump { (packet.dump) }
        }
        p { (format!("{:.2} ms", tls.end_us as f64 / 1_000.0)) " after the ClientHello it ended: " b { (Outcome::of(attempt)) } ". " (sent) " bytes sent, " (tls.bytes_read) " received." }
        @if let Some(tcp) = &attempt.facts.tcp {
            @if let Some(ttl) = tcp.ack_ttl { p { "The acknowledgement of the ClientHello came with TTL " (ttl) "." } }
            @if let Some(info) = &tcp.at_end {
                p.dim { "The kernel at the end (TCP_INFO):" }
                dl { @for (what, value) in packets::kernel(info) { dt { (what) } dd { (value) } } }
            }
        }
    }
}

fn all_certificates(case: &Case<'_>) -> Markup {
    let chains = certificates::chains(case);
    html! {
        @if chains.is_empty() { p.dim { "No certificate came." } }
        @for chain in chains {
            h3 { "Sent to " (chain.seen_by.join("; ")) }
            @for (place, certificate) in chain.certificates.iter().enumerate() {
                dl {
                    dt { (place + 1) ". subject" } dd { (certificate.subject) }
                    dt { "issuer" } dd { (certificate.issuer) }
                    @if !certificate.names.is_empty() { dt { "names" } dd { (certificate.names) } }
                    dt { "valid" } dd { (certificate.valid) }
                    dt { "key (SPKI, SHA-256)" } dd { code { (certificate.key_sha256) } }
                }
            }
        }
    }
}

fn all_attempts(case: &Case<'_>) -> Markup {
    let line = |attempt: &Attempt| {
        let said = if super::is_own(attempt) { "at one of the fleet's own responders".to_owned() } else { facts::of(&attempt.facts).join(" · ") };
        let address = if super::is_own(attempt) { None } else { attempt.address };
        html! { tr id=(format!("a{}", case.number(attempt))) {
            td { "#" (case.number(attempt)) }
            td { (facts::clock(attempt)) }
            td { (attempt.vantage) @if let Some(address) = address { " → " (address) } }
            td { (attempt.profile) " " (attempt.experiment) }
            td { (Outcome::of(attempt)) " " span.dim { (format!("{:.1} ms", attempt.elapsed_us as f64 / 1_000.0)) } }
            td { (said) }
        } }
    };
    html! {
        p.dim { "Times are UTC, by the coordinator's clock." }
        div.scroll { table {
            thead { tr { th { "no." } th { "time" } th { "from → to" } th { "what was tried" } th { "outcome" } th { "facts" } } }
            tbody { @for attempt in &case.attempts { (line(attempt)) } }
        } }
    }
}
