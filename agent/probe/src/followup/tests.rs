use parallax_model::{
    attempt::Attempt,
    cadence::{AuditRounds, Cadence, Spread},
    check::Limits,
    clock::Timestamp,
    facts::{AlertSeen, ConnectEnd, Facts, HttpEnd, HttpFacts, LocalRefusal, Reply, ReplyTtlFacts, ServerAnswerFacts, TcpFacts, TlsEnd, TlsFacts, TtlRange},
    id::{AttemptId, CheckId, RoundId},
    profile::DEFAULT_PROFILES,
};

use super::*;

const HERE: &str = "192.0.2.7:443";

fn check(target: &str) -> Check {
    Check {
        id: CheckId::new(),
        name: None,
        revision: 1,
        target: target.parse().unwrap(),
        profiles: DEFAULT_PROFILES.iter().map(|name| name.parse().unwrap()).collect(),
        definitions: Vec::new(),
        profiles_named: false,
        from: parallax_model::selector::Selector::all(),
        limit: None,
        diverse: Vec::new(),
        cadence: Cadence::Once,
        spread: Spread::default(),
        anchor: Timestamp::default(),
        limits: Limits::default(),
        trust: Vec::new(),
        expected_keys: Vec::new(),
        paused: false,
        audit: AuditRounds::Never,
        resolvers: Vec::new(),
    }
}

fn connected(end: TlsEnd) -> Facts {
    let answer = match end {
        TlsEnd::Alert(description) => {
            ServerAnswerFacts { alerts: vec![AlertSeen { level: 2, description, encrypted: description == 116 }], ..Default::default() }
        }
        _ => ServerAnswerFacts::default(),
    };
    let tls = TlsFacts {
        hello: Default::default(),
        end,
        end_us: 40_000,
        first_byte_us: None,
        bytes_read: 0,
        answer,
        handshake: None,
        certificates: Vec::new(),
        transcript: Vec::new(),
    };
    Facts { tls: Some(tls), ..connecting(ConnectEnd::Connected) }
}

fn connecting(end: ConnectEnd) -> Facts {
    let tcp = TcpFacts {
        remote: HERE.parse().unwrap(),
        local: Some("192.0.2.1:42301".parse().unwrap()),
        source_port_pinned: false,
        end,
        connect_us: 40_000,
        hop_limit: None,
        mss_clamp: None,
        icmp_from: None,
        at_connect: None,
        at_end: None,
        ack_ttl: None,
    };
    Facts { tcp: Some(tcp), ..Facts::default() }
}

fn attempt(profile: &str, experiment: Experiment, address: &str, facts: Facts) -> Attempt {
    Attempt {
        id: AttemptId::new(),
        round: RoundId::new(),
        check: CheckId::new(),
        vantage: "a".parse().unwrap(),
        profile: profile.parse().unwrap(),
        experiment,
        address: Some(address.parse().unwrap()),
        sequence: 0,
        started_at: Timestamp::default(),
        elapsed_us: 0,
        clock_offset_us: None,
        facts,
    }
}

/// Two attempts of each default profile, ending as `ends` says by profile and turn.
fn attempts(ends: impl Fn(&str, usize) -> Facts) -> Vec<Attempt> {
    turns(2, ends)
}

fn turns(turns: usize, ends: impl Fn(&str, usize) -> Facts) -> Vec<Attempt> {
    let all = |profile: &'static str| (0..turns).map(move |turn| (profile, turn));
    DEFAULT_PROFILES.into_iter().flat_map(all).map(|(profile, turn)| attempt(profile, Experiment::Baseline, HERE, ends(profile, turn))).collect()
}

fn planned_for(target: &str, attempts: &[Attempt], connections_left: u32) -> Vec<FollowUp> {
    let responders = ["203.0.113.1:7444".parse().unwrap(), "[2001:db8::9]:443".parse().unwrap(), "203.0.113.2:443".parse().unwrap()];
    drill_down(&RowSoFar { check: &check(target), address: HERE.parse().unwrap(), attempts, responders: &responders, connections_left })
}

fn planned(ends: impl Fn(&str, usize) -> Facts) -> Vec<FollowUp> {
    planned_for("shop.corp.test:443", &attempts(ends), 120)
}

fn count(planned: &[FollowUp], experiment: Experiment) -> u32 {
    planned.iter().filter(|followup| followup.task.experiment == experiment).map(|followup| followup.task.repeat).sum()
}

fn order(planned: &[FollowUp]) -> Vec<Experiment> {
    let mut experiments: Vec<Experiment> = planned.iter().map(|followup| followup.task.experiment).collect();
    experiments.dedup();
    experiments
}

#[test]
fn nothing_failed_nothing_follows() {
    assert_eq!(planned(|_, _| connected(TlsEnd::Established)), []);
    assert_eq!(planned_for("shop.corp.test:443", &[], 120), []);
}

#[test]
fn an_end_after_the_hello_begins_with_the_reply_ttl_and_ends_with_the_walks() {
    for end in [TlsEnd::Reset, TlsEnd::Closed, TlsEnd::NotTls, TlsEnd::Alert(40)] {
        let list = planned(|_, _| connected(end));
        assert_eq!(list[0].task.experiment, Experiment::ReplyTtl, "{end:?}");
        assert!(count(&list, Experiment::ControlName) + count(&list, Experiment::ControlAfter) >= 4, "four against four");
        let own = list.iter().filter(|followup| followup.task.experiment == Experiment::Baseline && followup.task.profile.as_str() == "modern").count();
        assert_eq!(own + 2, 4, "with the two that were made");
        for experiment in [Experiment::NoName, Experiment::SplitName, Experiment::SplitRecords, Experiment::NameCase, Experiment::NonTls, Experiment::HelloWalk]
        {
            assert!(count(&list, experiment) >= 1, "{end:?} lacks {experiment}");
        }
        assert_eq!(count(&list, Experiment::NameAtResponder), 2);
        assert_eq!(count(&list, Experiment::LegacyHello), u32::from(matches!(end, TlsEnd::Alert(_))));
        assert!(list.iter().map(FollowUp::connections).sum::<u32>() <= MOST_CONNECTIONS);
        for walk in [Experiment::HelloWalk, Experiment::ControlWalk, Experiment::SynWalk] {
            assert_eq!(count(&list, walk), 1, "{end:?} lacks {walk}");
        }
        let [first_control, first_own] = [Experiment::ControlName, Experiment::Baseline].map(|wanted| list.iter().position(|f| f.task.experiment == wanted));
        assert!(first_control < first_own, "the control comes first");
    }
}

/// A reset after the hello that came with this TTL, from a server whose SYN-ACK came with 58.
fn reset_with(ttl: u8) -> Facts {
    let [syn_ack, reply_ttl] = [58, ttl].map(|ttl| Some(TtlRange::exactly(ttl)));
    let found = ReplyTtlFacts { syn_ack, reply: Some(Reply::Reset), reply_ttl, passed_when_filtered: None, siblings: Vec::new(), connections: 9 };
    Facts { reply_ttl: Some(found), ..connected(TlsEnd::Reset) }
}

#[test]
fn what_is_forged_for_one_name_alone_is_only_placed() {
    let row = |ttl: u8, control: TlsEnd, controls: usize| {
        let mut row = attempts(|profile, _| connected(if profile == "split" { TlsEnd::Established } else { TlsEnd::Reset }));
        row.extend((0..2).map(|_| attempt("modern", Experiment::Baseline, HERE, connected(TlsEnd::Reset))));
        row.extend((0..controls).map(|_| attempt("modern", Experiment::ControlName, HERE, connected(control))));
        row.push(attempt("modern", Experiment::ReplyTtl, HERE, reset_with(ttl)));
        planned_for("shop.corp.test:443", &row, 120)
    };
    let mut left = order(&row(63, TlsEnd::Answered, 4));
    left.retain(|experiment| !matches!(experiment, Experiment::HelloWalk | Experiment::ControlWalk | Experiment::SynWalk));
    assert_eq!(left, []);
    for (ttl, control, controls) in [(58, TlsEnd::Answered, 4), (63, TlsEnd::Reset, 4), (63, TlsEnd::Answered, 1)] {
        assert!(count(&row(ttl, control, controls), Experiment::LargeNonTls) > 0, "{ttl} {control:?} {controls}");
    }
}

#[test]
fn silence_begins_with_sizes_and_runs_side_by_side() {
    let list = planned(|_, _| connected(TlsEnd::TimedOut));
    let first_batch: Vec<Experiment> = list.iter().filter(|followup| followup.batch == 0).map(|followup| followup.task.experiment).collect();
    assert!(first_batch.contains(&Experiment::SmallMss) && first_batch.contains(&Experiment::ControlName), "{first_batch:?}");
    assert_eq!((count(&list, Experiment::SmallMss), count(&list, Experiment::LargeNonTls)), (3, 1));
    for experiment in [Experiment::SmallHello, Experiment::LargeHello, Experiment::SynWalk, Experiment::HelloWalk, Experiment::ControlWalk] {
        assert_eq!(count(&list, experiment), 1, "{experiment}");
    }
    assert!(list.iter().all(|followup| followup.attempt_ms == 1_500), "four round trips of 40 ms are within the shortest time");
    let batches = list.iter().map(|followup| followup.batch).max().unwrap() + 1;
    assert!(u64::from(batches) * 1_500 <= 12_000, "{batches} batches");
    assert!((0..batches).all(|batch| list.iter().filter(|followup| followup.batch == batch).count() <= 10));
}

#[test]
fn an_end_that_comes_late_is_waited_for() {
    let late = |end| {
        let mut facts = connected(end);
        facts.tls.iter_mut().for_each(|tls| tls.end_us = 3_000_000);
        facts
    };
    assert!(planned(|_, _| late(TlsEnd::Closed)).iter().all(|followup| followup.attempt_ms == 4_500));
    assert!(planned(|_, _| late(TlsEnd::TimedOut)).iter().all(|followup| followup.attempt_ms == 1_500), "a silence that was given up has no end");
    let late_status = planned(|_, _| Facts { http: Some(gateway_error_after(3_000_000)), ..connected(TlsEnd::Established) });
    assert!(!late_status.is_empty() && late_status.iter().all(|followup| followup.attempt_ms >= 4_500), "{late_status:?}");
}

fn gateway_error_after(elapsed_us: u64) -> HttpFacts {
    HttpFacts { status: Some(503), bytes_read: 126, elapsed_us, ..HttpFacts::ended(HttpEnd::Answered) }
}

#[test]
fn connecting_fails_before_any_name_is_sent() {
    let refused = planned(|_, _| connecting(ConnectEnd::Refused));
    assert_eq!(order(&refused)[0], Experiment::ReplyTtl);
    assert_eq!(refused[0].siblings, ["192.0.2.7:80".parse().unwrap()]);
    for end in [ConnectEnd::Refused, ConnectEnd::TimedOut, ConnectEnd::Unreachable(113)] {
        let list = planned(|_, _| connecting(end));
        assert_eq!((count(&list, Experiment::SynWalk), count(&list, Experiment::Slow)), (1, 1));
        assert_eq!(count(&list, Experiment::ControlName) + count(&list, Experiment::HelloWalk), 0);
    }
}

#[test]
fn other_addresses_of_the_family_are_siblings() {
    let mut row = attempts(|_, _| connecting(ConnectEnd::Refused));
    row.push(attempt("modern", Experiment::Baseline, "192.0.2.8:443", connected(TlsEnd::Established)));
    row.push(attempt("modern", Experiment::Baseline, "[2001:db8::7]:443", connected(TlsEnd::Established)));
    let list = planned_for("shop.corp.test:443", &row, 120);
    assert_eq!(list[0].siblings, ["192.0.2.8:443".parse().unwrap(), "192.0.2.7:80".parse().unwrap()]);
}

#[test]
fn one_recipe_alone_asks_about_size_and_split() {
    for profile in ["modern-pq", "split", "tls12"] {
        let list = planned(|tried, _| connected(if tried == profile { TlsEnd::TimedOut } else { TlsEnd::Established }));
        let lead = |followup: &&FollowUp| followup.task.profile.as_str() == profile;
        let mss: Vec<&FollowUp> = list.iter().filter(|followup| followup.task.experiment == Experiment::SmallMss).collect();
        assert_eq!((mss.len(), mss.iter().copied().filter(lead).count()), (3, 3));
        assert_eq!(count(&list, Experiment::LargeNonTls), 2);
        let large = list.iter().find(|followup| followup.task.experiment == Experiment::LargeHello).unwrap();
        assert_eq!(large.task.profile.as_str(), "modern");
        assert_eq!(count(&list, Experiment::HelloWalk), 0, "{profile}: the coordinator asks for walks where groups differ");
    }
}

#[test]
fn only_a_required_recipe_is_walked_before_others_are_known_to_differ() {
    let ends = [TlsEnd::TimedOut, TlsEnd::Reset, TlsEnd::Alert(40)];
    for end in ends {
        let list = planned(|tried, _| connected(if tried == "split" { TlsEnd::Established } else { end }));
        assert_eq!((count(&list, Experiment::HelloWalk), count(&list, Experiment::ControlWalk)), (1, 1), "{end:?}");
        let list = planned(|tried, _| connected(if tried == "tls12" { end } else { TlsEnd::Established }));
        assert_eq!((count(&list, Experiment::HelloWalk), count(&list, Experiment::ControlWalk)), (0, 0), "{end:?}");
    }
    let refused = planned(|tried, _| connected(if tried == "tls12" { TlsEnd::Alert(70) } else { TlsEnd::Established }));
    assert_eq!(count(&refused, Experiment::ReplyTtl), 0, "the server's own choice needs no author");
}

#[test]
fn an_alert_to_one_recipe_asks_about_versions() {
    let list = planned(|tried, _| connected(if tried == "tls12" { TlsEnd::Alert(70) } else { TlsEnd::Established }));
    assert_eq!((count(&list, Experiment::LegacyHello), count(&list, Experiment::Tls13Only), count(&list, Experiment::SmallMss)), (1, 1, 0));
}

#[test]
fn profiles_that_fail_each_in_its_way_are_all_looked_into() {
    let list = planned(|tried, _| {
        connected(match tried {
            "modern" => TlsEnd::Alert(116),
            "modern-pq" => TlsEnd::TimedOut,
            "tls12" => TlsEnd::Alert(70),
            _ => TlsEnd::Established,
        })
    });
    let of =
        |profile: &str, experiment| count(&list.iter().filter(|followup| followup.task.profile.as_str() == profile).cloned().collect::<Vec<_>>(), experiment);
    assert_eq!((of("modern-pq", Experiment::SmallMss), of("tls12", Experiment::LegacyHello), of("modern", Experiment::ReplyTtl)), (3, 1, 0));
}

#[test]
fn of_recipes_that_waver_one_is_tried_from_fixed_ports_whose_name_lies_in_one_segment() {
    let looked = |ends: fn(&str, usize) -> TlsEnd| planned_for("shop.corp.test:443", &turns(8, |tried, turn| connected(ends(tried, turn))), 120);
    let list = looked(|tried, turn| if turn == 0 && ["modern-pq", "tls12"].contains(&tried) { TlsEnd::Reset } else { TlsEnd::Established });
    let pinned = || list.iter().filter(|followup| followup.task.experiment == Experiment::SourcePort);
    assert_eq!(pinned().count(), 20);
    assert!(pinned().all(|followup| followup.task.profile.as_str() == "tls12"));
    let beside = looked(|tried, turn| if tried == "modern-pq" || (tried == "tls12" && turn == 0) { TlsEnd::Reset } else { TlsEnd::Established });
    assert_eq!(count(&beside, Experiment::SourcePort), 20, "a small hello that wavers comes before a large one that fails");
}

/// Eight attempts of each default profile, every second of which is reset: as a row leaves a cell that wavers.
fn wavering() -> Vec<Attempt> {
    turns(8, |_, turn| connected(if turn.is_multiple_of(2) { TlsEnd::Reset } else { TlsEnd::Established }))
}

#[test]
fn controls_lie_among_the_first_turn_of_the_ports() {
    let list = planned_for("shop.corp.test:443", &wavering(), 120);
    let first = list.iter().find(|followup| followup.task.experiment == Experiment::SourcePort).unwrap().batch;
    let controls: Vec<usize> = list.iter().enumerate().filter(|(_, followup)| followup.task.experiment == Experiment::ControlName).map(|(at, _)| at).collect();
    assert_eq!(controls.len(), 4);
    assert!(controls.iter().all(|at| list[*at].batch == first && list[at + 1].task.experiment == Experiment::SourcePort));
    assert!(list.iter().map(FollowUp::connections).sum::<u32>() <= MOST_CONNECTIONS);
    let refused = attempts(|_, turn| if turn == 0 { connecting(ConnectEnd::Refused) } else { connected(TlsEnd::Established) });
    assert_eq!(count(&planned_for("shop.corp.test:443", &refused, 120), Experiment::ControlName), 0, "no hello was read");
}

#[test]
fn ports_that_all_end_alike_are_not_tried_again() {
    let worth = |ends: fn(u16) -> TlsEnd, ports: u16| {
        let mut row = wavering();
        row.extend((0..ports).map(|port| attempt("modern", Experiment::SourcePort, HERE, connected(ends(port)))));
        let check = check("shop.corp.test:443");
        let row = RowSoFar { check: &check, address: HERE.parse().unwrap(), attempts: &row, responders: &[], connections_left: 120 };
        is_worth_it(&row, Experiment::SourcePort)
    };
    assert!(!worth(|_| TlsEnd::Reset, 10));
    assert!(!worth(|_| TlsEnd::Established, 10));
    assert!(worth(|port| if port == 3 { TlsEnd::Established } else { TlsEnd::Reset }, 10));
    assert!(worth(|_| TlsEnd::Reset, 9), "the first turn is not over");
}

#[test]
fn what_passes_and_fails_is_tried_from_fixed_ports_and_slowly() {
    let list = planned_for("shop.corp.test:443", &wavering(), 120);
    let mut ports: Vec<u16> = list.iter().filter_map(|followup| followup.source_port).collect();
    assert_eq!(count(&list, Experiment::SourcePort), 20);
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 10, "each port twice");
    assert_eq!((count(&list, Experiment::Slow), count(&list, Experiment::Baseline)), (2, 0));
    let after_two = planned(|_, turn| connected(if turn == 0 { TlsEnd::Reset } else { TlsEnd::Established }));
    assert_eq!(count(&after_two, Experiment::Baseline), 6);
}

#[test]
fn the_servers_own_word_and_the_librarys_limits_need_no_walk() {
    let authenticated = planned(|_, _| connected(TlsEnd::Alert(116)));
    assert_eq!(order(&authenticated), [Experiment::Baseline]);
    let http = HttpFacts { status: Some(502), ..HttpFacts::ended(HttpEnd::Answered) };
    let upstream = planned(|_, _| Facts { http: Some(http.clone()), ..connected(TlsEnd::Established) });
    assert_eq!(order(&upstream), [Experiment::Baseline]);
    let refusal = planned(|_, _| connected(TlsEnd::LocalRefusal(LocalRefusal::Version)));
    assert_eq!(order(&refusal), [Experiment::Baseline, Experiment::LegacyHello, Experiment::Tls13Only]);
}

#[test]
fn a_target_without_a_name_has_no_name_experiments() {
    let list = planned_for("192.0.2.7:443", &attempts(|_, _| connected(TlsEnd::Reset)), 120);
    for experiment in [Experiment::ControlName, Experiment::NoName, Experiment::SplitName, Experiment::NameAtResponder, Experiment::ControlWalk] {
        assert_eq!(count(&list, experiment), 0, "{experiment}");
    }
    assert_eq!((count(&list, Experiment::ReplyTtl), count(&list, Experiment::HelloWalk)), (1, 1));
}

#[test]
fn responders_are_of_the_family_and_the_ones_on_the_port_come_first() {
    let list = planned(|_, _| connected(TlsEnd::Reset));
    let at: Vec<_> = list.iter().filter(|followup| followup.task.experiment == Experiment::NameAtResponder).map(|followup| followup.task.address).collect();
    assert_eq!(at, [Some("203.0.113.2:443".parse().unwrap()), Some("203.0.113.1:7444".parse().unwrap())]);
}

#[test]
fn a_second_call_asks_only_for_what_was_not_run_and_the_budget_holds() {
    let mut row = attempts(|_, _| connected(TlsEnd::Reset));
    let first = planned_for("shop.corp.test:443", &row, 120);
    for followup in &first {
        for _ in 0..followup.task.repeat {
            let address = followup.task.address.unwrap().to_string();
            row.push(attempt(followup.task.profile.as_str(), followup.task.experiment, &address, connected(TlsEnd::Reset)));
        }
    }
    let rest = planned_for("shop.corp.test:443", &row, 120);
    assert!(rest.iter().all(|followup| !first.iter().any(|run| run.task == followup.task)), "{rest:?}");
    let small = planned_for("shop.corp.test:443", &attempts(|_, _| connected(TlsEnd::Reset)), 9);
    assert!(!small.is_empty() && small.iter().map(FollowUp::connections).sum::<u32>() <= 9);
    assert_eq!(planned_for("shop.corp.test:443", &attempts(|_, _| connected(TlsEnd::Reset)), 0), []);
}

#[test]
fn a_client_that_is_turned_down_beside_others_asks_what_the_server_would_choose_and_whether_responders_turn_it_down_too() {
    let check = check("shop.corp.test:443").with_profiles(&["chrome-137".to_owned(), "java-7".to_owned()]).unwrap();
    let seen = [("chrome-137", TlsEnd::Answered), ("java-7", TlsEnd::Alert(70))];
    let attempts: Vec<Attempt> = seen.map(|(profile, end)| attempt(profile, Experiment::Baseline, HERE, connected(end))).into();
    let responders = ["203.0.113.1:7444".parse().unwrap()];
    let planned = drill_down(&RowSoFar { check: &check, address: HERE.parse().unwrap(), attempts: &attempts, responders: &responders, connections_left: 120 });
    assert_eq!(order(&planned), [Experiment::LegacyHello, Experiment::NameAtResponder]);
    assert_eq!(planned[0].task.profile.as_str(), "java-7");
}
