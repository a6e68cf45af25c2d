//! A log that is indexed while it is written: what came from elsewhere can be read at once.

use desk_storage_lsm::memory_disk::{MemoryDisk, drive};
use desk_storage_lsm::narrow::Narrow;
use desk_storage_lsm::{Key, Options, Sequence, Store, UnixSecond};

use crate::node::{NOW, Node, key, key_at, small};

fn indexed() -> Options {
    Options { index_log: true, ..small() }
}

/// The sequence of the snapshot, and those of the records after it.
fn found(store: &Store<MemoryDisk>, key: &Key) -> Option<(Option<u64>, Vec<u64>)> {
    let stored = drive(store.get(key, NOW)).unwrap()?;
    for record in &stored.records {
        assert_eq!(record.payload, payload(record.sequence.0));
    }
    let records = stored.records.iter().map(|record| record.sequence.0).collect();
    Some((stored.snapshot.map(|snapshot| snapshot.sequence.0), records))
}

/// Long enough that ten do not share a segment.
fn payload(sequence: u64) -> Vec<u8> {
    vec![sequence as u8; 4_000]
}

fn append(node: &mut Node<MemoryDisk>, key: Key, sequences: impl IntoIterator<Item = u64>) {
    for sequence in sequences {
        node.stores[0].append(key, Sequence(sequence), &payload(sequence)).unwrap();
        drive(node.stores[0].commit()).unwrap();
        node.upkeep(NOW);
    }
}

#[test]
fn records_of_this_run_are_read_until_a_snapshot_covers_them() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, indexed(), NOW, 1).unwrap();
    let (one, two) = (key(1), key(2));
    append(&mut node, one, 1..=12);
    append(&mut node, two, 1..=1);
    assert_eq!(found(&node.stores[0], &one), Some((None, (1..=12).collect())));
    // A copy of what is there already changes nothing.
    append(&mut node, one, [11]);
    assert_eq!(found(&node.stores[0], &one), Some((None, (1..=12).collect())));
    node.stores[0].put(one, Sequence(11), b"whole").unwrap();
    assert_eq!(found(&node.stores[0], &one), Some((Some(11), vec![12])));
    drive(node.stores[0].checkpoint()).unwrap();
    assert_eq!(found(&node.stores[0], &one), Some((Some(11), vec![12])));
    // A snapshot that comes before its records are durable covers them, too.
    node.stores[0].append(two, Sequence(2), &payload(2)).unwrap();
    node.stores[0].put(two, Sequence(2), b"whole").unwrap();
    drive(node.stores[0].commit()).unwrap();
    assert_eq!(found(&node.stores[0], &two), Some((Some(2), vec![])));
    node.stores[0].delete(two).unwrap();
    drive(node.stores[0].commit()).unwrap();
    assert_eq!(found(&node.stores[0], &two), None);
    // The next run finds the same, and goes on where this one ended.
    assert!(node.upkeep(NOW));
    drop(node);
    let mut node = Node::start(&disk, indexed(), NOW, 1).unwrap();
    assert_eq!(found(&node.stores[0], &one), Some((Some(11), vec![12])));
    append(&mut node, one, 13..=15);
    assert_eq!(found(&node.stores[0], &one), Some((Some(11), vec![12, 13, 14, 15])));
    node.stores[0].put(one, Sequence(14), b"whole").unwrap();
    assert_eq!(found(&node.stores[0], &one), Some((Some(14), vec![15])));
}

#[test]
fn a_key_that_was_made_before_the_store_finds_its_bucket() {
    let disk = MemoryDisk::with_seed(1);
    let old = key_at(NOW.0 - 50_000, 1);
    let node = Node::start(&disk, indexed(), NOW, 1).unwrap();
    node.stores[0].append(old, Sequence(1), b"x").unwrap_err();
    drop(node);
    let behind = Options { stamp_behind: indexed().lifetime, ..indexed() };
    let mut node = Node::start(&disk, behind, NOW, 1).unwrap();
    append(&mut node, old, [1]);
    assert_eq!(found(&node.stores[0], &old), Some((None, vec![1])));
    let expires = NOW.0 - 50_000 + u64::from(behind.lifetime.0);
    assert_eq!(node.stores[0].expires_at(&old), Some(UnixSecond(expires)));
}

#[test]
fn a_snapshot_of_another_store_is_durable_before_records_follow() {
    // All keys but the homeless share one place of the index.
    for bits in [0, 16] {
        let _narrow = Narrow::to(bits);
        let disk = MemoryDisk::with_seed(1);
        let mut node = Node::start(&disk, indexed(), NOW, 1).unwrap();
        let (own, adopted, gone) = (key(1), key(2), key(3));
        append(&mut node, own, 1..=2);
        node.stores[0].put(own, Sequence(2), b"own").unwrap();
        assert!(!node.stores[0].is_adopting());
        node.stores[0].adopt(adopted, Sequence(40), true);
        node.stores[0].put(adopted, Sequence(40), b"whole").unwrap();
        let mut rounds = 0;
        while node.stores[0].is_adopting() {
            assert!(rounds < 10, "upkeep writes it by itself");
            rounds += 1;
            assert!(node.upkeep(NOW) && node.maintain(NOW));
        }
        append(&mut node, adopted, 41..=42);
        append(&mut node, gone, [1]);
        node.stores[0].delete(gone).unwrap();
        drive(node.stores[0].commit()).unwrap();
        // A snapshot of a deleted key is not waited for.
        node.stores[0].adopt(gone, Sequence(9), false);
        while node.stores[0].is_adopting() && rounds < 20 {
            node.stores[0].put(gone, Sequence(9), b"whole").unwrap();
            rounds += 1;
            assert!(node.upkeep(NOW) && node.maintain(NOW));
        }
        assert!(!node.stores[0].is_adopting());
        assert!(node.stores[0].is_deleted(&gone) && !node.stores[0].is_deleted(&own));
        disk.crash();
        disk.restart();
        drop(node);
        let node = Node::start(&disk, indexed(), NOW, 1).unwrap();
        assert!(node.report.is_sound(), "{:?}", node.report);
        assert_eq!(found(&node.stores[0], &adopted), Some((Some(40), vec![41, 42])));
        assert_eq!(found(&node.stores[0], &gone), None);
    }
}
