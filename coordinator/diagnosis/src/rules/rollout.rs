use std::collections::{BTreeMap, BTreeSet};

use parallax_model::{
    bytes::Bytes,
    verdict::{Cause, Tier},
};

use super::Board;
use crate::{
    cell::Look,
    draft::Draft,
    explain::{WHERE, count, seats as named},
};

/// `server.certificate-rollout`: two valid keys at one address and profile, each seen by two groups or more; informational.
///
/// Excluded by a key for which no trusted authority vouches. Counter: `path.interception`; who sees which key separates the two.
pub(super) fn run(board: &mut Board<'_, '_>) {
    let scene = board.scene;
    for place in (0..scene.places.len()).filter(|place| !scene.ignored.contains(place) && scene.keys_at(*place).len() > 1) {
        for profile in 0..scene.profiles.len() {
            let mut by_key: BTreeMap<&Bytes, Vec<(usize, Look<'_>)>> = BTreeMap::new();
            for seat in (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place)) {
                for look in scene.cell(seat, place, profile) {
                    let valid = look.chain.filter(|at| look.reach.is_ok() && scene.chains[*at].judgement.faults.is_empty());
                    if let Some(key) = valid.and_then(|at| scene.chains[at].key()) {
                        by_key.entry(key).or_default().push((seat, *look));
                    }
                }
            }
            let groups_of = |looks: &[(usize, Look<'_>)]| scene.count_groups(&looks.iter().map(|(seat, _)| *seat).collect::<Vec<_>>());
            by_key.retain(|_, looks| groups_of(looks) > 1);
            if by_key.len() < 2 {
                continue;
            }
            let all: Vec<(usize, Look<'_>)> = by_key.values().flatten().copied().collect();
            let seats: BTreeSet<usize> = all.iter().map(|(seat, _)| *seat).collect();
            let seats: Vec<usize> = seats.into_iter().collect();
            let looks: Vec<Look<'_>> = all.iter().map(|(_, look)| *look).collect();
            let shares: Vec<String> = by_key.values().map(|looks| looks.len().to_string()).collect();
            let text = format!(
                "{} valid certificates are in use at {} ({} attempts each way): {} see them, in {}",
                by_key.len(),
                scene.places[place],
                shares.join(" and "),
                named(scene, &seats),
                count(scene.count_groups(&seats), "group")
            );
            let draft = Draft::new(Cause::ServerCertificateRollout, Tier::Confirmed)
                .blaming(&seats)
                .at(place)
                .with_profile(profile)
                .because("two-keys", text, &looks)
                .unless(Cause::PathInterception, "compare who sees which key over several rounds");
            board.drafts.push(draft.in_words(format!("two valid certificates are in use at {WHERE}")));
        }
    }
}
