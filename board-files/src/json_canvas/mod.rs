//! JSON Canvas 1.0 (<https://jsoncanvas.org>), as Obsidian and others use it.

mod read;
mod write;

pub(crate) use read::read;
pub(crate) use write::write;
