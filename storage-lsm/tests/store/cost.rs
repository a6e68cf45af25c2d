//! What things cost, in accesses and bytes: numbers that do not depend on the
//! machine.

use crate::node::{Chance, NOW, Node, key, small};
use desk_storage_lsm::disk::Disk;
use desk_storage_lsm::limits::{OLD_TABLE_SECONDS, OLD_TABLE_VALUES_MIN};
use desk_storage_lsm::memory_disk::{MemoryDisk, drive};
use desk_storage_lsm::{Options, Sequence, UnixSecond};

/// The bytes of a value, as a desk of a few notes has.
const VALUE: usize = 10 * 1024;

fn options() -> Options {
    Options {
        segment_bytes: 256 * 1024,
        log_budget_bytes: 16 * 1024 * 1024,
        table_bytes: 4 * 1024 * 1024,
        ..small()
    }
}

/// Gives every key of the list a record and a snapshot.
fn write(node: &mut Node, keys: &[u64], sequence: u64) {
    for chunk in keys.chunks(50) {
        let store = &node.stores[0];
        for tail in chunk {
            store.append(key(*tail), Sequence(sequence), b"x").unwrap();
            store.put(key(*tail), Sequence(sequence), &[*tail as u8; VALUE]).unwrap();
        }
        drive(store.commit()).unwrap();
        assert!(node.maintain(UnixSecond(NOW.0 + 1)));
    }
}

fn table_bytes(node: &Node) -> u64 {
    node.stores[0].counters().table_bytes
}

#[test]
fn a_cold_get_is_one_access() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, options(), NOW, 1).unwrap();
    let keys: Vec<u64> = (0..200).collect();
    write(&mut node, &keys, 1);
    drive(node.stores[0].checkpoint()).unwrap();
    assert!(node.shutdown(NOW));
    let node = Node::start(&disk, options(), NOW, 1).unwrap();
    for tail in keys {
        let read = || drive(node.stores[0].get(&key(tail), NOW)).unwrap().unwrap();
        // The first read of a table opens its file.
        read();
        let before = disk.accesses();
        let snapshot = read().snapshot.unwrap();
        assert_eq!(disk.accesses() - before, 1);
        assert_eq!(
            (&snapshot.value[..], snapshot.sequence),
            (&[tail as u8; VALUE][..], Sequence(1))
        );
        assert_eq!(snapshot.value.as_ptr().align_offset(16), 0);
    }
    let before = disk.accesses();
    assert!(drive(node.stores[0].get(&key(1000), NOW)).unwrap().is_none());
    assert_eq!(disk.accesses(), before, "what was never there costs nothing");
}

#[test]
fn a_sealed_table_is_found_with_one_read() {
    let accesses = |rounds: u64| {
        let disk = MemoryDisk::with_seed(1);
        let mut node = Node::start(&disk, options(), NOW, 1).unwrap();
        for _ in 0..rounds {
            let first = node.stores[0].counters().keys;
            write(&mut node, &(first..first + 500).collect::<Vec<_>>(), 1);
            drive(node.stores[0].shutdown()).unwrap();
            assert!(node.manifest_round(NOW));
        }
        let tables = node.owner.manifest().tables.len() as u64;
        drop(node);
        let before = disk.accesses();
        Node::start(&disk, options(), NOW, 1).unwrap();
        (tables, disk.accesses() - before)
    };
    let ((few, before), (many, after)) = (accesses(1), accesses(4));
    assert!(many >= few + 3);
    // Per table: open, measure, read.
    assert_eq!(after - before, (many - few) * 3);
}

#[test]
fn the_keys_of_a_bucket_that_has_ended_leave_memory() {
    let disk = MemoryDisk::with_seed(1);
    let options = Options { table_bytes: 64 << 20, ..options() };
    let mut node = Node::start(&disk, options, NOW, 1).unwrap();
    let entries = OLD_TABLE_VALUES_MIN as u64;
    for tail in 0..entries {
        node.stores[0].append(key(tail), Sequence(1), b"x").unwrap();
        node.stores[0].put(key(tail), Sequence(1), b"value").unwrap();
        if tail % 100 == 0 {
            drive(node.stores[0].commit()).unwrap();
            assert!(node.maintain(NOW));
        }
    }
    drive(node.stores[0].commit()).unwrap();
    drive(node.stores[0].checkpoint()).unwrap();
    let counters = |node: &Node| node.stores[0].counters();
    // A copy of each key, in a list that grows by doubling.
    let bytes = counters(&node).directory_bytes;
    assert!((entries * 48..=2 * entries * 48).contains(&bytes), "{bytes}");
    let end = NOW.0 - NOW.0 % 1000 + 1000;
    let ended = UnixSecond(end + OLD_TABLE_SECONDS);
    assert!(node.maintain(UnixSecond(ended.0 - 1)));
    assert_eq!(counters(&node).directory_bytes, bytes);
    assert!(node.stores[0].counters().footer_bytes == 0);
    // Nobody calls an idle store; the time that the owner has recorded does.
    assert!(node.manifest_round(ended) && node.stores[0].wants_maintenance());
    assert!(node.maintain(ended));
    assert_eq!(counters(&node).directory_bytes, 0);
    assert!(counters(&node).footer_bytes >= entries * 48);
    // A few changes later on are not worth tables.
    for sequence in 2..20 {
        node.stores[0].append(key(sequence), Sequence(sequence), b"x").unwrap();
        node.stores[0].put(key(sequence), Sequence(sequence), b"changed").unwrap();
        drive(node.stores[0].commit()).unwrap();
        drive(node.stores[0].checkpoint()).unwrap();
        assert!(node.maintain(UnixSecond(ended.0 + 1)));
    }
    assert_eq!(counters(&node).tables_made, 2);
    assert!(counters(&node).directory_bytes <= 32 * 48);
    drop(node);
    let node = Node::start(&disk, options, ended, 2).unwrap();
    assert!(node.report.is_sound() && node.report.keys == entries, "{:?}", node.report);
}

#[test]
fn tables_take_little_more_than_their_values() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, options(), NOW, 1).unwrap();
    let keys: Vec<u64> = (0..4000).collect();
    write(&mut node, &keys, 1);
    drive(node.stores[0].shutdown()).unwrap();
    let user = (keys.len() * VALUE) as u64;
    let ratio = table_bytes(&node) as f64 / user as f64;
    assert!(ratio <= 1.05, "ingest writes {ratio:.3} bytes a byte");
    // And what is counted is what the files have.
    let names = drive(disk.list()).unwrap();
    let files = names.iter().filter(|name| name.ends_with(".table"));
    let bytes: usize = files.map(|name| disk.contents(name).unwrap().len()).sum();
    assert_eq!(bytes as u64, table_bytes(&node));
    // A fifth of the desks, each once.
    let before = table_bytes(&node);
    let fifth: Vec<u64> = keys.iter().copied().filter(|tail| tail % 5 == 3).collect();
    write(&mut node, &fifth, 2);
    drive(node.stores[0].shutdown()).unwrap();
    let ratio = (table_bytes(&node) - before) as f64 / (fifth.len() * VALUE) as f64;
    assert!(ratio <= 1.1, "a rewrite writes {ratio:.3} bytes a byte");
}

#[test]
fn heavy_rewriting_at_most_doubles_what_is_written() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, options(), NOW, 1).unwrap();
    let keys = 2000;
    write(&mut node, &(0..keys).collect::<Vec<_>>(), 1);
    let mut sequences = vec![1; keys as usize];
    let mut chance = Chance(5);
    let (mut before, mut moved) = (0, 0);
    for round in 0..300 {
        if round == 100 {
            // By now the tables are as empty as they will be.
            before = table_bytes(&node);
            moved = node.stores[0].counters().compacted_bytes;
        }
        for _ in 0..50 {
            let tail = chance.below(keys);
            sequences[tail as usize] += 1;
            let sequence = Sequence(sequences[tail as usize]);
            node.stores[0].append(key(tail), sequence, b"x").unwrap();
            node.stores[0].put(key(tail), sequence, &[tail as u8; VALUE]).unwrap();
        }
        drive(node.stores[0].commit()).unwrap();
        for _ in 0..2 {
            assert!(node.maintain(UnixSecond(NOW.0 + 1)));
        }
    }
    let user = 200 * 50 * VALUE as u64;
    let ratio = (table_bytes(&node) - before) as f64 / user as f64;
    let moved = (node.stores[0].counters().compacted_bytes - moved) as f64 / user as f64;
    let names = drive(disk.list()).unwrap();
    let files = names.iter().filter(|name| name.ends_with(".table"));
    let bytes: usize = files.map(|name| disk.contents(name).unwrap().len()).sum();
    let space = bytes as f64 / (keys as usize * VALUE) as f64;
    assert!(ratio <= 2.0 && moved > 0.1, "{ratio:.3} written, {moved:.3} moved, {space:.2} kept");
    assert!(space < 3.0, "{ratio:.3} written, {moved:.3} moved, {space:.2} kept");
}
