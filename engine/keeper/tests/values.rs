//! Values on their way to the store: taken, waiting, never to be stored.

mod harness;

use std::time::Duration;

use desk_keeper::{Notice, Pace};
use desk_storage_lsm::limits::VALUE_BYTES_MAX;
use desk_storage_lsm::{Options, Sequence};
use harness::*;

#[test]
fn a_value_that_is_too_large_is_named_and_holds_up_no_other() {
    let mut house = House::new();
    for tail in [1, 2] {
        house.append(key(tail), 10);
    }
    house.store(key(1), VALUE_BYTES_MAX + 1);
    house.store(key(2), 100);
    assert_eq!(house.told.unstorable, [key(1)]);
    assert_eq!(house.told.stored, [(key(2), Sequence(1))]);
    assert_eq!(house.keeper.stats().unstorable, 1);
    assert_eq!(house.crash(options()).has(key(1)), [1], "the log has all of it");
}

#[test]
fn a_value_whose_bucket_has_gone_may_leave_memory() {
    let mut house = House::new();
    let gone = key_at(-500_000, 1);
    house.append(gone, 10);
    house.store(gone, 100);
    assert_eq!(house.told.stored, [(gone, Sequence(1))]);
    assert!(house.told.notices.contains(&Notice::ValueOutlived(gone)));
}

#[test]
fn values_that_find_no_room_are_stored_again_in_their_order() {
    let mut house = House::new();
    for tail in 1..=8 {
        house.append(key(tail), 10);
    }
    // The store takes 64 MiB, and the disk writes nothing meanwhile.
    house.disk_answers = false;
    for tail in 1..=8 {
        house.store(key(tail), 20 << 20);
    }
    assert_eq!((house.told.stored.len(), house.keeper.stats().waiting_values), (3, 5));
    house.wake_disk();
    house.advance(Duration::from_secs(2));
    let stored: Vec<_> = house.told.stored.iter().map(|(key, _)| *key).collect();
    assert_eq!(stored, (1..=8).map(key).collect::<Vec<_>>());
    assert_eq!(house.keeper.stats().waiting_values, 0);
}

#[test]
fn the_log_asks_at_its_pace_and_not_while_values_wait() {
    let mut house =
        House::with(Options { log_budget_bytes: 10 * 32 * 1024, ..options() }, SETTINGS);
    let fill = |house: &mut House, keys: std::ops::Range<u64>| {
        for tail in keys {
            house.append(key(tail), 5_000);
        }
        house.advance(Duration::from_millis(300));
    };
    fill(&mut house, 0..9);
    assert!(house.told.asked.is_empty(), "under half of the budget is used");
    fill(&mut house, 9..18);
    assert_eq!(house.told.asked[0].1, Pace::Calm);
    fill(&mut house, 18..26);
    assert_eq!(house.told.asked.last().map(|(_, pace)| *pace), Some(Pace::Urgent));
    let asked = house.told.asked.len();
    house.advance(Duration::from_secs(1));
    assert!(house.told.asked.len() > asked + 5, "what was not stored is asked for again");
    // Too much waits for the disk, which has no room.
    house.disk_answers = false;
    for tail in 0..5 {
        house.store(key(tail), 30 << 20);
    }
    assert_eq!(house.keeper.stats().waiting_values, 3);
    house.leave_free(0);
    let asked = house.told.asked.len();
    house.wake_disk();
    house.advance(Duration::from_secs(1));
    assert_eq!((house.told.asked.len(), house.keeper.stats().waiting_values), (asked, 3));
}

#[test]
fn desks_that_are_stored_relieve_the_log_without_end() {
    let mut house = House::with(Options { log_budget_bytes: 6 * 32 * 1024, ..options() }, SETTINGS);
    house.stores = Some(300);
    for number in 0..2_000 {
        house.append(key(number % 50), 500);
        house.advance(Duration::from_millis(10));
    }
    assert_eq!(house.told.durable, house.position);
    assert_eq!(house.keeper.stats().refusals, 0);
    assert!(house.told.writable.is_empty(), "{:?}", house.told.writable);
}
