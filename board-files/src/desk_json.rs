//! The JSON of a desk of ours. A field that is not ours is an error, so that no
//! part of a newer backup is dropped without a word.

use desk_protocol::{Color, StickerKind};
use serde_json::{Value, json};

use crate::board::{Board, Note};
use crate::date::Rfc3339;
use crate::draft::{Draft, Draught};
use crate::error::ReadError;
use crate::kind::Kind;
use crate::loose::{Ignored, List, Loose, Must, parse, record};
use crate::spot::Spot;

const KIND: Kind = Kind::Desk;

record! {
    struct File, closed: true, required: ["stickers"]; {
        title: Loose = "title",
        _revision: Ignored = "revision",
        _created_at: Ignored = "created_at",
        _expires_at: Ignored = "expires_at",
        stickers: List<Must<Sticker>> = "stickers",
    }
}

record! {
    struct Sticker, closed: true, required: []; {
        _id: Ignored = "id",
        x: Loose = "x",
        y: Loose = "y",
        width: Loose = "width",
        height: Loose = "height",
        color: Loose = "color",
        z: Loose = "z",
        text: Loose = "text",
        _author: Ignored = "author",
        _created_at: Ignored = "created_at",
        deleted: Loose = "deleted",
        locked: Loose = "locked",
        kind: Loose = "kind",
    }
}

pub(crate) fn read(text: &str, draught: &mut Draught) -> Result<(), ReadError> {
    let file: File = parse(KIND, text)?;
    draught.title = file.title.into_text().unwrap_or_default();
    for (index, Must(sticker)) in file.stickers.0.into_iter().enumerate() {
        let spot = Spot::element(KIND, "stickers", index);
        draught.push(draft(spot, sticker)?)?;
    }
    Ok(())
}

fn draft(spot: Spot, sticker: Sticker) -> Result<Draft, ReadError> {
    let Loose::Text(text) = sticker.text else {
        return Err(spot.unexpected("text", "a string", sticker.text.shown()));
    };
    let mut draft = Draft::new(spot, text);
    if sticker.x.is_there() || sticker.y.is_there() {
        draft.corner = Some(spot.pair(["x", "y"], [&sticker.x, &sticker.y])?);
    }
    let default = f64::from(desk_protocol::Size::default().width);
    draft.size = Some((
        spot.number_or("width", &sticker.width, default)?,
        spot.number_or("height", &sticker.height, default)?,
    ));
    if sticker.color.is_there() {
        let color = sticker.color.text().and_then(|text| text.parse::<Color>().ok());
        let wrong = || spot.unexpected("color", "a colour as #rrggbb", sticker.color.shown());
        draft.color = Some(color.ok_or_else(wrong)?);
    }
    let z = spot.number_or("z", &sticker.z, 0.0)?;
    // What a number of JSON holds exactly.
    if z.fract() != 0.0 || z.abs() > 9_007_199_254_740_992.0 {
        return Err(spot.unexpected("z", "a whole number", sticker.z.shown()));
    }
    draft.z = z as i64;
    draft.deleted = truth(spot, "deleted", &sticker.deleted)?;
    draft.locked = truth(spot, "locked", &sticker.locked)?;
    let kind = spot.number_or("kind", &sticker.kind, 0.0)?;
    if kind.fract() != 0.0 || !(0.0..=255.0).contains(&kind) {
        let expected = "a whole number from 0 to 255";
        return Err(spot.unexpected("kind", expected, sticker.kind.shown()));
    }
    draft.kind = StickerKind(kind as u8);
    Ok(draft)
}

fn truth(spot: Spot, field: &'static str, found: &Loose) -> Result<bool, ReadError> {
    match found {
        Loose::Nothing => Ok(false),
        Loose::Bool(truth) => Ok(*truth),
        other => Err(spot.unexpected(field, "true or false", other.shown())),
    }
}

/// A board as our JSON has it.
pub(crate) fn value(board: &Board) -> Value {
    let stickers: Vec<_> = board.notes.iter().map(sticker).collect();
    let mut value = json!({ "title": board.title, "stickers": stickers });
    if let Some(desk) = board.desk {
        value["revision"] = desk.revision.0.into();
        value["created_at"] = Rfc3339(desk.created_at).to_string().into();
        value["expires_at"] = Rfc3339(desk.expires_at).to_string().into();
    }
    value
}

fn sticker(note: &Note) -> Value {
    let mut value = json!({
        "width": note.size.width,
        "height": note.size.height,
        "color": note.color.to_string(),
        "z": note.z,
        "text": note.text,
    });
    if let Some(place) = note.place {
        value["x"] = place.x.into();
        value["y"] = place.y.into();
    }
    if let Some(origin) = note.origin {
        value["id"] = origin.id.to_string().into();
        value["author"] = origin.author.0.into();
        value["created_at"] = Rfc3339(origin.created_at).to_string().into();
    }
    if note.deleted {
        value["deleted"] = Value::Bool(true);
    }
    if note.locked {
        value["locked"] = Value::Bool(true);
    }
    if note.kind != StickerKind::NOTE {
        value["kind"] = note.kind.0.into();
    }
    value
}
