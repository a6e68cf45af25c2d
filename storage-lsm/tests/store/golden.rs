//! Folders as programs of each format left them, made once and never again. A
//! folder of the format that is known opens, one of another is refused, and
//! nothing of it is changed.

use std::path::PathBuf;

use desk_storage_lsm::disk::Disk;
use desk_storage_lsm::inspect::{InspectError, inspect};
use desk_storage_lsm::memory_disk::{MemoryDisk, drive};
use desk_storage_lsm::recover::Tail;
use desk_storage_lsm::{Sequence, Store};

use crate::node::{NOW, Node, key, small};
use crate::oracle::{payload, snapshot};

fn folder(version: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(version)
}

fn load(version: &str) -> MemoryDisk {
    let disk = MemoryDisk::with_seed(1);
    for entry in std::fs::read_dir(folder(version)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        disk.overwrite(name, 0, &unpack(&std::fs::read(&path).unwrap()));
    }
    disk
}

/// Long files are mostly zeros: a fixture holds the blocks that are not.
///
/// ```text
/// u64 length of the file, then for each block that is not zero:
/// u64 offset, 4,096 bytes
/// ```
fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut out = (bytes.len() as u64).to_le_bytes().to_vec();
    for (index, block) in bytes.chunks(4096).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            out.extend_from_slice(&(index as u64 * 4096).to_le_bytes());
            out.extend_from_slice(block);
        }
    }
    out
}

fn unpack(packed: &[u8]) -> Vec<u8> {
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap()) as usize;
    let mut bytes = vec![0; number(&packed[..8])];
    for block in packed[8..].chunks(8 + 4096) {
        let at = number(&block[..8]);
        bytes[at..at + 4096].copy_from_slice(&block[8..]);
    }
    bytes
}

/// What the folder was made with: a former run's log that is still needed, a
/// sealed table, a table without a footer, a deleted key, a log of the last
/// run.
fn make() -> MemoryDisk {
    let disk = MemoryDisk::with_seed(1);
    let append = |store: &Store<MemoryDisk>, tail, sequence| {
        store.append(key(tail), Sequence(sequence), &payload(&key(tail), sequence)).unwrap();
    };
    let put = |store: &Store<MemoryDisk>, tail, sequence| {
        store.put(key(tail), Sequence(sequence), &snapshot(&key(tail), sequence)).unwrap();
    };
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    let store = &node.stores[0];
    for sequence in 1..=3 {
        append(store, 0, sequence);
        append(store, 1, sequence);
        drive(store.commit()).unwrap();
    }
    put(store, 0, 3);
    drive(store.shutdown()).unwrap();
    assert!(node.manifest_round(NOW));
    let mut node = Node::start(&disk, small(), NOW, 1).unwrap();
    let store = &node.stores[0];
    append(store, 0, 4);
    append(store, 2, 1);
    append(store, 3, 1);
    drive(store.commit()).unwrap();
    put(store, 2, 1);
    store.delete(key(3)).unwrap();
    drive(store.commit()).unwrap();
    drive(store.checkpoint()).unwrap();
    assert!(node.manifest_round(NOW));
    disk
}

#[test]
fn a_folder_of_version_1_is_refused_with_what_to_do() {
    let disk = load("v1");
    let names = drive(disk.list()).unwrap();
    let before: Vec<_> = names.iter().map(|name| disk.contents(name)).collect();
    let refused = Node::start(&disk, small(), NOW, 1).err().unwrap();
    assert_eq!(
        refused.to_string(),
        "the data folder has format 1 and this program knows format 2 only: go on with the \
         program that wrote the folder until all in it has expired, or give this program another \
         folder"
    );
    assert_eq!(drive(inspect(&disk)).err(), Some(InspectError::Start(refused)));
    assert_eq!(drive(disk.list()).unwrap(), names);
    let after: Vec<_> = names.iter().map(|name| disk.contents(name)).collect();
    assert!(before == after, "nothing was changed");
}

#[test]
fn a_folder_of_version_2_opens() {
    opens(&load("v2"));
}

/// A fixture is written once, when a format is done and its folder is not there
/// yet: by this test with the format's name in `WRITE_FIXTURE`, as `v2`.
#[test]
fn what_makes_a_fixture_opens() {
    let disk = make();
    if let Ok(name) = std::env::var("WRITE_FIXTURE") {
        std::fs::create_dir(folder(&name)).unwrap();
        for file in drive(disk.list()).unwrap() {
            let packed = pack(&disk.contents(&file).unwrap());
            std::fs::write(folder(&name).join(format!("{file}.packed")), packed).unwrap();
        }
    }
    opens(&disk);
}

fn opens(disk: &MemoryDisk) {
    let inspection = drive(inspect(disk)).unwrap();
    assert!(inspection.is_sound(), "{inspection:?}");
    assert_eq!((inspection.format, inspection.epoch), (2, 2));
    assert_eq!(
        inspection.tables.iter().map(|table| table.sealed).collect::<Vec<_>>(),
        [true, false]
    );
    let node = Node::start(disk, small(), NOW, 2).unwrap();
    assert!(node.report.is_sound(), "{:?}", node.report);
    assert_eq!(node.report.logs.last().unwrap().tail, Some(Tail::Clean));
    for (tail, snapshot_at, records) in
        [(0, Some(3), vec![4]), (1, None, vec![1, 2, 3]), (2, Some(1), vec![])]
    {
        let key = key(tail);
        let stored = drive(node.store(&key).get(&key, NOW)).unwrap().unwrap();
        let found = stored.snapshot.map(|found| (found.sequence.0, found.value.to_vec()));
        assert_eq!(found, snapshot_at.map(|sequence| (sequence, snapshot(&key, sequence))));
        let found: Vec<_> = stored.records.into_iter().map(|r| (r.sequence.0, r.payload)).collect();
        let expected: Vec<_> = records.into_iter().map(|r| (r, payload(&key, r))).collect();
        assert_eq!(found, expected);
    }
    assert!(drive(node.store(&key(3)).get(&key(3), NOW)).unwrap().is_none());
}
