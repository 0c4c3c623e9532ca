use parallax_model::{
    assignment::Experiment,
    facts::Reply,
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::{Hypothesis, every_scheme, hello_intolerance::answers_plain_hellos};
use crate::{
    bench::{names, tally},
    cell::{Layer, Look, Silence},
    draft::Draft,
    explain::{COUNT, WHERE, WHO, fate, groups, seats as named},
    route,
    suspicion::Suspicion,
    testimony::{self, Testimony},
};

pub(super) const UNREACHABLE: Hypothesis = Hypothesis {
    cause: Cause::ServerUnreachable,
    requires: "no group gets an answer to a SYN, the inside vantage (if there is one) included",
    excluded_by: "a group that connects, be it now and then; groups that are each cut off well before the server",
    counter: Cause::EdgeBlocked,
    next: "look from a vantage on the server's own segment (role=inside)",
    concerns: every_scheme,
    test: |suspicion, seats| {
        let draft = everywhere(suspicion, seats, Cause::ServerUnreachable, |class| matches!(class, Outcome::TcpTimeout | Outcome::TcpUnreachable));
        draft.filter(|_| answered_in_between(suspicion, seats).is_empty())
    },
};

pub(super) const FULL_QUEUE: Hypothesis = Hypothesis {
    cause: Cause::ServerOverloaded,
    requires: "SYNs of two groups or more are never answered, the inside vantage's (if there is one) included, and in between others are",
    excluded_by: "a group that passes; answers that all came before",
    counter: Cause::UndeterminedFlaky,
    next: "make more attempts from each group, and read the listener's queue on the server (ss -ltn)",
    concerns: every_scheme,
    test: |suspicion, seats| {
        let answered = answered_in_between(suspicion, seats);
        let mut draft = everywhere(suspicion, seats, Cause::ServerOverloaded, |class| class == Outcome::TcpTimeout).filter(|_| !answered.is_empty())?;
        draft.seats.extend(answered.iter().map(|look| look.seat));
        let looks: Vec<&Look<'_>> = draft.seats.iter().flat_map(|seat| suspicion.looks(*seat)).collect();
        draft.share = looks.iter().filter(|look| look.fails(Layer::Tcp)).count() as f64 / looks.len() as f64;
        let text = format!("in between, {COUNT} from {WHO} to {WHERE} came about: the host lives, and a full queue drops what it cannot take");
        Some(draft.because("answered", text, &answered))
    },
};

/// Returns the connections that came about after the first of these seats' failures, or on which the hello was acknowledged and nothing else came: nothing that is down answers so.
fn answered_in_between<'a>(suspicion: &Suspicion<'_, 'a>, seats: &[usize]) -> Vec<Look<'a>> {
    let Some(first) = suspicion.failures(seats).iter().map(|look| look.attempt.started_at).min() else { return Vec::new() };
    let is_of_a_queue = |look: &&Look<'a>| look.passes(Layer::Tcp) && (look.attempt.started_at > first || look.silence() == Some(Silence::Acknowledged));
    suspicion.mixed.iter().flat_map(|seat| suspicion.looks(*seat)).filter(is_of_a_queue).copied().collect()
}

pub(super) const REFUSED: Hypothesis = Hypothesis {
    cause: Cause::ServerRefused,
    requires: "every group is refused, the inside vantage (if there is one) included",
    excluded_by: "a group that connects; groups that are each cut off well before the server",
    counter: Cause::EdgeBlocked,
    next: "look from a vantage on the server's own segment (role=inside)",
    concerns: every_scheme,
    test: |suspicion, seats| {
        everywhere(suspicion, seats, Cause::ServerRefused, |class| match class {
            Outcome::TcpRefused => suspicion.layer == Layer::Tcp,
            // The host itself says that nothing listens there (RFC 1122, ICMP port unreachable).
            Outcome::QuicRefused => true,
            _ => false,
        })
    },
};

pub(super) const SLOW: Hypothesis = Hypothesis {
    cause: Cause::ServerSlowHandshake,
    requires: "every group connects, the ClientHello is acknowledged, and no answer comes in time",
    excluded_by: "a small MSS that cures it; data beyond a gap; a group that passes",
    counter: Cause::EdgeBlocked,
    next: "look from a vantage on the server's own segment (role=inside), and try a small MSS",
    concerns: every_scheme,
    test: slow,
};

pub(super) const CLOSES: Hypothesis = Hypothesis {
    cause: Cause::ServerClosesHandshake,
    requires: "in every group the connection ends after the ClientHello, without an alert that tells why, whatever the name",
    excluded_by: "a group that passes; another name that passes; a plainer ClientHello that is answered",
    counter: Cause::EdgeBlocked,
    next: "look from a vantage on the server's own segment (role=inside), and measure the arrival TTL of the reset (--deep)",
    concerns: every_scheme,
    test: |suspicion, seats| {
        if minds_the_form(suspicion, seats) || seats.iter().all(|seat| names(suspicion.scene, *seat, suspicion.place).decide()) {
            return None;
        }
        everywhere(suspicion, seats, Cause::ServerClosesHandshake, |class| {
            suspicion.layer == Layer::Tls && matches!(class, Outcome::TlsReset | Outcome::TlsAlert(_))
        })
    },
};

/// A small ClientHello, or the plain ones of an audit, are answered where the whole profile never is: what is refused is the hello's form.
fn minds_the_form(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> bool {
    let answers = |seat: &usize| {
        let small = tally(suspicion.scene, *seat, suspicion.place, Experiment::SmallHello);
        let mut audits = suspicion.scene.bench(*seat, Experiment::Audit, suspicion.place).filter_map(|look| look.attempt.facts.audit.as_deref());
        small.always(1) || audits.any(answers_plain_hellos)
    };
    seats.iter().any(answers)
}

fn everywhere(suspicion: &Suspicion<'_, '_>, seats: &[usize], cause: Cause, is_it: impl Fn(Outcome) -> bool) -> Option<Draft> {
    let (family, outcome) = suspicion.class(seats)?;
    if !is_it(family) {
        return None;
    }
    let scene = suspicion.scene;
    let (nearer, others): (Vec<usize>, Vec<usize>) = seats.iter().partition(|seat| route::is_by_somebody_nearer(scene, **seat, suspicion.place));
    // Who is cut off before the server has a cause of its own; what the inside vantage and others meet is the server's all the same.
    let inside_agrees = others.iter().any(|seat| scene.seats[*seat].inside) && scene.count_groups(&others) > 1;
    if (!nearer.is_empty() && !inside_agrees) || each_on_its_way(suspicion, seats) {
        return None;
    }
    let seats = &others[..];
    if suspicion.layer == Layer::Tcp && suspicion.connects(seats) {
        return None;
    }
    let own_word = by_itself(suspicion, seats);
    let witnessed: Vec<Testimony<'_>> = seats.iter().filter_map(|seat| testimony::of(scene, *seat, suspicion.place)).collect();
    if witnessed.iter().any(|testimony| testimony.fate.clears_the_server()) {
        return None;
    }
    let settled = own_word.is_some() || witnessed.iter().any(|testimony| testimony.fate.is_the_servers());
    let tier = suspicion.server_tier(seats, false).map(|tier| if settled { Tier::Confirmed } else { tier })?;
    let failures = suspicion.failures(seats);
    let text = format!("a connection to {WHERE} {} in {} alike ({WHO}, {COUNT})", fate(outcome), groups(scene.count_groups(seats), suspicion.groups_judged()));
    let mut draft = Draft::new(cause, tier).blaming(seats).by(outcome, None).because("groups", text, &failures);
    let inside: Vec<usize> = seats.iter().copied().filter(|seat| scene.seats[*seat].inside).collect();
    if !inside.is_empty() {
        draft.add("inside", format!("the inside vantage {} sees the same", named(scene, &inside)), &suspicion.failures(&inside));
        draft = draft.unless(Cause::EdgeBlocked, &next_beside_inside(suspicion, seats, cause, named(scene, &inside)));
    }
    if let Some(look) = own_word {
        draft.add("reply-ttl", "the answer reached the inside vantage undiminished: it was sent on the server's own segment".to_owned(), &[look]);
    }
    for testimony in witnessed.into_iter().filter(|testimony| testimony.fate.is_the_servers()).take(2) {
        draft.add(testimony.rule, testimony.text, &testimony.looks);
    }
    let gist = format!("at {WHERE} a connection {} from every vantage ({WHO})", fate(outcome));
    Some(draft.in_words(gist))
}

/// Tells whether two groups or more are cut off well before the server.
fn each_on_its_way(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> bool {
    let short: Vec<usize> = seats.iter().copied().filter(|seat| route::falls_far_short(suspicion.scene, *seat, suspicion.place)).collect();
    suspicion.scene.count_groups(&short) > 1
}

/// Says what is left to try once an inside vantage sees the same.
fn next_beside_inside(suspicion: &Suspicion<'_, '_>, seats: &[usize], cause: Cause, inside: String) -> String {
    let tried = |experiment: Experiment| seats.iter().any(|seat| suspicion.scene.bench(*seat, experiment, suspicion.place).next().is_some());
    let (done, open) = match cause {
        Cause::ServerSlowHandshake if tried(Experiment::SmallMss) => (" and a small MSS changes nothing", None),
        Cause::ServerSlowHandshake => ("", Some("try a small MSS")),
        Cause::ServerClosesHandshake if tried(Experiment::ReplyTtl) => (", and the arrival TTL of what ended it was measured", None),
        Cause::ServerClosesHandshake => ("", Some("measure the arrival TTL of the reset (--deep)")),
        _ => ("", None),
    };
    open.map_or_else(|| format!("nothing is open in this round: the inside vantage {inside} sees the same{done}"), str::to_owned)
}

/// An answer that reaches the inside vantage without passing a router was sent on the server's own segment.
fn by_itself<'a>(suspicion: &Suspicion<'_, 'a>, seats: &[usize]) -> Option<Look<'a>> {
    let inside = seats.iter().filter(|seat| suspicion.scene.seats[**seat].inside);
    let direct = |look: &&Look<'a>| {
        let facts = look.attempt.facts.reply_ttl.as_ref();
        facts.is_some_and(|facts| {
            matches!(facts.reply, Some(Reply::Refusal | Reply::Reset | Reply::Close))
                && facts.reply_ttl.is_some_and(|ttl| ttl.least == ttl.most && ttl.hops() == 0)
        })
    };
    inside.into_iter().find_map(|seat| suspicion.scene.bench(*seat, Experiment::ReplyTtl, suspicion.place).find(direct).copied())
}

fn slow(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let scene = suspicion.scene;
    if suspicion.class(seats)?.0 != Outcome::TlsTimeout || suspicion.layer != Layer::Tls {
        return None;
    }
    let silence = suspicion.silence(seats);
    let inside_agrees = seats.iter().any(|seat| scene.seats[*seat].inside);
    let fits = match silence {
        Some(Silence::Acknowledged | Silence::Partial) => true,
        // A listener whose queue is full answers SYNs and drops what follows; so does a filter, unless the inside vantage sees it too.
        Some(Silence::Unacknowledged) | None => inside_agrees,
        Some(Silence::Gap) => false,
    };
    let cured = seats.iter().any(|seat| !tally(scene, *seat, suspicion.place, Experiment::SmallMss).passed.is_empty());
    if !fits || cured {
        return None;
    }
    let mut draft = everywhere(suspicion, seats, Cause::ServerSlowHandshake, |_| true)?;
    if silence == Some(Silence::Acknowledged) {
        let mute: Vec<Look<'_>> = suspicion.failures(seats).into_iter().filter(|look| look.silence() == Some(Silence::Acknowledged)).collect();
        let text = format!("in {COUNT} from {WHO} to {WHERE} the ClientHello was acknowledged, nothing came back, and nothing was out of order (TCP_INFO)");
        draft.add("tcp-info", text, &mute);
    }
    Some(draft)
}
