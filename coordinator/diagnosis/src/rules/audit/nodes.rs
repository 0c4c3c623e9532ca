use std::{collections::BTreeSet, net::SocketAddr};

use parallax_model::{
    facts::{AuditFacts, Resumption},
    verdict::{Cause, Tier},
};

use crate::{
    cell::Look,
    draft::Draft,
    explain::{WHERE, groups, row, seats as named},
    rules::Board,
    scene::Scene,
};

/// `server.resumption-per-node`: an address resumes its own sessions, and another address of the target resumes none of them.
///
/// Only audits that reached both addresses offered a session there; two groups must have seen the same, and none the opposite. Nodes with different
/// certificates are not meant to know each other's sessions.
pub(super) fn run(board: &mut Board<'_, '_>, place: usize, audits: &[(usize, Look<'_>, &AuditFacts)]) {
    let scene = board.scene;
    let others: BTreeSet<SocketAddr> = audits.iter().flat_map(|(_, _, facts)| &facts.sessions.elsewhere).map(|seen| seen.address).collect();
    let mut refusing: Vec<(SocketAddr, Vec<usize>)> = Vec::new();
    for other in others {
        let offered = |facts: &AuditFacts| facts.sessions.elsewhere.iter().filter(|seen| seen.address == other).map(|seen| seen.resumption).collect::<Vec<_>>();
        let is_twin = scene.places.iter().position(|known| *known == other).is_some_and(|other| shown(scene, other) == shown(scene, place));
        if !is_twin || audits.iter().any(|(_, _, facts)| offered(facts).contains(&Resumption::Resumed)) {
            continue;
        }
        let seats: BTreeSet<usize> = audits.iter().filter(|(_, _, facts)| !offered(facts).is_empty()).map(|(seat, _, _)| *seat).collect();
        let seats: Vec<usize> = seats.into_iter().collect();
        if scene.count_groups(&seats) > 1 {
            refusing.push((other, seats));
        }
    }
    let Some((_, seats)) = refusing.first() else { return };
    let looks: Vec<Look<'_>> = audits.iter().filter(|(seat, _, _)| seats.contains(seat)).map(|(_, look, _)| *look).collect();
    let names: Vec<String> = refusing.iter().map(|(other, _)| other.to_string()).collect();
    let what = format!("resumes its own sessions, and {} resumes none of them", row(&names.iter().map(String::as_str).collect::<Vec<_>>()));
    let seen_by = scene.count_groups(seats);
    let text = format!("the server at {} {what}: the audits of {} in {} agree", scene.places[place], named(scene, seats), groups(seen_by, seen_by));
    let draft = Draft::new(Cause::ServerResumptionPerNode, Tier::Likely).blaming(seats).at(place).because("audit", text, &looks);
    let next = "resume at the other node by hand (openssl s_client -sess_out, then -sess_in with the other address)";
    board.drafts.push(draft.unless(Cause::ServerCertificateDrift, next).in_words(format!("the server at {WHERE} {what}")));
}

/// Returns the chains that handshakes were shown at a place.
fn shown(scene: &Scene<'_>, place: usize) -> BTreeSet<usize> {
    scene.looks_at(place).filter_map(|look| look.chain).collect()
}
