//! ORDER-10: who is told `stale` time after time is waited for.

use std::time::Duration;

use desk_engine_core::DeskRecord;
use desk_engine_core::collisions::{Arrival, Memory, Ordered, order};
use desk_engine_core::limits::ShardLimits;
use desk_protocol::frame::Submit;
use desk_protocol::limits::HistoryLimits;
use desk_protocol::text::{Delta, Part};
use desk_protocol::{
    Author, ClientId, ClientSeq, Create, LinkId, Operation, Point, Revision, StickerId, Time,
};

const SLOW: ClientId = ClientId(1);
const BUSY: ClientId = ClientId(2);
const NOTE: StickerId = StickerId(7);

/// A desk with one note, a busy author and one with a long way to the server.
struct Desk {
    record: DeskRecord,
    memory: Memory,
    limits: ShardLimits,
    now: Time,
    busy_seq: u64,
}

fn insertion(at: u32) -> Operation {
    let parts = [Part::Retain(at), Part::insert("x")];
    Operation::EditText { id: NOTE, delta: Delta::from_parts(parts).expect("small") }
}

impl Desk {
    fn new(limits: ShardLimits) -> Self {
        let mut record = DeskRecord::new(LinkId(1), LinkId(2), u64::MAX, String::new());
        for (client, author) in [(SLOW, 1), (BUSY, 2)] {
            record.members.join(client, Author(author));
        }
        let memory = Memory::new(&limits.order);
        let now = Time::from_unix_seconds(1_700_000_000);
        let mut desk = Self { record, memory, limits, now, busy_seq: 0 };
        desk.busy(Operation::Create(Create {
            id: NOTE,
            position: Point::default(),
            size: Default::default(),
            color: Default::default(),
            text: String::new(),
            ..Create::default()
        }));
        desk
    }

    fn submit(&mut self, client: ClientId, seq: u64, base: Revision, one: Operation) -> Ordered {
        let (client_seq, operations) = (ClientSeq(seq), vec![one]);
        let submit = Submit { client_seq, base, made_at: base, operations };
        let arrival = Arrival { client, user: "", submit, base_texts: &[] };
        order(&mut self.record, &mut self.memory, &self.limits, self.now, arrival)
    }

    fn busy(&mut self, one: Operation) {
        self.busy_seq += 1;
        let ordered = self.submit(BUSY, self.busy_seq, self.record.desk.revision(), one);
        assert!(matches!(ordered, Ordered::Accepted { .. }), "{ordered:?}");
    }

    /// One round trip of the slow author: others type, then its batch arrives
    /// at the base that it had caught up with.
    fn round_trip(&mut self, seq: u64, others: usize) -> Ordered {
        let base = self.record.desk.revision();
        for _ in 0..others {
            self.busy(insertion(0));
        }
        self.submit(SLOW, seq, base, insertion(0))
    }
}

fn few() -> ShardLimits {
    let mut limits = ShardLimits::default();
    limits.order.history = HistoryLimits { deltas_per_sticker: 10, bytes: 1 << 20 };
    limits.order.held = HistoryLimits { deltas_per_sticker: 50, bytes: 1 << 20 };
    limits
}

#[test]
fn order_10_contention_starves_nobody() {
    let mut desk = Desk::new(few());
    for _ in 0..2 {
        assert!(matches!(desk.round_trip(1, 20), Ordered::Stale(_)));
    }
    assert!(matches!(desk.round_trip(1, 20), Ordered::Accepted { .. }), "waited for");
    // It got through: the next batch begins anew.
    assert!(matches!(desk.round_trip(2, 20), Ordered::Stale(_)));
    assert!(matches!(desk.round_trip(2, 5), Ordered::Accepted { .. }));
}

#[test]
fn order_10_a_costly_batch_gets_through_too() {
    let mut limits = few();
    limits.order.history.deltas_per_sticker = 1_000;
    limits.order.transform_steps = 10;
    let mut desk = Desk::new(limits);
    for _ in 0..2 {
        assert!(matches!(desk.round_trip(1, 30), Ordered::Stale(_)));
    }
    assert!(matches!(desk.round_trip(1, 30), Ordered::Accepted { .. }));
    for _ in 0..4 {
        assert!(matches!(desk.round_trip(2, 45), Ordered::Stale(_)), "the cost stays bounded");
    }
}

#[test]
fn order_10_waiting_ends_with_its_time() {
    let mut desk = Desk::new(few());
    for _ in 0..2 {
        assert!(matches!(desk.round_trip(1, 20), Ordered::Stale(_)));
    }
    desk.now = desk.now + desk.limits.hold_time + Duration::from_micros(1);
    // The longer history went, so the next two are stale again; then it is held anew.
    assert!(matches!(desk.round_trip(1, 20), Ordered::Stale(_)));
    assert!(matches!(desk.round_trip(1, 20), Ordered::Stale(_)));
    assert!(matches!(desk.round_trip(1, 20), Ordered::Accepted { .. }));
}

#[test]
fn limit_1_a_given_base_text_binds_its_sender() {
    let mut desk = Desk::new(few());
    let base = desk.record.desk.revision();
    for _ in 0..20 {
        desk.busy(insertion(0));
    }
    let text = |count: usize| {
        let parts = [Part::insert("y".repeat(count))];
        Operation::EditText { id: NOTE, delta: Delta::from_parts(parts).expect("small") }
    };
    let mut sync = |seq, count| {
        let (client_seq, operations) = (ClientSeq(seq), vec![text(count)]);
        let submit = Submit { client_seq, base, made_at: base, operations };
        let base_texts = [(NOTE, String::new())];
        let arrival = Arrival { client: SLOW, user: "", submit, base_texts: &base_texts };
        order(&mut desk.record, &mut desk.memory, &desk.limits, desk.now, arrival)
    };
    let Ordered::Rejected { detail, .. } = sync(1, 10_001) else { panic!("too long by itself") };
    assert_eq!(
        detail,
        "edit_text: the text would have 10001 characters, at most 10000 are allowed"
    );
    // With what others wrote it is longer than an author's limit, and kept.
    assert!(matches!(sync(2, 9_990), Ordered::Accepted { .. }));
    assert_eq!(desk.record.desk.sticker(NOTE).map(|note| note.text.value.len()), Some(10_010));
}

#[test]
fn limit_9_a_batch_over_a_record_changes_nothing() {
    let mut desk = Desk::new(ShardLimits::default());
    let base = desk.record.desk.revision();
    let create = |id: u64| {
        Operation::Create(Create {
            id: StickerId(100 + id),
            position: Point::default(),
            size: Default::default(),
            color: Default::default(),
            text: "x".repeat(2_000),
            ..Create::default()
        })
    };
    let mut submit = |seq, count| {
        let (client_seq, operations) = (ClientSeq(seq), (0..count).map(create).collect());
        let submit = Submit { client_seq, base, made_at: base, operations };
        let arrival = Arrival { client: SLOW, user: "", submit, base_texts: &[] };
        order(&mut desk.record, &mut desk.memory, &desk.limits, desk.now, arrival)
    };
    let Ordered::Rejected { detail, .. } = submit(1, 450) else { panic!("900 KB of text") };
    assert!(detail.contains("at most 425984 are allowed: split it"), "{detail}");
    assert!(matches!(submit(2, 190), Ordered::Accepted { .. }));
}
