use parallax_model::{outcome::Outcome, verdict::Cause};

use super::{Hypothesis, every_scheme};
use crate::{
    bench::{names, split_in_name},
    cell::{Layer, Look},
    draft::Draft,
    explain::{WHERE, WHICH, count, fate, groups, seats as named},
    route,
    suspicion::Suspicion,
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::ServerSniRejected,
    requires: "every group gets alert 112, or is refused for the wanted name alone; an inside vantage, if there is one, sees the same",
    excluded_by: "a group that passes with the wanted name; the name cut in two that passes, where nobody inside is refused",
    counter: Cause::EdgeFilter,
    next: "look from a vantage on the server's own segment (role=inside)",
    concerns: every_scheme,
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    if suspicion.layer != Layer::Tls {
        return None;
    }
    let (scene, place) = (suspicion.scene, suspicion.place);
    let (family, outcome) = suspicion.class(seats)?;
    let inside_agrees = seats.iter().any(|seat| scene.seats[*seat].inside);
    let may_fit = match family {
        Outcome::TlsAlert(_) | Outcome::TlsReset => true,
        Outcome::TlsTimeout => inside_agrees,
        _ => false,
    };
    if !may_fit {
        return None;
    }
    let compared: Vec<(usize, bool)> = seats
        .iter()
        .map(|seat| (*seat, names(scene, *seat, place)))
        .filter(|(_, names)| !names.control.all().is_empty())
        .map(|(seat, names)| (seat, names.decide()))
        .collect();
    let with_contrast: Vec<usize> = compared.iter().filter(|(_, decide)| *decide).map(|(seat, _)| *seat).collect();
    let name_alone = compared.len() >= 2 && with_contrast.len() == compared.len() && scene.count_groups(&with_contrast) >= 2;
    let fits = name_alone || family == Outcome::TlsAlert(112);
    if !fits || seats.iter().any(|seat| route::is_by_somebody_nearer(scene, *seat, place)) {
        return None;
    }
    // A server puts a stream together before it reads a name: what minds the name in one packet alone may stand anywhere before it.
    let reads_single_packets = |seat: &usize| split_in_name(scene, *seat, place).always(2);
    if !inside_agrees && seats.iter().all(reads_single_packets) {
        return None;
    }
    let failures = suspicion.failures(seats);
    let act = failures.iter().all(Look::alert_is_encrypted);
    let tier = suspicion.server_tier(seats, act)?;
    let host = &scene.round.check.target.host;
    let nameless = scene.recipe(suspicion.profile).is_some_and(|profile| !profile.hello.server_name);
    let what = if nameless { "a ClientHello without a name".to_owned() } else { host.to_string() };
    let text = format!(
        "{what} is refused at {} in {} ({}, {}): a connection {}",
        scene.places[place],
        groups(scene.count_groups(seats), suspicion.groups_judged()),
        named(scene, seats),
        count(failures.len(), "attempt"),
        fate(outcome)
    );
    let mut draft = Draft::new(Cause::ServerSniRejected, tier).blaming(seats).by(outcome, Some("sni")).because("groups", text, &failures);
    if name_alone {
        let controls: Vec<Look<'_>> = with_contrast.iter().flat_map(|seat| names(scene, *seat, place).control.all()).collect();
        draft.add("control-name", format!("another name, or none, passes at the same address from {}", named(scene, &with_contrast)), &controls);
    }
    let refused = if nameless { format!("{what}, such as that of {WHICH}") } else { format!("the name {host}") };
    Some(draft.in_words(format!("the server at {WHERE} refuses {refused}, from everywhere: a connection {}", fate(outcome))))
}
