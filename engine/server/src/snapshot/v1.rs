//! Version 1. Never change these types; see the module above.

use std::collections::BTreeMap;

use desk_engine_core::record::{Links, Member};
use desk_engine_core::{Alias, DeskRecord, StoredRecord};
use desk_protocol::desk::DeskParts;
use desk_protocol::frame::{BatchResult, Outcome};
use desk_protocol::sticker::Stamped;
use desk_protocol::{
    Author, ClientId, ClientSeq, CollisionStatus, Color, Desk, LinkId, Point, Revision, Size,
    Stamp, Sticker, StickerId,
};
use rkyv::rancor::Error;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Serialize};

use super::SnapshotError;

pub(super) const VERSION: u32 = 1;

/// Links and clients: big-endian, as they are keys.
type Id = [u8; 16];

#[derive(Archive, Serialize)]
#[expect(clippy::large_enum_variant, reason = "a written format; one at a time is in memory")]
enum RecordV1 {
    Desk(DeskV1),
    Alias { desk: Id },
}

#[derive(Archive, Serialize)]
struct DeskV1 {
    key: Id,
    sequence: u64,
    expires_at: u64,
    key_epoch: u32,
    edit: Id,
    owner: Id,
    view: Option<Id>,
    members: Vec<MemberV1>,
    revision: u64,
    title: String,
    title_stamp: StampV1,
    stickers: Vec<StickerV1>,
    purged: Vec<PurgedV1>,
    purge_floor: u64,
    /// Reserved: registers of the desk (timer, areas).
    registers: Vec<RegisterV1>,
}

#[derive(Archive, Serialize)]
struct PurgedV1 {
    id: u64,
    revision: u64,
}

#[derive(Archive, Serialize)]
struct RegisterV1 {
    key: u8,
    value: Vec<u8>,
}

#[derive(Archive, Serialize)]
struct MemberV1 {
    client: Id,
    author: u32,
    last: Option<ResultV1>,
}

#[derive(Archive, Serialize)]
struct ResultV1 {
    client_seq: u64,
    outcome: OutcomeV1,
}

#[derive(Archive, Serialize)]
enum OutcomeV1 {
    Applied { revision: u64, status: u8, created: Vec<u64> },
    Rejected { operation: u32, detail: String },
}

#[derive(Archive, Serialize)]
struct StampV1 {
    revision: u64,
    author: u32,
    other: u64,
}

#[derive(Archive, Serialize)]
struct StickerV1 {
    id: u64,
    x: i32,
    y: i32,
    position: StampV1,
    width: u32,
    height: u32,
    size: StampV1,
    color: u32,
    color_stamp: StampV1,
    z: i64,
    z_stamp: StampV1,
    deleted: bool,
    deleted_stamp: StampV1,
    text: String,
    text_stamp: StampV1,
    author: u32,
    created_at_ms: u64,
    /// Reserved: what the sticker is.
    kind: u8,
    /// Reserved: whether it is locked in place.
    locked: bool,
    /// Reserved: a counter for each client, for votes.
    counters: Vec<CounterV1>,
}

#[derive(Archive, Serialize)]
struct CounterV1 {
    client: Id,
    count: u32,
}

pub(super) fn write(record: &StoredRecord, mut bytes: AlignedVec<16>) -> AlignedVec<16> {
    let mirror = match record {
        StoredRecord::Desk(desk) => RecordV1::Desk(mirror_desk(desk)),
        StoredRecord::Alias(alias) => RecordV1::Alias { desk: alias.desk.to_bytes() },
    };
    // Positions inside an archive are relative, so a header may go before it,
    // as long as it keeps the alignment.
    bytes = rkyv::api::high::to_bytes_in::<_, Error>(&mirror, bytes)
        .expect("writing plain data to memory does not fail");
    bytes
}

pub(super) fn read(archive: &[u8]) -> Result<StoredRecord, SnapshotError> {
    let record =
        rkyv::access::<ArchivedRecordV1, Error>(archive).map_err(SnapshotError::Archive)?;
    Ok(match record {
        ArchivedRecordV1::Alias { desk } => {
            StoredRecord::Alias(Alias { desk: LinkId::from_bytes(*desk) })
        }
        ArchivedRecordV1::Desk(desk) => StoredRecord::Desk(read_desk(desk)?),
    })
}

fn mirror_desk(record: &DeskRecord) -> DeskV1 {
    let desk = &record.desk;
    DeskV1 {
        key: record.key.to_bytes(),
        sequence: record.sequence,
        expires_at: record.expires_at,
        key_epoch: record.key_epoch,
        edit: record.links.edit.to_bytes(),
        owner: record.links.owner.to_bytes(),
        view: record.links.view.map(LinkId::to_bytes),
        members: record.members.iter().map(mirror_member).collect(),
        revision: desk.revision().0,
        title: desk.title().value.clone(),
        title_stamp: desk.title().stamp.into(),
        stickers: desk.stickers().map(mirror_sticker).collect(),
        purged: desk
            .purged()
            .map(|(id, revision)| PurgedV1 { id: id.0, revision: revision.0 })
            .collect(),
        purge_floor: desk.purge_floor().0,
        registers: desk
            .registers()
            .iter()
            .map(|(key, value)| RegisterV1 { key: *key, value: value.clone() })
            .collect(),
    }
}

fn mirror_member((client, member): (&ClientId, &Member)) -> MemberV1 {
    let outcome = |outcome: &Outcome| match outcome {
        Outcome::Applied { revision, status, created } => OutcomeV1::Applied {
            revision: revision.0,
            status: status_number(*status),
            created: created.iter().map(|id| id.0).collect(),
        },
        Outcome::Rejected { operation, detail } => {
            OutcomeV1::Rejected { operation: *operation, detail: detail.clone() }
        }
    };
    MemberV1 {
        client: client.to_bytes(),
        author: member.author.0,
        last: member.last.as_ref().map(|last| ResultV1 {
            client_seq: last.client_seq.0,
            outcome: outcome(&last.outcome),
        }),
    }
}

fn mirror_sticker(sticker: &Sticker) -> StickerV1 {
    StickerV1 {
        id: sticker.id.0,
        x: sticker.position.value.x,
        y: sticker.position.value.y,
        position: sticker.position.stamp.into(),
        width: sticker.size.value.width,
        height: sticker.size.value.height,
        size: sticker.size.stamp.into(),
        color: sticker.color.value.0,
        color_stamp: sticker.color.stamp.into(),
        z: sticker.z.value,
        z_stamp: sticker.z.stamp.into(),
        deleted: sticker.deleted.value,
        deleted_stamp: sticker.deleted.stamp.into(),
        text: sticker.text.value.clone(),
        text_stamp: sticker.text.stamp.into(),
        author: sticker.author.0,
        created_at_ms: sticker.created_at_ms,
        kind: sticker.kind,
        locked: sticker.locked,
        counters: sticker
            .counters
            .iter()
            .map(|(client, count)| CounterV1 { client: client.to_bytes(), count: *count })
            .collect(),
    }
}

impl From<Stamp> for StampV1 {
    fn from(stamp: Stamp) -> Self {
        Self { revision: stamp.revision.0, author: stamp.author.0, other: stamp.other.0 }
    }
}

impl ArchivedStampV1 {
    fn of<T>(&self, value: T) -> Stamped<T> {
        let stamp = Stamp {
            revision: Revision(self.revision.to_native()),
            author: Author(self.author.to_native()),
            other: Revision(self.other.to_native()),
        };
        Stamped::new(value, stamp)
    }
}

fn read_desk(desk: &ArchivedDeskV1) -> Result<DeskRecord, SnapshotError> {
    let purged = desk.purged.iter();
    let registers = desk.registers.iter();
    let parts = DeskParts {
        revision: Revision(desk.revision.to_native()),
        title: desk.title_stamp.of(desk.title.as_str().to_owned()),
        stickers: desk.stickers.iter().map(read_sticker).collect(),
        purged: purged
            .map(|purged| (StickerId(purged.id.to_native()), Revision(purged.revision.to_native())))
            .collect(),
        purge_floor: Revision(desk.purge_floor.to_native()),
        registers: registers
            .map(|register| (register.key, register.value.as_slice().to_vec()))
            .collect(),
    };
    let mut members = BTreeMap::new();
    for member in desk.members.iter() {
        members.insert(ClientId::from_bytes(member.client), read_member(member)?);
    }
    Ok(DeskRecord {
        key: LinkId::from_bytes(desk.key),
        sequence: desk.sequence.to_native(),
        expires_at: desk.expires_at.to_native(),
        key_epoch: desk.key_epoch.to_native(),
        links: Links {
            edit: LinkId::from_bytes(desk.edit),
            owner: LinkId::from_bytes(desk.owner),
            view: desk.view.as_ref().map(|view| LinkId::from_bytes(*view)),
        },
        members,
        desk: Desk::from_parts(parts)?,
    })
}

fn read_member(member: &ArchivedMemberV1) -> Result<Member, SnapshotError> {
    let last = member.last.as_ref().map(|last| {
        let outcome = match &last.outcome {
            ArchivedOutcomeV1::Applied { revision, status, created } => Outcome::Applied {
                revision: Revision(revision.to_native()),
                status: status_of(*status)?,
                created: created.iter().map(|id| StickerId(id.to_native())).collect(),
            },
            ArchivedOutcomeV1::Rejected { operation, detail } => Outcome::Rejected {
                operation: operation.to_native(),
                detail: detail.as_str().to_owned(),
            },
        };
        Ok::<_, SnapshotError>(BatchResult {
            client_seq: ClientSeq(last.client_seq.to_native()),
            outcome,
        })
    });
    Ok(Member { author: Author(member.author.to_native()), last: last.transpose()? })
}

fn read_sticker(sticker: &ArchivedStickerV1) -> Sticker {
    let point = Point { x: sticker.x.to_native(), y: sticker.y.to_native() };
    let size = Size { width: sticker.width.to_native(), height: sticker.height.to_native() };
    let counters = sticker.counters.iter();
    Sticker {
        id: StickerId(sticker.id.to_native()),
        position: sticker.position.of(point),
        size: sticker.size.of(size),
        color: sticker.color_stamp.of(Color(sticker.color.to_native())),
        z: sticker.z_stamp.of(sticker.z.to_native()),
        deleted: sticker.deleted_stamp.of(sticker.deleted),
        text: sticker.text_stamp.of(sticker.text.as_str().to_owned()),
        author: Author(sticker.author.to_native()),
        created_at_ms: sticker.created_at_ms.to_native(),
        kind: sticker.kind,
        locked: sticker.locked,
        counters: counters
            .map(|counter| (ClientId::from_bytes(counter.client), counter.count.to_native()))
            .collect(),
    }
}

const STATUSES: [CollisionStatus; 5] = [
    CollisionStatus::Clean,
    CollisionStatus::Merged,
    CollisionStatus::Overrode,
    CollisionStatus::Hidden,
    CollisionStatus::Purged,
];

fn status_number(status: CollisionStatus) -> u8 {
    let number = STATUSES.iter().position(|known| *known == status);
    number.expect("all statuses are listed") as u8
}

fn status_of(number: u8) -> Result<CollisionStatus, SnapshotError> {
    STATUSES.get(usize::from(number)).copied().ok_or(SnapshotError::Value("collision status"))
}
