use std::fs;

use super::{
    frame::Kind,
    store::{Caps, Entry, Piece, Store},
};
use parallax_model::id::BootId;

fn attempt(text: &str, important: bool) -> Entry {
    Entry { kind: Kind::Attempt, important, payload: text.as_bytes().to_vec() }
}

fn done(text: &str) -> Entry {
    Entry { kind: Kind::ShareDone, important: true, payload: text.as_bytes().to_vec() }
}

/// Everything that would be sent, as text: `boot-letter first: a b c` or `done x`.
fn contents(store: &mut Store, boots: &[BootId]) -> Vec<String> {
    let mut seen = Vec::new();
    let mut at = 0;
    while let Some(piece) = store.read(at).unwrap() {
        at = piece.next();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        seen.push(match piece {
            Piece::Attempts { boot, first_sequence, attempts, .. } => {
                let boot = boots.iter().position(|known| *known == boot).unwrap();
                format!("{boot}/{first_sequence}: {}", attempts.into_iter().map(text).collect::<Vec<_>>().join(" "))
            }
            Piece::ShareDone { payload, .. } => format!("done {}", text(payload)),
        });
    }
    seen
}

#[test]
fn what_is_not_acknowledged_survives_a_restart_under_its_own_boot() {
    let dir = tempfile::tempdir().unwrap();
    let boots = [BootId::new(), BootId::new()];
    let mut store = Store::open(dir.path(), boots[0], Caps::default()).unwrap();
    store.append(vec![attempt("a", false), attempt("b", false), done("x"), attempt("c", true)]);
    assert_eq!(store.waiting(), 3);
    drop(store);
    let mut store = Store::open(dir.path(), boots[1], Caps::default()).unwrap();
    assert_eq!(store.waiting(), 3);
    store.append(vec![attempt("d", false), done("y")]);
    let all = ["0/1: a b", "done x", "0/3: c", "1/1: d", "done y"];
    assert_eq!(contents(&mut store, &boots), all);
    store.acknowledge(boots[0], 2);
    assert_eq!(contents(&mut store, &boots), all[1..]);
    store.confirm(4);
    assert_eq!(contents(&mut store, &boots), all[2..]);
    store.acknowledge(boots[0], 3);
    store.acknowledge(boots[1], 1);
    assert_eq!(contents(&mut store, &boots), all[4..]);
    assert_eq!((store.waiting(), store.is_empty()), (0, false));
    store.confirm(100);
    assert!(store.is_empty());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "acknowledged files are gone");
}

#[test]
fn a_cut_tail_loses_only_itself_and_a_damaged_file_is_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    let boots = [BootId::new(), BootId::new()];
    let mut store = Store::open(dir.path(), boots[0], Caps::default()).unwrap();
    store.append(vec![attempt("a", false), attempt("b", false)]);
    drop(store);
    let path = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    fs::write(dir.path().join("00000000000000000099.seg"), b"nonsense, but long enough for a header").unwrap();
    let mut store = Store::open(dir.path(), boots[1], Caps::default()).unwrap();
    store.append(vec![attempt("c", false)]);
    assert_eq!(contents(&mut store, &boots), ["0/1: a", "1/1: c"]);
    assert!(dir.path().join("00000000000000000099.damaged").exists());
}

#[test]
fn many_batches_and_files_are_read_back_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let boots = [BootId::new()];
    let caps = Caps { segment: 10_000, ..Caps::default() };
    let mut store = Store::open(dir.path(), boots[0], caps).unwrap();
    for group in 0..50 {
        store.append((0..21).map(|n| attempt(&format!("{:040}", group * 21 + n), false)).collect());
    }
    assert!(fs::read_dir(dir.path()).unwrap().count() > 5);
    let (mut at, mut expected) = (0, 1);
    while let Some(piece) = store.read(at).unwrap() {
        at = piece.next();
        let Piece::Attempts { first_sequence, attempts, .. } = piece else { panic!("only attempts were written") };
        assert_eq!(first_sequence, expected);
        assert!(attempts.len() <= 200);
        for payload in attempts {
            assert_eq!(String::from_utf8(payload).unwrap(), format!("{:040}", expected - 1));
            expected += 1;
        }
    }
    assert_eq!(expected, 1_051);
    store.acknowledge(boots[0], 500);
    assert_eq!(store.waiting(), 550);
    assert!(contents(&mut store, &boots)[0].starts_with("0/501: "));
}

#[test]
fn over_the_cap_the_oldest_successes_go_first_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let boots = [BootId::new()];
    let caps = Caps { disk: 6_000, segment: 1_000, ..Caps::default() };
    let mut store = Store::open(dir.path(), boots[0], caps).unwrap();
    for n in 0..100 {
        store.append(vec![attempt(&format!("{n:074}"), n % 10 == 0)]);
    }
    let on_disk: u64 = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(on_disk <= 6_000, "{on_disk}");
    let kept: Vec<u32> = contents(&mut store, &boots)
        .iter()
        .flat_map(|line| line.split_once(": ").unwrap().1.split(' ').map(|number| number.parse().unwrap()).collect::<Vec<u32>>())
        .collect();
    assert!((0..100).step_by(10).all(|failure| kept.contains(&failure)), "every failure is kept: {kept:?}");
    assert!(kept.contains(&99) && !kept.contains(&1), "the newest successes are kept: {kept:?}");
    assert_eq!(store.dropped() + kept.len() as u64, 100);
    assert_eq!(store.waiting(), kept.len() as u64);
}

#[test]
fn a_disk_that_takes_nothing_costs_nothing_until_memory_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("spool");
    let boots = [BootId::new()];
    let caps = Caps { memory: 500, ..Caps::default() };
    let mut store = Store::open(&folder, boots[0], caps).unwrap();
    fs::remove_dir(&folder).unwrap();
    store.append(vec![attempt("a", false), attempt("b", true)]);
    assert!(store.is_stuck());
    assert_eq!(contents(&mut store, &boots), ["0/1: a b"], "it can be sent from memory");
    store.acknowledge(boots[0], 1);
    assert_eq!(contents(&mut store, &boots), ["0/2: b"]);
    fs::create_dir(&folder).unwrap();
    store.save();
    assert!(!store.is_stuck());
    assert_eq!(contents(&mut store, &boots), ["0/2: b"], "it is on disk");
}

#[test]
fn full_memory_gives_up_successes_before_failures() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("spool");
    let boots = [BootId::new()];
    let mut store = Store::open(&folder, boots[0], Caps { memory: 500, ..Caps::default() }).unwrap();
    fs::remove_dir(&folder).unwrap();
    store.append((0..10).map(|n| attempt(&format!("{n:090}"), n == 0)).collect());
    let kept: Vec<String> = contents(&mut store, &boots).iter().map(|line| line.split_once(':').unwrap().0.to_owned()).collect();
    assert_eq!(kept, ["0/1", "0/8"], "the failure, and the newest successes");
    assert_eq!((store.waiting(), store.dropped()), (4, 6));
}
