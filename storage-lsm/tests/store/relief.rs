//! What frees the log while some keys are never put: because nobody can, or
//! because they have expired.

use crate::node::{NOW, Node, key, key_at, small};
use crate::oracle::{Oracle, payload};
use desk_storage_lsm::disk::Disk;
use desk_storage_lsm::inspect::inspect;
use desk_storage_lsm::memory_disk::{MemoryDisk, drive};
use desk_storage_lsm::{GetError, Key, Options, PressureLevel, Seconds, Sequence, UnixSecond};

fn at(past: u64) -> UnixSecond {
    UnixSecond(NOW.0 + past)
}

/// Of these keys, none can be put.
const LOST: [u64; 4] = [0, 1, 2, 3];

/// A store in its first life with a record of each key that nobody can put.
fn with_lost(disk: &MemoryDisk) -> (Node, Oracle) {
    let mut node = Node::start(disk, small(), NOW, 1).unwrap();
    let mut oracle = Oracle::default();
    for key in LOST.map(key) {
        assert!(oracle.append(&mut node, key));
    }
    (node, oracle)
}

/// Appends to some keys and puts what the keeper asks for, but never those that
/// nobody can put; returns how many records were refused.
fn work(node: &mut Node, oracle: &mut Oracle, lost: &[Key], rounds: u64) -> usize {
    let mut refused = 0;
    for round in 0..rounds {
        for tail in 0..3 {
            refused += usize::from(!oracle.append(node, key(20 + (round + tail) % 7)));
        }
        oracle.commit(node);
        for key in node.drivers[0].take_asked() {
            if !lost.contains(&key) {
                oracle.put(node, key);
            }
        }
        assert!(node.upkeep(at(1)));
    }
    refused
}

#[test]
fn keys_that_are_never_put_do_not_fill_the_log() {
    let disk = MemoryDisk::with_seed(1);
    let (mut node, mut oracle) = with_lost(&disk);
    assert_eq!(work(&mut node, &mut oracle, &LOST.map(key), 600), 0);
    let counters = node.stores[0].counters();
    assert!(counters.log_bytes > 20 * small().segment_bytes, "{counters:?}");
    assert!(node.stores[0].pressure().level < PressureLevel::Urgent);
    disk.crash();
    disk.restart();
    oracle.restart();
    let node = Node::start(&disk, small(), at(1), 2).unwrap();
    assert!(node.report.is_sound());
    oracle.check(&node, at(1));
}

#[test]
fn a_former_runs_log_goes_but_for_what_nobody_puts() {
    let disk = MemoryDisk::with_seed(1);
    let (mut node, mut oracle) = with_lost(&disk);
    for round in 0..40 {
        assert!(oracle.append(&mut node, key(20 + round % 7)));
        oracle.commit(&mut node);
        assert!(node.manifest_round(NOW) && drive(node.stores[0].maintain(NOW)).is_ok());
    }
    disk.crash();
    disk.restart();
    oracle.restart();
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    let inherited = node.stores[0].pressure().inherited_bytes;
    assert!(inherited > 2 * small().segment_bytes, "{inherited}");
    assert_eq!(work(&mut node, &mut oracle, &LOST.map(key), 60), 0);
    let left = node.stores[0].pressure().inherited_bytes;
    assert_eq!(left, small().segment_bytes, "the segment of those that nobody puts is left");
}

#[test]
fn a_damaged_value_does_not_hide_other_keys() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    let mut oracle = Oracle::default();
    let lost = LOST.map(key);
    for key in lost {
        oracle.append(&mut node, key);
        oracle.put(&mut node, key);
    }
    drive(node.stores[0].commit()).unwrap();
    assert!(node.stores.iter().all(|store| drive(store.shutdown()).is_ok()));
    assert!(node.manifest_round(NOW));
    drop(node);
    // The values rot; then each key gets a record, and the process is killed.
    let name = drive(disk.list()).unwrap().into_iter().find(|name| name.ends_with(".table"));
    let name = name.unwrap();
    let node = Node::start(&disk, small(), NOW, 1).unwrap();
    for key in lost {
        assert!(node.stores[0].append(key, Sequence(2), &payload(&key, 2)).is_ok());
    }
    drive(node.stores[0].commit()).unwrap();
    disk.overwrite(&name, 4096, &[7; 4096]);
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    for key in &lost {
        let read = drive(node.stores[0].get(key, NOW)).err();
        assert!(matches!(read, Some(GetError::Damaged { .. })), "{read:?}");
    }
    let mut others = Oracle::default();
    assert_eq!(work(&mut node, &mut others, &lost, 600), 0);
}

/// Keys live for 500 seconds in buckets that live far longer.
fn brief() -> Options {
    Options { lifetime: Seconds(500), bucket: Seconds(50_000), ..small() }
}

#[test]
fn a_key_that_has_expired_holds_nothing() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, brief(), NOW, 1).unwrap();
    for sequence in 1..=40 {
        for tail in 0..3 {
            let key = key(tail);
            node.stores[0].append(key, Sequence(sequence), &payload(&key, sequence)).unwrap();
        }
        drive(node.stores[0].commit()).unwrap();
        assert!(node.maintain(NOW));
    }
    node.stores[0].put(key(2), Sequence(30), b"an old state").unwrap();
    let young = key_at(NOW.0 + 600, 9);
    let second = young.second();
    assert!(u64::from(second) < NOW.0 - NOW.0 % 50_000 + 50_000, "the same bucket");
    node.stores[0].append(young, Sequence(1), b"young").unwrap();
    drive(node.stores[0].commit()).unwrap();
    let used = node.stores[0].pressure().used_bytes;
    assert!(used > 2 * brief().segment_bytes);
    // The owner tells the time that it has recorded.
    for _ in 0..3 {
        assert!(node.manifest_round(at(700)) && drive(node.stores[0].maintain(at(700))).is_ok());
    }
    assert_eq!(node.stores[0].holding_keys(9), []);
    assert_eq!(node.stores[0].counters().held_keys, 1, "of the one that lives");
    assert_eq!(node.stores[0].pressure().used_bytes, brief().segment_bytes);
    // The clock is set back: the key is not there again without its records.
    let gone = Some(GetError::Expired { at: at(500) });
    assert_eq!(drive(node.stores[0].get(&key(2), at(400))).err(), gone);
    disk.crash();
    disk.restart();
    assert!(drive(inspect(&disk)).unwrap().is_sound());
    // Nobody trusts a clock that is days ahead, and what has expired by the
    // recorded time is gone all the same.
    for now in [at(400), at(7 * 86_400), at(400)] {
        let node = Node::start(&disk, brief(), now, 2).unwrap();
        assert!(node.report.is_sound() && node.report.quarantined.is_empty(), "{:?}", node.report);
        assert!(!node.store(&key(2)).contains(&key(2)));
        assert!(node.store(&young).contains(&young));
        let read = drive(node.store(&key(2)).get(&key(2), at(400))).err();
        assert_eq!(read, Some(GetError::Expired { at: at(500) }));
        drop(node);
        disk.crash();
        disk.restart();
    }
}

#[test]
fn a_clock_that_is_not_trusted_lets_go_of_nothing() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, brief(), NOW, 1).unwrap();
    node.stores[0].append(key(0), Sequence(1), b"x").unwrap();
    drive(node.stores[0].commit()).unwrap();
    let year = at(365 * 86_400);
    for _ in 0..3 {
        assert!(node.maintain(year));
    }
    assert_eq!(node.stores[0].counters().held_keys, 1);
    disk.crash();
    disk.restart();
    let node = Node::start(&disk, brief(), at(1), 1).unwrap();
    assert!(drive(node.stores[0].get(&key(0), at(1))).unwrap().is_some());
}
