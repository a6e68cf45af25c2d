//! Each piece of work, tiny, over our own store: what was acknowledged comes back.

use std::path::Path;

use compare_store::content::{Content, Stream, Version};
use compare_store::engine::Expiry;
use compare_store::engines::EngineName;
use compare_store::load::Load;
use compare_store::work::{Desks, Outcome, Work, run};
use tempfile::TempDir;

const DESKS: Desks = Desks { count: 300, buckets: 7, bytes: 1_000 };

fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build's folder takes files")
}

fn ours(folder: &Path, work: Work) -> Outcome {
    run(EngineName::Ours, folder, work).expect("the work is done")
}

#[test]
fn groups_are_committed_and_counted() {
    let folder = folder();
    let found = ours(&folder.path().join("data"), Work::Commit { groups: 20, size: 64 });
    let Outcome::Committed { times_ns, cpu_us, written } = found else { panic!("{found:?}") };
    assert_eq!((times_ns.len(), written.user_bytes), (20, 20 * 64 * 116));
    assert!(times_ns.iter().all(|time| *time > 0) && cpu_us > 0.0);
    assert!(written.counted.log_bytes >= written.user_bytes);
}

#[test]
fn what_was_rewritten_is_read_in_its_newest_version() {
    let folder = folder();
    let data = folder.path().join("data");
    let desks = Desks { buckets: 1, ..DESKS };
    let found = ours(&data, Work::Rewrite(desks));
    let Outcome::Rewritten { ingest, fifth, heavy } = found else { panic!("{found:?}") };
    assert_eq!(ingest.user_bytes, 300 * 1_016);
    assert!(fifth.user_bytes > 30 * 1_016 && fifth.user_bytes < 120 * 1_016);
    assert_eq!(heavy.user_bytes, 3 * ingest.user_bytes);
    assert!(ingest.counted.table_bytes >= ingest.user_bytes);
    // `Read` compares every byte.
    let found = ours(&data, Work::Read { desks, reads: 300 });
    let Outcome::Read { cold_ns, cached_ns } = found else { panic!("{found:?}") };
    assert_eq!(cold_ns.len(), 300);
    assert!(!cached_ns.is_empty());
}

#[test]
fn a_desk_of_another_version_is_noticed() {
    let folder = folder();
    let data = folder.path().join("data");
    let content = || std::rc::Rc::new(Content::new(10, 1, 500));
    let mut engine = EngineName::Ours.open(&data, content(), 0).unwrap();
    for version in [0, 1] {
        engine.store(&[Version { desk: 3, version }]).unwrap();
    }
    engine.read(&[Version { desk: 3, version: 1 }]).unwrap();
    assert!(engine.read(&[Version { desk: 3, version: 0 }]).is_err());
    assert!(engine.read(&[Version { desk: 4, version: 0 }]).is_err());
    engine.close().unwrap();
}

#[test]
fn the_first_bucket_goes_and_the_others_stay() {
    let folder = folder();
    let content = std::rc::Rc::new(Content::new(DESKS.count, DESKS.buckets, DESKS.bytes));
    let data = folder.path().join("data");
    let mut engine = EngineName::Ours.open(&data, std::rc::Rc::clone(&content), 0).unwrap();
    let all: Vec<_> = (0..DESKS.count).map(|desk| Version { desk, version: 0 }).collect();
    engine.store(&all).unwrap();
    engine.read(&all).unwrap();
    let mut stream = Stream::new(content.first_desk(6)..DESKS.count, 1, 1);
    let window = std::time::Duration::from_millis(200);
    let expired = engine.expire(&mut stream, Expiry { window, size: 64, bucket: 0 }).unwrap();
    assert!(!expired.before_ns.is_empty() && !expired.during_ns.is_empty());
    let first = content.first_desk(1);
    for desk in 0..first {
        assert!(engine.read(&[Version { desk, version: 0 }]).is_err());
    }
    engine.read(&all[first as usize..]).unwrap();
    engine.close().unwrap();
}

#[test]
fn what_a_process_left_behind_is_opened_again() {
    let folder = folder();
    let data = folder.path().join("data");
    ours(&data, Work::Fill(DESKS));
    let found = ours(&data, Work::FillLog { desks: DESKS, payload_bytes: 1 << 20 });
    let Outcome::Filled(written) = found else { panic!("{found:?}") };
    assert!(written.counted.log_bytes > 1 << 20);
    let found = ours(&data, Work::Reopen(DESKS));
    let Outcome::Reopened { seconds, .. } = found else { panic!("{found:?}") };
    assert!(seconds > 0.0);
}

#[test]
fn the_full_load_loses_nothing() {
    let folder = folder();
    let data = folder.path().join("data");
    let load = Load {
        desks: 500,
        desk_bytes: 2_000,
        rate: 20_000.0,
        seconds: 0.5,
        shards: 2,
        // Three segments a shard: the log is under pressure most of the time.
        log_budget_bytes: 6 << 18,
        segment_bytes: 1 << 18,
    };
    let found = ours(&data, Work::Load(load));
    let Outcome::Loaded(loaded) = found else { panic!("{found:?}") };
    assert!(loaded.operations > 0 && loaded.operations <= 10_000);
    assert!(loaded.snapshots > 0, "{loaded:?}");
    assert!(loaded.log_bytes >= loaded.operations * 116);
    // Compares a part of the desks with what was acknowledged.
    ours(&data, Work::ReopenLoad(load));
}
