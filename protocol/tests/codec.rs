//! Frames and snapshots survive the wire, and hostile bytes are refused.

use std::collections::BTreeMap;

use desk_protocol::codec::{
    DecodeError, Decoded, Encoder, decode_client, decode_commit, decode_server, decode_snapshot,
    encode_client, encode_server, encode_snapshot,
};
use desk_protocol::desk::DeskParts;
use desk_protocol::frame::*;
use desk_protocol::limits::*;
use desk_protocol::sticker::Stamped;
use desk_protocol::text::{Delta, Part};
use desk_protocol::*;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-zé😀\\n]{0,12}"]
}

fn point() -> impl Strategy<Value = Point> {
    (any::<i32>(), any::<i32>()).prop_map(|(x, y)| Point { x, y })
}

fn size() -> impl Strategy<Value = Size> {
    (any::<u32>(), any::<u32>()).prop_map(|(width, height)| Size { width, height })
}

fn id() -> impl Strategy<Value = StickerId> {
    any::<u64>().prop_map(StickerId)
}

fn delta() -> impl Strategy<Value = Delta> {
    let part = prop_oneof![
        (0u32..9).prop_map(Part::Retain),
        (0u32..9).prop_map(Part::Delete),
        (text(), any::<bool>())
            .prop_map(|(text, continues)| Part::Insert { text: text.into(), continues }),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| Delta::from_parts(parts).expect("small"))
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        point().prop_map(Write::Position),
        size().prop_map(Write::Size),
        any::<u32>().prop_map(|color| Write::Color(Color(color))),
        any::<i64>().prop_map(Write::Z),
        any::<bool>().prop_map(Write::Deleted),
        any::<bool>().prop_map(Write::Locked),
    ]
}

fn create() -> impl Strategy<Value = Create> {
    let kind = any::<u8>().prop_map(StickerKind);
    let registers = ((id(), kind), point(), size(), any::<u32>());
    (registers, text(), any::<[bool; 2]>(), any::<Option<i64>>()).prop_map(
        |(((id, kind), position, size, color), text, [deleted, locked], z)| Create {
            id,
            kind,
            position,
            size,
            color: Color(color),
            text,
            deleted,
            locked,
            z,
        },
    )
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        create().prop_map(Operation::Create),
        (id(), write(), any::<bool>()).prop_map(|(id, write, yielding)| Operation::Set {
            id,
            write,
            yielding
        }),
        (id(), any::<Option<i64>>()).prop_map(|(id, z)| Operation::Raise { id, z }),
        (id(), any::<Option<i64>>()).prop_map(|(id, z)| Operation::Lower { id, z }),
        (id(), delta()).prop_map(|(id, delta)| Operation::EditText { id, delta }),
        (text(), any::<bool>())
            .prop_map(|(title, yielding)| Operation::SetTitle { title, yielding }),
        (id(), any::<u32>()).prop_map(|(id, count)| Operation::Vote { id, count }),
        (any::<u8>(), prop::collection::vec(any::<u8>(), 0..65))
            .prop_map(|(key, value)| Operation::SetRegister { key, value }),
        id().prop_map(|id| Operation::Purge { id }),
    ]
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(operation(), 0..6)
}

fn presence() -> impl Strategy<Value = Presence> {
    let drag = (id(), point()).prop_map(|(sticker, to)| Drag { sticker, to });
    (
        text(),
        any::<u32>(),
        prop::option::of(point()),
        prop::option::of(id()),
        any::<Option<u32>>(),
        prop::option::of(drag),
        any::<bool>(),
    )
        .prop_map(|(name, color, cursor, editing, caret, drag, hidden)| Presence {
            name,
            color: Color(color),
            cursor,
            editing,
            caret,
            drag,
            hidden,
        })
}

/// 0 stands for the default and is no limit.
fn limits() -> impl Strategy<Value = DeskLimits> {
    any::<[u16; 7]>().prop_map(|fields| {
        let [text_chars, title_chars, stickers, desk_bytes, batch_operations, delta_parts, frame] =
            fields.map(|field| usize::from(field) + 1);
        DeskLimits {
            text_chars,
            title_chars,
            stickers,
            desk_bytes,
            batch_operations,
            delta_parts,
            frame_bytes: frame,
        }
    })
}

fn client_frame() -> impl Strategy<Value = ClientFrame> {
    prop_oneof![
        (text(), any::<u64>(), any::<Option<u64>>(), text(), any::<bool>()).prop_map(
            |(session_key, connection, revision, user, repeats)| {
                let revision = revision.map(Revision);
                ClientFrame::Hello(Hello { session_key, connection, revision, user, repeats })
            }
        ),
        (any::<[u64; 3]>(), operations()).prop_map(|([seq, base, made_at], operations)| {
            ClientFrame::Submit(Submit {
                client_seq: ClientSeq(seq),
                base: Revision(base),
                made_at: Revision(made_at.min(base)),
                operations,
            })
        }),
        presence().prop_map(ClientFrame::Presence),
        any::<u64>().prop_map(|nonce| ClientFrame::Ping { nonce }),
    ]
}

fn status() -> impl Strategy<Value = CollisionStatus> {
    prop::sample::select(vec![
        CollisionStatus::Clean,
        CollisionStatus::Merged,
        CollisionStatus::Overrode,
        CollisionStatus::Hidden,
        CollisionStatus::Purged,
    ])
}

fn result() -> impl Strategy<Value = BatchResult> {
    let applied = (any::<u64>(), status(), prop::collection::vec(id(), 0..4)).prop_map(
        |(revision, status, created)| Outcome::Applied {
            revision: Revision(revision),
            status,
            created,
        },
    );
    let rejected = (any::<u32>(), text())
        .prop_map(|(operation, detail)| Outcome::Rejected { operation, detail });
    (any::<u64>(), prop_oneof![applied, rejected])
        .prop_map(|(seq, outcome)| BatchResult { client_seq: ClientSeq(seq), outcome })
}

fn server_frame() -> impl Strategy<Value = ServerFrame> {
    let role = prop::sample::select(vec![Role::Viewer, Role::Editor, Role::Owner]);
    let code = prop::sample::select(CloseCode::ALL.to_vec());
    let person = (any::<u32>(), any::<u32>(), prop::option::of(presence())).prop_map(
        |(author, counter, presence)| Person { author: Author(author), counter, presence },
    );
    prop_oneof![
        (any::<[u64; 4]>(), any::<u32>(), role, limits(), prop::option::of(result())).prop_map(
            |([revision, created_at, expires_at, now_ms], author, role, limits, last)| {
                let snapshot = created_at % 2 == 0;
                ServerFrame::Welcome(Welcome {
                    author: Author(author),
                    role,
                    revision: Revision(revision),
                    snapshot,
                    last,
                    created_at,
                    expires_at,
                    limits,
                    now_ms,
                })
            }
        ),
        (any::<[u64; 3]>(), any::<u32>(), status(), text(), operations(), 0u64..5).prop_map(
            |([revision, seq, accepted_at_ms], author, status, user, mut operations, purges)| {
                operations.extend((0..purges).map(|id| Operation::Purge { id: StickerId(id) }));
                ServerFrame::Commit(Commit {
                    revision: Revision(revision),
                    author: Author(author),
                    client_seq: ClientSeq(seq),
                    status,
                    user,
                    accepted_at_ms,
                    operations,
                })
            }
        ),
        (any::<u64>(), any::<[u32; 2]>(), any::<Vec<u8>>()).prop_map(
            |(revision, [offset, total], bytes)| {
                let revision = Revision(revision);
                ServerFrame::SnapshotChunk(SnapshotChunk { revision, offset, total, bytes })
            }
        ),
        (any::<u64>(), id())
            .prop_map(|(seq, sticker)| ServerFrame::Stale { client_seq: ClientSeq(seq), sticker }),
        result().prop_map(ServerFrame::Answer),
        prop::collection::vec(person, 0..4).prop_map(ServerFrame::Presence),
        any::<u64>().prop_map(|nonce| ServerFrame::Pong { nonce }),
        (code, text()).prop_map(|(code, detail)| ServerFrame::Close { code, detail }),
    ]
}

proptest! {
    #[test]
    fn frame_1_client_frames_round_trip(frames in prop::collection::vec(client_frame(), 1..4)) {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new();
        for frame in &frames {
            encoder.client(frame, &mut bytes);
        }
        let mut rest = &bytes[..];
        for frame in frames {
            match decode_client(rest) {
                Ok(Decoded::Frame(length, Some(found))) => {
                    prop_assert_eq!(found, frame);
                    rest = &rest[length..];
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn frame_1_server_frames_round_trip(frame in server_frame()) {
        let mut bytes = Vec::new();
        encode_server(&frame, &mut bytes);
        prop_assert_eq!(decode_server(&bytes), Ok(Decoded::Frame(bytes.len(), Some(frame))));
        for cut in [0, 3, 4, bytes.len() - 1] {
            prop_assert_eq!(decode_server(&bytes[..cut]), Ok(Decoded::Incomplete));
        }
    }

    #[test]
    fn frame_4_damaged_frames_never_panic(
        frame in client_frame(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = Vec::new();
        encode_client(&frame, &mut bytes);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = decode_client(&bytes);
        let _ = decode_server(&bytes);
        let _ = decode_snapshot(&bytes[4..]);
    }
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (0u64..50, any::<u32>(), any::<u64>()).prop_map(|(revision, author, other)| Stamp {
        revision: Revision(revision),
        author: Author(author),
        other: Revision(other),
    })
}

fn sticker() -> impl Strategy<Value = Sticker> {
    let stamps = prop_oneof![
        stamp().prop_map(|one| [one; 7]),
        [stamp(), stamp(), stamp(), stamp(), stamp(), stamp(), stamp()]
    ];
    let counters = prop::collection::btree_map(any::<u32>().prop_map(Author), 1..u32::MAX, 0..3);
    let reserved = (any::<u8>().prop_map(StickerKind), counters);
    (create(), any::<i64>(), any::<u32>(), any::<u64>(), stamps, reserved).prop_map(
        |(create, z, author, created_at_ms, stamps, (kind, counters))| Sticker {
            id: create.id,
            position: Stamped::new(create.position, stamps[0]),
            size: Stamped::new(create.size, stamps[1]),
            color: Stamped::new(create.color, stamps[2]),
            z: Stamped::new(z, stamps[3]),
            deleted: Stamped::new(create.deleted, stamps[4]),
            text: Stamped::new(create.text, stamps[5]),
            author: Author(author),
            created_at_ms,
            kind,
            locked: Stamped::new(create.locked, stamps[6]),
            counters,
        },
    )
}

fn desk() -> impl Strategy<Value = Desk> {
    let title = (text(), stamp()).prop_map(|(title, stamp)| Stamped::new(title, stamp));
    let stickers = prop::collection::btree_map(id(), sticker(), 0..6);
    let purged = prop::collection::vec((id(), any::<u64>().prop_map(Revision)), 0..4);
    let registers =
        prop::collection::btree_map(any::<u8>(), prop::collection::vec(any::<u8>(), 1..65), 0..4);
    (50u64..60, title, stickers, purged, any::<u64>(), registers).prop_map(
        |(revision, title, stickers, purged, purge_floor, registers)| {
            let stickers: BTreeMap<StickerId, Sticker> =
                stickers.into_values().map(|sticker| (sticker.id, sticker)).collect();
            Desk::from_parts(DeskParts {
                revision: Revision(revision),
                title,
                stickers: stickers.into_values().collect(),
                purged,
                purge_floor: Revision(purge_floor),
                registers,
            })
            .expect("ids differ and stamps lie below the revision")
        },
    )
}

proptest! {
    /// FRAME-7: reserved fields, too.
    #[test]
    fn frame_6_snapshots_round_trip(desk in desk()) {
        let bytes = encode_snapshot(&desk);
        let parts = decode_snapshot(&bytes).expect("what was written reads");
        prop_assert_eq!(Desk::from_parts(parts).expect("and makes a desk"), desk);
    }
}

/// A ping, to be damaged.
fn ping() -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_client(&ClientFrame::Ping { nonce: 0x0102_0304_0506_0708 }, &mut bytes);
    bytes
}

#[test]
fn frame_1_layout_is_prefix_root_identifier() {
    let bytes = ping();
    let size = u32::from_le_bytes(bytes[..4].try_into().expect("four bytes"));
    assert_eq!(size as usize, bytes.len() - 4);
    assert_eq!(&bytes[8..12], b"DESK");
}

#[test]
fn frame_2_too_long_is_told_by_the_prefix() {
    let prefix = u32::try_from(CLIENT_FRAME_BYTES_MAX - 3).expect("fits").to_le_bytes();
    let found = CLIENT_FRAME_BYTES_MAX + 1;
    assert_eq!(
        decode_client(&prefix),
        Err(DecodeError::TooLong { found, limit: CLIENT_FRAME_BYTES_MAX })
    );
    let prefix = u32::try_from(CLIENT_FRAME_BYTES_MAX - 4).expect("fits").to_le_bytes();
    assert_eq!(decode_client(&prefix), Ok(Decoded::Incomplete));
}

#[test]
fn frame_3_unknown_skipped_other_ends_refused() {
    let mut bytes = ping();
    // The root table's first field, found by its vtable.
    let at = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let root = 4 + at(4);
    let vtable = root - at(root);
    let body_type = root + at(vtable + 4);
    assert_eq!(bytes[body_type], 4, "the number of a ping in the schema's union");
    bytes[body_type] = 200;
    assert_eq!(decode_client(&bytes), Ok(Decoded::Frame(bytes.len(), None)));
    assert_eq!(decode_server(&bytes), Ok(Decoded::Frame(bytes.len(), None)));
    assert_eq!(decode_server(&ping()), Err(DecodeError::Direction { frame: "Ping" }));
}

#[test]
fn frame_4_malformed_frames_say_why() {
    assert_eq!(
        decode_client(&[7, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7]),
        Err(DecodeError::TooShort { found: 11, least: 12 })
    );
    let mut bytes = ping();
    bytes[8] = b'X';
    assert_eq!(decode_client(&bytes), Err(DecodeError::Identifier { found: *b"XESK" }));
    let mut bytes = ping();
    bytes[4] = 0xf0;
    let error = decode_client(&bytes).expect_err("the root lies outside");
    assert!(
        matches!(&error, DecodeError::Structure(why) if why.contains("out of bounds")),
        "{error}"
    );
}

/// Frames with a raise before the title, whose kind was replaced.
fn with_kind(kind: u8, encode: impl Fn(Vec<Operation>) -> Vec<u8>) -> Vec<u8> {
    let id = StickerId(7);
    let title = Operation::SetTitle { title: "Plan".to_owned(), yielding: false };
    let mut bytes = encode(vec![Operation::Raise { id, z: None }, title.clone()]);
    let other = encode(vec![Operation::Lower { id, z: None }, title]);
    let differs = |at: &usize| bytes[*at] != other[*at];
    let places: Vec<usize> = (0..bytes.len()).filter(differs).collect();
    let [at] = places[..] else { panic!("they differ in their kind alone: {places:?}") };
    bytes[at] = kind;
    bytes
}

fn commit(operations: Vec<Operation>) -> Commit {
    Commit {
        revision: Revision(3),
        author: Author(1),
        client_seq: ClientSeq(2),
        status: CollisionStatus::Clean,
        user: String::new(),
        accepted_at_ms: 5,
        operations,
    }
}

#[test]
fn frame_8_a_client_skips_operations_of_later_kinds() {
    let encode = |operations| {
        let mut bytes = Vec::new();
        encode_server(&ServerFrame::Commit(commit(operations)), &mut bytes);
        bytes
    };
    let bytes = with_kind(200, encode);
    let title = Operation::SetTitle { title: "Plan".to_owned(), yielding: false };
    let rest = ServerFrame::Commit(commit(vec![title]));
    assert_eq!(decode_server(&bytes), Ok(Decoded::Frame(bytes.len(), Some(rest))));
    let unknown = |value| DecodeError::UnknownKind { what: "operation", value };
    assert_eq!(decode_commit(&bytes), Err(unknown(200)));
    assert_eq!(decode_server(&with_kind(0, encode)), Err(unknown(0)));
}

#[test]
fn frame_8_a_server_refuses_later_kinds() {
    let bytes = with_kind(200, |operations| {
        let (client_seq, base) = (ClientSeq(1), Revision(0));
        let submit = Submit { client_seq, base, made_at: base, operations };
        let mut bytes = Vec::new();
        encode_client(&ClientFrame::Submit(submit), &mut bytes);
        bytes
    });
    let unknown = DecodeError::UnknownKind { what: "operation", value: 200 };
    assert_eq!(decode_client(&bytes), Err(unknown));
}
