//! Version 3: who locked a sticker is kept beside it. Never change these types; see the
//! module above.

use desk_engine_core::record::Links;
use desk_engine_core::{Alias, DeskRecord, Members, QuietClient, RecentClient, StoredRecord};
use desk_protocol::desk::DeskParts;
use desk_protocol::frame::Outcome;
use desk_protocol::{ClientId, Desk, LinkId, Revision, Stamp, Sticker};
use rkyv::rancor::Error;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Serialize};

use super::SnapshotError;
use super::v1::{
    CounterV1, Id, MemberV1, OutcomeV1, PurgedV1, RegisterV1, ResultV1, StampV1, StickerV1,
    read_member, read_purged, read_register, read_sticker, status_number,
};
use super::version_2::{QuietV2, read_quiet};

pub(super) const VERSION: u32 = 3;

pub(super) const STICKER_BYTES: usize = size_of::<ArchivedStickerV3>();

#[derive(Archive, Serialize)]
#[expect(clippy::large_enum_variant, reason = "a written format; one at a time is in memory")]
enum RecordV3 {
    Desk(DeskV3),
    Alias { desk: Id },
}

#[derive(Archive, Serialize)]
struct DeskV3 {
    key: Id,
    sequence: u64,
    expires_at: u64,
    key_epoch: u32,
    edit: Id,
    owner: Id,
    view: Option<Id>,
    /// Numbers of clients given out so far.
    authors: u32,
    /// By client.
    quiet: Vec<QuietV2>,
    recent: Vec<MemberV1>,
    revision: u64,
    title: String,
    title_stamp: StampV1,
    stickers: Vec<StickerV3>,
    purged: Vec<PurgedV1>,
    purge_floor: u64,
    /// Reserved: registers of the desk (timer, areas).
    registers: Vec<RegisterV1>,
}

/// The sticker of version 1, and the stamp of its lock.
#[derive(Archive, Serialize)]
struct StickerV3 {
    sticker: StickerV1,
    locked: StampV1,
}

pub(super) fn write(record: &StoredRecord, mut bytes: AlignedVec<16>) -> AlignedVec<16> {
    let mirror = match record {
        StoredRecord::Desk(desk) => RecordV3::Desk(mirror_desk(desk)),
        StoredRecord::Alias(alias) => RecordV3::Alias { desk: alias.desk.to_bytes() },
    };
    // Positions inside an archive are relative, so a header may go before it,
    // as long as it keeps the alignment.
    bytes = rkyv::api::high::to_bytes_in::<_, Error>(&mirror, bytes)
        .expect("writing plain data to memory does not fail");
    bytes
}

pub(super) fn read(archive: &[u8]) -> Result<StoredRecord, SnapshotError> {
    let record =
        rkyv::access::<ArchivedRecordV3, Error>(archive).map_err(SnapshotError::Archive)?;
    Ok(match record {
        ArchivedRecordV3::Alias { desk } => {
            StoredRecord::Alias(Alias { desk: LinkId::from_bytes(*desk) })
        }
        ArchivedRecordV3::Desk(desk) => StoredRecord::Desk(read_desk(desk)?),
    })
}

fn mirror_desk(record: &DeskRecord) -> DeskV3 {
    let (desk, members) = (&record.desk, &record.members);
    DeskV3 {
        key: record.key.to_bytes(),
        sequence: record.sequence,
        expires_at: record.expires_at,
        key_epoch: record.key_epoch,
        edit: record.links.edit.to_bytes(),
        owner: record.links.owner.to_bytes(),
        view: record.links.view.map(LinkId::to_bytes),
        authors: members.authors(),
        quiet: members.quiet().iter().map(mirror_quiet).collect(),
        recent: members.recent().iter().map(mirror_recent).collect(),
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

fn mirror_quiet(quiet: &QuietClient) -> QuietV2 {
    let (seq, at, outcome) = quiet.fields();
    let (client, author) = (quiet.client().to_bytes(), quiet.author().0);
    QuietV2 { client, seq, at, author, outcome }
}

fn mirror_recent((client, member): (&ClientId, &RecentClient)) -> MemberV1 {
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

fn mirror_sticker(sticker: &Sticker) -> StickerV3 {
    let sticker_v1 = StickerV1 {
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
        kind: sticker.kind.0,
        locked: sticker.locked.value,
        counters: sticker
            .counters
            .iter()
            .map(|(author, count)| CounterV1 {
                client: ClientId(author.0.into()).to_bytes(),
                count: *count,
            })
            .collect(),
    };
    StickerV3 { sticker: sticker_v1, locked: sticker.locked.stamp.into() }
}

impl From<Stamp> for StampV1 {
    fn from(stamp: Stamp) -> Self {
        Self { revision: stamp.revision.0, author: stamp.author.0, other: stamp.other.0 }
    }
}

fn read_desk(desk: &ArchivedDeskV3) -> Result<DeskRecord, SnapshotError> {
    let recent = desk.recent.iter().map(read_member).collect::<Result<_, _>>()?;
    let quiet = desk.quiet.iter().map(read_quiet).collect();
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
        members: Members::from_parts(quiet, recent, desk.authors.to_native())?,
        desk: Desk::from_parts(DeskParts {
            revision: Revision(desk.revision.to_native()),
            title: desk.title_stamp.of(desk.title.as_str().to_owned()),
            stickers: desk.stickers.iter().map(read_with_lock).collect(),
            purged: desk.purged.iter().map(read_purged).collect(),
            purge_floor: Revision(desk.purge_floor.to_native()),
            registers: desk.registers.iter().map(read_register).collect(),
        })?,
    })
}

fn read_with_lock(found: &ArchivedStickerV3) -> Sticker {
    let sticker = read_sticker(&found.sticker);
    let locked = found.locked.of(sticker.locked.value);
    Sticker { locked, ..sticker }
}
