//! The whole content of a desk as one flatbuffer.
//!
//! The registers of a sticker that was not touched since its creation share one
//! stamp, which stands once.

use flatbuffers::{FlatBufferBuilder, WIPOffset};

use super::DecodeError;
use super::operation::{point, point_from, size, size_from};
use crate::desk::{Desk, DeskParts};
use crate::generated::wire;
use crate::id::{Author, Revision, StickerId};
use crate::limits::DESK_REGISTER_BYTES_MAX;
use crate::stamp::Stamp;
use crate::sticker::{Color, Point, Size, Stamped, Sticker, StickerKind};

pub(super) fn encode(desk: &Desk) -> Vec<u8> {
    let bytes = desk.live_bytes() + desk.deleted_bytes();
    let mut builder = FlatBufferBuilder::with_capacity(1_024 + 2 * bytes);
    let stickers: Vec<_> = desk.stickers().map(|one| encode_sticker(&mut builder, one)).collect();
    let stickers = builder.create_vector(&stickers);
    let purged: Vec<_> =
        desk.purged().map(|(id, revision)| wire::PurgedSticker::new(id.0, revision.0)).collect();
    let purged = builder.create_vector(&purged);
    let registers: Vec<_> = desk
        .registers()
        .iter()
        .map(|(key, value)| {
            let value = Some(builder.create_vector(value));
            wire::DeskRegister::create(&mut builder, &wire::DeskRegisterArgs { key: *key, value })
        })
        .collect();
    let registers = builder.create_vector(&registers);
    let title = Some(builder.create_string(&desk.title().value));
    let args = wire::SnapshotArgs {
        revision: desk.revision().0,
        title,
        title_stamp: Some(&stamp(desk.title().stamp)),
        stickers: Some(stickers),
        purged: Some(purged),
        purge_floor: desk.purge_floor().0,
        registers: Some(registers),
    };
    let snapshot = wire::Snapshot::create(&mut builder, &args);
    let args =
        wire::FrameArgs { body_type: wire::Body::Snapshot, body: Some(snapshot.as_union_value()) };
    let frame = wire::Frame::create(&mut builder, &args);
    wire::finish_frame_buffer(&mut builder, frame);
    builder.finished_data().to_vec()
}

pub(super) fn decode(frame: wire::Frame<'_>) -> Result<DeskParts, DecodeError> {
    let missing = DecodeError::Missing { what: "snapshot", field: "body" };
    let snapshot = frame.body_as_snapshot().ok_or(missing)?;
    let mut parts = DeskParts {
        revision: Revision(snapshot.revision()),
        title: Stamped::new(
            snapshot.title().unwrap_or_default().to_owned(),
            snapshot.title_stamp().map(stamp_from).unwrap_or_default(),
        ),
        purge_floor: Revision(snapshot.purge_floor()),
        ..DeskParts::default()
    };
    if let Some(stickers) = snapshot.stickers() {
        parts.stickers.reserve_exact(stickers.len());
        for sticker in stickers {
            parts.stickers.push(decode_sticker(sticker)?);
        }
    }
    let purged = snapshot.purged().into_iter().flatten();
    parts.purged.extend(purged.map(|one| (StickerId(one.id()), Revision(one.revision()))));
    for register in snapshot.registers().into_iter().flatten() {
        let (key, value) = (register.key(), register.value().map_or(&[][..], |v| v.bytes()));
        if value.len() > DESK_REGISTER_BYTES_MAX {
            let (found, limit) = (value.len(), DESK_REGISTER_BYTES_MAX);
            return Err(DecodeError::Register { key, found, limit });
        }
        if !value.is_empty() {
            parts.registers.insert(key, value.to_owned());
        }
    }
    Ok(parts)
}

fn encode_sticker<'b>(
    builder: &mut FlatBufferBuilder<'b>,
    sticker: &Sticker,
) -> WIPOffset<wire::Sticker<'b>> {
    let text = (!sticker.text.value.is_empty()).then(|| builder.create_string(&sticker.text.value));
    let counters = (!sticker.counters.is_empty()).then(|| {
        let counters: Vec<_> = sticker.counters.iter().map(counter).collect();
        builder.create_vector(&counters)
    });
    // The size of a sticker is what is changed least.
    let shared = sticker.size.stamp;
    let own = |found: Stamp| (found != shared).then(|| stamp(found));
    let position_stamp = own(sticker.position.stamp);
    let color_stamp = own(sticker.color.stamp);
    let z_stamp = own(sticker.z.stamp);
    let deleted_stamp = own(sticker.deleted.stamp);
    let text_stamp = own(sticker.text.stamp);
    let locked_stamp = own(sticker.locked.stamp);
    let args = wire::StickerArgs {
        id: sticker.id.0,
        author: sticker.author.0,
        created_at_ms: sticker.created_at_ms,
        position: Some(&point(sticker.position.value)),
        size: Some(&size(sticker.size.value)),
        color: sticker.color.value.0,
        z: sticker.z.value,
        deleted: sticker.deleted.value,
        text,
        stamp: Some(&stamp(shared)),
        position_stamp: position_stamp.as_ref(),
        size_stamp: None,
        color_stamp: color_stamp.as_ref(),
        z_stamp: z_stamp.as_ref(),
        deleted_stamp: deleted_stamp.as_ref(),
        text_stamp: text_stamp.as_ref(),
        kind: sticker.kind.0,
        locked: sticker.locked.value,
        counters,
        locked_stamp: locked_stamp.as_ref(),
    };
    wire::Sticker::create(builder, &args)
}

fn decode_sticker(found: wire::Sticker<'_>) -> Result<Sticker, DecodeError> {
    let missing = |field| DecodeError::Missing { what: "sticker", field };
    let position: Point = found.position().map(point_from).ok_or(missing("position"))?;
    let size: Size = found.size().map(size_from).ok_or(missing("size"))?;
    let shared = found.stamp().map(stamp_from).ok_or(missing("stamp"))?;
    let own = |stamp: Option<&wire::Stamp>| stamp.map_or(shared, stamp_from);
    Ok(Sticker {
        id: StickerId(found.id()),
        position: Stamped::new(position, own(found.position_stamp())),
        size: Stamped::new(size, own(found.size_stamp())),
        color: Stamped::new(Color(found.color()), own(found.color_stamp())),
        z: Stamped::new(found.z(), own(found.z_stamp())),
        deleted: Stamped::new(found.deleted(), own(found.deleted_stamp())),
        text: Stamped::new(found.text().unwrap_or_default().to_owned(), own(found.text_stamp())),
        author: Author(found.author()),
        created_at_ms: found.created_at_ms(),
        kind: StickerKind(found.kind()),
        locked: Stamped::new(found.locked(), own(found.locked_stamp())),
        counters: found.counters().into_iter().flatten().filter_map(counter_from).collect(),
    })
}

fn stamp(stamp: Stamp) -> wire::Stamp {
    wire::Stamp::new(stamp.revision.0, stamp.other.0, stamp.author.0)
}

fn stamp_from(stamp: &wire::Stamp) -> Stamp {
    Stamp {
        revision: Revision(stamp.revision()),
        other: Revision(stamp.other()),
        author: Author(stamp.author()),
    }
}

fn counter((author, count): (&Author, &u32)) -> wire::Counter {
    wire::Counter::new(0, author.0.into(), *count)
}

/// `None`: of a number that no author has.
fn counter_from(found: &wire::Counter) -> Option<(Author, u32)> {
    let author = u32::try_from(found.low()).ok().filter(|_| found.high() == 0)?;
    (found.count() != 0).then_some((Author(author), found.count()))
}
