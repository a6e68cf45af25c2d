//! Excalidraw: its file, the same inside a Markdown file, and what it puts on the
//! clipboard as plain text.

mod read;
mod vault;
mod write;

use crate::kind::Kind;
pub(crate) use read::read;
pub(crate) use vault::is_vault_drawing;
pub(crate) use write::write;

const KIND: Kind = Kind::Excalidraw;
