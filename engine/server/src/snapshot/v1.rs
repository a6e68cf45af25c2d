//! Version 1, which is read and no longer written. Never change these types; see
//! the module above. Later versions use those that they have not replaced.

use desk_engine_core::record::Links;
use desk_engine_core::{Alias, DeskRecord, Members, RecentClient, StoredRecord};
use desk_protocol::desk::DeskParts;
use desk_protocol::frame::{BatchResult, Outcome};
use desk_protocol::sticker::Stamped;
use desk_protocol::{
    Author, ClientId, ClientSeq, CollisionStatus, Color, Desk, LinkId, Point, Revision, Size,
    Stamp, Sticker, StickerId, StickerKind,
};
use rkyv::rancor::Error;
use rkyv::{Archive, Serialize};

use super::SnapshotError;

pub(super) const VERSION: u32 = 1;

pub(super) const MEMBER_BYTES: usize = size_of::<ArchivedMemberV1>();

/// Links and clients: big-endian, as they are keys.
pub(super) type Id = [u8; 16];

#[derive(Archive)]
#[expect(dead_code, reason = "its archived form alone is read")]
#[expect(clippy::large_enum_variant, reason = "a written format; one at a time is in memory")]
enum RecordV1 {
    Desk(DeskV1),
    Alias { desk: Id },
}

#[derive(Archive)]
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
pub(super) struct PurgedV1 {
    pub(super) id: u64,
    pub(super) revision: u64,
}

#[derive(Archive, Serialize)]
pub(super) struct RegisterV1 {
    pub(super) key: u8,
    pub(super) value: Vec<u8>,
}

#[derive(Archive, Serialize)]
pub(super) struct MemberV1 {
    pub(super) client: Id,
    pub(super) author: u32,
    pub(super) last: Option<ResultV1>,
}

#[derive(Archive, Serialize)]
pub(super) struct ResultV1 {
    pub(super) client_seq: u64,
    pub(super) outcome: OutcomeV1,
}

#[derive(Archive, Serialize)]
pub(super) enum OutcomeV1 {
    Applied { revision: u64, status: u8, created: Vec<u64> },
    Rejected { operation: u32, detail: String },
}

#[derive(Archive, Serialize)]
pub(super) struct StampV1 {
    pub(super) revision: u64,
    pub(super) author: u32,
    pub(super) other: u64,
}

#[derive(Archive, Serialize)]
pub(super) struct StickerV1 {
    pub(super) id: u64,
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) position: StampV1,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) size: StampV1,
    pub(super) color: u32,
    pub(super) color_stamp: StampV1,
    pub(super) z: i64,
    pub(super) z_stamp: StampV1,
    pub(super) deleted: bool,
    pub(super) deleted_stamp: StampV1,
    pub(super) text: String,
    pub(super) text_stamp: StampV1,
    pub(super) author: u32,
    pub(super) created_at_ms: u64,
    /// What the sticker is.
    pub(super) kind: u8,
    /// Reserved for whether it is locked in place; nothing set it.
    pub(super) locked: bool,
    /// A counter for each author, for votes.
    pub(super) counters: Vec<CounterV1>,
}

#[derive(Archive, Serialize)]
pub(super) struct CounterV1 {
    /// The author's number, as the 16 bytes of a client's.
    pub(super) client: Id,
    pub(super) count: u32,
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

impl ArchivedStampV1 {
    pub(super) fn of<T>(&self, value: T) -> Stamped<T> {
        let stamp = Stamp {
            revision: Revision(self.revision.to_native()),
            author: Author(self.author.to_native()),
            other: Revision(self.other.to_native()),
        };
        Stamped::new(value, stamp)
    }
}

fn read_desk(desk: &ArchivedDeskV1) -> Result<DeskRecord, SnapshotError> {
    let mut members = Members::default();
    for member in desk.members.iter() {
        let (client, RecentClient { author, last }) = read_member(member)?;
        members.join(client, author);
        if let Some(last) = last {
            members.remember(client, last);
        }
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
        desk: Desk::from_parts(DeskParts {
            revision: Revision(desk.revision.to_native()),
            title: desk.title_stamp.of(desk.title.as_str().to_owned()),
            stickers: desk.stickers.iter().map(read_sticker).collect(),
            purged: desk.purged.iter().map(read_purged).collect(),
            purge_floor: Revision(desk.purge_floor.to_native()),
            registers: desk.registers.iter().map(read_register).collect(),
        })?,
    })
}

pub(super) fn read_purged(purged: &ArchivedPurgedV1) -> (StickerId, Revision) {
    (StickerId(purged.id.to_native()), Revision(purged.revision.to_native()))
}

pub(super) fn read_register(register: &ArchivedRegisterV1) -> (u8, Vec<u8>) {
    (register.key, register.value.as_slice().to_vec())
}

pub(super) fn read_member(
    member: &ArchivedMemberV1,
) -> Result<(ClientId, RecentClient), SnapshotError> {
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
    let author = Author(member.author.to_native());
    Ok((ClientId::from_bytes(member.client), RecentClient { author, last: last.transpose()? }))
}

fn read_counter(counter: &ArchivedCounterV1) -> (Author, u32) {
    let ClientId(author) = ClientId::from_bytes(counter.client);
    (Author(author as u32), counter.count.to_native())
}

pub(super) fn read_sticker(sticker: &ArchivedStickerV1) -> Sticker {
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
        kind: StickerKind(sticker.kind),
        // Nobody locked a sticker before version 3. A replica takes this stamp, too.
        locked: sticker.size.of(sticker.locked),
        counters: counters.map(read_counter).collect(),
    }
}

const STATUSES: [CollisionStatus; 5] = [
    CollisionStatus::Clean,
    CollisionStatus::Merged,
    CollisionStatus::Overrode,
    CollisionStatus::Hidden,
    CollisionStatus::Purged,
];

pub(super) fn status_number(status: CollisionStatus) -> u8 {
    let number = STATUSES.iter().position(|known| *known == status);
    number.expect("all statuses are listed") as u8
}

fn status_of(number: u8) -> Result<CollisionStatus, SnapshotError> {
    STATUSES.get(usize::from(number)).copied().ok_or(SnapshotError::Value("collision status"))
}
