use std::collections::{BTreeMap, BTreeSet};

use parallax_model::{
    bytes::Bytes,
    verdict::{Cause, Tier},
};

use super::Served;
use crate::{cell::Look, draft::Draft, scene::Scene};

/// Two addresses of the name have no key in common with one and the same profile.
pub(super) fn test(scene: &Scene<'_>, served: &[Served<'_, '_>]) -> Option<Draft> {
    (0..scene.profiles.len()).find_map(|profile| {
        let mut keys: BTreeMap<usize, BTreeSet<&Bytes>> = BTreeMap::new();
        for one in served.iter().filter(|one| one.seen.iter().any(|(_, look)| look.profile == Some(profile))) {
            keys.entry(one.place).or_default().extend(one.chain().key());
        }
        let apart = |place: &usize| keys.iter().any(|(other, theirs)| other != place && theirs.is_disjoint(&keys[place]));
        let places: Vec<usize> = keys.keys().copied().filter(apart).collect();
        (!places.is_empty()).then(|| draft(scene, served, profile, &places))
    })
}

fn draft(scene: &Scene<'_>, served: &[Served<'_, '_>], profile: usize, places: &[usize]) -> Draft {
    let ours = || served.iter().filter(|one| places.contains(&one.place));
    let looks: Vec<Look<'_>> = ours().flat_map(Served::looks).collect();
    let mut draft = Draft::new(Cause::ServerCertificateDrift, Tier::Confirmed).with_profile(profile);
    draft.seats.extend(ours().flat_map(Served::seats));
    draft.places.extend(places);
    let text = format!("{} addresses of {} serve different certificates, each valid", places.len(), scene.round.check.target.host);
    draft.because("keys", text.clone(), &looks).unless(Cause::ServerCertificateRollout, "look again: a rollout ends with one key everywhere").in_words(text)
}
