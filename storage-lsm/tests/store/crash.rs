//! Power fails where values are large, and again during the recovery from it;
//! an oracle knows what must be there afterwards. The sweep over every access
//! of a longer story is in `sweep.rs`.

use std::ops::Range;

use crate::node::{Chance, NOW, Node, Stage as _, key, small};
use crate::oracle::{LARGE, Oracle, steps};
use crate::scenario::is_full_sweep;
use desk_storage_lsm::Options;
use desk_storage_lsm::memory_disk::{Faults, MemoryDisk, Misfortune, drive};

const KEYS: Range<u64> = 0..12;
const LARGE_KEYS: Range<u64> = LARGE..LARGE + 5;

/// A run: work, a clean restart with another number of shards, more work.
/// Returns at the first failure of the disk.
fn run(disk: &MemoryDisk, oracle: &mut Oracle, seed: u64, keys: Range<u64>) {
    let mut chance = Chance(seed);
    for (round, shards) in [2, 1, 3].into_iter().enumerate() {
        oracle.restart();
        if round > 0 {
            disk.inspect_finds_no_damage();
        }
        let Ok(mut node) = Node::start(disk, small(), NOW, shards) else { return };
        assert!(node.report.is_sound(), "{:?}", node.report);
        oracle.check(&node, NOW);
        steps(&mut node, oracle, &mut chance, 110, keys.clone(), NOW);
        if !disk.is_up() {
            return;
        }
        match (round as u64 + seed) % 3 {
            0 => assert!(node.shutdown(NOW) || !disk.is_up()),
            // The process is killed: unsynced bytes stay where they are, and
            // may go later, when power fails.
            1 => disk.restart(),
            _ => {
                disk.crash();
                disk.restart();
            }
        }
        if !disk.is_up() {
            return;
        }
    }
}

/// The store opens, holds what it must, and works on.
fn opens_and_works(disk: &MemoryDisk, oracle: &mut Oracle, seed: u64, shards: u16) {
    let mut chance = Chance(seed);
    for again in 0..2 {
        oracle.restart();
        let mut node = Node::start(disk, small(), NOW, shards + again).unwrap();
        assert!(node.report.is_sound(), "{:?}", node.report);
        oracle.check(&node, NOW);
        steps(&mut node, oracle, &mut chance, 30, KEYS, NOW);
        node.stores.iter().for_each(|store| assert_eq!(store.poisoned(), None));
        disk.crash();
        disk.restart();
    }
    oracle.restart();
    let node = Node::start(disk, small(), NOW, 1).unwrap();
    oracle.check(&node, NOW);
}

fn accesses_of(seed: u64, keys: Range<u64>) -> u64 {
    let disk = MemoryDisk::with_seed(seed);
    run(&disk, &mut Oracle::default(), seed, keys);
    disk.accesses()
}

fn fail_everywhere(seed: u64, keys: Range<u64>, stride: usize) {
    let accesses = accesses_of(seed, keys.clone());
    assert!(accesses > 300, "the scenario does something: {accesses}");
    println!("swept: {} crashes with keys {keys:?}", (0..accesses).step_by(stride).count());
    for at in (0..accesses).step_by(stride) {
        let disk = MemoryDisk::with_seed(seed);
        disk.set_faults(Faults { at: vec![(at, Misfortune::Crash)], capacity_bytes: None });
        let mut oracle = Oracle::default();
        run(&disk, &mut oracle, seed, keys.clone());
        assert!(!disk.is_up(), "access {at} of {accesses} was reached");
        disk.restart();
        disk.inspect_finds_no_damage();
        opens_and_works(&disk, &mut oracle, seed ^ at, 1 + (at % 3) as u16);
    }
}

#[test]
fn tables_synced_long_after_writing_lose_nothing() {
    let (seeds, stride) = if is_full_sweep() { (3..6, 1) } else { (3..4, 7) };
    for seed in seeds {
        fail_everywhere(seed, LARGE_KEYS, stride);
    }
}

#[test]
fn a_recovery_that_is_interrupted_is_repeated() {
    let seed = 5;
    let accesses = accesses_of(seed, KEYS);
    for at in (0..accesses).step_by(9) {
        for later in 0..12 {
            let disk = MemoryDisk::with_seed(seed + later);
            disk.set_faults(Faults {
                at: vec![(at, Misfortune::Crash), (at + 1 + later * 5, Misfortune::Crash)],
                capacity_bytes: None,
            });
            let mut oracle = Oracle::default();
            run(&disk, &mut oracle, seed, KEYS);
            disk.restart();
            oracle.restart();
            if let Ok(node) = Node::start(&disk, small(), NOW, 2) {
                oracle.check(&node, NOW);
                disk.crash();
            }
            disk.restart();
            disk.set_faults(Faults::default());
            opens_and_works(&disk, &mut oracle, at, 2);
        }
    }
}

#[test]
fn a_power_cut_during_recovery_loses_nothing() {
    // The table is not full, so nothing syncs it before its checkpoint.
    let options = Options { table_bytes: 8 << 20, ..small() };
    for seed in 0..12 {
        let disk = MemoryDisk::with_seed(seed);
        let mut node = Node::start(&disk, options, NOW, 1).unwrap();
        let mut oracle = Oracle::default();
        for key in LARGE_KEYS.map(key) {
            oracle.append(&mut node, key);
        }
        oracle.commit(&mut node);
        for key in LARGE_KEYS.map(key) {
            oracle.put(&mut node, key);
        }
        // A block of the table is written and not synced; the process dies.
        drive(node.stores[0].maintain(NOW)).unwrap();
        assert!(node.stores[0].counters().table_bytes > 500_000);
        assert!(node.manifest_round(NOW));
        disk.restart();
        oracle.restart();
        let before = disk.accesses();
        let whole = disk.fork();
        Node::start(&whole, options, NOW, 1).unwrap();
        for at in before..whole.accesses() {
            let disk = disk.fork();
            disk.set_faults(Faults { at: vec![(at, Misfortune::Crash)], capacity_bytes: None });
            assert!(Node::start(&disk, options, NOW, 1).is_err());
            disk.restart();
            let node = Node::start(&disk, options, NOW, 2).unwrap();
            assert!(node.report.is_sound(), "{:?}", node.report);
            oracle.clone().check(&node, NOW);
        }
    }
}

#[test]
fn what_a_start_has_read_stays_durable() {
    let mut seen = 0;
    for seed in 0..16 {
        let disk = MemoryDisk::with_seed(seed);
        let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
        let mut oracle = Oracle::default();
        oracle.append(&mut node, key(1));
        oracle.commit(&mut node);
        oracle.append(&mut node, key(1));
        disk.set_faults(Faults {
            at: vec![(disk.accesses(), Misfortune::Error)],
            capacity_bytes: None,
        });
        oracle.commit(&mut node);
        assert!(node.has_failed());
        // The process is started again, and shows what it finds.
        disk.restart();
        oracle.restart();
        let node = Node::start(&disk, small(), NOW, 1).unwrap();
        oracle.check(&node, NOW);
        seen += oracle.keys[&key(1)].appended - 1;
        disk.crash();
        disk.restart();
        oracle.restart();
        let node = Node::start(&disk, small(), NOW, 1).unwrap();
        assert!(node.report.is_sound(), "{:?}", node.report);
        oracle.check(&node, NOW);
    }
    assert!((1..16).contains(&seen), "some failed batches were seen: {seen}");
}

#[test]
fn a_repeated_start_builds_only_on_durable_bytes() {
    let options = Options { table_bytes: 8 << 20, ..small() };
    let disk = MemoryDisk::with_seed(3);
    let mut node = Node::start(&disk, options, NOW, 1).unwrap();
    let mut oracle = Oracle::default();
    for key in LARGE_KEYS.map(key) {
        oracle.append(&mut node, key);
    }
    oracle.commit(&mut node);
    for key in LARGE_KEYS.map(key) {
        oracle.put(&mut node, key);
    }
    drive(node.stores[0].maintain(NOW)).unwrap();
    assert!(node.stores[0].counters().table_bytes > 500_000);
    assert!(node.manifest_round(NOW));
    // The process dies, and its table is not synced.
    disk.restart();
    let whole = disk.fork();
    Node::start(&whole, options, NOW, 1).unwrap();
    for at in disk.accesses()..whole.accesses() {
        let (disk, mut oracle) = (disk.fork(), oracle.clone());
        disk.set_faults(Faults { at: vec![(at, Misfortune::Error)], capacity_bytes: None });
        let _ = Node::start(&disk, options, NOW, 1);
        disk.restart();
        // The next start lets go of whatever it takes for needless.
        let mut node = Node::start(&disk, options, NOW, 1).unwrap();
        for _ in 0..3 {
            drive(node.stores[0].checkpoint()).unwrap();
            assert!(node.maintain(NOW));
        }
        disk.crash();
        disk.restart();
        oracle.restart();
        let node = Node::start(&disk, options, NOW, 1).unwrap();
        assert!(node.report.is_sound(), "failed at {at}: {:?}", node.report);
        oracle.check(&node, NOW);
    }
}
