use std::{collections::BTreeMap, fs, path::Path};

use parallax_model::{
    assignment::{Experiment, Task},
    attempt::Attempt,
    cadence::AuditRounds,
    facts::{Facts, NotCompleted},
    id::AttemptId,
};

use super::{
    case::Case,
    expand::{self, NOW},
    pki::PKI,
};
use crate::{History, RoundView, Wanted, wanted};

fn case(name: &str) -> RoundView {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(format!("{name}.toml"));
    expand::round(&toml::from_str::<Case>(&fs::read_to_string(path).unwrap()).unwrap())
}

fn asked(round: &RoundView) -> Vec<Wanted> {
    wanted(round, &History::default(), &PKI.trust(), NOW.parse().unwrap())
}

/// `vantage experiment address*repeat`, sorted.
fn in_short(wanted: &[Wanted]) -> Vec<String> {
    let task = |vantage: &str, task: &Task| format!("{vantage} {} {}*{}", task.experiment, task.address.unwrap(), task.repeat);
    let mut all: Vec<String> = wanted.iter().flat_map(|wanted| wanted.tasks.iter().map(|one| task(wanted.vantage.as_str(), one)).collect::<Vec<_>>()).collect();
    all.sort();
    all
}

/// Notes everything that was asked for as attempted and not completed, as when the agents are gone.
fn attempt_in_vain(round: &mut RoundView, wanted: &[Wanted]) {
    for (vantage, task) in wanted.iter().flat_map(|wanted| wanted.tasks.iter().map(|task| (wanted.vantage.clone(), task))) {
        for sequence in 0..task.repeat {
            round.attempts.push(Attempt {
                id: AttemptId::new(),
                round: round.round,
                check: round.check.id,
                vantage: vantage.clone(),
                profile: task.profile.clone(),
                experiment: task.experiment,
                address: task.address,
                sequence,
                started_at: round.started_at,
                elapsed_us: 0,
                clock_offset_us: None,
                facts: Facts { not_completed: Some(NotCompleted::Cancelled), ..Facts::default() },
            });
        }
    }
}

#[test]
fn advice_about_what_passes_leaves_a_failure_to_be_explained() {
    let text = "title = \"long-lived and filtered\"\nhealthy = false\n[[see]]\nfrom = \"b c d i\"\nchain = \"CHAIN\"\n[[see]]\nfrom = \"a\"\nprofile = \"split\"\nchain = \"CHAIN\"\n[[see]]\nfrom = \"a\"\nprofile = \"modern tls12\"\noutcome = \"tls.reset*2\"\n";
    let asked_with = |chain: &str| in_short(&asked(&expand::round(&toml::from_str(&text.replace("CHAIN", chain)).unwrap())));
    let asked = asked_with("long-lived");
    assert!(asked.iter().any(|task| task.starts_with("a control-name")), "{asked:?}");
    assert_eq!(asked, asked_with("good"));
}

#[test]
fn every_case_comes_to_an_end_even_when_nothing_is_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let mut round = expand::round(&toml::from_str::<Case>(&fs::read_to_string(&file).unwrap()).unwrap());
        let first = asked(&round);
        let mut connections: BTreeMap<String, u32> = BTreeMap::new();
        for wanted in &first {
            assert!(!wanted.why.is_empty() && wanted.tasks.iter().all(|task| (1..=16).contains(&task.repeat) && task.address.is_some()), "{wanted:?}");
            *connections.entry(wanted.vantage.to_string()).or_default() += wanted.tasks.iter().map(|task| task.repeat).sum::<u32>();
        }
        assert!(connections.values().all(|sum| *sum <= 60), "{}: {connections:?}", file.display());
        attempt_in_vain(&mut round, &first);
        assert_eq!(asked(&round), [], "{} asks again for what was attempted", file.display());
    }
}

#[test]
fn a_healthy_round_is_settled_at_once() {
    for name in ["00-healthy", "16-rollout", "14e-tls13-only-server", "18-agent-clock", "21d-localhost", "29e-not-found"] {
        let wanted = asked(&case(name));
        let expected_share = name == "16-rollout";
        assert_eq!(wanted.is_empty(), !expected_share, "{name}: {:?}", in_short(&wanted));
    }
}

#[test]
fn a_round_that_is_to_audit_wants_one_from_each_group_that_reaches_an_address() {
    let mut round = case("01-sni-reset");
    let before = in_short(&asked(&round));
    round.check.audit = AuditRounds::EveryRound;
    let wanted = in_short(&asked(&round));
    let audits: Vec<&String> = wanted.iter().filter(|one| one.contains(" audit ")).collect();
    let groups: BTreeMap<_, _> = round.vantages.iter().map(|view| (&view.group, &view.name)).collect();
    assert_eq!(audits.len(), groups.len(), "at the one address of the target: {wanted:?}");
    assert_eq!(wanted.len(), before.len() + audits.len(), "nothing else changes");
    round.check.target = "tcp://shop.corp.test:8443".parse().unwrap();
    assert!(!in_short(&asked(&round)).iter().any(|one| one.contains(" audit ")), "nobody speaks TLS there");
}

#[test]
fn vantages_that_have_not_reported_are_left_alone() {
    let mut round = case("05b-address-drop-no-walk");
    assert!(!asked(&round).is_empty());
    round.vantages.iter_mut().for_each(|view| view.reported = false);
    assert_eq!(asked(&round), []);
}

#[test]
fn everybody_tries_the_addresses_that_anybody_resolved() {
    let mut round = case("24-geo-dns");
    let elsewhere = |attempt: &Attempt| attempt.vantage.as_str() == "a" && attempt.address.is_some_and(|address| address.ip().to_string() == "192.0.2.12");
    round.attempts.retain(|attempt| !elsewhere(attempt));
    assert_eq!(in_short(&asked(&round)), ["a baseline 192.0.2.12:443*2"]);
}

#[test]
fn a_cut_off_address_wants_walks_there_and_where_it_passes() {
    let wanted = in_short(&asked(&case("05b-address-drop-no-walk")));
    for one in ["a syn-walk 192.0.2.11:443*1", "a syn-walk 192.0.2.12:443*1", "b syn-walk 192.0.2.11:443*1", "c syn-walk 192.0.2.11:443*1"] {
        assert!(wanted.contains(&one.to_owned()), "{one} is not among {wanted:?}");
    }
}

#[test]
fn another_key_at_one_group_wants_to_know_how_near_its_holder_is() {
    let wanted = in_short(&asked(&case("15b-interception-contrast")));
    for one in ["a reply-ttl 192.0.2.11:443*1", "a syn-walk 192.0.2.11:443*1", "a control-name 192.0.2.11:443*2", "b syn-walk 192.0.2.11:443*1"] {
        assert!(wanted.contains(&one.to_owned()), "{one} is not among {wanted:?}");
    }
}

#[test]
fn a_bad_certificate_among_good_ones_is_counted_from_an_odd_number_of_groups() {
    let wanted = asked(&case("17-one-backend-expired"));
    let more: Vec<(String, u32)> = wanted
        .iter()
        .flat_map(|wanted| wanted.tasks.iter().filter(|task| task.experiment == Experiment::Baseline).map(|task| (wanted.vantage.to_string(), task.repeat)))
        .collect();
    assert_eq!(more, ["a", "b", "c"].map(|vantage| (vantage.to_owned(), 7)));
}

#[test]
fn a_mixture_is_tried_to_its_end_and_against_pauses_and_ports() {
    let mut round = case("22b-flaky");
    let is_late = |attempt: &Attempt| match attempt.experiment {
        Experiment::SourcePort | Experiment::Slow => true,
        Experiment::Baseline => attempt.sequence % 8 > 3,
        _ => false,
    };
    round.attempts.retain(|attempt| !is_late(attempt));
    let wanted = in_short(&asked(&round));
    for experiment in ["a source-port 192.0.2.11:443*16", "a slow 192.0.2.11:443*6", "a reply-ttl 192.0.2.11:443*1", "a control-name 192.0.2.11:443*8"] {
        assert!(wanted.contains(&experiment.to_owned()), "{experiment} is not among {wanted:?}");
    }
    assert!(wanted.iter().any(|one| one.starts_with("a baseline")), "{wanted:?}");
}

#[test]
fn a_recipe_that_a_confirmed_filter_hits_by_turns_is_no_further_question() {
    let wanted = in_short(&asked(&case("01i-sni-reset-post-quantum-by-turns")));
    assert!(!wanted.iter().any(|one| one.contains("slow") || one.contains("source-port")), "{wanted:?}");
}

#[test]
fn a_certificate_for_other_names_wants_an_unknown_name_and_none() {
    let mut round = case("25b-default-certificate-alone");
    round.attempts.retain(|attempt| matches!(attempt.experiment, Experiment::Baseline | Experiment::Responder));
    let wanted = in_short(&asked(&round));
    assert!(wanted.contains(&"a control-name 192.0.2.11:443*2".to_owned()) && wanted.contains(&"a no-name 192.0.2.11:443*1".to_owned()), "{wanted:?}");
}

#[test]
fn a_refusal_to_negotiate_wants_to_know_what_the_server_can_do() {
    let mut round = case("27-cipher-suites");
    round.attempts.retain(|attempt| matches!(attempt.experiment, Experiment::Baseline | Experiment::Responder));
    let wanted = in_short(&asked(&round));
    assert!(wanted.contains(&"a legacy-hello 192.0.2.11:443*1".to_owned()), "{wanted:?}");
}

#[test]
fn a_source_that_something_may_remember_is_asked_for_controls_alone() {
    let wanted = in_short(&asked(&case("09c-stateful-list-unproven")));
    assert!(wanted.contains(&"a control-name 192.0.2.11:443*8".to_owned()), "{wanted:?}");
    assert!(!wanted.iter().any(|one| one.starts_with("a baseline") || one.starts_with("a slow") || one.starts_with("a source-port")), "{wanted:?}");
}

#[test]
fn large_hellos_are_walked_where_groups_differ_and_not_where_all_are_refused() {
    for name in ["11-mtu-hole-outward", "13-hello-size"] {
        let wanted = in_short(&asked(&case(name)));
        for one in ["a hello-walk 192.0.2.11:443*1", "a control-walk 192.0.2.11:443*1"] {
            assert!(wanted.contains(&one.to_owned()), "{name}: {one} is not among {wanted:?}");
        }
    }
    let refused_everywhere = in_short(&asked(&case("14e-tls13-only-server")));
    assert!(!refused_everywhere.iter().any(|one| one.contains("walk")), "{refused_everywhere:?}");
}
