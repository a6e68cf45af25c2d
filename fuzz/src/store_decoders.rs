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
    ManifestOwner, Recovered, Sequence, ShardCount, Store, partition_of, recover,
};

use crate::store_image::{KEYS, NOW, content, image_of_two_runs, key, options, start};

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
                let next = Sequence(last.0 + 1);
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

/// Checks what a key answers; its last sequence, if it is there and whole.
async fn read(store: &Store<MemoryDisk>, tail: u8) -> Option<Sequence> {
    let stored = store.get(&key(tail), NOW).await.ok()??;
    let mut last = None;
    if let Some(snapshot) = &stored.snapshot {
        let value: &[u8] = &snapshot.value;
        assert!(value == content(tail, snapshot.sequence, value.len()), "a wrong snapshot");
        last = Some(snapshot.sequence);
    }
    for record in &stored.records {
        let expected = content(tail, record.sequence, record.payload.len());
        assert!(record.payload == expected, "a wrong record");
        let follows = last.is_none_or(|last| record.sequence.0 == last.0 + 1);
        assert!(follows, "records {last:?} and {:?} have a gap", record.sequence);
        last = Some(record.sequence);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store_image::RUNS;

    #[test]
    fn without_damage_every_key_has_its_last_record() {
        let disk = image_of_two_runs();
        drive(async {
            let recovered = recover(&disk, &options(), start(1)).await.unwrap();
            for seed in recovered.seeds {
                let store = Store::open(disk.clone(), seed).await.unwrap();
                for tail in 0..KEYS {
                    assert_eq!(read(&store, tail).await, Some(Sequence(RUNS)), "key {tail}");
                }
            }
        });
    }
}
