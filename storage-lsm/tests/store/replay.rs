//! What a start makes of long and of many logs.

use crate::node::{Chance, NOW, Node, key, small};
use crate::oracle::{payload, snapshot};
use desk_storage_lsm::disk::Disk;
use desk_storage_lsm::limits::{BLOCK_BYTES, REPLAY_WINDOW_BYTES};
use desk_storage_lsm::memory_disk::{MemoryDisk, drive};
use desk_storage_lsm::{Key, Options, Sequence};

/// Many segments, so that nothing needs a snapshot.
fn roomy() -> Options {
    Options { log_budget_bytes: 64 * small().segment_bytes, ..small() }
}

fn crash(disk: &MemoryDisk) {
    disk.crash();
    disk.restart();
}

fn commit(node: &Node) {
    for store in &node.stores {
        drive(store.commit()).unwrap();
    }
}

/// The snapshot's sequence and the records' of a key, whose bytes are right.
fn found(node: &Node, key: Key) -> (Option<u64>, Vec<u64>) {
    let stored = drive(node.store(&key).get(&key, NOW)).unwrap();
    let Some(stored) = stored else { return (None, Vec::new()) };
    for record in &stored.records {
        assert_eq!(record.payload, payload(&key, record.sequence.0));
    }
    let sequences = stored.records.iter().map(|record| record.sequence.0).collect();
    (stored.snapshot.map(|snapshot| snapshot.sequence.0), sequences)
}

#[test]
fn batches_come_back_wherever_they_lie_in_a_window() {
    let segment_bytes = 3 * REPLAY_WINDOW_BYTES as u64;
    let options = Options { segment_bytes, log_budget_bytes: 4 * segment_bytes, ..small() };
    let disk = MemoryDisk::with_seed(5);
    let node = Node::start(&disk, options, NOW, 1).unwrap();
    let mut chance = Chance(7);
    let mut lengths = Vec::new();
    let mut bytes = 0;
    // A segment and a half, in batches of 4 KiB to a whole megabyte.
    while bytes < segment_bytes * 3 / 2 {
        for _ in 0..1 + chance.below(2) {
            let length = 1 + chance.below(500_000) as usize;
            lengths.push(length);
            let payload = vec![length as u8; length];
            node.stores[0].append(key(1), Sequence(lengths.len() as u64), &payload).unwrap();
            bytes += length as u64;
        }
        drive(node.stores[0].commit()).unwrap();
    }
    crash(&disk);
    let node = Node::start(&disk, options, NOW, 1).unwrap();
    assert!(node.report.is_sound(), "{:?}", node.report);
    let records = drive(node.stores[0].get(&key(1), NOW)).unwrap().unwrap().records;
    assert!(records.iter().map(|record| record.payload.len()).eq(lengths));
    let byte_of = |length: usize| length as u8;
    assert!(records.iter().all(|record| {
        record.payload.iter().all(|byte| *byte == byte_of(record.payload.len()))
    }));
}

#[test]
fn a_key_has_its_records_from_all_logs_of_all_runs() {
    const KEYS: u64 = 40;
    const EACH: u64 = 7;
    let disk = MemoryDisk::with_seed(6);
    let runs = [1, 3, 2, 4];
    for (run, shards) in runs.into_iter().enumerate() {
        let mut node = Node::start(&disk, roomy(), NOW, shards).unwrap();
        assert_eq!(node.report.records, KEYS * EACH * run as u64);
        for turn in 1..=EACH {
            let sequence = run as u64 * EACH + turn;
            for tail in 0..KEYS {
                let payload = payload(&key(tail), sequence);
                let store = node.store(&key(tail));
                store.append(key(tail), Sequence(sequence), &payload).unwrap();
            }
            commit(&node);
            assert!(node.maintain(NOW));
        }
        crash(&disk);
    }
    let last = EACH * runs.len() as u64;
    let mut node = Node::start(&disk, roomy(), NOW, 2).unwrap();
    assert!(node.report.is_sound(), "{:?}", node.report);
    assert_eq!(node.report.records, KEYS * last);
    for tail in 0..KEYS {
        assert_eq!(found(&node, key(tail)), (None, (1..=last).collect()), "key {tail}");
    }
    // A snapshot covers some of a key's, or all; a tombstone all.
    let put = |node: &Node, tail: u64, sequence: u64| {
        let (key, value) = (key(tail), snapshot(&key(tail), sequence));
        node.store(&key).put(key, Sequence(sequence), &value).unwrap();
    };
    put(&node, 0, last - 5);
    put(&node, 1, last);
    node.store(&key(2)).delete(key(2)).unwrap();
    assert_eq!(found(&node, key(0)), (Some(last - 5), (last - 4..=last).collect()));
    assert_eq!(found(&node, key(1)), (Some(last), Vec::new()));
    assert_eq!(found(&node, key(2)), (None, Vec::new()));
    commit(&node);
    for store in &node.stores {
        drive(store.checkpoint()).unwrap();
    }
    assert!(node.maintain(NOW));
    for turn in 0..2 {
        crash(&disk);
        node = Node::start(&disk, roomy(), NOW, 3 - turn).unwrap();
        assert!(node.report.is_sound(), "{:?}", node.report);
        assert_eq!(node.report.records, (KEYS - 3) * last + 5);
        assert_eq!(found(&node, key(0)), (Some(last - 5), (last - 4..=last).collect()));
        assert_eq!(found(&node, key(1)), (Some(last), Vec::new()));
        assert_eq!(found(&node, key(2)), (None, Vec::new()));
        assert_eq!(found(&node, key(3)), (None, (1..=last).collect()));
        for store in &node.stores {
            drive(store.checkpoint()).unwrap();
        }
        assert!(node.maintain(NOW));
    }
    (3..KEYS).chain([0]).for_each(|tail| put(&node, tail, last));
    for store in &node.stores {
        drive(store.checkpoint()).unwrap();
    }
    assert!(node.maintain(NOW) && node.maintain(NOW));
    let inherited = node.stores.iter().map(|store| store.pressure().inherited_bytes);
    assert_eq!(inherited.sum::<u64>(), 0, "nothing of former runs is needed");
}

#[test]
fn a_segment_is_kept_for_first_and_last_records() {
    let disk = MemoryDisk::with_seed(8);
    let mut node = Node::start(&disk, roomy(), NOW, 1).unwrap();
    let append = |node: &mut Node, tail: u64, sequence: u64| {
        let payload = payload(&key(tail), sequence);
        node.stores[0].append(key(tail), Sequence(sequence), &payload).unwrap();
        drive(node.stores[0].commit()).unwrap();
        assert!(node.maintain(NOW));
    };
    // Key 1 has records in every segment; of each other key there is one.
    for sequence in 1..=24 {
        append(&mut node, 1, sequence);
        append(&mut node, 1 + sequence, 1);
    }
    crash(&disk);
    let mut node = Node::start(&disk, roomy(), NOW, 1).unwrap();
    let inherited = node.stores[0].pressure().inherited_bytes;
    assert!(inherited > 3 * small().segment_bytes, "several segments");
    for turn in 0..3 {
        // One after the other, so that at the end key 1 alone is in the way.
        for tail in 2..=25 {
            node.stores[0].put(key(tail), Sequence(1), &snapshot(&key(tail), 1)).unwrap();
        }
        drive(node.stores[0].checkpoint()).unwrap();
        assert!(node.maintain(NOW) && node.maintain(NOW));
        assert_eq!(node.stores[0].pressure().inherited_bytes, inherited, "turn {turn}");
        assert_eq!(found(&node, key(1)), (None, (1..=24).collect()), "turn {turn}");
        crash(&disk);
        node = Node::start(&disk, roomy(), NOW, 1).unwrap();
    }
}

/// The header of the newest use of a segment, as if its write had not arrived:
/// the file, and where the header stands.
fn newest_header(disk: &MemoryDisk) -> (String, usize) {
    let names = drive(disk.list()).unwrap().into_iter().filter(|name| name.ends_with(".log"));
    let headers = names.flat_map(|name| {
        let contents = disk.contents(&name).unwrap();
        let incarnation =
            |at: usize| u64::from_le_bytes(contents[at + 24..at + 32].try_into().unwrap());
        [0, BLOCK_BYTES].map(|at| (incarnation(at), name.clone(), at))
    });
    let (_, name, at) = headers.max().unwrap();
    (name, at)
}

#[test]
fn a_reused_segment_is_found_without_its_header() {
    let options = Options { log_budget_bytes: 3 * small().segment_bytes, ..small() };
    let disk = MemoryDisk::with_seed(9);
    let mut node = Node::start(&disk, options, NOW, 1).unwrap();
    let blocks = small().segment_bytes / BLOCK_BYTES as u64 - 2;
    let append = |node: &mut Node, keys: std::ops::Range<u64>| {
        for tail in keys {
            let payload = payload(&key(tail), 1);
            node.stores[0].append(key(tail), Sequence(1), &payload).unwrap();
            commit(node);
            assert!(node.maintain(NOW));
        }
    };
    // Two segments and one batch of the third, whose header names both.
    append(&mut node, 0..2 * blocks + 1);
    for tail in 0..blocks {
        node.stores[0].put(key(tail), Sequence(1), &snapshot(&key(tail), 1)).unwrap();
    }
    drive(node.stores[0].checkpoint()).unwrap();
    assert!(node.maintain(NOW) && node.maintain(NOW));
    // The rest of the third, and two batches in the first, used again.
    append(&mut node, 2 * blocks + 1..3 * blocks + 2);
    let first = first_log(&disk);
    let (name, at) = newest_header(&disk);
    assert_eq!(name, first, "the first segment is in use again");
    crash(&disk);
    disk.overwrite(&name, at, &[0; BLOCK_BYTES]);
    let node = Node::start(&disk, options, NOW, 1).unwrap();
    assert!(node.report.is_sound(), "{:?}", node.report);
    for tail in 0..3 * blocks + 2 {
        let expected = if tail < blocks { (Some(1), vec![]) } else { (None, vec![1]) };
        assert_eq!(found(&node, key(tail)), expected, "key {tail}");
    }
}

fn first_log(disk: &MemoryDisk) -> String {
    drive(disk.list()).unwrap().into_iter().find(|name| name.ends_with(".log")).unwrap()
}

#[test]
fn directories_of_any_length_are_read_unsealed() {
    let disk = MemoryDisk::with_seed(10);
    let options = Options { table_bytes: 1 << 20, ..roomy() };
    let mut node = Node::start(&disk, options, NOW, 1).unwrap();
    // Blocks of 1, of 300 and of 2 values: the second directory takes four
    // blocks of the disk, the others one.
    for tails in [0..1, 1..301, 301..303] {
        for tail in tails.clone() {
            let payload = payload(&key(tail), 1);
            node.stores[0].append(key(tail), Sequence(1), &payload).unwrap();
            commit(&node);
            assert!(node.maintain(NOW));
        }
        for tail in tails {
            node.stores[0].put(key(tail), Sequence(1), b"tiny").unwrap();
        }
        drive(node.stores[0].checkpoint()).unwrap();
        assert!(node.maintain(NOW));
    }
    crash(&disk);
    let node = Node::start(&disk, options, NOW, 1).unwrap();
    assert!(node.report.is_sound(), "{:?}", node.report);
    for tail in 0..303 {
        assert_eq!(found(&node, key(tail)), (Some(1), vec![]), "key {tail}");
    }
}
