//! Excalidraw: its file, and what it puts on the clipboard as plain text.

mod read;
mod write;

pub(crate) use read::read;
pub(crate) use write::write;
