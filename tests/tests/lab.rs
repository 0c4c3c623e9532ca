//! The lab itself, without the products: it stands, keeps to itself, and leaves nothing behind.
//!
//! These need the packages of `lab-packages.txt`, and root or user namespaces; where that is missing they fail and say so.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use parallax_tests::lab::{Lab, Programs, Scenario, look};

fn scenario(id: &str) -> Scenario {
    let all = Scenario::read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")).expect("the scenarios parse");
    all.into_iter().find(|scenario| scenario.id == id).expect("the scenario exists")
}

/// The lab alone needs no products: any folder stands for theirs.
fn programs() -> Programs {
    Programs::in_folder(&env::temp_dir()).expect("cargo built lab-device before this test")
}

fn assert_as_stated(lab: &Lab) {
    for symptom in &lab.scenario().symptoms {
        for sight in look(lab, symptom).expect("the lab can be looked at") {
            assert!(sight.differences.is_empty(), "{} from {}: {:?}", lab.scenario().id, sight.from, sight.differences);
        }
    }
}

#[test]
fn labs_side_by_side_have_their_own_faults() {
    thread::scope(|scope| {
        for id in ["00-healthy", "01-sni-reset", "23-dns-lie"] {
            scope.spawn(move || assert_as_stated(&Lab::start(&scenario(id), &programs()).unwrap()));
        }
    });
}

#[test]
fn a_fault_can_be_put_in_place_while_the_lab_runs() {
    let filtered = scenario("01-sni-reset");
    let mut lab = Lab::start(&scenario("00-healthy"), &programs()).unwrap();
    assert_as_stated(&lab);
    for fault in &filtered.faults {
        lab.impose(fault).unwrap();
    }
    assert_eq!(look(&lab, &filtered.symptoms[0]).unwrap()[0].contacts[0].face, "reset");
    lab.flush_routes().unwrap();
}

#[test]
fn a_fault_that_does_not_hold_is_noticed() {
    let mut wrong = scenario("00-healthy");
    wrong.symptoms = scenario("01-sni-reset").symptoms;
    let lab = Lab::start(&wrong, &programs()).unwrap();
    let sights = look(&lab, &wrong.symptoms[0]).unwrap();
    assert!(sights[0].differences.iter().any(|difference| difference.contains("the face is ok")), "{sights:?}");
}

#[test]
fn everything_ends_with_an_owner_that_was_killed() {
    let mut owner = Command::new(env!("CARGO_BIN_EXE_lab"));
    owner.args(["up", "--no-fleet", "00-healthy"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut owner = owner.spawn().unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines().map_while(Result::ok);
    let logs = lines.filter_map(|line| line.strip_prefix("logs: /proc/").map(str::to_owned)).next().expect("the lab came up");
    let init = logs.split('/').next().unwrap().to_owned();
    let resolver = format!("/proc/{init}/root/run/lab/resolv.conf");
    assert!(Path::new(&resolver).exists(), "{resolver}");

    owner.kill().unwrap();
    owner.wait().unwrap();
    let end = Instant::now() + Duration::from_secs(5);
    while Path::new(&resolver).exists() {
        assert!(Instant::now() < end, "process {init} of the lab still lives");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn products_that_are_not_built_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_lab")).args(["run", "00-healthy", "--bin-dir"]).arg(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("parallax does not exist; build it first"), "{text}");
}
