use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::bucket::BucketStamp;
use crate::key::Seconds;
use proptest::prelude::*;

fn key(second: u32, tail: u8) -> Key {
    let mut bytes = [tail; 16];
    bytes[..4].copy_from_slice(&second.to_be_bytes());
    Key::new(bytes)
}

/// Buckets of ten seconds: 0..10, 10..20, 20..30.
fn buckets() -> BucketTable {
    let stamp = |id| BucketStamp { id: BucketId(id), length: Seconds(10), lifetime: Seconds(1000) };
    BucketTable::new([0, 10, 20].map(stamp).to_vec()).unwrap()
}

fn hold(holds: &mut Holds, age: u64, key: Key, sequence: u64) {
    holds.hold(&buckets(), Age(age), &[(key, Sequence(sequence))]);
}

fn oldest(holds: &Holds) -> Option<Age> {
    holds.oldest(Age(0))
}

fn is_held(holds: &Holds, age: u64) -> bool {
    holds.free_among([Age(age)].into_iter()).is_empty()
}

#[test]
fn a_snapshot_lets_go_of_what_it_covers_and_no_more() {
    let mut holds = Holds::default();
    for (age, sequence) in [(1, 1), (1, 2), (2, 3), (3, 4)] {
        hold(&mut holds, age, key(5, 1), sequence);
    }
    holds.release(&key(5, 1), Sequence(1));
    assert!(is_held(&holds, 1));
    holds.release(&key(5, 1), Sequence(3));
    assert!(!is_held(&holds, 1) && !is_held(&holds, 2) && is_held(&holds, 3));
    holds.release(&key(5, 1), Sequence::TOMBSTONE);
    assert!(!is_held(&holds, 3));
    assert_eq!((holds.keys(), oldest(&holds)), (0, None));
}

#[test]
fn a_snapshot_on_its_way_covers_what_it_will_let_go() {
    let mut holds = Holds::default();
    let hot = key(5, 1);
    hold(&mut holds, 1, hot, 1);
    holds.cover(BucketId(0), hot, Sequence(2));
    assert!(holds.waits_for_snapshots(Age(2)));
    assert!(holds.name_open(Age(2), 9).is_empty());
    // The next record came with the snapshot, those after it lie in the open.
    for (age, sequence) in [(2, 2), (4, 3), (5, 4), (6, 5)] {
        hold(&mut holds, age, hot, sequence);
    }
    assert_eq!(oldest(&holds), Some(Age(1)));
    assert!(holds.waits_for_snapshots(Age(7)));
    holds.release(&hot, Sequence(2));
    assert_eq!(oldest(&holds), Some(Age(4)), "exactly what the snapshot covers is let go");
    assert!(!is_held(&holds, 3) && !holds.waits_for_snapshots(Age(7)));
    assert_eq!(holds.name_open(Age(5), 9), [hot]);
}

#[test]
fn keys_are_named_in_turns_and_the_oldest_segments_first() {
    let mut holds = Holds::default();
    let keys = [key(5, 1), key(5, 4), key(15, 9), key(5, 2), key(15, 3)];
    for (age, key) in [1, 1, 1, 2, 3].into_iter().zip(keys) {
        hold(&mut holds, age, key, 1);
        // It is covered, and open again in the same segment.
        holds.cover(BucketId(key.second() / 10 * 10), key, Sequence(1));
        hold(&mut holds, age, key, 2);
    }
    let unclosed = Age(3);
    assert_eq!(holds.name_open(unclosed, 2), keys[..2]);
    assert_eq!(holds.name_open(unclosed, 1), [keys[2]]);
    assert_eq!(holds.name_open(unclosed, 2), [keys[3], keys[0]]);
    assert_eq!(holds.name_open(unclosed, 9), [keys[1], keys[2], keys[3], keys[0]]);
    holds.cover(BucketId(0), keys[1], Sequence(2));
    assert_eq!(holds.name_open(unclosed, 9), [keys[0], keys[2], keys[3]]);
    // Whoever was named and does not come does not stand before the next.
    holds.cover(BucketId(0), keys[3], Sequence(2));
    assert!(holds.waits_for_snapshots(unclosed));
    holds.release(&keys[1], Sequence(2));
    holds.release(&keys[3], Sequence(2));
    assert!(!holds.waits_for_snapshots(unclosed), "only those are left that do not come");
}

#[test]
fn a_checkpoint_waits_for_keys_that_were_not_named() {
    let mut holds = Holds::default();
    hold(&mut holds, 1, key(5, 1), 1);
    hold(&mut holds, 1, key(5, 2), 1);
    holds.cover(BucketId(0), key(5, 1), Sequence(1));
    assert!(!holds.waits_for_snapshots(Age(2)));
    assert_eq!(holds.name_open(Age(2), 1), [key(5, 2)]);
    assert!(!holds.waits_for_snapshots(Age(2)), "it may come now");
    assert_eq!(holds.name_open(Age(2), 1), [key(5, 2)]);
    assert!(holds.waits_for_snapshots(Age(2)));
}

#[test]
fn what_has_expired_holds_nothing() {
    let mut holds = Holds::default();
    for second in [9, 10, 12, 13] {
        hold(&mut holds, 1, key(second, 7), 1);
        hold(&mut holds, 2, key(second, 7), 2);
    }
    holds.pin(BucketId(10), Age(1), key(11, 7), Sequence(1));
    let table = buckets();
    assert_eq!(holds.expire(&table, UnixSecond(1008), 9), 0);
    assert_eq!(holds.expire(&table, UnixSecond(1012), 2), 2, "in steps");
    assert_eq!(holds.expire(&table, UnixSecond(1012), 9), 2);
    assert_eq!(holds.name_open(Age(9), 9), [key(13, 7)]);
    assert!(is_held(&holds, 1));
    assert_eq!(holds.expire(&table, UnixSecond(1013), 9), 1);
    assert!(!is_held(&holds, 1) && !is_held(&holds, 2) && holds.keys() == 0);
}

#[test]
fn a_dropped_bucket_holds_nothing() {
    let mut holds = Holds::default();
    for second in [9, 10, 19, 20] {
        hold(&mut holds, 1, key(second, 7), 1);
    }
    holds.drop_bucket(BucketId(10));
    assert_eq!(holds.name_open(Age(2), 9), [key(9, 7), key(20, 7)]);
    assert_eq!(holds.keys(), 2);
    holds.drop_bucket(BucketId(0));
    holds.drop_bucket(BucketId(20));
    assert!(!is_held(&holds, 1));
}

#[test]
fn quarantine_holds_its_own_segments_and_waits_for_nothing() {
    let mut holds = Holds::default();
    let lost = key(5, 1);
    holds.pin(BucketId(0), Age(1), lost, Sequence(1));
    holds.pin(BucketId(0), Age(9), lost, Sequence(3));
    assert!(is_held(&holds, 1) && !is_held(&holds, 5) && is_held(&holds, 9));
    assert_eq!((oldest(&holds), holds.keys()), (None, 1));
    holds.release(&lost, Sequence(3));
    assert!(is_held(&holds, 1), "no snapshot ends a quarantine");
    // It is deleted.
    holds.unpin(&lost);
    holds.cover(BucketId(0), lost, Sequence::TOMBSTONE);
    assert!(oldest(&holds) == Some(Age(1)) && holds.waits_for_snapshots(Age(2)));
    holds.release(&lost, Sequence::TOMBSTONE);
    assert!(!is_held(&holds, 1) && !is_held(&holds, 9));
}

/// The same, by looking at every record: which of them no durable snapshot
/// covers, and which no snapshot at all.
#[derive(Default)]
struct Naive {
    records: BTreeMap<Key, Vec<(u64, Sequence)>>,
    covers: BTreeMap<Key, Sequence>,
}

impl Naive {
    fn holders(&self, age: u64) -> BTreeSet<Key> {
        let holds = |records: &Vec<(u64, Sequence)>| records.iter().any(|(at, _)| *at == age);
        self.records.iter().filter(|(_, records)| holds(records)).map(|(key, _)| *key).collect()
    }

    /// The range of the key: from its first record to its last.
    fn range(&self, key: &Key) -> Option<(u64, u64)> {
        let ages = || self.records.get(key).into_iter().flatten().map(|(age, _)| *age);
        Some((ages().min()?, ages().max()?))
    }

    fn oldest(&self) -> Option<u64> {
        self.records.keys().filter_map(|key| self.range(key)).map(|(first, _)| first).min()
    }

    fn open_before(&self, age: u64) -> BTreeSet<Key> {
        let open = |key: &Key| {
            let cover = self.covers.get(key).copied().unwrap_or_default();
            self.records[key].iter().any(|(at, sequence)| *at < age && *sequence > cover)
        };
        self.records.keys().copied().filter(open).collect()
    }

    fn release(&mut self, key: Key, sequence: Sequence) {
        if let Some(records) = self.records.get_mut(&key) {
            records.retain(|(_, held)| *held > sequence);
        }
        self.records.retain(|_, records| !records.is_empty());
        if self.covers.get(&key).is_some_and(|cover| *cover <= sequence) {
            self.covers.remove(&key);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Record(u8),
    Segment,
    Put(u8),
    /// The snapshot of the key that was put first, or the newest, is durable.
    Durable(u8, bool),
    Drop(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0_u8..6).prop_map(Step::Record),
        2 => Just(Step::Segment),
        3 => (0_u8..6).prop_map(Step::Put),
        3 => (0_u8..6, any::<bool>()).prop_map(|(key, first)| Step::Durable(key, first)),
        1 => (0_u8..3).prop_map(Step::Drop),
    ];
    proptest::collection::vec(step, 0..120)
}

/// Runs the steps on both. With `one_at_a_time` a key is put again only when
/// the snapshot before is durable: then ranges are exact.
fn compare(steps: &[Step], one_at_a_time: bool) {
    let table = buckets();
    let (mut holds, mut naive) = (Holds::default(), Naive::default());
    let (mut age, mut taken) = (1, BTreeMap::<Key, u64>::new());
    let mut on_way = BTreeMap::<Key, Vec<Sequence>>::new();
    let key_of = |number: u8| key(u32::from(number % 3) * 10 + 3, number);
    for step in steps {
        match step {
            Step::Segment => age += 1,
            Step::Record(number) => {
                let key = key_of(*number);
                let sequence = taken.entry(key).or_default();
                *sequence += 1;
                holds.hold(&table, Age(age), &[(key, Sequence(*sequence))]);
                naive.records.entry(key).or_default().push((age, Sequence(*sequence)));
            }
            Step::Put(number) => {
                let key = key_of(*number);
                let waiting = on_way.entry(key).or_default();
                if one_at_a_time && !waiting.is_empty() {
                    continue;
                }
                // Sometimes of a record that is appended and not yet placed.
                let sequence = Sequence(taken.get(&key).copied().unwrap_or(0) + 1);
                let sequence =
                    if number.is_multiple_of(2) { sequence } else { Sequence(sequence.0 - 1) };
                taken.insert(key, sequence.0);
                if sequence == Sequence(0) {
                    continue;
                }
                waiting.push(sequence);
                holds.cover(BucketId(key.second() - 3), key, sequence);
                naive.covers.insert(key, sequence);
            }
            Step::Durable(number, first) => {
                let key = key_of(*number);
                let waiting = on_way.entry(key).or_default();
                if waiting.is_empty() {
                    continue;
                }
                let done = if *first { 1 } else { waiting.len() };
                let sequence = waiting.drain(..done).next_back().unwrap();
                holds.release(&key, sequence);
                naive.release(key, sequence);
            }
            Step::Drop(number) => {
                let bucket = u32::from(*number) * 10;
                holds.drop_bucket(BucketId(bucket));
                let of_bucket = |key: &Key| key.second() / 10 * 10 == bucket;
                naive.records.retain(|key, _| !of_bucket(key));
                naive.covers.retain(|key, _| !of_bucket(key));
                on_way.retain(|key, _| !of_bucket(key));
            }
        }
        check(&mut holds, &naive, age, one_at_a_time);
    }
    for (key, taken) in taken {
        holds.release(&key, Sequence(taken));
    }
    assert_eq!((holds.keys(), oldest(&holds)), (0, None));
    assert_eq!(holds.free_among((0..=age).map(Age)).len() as u64, age + 1);
}

fn check(holds: &mut Holds, naive: &Naive, age: u64, exact: bool) {
    let free: BTreeSet<u64> =
        holds.free_among((0..=age).map(Age)).into_iter().map(|age| age.0).collect();
    for at in 0..=age {
        assert!(naive.holders(at).is_empty() || !free.contains(&at), "{at} is needed");
        if exact {
            let ranges = naive.records.keys().filter_map(|key| naive.range(key));
            let held = ranges.into_iter().any(|(first, last)| first <= at && at <= last);
            assert_eq!(!held, free.contains(&at), "segment {at}");
        }
    }
    assert_eq!(holds.keys(), naive.records.len());
    let oldest = oldest(holds);
    assert!(oldest.map(|age| age.0) <= naive.oldest() || naive.oldest().is_none());
    assert_eq!(oldest.is_none(), naive.oldest().is_none());
    let mut turns = BTreeSet::new();
    for before in [age / 2, age] {
        let named: BTreeSet<Key> = holds.name_open(Age(before), 99).into_iter().collect();
        assert!(naive.open_before(before).is_subset(&named), "whoever is open is named");
        assert!(!exact || named == naive.open_before(before));
        turns = named;
    }
    // Each has its turn, however few are asked for at a time.
    for _ in 0..turns.len() {
        let named = holds.name_open(Age(age), 1);
        assert!(named.len() == 1 && turns.remove(&named[0]), "{named:?} is left of {turns:?}");
    }
    assert!(!exact || oldest.map(|age| age.0) == naive.oldest());
}

proptest! {
    #[test]
    fn counts_say_what_a_look_at_every_record_says(steps in steps()) {
        compare(&steps, true);
    }

    #[test]
    fn with_two_snapshots_on_their_way_nothing_needed_is_let_go(steps in steps()) {
        compare(&steps, false);
    }

    #[test]
    fn records_in_any_order_of_segments_are_held(
        records in proptest::collection::vec((0_u64..6, 1_u64..20), 1..20),
        covered in 0_u64..20,
        snapshot in 0_u64..20,
    ) {
        // As after a start, when logs of several shards are merged, and worse.
        let (mut holds, mut naive) = (Holds::default(), Naive::default());
        let key = key(3, 1);
        for (age, sequence) in records {
            hold(&mut holds, age, key, sequence);
            naive.records.entry(key).or_default().push((age, Sequence(sequence)));
        }
        if covered > 0 {
            holds.cover(BucketId(0), key, Sequence(covered));
            naive.covers.insert(key, Sequence(covered));
        }
        check(&mut holds, &naive, 6, false);
        holds.release(&key, Sequence(snapshot));
        naive.release(key, Sequence(snapshot));
        check(&mut holds, &naive, 6, false);
    }
}

#[test]
fn keys_without_a_bucket_hold_nothing() {
    let mut holds = Holds::default();
    hold(&mut holds, 1, key(77, 1), 1);
    assert!(!is_held(&holds, 1) && buckets().of_second(77).is_none());
}
