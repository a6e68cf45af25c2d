//! Operations, as submits and commits carry them.

use flatbuffers::{FlatBufferBuilder, ForwardsUOffset, Vector, WIPOffset};

use super::DecodeError;
use crate::generated::wire;
use crate::id::StickerId;
use crate::operation::{Create, Operation, Write};
use crate::sticker::{Color, Point, Size, StickerKind};
use crate::text::{Delta, Part};

pub(super) type WireOperations<'b> = WIPOffset<Vector<'b, ForwardsUOffset<wire::Operation<'b>>>>;

pub(super) fn encode_all<'b>(
    builder: &mut FlatBufferBuilder<'b>,
    operations: &[Operation],
) -> WireOperations<'b> {
    // Most batches are one operation: no list of offsets is allocated for it.
    if let [operation] = operations {
        let operation = encode(builder, operation);
        return builder.create_vector(&[operation]);
    }
    let offsets: Vec<_> = operations.iter().map(|one| encode(builder, one)).collect();
    builder.create_vector(&offsets)
}

/// What becomes of an operation whose kind this version does not know (FRAME-8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum UnknownKinds {
    /// It is void to a replica, which follows its server all the same.
    Skip,
    /// The frame is malformed: whoever orders or keeps operations knows all of them.
    Refuse,
}

/// Reads the operations of a frame of `frame_bytes` bytes.
pub(super) fn decode_all(
    operations: Vector<'_, ForwardsUOffset<wire::Operation<'_>>>,
    frame_bytes: usize,
    unknown: UnknownKinds,
) -> Result<Vec<Operation>, DecodeError> {
    // Several operations may point at one list of parts. Counted for each of them,
    // the parts must still fit the frame.
    let limit = frame_bytes / std::mem::size_of::<wire::Part>();
    let mut found = 0;
    let mut decoded = Vec::with_capacity(operations.len());
    for operation in operations {
        found += operation.parts().map_or(0, |parts| parts.len());
        if found > limit {
            return Err(DecodeError::SharedParts { found, limit });
        }
        if unknown == UnknownKinds::Skip && is_of_a_later_version(operation) {
            continue;
        }
        decoded.push(decode(operation)?);
    }
    Ok(decoded)
}

fn encode<'b>(
    builder: &mut FlatBufferBuilder<'b>,
    operation: &Operation,
) -> WIPOffset<wire::Operation<'b>> {
    let id = operation.sticker().unwrap_or_default().0;
    let plain = wire::OperationArgs { id, yielding: operation.yielding(), ..Default::default() };
    match operation {
        Operation::Create(create) => {
            let text = (!create.text.is_empty()).then(|| builder.create_string(&create.text));
            let (position, size) = (point(create.position), size(create.size));
            let args = wire::OperationArgs {
                kind: wire::OperationKind::Create,
                sticker_kind: create.kind.0,
                position: Some(&position),
                size: Some(&size),
                color: Some(create.color.0),
                z: create.z,
                deleted: create.deleted,
                locked: create.locked,
                text,
                ..plain
            };
            wire::Operation::create(builder, &args)
        }
        Operation::Set { write, .. } => encode_write(builder, *write, plain),
        Operation::Raise { z, .. } => {
            let kind = wire::OperationKind::Raise;
            wire::Operation::create(builder, &wire::OperationArgs { kind, z: *z, ..plain })
        }
        Operation::Lower { z, .. } => {
            let kind = wire::OperationKind::Lower;
            wire::Operation::create(builder, &wire::OperationArgs { kind, z: *z, ..plain })
        }
        Operation::EditText { delta, .. } => {
            let kind = wire::OperationKind::EditText;
            let text = encode_inserted(builder, delta);
            let parts = builder.create_vector_from_iter(delta.parts().iter().map(part));
            let args = wire::OperationArgs { kind, text, parts: Some(parts), ..plain };
            wire::Operation::create(builder, &args)
        }
        Operation::SetTitle { title, .. } => {
            let kind = wire::OperationKind::SetTitle;
            let text = Some(builder.create_string(title));
            wire::Operation::create(builder, &wire::OperationArgs { kind, text, ..plain })
        }
        Operation::Vote { count, .. } => {
            let kind = wire::OperationKind::Vote;
            wire::Operation::create(builder, &wire::OperationArgs { kind, count: *count, ..plain })
        }
        Operation::SetRegister { key, value } => {
            let kind = wire::OperationKind::SetRegister;
            let value = Some(builder.create_vector(value));
            let args = wire::OperationArgs { kind, key: *key, value, ..plain };
            wire::Operation::create(builder, &args)
        }
        Operation::Purge { .. } => {
            let kind = wire::OperationKind::Purge;
            wire::Operation::create(builder, &wire::OperationArgs { kind, ..plain })
        }
    }
}

fn encode_write<'b>(
    builder: &mut FlatBufferBuilder<'b>,
    write: Write,
    plain: wire::OperationArgs<'_>,
) -> WIPOffset<wire::Operation<'b>> {
    use wire::{OperationArgs, OperationKind};
    match write {
        Write::Position(to) => {
            let position = Some(&point(to));
            let args = OperationArgs { kind: OperationKind::Move, position, ..plain };
            wire::Operation::create(builder, &args)
        }
        Write::Size(to) => {
            let size = Some(&size(to));
            let args = OperationArgs { kind: OperationKind::Resize, size, ..plain };
            wire::Operation::create(builder, &args)
        }
        Write::Color(Color(color)) => {
            let args = OperationArgs { kind: OperationKind::Recolor, color: Some(color), ..plain };
            wire::Operation::create(builder, &args)
        }
        Write::Z(z) => {
            let args = OperationArgs { kind: OperationKind::SetZ, z: Some(z), ..plain };
            wire::Operation::create(builder, &args)
        }
        Write::Deleted(deleted) => {
            let kind = if deleted { OperationKind::Delete } else { OperationKind::Restore };
            wire::Operation::create(builder, &OperationArgs { kind, ..plain })
        }
        Write::Locked(locked) => {
            let args = OperationArgs { kind: OperationKind::SetLocked, locked, ..plain };
            wire::Operation::create(builder, &args)
        }
    }
}

/// All that a delta inserts, one after another.
fn encode_inserted<'b>(
    builder: &mut FlatBufferBuilder<'b>,
    delta: &Delta,
) -> Option<WIPOffset<&'b str>> {
    let mut inserted = delta.parts().iter().filter_map(|part| match part {
        Part::Insert { text, .. } => Some(&**text),
        Part::Retain(_) | Part::Delete(_) => None,
    });
    let first = inserted.next()?;
    Some(match inserted.next() {
        None => builder.create_string(first),
        Some(second) => {
            let mut all = String::with_capacity(first.len() + second.len());
            all.extend([first, second].into_iter().chain(inserted));
            builder.create_string(&all)
        }
    })
}

fn part(part: &Part) -> wire::Part {
    match part {
        Part::Retain(count) => wire::Part::new(*count, wire::PartKind::Retain),
        Part::Insert { text, continues } => {
            let count = u32::try_from(text.chars().count()).expect("a frame holds less than 4 GiB");
            let kind = if *continues { wire::PartKind::Continue } else { wire::PartKind::Insert };
            wire::Part::new(count, kind)
        }
        Part::Delete(count) => wire::Part::new(*count, wire::PartKind::Delete),
    }
}

/// 0 stands for a kind that was not given, in every version.
fn is_of_a_later_version(operation: wire::Operation<'_>) -> bool {
    operation.kind().variant_name().is_none()
}

fn decode(operation: wire::Operation<'_>) -> Result<Operation, DecodeError> {
    use wire::OperationKind as Kind;
    let id = StickerId(operation.id());
    let yielding = operation.yielding();
    let set = |write| Operation::Set { id, write, yielding };
    Ok(match operation.kind() {
        Kind::Create => Operation::Create(Create {
            id,
            kind: StickerKind(operation.sticker_kind()),
            position: position_of(operation, "create")?,
            size: size_of(operation, "create")?,
            color: color_of(operation, "create")?,
            text: operation.text().unwrap_or_default().to_owned(),
            deleted: operation.deleted(),
            locked: operation.locked(),
            z: operation.z(),
        }),
        Kind::Move => set(Write::Position(position_of(operation, "move")?)),
        Kind::Resize => set(Write::Size(size_of(operation, "resize")?)),
        Kind::Recolor => set(Write::Color(color_of(operation, "recolor")?)),
        Kind::SetZ => {
            let missing = DecodeError::Missing { what: "set_z", field: "z" };
            set(Write::Z(operation.z().ok_or(missing)?))
        }
        Kind::Raise => Operation::Raise { id, z: operation.z() },
        Kind::Lower => Operation::Lower { id, z: operation.z() },
        Kind::Delete => set(Write::Deleted(true)),
        Kind::Restore => set(Write::Deleted(false)),
        Kind::SetLocked => set(Write::Locked(operation.locked())),
        Kind::EditText => Operation::EditText { id, delta: decode_delta(operation)? },
        Kind::SetTitle => {
            let missing = DecodeError::Missing { what: "set_title", field: "text" };
            Operation::SetTitle { title: operation.text().ok_or(missing)?.to_owned(), yielding }
        }
        Kind::Vote => Operation::Vote { id, count: operation.count() },
        Kind::SetRegister => Operation::SetRegister {
            key: operation.key(),
            value: operation.value().map_or_else(Vec::new, |value| value.bytes().to_owned()),
        },
        Kind::Purge => Operation::Purge { id },
        Kind(value) => return Err(DecodeError::UnknownKind { what: "operation", value }),
    })
}

fn decode_delta(operation: wire::Operation<'_>) -> Result<Delta, DecodeError> {
    let missing = DecodeError::Missing { what: "edit_text", field: "parts" };
    let parts = operation.parts().ok_or(missing)?;
    let sent = operation.text().unwrap_or_default();
    let mut rest = sent;
    let mut delta = Delta::builder(parts.len());
    for part in parts {
        match part.kind() {
            wire::PartKind::Retain => delta.retain(part.count())?,
            wire::PartKind::Delete => delta.delete(part.count())?,
            kind @ (wire::PartKind::Insert | wire::PartKind::Continue) => {
                let Some((text, tail)) = split_chars(rest, part.count()) else {
                    return Err(wrong_insertions(parts, sent));
                };
                rest = tail;
                delta.insert(text, kind == wire::PartKind::Continue);
            }
            wire::PartKind(value) => {
                return Err(DecodeError::UnknownKind { what: "part of a text delta", value });
            }
        }
    }
    if !rest.is_empty() {
        return Err(wrong_insertions(parts, sent));
    }
    Ok(delta.finish())
}

fn wrong_insertions(parts: Vector<'_, wire::Part>, sent: &str) -> DecodeError {
    let inserts = [wire::PartKind::Insert, wire::PartKind::Continue];
    let inserted = parts.into_iter().filter(|part| inserts.contains(&part.kind()));
    DecodeError::Inserted {
        counted: inserted.map(|part| u64::from(part.count())).sum(),
        sent: sent.chars().count() as u64,
    }
}

/// Cuts `text` after its first `count` characters, if it has as many.
fn split_chars(text: &str, count: u32) -> Option<(&str, &str)> {
    let count = count as usize;
    if count > text.len() {
        return None;
    }
    if text.as_bytes()[..count].is_ascii() {
        return Some(text.split_at(count));
    }
    let mut chars = text.chars();
    for _ in 0..count {
        chars.next()?;
    }
    Some(text.split_at(text.len() - chars.as_str().len()))
}

fn position_of(operation: wire::Operation<'_>, what: &'static str) -> Result<Point, DecodeError> {
    let found = operation.position().ok_or(DecodeError::Missing { what, field: "position" })?;
    Ok(point_from(found))
}

fn size_of(operation: wire::Operation<'_>, what: &'static str) -> Result<Size, DecodeError> {
    let found = operation.size().ok_or(DecodeError::Missing { what, field: "size" })?;
    Ok(size_from(found))
}

fn color_of(operation: wire::Operation<'_>, what: &'static str) -> Result<Color, DecodeError> {
    operation.color().map(Color).ok_or(DecodeError::Missing { what, field: "color" })
}

pub(super) fn point(point: Point) -> wire::Point {
    wire::Point::new(point.x, point.y)
}

pub(super) fn point_from(point: &wire::Point) -> Point {
    Point { x: point.x(), y: point.y() }
}

pub(super) fn size(size: Size) -> wire::Size {
    wire::Size::new(size.width, size.height)
}

pub(super) fn size_from(size: &wire::Size) -> Size {
    Size { width: size.width(), height: size.height() }
}
