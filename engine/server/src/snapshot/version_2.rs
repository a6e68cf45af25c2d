//! Version 2, which is read and no longer written: what is kept of a client is small.
//! Never change these types; see the module above.

use desk_engine_core::record::Links;
use desk_engine_core::{Alias, DeskRecord, Members, QuietClient, StoredRecord};
use desk_protocol::desk::DeskParts;
use desk_protocol::{Author, ClientId, Desk, LinkId, Revision};
use rkyv::rancor::Error;
use rkyv::{Archive, Serialize};

use super::SnapshotError;
use super::v1::{
    Id, MemberV1, PurgedV1, RegisterV1, StampV1, StickerV1, read_member, read_purged,
    read_register, read_sticker,
};

pub(super) const VERSION: u32 = 2;

pub(super) const CLIENT_BYTES: usize = size_of::<ArchivedQuietV2>();

const _: () = assert!(CLIENT_BYTES == 40);

#[derive(Archive)]
#[expect(dead_code, reason = "its archived form alone is read")]
#[expect(clippy::large_enum_variant, reason = "a written format; one at a time is in memory")]
enum RecordV2 {
    Desk(DeskV2),
    Alias { desk: Id },
}

#[derive(Archive)]
struct DeskV2 {
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
    stickers: Vec<StickerV1>,
    purged: Vec<PurgedV1>,
    purge_floor: u64,
    /// Registers of the desk.
    registers: Vec<RegisterV1>,
}

/// 40 bytes.
#[derive(Archive, Serialize)]
pub(super) struct QuietV2 {
    pub(super) client: Id,
    pub(super) seq: u64,
    pub(super) at: u64,
    pub(super) author: u32,
    pub(super) outcome: u32,
}

pub(super) fn read(archive: &[u8]) -> Result<StoredRecord, SnapshotError> {
    let record =
        rkyv::access::<ArchivedRecordV2, Error>(archive).map_err(SnapshotError::Archive)?;
    Ok(match record {
        ArchivedRecordV2::Alias { desk } => {
            StoredRecord::Alias(Alias { desk: LinkId::from_bytes(*desk) })
        }
        ArchivedRecordV2::Desk(desk) => StoredRecord::Desk(read_desk(desk)?),
    })
}

fn read_desk(desk: &ArchivedDeskV2) -> Result<DeskRecord, SnapshotError> {
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
            stickers: desk.stickers.iter().map(read_sticker).collect(),
            purged: desk.purged.iter().map(read_purged).collect(),
            purge_floor: Revision(desk.purge_floor.to_native()),
            registers: desk.registers.iter().map(read_register).collect(),
        })?,
    })
}

pub(super) fn read_quiet(quiet: &ArchivedQuietV2) -> QuietClient {
    QuietClient::from_fields(
        ClientId::from_bytes(quiet.client),
        Author(quiet.author.to_native()),
        quiet.seq.to_native(),
        quiet.at.to_native(),
        quiet.outcome.to_native(),
    )
}
