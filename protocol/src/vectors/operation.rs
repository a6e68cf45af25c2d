//! Operations and deltas in JSON.

use serde_json::{Map, Value, json};

use crate::id::StickerId;
use crate::operation::{Create, Operation, Write};
use crate::sticker::{Color, Point, Size, StickerKind};
use crate::text::{Delta, Part};

pub(super) fn number<T: TryFrom<i64>>(of: &Value, field: &str) -> Result<T, String> {
    let found = of[field].as_i64().ok_or_else(|| format!("{field} is no whole number in {of}"))?;
    T::try_from(found).map_err(|_| format!("{field} is out of range in {of}"))
}

pub(super) fn string<'a>(of: &'a Value, field: &str) -> Result<&'a str, String> {
    of[field].as_str().ok_or_else(|| format!("{field} is no text in {of}"))
}

pub(super) fn list<'a>(of: &'a Value, field: &str) -> Result<&'a [Value], String> {
    let found = of[field].as_array().ok_or_else(|| format!("{field} is no list in {of}"))?;
    Ok(found)
}

pub(super) fn read_delta(of: &Value, field: &str) -> Result<Delta, String> {
    let parts = list(of, field)?.iter().map(|part| {
        if let Some(text) = part["insert"].as_str() {
            Ok(Part::Insert { text: text.into(), continues: part["continues"] == true })
        } else if part["delete"].is_number() {
            number(part, "delete").map(Part::Delete)
        } else {
            number(part, "retain").map(Part::Retain)
        }
    });
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    Delta::from_parts(parts).map_err(|error| error.to_string())
}

pub(super) fn write_delta(delta: &Delta) -> Value {
    let parts = delta.parts().iter().map(|part| match part {
        Part::Retain(n) => json!({ "retain": n }),
        Part::Insert { text, continues: false } => json!({ "insert": text }),
        Part::Insert { text, continues: true } => json!({ "insert": text, "continues": true }),
        Part::Delete(n) => json!({ "delete": n }),
    });
    parts.collect()
}

pub(super) fn read_all(of: &Value, field: &str) -> Result<Vec<Operation>, String> {
    list(of, field)?.iter().map(read).collect()
}

pub(super) fn write_all(operations: &[Operation]) -> Value {
    operations.iter().map(write).collect()
}

fn read(value: &Value) -> Result<Operation, String> {
    let unreadable = || format!("not an operation: {value}");
    let (kind, of) =
        value.as_object().and_then(|object| object.iter().next()).ok_or_else(unreadable)?;
    if kind == "set_title" {
        let yielding = of["yielding"] == true;
        return Ok(Operation::SetTitle { title: string(of, "title")?.to_owned(), yielding });
    }
    if kind == "set_register" {
        let value = list(of, "value")?
            .iter()
            .map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok()));
        let value = value.collect::<Option<_>>().ok_or_else(unreadable)?;
        return Ok(Operation::SetRegister { key: number(of, "key")?, value });
    }
    let id: StickerId = string(of, "id")?.parse().map_err(|error| format!("{error} in {of}"))?;
    let z = match of["z"].is_null() {
        true => None,
        false => Some(number(of, "z")?),
    };
    let write = match kind.as_str() {
        "create" => {
            return Ok(Operation::Create(Create {
                id,
                kind: sticker_kind(of)?,
                position: point(of)?,
                size: size(of)?,
                color: color(of)?,
                text: string(of, "text")?.to_owned(),
                deleted: of["deleted"] == true,
                locked: of["locked"] == true,
                z,
            }));
        }
        "raise" => return Ok(Operation::Raise { id, z }),
        "lower" => return Ok(Operation::Lower { id, z }),
        "edit_text" => return Ok(Operation::EditText { id, delta: read_delta(of, "delta")? }),
        "vote" => return Ok(Operation::Vote { id, count: number(of, "count")? }),
        "purge" => return Ok(Operation::Purge { id }),
        "move" => Write::Position(point(of)?),
        "resize" => Write::Size(size(of)?),
        "recolor" => Write::Color(color(of)?),
        "set_z" => Write::Z(number(of, "z")?),
        "delete" => Write::Deleted(true),
        "restore" => Write::Deleted(false),
        "lock" => Write::Locked(true),
        "unlock" => Write::Locked(false),
        _ => return Err(unreadable()),
    };
    Ok(Operation::Set { id, write, yielding: of["yielding"] == true })
}

fn sticker_kind(of: &Value) -> Result<StickerKind, String> {
    if of["kind"].is_null() {
        return Ok(StickerKind::NOTE);
    }
    let found: i64 = number(of, "kind")?;
    u8::try_from(found).map(StickerKind).map_err(|_| format!("kind is out of range in {of}"))
}

fn point(of: &Value) -> Result<Point, String> {
    Ok(Point { x: number(of, "x")?, y: number(of, "y")? })
}

fn size(of: &Value) -> Result<Size, String> {
    Ok(Size { width: number(of, "width")?, height: number(of, "height")? })
}

fn color(of: &Value) -> Result<Color, String> {
    string(of, "color")?.parse().map_err(|error| format!("{error} in {of}"))
}

fn write(operation: &Operation) -> Value {
    let mut of = Map::new();
    if let Some(id) = operation.sticker() {
        of.insert("id".into(), json!(id.to_string()));
    }
    if operation.yielding() {
        of.insert("yielding".into(), json!(true));
    }
    let mut put = |field: &str, value: Value| of.insert(field.to_owned(), value);
    let mut kind = operation.name();
    match operation {
        Operation::Create(create) => {
            put("x", json!(create.position.x));
            put("y", json!(create.position.y));
            put("width", json!(create.size.width));
            put("height", json!(create.size.height));
            put("color", json!(create.color.to_string()));
            put("text", json!(create.text));
            put("deleted", json!(create.deleted));
            if create.kind != StickerKind::NOTE {
                put("kind", json!(create.kind.0));
            }
            if create.locked {
                put("locked", json!(true));
            }
            put("z", json!(create.z));
        }
        Operation::Set { write, .. } => match write {
            Write::Position(point) => {
                put("x", json!(point.x));
                put("y", json!(point.y));
            }
            Write::Size(size) => {
                put("width", json!(size.width));
                put("height", json!(size.height));
            }
            Write::Color(color) => {
                put("color", json!(color.to_string()));
            }
            Write::Z(z) => {
                kind = "set_z";
                put("z", json!(z));
            }
            Write::Deleted(_) | Write::Locked(_) => {}
        },
        Operation::Raise { z, .. } | Operation::Lower { z, .. } => {
            put("z", json!(z));
        }
        Operation::EditText { delta, .. } => {
            put("delta", write_delta(delta));
        }
        Operation::SetTitle { title, .. } => {
            put("title", json!(title));
        }
        Operation::Vote { count, .. } => {
            put("count", json!(count));
        }
        Operation::SetRegister { key, value } => {
            put("key", json!(key));
            put("value", json!(value));
        }
        Operation::Purge { .. } => {}
    }
    json!({ kind: of })
}
