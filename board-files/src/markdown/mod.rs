//! Markdown (CommonMark): a heading, and a list whose items are notes.

mod read;
mod write;

pub(crate) use read::{is_list, read};
pub(crate) use write::write;
