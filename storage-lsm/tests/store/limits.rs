//! Fullness: the log's budget, the disk's reserve, the backlog, and what the
//! upkeep does about it.

use crate::node::{NOW, Node, key, small};
use crate::oracle::{Oracle, payload};
use desk_storage_lsm::disk::{Disk, Fault};
use desk_storage_lsm::limits::{BACKLOG_BYTES_MAX, VALUE_BYTES_MAX};
use desk_storage_lsm::memory_disk::{Faults, MemoryDisk, Misfortune, drive};
use desk_storage_lsm::{
    Append, AppendError, Options, PressureLevel, Progress, PutError, Sequence, StoreError,
    UnixSecond,
};

#[test]
fn a_full_log_refuses_until_snapshots_free_it() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    assert_eq!(node.stores[0].pressure().level, PressureLevel::Low);
    let mut oracle = Oracle::default();
    let mut appended = 0;
    let mut levels = vec![];
    loop {
        node.maintain(NOW);
        let level = node.stores[0].pressure().level;
        if levels.last() != Some(&level) {
            levels.push(level);
        }
        // Beside the keeper, which would take no change now.
        let (key, sequence) = (key(appended % 5), appended / 5 + 1);
        let payload = payload(&key, sequence);
        if node.stores[0].append(key, Sequence(sequence), &payload).is_err() {
            break;
        }
        appended += 1;
        drive(node.stores[0].commit()).unwrap();
        let known = oracle.keys.entry(key).or_default();
        (known.appended, known.acknowledged) = (sequence, sequence);
    }
    assert!(appended > 40, "the budget of 8 segments was used: {appended}");
    assert_eq!(
        levels,
        [PressureLevel::Low, PressureLevel::Snapshot, PressureLevel::Urgent, PressureLevel::Full]
    );
    let refused = node.stores[0].append(key(0), Sequence(999), b"x");
    assert_eq!(refused, Err(AppendError::LogFull));
    assert_eq!(node.stores[0].poisoned(), None);
    // The keys that it names are enough to go on.
    let holding = node.stores[0].holding_keys(100);
    assert_eq!(holding.len(), 5);
    for key in holding {
        oracle.put(&mut node, key);
    }
    assert!(node.stores[0].holding_keys(100).is_empty(), "they are on their way");
    for _ in 0..3 {
        node.maintain(NOW);
    }
    assert_eq!(node.stores[0].pressure().level, PressureLevel::Low);
    assert!(oracle.append(&mut node, key(0)));
    drive(node.stores[0].commit()).unwrap();
    oracle.acknowledge(&mut node);
    disk.crash();
    disk.restart();
    oracle.restart();
    let node = Node::start(&disk, small(), NOW, 2).unwrap();
    assert!(node.report.is_sound());
    oracle.check(&node, NOW);
}

#[test]
fn the_reserve_refuses_before_the_disk_is_full() {
    let disk = MemoryDisk::with_seed(1);
    let options = Options { disk_reserve_bytes: 200_000, ..small() };
    let capacity = |bytes| Faults { at: vec![], capacity_bytes: Some(bytes) };
    disk.set_faults(capacity(2_097_152 + 65_536 + 1_000_000));
    let mut node = Node::start(&disk, options, NOW, 1).unwrap();
    let mut tail = 0;
    let refused = loop {
        assert!(node.maintain(NOW), "nothing fails");
        if let Err(error) = node.stores[0].append(key(tail), Sequence(1), b"x") {
            break error;
        }
        drive(node.stores[0].commit()).unwrap();
        node.stores[0].put(key(tail), Sequence(1), &[7; 20_000]).unwrap();
        drive(node.stores[0].checkpoint()).unwrap();
        tail += 1;
        assert!(tail < 1000, "the reserve is never reached");
    };
    assert_eq!(refused, AppendError::NoSpace);
    assert_eq!(node.stores[0].poisoned(), None);
    // Reading goes on, and space back means service back.
    assert!(drive(node.stores[0].get(&key(0), NOW)).unwrap().is_some());
    disk.set_faults(capacity(10_000_000));
    assert!(node.maintain(NOW));
    node.stores[0].append(key(tail), Sequence(1), b"x").unwrap();
}

/// Leaves so many bytes of the disk free.
fn leave(disk: &MemoryDisk, free: u64) {
    let space = drive(disk.space()).unwrap();
    let capacity_bytes = Some(space.total_bytes - space.free_bytes + free);
    disk.set_faults(Faults { at: vec![], capacity_bytes });
}

#[test]
fn snapshots_may_use_the_reserve_and_not_its_last_quarter() {
    let disk = MemoryDisk::with_seed(1);
    let options = Options { disk_reserve_bytes: 200_000, ..small() };
    let mut node = Node::start(&disk, options, NOW, 1).unwrap();
    let full = [
        (200_000, Ok(()), Ok(())),
        (199_999, Err(AppendError::NoSpace), Ok(())),
        (50_000, Err(AppendError::NoSpace), Ok(())),
        (49_999, Err(AppendError::NoSpace), Err(PutError::NoSpace)),
    ];
    for tail in 0..full.len() as u64 {
        node.stores[0].append(key(tail), Sequence(1), b"x").unwrap();
    }
    drive(node.stores[0].commit()).unwrap();
    for (tail, (free, append, put)) in full.into_iter().enumerate() {
        let (tail, store) = (tail as u64, &node.stores[0]);
        leave(&disk, free);
        drive(store.maintain(NOW)).unwrap();
        let appended = store.append(key(100 + tail), Sequence(1), b"x").map(|_| ());
        assert_eq!(appended, append, "{free} bytes are free");
        assert_eq!(store.put(key(tail), Sequence(1), b"y"), put, "{free} bytes are free");
    }
    leave(&disk, 200_000);
    assert!(node.maintain(NOW));
    assert_eq!(node.stores[0].put(key(3), Sequence(1), b"y"), Ok(()));
}

#[test]
fn a_segment_made_ahead_leaves_the_reserve_alone() {
    let disk = MemoryDisk::with_seed(1);
    let options = Options { disk_reserve_bytes: 200_000, ..small() };
    let mut node = Node::start(&disk, options, NOW, 1).unwrap();
    let segments = || {
        let names = drive(disk.list()).unwrap();
        names.iter().filter(|name| name.ends_with(".log")).count()
    };
    // The first batch takes one of those that are ready.
    node.stores[0].append(key(0), Sequence(1), b"x").unwrap();
    drive(node.stores[0].commit()).unwrap();
    let at_first = segments();
    leave(&disk, 200_000 + options.segment_bytes);
    assert!(node.maintain(NOW));
    assert_eq!(segments(), at_first);
    leave(&disk, 200_000 + options.segment_bytes + 1);
    assert!(node.maintain(NOW));
    assert_eq!(segments(), at_first + 1);
    assert!(!node.stores[0].is_below_reserve());
}

#[test]
fn a_segment_that_finds_no_room_is_no_fault() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    node.stores[0].append(key(0), Sequence(1), b"x").unwrap();
    drive(node.stores[0].commit()).unwrap();
    // The next access but one of the upkeep prewrites the new segment.
    let at = vec![(disk.accesses() + 1, Misfortune::NoSpace)];
    disk.set_faults(Faults { at, capacity_bytes: None });
    let before = drive(disk.list()).unwrap();
    drive(node.stores[0].maintain(NOW)).unwrap();
    assert_eq!(drive(disk.list()).unwrap(), before);
    assert!(node.maintain(NOW));
    assert_eq!(drive(disk.list()).unwrap().len(), before.len() + 1);
}

#[test]
fn a_failed_log_write_poisons_everything() {
    let disk = MemoryDisk::with_seed(1);
    let node = Node::start(&disk, small(), NOW, 1).unwrap();
    let store = &node.stores[0];
    store.append(key(0), Sequence(1), b"x").unwrap();
    drive(store.commit()).unwrap();
    store.append(key(0), Sequence(2), b"x").unwrap();
    disk.set_faults(Faults {
        at: vec![(disk.accesses(), Misfortune::Error)],
        capacity_bytes: None,
    });
    let durable = store.durable();
    let error = drive(store.commit()).unwrap_err();
    assert!(
        matches!(&error, StoreError::Poisoned(poison) if poison.0.fault == Fault::Os(5)),
        "{error}"
    );
    assert_eq!(store.durable(), durable);
    // The disk is well again, and nothing is acknowledged all the same.
    disk.set_faults(Faults::default());
    assert!(drive(store.commit()).is_err() && drive(store.maintain(NOW)).is_err());
    assert!(matches!(store.append(key(0), Sequence(3), b"x"), Err(AppendError::Poisoned(_))));
    assert!(matches!(store.put(key(0), Sequence(2), b"x"), Err(PutError::Poisoned(_))));
    assert_eq!(store.durable(), durable);
    assert!(store.poisoned().is_some());
    assert!(drive(store.get(&key(0), NOW)).is_ok(), "reading goes on");
}

#[test]
fn too_much_of_anything_is_refused_by_name() {
    let disk = MemoryDisk::with_seed(1);
    let node = Node::start(&disk, small(), NOW, 1).unwrap();
    let store = &node.stores[0];
    let large = vec![0; 20_000];
    let refused = store.append(key(0), Sequence(1), &large);
    assert!(matches!(refused, Err(AppendError::TooLarge { bytes: 20_000, .. })));
    let half = &large[..7000];
    let pair = [
        Append { key: key(0), sequence: Sequence(1), payload: half },
        Append { key: key(1), sequence: Sequence(1), payload: half },
    ];
    assert!(matches!(store.append_all(&pair), Err(AppendError::TooLarge { .. })));
    assert!(!store.has_uncommitted());
    let value = vec![0; VALUE_BYTES_MAX + 1];
    let bytes = value.len();
    let refused = store.put(key(0), Sequence(1), &value);
    assert_eq!(refused, Err(PutError::TooLarge { bytes, max: VALUE_BYTES_MAX }));
    let value = &value[..VALUE_BYTES_MAX];
    store.put(key(0), Sequence(1), value).unwrap();
    let refused = (1..5).find_map(|tail| store.put(key(tail), Sequence(1), value).err());
    assert!(matches!(refused, Some(PutError::Backlog { bytes }) if bytes <= BACKLOG_BYTES_MAX));
    drive(store.checkpoint()).unwrap();
    store.put(key(7), Sequence(1), value).unwrap();
    let stored = drive(store.get(&key(0), NOW)).unwrap().unwrap();
    assert_eq!(stored.snapshot.unwrap().value.len(), VALUE_BYTES_MAX);
    let outside = crate::node::key_at(NOW.0 - 5000, 1);
    let second = outside.second();
    assert_eq!(store.append(outside, Sequence(1), b"x"), Err(AppendError::NoBucket { second }));
}

#[test]
fn a_group_is_there_whole_or_not_at_all() {
    let disk = MemoryDisk::with_seed(1);
    let node = Node::start(&disk, small(), NOW, 1).unwrap();
    let store = &node.stores[0];
    // Fill the batch so that the group does not fit behind it.
    store.append(key(9), Sequence(1), &[1; 9000]).unwrap();
    let group =
        [0, 1, 2].map(|tail| Append { key: key(tail), sequence: Sequence(1), payload: &[2; 2000] });
    store.append_all(&group).unwrap();
    assert_eq!(store.counters().batches, 0);
    // The first batch of the commit arrives with its segment's header, the
    // second is torn.
    disk.set_faults(Faults {
        at: vec![(disk.accesses() + 2, Misfortune::Crash)],
        capacity_bytes: None,
    });
    drive(store.commit()).unwrap_err();
    disk.restart();
    let node = Node::start(&disk, small(), NOW, 1).unwrap();
    assert!(node.stores[0].contains(&key(9)));
    assert!([0, 1, 2].iter().all(|tail| !node.stores[0].contains(&key(*tail))));
}

#[test]
fn a_first_batch_whose_header_is_missing_is_found() {
    for uses in 1..=5 {
        let disk = MemoryDisk::with_seed(uses);
        let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
        let mut sequence = 0;
        let mut append = |node: &Node| {
            sequence += 1;
            node.stores[0].append(key(0), Sequence(sequence), &[1; 12_000]).unwrap();
            sequence
        };
        // Two such batches fill a segment.
        for _ in 1..2 * uses - 1 {
            append(&node);
            drive(node.stores[0].commit()).unwrap();
            node.maintain(NOW);
        }
        let last = append(&node);
        disk.set_faults(Faults {
            at: vec![(disk.accesses() + 1, Misfortune::Crash)],
            capacity_bytes: None,
        });
        drive(node.stores[0].commit()).unwrap_err();
        disk.restart();
        let node = Node::start(&disk, small(), NOW, 1).unwrap();
        assert!(node.report.is_sound(), "{uses}: {:?}", node.report);
        let stored = drive(node.stores[0].get(&key(0), NOW)).unwrap().unwrap();
        assert_eq!(stored.records.len() as u64, last, "use {uses}");
    }
}

#[test]
fn a_snapshot_waits_for_its_log() {
    let disk = MemoryDisk::with_seed(1);
    let node = Node::start(&disk, small(), NOW, 1).unwrap();
    let store = &node.stores[0];
    store.append(key(0), Sequence(1), b"x").unwrap();
    store.put(key(0), Sequence(1), b"whole").unwrap();
    drive(store.checkpoint()).unwrap();
    assert_eq!(store.counters().table_bytes, 0, "no table is ahead of the log");
    assert!(drive(store.get(&key(0), NOW)).unwrap().is_some(), "memory serves it");
    drive(store.commit()).unwrap();
    drive(store.checkpoint()).unwrap();
    assert!(store.counters().table_bytes > 0);
}

#[test]
fn compaction_frees_what_is_rewritten() {
    rewrite_much(UnixSecond(NOW.0 + 1));
}

#[test]
fn compaction_frees_what_is_rewritten_in_a_buckets_last_day() {
    rewrite_much(UnixSecond(NOW.0 + u64::from(small().lifetime.0) / 2));
}

/// Rewrites six of eight keys until tables are compacted; all keys stay, and few tables.
pub(crate) fn rewrite_much(later: UnixSecond) {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    for sequence in 1..=40 {
        for tail in 0..8 {
            node.stores[0].append(key(tail), Sequence(sequence), b"x").unwrap();
            // Keys 0 and 1 are written once and lie in the oldest table.
            if tail > 1 || sequence == 1 {
                node.stores[0].put(key(tail), Sequence(sequence), &[tail as u8; 7000]).unwrap();
            }
        }
        drive(node.stores[0].commit()).unwrap();
        drive(node.stores[0].checkpoint()).unwrap();
        for _ in 0..4 {
            assert!(node.maintain(later));
        }
    }
    for _ in 0..30 {
        assert!(node.maintain(later));
        drive(node.stores[0].checkpoint()).unwrap();
    }
    let counters = node.stores[0].counters();
    assert!(counters.tables_made > 10 && counters.compacted_bytes > 0, "{counters:?}");
    assert_eq!(counters.keys, 8);
    let tables = node.owner.manifest().tables.len();
    assert!(tables <= 5, "{tables} tables are left of {}", counters.tables_made);
    for tail in 0..8 {
        let stored = drive(node.stores[0].get(&key(tail), NOW)).unwrap().unwrap();
        assert_eq!(&stored.snapshot.unwrap().value[..], [tail as u8; 7000]);
    }
    assert!(node.shutdown(later));
    let node = Node::start(&disk, small(), NOW, 3).unwrap();
    assert!(node.report.is_sound());
    assert_eq!(node.report.keys, 8);
}

#[test]
fn rewriting_in_an_open_table_fills_no_disk() {
    let disk = MemoryDisk::with_seed(1);
    let options = Options { disk_reserve_bytes: 200_000, table_bytes: 64 << 20, ..small() };
    let mut node = Node::start(&disk, options, NOW, 1).unwrap();
    assert!(node.maintain(NOW));
    leave(&disk, 1_200_000);
    for sequence in 1..=100 {
        for tail in 0..8 {
            node.stores[0].append(key(tail), Sequence(sequence), b"x").unwrap();
            node.stores[0].put(key(tail), Sequence(sequence), &[tail as u8; 7000]).unwrap();
        }
        drive(node.stores[0].commit()).unwrap();
        drive(node.stores[0].checkpoint()).unwrap();
        for _ in 0..4 {
            assert!(node.maintain(NOW));
        }
    }
    let counters = node.stores[0].counters();
    assert!(counters.table_bytes > 4 * 1_200_000, "{counters:?}");
    assert!(counters.tables_made < 30, "no more tables than it takes: {counters:?}");
    for tail in 0..8 {
        let stored = drive(node.stores[0].get(&key(tail), NOW)).unwrap().unwrap();
        assert_eq!(&stored.snapshot.unwrap().value[..], [tail as u8; 7000]);
    }
}

#[test]
fn upkeep_comes_to_rest() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, small(), NOW, 2).unwrap();
    let mut oracle = Oracle::default();
    for seed in 0..4 {
        crate::oracle::steps(
            &mut node,
            &mut oracle,
            &mut crate::node::Chance(seed),
            200,
            0..30,
            NOW,
        );
        let rounds = (0..200).take_while(|_| {
            assert!(node.manifest_round(NOW));
            let more = |store: &desk_storage_lsm::Store<MemoryDisk>| {
                drive(store.maintain(NOW)).unwrap() == Progress::More
            };
            node.stores.iter().fold(false, |any, store| more(store) | any)
        });
        let rounds = rounds.count();
        assert!(rounds < 100, "upkeep goes on for ever: seed {seed}");
    }
}

#[test]
fn a_start_on_a_full_disk_reads_and_waits_for_room() {
    let disk = MemoryDisk::with_seed(1);
    let options = Options { disk_reserve_bytes: 100_000, ..small() };
    let mut node = Node::start(&disk, options, NOW, 1).unwrap();
    let mut oracle = Oracle::default();
    for tail in 0..20 {
        oracle.append(&mut node, key(tail));
        drive(node.stores[0].commit()).unwrap();
        oracle.acknowledge(&mut node);
        oracle.put(&mut node, key(tail));
    }
    // Not a byte is left, and the process is killed.
    disk.set_faults(Faults { at: vec![], capacity_bytes: Some(1) });
    disk.restart();
    for _ in 0..3 {
        oracle.restart();
        let mut node = Node::start(&disk, options, NOW, 2).unwrap();
        assert!(node.report.is_sound());
        oracle.check(&node, NOW);
        for key in [0, 1, 2, 3].map(key) {
            let refused = node.store(&key).append(key, Sequence(99), b"x");
            assert_eq!(refused, Err(AppendError::NoSpace));
            node.store(&key).put(key, Sequence(99), b"x").unwrap_err();
        }
        assert!(node.maintain(NOW), "nothing fails");
        assert!(node.stores.iter().all(|store| store.is_below_reserve()));
        assert!(node.shutdown(NOW), "a planned stop is one");
        disk.restart();
    }
    oracle.restart();
    let mut node = Node::start(&disk, options, NOW, 2).unwrap();
    disk.set_faults(Faults::default());
    assert!(node.maintain(NOW) && node.maintain(NOW));
    for tail in 0..20 {
        assert!(oracle.append(&mut node, key(tail)));
    }
    node.stores.iter().for_each(|store| assert!(drive(store.commit()).is_ok()));
    oracle.acknowledge(&mut node);
    disk.crash();
    disk.restart();
    oracle.restart();
    oracle.check(&Node::start(&disk, options, NOW, 1).unwrap(), NOW);
}

#[test]
fn what_finds_no_room_in_a_table_waits() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    let mut oracle = Oracle::default();
    for tail in 0..5 {
        oracle.append(&mut node, key(tail));
        drive(node.stores[0].commit()).unwrap();
        oracle.acknowledge(&mut node);
        oracle.put(&mut node, key(tail));
    }
    disk.set_faults(Faults { at: vec![], capacity_bytes: Some(1) });
    drive(node.stores[0].checkpoint()).unwrap();
    assert!(node.maintain(NOW));
    let waiting = node.stores[0].counters().backlog_bytes;
    assert!(waiting > 0 && node.stores[0].counters().table_bytes == 0);
    oracle.check(&node, NOW);
    disk.set_faults(Faults::default());
    drive(node.stores[0].checkpoint()).unwrap();
    assert_eq!(node.stores[0].counters().backlog_bytes, 0);
    oracle.restart();
    oracle.check(&node, NOW);
}
