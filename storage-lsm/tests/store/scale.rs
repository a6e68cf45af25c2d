//! Figures of a large store, printed and not judged, because they are times:
//! `cargo test --release -p desk-storage-lsm --test store scale -- --ignored --nocapture`.
//! The disk is memory, so they are the processor's part alone.
#![expect(clippy::disallowed_methods, reason = "these tests measure time")]

use std::time::{Duration, Instant};

use crate::node::{NOW, Node, key_at};
use desk_storage_lsm::memory_disk::{MemoryDisk, drive};
use desk_storage_lsm::{Key, Options, Progress, Revision, Seconds, UnixSecond};

const DAY: u64 = 86_400;

fn options() -> Options {
    Options {
        lifetime: Seconds(7 * DAY as u32),
        bucket: Seconds(DAY as u32),
        log_budget_bytes: 1 << 30,
        disk_reserve_bytes: 0,
        ..Options::default()
    }
}

fn time<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    eprintln!("{what}: {:.1?}", start.elapsed());
    done
}

/// Desks with a snapshot, spread over one second of the day.
fn fill(node: &mut Node, now: UnixSecond, desks: u64) -> Vec<Key> {
    let keys: Vec<Key> = (0..desks).map(|tail| key_at(now.0, tail)).collect();
    for chunk in keys.chunks(5000) {
        for key in chunk {
            node.store(key).append(*key, Revision(1), b"a change").unwrap();
            node.store(key).put(*key, Revision(1), &[7; 64]).unwrap();
        }
        for store in &node.stores {
            drive(store.commit()).unwrap();
        }
        assert!(node.upkeep(now));
    }
    keys
}

#[test]
#[ignore = "prints times, see the module"]
fn a_million_desks_in_seven_buckets() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, options(), NOW, 2).unwrap();
    let mut now = NOW;
    for day in 0..7 {
        fill(&mut node, now, 143_000);
        for _ in 0..if day < 6 { 2 } else { 0 } {
            now.0 += DAY / 2;
            assert!(node.manifest_round(now));
        }
    }
    assert!(node.shutdown(now));
    let node = time("reopen", || Node::start(&disk, options(), now, 2).unwrap());
    assert!(node.report.is_sound() && node.report.keys == 7 * 143_000, "{:?}", node.report);
    let counters: Vec<_> = node.stores.iter().map(|store| store.counters()).collect();
    let keys: u64 = counters.iter().map(|counters| counters.keys).sum();
    let bytes: u64 = counters.iter().map(|counters| counters.index_bytes).sum();
    eprintln!("index: {bytes} bytes for {keys} keys, {:.2} each", bytes as f64 / keys as f64);
    let keys: Vec<Key> = (0..100_000).map(|tail| key_at(NOW.0 + 3 * DAY, tail)).collect();
    time("100,000 cold gets", || {
        for key in &keys {
            assert!(drive(node.store(key).get(key, now)).unwrap().is_some());
        }
    });
}

#[test]
#[ignore = "prints times, see the module"]
fn a_bucket_of_150_000_desks_goes_with_100_000_hot_ones_in_it() {
    let disk = MemoryDisk::with_seed(1);
    let mut node = Node::start(&disk, options(), NOW, 1).unwrap();
    let keys = fill(&mut node, NOW, 150_000);
    for chunk in keys[..100_000].chunks(5000) {
        for key in chunk {
            node.stores[0].append(*key, Revision(2), b"a change").unwrap();
        }
        drive(node.stores[0].commit()).unwrap();
    }
    let mut now = NOW;
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        now.0 += DAY / 2;
        let Some(news) = drive(node.owner.tick(now)).unwrap() else { continue };
        let start = Instant::now();
        node.stores[0].apply_news(&news);
        if !news.dropped.is_empty() {
            eprintln!("news of {:?}: {:.1?}", news.dropped, start.elapsed());
        }
    }
    let mut steps = 0;
    loop {
        let start = Instant::now();
        let progress = drive(node.stores[0].maintain(now)).unwrap();
        longest = longest.max(start.elapsed());
        steps += 1;
        if progress == Progress::Idle {
            break;
        }
    }
    eprintln!("its memory: {steps} steps of upkeep, the longest {longest:.1?}");
    assert_eq!(node.stores[0].counters().keys, 0);
}
