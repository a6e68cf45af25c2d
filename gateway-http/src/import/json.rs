//! Our own export, back in.

use super::Note;
use crate::json::{self, JsonError, Node};
use crate::operations::read;

pub(super) fn read(body: &[u8]) -> Result<Vec<Note>, JsonError> {
    let value = json::parse(body)?;
    let root = Node::root(&value);
    let fields = root.object(&["title", "revision", "created_at", "expires_at", "stickers"])?;
    let stickers = fields.required("stickers")?;
    stickers.array()?.map(|node| note(&node)).collect()
}

const FIELDS: [&str; 11] =
    ["id", "x", "y", "width", "height", "color", "z", "text", "author", "created_at", "deleted"];

fn note(node: &Node<'_>) -> Result<Note, JsonError> {
    let fields = node.object(&FIELDS)?;
    let mut note = Note::new(fields.required("text")?.string()?.to_owned());
    if fields.optional("x").is_some() || fields.optional("y").is_some() {
        note.position = Some(read::point(&fields)?);
    }
    note.size = read::size(&fields)?;
    if let Some(color) = fields.optional("color") {
        note.color = read::color(&color)?;
    }
    if let Some(z) = fields.optional("z") {
        note.z = z.integer("")?;
    }
    if let Some(deleted) = fields.optional("deleted") {
        note.deleted = deleted.bool()?;
    }
    Ok(note)
}
