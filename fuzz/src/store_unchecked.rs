//! A store whose checksums are turned off, so that hostile bytes reach every
//! decoder: of the manifest's slots, segment headers, batches and their
//! records, table headers, blocks, directories and footers.
//!
//! What is read may be anything; a store that cannot be opened says so, and
//! nothing panics, hangs or takes memory out of proportion.

use std::cell::OnceCell;

use arbitrary::{Arbitrary, Result, Unstructured};
use desk_storage_lsm::disk::Disk;
use desk_storage_lsm::inspect::inspect;
use desk_storage_lsm::limits::BLOCK_BYTES;
use desk_storage_lsm::memory_disk::{MemoryDisk, drive};
use desk_storage_lsm::{ManifestOwner, Recovered, Sequence, Store, recover, unchecked};

use crate::store_image::{KEYS, NOW, content, image_of_two_runs, key, options, start};

const CHANGES_MAX: usize = 12;
/// Fields stand in front of a block or of what follows it in steps of 8.
const FRONT_BYTES: usize = 512;

/// Runs the story that `data` tells.
pub fn run(data: &[u8]) {
    thread_local! {
        static IMAGE: OnceCell<MemoryDisk> = const { OnceCell::new() };
    }
    unchecked::turn_on();
    let disk = IMAGE.with(|image| image.get_or_init(image_of_two_runs).fork());
    let mut bytes = Unstructured::new(data);
    for _ in 0..CHANGES_MAX {
        if change(&mut bytes, &disk).is_err() {
            break;
        }
    }
    let shards = 1 + data.len() as u16 % 3;
    let _ = drive(inspect(&disk));
    if let Ok(recovered) = drive(recover(&disk, &options(), start(shards))) {
        drive(use_store(&disk, recovered));
        let _ = drive(recover(&disk, &options(), start(1)));
    }
    unchecked::turn_off();
}

/// Puts a hostile field somewhere.
fn change(bytes: &mut Unstructured<'_>, disk: &MemoryDisk) -> Result<()> {
    let names = drive(disk.list()).expect("a disk without faults lists");
    let name = bytes.choose(&names)?;
    let length = disk.contents(name).expect("it was listed").len();
    let blocks = length / BLOCK_BYTES;
    let block = bytes.int_in_range(0..=blocks.saturating_sub(1))? * BLOCK_BYTES;
    // The checksum is spared: it stands in front, and zeros may be a footer's end.
    let at = block + bytes.int_in_range(0..=FRONT_BYTES)?;
    match bytes.int_in_range(0..=5)? {
        0 => disk.overwrite(name, at, &[u8::arbitrary(bytes)?]),
        1 => disk.overwrite(name, at, &u16::arbitrary(bytes)?.to_le_bytes()),
        2 => disk.overwrite(name, at, &u32::arbitrary(bytes)?.to_le_bytes()),
        3 => disk.overwrite(name, at, &u64::arbitrary(bytes)?.to_le_bytes()),
        4 => disk.overwrite(name, at, &[0xFF; 8]),
        _ => disk.truncate(name, block),
    }
    Ok(())
}

async fn use_store(disk: &MemoryDisk, recovered: Recovered) {
    let Ok(mut owner) = ManifestOwner::open(disk.clone(), recovered.manifest).await else { return };
    for seed in recovered.seeds {
        let Ok(store) = Store::open(disk.clone(), seed).await else { continue };
        for tail in 0..KEYS {
            let _ = store.get(&key(tail), NOW).await;
            let _ = store.append(key(tail), Sequence(9), &content(tail, Sequence(9), 100));
            let _ = store.put(key(tail), Sequence(9), &content(tail, Sequence(9), 500));
        }
        let _ = store.commit().await;
        let _ = store.maintain(NOW).await;
        let _ = store.shutdown().await;
        let _ = owner.apply(store.take_edits()).await;
    }
    let _ = owner.tick(NOW).await;
    while let Ok(true) = owner.unlink_step().await {}
}
