//! How far ClientHellos get towards a place.

use parallax_model::{
    assignment::Experiment,
    facts::{StepEnd, WalkStep},
    verdict::Location,
};

use super::{
    author::somebodys_ttl,
    distance::distance,
    location::{is_at_the_edge, location_after},
    walk::{answered_at, fills_segment, last_heard, walks},
};
use crate::{bounds::bounds, cell::Look, scene::Scene};

/// Where the walk with the wanted name ends and the control's goes on.
#[derive(Debug, Clone)]
pub(crate) struct Ending<'a> {
    /// The first hop limit at which the wanted name no longer got what the control got.
    pub(crate) hop: u8,
    /// What came there.
    pub(crate) end: StepEnd,
    /// The hop limit at which the control (or the SYN) was answered.
    pub(crate) server: u8,
    /// Whether the control's ClientHello went on from that hop.
    pub(crate) control_goes_on: bool,
    pub(crate) looks: Vec<Look<'a>>,
    /// The last hop limit at which a router answered the wanted name.
    pub(crate) heard: u8,
    /// The first and last hop at which that is made.
    between: (u8, u8),
}

impl Ending<'_> {
    /// Makes a location of it.
    pub(crate) fn location(&self, scene: &Scene<'_>, seat: usize, place: usize) -> Location {
        location_after(scene, seat, place, self.between, self.heard)
    }

    /// Tells whether somebody answered who cannot be the server, whatever TTL the answer bears: that ClientHello never got as far, and the control's went on.
    pub(super) fn speaks_early(&self) -> bool {
        self.end != StepEnd::Silent && self.control_goes_on && !is_at_the_edge(self.hop, self.server)
    }
}

/// Returns where a walk with the wanted name ends before the server, if it does.
pub(crate) fn ending<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Ending<'a>> {
    ending_of(scene, seat, place, |look| !fills_segment(scene, look))
}

/// Returns where a walk with hellos of a full segment ends before the server, if it does, while small ones get there.
pub(crate) fn size_ending<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Ending<'a>> {
    ending_of(scene, seat, place, |look| fills_segment(scene, look))
}

/// A reset, close or alert below the server's distance is proof by itself where other hellos live on or die silently; a silence counts where the control's walk goes on.
fn ending_of<'a>(scene: &Scene<'a>, seat: usize, place: usize, counts: impl Fn(&Look<'a>) -> bool) -> Option<Ending<'a>> {
    let control = walks(scene, seat, place, Experiment::ControlWalk).find_map(|(look, walk)| Some((look, walk, answered_at(walk)?)));
    let server = control.as_ref().map(|(.., hop)| *hop).or_else(|| distance(scene, seat, place))?;
    for (look, walk) in walks(scene, seat, place, Experiment::HelloWalk).filter(|(look, _)| counts(look)) {
        let spoken = walk.steps.iter().find(|step| step.hop_limit < server && matches!(step.end, StepEnd::Reset | StepEnd::Closed | StepEnd::Alert(_)));
        let goes_on_at = |hop: u8| {
            let is_passed = |other: &WalkStep| other.hop_limit == hop && matches!(other.end, StepEnd::Expired(_));
            control.as_ref().is_some_and(|(_, walk, _)| walk.steps.iter().any(is_passed))
        };
        // Who ends connections as soon as they come about answers no hello, however short it lives.
        let minds_the_hello = |step: &WalkStep| goes_on_at(step.hop_limit) || (1..step.hop_limit).contains(&last_heard(walk));
        if let Some(step) = spoken.filter(|step| minds_the_hello(step)) {
            let looks = [Some(look), control.as_ref().map(|(look, ..)| *look)].into_iter().flatten().collect();
            let between = bounds(walk, step.hop_limit, somebodys_ttl(scene, seat, place));
            let control_goes_on = goes_on_at(step.hop_limit);
            return Some(Ending { hop: step.hop_limit, end: step.end, server, control_goes_on, looks, heard: last_heard(walk), between });
        }
        let Some((control_look, control_walk, _)) = &control else { continue };
        let silent_from = last_heard(walk) + 1;
        let control_goes_on = control_walk
            .steps
            .iter()
            .filter(|step| step.hop_limit >= silent_from && step.hop_limit < server)
            .all(|step| matches!(step.end, StepEnd::Expired(_)));
        let mute = walk.steps.iter().filter(|step| step.hop_limit >= silent_from).all(|step| matches!(step.end, StepEnd::Silent | StepEnd::NotConnected));
        let tried = walk.steps.iter().any(|step| step.hop_limit == silent_from && step.end == StepEnd::Silent);
        if silent_from < server && mute && tried && control_goes_on {
            let between = bounds(walk, silent_from, somebodys_ttl(scene, seat, place));
            return Some(Ending {
                hop: silent_from,
                end: StepEnd::Silent,
                server,
                control_goes_on,
                looks: vec![look, *control_look],
                heard: silent_from - 1,
                between,
            });
        }
    }
    None
}

/// Tells whether the walk with the wanted name heard every router up to the one before the server, which may be mute: then nothing on the way minds the name.
pub(crate) fn hello_reaches_server(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let Some(server) = distance(scene, seat, place).filter(|server| *server > 1) else { return false };
    let is_mute = |hop: u8| walks(scene, seat, place, Experiment::ControlWalk).any(|(_, walk)| answered_at(walk) == Some(server) && last_heard(walk) < hop);
    walks(scene, seat, place, Experiment::HelloWalk).any(|(_, walk)| {
        let heard = last_heard(walk);
        heard + 1 >= server || (heard > 0 && heard + 2 == server && is_mute(heard + 1))
    })
}

/// Tells whether a walk with hellos of a full segment heard every router up to the one before the server: then nothing on the way minds their size.
pub(crate) fn full_hello_reaches_server(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let Some(server) = distance(scene, seat, place).filter(|server| *server > 1) else { return false };
    walks(scene, seat, place, Experiment::HelloWalk).any(|(look, walk)| fills_segment(scene, &look) && last_heard(walk) + 1 >= server)
}

/// Where every ClientHello stops although SYNs go on.
#[derive(Debug, Clone)]
pub(crate) struct Stop<'a> {
    /// The first hop limit at which no router was heard: nothing was, or what ends the connection.
    pub(crate) hop: u8,
    /// How far away the server answers SYNs.
    pub(crate) server: u8,
    pub(crate) looks: Vec<Look<'a>>,
}

/// Returns where ClientHellos on established connections fall silent before the server, while the SYN walk hears routers beyond.
pub(crate) fn payload_stop<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Stop<'a>> {
    let (syn_look, syn_walk, server) = walks(scene, seat, place, Experiment::SynWalk).find_map(|(look, walk)| Some((look, walk, answered_at(walk)?)))?;
    let hellos = [Experiment::HelloWalk, Experiment::ControlWalk].into_iter().flat_map(|experiment| walks(scene, seat, place, experiment));
    let hellos = hellos.filter(|(look, _)| look.attempt.experiment == Experiment::ControlWalk || !fills_segment(scene, look));
    // Who is told not to send (a window of 0) is heard by nobody.
    let stops = hellos.filter(|(_, walk)| answered_at(walk).is_none() && last_heard(walk) > 0);
    let stops = stops.filter(|(_, walk)| walk.steps.iter().any(|step| step.end == StepEnd::Silent && step.hop_limit == last_heard(walk) + 1));
    let (look, walk) = stops.into_iter().next()?;
    let hop = last_heard(walk) + 1;
    let goes_on = syn_walk.steps.iter().any(|step| step.hop_limit >= hop && matches!(step.end, StepEnd::Expired(_)));
    (hop < server && goes_on).then(|| Stop { hop, server, looks: vec![look, syn_look] })
}

/// Returns where ClientHellos are reset or answered with an alert, whatever their name, before they got as far as SYNs do: whoever does that is not the server, whatever TTL
/// the answer bears.
pub(crate) fn ended_early<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Stop<'a>> {
    let (syn_look, syn_walk, server) = walks(scene, seat, place, Experiment::SynWalk).find_map(|(look, walk)| Some((look, walk, answered_at(walk)?)))?;
    let ended_at = |experiment: Experiment| {
        let small = walks(scene, seat, place, experiment).filter(|(look, _)| !fills_segment(scene, look));
        small.into_iter().find_map(|(look, walk)| {
            let step = walk.steps.iter().find(|step| matches!(step.end, StepEnd::Reset | StepEnd::Alert(_)))?;
            // Who ends connections as soon as they come about answers no hello.
            (1..step.hop_limit).contains(&last_heard(walk)).then_some((look, step.hop_limit))
        })
    };
    let ((hello_look, hop), (control_look, of_control)) = (ended_at(Experiment::HelloWalk)?, ended_at(Experiment::ControlWalk)?);
    let goes_on = syn_walk.steps.iter().any(|step| step.hop_limit >= hop && matches!(step.end, StepEnd::Expired(_)));
    (hop == of_control && goes_on && !is_at_the_edge(hop, server)).then(|| Stop { hop, server, looks: vec![hello_look, control_look, syn_look] })
}
