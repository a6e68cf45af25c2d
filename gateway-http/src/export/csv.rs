//! A table (RFC 4180): a header line, a line a sticker.

use super::{ExportedDesk, created_at};

/// The columns; import knows them by name.
const COLUMNS: &str = "id,x,y,width,height,color,z,text,author,created_at,deleted";

pub(super) fn write(desk: &ExportedDesk<'_>, deleted: bool) -> String {
    let mut table = format!("{COLUMNS}\r\n");
    for sticker in desk.stickers(deleted) {
        let (position, size) = (sticker.position.value, sticker.size.value);
        let cells = [
            sticker.id.to_string(),
            position.x.to_string(),
            position.y.to_string(),
            size.width.to_string(),
            size.height.to_string(),
            sticker.color.value.to_string(),
            sticker.z.value.to_string(),
            sticker.text.value.clone(),
            sticker.author.to_string(),
            created_at(sticker).to_string(),
            sticker.deleted.value.to_string(),
        ];
        for (index, text) in cells.iter().enumerate() {
            if index > 0 {
                table.push(',');
            }
            cell(text, &mut table);
        }
        table.push_str("\r\n");
    }
    table
}

fn cell(text: &str, table: &mut String) {
    let neutral = if needs_neutralising(text) { "'" } else { "" };
    if text.contains(['"', ',', '\r', '\n']) || text.starts_with([' ', '\t']) {
        table.extend(["\"", neutral, &text.replace('"', "\"\""), "\""]);
    } else {
        table.extend([neutral, text]);
    }
}

/// Whether a spreadsheet would run the cell as a formula. Such a cell gets an
/// apostrophe in front. So does one that looks neutralised already, so that
/// import, which takes one apostrophe away, gives every text back unchanged.
fn needs_neutralising(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// Whether the first character of a cell was put there by an export.
pub(crate) fn is_neutralised(text: &str) -> bool {
    text.starts_with('\'') && needs_neutralising(text)
}
