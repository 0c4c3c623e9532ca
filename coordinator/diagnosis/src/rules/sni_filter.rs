use parallax_model::{
    assignment::Experiment,
    facts::{Reply, StepEnd},
    outcome::Outcome,
    verdict::{Cause, Location, Tier},
};

use super::{
    Board, Hypothesis, every_scheme,
    throttling::{is_late, trickles},
};
use crate::{
    bench::{Names, name_at_responder, names, split_in_name, tally},
    cell::{Layer, Look, Silence, State, agreed, family},
    contrast::{BEYOND_CHANCE, fisher, tier_beside},
    draft::Draft,
    explain::{COUNT, WHERE, WHO, count, fate, seats as named, whereabouts},
    route::{self, Answerer, Author},
    scene::Scene,
    suspicion::{Shape, Suspicion},
    testimony::{self, Fate},
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::PathSniFilter,
    requires: "the wanted name fails every time while another name, or none, passes at the same address; and other groups pass with the wanted name, or an artefact places the author before the server",
    excluded_by: "a reply from as far away as the server, a walk with the wanted name that reaches the server, an author where the ways of all networks have met, an address that is nearer as a whole, or the wanted name refused by the server everywhere",
    counter: Cause::PolicySourceBlocked,
    next: "measure the arrival TTL of the reply and walk with the wanted name (--deep), or look with a second address behind the same path",
    concerns: every_scheme,
    test,
};

/// What shows that somebody before the server minds the name.
#[derive(Default)]
struct Artefacts<'a> {
    evidence: Vec<(&'static str, String, Vec<Look<'a>>)>,
    location: Option<Location>,
    /// The author stands where the server's own edge may stand.
    at_the_edge: bool,
    /// The author is the server itself.
    is_server: bool,
}

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let &[seat] = seats else { return None };
    if suspicion.layer != Layer::Tls {
        return None;
    }
    let names = names(suspicion.scene, seat, suspicion.place);
    judge(suspicion, seat, &names)
}

fn judge(suspicion: &Suspicion<'_, '_>, seat: usize, names: &Names<'_>) -> Option<Draft> {
    let (scene, place) = (suspicion.scene, suspicion.place);
    if names.do_not_matter() || !is_about_the_name(suspicion, seat, names) {
        return None;
    }
    let artefacts = artefacts(suspicion, seat, names);
    let decides = names.wanted.never(1) && names.control.always(1) && names.wanted.failed.len() + names.control.passed.len() >= 3;
    let name_alone = decides || artefacts.evidence.iter().any(|(rule, ..)| matches!(*rule, "split-name" | "name-at-responder"));
    let slow = names.wanted.failed.iter().all(|look| look.reach == Outcome::TlsTimeout) && trickles(scene, seat, place);
    if !name_alone || slow || artefacts.is_server || artefacts.at_the_edge {
        return None;
    }
    // A server's own firewall may read single packets just as well: a split name alone places nothing.
    let settled = artefacts.evidence.iter().any(|(rule, ..)| !SETTLES_NOTHING.contains(rule));
    if !settled && names.control.passed.iter().any(|look| is_late(look, &elsewhere(suspicion))) {
        return None;
    }
    if !settled && route::is_at_another_site(scene, seat, place) {
        return None;
    }
    let tier = if settled { Tier::Confirmed } else { contrast(suspicion, seat, names)? };
    // What every group sees alike is the server's or its edge's, unless each has its own artefact.
    if !settled && suspicion.shape() != Shape::Some {
        return None;
    }
    let (_, outcome) = agreed(names.wanted.failed.iter().map(|look| look.reach)).or_else(|| suspicion.class(&[seat]))?;
    let host = &scene.round.check.target.host;
    let who = named(scene, &[seat]);
    let compared = format!(
        "from {who}, {host} failed in {} and another name or none passed in {} at {}",
        count(names.wanted.failed.len(), "attempt"),
        count(names.control.passed.len(), "attempt"),
        scene.places[place]
    );
    let mut draft = Draft::new(Cause::PathSniFilter, tier).blaming(&[seat]).by(outcome, Some("sni"));
    let mut rests_on = names.wanted.failed.clone();
    rests_on.extend(&names.control.passed);
    if !names.control.passed.is_empty() {
        draft.add("control-name", compared, &rests_on);
    }
    if suspicion.other_groups_passing() > 0 {
        let passing = elsewhere(suspicion);
        draft.add(
            "other-groups",
            format!("{host} passes at {WHERE} from {} ({})", named(scene, &suspicion.passing), count(suspicion.other_groups_passing(), "other group")),
            &passing,
        );
    }
    if !names.control_cut.is_empty() {
        draft.add(
            "remembers",
            format!(
                "after the wanted name, {} from {who} did not even connect, and later ones did: something remembers",
                count(names.control_cut.len(), "control")
            ),
            &names.control_cut,
        );
    }
    for (rule, text, looks) in artefacts.evidence {
        draft.add(rule, text, &looks);
    }
    draft.location = artefacts.location;
    let what = fate(outcome);
    let gist = format!("something on the path of {WHO}{} reacts to the name {host}: a connection that carries it {what}", whereabouts(draft.location.as_ref()));
    let draft = if settled { draft.unless(HYPOTHESIS.counter, NEXT_WHEN_SETTLED) } else { draft };
    Some(draft.in_words(gist))
}

/// What passing seats saw of the wanted name.
fn elsewhere<'a>(suspicion: &Suspicion<'_, 'a>) -> Vec<Look<'a>> {
    suspicion.passing.iter().flat_map(|seat| suspicion.looks(*seat)).copied().collect()
}

/// Where the ClientHello is acknowledged and the answer is what is lost, a control that is answered in few bytes shows no difference of names but one of sizes.
fn is_about_the_name(suspicion: &Suspicion<'_, '_>, seat: usize, names: &Names<'_>) -> bool {
    let cured = tally(suspicion.scene, seat, suspicion.place, Experiment::SmallMss);
    !answer_is_lost(suspicion, seat) || (cured.passed.is_empty() && names.control.passed.iter().any(|look| look.reach.is_ok()))
}

fn answer_is_lost(suspicion: &Suspicion<'_, '_>, seat: usize) -> bool {
    let silences: Vec<Silence> = suspicion.failures(&[seat]).iter().filter_map(Look::silence).collect();
    !silences.is_empty() && silences.iter().all(|silence| *silence != Silence::Unacknowledged)
}

/// What tells how the name is looked for, and not by whom; and a nearer answer, which another site of the same address gives too.
const SETTLES_NOTHING: [&str; 5] = ["split-name", "name-case", "name-prefixed", "name-dotted", "nearer-answer"];
const NEXT_WHEN_SETTLED: &str = "look with a second address behind the same path: what sits on the path cuts both";

fn contrast(suspicion: &Suspicion<'_, '_>, seat: usize, names: &Names<'_>) -> Option<Tier> {
    let passed = suspicion.passing.iter().flat_map(|seat| suspicion.looks(*seat)).filter(|look| look.passes(Layer::Tls)).count();
    let p = fisher(names.wanted.failed.len(), 0, 0, passed);
    let by_groups = tier_beside(suspicion.other_groups_passing());
    suspicion.tier(&[seat], false).or_else(|| by_groups.filter(|_| p <= BEYOND_CHANCE && suspicion.shape() == Shape::Some))
}

fn artefacts<'a>(suspicion: &Suspicion<'_, 'a>, seat: usize, names: &Names<'a>) -> Artefacts<'a> {
    let (scene, place) = (suspicion.scene, suspicion.place);
    let mut found = Artefacts::default();
    let split = split_in_name(scene, seat, place);
    // What all groups see alike may be cut in two for the server's own edge just as well.
    let reads_single_packets = names.wanted.never(3) && split.always(3) && !names.do_not_matter() && suspicion.passes_outside();
    found.look_at_the_way(suspicion, seat, reads_single_packets);
    if reads_single_packets {
        let text = format!("the same ClientHello cut in two inside the name passed in all {COUNT} from {WHO}: something reads single packets");
        found.evidence.push(("split-name", text, split.all()));
    }
    let at_responder = name_at_responder(scene, seat);
    if at_responder.never(2) {
        let text = format!("connections of {WHO} get through to the fleet's responder with its own name, and never with the wanted one ({COUNT})");
        found.evidence.push(("name-at-responder", text, at_responder.all()));
    }
    if names.wanted.never(2) && !found.evidence.is_empty() {
        found.evidence.extend(mutations(scene, seat, place, names));
    }
    found
}

/// What changed names show of how the name is looked for (M22); no proof of an author by itself.
fn mutations<'a>(scene: &Scene<'a>, seat: usize, place: usize, names: &Names<'_>) -> Vec<(&'static str, String, Vec<Look<'a>>)> {
    let Some((wanted, _)) = agreed(names.wanted.failed.iter().map(|look| look.reach)) else { return Vec::new() };
    let told = MUTATIONS.iter().filter_map(|(experiment, change, alike, unlike)| {
        let looks = tally(scene, seat, place, *experiment).all();
        let (first, rest) = looks.split_first()?;
        let is_alike = |look: &Look<'_>| family(look.reach) == wanted;
        let same = is_alike(first);
        if rest.iter().any(|look| is_alike(look) != same) {
            return None;
        }
        let text = if same { format!("{change} failed as well: {alike}") } else { format!("{change} passed: {unlike}") };
        Some((experiment.as_str(), text, looks))
    });
    told.collect()
}

/// An experiment, what it changes, and what it means when that fails like the wanted name, or does not.
const MUTATIONS: [(Experiment, &str, &str, &str); 3] = [
    (Experiment::NameCase, "the same letters in another case", "the case does not matter", "something compares the letters as they are"),
    (
        Experiment::NamePrefixed,
        "the name with a letter before it",
        "something looks for the name anywhere in the ClientHello",
        "something compares whole labels",
    ),
    (Experiment::NameDotted, "the name with a dot at its end", "what follows the name does not matter", "something compares the name to its end"),
];

impl<'a> Artefacts<'a> {
    /// Reads arrival TTLs and walks; where the server acknowledges the wanted name and something reads single packets, the answer is lost on its way back.
    fn look_at_the_way(&mut self, suspicion: &Suspicion<'_, 'a>, seat: usize, reads_single_packets: bool) {
        let (scene, place) = (suspicion.scene, suspicion.place);
        // Where everybody outside fails, whoever stands within two hops of the server is its own edge.
        let edge = if suspicion.passes_outside() { 1 } else { 2 };
        // Where nobody passes, a nearer answer may be the server's own front, met on another way.
        let proxied = if let (Answerer::Proxy(text, looks), Shape::Some) = (route::answerer(scene, seat, place), suspicion.shape()) {
            self.evidence.push(("nearer-answer", text, looks));
            self.is_server = route::proxy_passes_the_name(scene, seat, place);
            true
        } else {
            false
        };
        match route::author(scene, seat, place, &[Reply::Reset, Reply::Close, Reply::Alert]) {
            Some(Author::Nearer { reply, server, .. })
                if server.hops() - reply.hops() <= edge || route::is_on_common_ground(scene, seat, place, reply.hops() + 1) =>
            {
                self.at_the_edge = true;
            }
            Some(Author::Nearer { reply, server, look }) => {
                let (hop, nearer) = (reply.hops() + 1, server.hops() - reply.hops());
                let text = format!(
                    "the reply reached {WHO} with TTL {} and {} with {}: it was sent from about {nearer} hops nearer",
                    reply.most,
                    route::what_bears(server, &look),
                    server.least
                );
                self.location = Some(route::location(scene, seat, place, hop.saturating_sub(1), hop));
                self.evidence.push(("reply-ttl", text, vec![look]));
            }
            // Where everybody outside fails, the injector may stand at the server's own edge.
            Some(Author::Injector { .. }) if !suspicion.passes_outside() => {}
            Some(Author::Injector { look }) => {
                let text = format!("with packets of the reply's TTL filtered out, the handshake of {WHO} went on: somebody else had sent it");
                self.evidence.push(("reply-ttl", text, vec![look]));
            }
            Some(Author::AsFarAsServer { .. }) => self.is_server |= !proxied,
            Some(Author::Witnessed { by_server, testimony }) => {
                self.is_server = by_server;
                if !by_server {
                    self.evidence.push((testimony.rule, testimony.text, testimony.looks));
                }
            }
            None => self.is_server |= testimony::of(scene, seat, place).is_some_and(|testimony| testimony.fate == Fate::Mute),
        }
        let cleared = self.evidence.iter().any(|(rule, ..)| *rule == "witness") || (reads_single_packets && answer_is_lost(suspicion, seat));
        if let Some(ending) = route::ending(scene, seat, place).filter(|ending| ending.server - ending.hop >= edge) {
            self.at_the_edge |= route::is_on_common_ground(scene, seat, place, ending.heard);
            let came = match ending.end {
                StepEnd::Silent => "nothing came".to_owned(),
                StepEnd::Closed => "a close came".to_owned(),
                StepEnd::Alert(number) => format!("alert {number} came"),
                _ => "a reset came".to_owned(),
            };
            let text = format!("with the wanted name and a hop limit of {}, {came} to {WHO}, and the server is {} hops away", ending.hop, ending.server);
            self.location = Some(ending.location(scene, seat, place));
            self.evidence.push(("hello-walk", text, ending.looks));
        } else if !proxied && !cleared && route::hello_reaches_server(scene, seat, place) {
            self.is_server = true;
        }
    }
}

/// A filter that remembers cuts the source off for a while after the wanted name: then most attempts do not even connect, controls too, and only on connections that came
/// about does the name show.
pub(super) fn run_remembering(board: &mut Board<'_, '_>) {
    for place in 0..board.scene.places.len() {
        for profile in board.scene.profiles_by_need().into_iter().filter(|profile| board.scene.is_required(*profile)) {
            for seat in 0..board.scene.seats.len() {
                let at_tcp = board.scene.state(seat, place, profile, Layer::Tcp);
                if !matches!(at_tcp, State::Mixed | State::Fail) || board.is_explained(seat, place, profile) || !board.scene.is_scored(seat, place) {
                    continue;
                }
                let names = names(board.scene, seat, place);
                if !names.wanted.never(1) || !names.control.always(2) || board.is_throttled(seat, place) {
                    continue;
                }
                let mut suspicion = board.suspicion(place, profile, Layer::Tls);
                for list in [&mut suspicion.thin, &mut suspicion.mixed] {
                    list.retain(|other| *other != seat);
                }
                if !suspicion.failing.contains(&seat) {
                    suspicion.failing.push(seat);
                }
                if let Some(draft) = judge_remembering(&suspicion, seat, &names) {
                    board.claim(draft, &suspicion);
                    board.mark_all(seat, place);
                }
            }
        }
    }
}

fn judge_remembering(suspicion: &Suspicion<'_, '_>, seat: usize, names: &Names<'_>) -> Option<Draft> {
    let (scene, place) = (suspicion.scene, suspicion.place);
    let slow = scene.bench(seat, Experiment::Slow, place).any(|look| look.reach.is_ok());
    let cut = scene.looks_of(seat, place).filter(|look| matches!(look.reach, Outcome::TcpTimeout | Outcome::TcpRefused | Outcome::TcpReset)).count();
    if slow || cut == 0 || suspicion.other_groups_passing() < 2 {
        return None;
    }
    judge(suspicion, seat, names)
        .map(|draft| draft.unless(Cause::PolicyBanned, "try the control name after a longer pause: a ban holds, a filter that remembers forgets"))
}
