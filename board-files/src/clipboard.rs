//! A clipboard's flavours: which of them has the content.

use crate::error::ReadError;
use crate::kind::Kind;
use crate::report::Report;
use crate::{Imported, Options, cells, draft, read_text, recognition};

/// The flavour in which the page copies notes: a desk's JSON, which no other program
/// takes for its own.
pub const OWN_FLAVOUR: &str = "application/x-sticker-desk";

/// Reads what was copied, out of its flavours `(media type, text)`.
///
/// tldraw's content is in its HTML, Excalidraw's in its plain text, and a
/// spreadsheet's plain text has lost the line breaks of its cells.
///
/// # Errors
/// [`ReadError`] says what is wrong and where.
pub fn read_clipboard(flavours: &[(&str, &str)], options: &Options) -> Result<Imported, ReadError> {
    let flavour = |media: &str| flavours.iter().find(|(name, _)| *name == media);
    if let Some((_, own)) = flavours.iter().find(|(name, _)| *name == OWN_FLAVOUR)
        && let Ok(imported) = read_text(own, Report::new(Kind::Desk), options)
    {
        return Ok(imported);
    }
    let html = flavour("text/html").map_or("", |(_, text)| text);
    let plain = flavour("text/plain").map_or("", |(_, text)| text);
    let of_html = recognition::of_text(html, None).ok();
    if of_html == Some(Kind::Tldraw) {
        return read_text(html, Report::new(Kind::Tldraw), options);
    }
    let of_plain = recognition::of_text(plain, options.hint);
    let is_text = matches!(of_plain, Ok(Kind::Lines | Kind::Markdown | Kind::Table));
    if is_text && of_html == Some(Kind::Cells) {
        return read_text(html, Report::new(Kind::Cells), options);
    }
    if is_text && plain.contains('\t') {
        let mut draught = draft::Draught::new(Report::new(Kind::Cells));
        cells::read_plain(plain, &mut draught)?;
        return draught.finish(options);
    }
    read_text(plain, Report::new(of_plain?), options)
}
