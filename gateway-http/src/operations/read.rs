//! JSON in: the body of `PATCH …/sync`.

use std::collections::BTreeMap;

use desk_protocol::operation::{Create, Operation, Write};
use desk_protocol::text::{Delta, Part};
use desk_protocol::{ClientSeq, Color, Point, Revision, Size, StickerId, StickerKind};

use crate::json::{self, JsonError, Node, Object};

/// A batch as it came; its operations are well formed, but not yet checked
/// against the limits of a desk, which is the resolver's part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubmitRequest {
    /// Its number in its client's order.
    pub client_seq: ClientSeq,
    /// The revision it was made at.
    pub base: Revision,
    /// The operations, in the order sent.
    pub operations: Vec<Operation>,
    /// Texts that the sender edited, for a three-way merge (`base_text`).
    pub base_texts: BTreeMap<StickerId, String>,
}

/// Reads the body of a submit. `new_id` gives the id of each sticker created without
/// one.
///
/// # Errors
/// What is malformed, by its place: `ops[3].move.x: …`.
pub fn read_submit(
    body: &[u8],
    new_id: &mut dyn FnMut() -> StickerId,
) -> Result<SubmitRequest, JsonError> {
    let value = json::parse(body)?;
    let root = Node::root(&value);
    let fields = root.object(&["client_seq", "base_revision", "ops"])?;
    let client_seq = fields.required("client_seq")?.integer::<u64>(" from 1")?;
    let base = fields.required("base_revision")?.integer::<u64>(" from 0")?;
    let mut request = SubmitRequest {
        client_seq: ClientSeq(client_seq),
        base: Revision(base),
        operations: Vec::new(),
        base_texts: BTreeMap::new(),
    };
    for node in fields.required("ops")?.array()? {
        let operation = read_operation(&node, new_id, &mut request.base_texts)?;
        request.operations.push(operation);
    }
    Ok(request)
}

const NAMES: [&str; 14] = [
    "create",
    "move",
    "resize",
    "recolor",
    "raise",
    "lower",
    "edit_text",
    "delete",
    "restore",
    "lock",
    "unlock",
    "set_title",
    "vote",
    "set_register",
];

fn read_operation(
    node: &Node<'_>,
    new_id: &mut dyn FnMut() -> StickerId,
    base_texts: &mut BTreeMap<StickerId, String>,
) -> Result<Operation, JsonError> {
    let fields = node.object(&NAMES)?;
    let mut named = NAMES.iter().filter_map(|name| Some((*name, fields.optional(name)?)));
    let (Some((name, body)), None) = (named.next(), named.next()) else {
        return Err(node.unexpected(format!("one operation of {}", NAMES.join(", "))));
    };
    Ok(match name {
        "create" => Operation::Create(read_create(&body, new_id)?),
        "move" => {
            let fields = body.object(&["id", "x", "y"])?;
            set(&fields, Write::Position(point(&fields)?))?
        }
        "resize" => {
            let fields = body.object(&["id", "width", "height"])?;
            let width = fields.required("width")?.integer(SIDE)?;
            let height = fields.required("height")?.integer(SIDE)?;
            set(&fields, Write::Size(Size { width, height }))?
        }
        "recolor" => {
            let fields = body.object(&["id", "color"])?;
            set(&fields, Write::Color(color(&fields.required("color")?)?))?
        }
        "raise" => Operation::Raise { id: id(&body.object(&["id"])?)?, z: None },
        "lower" => Operation::Lower { id: id(&body.object(&["id"])?)?, z: None },
        "edit_text" => {
            let fields = body.object(&["id", "delta", "base_text"])?;
            let id = id(&fields)?;
            if let Some(text) = fields.optional("base_text") {
                base_texts.insert(id, text.string()?.to_owned());
            }
            Operation::EditText { id, delta: read_delta(&fields.required("delta")?)? }
        }
        "delete" => set(&body.object(&["id"])?, Write::Deleted(true))?,
        "restore" => set(&body.object(&["id"])?, Write::Deleted(false))?,
        "lock" => set(&body.object(&["id"])?, Write::Locked(true))?,
        "unlock" => set(&body.object(&["id"])?, Write::Locked(false))?,
        "set_title" => {
            let fields = body.object(&["title"])?;
            let title = fields.required("title")?.string()?.to_owned();
            Operation::SetTitle { title, yielding: false }
        }
        "vote" => {
            let fields = body.object(&["id", "count"])?;
            let count = fields.required("count")?.integer::<u32>(" from 0 to 4294967295")?;
            Operation::Vote { id: id(&fields)?, count }
        }
        "set_register" => {
            let fields = body.object(&["key", "value"])?;
            let byte = |node: Node<'_>| node.integer::<u8>(" from 0 to 255");
            let value = fields.required("value")?.array()?.map(byte).collect::<Result<_, _>>()?;
            Operation::SetRegister { key: byte(fields.required("key")?)?, value }
        }
        _ => unreachable!("NAMES lists the operations above"),
    })
}

fn set(fields: &Object<'_>, write: Write) -> Result<Operation, JsonError> {
    Ok(Operation::Set { id: id(fields)?, write, yielding: false })
}

const COORDINATE: &str = " from -1000000 to 1000000";
const SIDE: &str = " from 20 to 4000";

fn id(fields: &Object<'_>) -> Result<StickerId, JsonError> {
    sticker_id(&fields.required("id")?)
}

pub(crate) fn sticker_id(node: &Node<'_>) -> Result<StickerId, JsonError> {
    node.parsed("a sticker's id of 13 Crockford base32 characters")
}

/// The id that an author chose. Id 0 stands for one that the desk's shard chooses.
fn own_id(node: &Node<'_>) -> Result<StickerId, JsonError> {
    match sticker_id(node)? {
        StickerId(0) => {
            Err(node.unexpected("an id that is not 0; without an id the server chooses one"))
        }
        id => Ok(id),
    }
}

pub(crate) fn point(fields: &Object<'_>) -> Result<Point, JsonError> {
    let x = fields.required("x")?.integer(COORDINATE)?;
    Ok(Point { x, y: fields.required("y")?.integer(COORDINATE)? })
}

pub(crate) fn size(fields: &Object<'_>) -> Result<Size, JsonError> {
    let mut size = Size::default();
    if let Some(width) = fields.optional("width") {
        size.width = width.integer(SIDE)?;
    }
    if let Some(height) = fields.optional("height") {
        size.height = height.integer(SIDE)?;
    }
    Ok(size)
}

pub(crate) fn color(node: &Node<'_>) -> Result<Color, JsonError> {
    node.parsed("a colour as #rrggbb")
}

fn read_create(
    node: &Node<'_>,
    new_id: &mut dyn FnMut() -> StickerId,
) -> Result<Create, JsonError> {
    let fields = node.object(&["id", "x", "y", "width", "height", "color", "text", "kind"])?;
    let given = fields.optional("id").map(|node| own_id(&node)).transpose()?;
    let text = fields.optional("text").map(|node| node.string()).transpose()?;
    let kind =
        fields.optional("kind").map(|node| node.integer::<u8>(" from 0 to 255")).transpose()?;
    Ok(Create {
        id: given.unwrap_or_else(new_id),
        position: point(&fields)?,
        size: size(&fields)?,
        color: fields.optional("color").map(|node| color(&node)).transpose()?.unwrap_or_default(),
        text: text.unwrap_or_default().to_owned(),
        kind: kind.map_or(StickerKind::NOTE, StickerKind),
        ..Create::default()
    })
}

fn read_delta(node: &Node<'_>) -> Result<Delta, JsonError> {
    let mut parts = Vec::new();
    for item in node.array()? {
        let fields = item.object(&["retain", "insert", "continues", "delete"])?;
        let count = |node: Node<'_>| node.integer::<u32>(" from 0");
        let retain = fields.optional("retain").map(|node| count(node).map(Part::Retain));
        let delete = fields.optional("delete").map(|node| count(node).map(Part::Delete));
        let continues = fields.optional("continues").map(|node| node.bool()).transpose()?;
        let insert = fields.optional("insert").map(|node| {
            let text = node.string()?.into();
            Ok(Part::Insert { text, continues: continues.unwrap_or(false) })
        });
        let inserts = insert.is_some();
        let mut found = [retain, insert, delete].into_iter().flatten();
        match (found.next(), found.next()) {
            (Some(part), None) if inserts || continues.is_none() => parts.push(part?),
            (Some(_), None) => return Err(item.unexpected("continues beside insert only")),
            _ => return Err(item.unexpected("one of retain, insert, delete")),
        }
    }
    Delta::from_parts(parts).map_err(|error| JsonError::Unexpected {
        place: node.place.to_string(),
        expected: "counts that fit a text".to_owned(),
        found: error.to_string(),
    })
}
