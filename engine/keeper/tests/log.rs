//! Records on their way to the log: taken, refused, waiting, outlived.

mod harness;

use std::time::Duration;

use desk_keeper::{Input, Notice, Settings, Why, Writable, limits};
use desk_protocol::Time;
use desk_storage_lsm::{AppendError, Key, Options, Position, Sequence};
use harness::*;

/// A log of three segments, each for a few large records.
fn short() -> Options {
    Options { log_budget_bytes: 3 * 32 * 1024, ..options() }
}

/// Appends until the store has refused something; whose record that was.
fn fill(house: &mut House) -> Key {
    for number in 0..200 {
        let key = key(number % 5);
        house.append(key, 2_000);
        if house.keeper.stats().backlog > 0 {
            return key;
        }
    }
    panic!("200 records of 2,000 bytes do not fit a log of 96 KiB");
}

#[test]
fn a_record_is_durable_after_its_commit_and_not_before() {
    let mut house = House::new();
    house.disk_answers = false;
    house.append(key(1), 10);
    let second = house.append(key(2), 10);
    assert_eq!(house.told.durable, Position(0));
    house.wake_disk();
    assert_eq!(house.told.durable, second);
    assert_eq!(house.keeper.stats().waiting_bytes, 0);
}

#[test]
fn what_arrives_during_a_commit_goes_with_the_next_one() {
    let mut house = House::new();
    house.told.work.clear();
    house.disk_answers = false;
    for tail in 0..5 {
        house.append(key(tail), 10);
    }
    assert_eq!(house.told.work, ["commit"], "one is under way at a time");
    house.append(key(9), 10);
    house.wake_disk();
    assert_eq!(house.told.durable, Position(6));
}

#[test]
fn changes_are_refused_before_the_log_refuses_a_record() {
    let mut house = House::with(short(), SETTINGS);
    let mut refused_at = None;
    for number in 0..200 {
        house.append(key(number % 5), 2_000);
        if refused_at.is_none() && !house.writable().is_yes() {
            assert_eq!(house.writable(), no(Why::LogFull));
            refused_at = Some(house.position);
        }
        if house.keeper.stats().backlog > 0 {
            break;
        }
    }
    assert!(refused_at.expect("changes are refused") < house.position);
    let refused = house.told.notices.iter();
    let refused = refused.filter(|n| **n == Notice::Refused(AppendError::LogFull));
    assert_eq!(refused.count(), 1);
}

#[test]
fn a_refused_record_is_not_durable_while_it_waits() {
    let mut house = House::with(short(), SETTINGS);
    fill(&mut house);
    let first_refused = house.position;
    for tail in 0..5 {
        house.append(key(tail), 10);
    }
    house.advance(Duration::from_secs(10));
    assert_eq!(house.told.durable, Position(first_refused.0 - 1));
    assert_eq!(house.keeper.stats().backlog, 6, "a small one does not overtake a large one");
    // And nothing of them is there after a crash.
    let sequences = house.sequences.clone();
    let house = house.crash(short());
    let lost: u64 =
        (0..5).map(|tail| sequences[&key(tail)] - house.has(key(tail)).len() as u64).sum();
    assert_eq!(lost, 6);
}

#[test]
fn refused_records_go_in_by_themselves_in_their_order_once_desks_are_stored() {
    let mut house = House::with(short(), SETTINGS);
    let refused = fill(&mut house);
    let mut durable = house.sequences.clone();
    *durable.get_mut(&refused).unwrap() -= 1;
    for number in 0..10 {
        house.append(key(number % 5), 500);
    }
    house.advance(Duration::from_millis(200));
    assert!(!house.told.asked.is_empty(), "the keys that hold the log back are named");
    // The core stores what it is asked for, as far as it is durable.
    for (key, sequence) in durable {
        house.input(Input::Store { key, sequence: Sequence(sequence), value: vec![0; 100] });
    }
    house.advance(Duration::from_secs(2));
    assert_eq!(house.keeper.stats().backlog, 0);
    assert_eq!(house.told.durable, house.position);
    assert_eq!(house.writable(), Writable::Yes, "without anybody's help");
    let sequences = house.sequences.clone();
    let house = house.crash(short());
    for (key, sequence) in sequences {
        let has = house.has(key);
        assert!(has.windows(2).all(|two| two[0] + 1 == two[1]), "{has:?}");
        assert_eq!(has.last(), Some(&sequence));
    }
}

#[test]
fn a_full_disk_refuses_until_there_is_room() {
    let reserve = Options { disk_reserve_bytes: 1 << 20, ..options() };
    let mut house = House::with(reserve, SETTINGS);
    house.append(key(1), 10);
    house.leave_free(1 << 19);
    house.advance(limits::SPACE_TIME);
    // Nobody looks while nothing is written.
    assert_eq!(house.writable(), Writable::Yes);
    house.append(key(1), 10);
    assert_eq!(house.writable(), no(Why::BelowReserve));
    let refused = house.append(key(1), 10);
    assert_eq!(house.told.durable, Position(refused.0 - 1));
    house.advance(Duration::from_secs(5));
    assert_eq!(house.told.durable, Position(refused.0 - 1));
    house.leave_free(1 << 30);
    house.advance(limits::UPKEEP_PAUSE * 2);
    assert_eq!((house.writable(), house.told.durable), (Writable::Yes, refused));
}

/// The simulator's seed 634: the look found the disk full, and no record came after it
/// that the store could refuse.
#[test]
fn a_disk_that_a_look_has_found_full_is_looked_at_again() {
    let segment_bytes = 1 << 20;
    let log_budget_bytes = 16 * segment_bytes;
    let large =
        Options { segment_bytes, log_budget_bytes, disk_reserve_bytes: 1 << 20, ..options() };
    let mut house = House::with(large, SETTINGS);
    house.append(key(1), 10);
    house.advance(Duration::from_secs(1));
    house.leave_free(1 << 19);
    house.told.work.clear();
    let last = house.append(key(1), 10);
    assert_eq!(house.told.work, ["commit", "measure"]);
    assert_eq!((house.writable(), house.told.durable), (no(Why::BelowReserve), last));
    house.leave_free(1 << 30);
    house.advance(limits::UPKEEP_PAUSE * 2);
    assert_eq!(house.writable(), Writable::Yes, "without anybody's help");
}

#[test]
fn the_free_space_is_looked_at_while_commits_go_on_and_not_at_each() {
    let segment_bytes = 1 << 20;
    let large = Options { segment_bytes, log_budget_bytes: 16 * segment_bytes, ..options() };
    let mut house = House::with(large, SETTINGS);
    house.advance(Duration::from_secs(1));
    house.told.work.clear();
    for _ in 0..50 {
        house.append(key(1), 10);
        house.advance(Duration::from_millis(10));
    }
    let looks = house.told.work.iter().filter(|work| **work == "measure").count();
    assert!((4..=6).contains(&looks), "{looks} in half a second");
}

#[test]
fn what_waits_for_a_disk_that_hangs_is_bounded() {
    let settings = Settings { waiting_bytes_max: 10_000, ..SETTINGS };
    let mut house = House::with(options(), settings);
    house.disk_answers = false;
    let mut taken = 0;
    while house.writable().is_yes() {
        house.append(key(1), 900);
        taken += 1;
    }
    assert_eq!((house.writable(), taken), (no(Why::Behind), 11));
    house.wake_disk();
    assert_eq!(house.writable(), Writable::Yes);
}

#[test]
fn a_record_of_a_desk_that_has_expired_with_its_bucket_counts_as_written() {
    let mut house = House::new();
    let gone = key_at(-500_000, 1);
    house.append(key(1), 10);
    house.disk_answers = false;
    house.append(key(1), 10);
    let outlived = house.append(gone, 10);
    assert!(house.told.durable < outlived, "it does not overtake");
    house.wake_disk();
    assert_eq!(house.told.durable, outlived);
    assert_eq!(house.told.notices, [Notice::RecordOutlived(gone)]);
    // The log and the core count on together.
    assert_eq!(house.append(key(1), 10), house.told.durable);
}

#[test]
fn a_record_without_a_bucket_whose_time_is_to_come_waits_for_it() {
    let mut house = House::new();
    let ahead = key_at(5_000, 1);
    let early = house.append(ahead, 10);
    assert_eq!(house.writable(), no(Why::Backlog));
    assert!(house.told.durable < early);
    house.now = Time::from_unix_seconds(START.unix_seconds() + 5_000);
    house.tick();
    assert_eq!((house.told.durable, house.writable()), (early, Writable::Yes));
}
