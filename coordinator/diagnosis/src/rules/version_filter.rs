use parallax_model::{
    assignment::Experiment,
    outcome::Outcome,
    profile::Profile,
    verdict::{Cause, Tier},
};

use super::{Hypothesis, every_scheme, got_to_the_server, is_settled, mtu::is_about_the_answers_size};
use crate::{
    bench::tally,
    cell::{Layer, Look, State},
    draft::Draft,
    explain::{WHO, count, fate, seats as named},
    route::{self, Answerer},
    suspicion::{Shape, Suspicion},
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::PathVersionFilter,
    requires: "one protocol version or extension fails from some groups and passes from others, while another version passes from the failing ones",
    excluded_by: "the same failure with every version; a large or split ClientHello as the difference; a small MSS that cures it without cutting the ClientHello; a ClientHello that gets to the server; an address that is nearer as a whole; another version that is cut as well, only later; a box on the way that lets TLS 1.3 pass to a responder",
    counter: Cause::PathHelloSize,
    next: "send a large ClientHello without the extension, and a small one with TLS 1.3 alone (--deep)",
    concerns: every_scheme,
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let &[seat] = seats else { return None };
    if suspicion.layer != Layer::Tls || suspicion.shape() != Shape::Some || !is_settled(suspicion, seat) {
        return None;
    }
    if got_to_the_server(suspicion, seat) || route::is_at_another_site(suspicion.scene, seat, suspicion.place) {
        return None;
    }
    // A box that ends TCP and lets TLS 1.3 pass to a responder minds no version.
    let box_passes = || route::behind_the_same_box(suspicion.scene, seat, suspicion.place, Experiment::Responder).iter().any(|look| look.reach.is_ok());
    if matches!(route::answerer(suspicion.scene, seat, suspicion.place), Answerer::Proxy(..)) && box_passes() {
        return None;
    }
    if is_about_the_answers_size(suspicion, seat) {
        return None;
    }
    let (scene, place) = (suspicion.scene, suspicion.place);
    // What cuts other versions as well, only later, minds no version.
    let is_cut_later = |look: &Look<'_>| look.reach.is_ok() && matches!(look.outcome, Outcome::HttpClosed | Outcome::HttpTimeout);
    if scene.looks_of(seat, place).any(is_cut_later) {
        return None;
    }
    let own = scene.recipe(suspicion.profile)?;
    let other = passing_variant(suspicion, seat, own)?;
    let (_, outcome) = suspicion.class(seats)?;
    let tier = suspicion.tier(seats, false).map(|tier| tier.min(Tier::Likely))?;
    let who = named(scene, seats);
    let failures = suspicion.failures(seats);
    let name = scene.profiles[suspicion.profile];
    let draft = Draft::new(Cause::PathVersionFilter, tier)
        .blaming(seats)
        .by(outcome, Some("version"))
        .because(
            "variant",
            format!("{name} fails in all {} from {who}, and {} passes there ({})", count(failures.len(), "attempt"), other.0, count(other.1.len(), "attempt")),
            &failures,
        )
        .because("other-groups", format!("{name} passes at {} from {}", scene.places[place], named(scene, &suspicion.passing)), &other.1)
        .in_words(format!("something on the path of {WHO} fails on {name}: a connection {}", fate(outcome)));
    Some(draft)
}

/// Returns what passes from the seat and differs by version or extension alone.
fn passing_variant<'a>(suspicion: &Suspicion<'_, 'a>, seat: usize, own: &Profile) -> Option<(String, Vec<Look<'a>>)> {
    let (scene, place) = (suspicion.scene, suspicion.place);
    let differs =
        |other: &Profile| other.hello.versions != own.hello.versions && other.delivery == own.delivery && other.hello.server_name == own.hello.server_name;
    let large = tally(scene, seat, place, Experiment::LargeHello);
    if own.hello.exceeds_one_segment() {
        return large.always(1).then(|| ("a large ClientHello without the post-quantum share".to_owned(), large.all()));
    }
    let of_profile = (0..scene.profiles.len()).find(|profile| {
        let passes = scene.state(seat, place, *profile, Layer::Tls) == State::Pass;
        passes && scene.recipe(*profile).is_some_and(differs)
    });
    if let Some(profile) = of_profile {
        return Some((scene.profiles[profile].to_owned(), scene.cell(seat, place, profile).to_vec()));
    }
    let other_version = tally(scene, seat, place, Experiment::Tls13Only);
    (own.hello.versions.contains(&0x0303) && other_version.always(2)).then(|| ("TLS 1.3 alone".to_owned(), other_version.all()))
}
