//! The page from the sentence to the packets.

use std::collections::BTreeSet;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use parallax_model::{
    attempt::Attempt,
    clock::Timestamp,
    facts::Direction,
    outcome::Outcome,
    proof::Onlooker,
    verdict::{Finding, Tier},
};

use super::{Case, Made, certificates, commands, packets, path, shared_labels, timeline};
use crate::render::{self, facts, matrix::has_gaps, proof::is_about};

/// Attempts whose packets are shown for one finding.
const WITH_PACKETS: usize = 4;

pub(super) fn page(case: &Case<'_>, made: &Made) -> Markup {
    let verdict = &case.proof.verdict;
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
                p.dim { (verdict.target) " · " (state(case)) " · " (instant(verdict.started_at)) " to " (instant(verdict.closed_at)) }
                h1 { (verdict.headline) }
                p.dim {
                    (verdict.vantages.reported) " of " (verdict.vantages.eligible) " vantages reported · round " (verdict.round) ", revision " (verdict.revision)
                    ", judged by rules " (verdict.rules) @if let Some(check) = &verdict.check { " · check " (check) }
                }
                p.dim { "Made " (instant(made.at)) " with " (made.with) @if let Some(by) = &made.by { " by " (by) } }
                @if verdict.findings.len() > 1 { (contents(verdict)) }
                (matrix(case))
                h2 { "What was found" }
                @if verdict.findings.is_empty() { p { "Nothing is wrong." } }
                @for (at, finding) in verdict.findings.iter().enumerate() { (of_finding(case, finding, at)) }
                h2 #who { "Who looked" }
                (vantages(case))
                h2 #when { "When" }
                (timeline::draw(case))
                h2 #packets { "Packets" }
                (all_packets(case))
                h2 #certificates { "Certificates" }
                (all_certificates(case))
                h2 #attempts { "All attempts" }
                (all_attempts(case))
            }
        }
    }
}

/// Returns an instant as the page writes it.
pub(super) fn instant(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn contents(verdict: &parallax_model::verdict::Verdict) -> Markup {
    let parts = [("who", "Who looked"), ("when", "When"), ("packets", "Packets"), ("certificates", "Certificates"), ("attempts", "All attempts")];
    html! {
        ul.contents {
            @for (at, finding) in verdict.findings.iter().enumerate() { li { a href=(format!("#f{at}")) { (finding.cause) } } }
            @for (id, title) in parts { li { a href=(format!("#{id}")) { (title) } } }
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
        @if !addresses.is_empty() {
            p.dim {
                "A row for each vantage, a column for each way to shake hands; framed cells are those that a finding blames."
                @if has_gaps(&case.proof.verdict.matrix) { " Where a · stands, nothing was tried." }
            }
        }
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
        let blamed = case.faults().any(|finding| finding.blames(cell));
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

fn of_finding(case: &Case<'_>, finding: &Finding, at: usize) -> Markup {
    let advice = finding.cause.is_informational();
    let several = case.proof.verdict.findings.len() > 1;
    let heading = |title: &str| if several { format!("{title} ({})", finding.cause) } else { title.to_owned() };
    let named = |hop: u8| {
        let (vantage, address) = (finding.scope.vantages.first()?, finding.scope.addresses.first()?);
        path::router_at(case, vantage, address, hop).map(|router| router.to_string())
    };
    html! {
        div id=(format!("f{at}")) class=(if advice { "finding advice" } else { "finding" }) {
            h3 { (finding.cause) @if finding.tier != Tier::Insufficient { " · " (finding.tier) } @if advice { " · worth knowing" } }
            dl {
                dt { "who" } dd { (render::who(&finding.scope)) }
                @if let Some(mechanism) = &finding.mechanism { dt { "what is seen" } dd { (mechanism) } }
                @if let Some(at) = &finding.location {
                    dt { "where" }
                    dd { (render::whereabouts(at, named)) }
                }
            }
        }
        h3 { (heading("Why: the rules that fired")) }
        ul { @for evidence in &finding.evidence {
            li { (evidence.text) " " span.dim { "(" (evidence.rule) ")" } " " (references(case, &evidence.attempts.iter().collect())) }
        } }
        @if !advice { (reasons_against(case, finding, heading)) }
        h3 { (heading("Mend")) }
        p { (finding.remedy.summary) }
        @if !finding.remedy.steps.is_empty() { pre { (finding.remedy.steps.join("\n")) } }
        @if !advice {
            @if let Some(drawing) = path::draw(case, finding) { h3 { (heading("The path")) } (drawing) }
            h3 { (heading("See it yourself")) }
            p.dim { (from(case, finding)) }
            @for command in commands::of(case, finding) { p.dim { (command.shows) } pre { (command.line) } p.dim.expect { "expect: " (command.expect) } }
        }
    }
}

/// Says where the commands of a finding show it.
fn from(case: &Case<'_>, finding: &Finding) -> String {
    const ROOT: &str = "Where a private root signs, add -CAfile ROOT.pem to openssl and --cacert ROOT.pem to curl.";
    let vantages = commands::vantages(case, finding);
    if vantages.is_empty() {
        return format!("From any host. {ROOT}");
    }
    let also: Vec<&str> =
        vantages.iter().copied().filter(|name| case.faults().any(|other| other != finding && other.scope.vantages.iter().any(|known| known == name))).collect();
    let shared = if also.is_empty() || also.len() == vantages.len() { String::new() } else { format!(" (another finding blames {} too)", also.join(", ")) };
    format!("From {}{shared}, or any host on the same network. {ROOT}", vantages.join(", "))
}

fn references(case: &Case<'_>, wanted: &BTreeSet<&parallax_model::id::AttemptId>) -> Markup {
    let numbers: Vec<usize> = case.attempts.iter().filter(|attempt| wanted.contains(&attempt.id)).map(|attempt| case.number(attempt)).collect();
    let link = |number: usize| html! { a href=(format!("#a{number}")) { "#" (number) } };
    match numbers.as_slice() {
        [first, .., last] if numbers.len() > MOST_LINKS => html! { (link(*first)) " to " (link(*last)) " (" (numbers.len()) ")" },
        _ => html! { @for number in numbers { (link(number)) " " } },
    }
}

/// More attempts than these are named by the first and the last.
const MOST_LINKS: usize = 8;

fn reasons_against(case: &Case<'_>, finding: &Finding, heading: impl Fn(&str) -> String) -> Markup {
    let tried: Vec<_> = case.proof.excluded.iter().filter(|excluded| is_about(excluded, finding)).collect();
    html! {
        @if let Some(counter) = &finding.counter {
            h3 { (heading("Unless")) }
            p { (render::unless(counter)) }
        }
        @if !tried.is_empty() {
            h3 { (heading("Tried and not held")) }
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
        let cited = case.evidence(finding);
        let candidates: Vec<&Attempt> = cited.iter().copied().chain(case.attempts.iter().copied()).filter(has_bytes).collect();
        let blamed = distinct(candidates.iter().copied().filter(|attempt| case.is_blamed(finding, attempt)));
        let same_address = |attempt: &&Attempt| blamed.first().is_none_or(|first| first.address == attempt.address);
        let passing = || candidates.iter().copied().filter(|attempt| case.is_spared(finding, attempt));
        let mut passed = distinct(passing().filter(same_address));
        if passed.is_empty() {
            passed = distinct(passing());
        }
        for attempt in blamed.into_iter().chain(passed) {
            if !chosen.iter().any(|known| known.id == attempt.id) {
                chosen.push(attempt);
            }
        }
    }
    html! {
        @if case.faults().next().is_none() { p.dim { "Nothing was found, so no attempt is shown; the JSON beside this page has all bytes." } }
        @else if chosen.is_empty() { p.dim { "No bytes are kept of the attempts that the findings rest on." } }
        @else { p.dim { "Of each finding, attempts that it blames and, at the same address where there are some, attempts that pass; the JSON beside this page has all bytes." } }
        @for attempt in chosen { (with_packets(case, attempt)) }
    }
}

/// Returns the first attempts, each once.
fn distinct<'a>(attempts: impl Iterator<Item = &'a Attempt>) -> Vec<&'a Attempt> {
    let mut found: Vec<&Attempt> = Vec::new();
    for attempt in attempts {
        if found.len() < WITH_PACKETS / 2 && !found.iter().any(|known| known.id == attempt.id) {
            found.push(attempt);
        }
    }
    found
}

fn with_packets(case: &Case<'_>, attempt: &Attempt) -> Markup {
    let Some(tls) = &attempt.facts.tls else { return html! {} };
    let sent: usize = tls.transcript.iter().filter(|entry| entry.direction == Direction::Sent).map(|entry| entry.bytes.0.len()).sum();
    html! {
        h3 { a href=(format!("#a{}", case.number(attempt))) { "#" (case.number(attempt)) } " " (facts::line(attempt, case.outcome(attempt))) }
        @for packet in packets::of(&tls.transcript) {
            p { (format!("{:.2} ms", packet.at_ms)) " " b { @if packet.sent { "→ sent" } @else { "← received" } } " " (packet.bytes) " bytes: " (packet.holds) @if packet.cut { span.dim { " (the first 512 are shown)" } } }
            pre.dump { (packet.dump) }
        }
        p { (format!("{:.2} ms", tls.end_us as f64 / 1_000.0)) " after the ClientHello it ended: " b { (facts::judged(case.outcome(attempt))) } ". " (sent) " bytes sent, " (tls.bytes_read) " received." }
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
            h3 {
                @if chain.alike > 0 { (chain.alike + 1) " chains by " (chain.certificates.first().map(|leaf| leaf.issuer.as_str()).unwrap_or_default()) ", each another; one of them, sent to " }
                @else { "Sent to " }
                (chain.seen_by.join("; "))
            }
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
        let outcome = case.outcome(attempt);
        let class = if outcome.is_ok() {
            ""
        } else if outcome.is_failure() {
            "bad"
        } else {
            "dim"
        };
        html! { tr id=(format!("a{}", case.number(attempt))) {
            td.whole { "#" (case.number(attempt)) }
            td.whole { (facts::clock(attempt)) }
            td { (attempt.vantage) @if let Some(address) = address { " → " (address) } }
            td.tried { (attempt.profile) " " (attempt.experiment) }
            td.outcome { span class=(class) { (facts::judged(outcome)) } " " span.dim { (format!("{:.1} ms", attempt.elapsed_us as f64 / 1_000.0)) } }
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
