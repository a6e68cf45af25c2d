//! The store that the targets damage: what two runs left behind.

use desk_storage_lsm::memory_disk::{MemoryDisk, drive};
use desk_storage_lsm::{
    Key, ManifestOwner, Options, Recovered, Seconds, Sequence, ShardCount, Start, Store,
    UnixSecond, partition_of, recover,
};

pub(crate) const NOW: UnixSecond = UnixSecond(1_700_000_000);
pub(crate) const KEYS: u8 = 12;
/// Records a key gets in the image; what comes later is the target's own.
pub(crate) const RUNS: u64 = 2;

pub(crate) fn options() -> Options {
    Options {
        lifetime: Seconds(1000),
        bucket: Seconds(100),
        segment_bytes: 32 * 1024,
        log_budget_bytes: 512 * 1024,
        table_bytes: 64 * 1024,
        disk_reserve_bytes: 0,
        ..Options::default()
    }
}

pub(crate) fn start(shards: u16) -> Start {
    let shards = ShardCount::new(shards).expect("from 1 to 3");
    Start { now: NOW, shards, accept_clock: false, fresh_store_id: [4; 16] }
}

pub(crate) fn key(tail: u8) -> Key {
    let mut bytes = [tail; 16];
    bytes[..4].copy_from_slice(&(NOW.0 as u32 - u32::from(tail)).to_be_bytes());
    Key::new(bytes)
}

/// The content of a record or a snapshot: its key and sequence, spelt at length.
pub(crate) fn content(tail: u8, sequence: Sequence, bytes: usize) -> Vec<u8> {
    let word = [b'k', tail, b'r', sequence.0 as u8];
    word.iter().copied().cycle().take(bytes).collect()
}

/// The store that two runs of one and two shards leave, tables and logs.
pub(crate) fn image_of_two_runs() -> MemoryDisk {
    let disk = MemoryDisk::with_seed(1);
    drive(async {
        for run in 1..=RUNS {
            let shards = run as u16;
            let recovered = recover(&disk, &options(), start(shards)).await.expect("sound");
            write(&disk, recovered, shards, Sequence(run)).await;
        }
    });
    disk
}

/// Gives every key the record `sequence`, and every third one a snapshot.
async fn write(disk: &MemoryDisk, recovered: Recovered, shards: u16, sequence: Sequence) {
    let shards = ShardCount::new(shards).expect("from 1 to 3");
    let mut owner = ManifestOwner::open(disk.clone(), recovered.manifest).await.expect("sound");
    for seed in recovered.seeds {
        let shard = seed.shard();
        let store = Store::open(disk.clone(), seed).await.expect("sound");
        for tail in (0..KEYS).filter(|tail| partition_of(&key(*tail)).shard(shards) == shard) {
            let payload = content(tail, sequence, 700 + usize::from(tail));
            store.append(key(tail), sequence, &payload).expect("room for a record");
            if tail % 3 == 0 {
                let value = content(tail, sequence, 3000);
                store.put(key(tail), sequence, &value).expect("room for a snapshot");
            }
        }
        store.commit().await.expect("sound");
        store.maintain(NOW).await.expect("sound");
        owner.apply(store.take_edits()).await.expect("sound");
    }
}
