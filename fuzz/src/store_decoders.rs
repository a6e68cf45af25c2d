//! A store whose files were damaged: what is still read is what was written.
//!
//! The bytes are a list of damages to a store that two runs left behind. Then
//! it is recovered, asked for every key, used and recovered once more.

use std::cell::OnceCell;

use arbitrary::{Arbitrary, Result, Unstructured};
use desk_storage_lsm::disk::Disk;
use desk_storage_lsm::limits::BLOCK_BYTES;
use desk_storage_lsm::memory_disk::{MemoryDisk, drive};
use desk_storage_lsm::{
    Key, ManifestOwner, Options, Recovered, Revision, Seconds, ShardCount, Start, Store,
    UnixSecond, partition_of, recover,
};

const NOW: UnixSecond = UnixSecond(1_700_000_000);
const KEYS: u8 = 12;
/// Records a key gets in the image; what comes later is this target's own.
const RUNS: u64 = 2;
const DAMAGES_MAX: usize = 8;

/// Runs the story that `data` tells.
pub fn run(data: &[u8]) {
    thread_local! {
        static IMAGE: OnceCell<MemoryDisk> = const { OnceCell::new() };
    }
    let disk = IMAGE.with(|image| image.get_or_init(image_of_two_runs).fork());
    let mut bytes = Unstructured::new(data);
    for _ in 0..DAMAGES_MAX {
        if damage(&mut bytes, &disk).is_err() {
            break;
        }
    }
    let shards = 1 + data.len() as u16 % 3;
    // A store that cannot be opened says so, and that is all it may do.
    let Ok(recovered) = drive(recover(&disk, &options(), start(shards))) else { return };
    drive(use_store(&disk, recovered, shards));
    if let Ok(recovered) = drive(recover(&disk, &options(), start(1))) {
        drive(read_all(&disk, recovered));
    }
}

fn options() -> Options {
    Options {
        lifetime: Seconds(1000),
        bucket: Seconds(100),
        segment_bytes: 32 * 1024,
        log_budget_bytes: 512 * 1024,
        table_bytes: 64 * 1024,
        disk_reserve_bytes: 0,
    }
}

fn start(shards: u16) -> Start {
    let shards = ShardCount::new(shards).expect("from 1 to 3");
    Start { now: NOW, shards, accept_clock: false, fresh_store_id: [4; 16] }
}

fn key(tail: u8) -> Key {
    let mut bytes = [tail; 16];
    bytes[..4].copy_from_slice(&(NOW.0 as u32 - u32::from(tail)).to_be_bytes());
    Key::new(bytes)
}

/// The content of a record or a snapshot: its key and revision, spelt at length.
fn content(tail: u8, revision: Revision, bytes: usize) -> Vec<u8> {
    let word = [b'k', tail, b'r', revision.0 as u8];
    word.iter().copied().cycle().take(bytes).collect()
}

/// The store that two runs of one and two shards leave, tables and logs.
fn image_of_two_runs() -> MemoryDisk {
    let disk = MemoryDisk::with_seed(1);
    drive(async {
        for run in 1..=RUNS {
            let shards = run as u16;
            let recovered = recover(&disk, &options(), start(shards)).await.expect("sound");
            write(&disk, recovered, shards, Revision(run)).await;
        }
    });
    disk
}

/// Gives every key the record `revision`, and every third one a snapshot.
async fn write(disk: &MemoryDisk, recovered: Recovered, shards: u16, revision: Revision) {
    let shards = ShardCount::new(shards).expect("from 1 to 3");
    let mut owner = ManifestOwner::open(disk.clone(), recovered.manifest).await.expect("sound");
    for seed in recovered.seeds {
        let shard = seed.shard();
        let store = Store::open(disk.clone(), seed).await.expect("sound");
        for tail in (0..KEYS).filter(|tail| partition_of(&key(*tail)).shard(shards) == shard) {
            let payload = content(tail, revision, 700 + usize::from(tail));
            store.append(key(tail), revision, &payload).expect("room for a record");
            if tail % 3 == 0 {
                let value = content(tail, revision, 3000);
                store.put(key(tail), revision, &value).expect("room for a snapshot");
            }
        }
        store.commit().await.expect("sound");
        store.maintain(NOW).await.expect("sound");
        owner.apply(store.take_edits()).await.expect("sound");
    }
}

/// One damage to the medium.
fn damage(bytes: &mut Unstructured<'_>, disk: &MemoryDisk) -> Result<()> {
    let names = drive(disk.list()).expect("a disk without faults lists");
    let name = bytes.choose(&names)?;
    let length = disk.contents(name).expect("it was listed").len();
    let at = bytes.int_in_range(0..=length)?;
    let block = at / BLOCK_BYTES * BLOCK_BYTES;
    match bytes.int_in_range(0..=6)? {
        0 => disk.flip_bit(name, at * 8 + usize::from(u8::arbitrary(bytes)? % 8)),
        1 => disk.overwrite(name, at, &<[u8; 8]>::arbitrary(bytes)?),
        2 => disk.overwrite(name, block, &[0; BLOCK_BYTES]),
        3 => {
            // A write that went astray: a block of any file, where it does not belong.
            let from = disk.contents(bytes.choose(&names)?).expect("it was listed");
            let blocks = from.len() / BLOCK_BYTES;
            let source = bytes.int_in_range(0..=blocks.saturating_sub(1))? * BLOCK_BYTES;
            if let Some(stray) = from.get(source..source + BLOCK_BYTES) {
                disk.overwrite(name, block, stray);
            }
        }
        4 => disk.truncate(name, at),
        5 => disk.lose(name),
        _ => disk.overwrite("stray", 0, &<[u8; 16]>::arbitrary(bytes)?),
    }
    Ok(())
}

/// Asks each shard for its keys and writes on where that is possible.
async fn use_store(disk: &MemoryDisk, recovered: Recovered, shards: u16) {
    let shards = ShardCount::new(shards).expect("from 1 to 3");
    let Ok(mut owner) = ManifestOwner::open(disk.clone(), recovered.manifest).await else { return };
    for seed in recovered.seeds {
        let shard = seed.shard();
        let Ok(store) = Store::open(disk.clone(), seed).await else { continue };
        for tail in (0..KEYS).filter(|tail| partition_of(&key(*tail)).shard(shards) == shard) {
            if let Some(last) = read(&store, tail).await {
                let next = Revision(last.0 + 1);
                let _ = store.append(key(tail), next, &content(tail, next, 100));
            }
        }
        let _ = store.commit().await;
        let _ = store.maintain(NOW).await;
        let _ = owner.apply(store.take_edits()).await;
    }
}

async fn read_all(disk: &MemoryDisk, recovered: Recovered) {
    for seed in recovered.seeds {
        let Ok(store) = Store::open(disk.clone(), seed).await else { continue };
        for tail in 0..KEYS {
            read(&store, tail).await;
        }
    }
}

/// Checks what a key answers; its last revision, if it is there and whole.
async fn read(store: &Store<MemoryDisk>, tail: u8) -> Option<Revision> {
    let stored = store.get(&key(tail), NOW).await.ok()??;
    let mut last = None;
    if let Some(snapshot) = &stored.snapshot {
        let value: &[u8] = &snapshot.value;
        assert!(value == content(tail, snapshot.revision, value.len()), "a wrong snapshot");
        last = Some(snapshot.revision);
    }
    for record in &stored.records {
        let expected = content(tail, record.revision, record.payload.len());
        assert!(record.payload == expected, "a wrong record");
        let follows = last.is_none_or(|last| record.revision.0 == last.0 + 1);
        assert!(follows, "records {last:?} and {:?} have a gap", record.revision);
        last = Some(record.revision);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_damage_every_key_has_its_last_record() {
        let disk = image_of_two_runs();
        drive(async {
            let recovered = recover(&disk, &options(), start(1)).await.unwrap();
            for seed in recovered.seeds {
                let store = Store::open(disk.clone(), seed).await.unwrap();
                for tail in 0..KEYS {
                    assert_eq!(read(&store, tail).await, Some(Revision(RUNS)), "key {tail}");
                }
            }
        });
    }
}
