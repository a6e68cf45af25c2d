//! The suite that every [`Disk`] must pass, the simulated and the real ones.
//!
//! Each function takes an empty folder and panics where the disk breaks the
//! contract. [`run`] runs them all, on a fresh folder each.

use crate::disk::{Disk, Fault, Writes};
use crate::key::{Key, Position, Seconds, Sequence, ShardCount, UnixSecond};
use crate::limits::BLOCK_BYTES;
use crate::manifest::ManifestOwner;
use crate::options::Options;
use crate::recover::{Start, recover};
use crate::store::Store;

const NOW: UnixSecond = UnixSecond(1_700_000_000);

/// Runs the whole suite; `fresh` gives an empty folder each time it is asked.
///
/// # Panics
/// If the disk breaks the contract.
pub async fn run<D: Disk + Clone>(mut fresh: impl AsyncFnMut() -> D) {
    bytes_come_back(&fresh().await).await;
    reads_past_the_end_are_short(&fresh().await).await;
    names_are_created_once(&fresh().await).await;
    unlinked_files_stay_readable(&fresh().await).await;
    nothing_is_durable_in_a_file_without_a_name(&fresh().await).await;
    shortened_files_end_there(&fresh().await).await;
    prewritten_files_are_zero(&fresh().await).await;
    handles_see_each_others_writes(&fresh().await).await;
    a_store_lives_through_a_restart(&fresh().await).await;
}

fn filled<D: Disk>(disk: &D, blocks: usize, with: u8) -> D::Buffer {
    let mut buffer = disk.buffer(blocks * BLOCK_BYTES);
    assert_eq!(buffer.as_ref().len(), blocks * BLOCK_BYTES);
    buffer.as_mut().fill(with);
    buffer
}

async fn bytes_come_back<D: Disk>(disk: &D) {
    for (name, writes) in [("durable", Writes::Durable), ("deferred", Writes::Deferred)] {
        let file = disk.create(name, writes).await.unwrap();
        assert_eq!(disk.length(&file).await.unwrap(), 0);
        for (at, blocks, with) in
            [(0, 1, 1), (BLOCK_BYTES as u64, 70, 2), (BLOCK_BYTES as u64 * 3, 1, 3)]
        {
            let buffer = disk.write(&file, at, filled(disk, blocks, with)).await.unwrap();
            assert_eq!(buffer.as_ref().len(), blocks * BLOCK_BYTES);
        }
        disk.sync(&file).await.unwrap();
        assert_eq!(disk.length(&file).await.unwrap(), 71 * BLOCK_BYTES as u64);
        let read = disk.read(&file, 0, 71 * BLOCK_BYTES).await.unwrap();
        assert_eq!(read.len(), 71 * BLOCK_BYTES);
        assert_eq!(read.as_ptr().align_offset(16), 0, "blocks are aligned to 16");
        let expected = |block| match block {
            0 => 1,
            3 => 3,
            _ => 2,
        };
        for (index, block) in read.chunks(BLOCK_BYTES).enumerate() {
            assert!(block.iter().all(|byte| *byte == expected(index)), "block {index} of {name}");
        }
    }
    disk.sync_folder().await.unwrap();
    assert!(disk.space().await.unwrap().free_bytes > 0);
}

async fn reads_past_the_end_are_short<D: Disk>(disk: &D) {
    let file = disk.create("short", Writes::Deferred).await.unwrap();
    disk.write(&file, 0, filled(disk, 2, 7)).await.unwrap();
    for (at, blocks) in [(0, 3), (1, 2), (2, 1), (9, 1)] {
        let read = disk.read(&file, at * BLOCK_BYTES as u64, blocks * BLOCK_BYTES).await;
        assert_eq!(read.err().map(|error| error.fault), Some(Fault::Short), "{blocks} at {at}");
    }
}

async fn names_are_created_once<D: Disk>(disk: &D) {
    disk.create("one", Writes::Durable).await.unwrap();
    disk.create("two", Writes::Deferred).await.unwrap();
    let again = disk.create("one", Writes::Durable).await.err().unwrap();
    assert_eq!((again.fault, again.file.as_str()), (Fault::Exists, "one"));
    assert_eq!(disk.list().await.unwrap(), ["one", "two"]);
    for missing in
        [disk.open("three", Writes::Durable).await.err(), disk.unlink("three").await.err()]
    {
        assert_eq!(missing.unwrap().fault, Fault::NotFound);
    }
    disk.unlink("one").await.unwrap();
    assert_eq!(disk.list().await.unwrap(), ["two"]);
    disk.create("one", Writes::Durable).await.unwrap();
}

async fn unlinked_files_stay_readable<D: Disk>(disk: &D) {
    let file = disk.create("gone", Writes::Deferred).await.unwrap();
    disk.write(&file, 0, filled(disk, 1, 5)).await.unwrap();
    disk.unlink("gone").await.unwrap();
    let read = disk.read(&file, 0, BLOCK_BYTES).await.unwrap();
    assert!(read.iter().all(|byte| *byte == 5));
}

async fn nothing_is_durable_in_a_file_without_a_name<D: Disk>(disk: &D) {
    let one = disk.create("gone", Writes::Durable).await.unwrap();
    let two = disk.open("gone", Writes::Durable).await.unwrap();
    disk.write(&one, 0, filled(disk, 1, 5)).await.unwrap();
    disk.unlink("gone").await.unwrap();
    // Another file of that name changes nothing.
    let other = disk.create("gone", Writes::Durable).await.unwrap();
    for file in [&one, &two] {
        let written = disk.write(file, 0, filled(disk, 1, 6)).await;
        let error = written.err().expect("nobody would find it");
        assert_eq!((error.operation, error.fault), ("write", Fault::NotFound));
    }
    disk.write(&other, 0, filled(disk, 1, 7)).await.unwrap();
}

async fn shortened_files_end_there<D: Disk>(disk: &D) {
    let file = disk.create("cut", Writes::Deferred).await.unwrap();
    let other = disk.open("cut", Writes::Deferred).await.unwrap();
    disk.write(&file, 0, filled(disk, 5, 9)).await.unwrap();
    for blocks in [5, 2, 0] {
        disk.shorten(&file, (blocks * BLOCK_BYTES) as u64).await.unwrap();
        for handle in [&file, &other] {
            assert_eq!(disk.length(handle).await.unwrap(), (blocks * BLOCK_BYTES) as u64);
            let past = disk.read(handle, 0, (blocks + 1) * BLOCK_BYTES).await;
            assert_eq!(past.err().map(|error| error.fault), Some(Fault::Short));
        }
    }
    // What comes after the cut is zero until it is written.
    disk.write(&file, BLOCK_BYTES as u64, filled(disk, 1, 3)).await.unwrap();
    disk.sync(&file).await.unwrap();
    let read = disk.read(&file, 0, 2 * BLOCK_BYTES).await.unwrap();
    assert!(read[..BLOCK_BYTES].iter().all(|byte| *byte == 0));
    assert!(read[BLOCK_BYTES..].iter().all(|byte| *byte == 3));
}

async fn prewritten_files_are_zero<D: Disk>(disk: &D) {
    let bytes = 3 * 1024 * 1024 + BLOCK_BYTES;
    let file = disk.create("zeros", Writes::Durable).await.unwrap();
    disk.prewrite(&file, bytes as u64).await.unwrap();
    assert_eq!(disk.length(&file).await.unwrap(), bytes as u64);
    let read = disk.read(&file, 0, bytes).await.unwrap();
    assert!(read.iter().all(|byte| *byte == 0));
}

async fn handles_see_each_others_writes<D: Disk>(disk: &D) {
    let one = disk.create("shared", Writes::Durable).await.unwrap();
    let two = disk.open("shared", Writes::Deferred).await.unwrap();
    disk.write(&one, 0, filled(disk, 1, 1)).await.unwrap();
    disk.write(&two, BLOCK_BYTES as u64, filled(disk, 1, 2)).await.unwrap();
    let (from_one, from_two) =
        (disk.read(&one, 0, 2 * BLOCK_BYTES).await, disk.read(&two, 0, 2 * BLOCK_BYTES).await);
    assert!(*from_one.unwrap() == *from_two.unwrap());
}

async fn a_store_lives_through_a_restart<D: Disk + Clone>(disk: &D) {
    let options = Options {
        lifetime: Seconds(1000),
        bucket: Seconds(100),
        segment_bytes: 64 * 1024,
        log_budget_bytes: 1024 * 1024,
        table_bytes: 64 * 1024,
        disk_reserve_bytes: 0,
        ..Options::default()
    };
    let key = |tail: u8| {
        let mut bytes = [tail; 16];
        bytes[..4].copy_from_slice(&(NOW.0 as u32).to_be_bytes());
        Key::new(bytes)
    };
    for run in 0..3_u16 {
        let shards = ShardCount::new(1 + run % 2).unwrap();
        let start = Start { now: NOW, shards, accept_clock: false, fresh_store_id: [4; 16] };
        let recovered = recover(disk, &options, start).await.unwrap();
        assert!(recovered.report.is_sound(), "{:?}", recovered.report);
        let mut owner = ManifestOwner::open(disk.clone(), recovered.manifest).await.unwrap();
        for seed in recovered.seeds {
            let shard = seed.shard();
            let store = Store::open(disk.clone(), seed).await.unwrap();
            for tail in 0..20_u8 {
                let key = key(tail);
                if crate::partition_of(&key).shard(shards) != shard {
                    continue;
                }
                let last = Sequence(u64::from(run));
                if let Some(stored) = store.get(&key, NOW).await.unwrap() {
                    let reached = stored.records.last().map(|record| record.sequence);
                    assert_eq!(reached.or(stored.snapshot.map(|s| s.sequence)), Some(last));
                } else {
                    assert_eq!(run, 0, "a key of an earlier run is there");
                }
                store.append(key, Sequence(last.0 + 1), &[tail; 3000]).unwrap();
                if tail % 3 == 0 {
                    store.put(key, Sequence(last.0 + 1), &[tail; 9000]).unwrap();
                }
            }
            assert_eq!(store.commit().await.unwrap(), store.position());
            assert!(store.durable() > Position(0));
            store.maintain(NOW).await.unwrap();
            if run == 1 {
                store.shutdown().await.unwrap();
            }
            owner.apply(store.take_edits()).await.unwrap();
        }
        while owner.unlink_step().await.unwrap() {}
    }
}
