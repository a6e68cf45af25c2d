//! One unit against lanes that answer as told.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::time::Duration;

use desk_cluster::limits::{ANSWER_TIME, BATCH_BYTES_MAX, EXPIRED_TIME, UNWRITABLE_TIME};
use desk_cluster::wire::{Batch, Fence};
use desk_cluster::{
    Answer, CallId, Epoch, Event, Input, Key, Lanes, Mark, Message, Output, Record, State, Unit,
    UnitId, What,
};
use desk_protocol::Time;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What the unit may take in each lane, in bytes.
const ROOM: u64 = 3 << 20;

/// A unit over two lanes, and the clock.
struct Story {
    unit: Unit,
    now: Time,
}

/// A publish that waits for its answer.
#[derive(Clone, Debug)]
struct Published {
    call: CallId,
    lane: usize,
    id: String,
    newest_fence: u64,
    bytes: Vec<u8>,
}

impl Story {
    fn new() -> Self {
        let unit = Unit::new(id(), "a", "https://a", Lanes { count: 2, room: ROOM }, 1);
        Self { unit, now: Time::from_unix_seconds(1_700_000_000) }
    }

    /// A unit that is owned, with fences 1 and 1, and epoch 1.
    fn owned() -> Self {
        let mut story = Self::fenced();
        story.read_back();
        for asked in story.publishes() {
            story.answer(&asked, stored(9));
        }
        assert_eq!(story.events(), [Event::Owned { unit: id(), epoch: Epoch(1) }]);
        story
    }

    /// A unit whose fences are accepted.
    fn fenced() -> Self {
        let mut story = Self::new();
        story.handle(Input::Take);
        for output in story.outputs() {
            let Output::LookUp { call, .. } = output else { panic!("{output:?}") };
            story.handle(Input::LookedUp { call, answer: Ok(None) });
        }
        let fences = story.publishes();
        assert_eq!(fences.len(), 2);
        fences.iter().for_each(|fence| assert_eq!(fence.newest_fence, 0));
        fences.iter().for_each(|fence| story.answer(fence, stored(1)));
        story.look_for_end(None);
        story
    }

    /// Answers what the newest batch of each lane is.
    fn look_for_end(&mut self, newest: Option<(u64, Vec<u8>)>) {
        for output in self.outputs() {
            let Output::LookUp { call, is_fence: false, .. } = output else { panic!("{output:?}") };
            self.handle(Input::LookedUp { call, answer: Ok(newest.clone()) });
        }
    }

    /// Answers the reads of empty lanes.
    fn read_back(&mut self) {
        for output in self.outputs() {
            let Output::Read { call, .. } = output else { panic!("{output:?}") };
            self.handle(Input::Read { call, answer: Ok(vec![own_fence(1)]) });
        }
    }

    fn handle(&mut self, input: Input) {
        self.unit.handle(self.now, input);
    }

    fn answer(&mut self, to: &Published, answer: Answer) {
        self.handle(Input::Published { call: to.call, answer });
    }

    fn append(&mut self, sequence: u64, ticket: u64) {
        let records = vec![record(sequence, 3)];
        self.handle(Input::Append { epoch: Epoch(1), records, ticket });
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some((at, _)) = self.unit.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.unit.handle_timeout(self.now);
        }
        self.now = until;
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.unit.poll_output()).collect()
    }

    fn publishes(&mut self) -> Vec<Published> {
        let outputs = self.outputs().into_iter();
        let publishes = outputs.map(|output| match output {
            Output::Publish { call, lane, id, newest_fence, bytes, .. } => {
                Published { call, lane, id, newest_fence, bytes: bytes.to_vec() }
            }
            other => panic!("{other:?}"),
        });
        publishes.collect()
    }

    fn publish(&mut self) -> Published {
        let mut publishes = self.publishes();
        assert_eq!(publishes.len(), 1, "{publishes:?}");
        publishes.remove(0)
    }

    fn events(&mut self) -> Vec<Event> {
        let outputs = self.outputs().into_iter();
        let events = outputs.map(|output| match output {
            Output::Tell(event) => event,
            other => panic!("{other:?}"),
        });
        events.collect()
    }
}

fn id() -> UnitId {
    UnitId::new(7).unwrap()
}

fn stored(sequence: u64) -> Answer {
    Answer::Stored { sequence, duplicate: false }
}

fn open() -> Answer {
    Answer::of_error(10_008, "temporarily unavailable")
}

fn record(sequence: u64, bytes: usize) -> Record {
    let what = What::Entry(vec![sequence as u8; bytes]);
    Record { key: Key([1; 16]), sequence, expires_at: Time::from_unix_seconds(1_700_604_800), what }
}

fn own_fence(epoch: u64) -> Message {
    let fence = Fence {
        unit: id(),
        epoch: Epoch(epoch),
        attempt: 1,
        node: "a".to_owned(),
        address: "https://a".to_owned(),
    };
    Message { sequence: 1, is_fence: true, bytes: fence.encode() }
}

fn acknowledged(ticket: u64) -> Event {
    Event::Acknowledged { unit: id(), ticket }
}

#[test]
fn one_batch_is_under_way_and_the_next_gathers() {
    let mut story = Story::owned();
    story.append(1, 10);
    let first = story.publish();
    assert_eq!((first.lane, first.newest_fence, first.id.as_str()), (0, 1, "7.1.2"));
    story.append(2, 11);
    story.append(3, 12);
    assert_eq!(story.publishes().len(), 0);
    story.answer(&first, stored(20));
    let outputs = story.outputs();
    assert_eq!(outputs[0], Output::Tell(acknowledged(10)));
    let Output::Publish { call, bytes, .. } = &outputs[1] else { panic!("{outputs:?}") };
    let batch = Batch::decode(bytes).unwrap();
    assert_eq!((batch.number, batch.records.len()), (3, 2));
    let call = *call;
    story.handle(Input::Published { call, answer: stored(21) });
    assert_eq!(story.events(), [acknowledged(11), acknowledged(12)]);
}

#[test]
fn a_batch_is_no_longer_than_it_may_be() {
    let mut story = Story::owned();
    let records = (1..=4).map(|sequence| record(sequence, BATCH_BYTES_MAX / 3)).collect();
    story.handle(Input::Append { epoch: Epoch(1), records, ticket: 1 });
    let first = story.publish();
    assert_eq!(Batch::decode(&first.bytes).unwrap().records.len(), 2);
    story.answer(&first, stored(20));
    let second = story.publish();
    assert_eq!(Batch::decode(&second.bytes).unwrap().records.len(), 2);
    story.answer(&second, stored(21));
    assert_eq!(story.events(), [acknowledged(1)], "the ticket is whole");
}

#[test]
fn a_lane_that_is_silent_is_left_with_the_same_bytes() {
    let mut story = Story::owned();
    story.append(1, 1);
    let first = story.publish();
    story.pass(ANSWER_TIME - ms(1));
    assert_eq!(story.publishes().len(), 0);
    story.pass(ms(1));
    let second = story.publish();
    assert_eq!((first.lane, second.lane), (0, 1));
    assert_eq!((&first.id, &first.bytes), (&second.id, &second.bytes));
    story.answer(&second, stored(5));
    assert_eq!(story.events(), [acknowledged(1)]);
    // The late answer of the first lane says nothing new.
    story.answer(&first, stored(30));
    assert_eq!(story.events(), []);
    story.append(2, 2);
    assert_eq!(story.publish().lane, 1, "the unit stays there");
}

#[test]
fn a_late_answer_counts() {
    let mut story = Story::owned();
    story.append(1, 1);
    let first = story.publish();
    story.pass(ANSWER_TIME);
    let second = story.publish();
    story.answer(&first, stored(30));
    assert_eq!(story.events(), [acknowledged(1)]);
    story.answer(&second, open());
    assert_eq!(story.outputs(), []);
}

#[test]
fn what_a_stream_did_not_store_is_said_again() {
    let mut story = Story::owned();
    story.append(1, 1);
    for number in [10_164, 10_158] {
        let asked = story.publish();
        story.answer(&asked, Answer::of_error(number, "again"));
        assert_eq!(story.publishes().len(), 0);
        story.pass(ms(2));
        let again = story.publish();
        assert_eq!((again.lane, &again.id), (0, &asked.id));
        // For the next number.
        story.answer(&again, Answer::of_error(number, "again"));
        story.pass(ms(2));
    }
    let last = story.publish();
    story.answer(&last, Answer::Stored { sequence: 4, duplicate: true });
    assert_eq!(story.events(), [acknowledged(1)], "a duplicate is durable");
}

#[test]
fn a_newer_fence_ends_the_ownership() {
    let mut story = Story::owned();
    story.append(1, 1);
    let asked = story.publish();
    story.append(2, 2);
    story.answer(&asked, Answer::of_error(10_071, "wrong last sequence"));
    assert_eq!(story.events(), [Event::Deposed { unit: id(), epoch: Epoch(1) }]);
    story.append(3, 3);
    story.answer(&asked, stored(3));
    story.pass(UNWRITABLE_TIME * 2);
    assert_eq!(story.outputs(), [], "nothing more is said or done");
}

#[test]
fn both_lanes_silent_twice_make_a_new_connection() {
    let mut story = Story::owned();
    story.append(1, 1);
    let mut lanes = vec![story.publish().lane];
    story.pass(ANSWER_TIME * 4);
    let outputs = story.outputs();
    let reconnects = outputs.iter().filter(|output| **output == Output::Reconnect).count();
    assert_eq!(reconnects, 1);
    lanes.extend(outputs.iter().filter_map(|output| match output {
        Output::Publish { lane, .. } => Some(*lane),
        _ => None,
    }));
    assert_eq!(lanes, [0, 1, 0, 1, 0]);
}

#[test]
fn lanes_that_refuse_at_once_are_not_asked_at_once() {
    let mut story = Story::owned();
    story.append(1, 1);
    let first = story.publish();
    story.answer(&first, open());
    let second = story.publish();
    assert_eq!(second.lane, 1);
    story.answer(&second, open());
    assert_eq!(story.publishes().len(), 0, "both refuse");
    story.pass(ms(50));
    assert_eq!(story.publish().lane, 0);
}

#[test]
fn a_unit_is_unwritable_after_ten_seconds() {
    let mut story = Story::owned();
    story.append(1, 1);
    story.pass(UNWRITABLE_TIME - ms(1));
    let told = |outputs: &[Output]| {
        let is_it = |o: &&Output| matches!(o, Output::Tell(Event::Unwritable { .. }));
        outputs.iter().filter(is_it).count()
    };
    assert_eq!(told(&story.outputs()), 0);
    story.pass(ms(1));
    assert_eq!(told(&story.outputs()), 1);
    story.pass(UNWRITABLE_TIME);
    let outputs = story.outputs();
    assert_eq!(told(&outputs), 0, "it is said once");
    let call = outputs.iter().rev().find_map(|output| match output {
        Output::Publish { call, .. } => Some(*call),
        _ => None,
    });
    story.handle(Input::Published { call: call.unwrap(), answer: stored(8) });
    assert_eq!(story.events(), [acknowledged(1), Event::Writable { unit: id() }]);
}

#[test]
fn who_slept_is_trusted_after_a_batch() {
    let mut story = Story::owned();
    story.append(1, 1);
    let before = story.publish();
    story.handle(Input::Suspect);
    assert_eq!(story.events(), [Event::Suspect { unit: id() }]);
    // It was published before: it proves nothing of now.
    story.answer(&before, stored(4));
    let mut outputs = story.outputs();
    assert_eq!(outputs.remove(0), Output::Tell(acknowledged(1)));
    let Output::Publish { call, bytes, .. } = &outputs[0] else { panic!("{outputs:?}") };
    assert_eq!(Batch::decode(bytes).unwrap().records, [], "it only asks");
    let call = *call;
    // Neither does a duplicate: it is answered before the fence is looked at.
    let duplicate = Answer::Stored { sequence: 5, duplicate: true };
    story.handle(Input::Published { call, answer: duplicate });
    let asked = story.publish();
    story.answer(&asked, stored(6));
    assert_eq!(story.events(), [Event::Trusted { unit: id() }]);
}

#[test]
fn a_unit_is_given_away_when_all_is_durable() {
    let mut story = Story::owned();
    story.append(1, 1);
    let asked = story.publish();
    story.handle(Input::Release);
    assert_eq!(story.outputs(), []);
    story.answer(&asked, stored(4));
    let deposed = Event::Deposed { unit: id(), epoch: Epoch(1) };
    assert_eq!(story.events(), [acknowledged(1), deposed]);
}

#[test]
fn an_append_of_another_ownership_is_dropped() {
    let mut story = Story::owned();
    let records = vec![record(1, 3)];
    story.handle(Input::Append { epoch: Epoch(2), records, ticket: 1 });
    assert_eq!(story.outputs(), []);
}

#[test]
fn a_lane_that_was_fenced_meanwhile_is_noticed() {
    let mut story = Story::fenced();
    story.read_back();
    let asked = story.publishes();
    assert_eq!(asked.len(), 2, "every lane is asked");
    story.answer(&asked[0], stored(2));
    assert_eq!(story.events(), []);
    story.answer(&asked[1], Answer::of_error(10_071, "wrong last sequence"));
    assert_eq!(story.events(), [], "it is not owned");
    story.pass(ms(200));
    let looks = story.outputs();
    assert!(matches!(looks[..], [Output::LookUp { .. }, Output::LookUp { .. }]), "{looks:?}");
}

#[test]
fn a_replica_that_lags_is_asked_again() {
    let mut story = Story::fenced();
    for output in story.outputs() {
        let Output::Read { call, from, .. } = output else { panic!("{output:?}") };
        assert_eq!(from, 1);
        story.handle(Input::Read { call, answer: Ok(Vec::new()) });
    }
    assert_eq!(story.outputs(), []);
    story.pass(ms(20));
    story.read_back();
    assert_eq!(story.publishes().len(), 2);
}

#[test]
fn a_replica_that_lacks_the_newest_is_read_again() {
    let mut story = Story::new();
    story.handle(Input::Take);
    for output in story.outputs() {
        let Output::LookUp { call, .. } = output else { panic!("{output:?}") };
        story.handle(Input::LookedUp { call, answer: Ok(Some((1, own_fence(1).bytes))) });
    }
    for fence in story.publishes() {
        story.answer(&fence, stored(3));
    }
    let records = vec![record(1, 3)];
    let (epoch, after, floor) = (Epoch(1), Mark::default(), Mark::default());
    let newest = Batch { unit: id(), epoch, number: 1, after, floor, records }.encode();
    story.look_for_end(Some((2, newest.clone())));
    let own = |story: &mut Story, messages: &[Message]| {
        for output in story.outputs() {
            let Output::Read { call, .. } = output else { continue };
            story.handle(Input::Read { call, answer: Ok(messages.to_vec()) });
        }
    };
    let fence = Message { sequence: 3, ..own_fence(2) };
    own(&mut story, std::slice::from_ref(&fence));
    let told = story.outputs();
    assert!(matches!(told[..], [Output::Tell(Event::Notice(_))]), "{told:?}");
    story.pass(ms(20));
    story.look_for_end(Some((2, newest.clone())));
    let batch = Message { sequence: 2, is_fence: false, bytes: newest };
    // The lanes are looked through for the floor, read for states, and for records.
    let records = (0..8).find_map(|_| {
        story.pass(ms(20));
        story.outputs().into_iter().find_map(|output| match output {
            Output::Read { call, .. } => {
                let answer = Ok(vec![batch.clone(), fence.clone()]);
                story.handle(Input::Read { call, answer });
                None
            }
            Output::Tell(Event::Records { records, .. }) => Some(records),
            other => panic!("{other:?}"),
        })
    });
    let records = records.expect("the batch is read");
    assert_eq!(records[..], [record(1, 3)]);
}

/// Records that expire in so many seconds.
fn short_lived(story: &Story, sequence: u64, bytes: usize, seconds: u64) -> Vec<Record> {
    let expires_at = story.now + Duration::from_secs(seconds);
    vec![Record { expires_at, ..record(sequence, bytes) }]
}

/// What is purged: lane and sequence, answered.
fn purge(story: &mut Story) -> Vec<(usize, u64)> {
    let outputs = story.outputs().into_iter();
    let purges = outputs.map(|output| match output {
        Output::Purge { call, lane, upto } => {
            story.handle(Input::Purged { call, answer: Ok(()) });
            (lane, upto)
        }
        other => panic!("{other:?}"),
    });
    purges.collect()
}

#[test]
fn what_has_expired_is_purged() {
    let mut story = Story::owned();
    let records = short_lived(&story, 1, 3, 100);
    story.handle(Input::Append { epoch: Epoch(1), records, ticket: 1 });
    let asked = story.publish();
    story.answer(&asked, stored(20));
    assert_eq!(story.events(), [acknowledged(1)]);
    story.pass(Duration::from_secs(99) + EXPIRED_TIME);
    assert_eq!(story.outputs(), [], "a node whose clock is behind may still ask for it");
    story.pass(Duration::from_secs(1));
    let floor = story.publish();
    let batch = Batch::decode(&floor.bytes).unwrap();
    assert_eq!((batch.floor, batch.records.len()), (Mark { epoch: Epoch(1), number: 2 }, 0));
    assert_eq!(story.outputs(), [], "only once the lanes know of it");
    story.answer(&floor, stored(21));
    // The first batch of the epoch stands in both lanes.
    assert_eq!(purge(&mut story), [(0, 20), (1, 9)]);
    story.pass(Duration::from_secs(600));
    assert_eq!(story.outputs(), [], "an empty batch is no reason to purge");
}

/// An entry of which three fill what records may take of a lane, in bytes.
const LARGE: usize = 500 << 10;

/// Appends a large record and answers what the owner asks for; says the lane of each
/// batch, and what else was told.
fn append_large(
    story: &mut Story,
    sequence: u64,
    shown: Option<&[u8]>,
) -> (Vec<usize>, Vec<Event>) {
    let records = short_lived(story, sequence, LARGE, 100);
    story.handle(Input::Append { epoch: Epoch(1), records, ticket: sequence });
    let (mut lanes, mut told, mut stands) = (Vec::new(), Vec::new(), 100 * sequence);
    while let Some(output) = story.unit.poll_output() {
        match output {
            Output::Publish { call, lane, .. } => {
                lanes.push(lane);
                stands += 1;
                story.handle(Input::Published { call, answer: stored(stands) });
            }
            Output::Tell(Event::Show { epoch, keys, .. }) => {
                let state = |key: &Key| State {
                    key: *key,
                    sequence: sequence - 1,
                    expires_at: story.now + Duration::from_secs(100),
                    bytes: shown.map(<[u8]>::to_vec),
                };
                let states = shown.map(|_| keys.iter().map(state).collect());
                story.handle(Input::Shown { epoch, states });
            }
            Output::Tell(event) => told.push(event),
            Output::Purge { call, .. } => {
                story.handle(Input::Purged { call, answer: Ok(()) });
            }
            other => panic!("{other:?}"),
        }
    }
    (lanes, told)
}

#[test]
fn a_unit_keeps_to_its_part_of_the_lanes() {
    let mut story = Story::owned();
    let mut lanes = Vec::new();
    for sequence in 1..=7 {
        lanes.extend(append_large(&mut story, sequence, None).0);
    }
    assert_eq!(lanes, [0, 0, 0, 1, 1, 1], "the seventh finds no room");
    story.pass(UNWRITABLE_TIME);
    let told = story.outputs();
    let is_told = |output: &Output| match output {
        Output::Tell(Event::Unwritable { why, .. }) => why.contains("--log-budget"),
        _ => false,
    };
    assert!(told.iter().any(is_told), "{told:?}");
    // What is oldest expires.
    story.pass(Duration::from_secs(90) + EXPIRED_TIME);
    let (lanes, told) = append_large(&mut story, 8, None);
    assert!(lanes.len() >= 3, "the floor, and both records");
    assert!(told.contains(&acknowledged(7)) && told.contains(&Event::Writable { unit: id() }));
}

#[test]
fn lanes_that_fill_up_are_cleaned() {
    let mut story = Story::owned();
    for sequence in 1..=40 {
        let (_, told) = append_large(&mut story, sequence, Some(b"all of it"));
        assert_eq!(told, [acknowledged(sequence)], "there always is room");
    }
}

#[test]
fn a_purge_without_an_answer_is_asked_for_again() {
    let mut story = Story::owned();
    let records = short_lived(&story, 1, 3, 0);
    story.handle(Input::Append { epoch: Epoch(1), records, ticket: 1 });
    let asked = story.publish();
    story.answer(&asked, stored(20));
    story.outputs();
    story.pass(EXPIRED_TIME);
    let floor = story.publish();
    story.answer(&floor, stored(21));
    let first = story.outputs();
    let Output::Purge { call, .. } = first[0] else { panic!("{first:?}") };
    story.handle(Input::Purged { call, answer: Err("no leader".to_owned()) });
    story.pass(Duration::from_secs(3));
    assert_eq!(purge(&mut story), [(0, 20), (1, 9)]);
    story.pass(Duration::from_secs(60));
    assert_eq!(story.outputs(), []);
}

#[test]
fn a_fence_without_an_answer_is_looked_for() {
    let mut story = Story::new();
    story.handle(Input::Take);
    for output in story.outputs() {
        let Output::LookUp { call, .. } = output else { panic!("{output:?}") };
        story.handle(Input::LookedUp { call, answer: Ok(None) });
    }
    let fences = story.publishes();
    story.answer(&fences[0], stored(1));
    story.pass(ANSWER_TIME);
    let Output::LookUp { call, lane: 1, .. } = story.outputs()[0] else { panic!("a look") };
    let answer = Ok(Some((4, fences[1].bytes.clone())));
    story.handle(Input::LookedUp { call, answer });
    story.look_for_end(None);
    assert!(matches!(story.outputs()[..], [Output::Read { .. }, Output::Read { .. }]));
}

#[test]
fn a_fence_of_a_newer_program_is_left_alone() {
    let mut story = Story::new();
    story.handle(Input::Take);
    let Output::LookUp { call, .. } = story.outputs()[0] else { panic!("a look") };
    let mut newer = own_fence(1).bytes;
    newer[0] += 1;
    story.handle(Input::LookedUp { call, answer: Ok(Some((3, newer))) });
    let events = story.events();
    let [Event::Notice(why), Event::Deposed { .. }] = &events[..] else { panic!("{events:?}") };
    assert!(why.contains("update"), "{why}");
}
