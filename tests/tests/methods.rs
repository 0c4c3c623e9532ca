//! The path methods at work: what the probe engine measures in the lab, fact by fact, as an unprivileged user and without a fleet.
//!
//! Needs what the lab needs; where that is missing it fails and says so.

use std::{env, path::Path};

use parallax_tests::lab::{Lab, Programs, Scenario, measure, run::side_by_side};

#[test]
fn the_engine_measures_what_the_scenarios_state() {
    let mut scenarios = Scenario::read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")).expect("the scenarios parse");
    scenarios.retain(|scenario| !scenario.measures.is_empty());
    let programs = Programs::in_folder(&env::temp_dir()).expect("cargo built lab-device before this test");
    let mut differences = Vec::new();
    side_by_side(&scenarios, AT_ONCE, |scenario| differences_in(scenario, &programs), |found| differences.extend(found));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn differences_in(scenario: &Scenario, programs: &Programs) -> Vec<String> {
    let lab = Lab::start(scenario, programs).unwrap_or_else(|error| panic!("{}: {error}", scenario.id));
    let measured = scenario.measures.iter().flat_map(|wanted| {
        // A learned path MTU would heal the next measure.
        lab.flush_routes().expect("routes can be flushed");
        measure(&lab, wanted).expect("the engine runs in the lab").differences
    });
    measured.map(|difference| format!("{}: {difference}", scenario.id)).collect()
}

const AT_ONCE: usize = 3;
