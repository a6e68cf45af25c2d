//! Nodes in. They stand in the file from the lowest to the topmost. A group holds
//! what lies within it and nothing says so, therefore it can be left out.

use std::collections::BTreeSet;

use desk_protocol::Color;

use crate::draft::{Draft, Draught};
use crate::error::ReadError;
use crate::kind::Kind;
use crate::loose::{Ignored, List, Loose, Maybe, parse, record};
use crate::report::{LeftOut, Remark};
use crate::spot::Spot;

const KIND: Kind = Kind::Canvas;

record! {
    struct File {
        nodes: List<Maybe<Node>> = "nodes",
        edges: List<Ignored> = "edges",
    }
}

record! {
    struct Node {
        id: Loose = "id",
        r#type: Loose = "type",
        x: Loose = "x",
        y: Loose = "y",
        width: Loose = "width",
        height: Loose = "height",
        color: Loose = "color",
        text: Loose = "text",
        url: Loose = "url",
    }
}

/// The preset colours "1" to "6", which an application chooses itself: red,
/// orange, yellow, green, cyan and purple of the desk's palette.
const PRESETS: [u32; 6] = [0xff_b3_c4, 0xff_c5_9e, 0xff_e0_66, 0xae_ea_cb, 0xa9_d8_ff, 0xdc_c6_ff];

pub(crate) fn read(text: &str, draught: &mut Draught) -> Result<(), ReadError> {
    let file: File = parse(KIND, text)?;
    draught.report.leave_out(LeftOut::Edge, file.edges.0.len());
    let mut ids = BTreeSet::new();
    for (index, node) in file.nodes.0.iter().enumerate() {
        let Some(node) = &node.0 else {
            draught.report.leave_out(LeftOut::Other, 1);
            continue;
        };
        let spot = Spot::element(KIND, "nodes", index);
        let (field, text) = match node.r#type.text().unwrap_or_default() {
            "text" => ("text", &node.text),
            "link" => ("url", &node.url),
            other => {
                draught.report.leave_out(
                    match other {
                        "file" => LeftOut::File,
                        "group" => LeftOut::Group,
                        _ => LeftOut::Other,
                    },
                    1,
                );
                continue;
            }
        };
        let Some(text) = text.text() else {
            return Err(spot.unexpected(field, "a string", text.shown()));
        };
        if node.id.text().is_some_and(|id| !ids.insert(id)) {
            draught.report.remark(Remark::SameId, 1);
        }
        let mut draft = Draft::new(spot, text.to_owned());
        draft.corner = Some(spot.pair(["x", "y"], [&node.x, &node.y])?);
        draft.size = Some(spot.pair(["width", "height"], [&node.width, &node.height])?);
        draft.color = color(&node.color, draught);
        draught.push(draft)?;
    }
    Ok(())
}

fn color(color: &Loose, draught: &mut Draught) -> Option<Color> {
    let text = color.text()?;
    let preset = text.parse::<usize>().ok().filter(|_| text.len() == 1);
    match preset.and_then(|number| PRESETS.get(number.wrapping_sub(1))) {
        Some(rgb) => Some(Color(*rgb)),
        None => draught.color(text),
    }
}
