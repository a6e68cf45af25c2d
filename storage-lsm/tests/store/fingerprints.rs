//! Whole stores whose keys nearly all have one fingerprint: through restarts,
//! crashes, compaction and deletions nothing is lost, mixed up or made up.

use crate::limits::rewrite_much;
use crate::node::{Chance, NOW, Node, key, small};
use crate::oracle::{Oracle, steps};
use desk_storage_lsm::UnixSecond;
use desk_storage_lsm::memory_disk::{Faults, MemoryDisk, Misfortune, drive};
use desk_storage_lsm::narrow::Narrow;

fn unknown_keys_are_unknown(node: &Node, tails: std::ops::Range<u64>) {
    for key in tails.map(key) {
        assert!(drive(node.store(&key).get(&key, NOW)).unwrap().is_none(), "{key:?}");
    }
}

#[test]
fn nothing_is_mixed_up_where_all_fingerprints_collide() {
    let mut compacted = 0;
    for bits in [0, 1, 3] {
        let _narrow = Narrow::to(bits);
        for seed in 0..30 {
            let disk = MemoryDisk::with_seed(seed);
            let (mut oracle, mut chance) = (Oracle::default(), Chance(seed));
            for round in 0..4 {
                oracle.restart();
                let shards = 1 + ((seed + round) % 3) as u16;
                let mut node = Node::start(&disk, small(), NOW, shards).unwrap();
                assert!(node.report.is_sound(), "{:?}", node.report);
                oracle.check(&node, NOW);
                steps(&mut node, &mut oracle, &mut chance, 150, 0..14, NOW);
                unknown_keys_are_unknown(&node, 300..330);
                compacted += node.stores.iter().map(|s| s.counters().compacted_bytes).sum::<u64>();
                if round % 2 == 0 {
                    assert!(node.shutdown(NOW));
                } else {
                    disk.crash();
                    disk.restart();
                }
            }
        }
    }
    assert!(compacted > 100_000, "{compacted} bytes were moved");
}

#[test]
fn power_fails_at_every_access_where_fingerprints_collide() {
    let _narrow = Narrow::to(1);
    let run = |disk: &MemoryDisk, oracle: &mut Oracle| {
        let mut chance = Chance(4);
        for shards in [2, 1] {
            oracle.restart();
            let Ok(mut node) = Node::start(disk, small(), NOW, shards) else { return };
            steps(&mut node, oracle, &mut chance, 120, 0..10, NOW);
            if !disk.is_up() || !node.shutdown(NOW) {
                return;
            }
        }
    };
    let whole = MemoryDisk::with_seed(1);
    run(&whole, &mut Oracle::default());
    for at in 0..whole.accesses() {
        let disk = MemoryDisk::with_seed(1);
        disk.set_faults(Faults { at: vec![(at, Misfortune::Crash)], capacity_bytes: None });
        let mut oracle = Oracle::default();
        run(&disk, &mut oracle);
        disk.restart();
        oracle.restart();
        let node = Node::start(&disk, small(), NOW, 3).unwrap();
        assert!(node.report.is_sound(), "{:?}", node.report);
        oracle.check(&node, NOW);
    }
}

#[test]
fn deleting_what_was_never_there_takes_nobodys_place() {
    let _narrow = Narrow::to(0);
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    let mut oracle = Oracle::default();
    oracle.append(&mut node, key(1));
    drive(node.stores[0].commit()).unwrap();
    oracle.acknowledge(&mut node);
    oracle.put(&mut node, key(1));
    drive(node.stores[0].checkpoint()).unwrap();
    for tail in [7, 8] {
        node.stores[0].delete(key(tail)).unwrap();
        drive(node.stores[0].commit()).unwrap();
        drive(node.stores[0].checkpoint()).unwrap();
        oracle.check(&node, NOW);
        unknown_keys_are_unknown(&node, 2..30);
    }
    // And a key whose only entry was its own is gone when it is deleted.
    node.stores[0].delete(key(1)).unwrap();
    drive(node.stores[0].commit()).unwrap();
    drive(node.stores[0].checkpoint()).unwrap();
    assert_eq!(node.stores[0].counters().keys, 3);
    unknown_keys_are_unknown(&node, 0..30);
    assert!(node.manifest_round(NOW));
    let node = Node::start(&disk, small(), NOW, 2).unwrap();
    unknown_keys_are_unknown(&node, 0..30);
}

#[test]
fn a_compacted_table_takes_its_own_keys_along_and_no_others() {
    let _narrow = Narrow::to(1);
    rewrite_much(UnixSecond(NOW.0 + 1));
}
