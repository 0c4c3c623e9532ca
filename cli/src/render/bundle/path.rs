//! The way from a blamed vantage to the server, with the routers that answered and the place of the fault.

use std::net::IpAddr;

use maud::{Markup, html};
use parallax_model::{
    attempt::Attempt,
    facts::{StepEnd, WalkPayload},
    verdict::{Finding, Locus},
};

use super::{Case, timeline::px};

/// Draws the way of a finding's first vantage to its first address; none when there is no address.
pub(super) fn draw(case: &Case<'_>, finding: &Finding) -> Option<Markup> {
    let (vantage, address) = (finding.scope.vantages.first()?, finding.scope.addresses.first()?);
    let walks = |syn: bool| {
        let of_kind = move |attempt: &&Attempt| attempt.facts.walk.as_ref().is_some_and(|walk| (walk.payload == WalkPayload::Syn) == syn);
        let mine = case.attempts.iter().copied().filter(|attempt| attempt.vantage.as_str() == vantage);
        mine.filter(|attempt| attempt.address.is_some_and(|at| at.to_string() == *address)).filter(of_kind).collect::<Vec<_>>()
    };
    let (by_syn, by_hello) = (walks(true), walks(false));
    let steps: Vec<(u8, StepEnd)> = by_syn
        .iter()
        .chain(&by_hello)
        .filter_map(|attempt| attempt.facts.walk.as_ref())
        .flat_map(|walk| walk.steps.iter().map(|step| (step.hop_limit, step.end)))
        .collect();
    let router = |hop: u8| {
        steps.iter().filter(|step| step.0 == hop).find_map(|step| match step.1 {
            StepEnd::Expired(Some(router)) | StepEnd::Prohibited(Some(router)) => Some(router),
            _ => None,
        })
    };
    let syn_answered = by_syn.iter().filter_map(|attempt| attempt.facts.walk.as_ref()).flat_map(|walk| &walk.steps).find(|step| step.end == StepEnd::Answered);
    let by_ttl = || {
        case.attempts
            .iter()
            .filter(|attempt| attempt.vantage.as_str() == vantage)
            .find_map(|attempt| attempt.facts.reply_ttl.as_ref()?.syn_ack)
            .map(|ttl| ttl.hops() + 1)
    };
    let farthest = steps.iter().map(|step| step.0).max();
    let server = syn_answered.map(|step| step.hop_limit).or_else(by_ttl);
    let last = server.or_else(|| farthest.map(|hop| hop + 1)).unwrap_or(1).clamp(1, 40);
    let location = finding.location.as_ref();
    let is_fault = |hop: u8| location.is_some_and(|at| (at.first_hop..=at.last_hop).contains(&hop));
    let at_server = location.is_none() && matches!(finding.locus, Locus::Server | Locus::Edge);
    let unknown = location.is_none() && !at_server;
    let rows = f64::from(last) + 1.0;
    let remark_at = |hop: u8| match location {
        Some(at) if is_fault(hop) && at.first_hop < at.last_hop => "◀ the fault lies at or between these",
        _ if is_fault(hop) => "◀ the fault lies here",
        _ => "",
    };
    let unnamed = if by_syn.is_empty() { "not asked" } else { "no answer" };
    Some(html! {
        svg viewBox=(format!("0 0 620 {}", rows * 34.0 + 8.0)) width="620" role="img" aria-label=(format!("path from {vantage} to {address}")) {
            line.wire x1="24" x2="24" y1="20" y2=(px(rows * 34.0 - 14.0)) {}
            (row(0, vantage, "the vantage", false))
            @for hop in 1..last { (row(hop, &hop_name(hop, router(hop), unnamed), remark_at(hop), is_fault(hop))) }
            @let remark = if at_server { "◀ the fault lies here" } else if server.is_none() { "the server (its distance was not measured)" } else { "the server" };
            (row(last, address, remark, at_server || is_fault(last)))
        }
        @if steps.is_empty() { p.dim { "The routers on the way were not asked for their addresses." } }
        @if unknown { p.dim { "Where on the path it lies was not measured." } }
    })
}

fn hop_name(hop: u8, router: Option<IpAddr>, unnamed: &str) -> String {
    router.map_or_else(|| format!("hop {hop}: {unnamed}"), |router| format!("hop {hop}: {router}"))
}

fn row(at: u8, name: &str, remark: &str, fault: bool) -> Markup {
    let y = f64::from(at) * 34.0 + 20.0;
    html! {
        circle class=(if fault { "fault" } else { "node" }) cx="24" cy=(px(y)) r="9" stroke-width="2" {}
        @if fault { text.faulttext x="24" y=(px(y + 4.0)) text-anchor="middle" { "×" } }
        text x="46" y=(px(y + 4.0)) { (name) }
        text class=(if fault { "faulttext" } else { "dim" }) x="360" y=(px(y + 4.0)) { (remark) }
    }
}
