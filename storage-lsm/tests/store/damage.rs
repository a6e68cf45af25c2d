//! Damage to bytes that were durable: what is lost is named, what is not is
//! there, and a torn tail is never mistaken for it.

use crate::node::{NOW, Node, key, small};
use crate::oracle::{payload, snapshot};
use desk_storage_lsm::disk::{Disk, Writes};
use desk_storage_lsm::inspect::{InspectError, inspect};
use desk_storage_lsm::limits::BLOCK_BYTES;
use desk_storage_lsm::memory_disk::{Faults, MemoryDisk, Misfortune, drive};
use desk_storage_lsm::recover::{LostRange, TableFaultKind, Tail};
use desk_storage_lsm::{ClockState, Gap, GetError, RecoverError, Sequence, UnixSecond};

/// Where the log's batches begin in a segment.
const DATA: usize = 2 * BLOCK_BYTES;

/// A folder with one shard that has committed `batches` of one record each,
/// for keys 0, 1, 2, 0, 1, 2, …
fn with_batches(batches: u64) -> MemoryDisk {
    let disk = MemoryDisk::with_seed(1);
    let node = Node::start(&disk, small(), NOW, 1).unwrap();
    for batch in 0..batches {
        let (key, sequence) = (key(batch % 3), batch / 3 + 1);
        node.stores[0].append(key, Sequence(sequence), &payload(&key, sequence)).unwrap();
        drive(node.stores[0].commit()).unwrap();
    }
    disk.crash();
    disk.restart();
    disk
}

fn first_segment(disk: &MemoryDisk) -> String {
    let names = drive(disk.list()).unwrap();
    let mut logs = names.into_iter().filter(|name| name.ends_with(".log"));
    let used = |name: &String| disk.contents(name).unwrap()[..BLOCK_BYTES].iter().any(|b| *b != 0);
    logs.find(used).unwrap()
}

fn sequences(node: &Node, tail: u64) -> Result<u64, GetError> {
    let stored = drive(node.store(&key(tail)).get(&key(tail), NOW))?;
    Ok(stored.map_or(0, |stored| {
        let snapshot = stored.snapshot.map_or(0, |snapshot| snapshot.sequence.0);
        stored.records.last().map_or(snapshot, |record| record.sequence.0)
    }))
}

#[test]
fn a_torn_tail_is_no_damage() {
    let disk = with_batches(4);
    let node = Node::start(&disk, small(), NOW, 1).unwrap();
    assert_eq!(node.report.logs[0].tail, Some(Tail::Clean));
    let disk = with_batches(4);
    // The fourth batch takes one block; half of it did not arrive.
    let name = first_segment(&disk);
    disk.overwrite(&name, DATA + 3 * BLOCK_BYTES + 100, &[0xEE; 20]);
    let node = Node::start(&disk, small(), NOW, 2).unwrap();
    assert!(node.report.is_sound(), "{:?}", node.report);
    assert_eq!(node.report.logs[0].tail, Some(Tail::Torn { number: 4 }));
    assert_eq!((sequences(&node, 0), sequences(&node, 1)), (Ok(1), Ok(1)));
}

#[test]
fn a_segment_that_is_shorter_than_it_was_made_is_named() {
    let made = small().segment_bytes as usize;
    for length in [0, DATA, DATA + 3 * BLOCK_BYTES, made - BLOCK_BYTES] {
        let disk = with_batches(4);
        disk.truncate(&first_segment(&disk), length);
        let node = Node::start(&disk, small(), NOW, 2).unwrap();
        assert_eq!(node.report.missing_segments.len(), 1, "{length}: {:?}", node.report);
        assert!(!node.report.is_sound());
    }
}

#[test]
fn damage_in_the_log_quarantines_the_key() {
    let disk = with_batches(9);
    let name = first_segment(&disk);
    // Batch 4 is sequence 2 of key 0; batches 5 to 9 follow it.
    disk.flip_bit(&name, (DATA + 3 * BLOCK_BYTES + 60) * 8);
    for shards in [1, 3, 2] {
        let node = Node::start(&disk, small(), NOW, shards).unwrap();
        assert!(!node.report.is_sound());
        assert_eq!(node.report.logs[0].lost, [LostRange { first: 4, end: 5 }]);
        let gap = Gap { have: Sequence(1), next: Sequence(3) };
        assert_eq!(node.report.quarantined, [(key(0), gap)]);
        assert_eq!(sequences(&node, 0), Err(GetError::Quarantined(gap)));
        assert_eq!((sequences(&node, 1), sequences(&node, 2)), (Ok(3), Ok(3)));
        assert!(node.store(&key(0)).append(key(0), Sequence(4), b"x").is_err());
        assert!(node.store(&key(0)).put(key(0), Sequence(4), b"x").is_err());
        // The others are snapshotted, so only the quarantine holds the log.
        for tail in [1, 2] {
            node.store(&key(tail)).put(key(tail), Sequence(3), &snapshot(&key(tail), 3)).unwrap();
        }
        assert!(node.shutdown(NOW));
        // Its bytes are kept from start to start.
        let inspection = drive(inspect(&disk)).unwrap();
        assert_eq!(inspection.report.quarantined, [(key(0), gap)]);
        assert!(!inspection.is_sound());
    }
}

#[test]
fn a_quarantine_does_not_fill_the_log() {
    let disk = with_batches(9);
    disk.flip_bit(&first_segment(&disk), (DATA + 3 * BLOCK_BYTES + 60) * 8);
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    for sequence in 4..100 {
        for tail in [1, 2] {
            node.stores[0].append(key(tail), Sequence(sequence), &[7; 4000]).unwrap();
            drive(node.stores[0].commit()).unwrap();
        }
        for key in node.stores[0].holding_keys(9) {
            node.stores[0].put(key, Sequence(sequence), b"all of it").unwrap();
        }
        assert!(node.maintain(NOW));
    }
    assert_eq!(node.report.quarantined.len(), 1);
}

#[test]
fn a_takedown_ends_a_quarantine() {
    let disk = with_batches(9);
    disk.flip_bit(&first_segment(&disk), (DATA + 3 * BLOCK_BYTES + 60) * 8);
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    node.stores[0].delete(key(0)).unwrap();
    assert_eq!(sequences(&node, 0), Ok(0));
    for tail in [1, 2] {
        node.stores[0].put(key(tail), Sequence(3), &snapshot(&key(tail), 3)).unwrap();
    }
    drive(node.stores[0].shutdown()).unwrap();
    assert!(node.manifest_round(NOW) && node.manifest_round(NOW));
    let node = Node::start(&disk, small(), NOW, 1).unwrap();
    assert!(node.report.quarantined.is_empty());
    assert!(node.report.logs.is_empty() || node.report.is_sound(), "{:?}", node.report);
    assert_eq!(sequences(&node, 0), Ok(0));
}

#[test]
fn a_lost_segment_is_named() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    // Two and a half segments of batches.
    for sequence in 1..=14 {
        node.maintain(NOW);
        node.stores[0].append(key(0), Sequence(sequence), &[7; 4000]).unwrap();
        drive(node.stores[0].commit()).unwrap();
    }
    let mut inspection = drive(inspect(&disk)).unwrap();
    assert!(inspection.is_sound(), "{inspection:?}");
    inspection.segments.retain(|segment| segment.contents.is_some());
    inspection.segments.sort_by_key(|segment| segment.contents.as_ref().unwrap().first);
    assert_eq!(inspection.segments.len(), 3);
    let middle = inspection.segments[1].clone();
    disk.lose(&middle.file.segment_name());
    let node = Node::start(&disk, small(), NOW, 1).unwrap();
    let contents = middle.contents.unwrap();
    let lost = LostRange { first: contents.first, end: contents.end };
    assert_eq!(node.report.logs[0].lost, [lost]);
    assert_eq!(node.report.missing_segments, [middle.file]);
    assert_eq!(node.report.quarantined.len(), 1);
}

#[test]
fn a_damaged_newest_header_loses_nothing() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    for sequence in 1..=5 {
        node.maintain(NOW);
        node.stores[0].append(key(0), Sequence(sequence), &payload(&key(0), sequence)).unwrap();
        node.stores[0].append(key(1), Sequence(sequence), &[7; 8000]).unwrap();
        drive(node.stores[0].commit()).unwrap();
    }
    let mut segments = drive(inspect(&disk)).unwrap().segments;
    segments.retain(|segment| segment.contents.is_some());
    segments.sort_by_key(|segment| segment.contents.as_ref().unwrap().first);
    let newest = segments.last().unwrap().file.segment_name();
    for slot in [0, BLOCK_BYTES] {
        disk.flip_bit(&newest, (slot + 30) * 8);
    }
    let node = Node::start(&disk, small(), NOW, 1).unwrap();
    assert_eq!(node.report.damaged_segments.len(), 1);
    assert!(node.report.is_sound(), "{:?}", node.report);
    assert_eq!(sequences(&node, 0), Ok(5));
}

#[test]
fn a_damaged_value_is_an_error_and_never_wrong_bytes() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    for tail in 0..3 {
        node.stores[0].append(key(tail), Sequence(1), b"x").unwrap();
        node.stores[0].put(key(tail), Sequence(1), &[tail as u8; 5000]).unwrap();
    }
    drive(node.stores[0].shutdown()).unwrap();
    assert!(node.manifest_round(NOW));
    let names = drive(disk.list()).unwrap();
    let table = names.iter().find(|name| name.ends_with(".table")).unwrap();
    let bytes = disk.contents(table).unwrap();
    let at = bytes.windows(5000).position(|window| window == [1; 5000]).unwrap();
    disk.flip_bit(table, at * 8);
    for round in 0..2 {
        let read = |tail| drive(node.stores[0].get(&key(tail), NOW)).map(|stored| stored.is_some());
        assert!(matches!(read(1), Err(GetError::Damaged { .. })), "round {round}");
        assert_eq!((read(0), read(2)), (Ok(true), Ok(true)));
        let inspection = drive(inspect(&disk)).unwrap();
        assert_eq!(inspection.tables[0].broken, [key(1)]);
        assert!(!inspection.is_sound());
        node = Node::start(&disk, small(), NOW, 1).unwrap();
    }
}

/// A record that is whole and stands in its place, and is not the one that was
/// written there last: the medium kept another history of the same store.
#[test]
fn a_record_of_another_history_is_not_accepted() {
    let disk = MemoryDisk::with_seed(1);
    let node = Node::start(&disk, small(), NOW, 1).unwrap();
    node.stores[0].append(key(0), Sequence(1), b"x").unwrap();
    drive(node.stores[0].commit()).unwrap();
    drop(node);
    disk.restart();
    let forks = [1_u8, 2].map(|with| {
        let disk = disk.fork();
        let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
        node.stores[0].put(key(0), Sequence(1), &[with; 5000]).unwrap();
        drive(node.stores[0].checkpoint()).unwrap();
        assert!(node.manifest_round(NOW));
        let names = drive(disk.list()).unwrap();
        let table = names.into_iter().find(|name| name.ends_with(".table")).unwrap();
        let bytes = disk.contents(&table).unwrap();
        let at = bytes.windows(5000).position(|window| window == [with; 5000]).unwrap();
        (disk, node, table, at, bytes)
    });
    let [(_, _, other_table, other_at, others), (disk, mut node, table, at, _)] = forks;
    assert_eq!((&other_table, other_at), (&table, at), "the histories use the same place");
    // With the header in front of the value.
    disk.overwrite(&table, at - 48, &others[at - 48..at + 5000]);
    for _ in 0..2 {
        let read = drive(node.stores[0].get(&key(0), NOW)).err();
        assert!(matches!(read, Some(GetError::Damaged { .. })), "{read:?}");
        node = Node::start(&disk, small(), NOW, 1).unwrap();
    }
}

#[test]
fn a_missing_table_is_named() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    node.stores[0].append(key(0), Sequence(1), b"x").unwrap();
    node.stores[0].put(key(0), Sequence(1), b"y").unwrap();
    drive(node.stores[0].shutdown()).unwrap();
    assert!(node.manifest_round(NOW));
    let names = drive(disk.list()).unwrap();
    disk.lose(names.iter().find(|name| name.ends_with(".table")).unwrap());
    let node = Node::start(&disk, small(), NOW, 1).unwrap();
    assert_eq!(node.report.tables[0].kind, TableFaultKind::Missing);
    assert!(!node.report.is_sound());
}

/// Nothing in a table without a footer says how many blocks it had, and the log
/// has let go of them: the manifest says it.
#[test]
fn an_overwritten_block_of_an_open_table_is_named() {
    for lost in 0..3 {
        let disk = MemoryDisk::with_seed(1);
        let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
        for tail in 0..3 {
            node.stores[0].append(key(tail), Sequence(1), b"x").unwrap();
            node.stores[0].put(key(tail), Sequence(1), b"y").unwrap();
            drive(node.stores[0].commit()).unwrap();
            drive(node.stores[0].checkpoint()).unwrap();
            let held = |node: &Node| node.stores[0].counters().held_keys;
            assert_eq!(held(&node), 1, "the log stands until the manifest has it");
            assert!(node.manifest_round(NOW));
            assert_eq!(held(&node), 0);
        }
        drop(node);
        disk.restart();
        let names = drive(disk.list()).unwrap();
        let table = names.iter().find(|name| name.ends_with(".table")).unwrap();
        // The log would replay what the last run wrote; it is used again.
        for name in names.iter().filter(|name| name.ends_with(".log")) {
            let bytes = disk.contents(name).unwrap().len();
            disk.overwrite(name, 0, &vec![0; bytes]);
        }
        disk.overwrite(table, (1 + lost) * BLOCK_BYTES, &[0xAB; BLOCK_BYTES]);
        assert!(!drive(inspect(&disk)).unwrap().is_sound());
        for _ in 0..2 {
            let node = Node::start(&disk, small(), NOW, 1).unwrap();
            assert_eq!(node.report.tables[0].kind, TableFaultKind::Blocks(1));
            assert!(!node.report.is_sound());
            for tail in 0..3 {
                assert_eq!(sequences(&node, tail), Ok(u64::from(tail != lost as u64)));
            }
        }
    }
}

/// A table's block that did not arrive is found by reading it back, while the
/// log has what is in it.
#[test]
fn a_lost_block_ends_service_and_loses_nothing() {
    use Misfortune::{Astray, Flipped, Lost, Misdirected, Torn};
    for misfortune in [Astray, Flipped, Lost, Misdirected, Torn] {
        let mut struck = 0;
        for ahead in 0..4 {
            let disk = MemoryDisk::with_seed(1);
            let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
            for sequence in 1..=2 {
                let (key, sequence) = (key(0), Sequence(sequence));
                node.stores[0].append(key, sequence, &payload(&key, sequence.0)).unwrap();
                node.stores[0].put(key, sequence, &snapshot(&key, sequence.0)).unwrap();
                drive(node.stores[0].commit()).unwrap();
                if sequence == Sequence(1) {
                    drive(node.stores[0].checkpoint()).unwrap();
                    assert!(node.manifest_round(NOW));
                }
            }
            let at = vec![(disk.accesses() + ahead, misfortune)];
            disk.set_faults(Faults { at, capacity_bytes: None });
            let written = drive(node.stores[0].checkpoint());
            let strikes = disk.strikes();
            if !strikes.iter().any(|strike| strike.operation == "write") {
                continue;
            }
            struck += 1;
            assert!(written.is_err() && node.stores[0].poisoned().is_some(), "{strikes:?}");
            disk.restart();
            let node = Node::start(&disk, small(), NOW, 1).unwrap();
            assert_eq!(sequences(&node, 0), Ok(2), "{strikes:?}");
        }
        assert_eq!(struck, 1, "{misfortune:?}: one block was written");
    }
}

/// By a clock that has jumped the bucket should have gone, and has not.
#[test]
fn a_lost_block_is_not_trusted_in_a_going_bucket() {
    let mut struck = 0;
    for ahead in 0..4 {
        let disk = MemoryDisk::with_seed(1);
        let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
        let jumped = UnixSecond(NOW.0 + 365 * 86_400);
        for sequence in 1..=2 {
            let (key, sequence) = (key(0), Sequence(sequence));
            node.stores[0].append(key, sequence, &payload(&key, sequence.0)).unwrap();
            node.stores[0].put(key, sequence, &snapshot(&key, sequence.0)).unwrap();
            drive(node.stores[0].commit()).unwrap();
            if sequence == Sequence(1) {
                drive(node.stores[0].checkpoint()).unwrap();
                assert!(node.maintain(jumped));
                assert!(matches!(node.owner.clock(), ClockState::Suspect { .. }));
            }
        }
        let at = vec![(disk.accesses() + ahead, Misfortune::Lost)];
        disk.set_faults(Faults { at, capacity_bytes: None });
        drive(node.stores[0].checkpoint()).unwrap();
        let lost = !disk.strikes().is_empty();
        struck += usize::from(lost);
        assert!(node.maintain(jumped));
        let held = node.stores[0].counters().held_keys;
        assert_eq!(held, u64::from(lost), "the log stands for what is not in the table");
        disk.restart();
        let node = Node::start(&disk, small(), NOW, 1).unwrap();
        assert!(node.report.is_sound(), "{:?}", node.report);
        assert_eq!(sequences(&node, 0), Ok(2), "{:?}", disk.strikes());
    }
    assert_eq!(struck, 1, "one block was written");
}

#[test]
fn a_write_that_went_elsewhere_is_noticed() {
    for misfortune in [Misfortune::Lost, Misfortune::Misdirected] {
        let disk = MemoryDisk::with_seed(1);
        let node = Node::start(&disk, small(), NOW, 1).unwrap();
        for sequence in 1..=6 {
            node.stores[0].append(key(0), Sequence(sequence), &payload(&key(0), sequence)).unwrap();
            if sequence == 3 {
                let at = vec![(disk.accesses(), misfortune)];
                disk.set_faults(Faults { at, capacity_bytes: None });
            }
            drive(node.stores[0].commit()).unwrap();
        }
        let node = Node::start(&disk, small(), NOW, 1).unwrap();
        assert_eq!(node.report.logs[0].lost, [LostRange { first: 3, end: 4 }]);
        assert_eq!(node.report.quarantined.len(), 1);
    }
}

#[test]
fn one_bad_manifest_slot_is_survived_and_two_are_refused() {
    let disk = with_batches(3);
    let (one, two) = (disk.fork(), disk.fork());
    for (disk, slots) in [(&one, vec![1]), (&two, vec![0, 1])] {
        for slot in slots {
            disk.flip_bit("manifest", (slot * 1024 * 1024 + 40) * 8);
        }
    }
    // The newest slot is gone: the one before names the same files here.
    assert!(Node::start(&one, small(), NOW, 1).is_ok());
    let refused = Node::start(&two, small(), NOW, 1).err();
    assert_eq!(refused, Some(RecoverError::NoManifest));
    disk.lose("manifest");
    assert_eq!(Node::start(&disk, small(), NOW, 1).err(), Some(RecoverError::NoManifest));
}

#[test]
fn a_folder_without_a_store_is_called_that() {
    let disk = MemoryDisk::with_seed(1);
    assert_eq!(drive(inspect(&disk)).err(), Some(InspectError::NoStore));
    // A first start that crashed may leave as much.
    disk.overwrite("manifest", 0, &[0; 2 * BLOCK_BYTES]);
    assert_eq!(drive(inspect(&disk)).err(), Some(InspectError::NoStore));
    let disk = with_batches(1);
    disk.lose("manifest");
    let refused = InspectError::Start(RecoverError::NoManifest);
    assert_eq!(drive(inspect(&disk)).err(), Some(refused));
}

#[test]
fn random_damage_never_panics_and_never_gives_wrong_bytes() {
    let mut chance = crate::node::Chance(3);
    for round in 0..300 {
        let disk = MemoryDisk::with_seed(round);
        let mut node = Node::start(&disk, small(), NOW, 2).unwrap();
        for sequence in 1..=12 {
            for tail in 0..4 {
                let key = key(tail);
                node.store(&key).append(key, Sequence(sequence), &payload(&key, sequence)).unwrap();
                if sequence % 4 == tail % 4 {
                    let value = snapshot(&key, sequence);
                    node.store(&key).put(key, Sequence(sequence), &value).unwrap();
                }
            }
            node.stores.iter().for_each(|store| {
                drive(store.commit()).unwrap();
            });
            node.maintain(NOW);
        }
        for store in &node.stores {
            drive(store.checkpoint()).unwrap();
        }
        node.manifest_round(NOW);
        let names = drive(disk.list()).unwrap();
        for _ in 0..3 {
            let name = &names[chance.below(names.len() as u64) as usize];
            let length = disk.contents(name).unwrap().len() as u64;
            let at = chance.below(length.clamp(1, 40_000)) as usize;
            match chance.below(4) {
                0 => disk.truncate(name, at),
                1 => disk.overwrite(name, at, &[chance.below(256) as u8; 700]),
                _ => disk.flip_bit(name, at * 8 + chance.below(8) as usize),
            }
        }
        let _ = drive(inspect(&disk));
        let Ok(node) = Node::start(&disk, small(), NOW, 1) else { continue };
        for tail in 0..4 {
            let key = key(tail);
            let Ok(Some(stored)) = drive(node.store(&key).get(&key, NOW)) else { continue };
            if let Some(found) = stored.snapshot {
                assert_eq!(&found.value[..], snapshot(&key, found.sequence.0));
            }
            for record in stored.records {
                assert_eq!(record.payload, payload(&key, record.sequence.0));
            }
        }
    }
}

#[test]
fn a_folder_in_use_by_somebody_else_keeps_their_files() {
    let disk = with_batches(1);
    drive(async {
        disk.create("notes.txt", Writes::Durable).await.unwrap();
        disk.sync_folder().await.unwrap();
    });
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    while drive(node.owner.unlink_step()).unwrap() {}
    assert!(drive(disk.list()).unwrap().contains(&"notes.txt".to_owned()));
}
