//! What is no fault and worth knowing: each hint rests on a chain that the server proved to hold, and leaves the round healthy.

mod client_certificate;
mod clock;
mod drift;
mod expiring;
mod hsts;
mod lifetime;
mod oversized;
mod surplus;

use std::collections::BTreeSet;

use parallax_model::verdict::{Cause, Tier};

use super::Board;
use crate::{
    arrival::Chain,
    cell::Look,
    certificate::{Judgement, LeafFacts},
    draft::Draft,
    scene::Scene,
};

/// A faultless chain of a trusted authority that the server proved to hold at one place, and who saw it.
struct Served<'s, 'a> {
    scene: &'s Scene<'a>,
    place: usize,
    chain: usize,
    seen: Vec<(usize, Look<'a>)>,
}

/// What is worth knowing about one chain.
struct Hint {
    cause: Cause,
    rule: &'static str,
    text: String,
    counter: Cause,
    next: &'static str,
}

/// `server.certificate-expiring`, `server.certificate-lifetime`, `server.chain-surplus`, `server.chain-oversized`, `server.client-certificate-optional`,
/// `server.clock`, `server.hsts`, `server.certificate-drift`.
pub(super) fn run(board: &mut Board<'_, '_>) {
    let scene = board.scene;
    let served = served(scene);
    for one in &served {
        let hints = [
            expiring::test(one),
            lifetime::test(one),
            surplus::test(one),
            oversized::test(one),
            client_certificate::test(one),
            clock::test(one),
            hsts::test(one),
        ];
        board.drafts.extend(hints.into_iter().flatten().map(|hint| one.draft(hint)));
    }
    board.drafts.extend(drift::test(scene, &served));
}

/// Collects the chains by place.
fn served<'s, 'a>(scene: &'s Scene<'a>) -> Vec<Served<'s, 'a>> {
    let mut served: Vec<Served<'s, 'a>> = Vec::new();
    for place in (0..scene.places.len()).filter(|place| !scene.ignored.contains(place)) {
        for seat in (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place)) {
            for look in scene.looks_of(seat, place).filter(|look| look.reach.is_ok() && look.authenticated) {
                let sound = |at: &usize| scene.chains[*at].judgement.anchored && scene.chains[*at].judgement.faults.is_empty();
                let Some(chain) = look.chain.filter(sound) else { continue };
                match served.iter_mut().find(|known| known.place == place && known.chain == chain) {
                    Some(known) => known.seen.push((seat, *look)),
                    None => served.push(Served { scene, place, chain, seen: vec![(seat, *look)] }),
                }
            }
        }
    }
    served
}

impl<'a> Served<'_, 'a> {
    fn chain(&self) -> &Chain<'a> {
        &self.scene.chains[self.chain]
    }

    fn judgement(&self) -> &Judgement {
        &self.chain().judgement
    }

    fn leaf(&self) -> Option<&LeafFacts> {
        self.judgement().leaf.as_ref()
    }

    fn seats(&self) -> Vec<usize> {
        self.seen.iter().map(|(seat, _)| *seat).collect::<BTreeSet<usize>>().into_iter().collect()
    }

    fn looks(&self) -> Vec<Look<'a>> {
        self.seen.iter().map(|(_, look)| *look).collect()
    }

    fn draft(&self, hint: Hint) -> Draft {
        let mut draft = Draft::new(hint.cause, Tier::Confirmed).blaming(&self.seats()).at(self.place);
        draft.profiles.extend(self.seen.iter().filter_map(|(_, look)| look.profile));
        draft.because(hint.rule, hint.text.clone(), &self.looks()).unless(hint.counter, hint.next).in_words(hint.text)
    }
}
