//! A write that fails, and the end of a process: poison and the phases of a stop.

mod harness;

use std::time::Duration;

use desk_keeper::{Input, Why, Writable, limits};
use desk_storage_lsm::memory_disk::Misfortune;
use desk_storage_lsm::{Options, Position};
use harness::*;

#[test]
fn after_a_failed_write_nothing_is_acknowledged_and_nothing_is_tried() {
    let mut house = House::new();
    let durable = house.append(key(1), 10);
    house.strike(Misfortune::Error);
    house.append(key(1), 10);
    assert_eq!((house.told.failures.len(), house.writable()), (1, no(Why::Poisoned)));
    house.told.work.clear();
    for _ in 0..3 {
        house.append(key(2), 10);
        house.input(Input::Failed("another one".to_owned()));
        house.advance(Duration::from_secs(10));
    }
    assert_eq!((house.told.failures.len(), house.told.durable), (1, durable));
    assert!(house.told.work.is_empty(), "{:?}", house.told.work);
    assert_eq!(house.keeper.stats().waiting_bytes, 0, "memory stays bounded");
    assert_eq!(house.keeper.poll_timeout(), None);
}

#[test]
fn a_failed_step_of_upkeep_ends_the_commits_as_well() {
    let mut house = House::new();
    house.append(key(1), 10);
    house.store(key(1), 700_000);
    house.strike(Misfortune::Error);
    house.store(key(1), 700_000);
    assert_eq!(house.told.failures.len(), 1);
    let durable = house.told.durable;
    house.append(key(1), 10);
    assert_eq!(house.told.durable, durable);
}

#[test]
fn nothing_is_acknowledged_into_a_folder_that_is_gone() {
    for quiet in [Duration::ZERO, limits::SPACE_TIME, Duration::from_secs(60)] {
        let mut house = House::new();
        house.append(key(1), 10);
        house.advance(limits::SPACE_TIME);
        house.append(key(1), 10);
        house.disk.replace_folder();
        house.advance(quiet);
        // Within that time of a look it may still be said.
        let looked = house.told.durable;
        house.append(key(1), 10);
        if !quiet.is_zero() {
            assert_eq!(house.told.durable, looked, "after {quiet:?}");
            assert_eq!((house.told.failures.len(), house.writable()), (1, no(Why::Poisoned)));
        }
        house.advance(limits::SPACE_TIME);
        let last = house.told.durable;
        house.append(key(1), 10);
        assert_eq!((house.told.durable, house.writable()), (last, no(Why::Poisoned)));
    }
}

/// A look that hangs holds back what was written meanwhile, and frees it.
#[test]
fn what_is_written_is_durable_once_the_folder_was_seen() {
    let mut house = House::new();
    house.append(key(1), 10);
    house.advance(limits::SPACE_TIME);
    house.disk_answers = false;
    let last = house.append(key(1), 10);
    assert_eq!(house.told.work.iter().rev().take(2).collect::<Vec<_>>(), [&"measure", &"commit"]);
    house.wake_disk();
    assert_eq!((house.told.durable, house.writable()), (last, Writable::Yes));
}

#[test]
fn a_manifest_that_cannot_be_written_poisons_a_sound_store() {
    let mut house = House::new();
    house.disk_answers = false;
    house.append(key(1), 10);
    house.input(Input::Failed("the manifest".to_owned()));
    house.wake_disk();
    assert_eq!(house.told.durable, Position(0), "the next start would know no new segment");
    assert_eq!(house.writable(), no(Why::Poisoned));
}

#[test]
fn a_stop_tells_waits_stores_seals_and_ends() {
    let mut house = House::new();
    house.disk_answers = false;
    let last = house.append(key(1), 10);
    house.input(Input::Stop);
    assert_eq!((house.told.drained, house.writable()), (1, no(Why::Draining)));
    house.input(Input::Stop);
    assert_eq!(house.told.drained, 1, "it is said once");
    house.input(Input::Left { open: 0, unstored: 0 });
    assert!(!house.told.work.contains(&"seal"), "a record waits for the log");
    house.wake_disk();
    assert_eq!((house.told.durable, house.told.stopped), (last, 1));
    assert_eq!(house.told.work.last(), Some(&"seal"));
    house.advance(Duration::from_secs(60));
    assert_eq!((house.told.stopped, house.keeper.poll_timeout()), (1, None));
}

/// Whoever drives the keeper may be wrong about what still waits for the log.
#[test]
fn a_stop_seals_nothing_while_a_refused_record_waits() {
    let reserve = Options { disk_reserve_bytes: 1 << 20, ..options() };
    let mut house = House::with(reserve, SETTINGS);
    house.append(key(1), 10);
    house.leave_free(1 << 19);
    house.advance(limits::SPACE_TIME);
    house.append(key(1), 10);
    let refused = house.append(key(1), 10);
    house.input(Input::Stop);
    for _ in 0..100 {
        house.input(Input::Left { open: 0, unstored: 0 });
        house.advance(Duration::from_millis(10));
    }
    assert!(house.told.durable < refused && !house.told.work.contains(&"seal"));
    house.leave_free(1 << 30);
    house.advance(limits::UPKEEP_PAUSE);
    assert_eq!((house.told.durable, house.told.stopped), (refused, 1));
    assert_eq!(house.crash(reserve).has(key(1)), [1, 2, 3]);
}

#[test]
fn a_stop_waits_for_people_however_long() {
    let mut house = House::new();
    house.append(key(1), 10);
    house.input(Input::Stop);
    for _ in 0..100 {
        house.input(Input::Left { open: 1, unstored: 0 });
        house.advance(Duration::from_secs(1));
    }
    assert_eq!(house.told.stopped, 0, "whoever runs the process ends it");
    house.input(Input::Left { open: 0, unstored: 0 });
    assert_eq!(house.told.stopped, 1);
}

#[test]
fn a_stop_waits_for_desks_for_half_of_its_time() {
    let mut house = House::new();
    house.append(key(1), 10);
    house.input(Input::Stop);
    house.input(Input::Left { open: 0, unstored: 1 });
    let half = SETTINGS.stop_time / limits::STOP_STORE_PART;
    house.advance(half - Duration::from_millis(1));
    assert_eq!(house.told.stopped, 0, "desks are stored still");
    assert_eq!(house.writable(), no(Why::Draining));
    house.advance(limits::STOP_PAUSE * 2);
    assert_eq!(house.told.stopped, 1, "what is left is replayed");
    assert_eq!(house.crash(options()).has(key(1)), [1]);
}

#[test]
fn a_stop_leaves_nothing_to_replay_of_what_was_stored() {
    let mut house = House::new();
    for tail in 0..20 {
        house.append(key(tail), 10);
    }
    house.input(Input::Stop);
    for tail in 0..20 {
        house.store(key(tail), 100);
    }
    house.input(Input::Left { open: 0, unstored: 0 });
    assert_eq!(house.told.stopped, 1);
    let house = house.crash(options());
    for tail in 0..20 {
        let stored = house.has(key(tail));
        assert_eq!(stored, [1], "a value and no record");
    }
    assert_eq!(house.store.counters().held_keys, 0);
}

#[test]
fn a_stop_of_a_poisoned_store_ends_once_people_have_left() {
    let mut house = House::new();
    house.strike(Misfortune::Error);
    house.append(key(1), 10);
    house.input(Input::Stop);
    assert_eq!((house.told.drained, house.told.stopped), (1, 0));
    assert_eq!(house.writable(), no(Why::Poisoned), "the weightier reason");
    house.input(Input::Left { open: 1, unstored: 3 });
    assert_eq!(house.told.stopped, 0);
    house.input(Input::Left { open: 0, unstored: 3 });
    assert_eq!(house.told.stopped, 1);
}

#[test]
fn a_write_that_fails_while_the_tables_are_sealed_ends_the_stop() {
    let mut house = House::new();
    house.append(key(1), 10);
    house.store(key(1), 100);
    house.disk_answers = false;
    house.input(Input::Stop);
    house.wake_disk();
    house.disk_answers = false;
    house.input(Input::Left { open: 0, unstored: 0 });
    assert_eq!(house.told.work.last(), Some(&"seal"));
    house.strike(Misfortune::Error);
    house.wake_disk();
    assert_eq!((house.told.failures.len(), house.told.stopped), (1, 1));
}

#[test]
fn a_new_keeper_takes_changes_and_looks_after_its_store() {
    let mut house = House::new();
    assert_eq!((house.writable(), &house.told.work[0]), (Writable::Yes, &"maintain"));
    house.turn();
    let idle = house.keeper.poll_output();
    assert!(idle.is_none(), "{idle:?}");
}
