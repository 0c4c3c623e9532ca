//! What a round means: [`judge`] turns the facts of all vantages into one [`Verdict`], and [`wanted()`] says what is still worth trying before it.
//!
//! Pure: no I/O, no clock, no randomness; the same view gives the same verdict, so that stored history can be judged again when the rules grow. Read from the leaves up:
//!
//! | module | question |
//! |---|---|
//! | [`certificate`] | what is wrong with a chain? |
//! | `cell`, `contrast` | what do some attempts say together, and is a difference beyond chance? |
//! | `arrival` | what came, and which chains with it? |
//! | `scene` | the round, indexed |
//! | `opinion` | what is said of the name beside a vantage's own resolver? |
//! | `gates` | is each vantage itself fine? |
//! | `bench`, `route`, `bounds` | what do the experiments say, and who answered from where? |
//! | `testimony` | what does a witness on the server's host say of a vantage's attempts? |
//! | `doubt` | who passes and yet proves nothing? |
//! | `foreign` | whom does an address not concern? |
//! | `interruption` | are failures of one moment? |
//! | `suspicion` | who fails, who passes, and how independent are they? |
//! | `rules` | the hypotheses, one per file |
//! | `excluded` | which hypotheses were tried and did not hold? |
//! | `survey`, `audit` | which clients can connect, and what can the server do? |
//! | `segments` | what do the ways of failing vantages share that no passing one uses? |
//! | `reason`, `explain`, `remedy`, `matrix`, `digest` | the words |
//! | [`time`] | what do many rounds say together? |
//!
//! ```
//! use parallax_diagnosis::{History, RoundView, Trust, judge};
//! use parallax_model::{check::Check, clock::Timestamp, id::RoundId};
//!
//! let start = Timestamp::from_micros(0);
//! let check = Check::once("api.example.test".parse()?, start);
//! let round = RoundView { round: RoundId::new(), check, started_at: start, vantages: vec![], attempts: vec![], responders: vec![] };
//! let verdict = judge(&round, &History::default(), &Trust::default(), start);
//! assert!(!verdict.healthy, "nobody looked");
//! # Ok::<(), parallax_model::target::TargetError>(())
//! ```

mod arrival;
mod audit;
mod bench;
mod bounds;
mod cell;
pub mod certificate;
mod contrast;
mod digest;
mod doubt;
mod draft;
mod excluded;
mod explain;
mod foreign;
mod gates;
mod interruption;
mod matrix;
mod opinion;
mod reason;
mod remedy;
mod route;
mod rules;
mod scene;
mod segments;
mod survey;
mod suspicion;
mod testimony;
#[cfg(test)]
mod tests;
pub mod time;
mod trust;
mod view;
mod wanted;

use draft::Draft;
pub use excluded::excluded;
use parallax_model::{
    clock::Timestamp,
    verdict::{Cause, Locus, Participation, Tier, Verdict},
};
pub use rules::{Requirement, requirements};
use scene::Scene;
pub use trust::Trust;
pub use view::{History, RoundView, VantageView};
pub use wanted::{Wanted, wanted};

/// The version of the rules; stored with every verdict.
///
/// Raised by one whenever the same facts may get another cause, tier or scope than before, so that `parallax verdict rejudge` tells what a new build sees in old rounds.
pub const RULES: &str = "16";

/// Computes what a round means; `now` is the coordinator's clock, by which certificates are judged, and the moment of closing.
pub fn judge(round: &RoundView, history: &History, trust: &Trust, now: Timestamp) -> Verdict {
    let mut scene = Scene::new(round, history, trust, now);
    let mut gates = gates::run(&mut scene);
    let mut findings = rules::explain(&mut scene);
    let judged = scene.is_anything_judged();
    let vantages = gates::participation(&scene, &gates);
    if !judged && findings.is_empty() && gates.findings.is_empty() {
        findings.push(nothing_judged(&scene, &vantages));
    }
    findings.append(&mut gates.findings);
    let mut findings = rules::join(&scene, findings);
    segments::name(&scene, &mut findings);
    let harmless = |draft: &Draft| draft.cause.is_informational() || draft.cause.locus() == Locus::Vantage;
    let healthy = judged && findings.iter().all(harmless);
    let headline = explain::headline(&scene, &findings, &vantages, healthy);
    Verdict {
        api_version: Verdict::API_VERSION.to_owned(),
        kind: Verdict::KIND.to_owned(),
        target: round.check.target.authority(),
        check: round.check.name.as_ref().map(ToString::to_string),
        round: round.round,
        revision: 1,
        rules: RULES.to_owned(),
        started_at: round.started_at,
        closed_at: now,
        headline,
        healthy,
        vantages,
        findings: findings.into_iter().map(|draft| draft.into_finding(&scene)).collect(),
        matrix: matrix::cells(&scene),
        audit: audit::reports(round),
        digest: Some(digest::of(&scene)),
    }
}

fn nothing_judged(scene: &Scene<'_>, vantages: &Participation) -> Draft {
    let asked = scene.seats.len();
    let text = format!("none of {} completed an attempt that says anything about the target", explain::count(asked, "vantage"));
    let everybody: Vec<usize> = (0..asked).collect();
    Draft::new(Cause::UndeterminedInsufficient, Tier::Insufficient)
        .blaming(&everybody)
        .because("open", text, &[])
        .unless(Cause::VantageNetworkDown, "see why the agents made no attempt: parallax vantage list")
        .in_words(format!("nothing could be judged: {}", explain::silence(vantages)))
}
