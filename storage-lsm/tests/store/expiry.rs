//! Expiry: to the second for readers, by whole buckets on the disk.

use crate::node::{NOW, Node, key_at, small};
use desk_storage_lsm::disk::Disk;
use desk_storage_lsm::limits::UNLINK_STEP_BYTES;
use desk_storage_lsm::memory_disk::{Faults, MemoryDisk, Misfortune, drive};
use desk_storage_lsm::{
    AppendError, ClockState, GetError, Options, Progress, PutError, Seconds, Sequence, UnixSecond,
};

fn brief() -> Options {
    Options { lifetime: Seconds(500), bucket: Seconds(100), ..small() }
}

fn at(past: u64) -> UnixSecond {
    UnixSecond(NOW.0 + past)
}

fn tables(disk: &MemoryDisk) -> usize {
    drive(disk.list()).unwrap().iter().filter(|name| name.ends_with(".table")).count()
}

#[test]
fn a_key_expires_to_the_second_files_by_bucket() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, brief(), NOW, 1).unwrap();
    let key = key_at(NOW.0, 1);
    node.stores[0].append(key, Sequence(1), b"x").unwrap();
    node.stores[0].put(key, Sequence(1), b"value").unwrap();
    drive(node.stores[0].commit()).unwrap();
    drive(node.stores[0].checkpoint()).unwrap();
    assert!(node.manifest_round(NOW));
    assert_eq!(node.stores[0].expires_at(&key), Some(at(500)));
    assert!(drive(node.stores[0].get(&key, at(499))).unwrap().is_some());
    let gone = drive(node.stores[0].get(&key, at(500))).err();
    assert_eq!(gone, Some(GetError::Expired { at: at(500) }));
    // The bucket spans 100 s; its files go when its last key has expired.
    let end = NOW.0 - NOW.0 % 100 + 100 + 500 - NOW.0;
    assert!(node.manifest_round(at(end - 1)));
    assert_eq!(tables(&disk), 1);
    assert!(node.manifest_round(at(end)));
    assert_eq!(tables(&disk), 0);
    let gone = drive(node.stores[0].get(&key, at(end))).err();
    assert_eq!(gone, Some(GetError::Expired { at: at(500) }));
    let second = key.second();
    assert_eq!(
        node.stores[0].append(key, Sequence(2), b"x"),
        Err(AppendError::NoBucket { second })
    );
    assert_eq!(node.stores[0].put(key, Sequence(2), b"x"), Err(PutError::NoBucket { second }));
    // Its log records hold nothing back any more.
    assert_eq!(node.stores[0].counters().held_keys, 0);
    drop(node);
    let node = Node::start(&disk, brief(), at(end), 1).unwrap();
    assert!(node.report.is_sound());
    assert_eq!(node.report.keys, 0);
}

#[test]
fn a_start_skips_what_has_expired() {
    let disk = MemoryDisk::with_seed(1);
    let node = Node::start(&disk, brief(), NOW, 1).unwrap();
    let key = key_at(NOW.0, 1);
    node.stores[0].append(key, Sequence(1), b"x").unwrap();
    drive(node.stores[0].commit()).unwrap();
    let node = Node::start(&disk, brief(), at(500), 1).unwrap();
    assert_eq!((node.report.keys, node.report.expired), (0, 1));
    assert_eq!(node.stores[0].pressure().inherited_bytes, 0);
}

#[test]
fn a_changed_lifetime_moves_no_promise() {
    let disk = MemoryDisk::with_seed(1);
    let old = key_at(NOW.0, 1);
    let node = Node::start(&disk, brief(), NOW, 1).unwrap();
    node.stores[0].append(old, Sequence(1), b"x").unwrap();
    drive(node.stores[0].commit()).unwrap();
    for (lifetime, bucket) in [(10, 7), (90_000, 1000)] {
        let options = Options { lifetime: Seconds(lifetime), bucket: Seconds(bucket), ..brief() };
        let node = Node::start(&disk, options, at(20), 2).unwrap();
        assert_eq!(node.store(&old).expires_at(&old), Some(at(500)));
        assert!(drive(node.store(&old).get(&old, at(499))).unwrap().is_some());
    }
    // Later seconds follow the flag of the run that stamped them.
    let options = Options { lifetime: Seconds(10), bucket: Seconds(7), ..brief() };
    let later = key_at(NOW.0 + 5000, 1);
    let node = Node::start(&disk, options, at(5000), 1).unwrap();
    assert_eq!(node.store(&later).expires_at(&later), Some(at(5010)));
}

#[test]
fn a_clock_that_jumps_drops_nothing_until_somebody_vouches() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, brief(), NOW, 1).unwrap();
    let key = key_at(NOW.0, 1);
    node.stores[0].append(key, Sequence(1), b"x").unwrap();
    node.stores[0].put(key, Sequence(1), b"value").unwrap();
    drive(node.stores[0].commit()).unwrap();
    drive(node.stores[0].checkpoint()).unwrap();
    assert!(node.manifest_round(NOW));
    let year = at(365 * 86_400);
    // While running.
    assert!(node.manifest_round(year));
    assert!(matches!(node.owner.clock(), ClockState::Suspect { .. }));
    assert_eq!(tables(&disk), 1);
    // Readers still see what the clock says.
    assert!(matches!(drive(node.stores[0].get(&key, year)), Err(GetError::Expired { .. })));
    // At start, and then the clock goes back.
    let node = Node::start(&disk, brief(), year, 1).unwrap();
    assert!(matches!(node.report.clock, ClockState::Suspect { .. }));
    let mut node = Node::start(&disk, brief(), at(1), 1).unwrap();
    assert_eq!(node.report.clock, ClockState::Trusted);
    assert!(drive(node.stores[0].get(&key, at(1))).unwrap().is_some());
    assert!(node.manifest_round(at(1)));
    assert_eq!(tables(&disk), 1);
    // Vouched for.
    let mut node = Node::start_with(&disk, brief(), year, 1, true).unwrap();
    assert_eq!(node.report.clock, ClockState::Trusted);
    assert_eq!(node.report.keys, 0);
    while drive(node.owner.unlink_step()).unwrap() {}
    assert_eq!(tables(&disk), 0);
    let node = Node::start(&disk, brief(), UnixSecond(year.0 + 60), 1).unwrap();
    assert_eq!(node.report.clock, ClockState::Trusted);
}

#[test]
fn a_bucket_that_goes_during_a_write_is_no_fault() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, brief(), NOW, 1).unwrap();
    let key = key_at(NOW.0, 1);
    node.stores[0].append(key, Sequence(1), b"x").unwrap();
    drive(node.stores[0].commit()).unwrap();
    node.stores[0].put(key, Sequence(1), b"value").unwrap();
    // The table is made and its edit is on its way while the bucket goes.
    drive(node.stores[0].checkpoint()).unwrap();
    let edits = node.stores[0].take_edits();
    let late = at(700);
    let news = drive(node.owner.tick(late)).unwrap().unwrap();
    let number = edits.last().unwrap().number;
    drive(node.owner.apply(edits)).unwrap();
    node.stores[0].edits_durable(number);
    node.stores[0].apply_news(&news);
    while drive(node.owner.unlink_step()).unwrap() {}
    assert_eq!(tables(&disk), 0);
    assert!(drive(node.stores[0].maintain(late)).is_ok());
    assert_eq!(node.stores[0].counters().backlog_bytes, 0);
}

#[test]
fn a_large_file_goes_in_pieces_and_its_memory_in_steps() {
    let disk = MemoryDisk::with_seed(1);
    let options = Options { table_bytes: 64 << 20, ..brief() };
    let mut node = Node::start(&disk, options, NOW, 1).unwrap();
    let large = 3 * UNLINK_STEP_BYTES as usize / 10;
    for tail in 0..10 {
        let key = key_at(NOW.0, tail);
        node.stores[0].append(key, Sequence(1), b"x").unwrap();
        node.stores[0].put(key, Sequence(1), &vec![7; large]).unwrap();
    }
    drive(node.stores[0].commit()).unwrap();
    drive(node.stores[0].checkpoint()).unwrap();
    assert!(node.manifest_round(NOW));
    let name = drive(disk.list()).unwrap().into_iter().find(|name| name.ends_with(".table"));
    let name = name.unwrap();
    let news = drive(node.owner.tick(at(700))).unwrap().unwrap();
    assert!(!news.dropped.is_empty());
    node.stores[0].apply_news(&news);
    // For readers it is gone, before a byte of it is.
    assert_eq!(node.stores[0].counters().keys, 0);
    let mut left = disk.contents(&name).unwrap().len() as u64;
    assert!(left > 3 * UNLINK_STEP_BYTES);
    while drive(node.owner.unlink_step()).unwrap() && node.owner.doomed() > 0 {
        let Some(bytes) = disk.contents(&name) else { break };
        assert!(left - bytes.len() as u64 <= UNLINK_STEP_BYTES, "{left} bytes were left");
        left = bytes.len() as u64;
    }
    assert!(left <= UNLINK_STEP_BYTES, "{left} bytes went at once");
    assert_eq!(tables(&disk), 0);
    while drive(node.stores[0].maintain(at(700))).unwrap() == Progress::More {}
    assert_eq!(node.stores[0].counters().index_bytes, 0);
}

#[test]
fn a_start_finishes_what_a_crash_left_of_a_removal() {
    let disk = MemoryDisk::with_seed(1);
    let options = Options { table_bytes: 64 << 20, ..brief() };
    let mut node = Node::start(&disk, options, NOW, 1).unwrap();
    let key = key_at(NOW.0, 1);
    node.stores[0].append(key, Sequence(1), b"x").unwrap();
    let large = vec![7; 3 * UNLINK_STEP_BYTES as usize];
    node.stores[0].put(key, Sequence(1), &large).unwrap();
    drive(node.stores[0].commit()).unwrap();
    drive(node.stores[0].checkpoint()).unwrap();
    assert!(node.manifest_round(NOW));
    assert!(node.manifest_round(at(700)));
    assert_eq!(tables(&disk), 1, "a part of it is left");
    disk.crash();
    disk.restart();
    let mut node = Node::start(&disk, options, at(701), 2).unwrap();
    assert!(node.report.is_sound(), "{:?}", node.report);
    while drive(node.owner.unlink_step()).unwrap() {}
    assert_eq!(tables(&disk), 0);
}

#[test]
fn a_clock_that_goes_back_or_is_vouched_for_while_running() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, brief(), NOW, 1).unwrap();
    let key = key_at(NOW.0, 1);
    node.stores[0].append(key, Sequence(1), b"x").unwrap();
    node.stores[0].put(key, Sequence(1), b"value").unwrap();
    drive(node.stores[0].commit()).unwrap();
    drive(node.stores[0].checkpoint()).unwrap();
    // An hour back: nothing is dropped, keys of now still find their bucket.
    let back = UnixSecond(NOW.0 - 3600);
    assert!(node.manifest_round(back));
    assert_eq!(node.owner.clock(), ClockState::Trusted);
    assert!(drive(node.stores[0].get(&key, back)).unwrap().is_some());
    let then = key_at(back.0, 2);
    node.stores[0].append(then, Sequence(1), b"x").unwrap();
    // A year ahead is suspect until somebody says that it is right.
    let year = at(365 * 86_400);
    assert!(node.manifest_round(year));
    assert!(matches!(node.owner.clock(), ClockState::Suspect { .. }));
    assert_eq!(tables(&disk), 1);
    node.owner.accept_clock(year);
    assert!(node.manifest_round(year));
    assert_eq!((node.owner.clock(), tables(&disk)), (ClockState::Trusted, 0));
}

/// The next access but so many meets that misfortune.
fn strike(disk: &MemoryDisk, later: u64, misfortune: Misfortune) {
    let at = vec![(disk.accesses() + later, misfortune)];
    disk.set_faults(Faults { at, capacity_bytes: None });
}

#[test]
fn a_file_that_cannot_be_removed_keeps_no_other() {
    for later in 0..3 {
        let disk = MemoryDisk::with_seed(later);
        let mut node = Node::start(&disk, brief(), NOW, 1).unwrap();
        // A table in each of two buckets.
        let keys = [key_at(NOW.0, 1), key_at(NOW.0 + 100, 2)];
        for key in keys {
            node.stores[0].append(key, Sequence(1), b"x").unwrap();
            node.stores[0].put(key, Sequence(1), b"value").unwrap();
        }
        drive(node.stores[0].commit()).unwrap();
        drive(node.stores[0].checkpoint()).unwrap();
        assert!(node.manifest_round(NOW));
        assert!(drive(node.owner.tick(at(800))).unwrap().is_some());
        assert_eq!(node.owner.doomed(), 2);
        let both = tables(&disk);
        // To open it, to measure it, to unlink it.
        strike(&disk, later, Misfortune::Error);
        drive(node.owner.unlink_step()).unwrap_err();
        let failed = tables(&disk);
        assert!(both == 2 && failed > 0 && node.owner.doomed() == 2);
        assert_eq!(node.owner.poisoned(), None);
        drive(node.owner.unlink_step()).unwrap();
        assert_eq!(tables(&disk), failed - 1, "the other one is removed");
        assert_eq!(node.owner.doomed(), 1);
        drive(node.owner.unlink_step()).unwrap();
        assert_eq!((tables(&disk), node.owner.doomed()), (0, 0));
    }
}

#[test]
fn a_large_file_that_cannot_be_cut_has_its_turn_again() {
    let disk = MemoryDisk::with_seed(1);
    let options = Options { table_bytes: 64 << 20, ..brief() };
    let mut node = Node::start(&disk, options, NOW, 1).unwrap();
    let large = vec![7; 3 * UNLINK_STEP_BYTES as usize];
    for (key, value) in [(key_at(NOW.0, 1), &large[..]), (key_at(NOW.0 + 100, 2), b"value")] {
        node.stores[0].append(key, Sequence(1), b"x").unwrap();
        node.stores[0].put(key, Sequence(1), value).unwrap();
    }
    drive(node.stores[0].commit()).unwrap();
    drive(node.stores[0].checkpoint()).unwrap();
    assert!(node.manifest_round(NOW));
    drive(node.owner.tick(at(800))).unwrap().unwrap();
    assert!(drive(node.owner.unlink_step()).unwrap(), "the first piece is cut off");
    strike(&disk, 0, Misfortune::Error);
    drive(node.owner.unlink_step()).unwrap_err();
    drive(node.owner.unlink_step()).unwrap();
    assert_eq!((tables(&disk), node.owner.doomed()), (1, 1), "the small one went first");
    while drive(node.owner.unlink_step()).unwrap() {}
    assert_eq!(tables(&disk), 0);
}

#[test]
fn an_old_value_stays_until_its_successor_is_proven() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, brief(), NOW, 1).unwrap();
    let key = key_at(NOW.0, 1);
    node.stores[0].append(key, Sequence(1), b"x").unwrap();
    node.stores[0].put(key, Sequence(1), b"old").unwrap();
    drive(node.stores[0].shutdown()).unwrap();
    assert!(node.manifest_round(NOW));
    // The bucket goes in ten minutes at the latest, so a block that cannot be
    // read back poisons nothing: its file may be cut already.
    let mut node = Node::start(&disk, brief(), NOW, 1).unwrap();
    assert!(node.maintain(NOW));
    node.stores[0].append(key, Sequence(2), b"y").unwrap();
    drive(node.stores[0].commit()).unwrap();
    node.stores[0].put(key, Sequence(2), b"new").unwrap();
    // Behind the making of the table, which takes four accesses.
    strike(&disk, 4, Misfortune::Lost);
    drive(node.stores[0].checkpoint()).unwrap();
    assert_eq!(disk.strikes().last().map(|strike| strike.at), Some(4096), "{:?}", disk.strikes());
    for later in 0..5 {
        assert!(node.maintain(at(later)));
        drive(node.stores[0].checkpoint()).unwrap();
    }
    assert_eq!(node.stores[0].poisoned(), None);
    assert_eq!(tables(&disk), 2);
    disk.crash();
    disk.restart();
    let node = Node::start(&disk, brief(), at(5), 1).unwrap();
    assert!(node.report.is_sound(), "{:?}", node.report);
    let stored = drive(node.stores[0].get(&key, at(5))).unwrap().unwrap();
    assert_eq!(stored.snapshot.map(|found| found.sequence), Some(Sequence(1)));
    assert_eq!(stored.records.len(), 1);
}
