//! Records survive the round trip, old ones stay readable, hostile ones do no harm.

use std::collections::BTreeMap;

use desk_engine_core::limits::{READERS_PER_DESK_MAX, RECENT_ANSWER_BYTES_MAX, RECENT_CLIENTS_MAX};
use desk_engine_core::record::Links;
use desk_engine_core::{Alias, DeskRecord, Members, RecentClient, StoredRecord};
use desk_protocol::desk::DeskParts;
use desk_protocol::frame::{BatchResult, Outcome};
use desk_protocol::limits::{
    DELETED_STICKERS_CEILING, DESK_BYTES_CEILING, DESK_REGISTER_BYTES_MAX, PURGED_IDS_MAX,
    STICKERS_CEILING, TITLE_CHARS_CEILING,
};
use desk_protocol::sticker::Stamped;
use desk_protocol::{
    Author, ClientId, ClientSeq, CollisionStatus, Color, Desk, LinkId, Point, Revision, Size,
    Stamp, Sticker, StickerId, StickerKind,
};
use proptest::prelude::*;

use super::*;
use crate::config::limits::CLIENTS_CEILING;
use crate::config::sums::VALUE_BYTES;

const FIXTURE_V1: &[u8] = include_bytes!("fixtures/v1.bin");
const FIXTURE_V2: &[u8] = include_bytes!("fixtures/v2.bin");
const FIXTURE_V3: &[u8] = include_bytes!("fixtures/v3.bin");

fn stamp(revision: u64) -> impl Strategy<Value = Stamp> {
    (0..=revision, any::<u32>(), 0..=revision).prop_map(|(revision, author, other)| Stamp {
        revision: Revision(revision),
        author: Author(author),
        other: Revision(other),
    })
}

prop_compose! {
    fn sticker(revision: u64)(
        id in any::<u64>(),
        (x, y, width, height) in any::<(i32, i32, u32, u32)>(),
        (color, z, deleted, text) in (any::<u32>(), any::<i64>(), any::<bool>(), "\\PC{0,40}"),
        stamps in prop::collection::vec(stamp(revision), 7),
        (author, created_at_ms, kind, locked) in any::<(u32, u64, u8, bool)>(),
        counters in prop::collection::btree_map(any::<u32>().prop_map(Author), 1..u32::MAX, 0..3),
    ) -> Sticker {
        Sticker {
            id: StickerId(id),
            position: Stamped::new(Point { x, y }, stamps[0]),
            size: Stamped::new(Size { width, height }, stamps[1]),
            color: Stamped::new(Color(color), stamps[2]),
            z: Stamped::new(z, stamps[3]),
            deleted: Stamped::new(deleted, stamps[4]),
            text: Stamped::new(text, stamps[5]),
            author: Author(author),
            created_at_ms,
            kind: StickerKind(kind),
            locked: Stamped::new(locked, stamps[6]),
            counters,
        }
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let statuses = [
        CollisionStatus::Clean,
        CollisionStatus::Merged,
        CollisionStatus::Overrode,
        CollisionStatus::Hidden,
        CollisionStatus::Purged,
    ];
    let created = prop::collection::vec(any::<u64>().prop_map(StickerId), 0..4);
    prop_oneof![
        (any::<u64>(), prop::sample::select(statuses.to_vec()), created).prop_map(
            |(revision, status, created)| Outcome::Applied {
                revision: Revision(revision),
                status,
                created,
            }
        ),
        (any::<u32>(), "\\PC{0,20}")
            .prop_map(|(operation, detail)| Outcome::Rejected { operation, detail }),
    ]
}

fn member() -> impl Strategy<Value = (ClientId, RecentClient)> {
    let last = (1..u64::MAX, outcome())
        .prop_map(|(seq, outcome)| BatchResult { client_seq: ClientSeq(seq), outcome });
    (any::<u128>(), any::<u32>(), prop::option::of(last)).prop_map(|(client, author, last)| {
        (ClientId(client), RecentClient { author: Author(author), last })
    })
}

/// A few recent clients, or more than may be recent and so some that are quiet.
fn members() -> impl Strategy<Value = Members> {
    let few = prop::collection::vec(member(), 0..5);
    let many = prop::collection::vec(member(), RECENT_CLIENTS_MAX + 1..RECENT_CLIENTS_MAX + 40);
    prop_oneof![4 => few, 1 => many].prop_map(of)
}

fn of(clients: Vec<(ClientId, RecentClient)>) -> Members {
    let mut members = Members::default();
    for (client, RecentClient { author, last }) in clients {
        members.join(client, author);
        last.into_iter().for_each(|last| members.remember(client, last));
    }
    members
}

prop_compose! {
    fn desk(revision: u64)(
        title in "\\PC{0,40}",
        title_stamp in stamp(revision),
        stickers in prop::collection::vec(sticker(revision), 0..8),
        purged in prop::collection::vec((any::<u64>(), any::<u64>()), 0..4),
        purge_floor in any::<u64>(),
        registers in prop::collection::btree_map(any::<u8>(), prop::collection::vec(any::<u8>(), 1..9), 0..3),
    ) -> Desk {
        let mut stickers = stickers;
        stickers.sort_by_key(|sticker| sticker.id);
        stickers.dedup_by_key(|sticker| sticker.id);
        let purged = purged.into_iter().map(|(id, at)| (StickerId(id), Revision(at))).collect();
        Desk::from_parts(DeskParts {
            revision: Revision(revision),
            title: Stamped::new(title, title_stamp),
            stickers,
            purged,
            purge_floor: Revision(purge_floor),
            registers,
        })
        .expect("generated desks hold together")
    }
}

prop_compose! {
    fn record()(
        desk in (0u64..1 << 40).prop_flat_map(desk),
        (key, edit, owner, view) in any::<(u128, u128, u128, Option<u128>)>(),
        (sequence, expires_at, key_epoch) in any::<(u64, u64, u32)>(),
        members in members(),
    ) -> StoredRecord {
        let links = Links { edit: LinkId(edit), owner: LinkId(owner), view: view.map(LinkId) };
        StoredRecord::Desk(DeskRecord {
            key: LinkId(key), sequence, expires_at, key_epoch, links, members, desk,
        })
    }
}

proptest! {
    #[test]
    fn records_survive_the_round_trip(record in record()) {
        let bytes = write(&record);
        prop_assert_eq!(read(&bytes).unwrap(), record.clone());
        // And from a place that is not aligned.
        let mut shifted = vec![0];
        shifted.extend_from_slice(&bytes);
        prop_assert_eq!(read(&shifted[1..]).unwrap(), record);
    }

    #[test]
    fn damaged_bytes_do_no_harm(
        record in record(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = write(&record).to_vec();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        let _ = read(&bytes);
        let _ = read(&bytes[..cut.index(bytes.len())]);
    }
}

#[test]
fn aliases_survive_the_round_trip() {
    let alias = StoredRecord::Alias(Alias { desk: LinkId(7) });
    assert_eq!(read(&write(&alias)).unwrap(), alias);
}

/// The desk of the fixture, with something in every field.
fn fixture() -> StoredRecord {
    let stamp = |revision, author, other| Stamp {
        revision: Revision(revision),
        author: Author(author),
        other: Revision(other),
    };
    let sticker = |id: u64, deleted: bool| Sticker {
        id: StickerId(id),
        position: Stamped::new(Point { x: -5, y: 1_000_000 }, stamp(3, 1, 2)),
        size: Stamped::new(Size { width: 20, height: 4_000 }, stamp(4, 2, 3)),
        color: Stamped::new(Color(0xab_cd_ef), stamp(5, 1, 4)),
        z: Stamped::new(-7, stamp(6, 2, 5)),
        deleted: Stamped::new(deleted, stamp(7, 1, 6)),
        text: Stamped::new("Grüße 👋".to_owned(), stamp(8, 2, 7)),
        author: Author(2),
        created_at_ms: 1_700_000_000_123,
        kind: StickerKind(1),
        locked: Stamped::new(true, stamp(4, 2, 3)),
        counters: BTreeMap::from([(Author(11), 3), (Author(12), 1)]),
    };
    let applied = Outcome::Applied {
        revision: Revision(8),
        status: CollisionStatus::Hidden,
        created: vec![StickerId(1), StickerId(2)],
    };
    let rejected = Outcome::Rejected { operation: 4, detail: "no such sticker".to_owned() };
    let member = |author, seq, outcome| RecentClient {
        author: Author(author),
        last: Some(BatchResult { client_seq: ClientSeq(seq), outcome }),
    };
    StoredRecord::Desk(DeskRecord {
        key: LinkId::new(1_700_000_000, 1),
        sequence: 12,
        expires_at: 1_700_604_800,
        key_epoch: 2,
        links: Links {
            edit: LinkId::new(1_700_000_000, 4),
            owner: LinkId::new(1_700_000_000, 2),
            view: Some(LinkId::new(1_700_000_000, 3)),
        },
        members: of(vec![
            (ClientId(11), member(1, 9, applied)),
            (ClientId(12), member(2, 3, rejected)),
            (ClientId(13), RecentClient { author: Author(3), last: None }),
        ]),
        desk: Desk::from_parts(DeskParts {
            revision: Revision(9),
            title: Stamped::new("Plan".to_owned(), stamp(9, 3, 8)),
            stickers: vec![sticker(1, false), sticker(u64::MAX, true)],
            purged: vec![(StickerId(5), Revision(6))],
            purge_floor: Revision(1),
            registers: BTreeMap::from([(1, vec![1, 2, 3])]),
        })
        .expect("the fixture holds together"),
    })
}

#[test]
fn version_1_stays_readable() {
    assert_eq!(read(FIXTURE_V1).unwrap(), fixture());
}

/// The fixture with so many clients that some are quiet, of each kind.
fn fixture_with_quiet_clients() -> StoredRecord {
    let StoredRecord::Desk(mut record) = fixture() else { unreachable!("it is a desk") };
    for number in 0..RECENT_CLIENTS_MAX as u32 {
        record.members.join(ClientId(1_000 + u128::from(number)), Author(4 + number));
    }
    StoredRecord::Desk(record)
}

#[test]
fn version_2_stays_readable() {
    assert_eq!(read(FIXTURE_V2).unwrap(), fixture_with_quiet_clients());
}

/// The fixture with a lock that has a stamp of its own.
fn fixture_with_lock() -> StoredRecord {
    let StoredRecord::Desk(mut record) = fixture_with_quiet_clients() else {
        unreachable!("it is a desk")
    };
    let mut parts = record.desk.to_parts();
    parts.stickers[0].locked.stamp =
        Stamp { revision: Revision(9), author: Author(3), other: Revision(2) };
    record.desk = Desk::from_parts(parts).expect("it holds together");
    StoredRecord::Desk(record)
}

#[test]
fn version_3_stays_readable() {
    assert_eq!(read(FIXTURE_V3).unwrap(), fixture_with_lock());
}

#[test]
fn a_quiet_client_takes_40_bytes_of_a_record() {
    let bytes = |clients: u32| {
        let StoredRecord::Desk(mut record) = fixture() else { unreachable!("it is a desk") };
        for number in 4..4 + clients {
            let client = ClientId(1_000 + u128::from(number));
            record.members.join(client, Author(number));
            let outcome = Outcome::Applied {
                revision: Revision(1),
                status: CollisionStatus::Clean,
                created: (0..500).map(StickerId).collect(),
            };
            record.members.remember(client, BatchResult { client_seq: ClientSeq(1), outcome });
        }
        write(&StoredRecord::Desk(record)).len()
    };
    let (few, many) = (bytes(1_000), bytes(11_000));
    // Those that are recent differ, by less than their bound.
    assert!(many - few <= 40 * 10_000 + 2 * RECENT_ANSWER_BYTES_MAX, "{}", many - few);
}

#[test]
fn what_is_no_snapshot_is_told() {
    let mut newer = FIXTURE_V1.to_vec();
    newer[8] = 200;
    assert!(matches!(read(&newer), Err(SnapshotError::Version { found: 200, newest: 3 })));
    assert!(matches!(read(b"DESKSNAP"), Err(SnapshotError::Header(8))));
    assert!(matches!(read(&[0; 64]), Err(SnapshotError::Header(64))));
}

/// A desk at every ceiling at once.
fn largest() -> StoredRecord {
    let StoredRecord::Desk(mut record) = fixture() else { unreachable!("it is a desk") };
    let mut parts = record.desk.to_parts();
    let model = parts.stickers.remove(0);
    let sticker = |id: usize, deleted: bool, count: usize| {
        let text = "x".repeat(DESK_BYTES_CEILING / count - 64);
        let counters = BTreeMap::new();
        let deleted = Stamped::new(deleted, model.deleted.stamp);
        let text = Stamped::new(text, model.text.stamp);
        Sticker { id: StickerId(id as u64), deleted, text, counters, ..model.clone() }
    };
    let live = (0..STICKERS_CEILING).map(|id| sticker(id, false, STICKERS_CEILING));
    let deleted = (0..DELETED_STICKERS_CEILING)
        .map(|id| sticker(STICKERS_CEILING + id, true, DELETED_STICKERS_CEILING));
    parts.stickers = live.chain(deleted).collect();
    parts.title.value = "\u{1f44b}".repeat(TITLE_CHARS_CEILING);
    parts.purged = (0..PURGED_IDS_MAX as u64).map(|id| (StickerId(id), Revision(1))).collect();
    parts.registers = (0..=u8::MAX).map(|key| (key, vec![0; DESK_REGISTER_BYTES_MAX])).collect();
    record.desk = Desk::from_parts(parts).expect("it holds together");
    let last = |seq| BatchResult {
        client_seq: ClientSeq(seq),
        outcome: Outcome::Rejected { operation: 1, detail: "x".repeat(200) },
    };
    let clients = CLIENTS_CEILING + READERS_PER_DESK_MAX;
    for number in 0..clients as u32 {
        let client = ClientId(u128::from(number) << 64 | 1);
        record.members.join(client, Author(4 + number));
        if number as usize >= READERS_PER_DESK_MAX {
            record.members.remember(client, last(1));
        }
    }
    StoredRecord::Desk(record)
}

#[test]
fn the_largest_desk_fits_a_value_of_the_store() {
    let bytes = write(&largest()).len();
    assert!(bytes <= VALUE_BYTES, "{bytes} bytes, {VALUE_BYTES} are thought to be the most");
    // The sum is no wild guess either.
    assert!(bytes > VALUE_BYTES - VALUE_BYTES / 10, "{bytes} bytes of {VALUE_BYTES}");
}
