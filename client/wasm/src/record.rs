//! What the page is told, as it is written into a report's JSON.

use desk_client_core::{EditError, Status, Trouble, Unsaved, UnsavedReason, Words};
use desk_protocol::frame::Presence;
use desk_protocol::{Author, Sticker};
use serde::Serialize;

/// A sticker as the page shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NoteRecord {
    id: String,
    x: i32,
    y: i32,
    width: u32,
    height: u32,
    color: String,
    z: i64,
    text: String,
    author: u32,
    deleted: bool,
    locked: bool,
    /// What it is: 0 a note, 1 an area.
    kind: u8,
    /// Who wrote its text last.
    writer: u32,
    /// The revision of its deletion or restoring: the order of the bin.
    deletion: u64,
    /// Who deleted or restored it last.
    remover: u32,
    /// When the server accepted its creation, in milliseconds since the Unix epoch.
    created_at: u64,
    /// Its counters: an author and what it shows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    counters: Vec<(u32, u32)>,
}

impl From<&Sticker> for NoteRecord {
    fn from(sticker: &Sticker) -> Self {
        Self {
            id: sticker.id.to_string(),
            x: sticker.position.value.x,
            y: sticker.position.value.y,
            width: sticker.size.value.width,
            height: sticker.size.value.height,
            color: sticker.color.value.to_string(),
            z: sticker.z.value,
            text: sticker.text.value.clone(),
            author: sticker.author.0,
            deleted: sticker.deleted.value,
            locked: sticker.locked.value,
            kind: sticker.kind.0,
            writer: sticker.text.stamp.author.0,
            deletion: sticker.deleted.stamp.revision.0,
            remover: sticker.deleted.stamp.author.0,
            created_at: sticker.created_at_ms,
            counters: sticker.counters.iter().map(|(author, count)| (author.0, *count)).collect(),
        }
    }
}

/// Somebody else on the desk.
#[derive(Serialize)]
pub(crate) struct PersonRecord {
    author: u32,
    name: String,
    color: String,
    cursor: Option<Place>,
    editing: Option<String>,
    /// Where it writes there, in characters.
    caret: Option<u32>,
    drag: Option<DragRecord>,
}

/// A place on the board.
#[derive(Serialize)]
pub(crate) struct Place {
    x: i32,
    y: i32,
}

/// A sticker in somebody's hand.
#[derive(Serialize)]
pub(crate) struct DragRecord {
    id: String,
    x: i32,
    y: i32,
}

impl PersonRecord {
    /// One row of [`desk_client_core::Client::people`].
    pub(crate) fn new(author: Author, presence: &Presence) -> Self {
        Self {
            author: author.0,
            name: presence.name.clone(),
            color: presence.color.to_string(),
            cursor: presence.cursor.map(|point| Place { x: point.x, y: point.y }),
            editing: presence.editing.map(|id| id.to_string()),
            caret: presence.caret,
            drag: presence.drag.as_ref().map(|drag| DragRecord {
                id: drag.sticker.to_string(),
                x: drag.to.x,
                y: drag.to.y,
            }),
        }
    }
}

/// The status line.
#[derive(Serialize)]
pub(crate) struct StatusRecord {
    state: &'static str,
    pending: usize,
    /// Why the line is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<TroubleRecord>,
}

impl From<Status> for StatusRecord {
    fn from(status: Status) -> Self {
        let (state, pending, trouble) = match status {
            Status::Saved => ("saved", 0, None),
            Status::Saving { pending } => ("saving", pending, None),
            Status::Connecting { pending } => ("connecting", pending, None),
            Status::Offline { pending, trouble } => ("offline", pending, Some(trouble)),
            Status::Rejected { pending: 0, .. } => ("saved", 0, None),
            Status::Rejected { pending, .. } => ("saving", pending, None),
            Status::Ended { code, pending } => ("ended", pending, Some(Trouble::Server(code))),
        };
        Self { state, pending, trouble: trouble.map(TroubleRecord::from) }
    }
}

/// A change that could not be saved.
#[derive(Serialize)]
pub(crate) struct UnsavedRecord {
    number: u64,
    kind: &'static str,
    detail: String,
    notes: Vec<NoteRecord>,
}

impl From<&Unsaved> for UnsavedRecord {
    fn from(unsaved: &Unsaved) -> Self {
        let (kind, detail) = match &unsaved.reason {
            UnsavedReason::Rejected { detail, .. } => ("rejected", detail.clone()),
            UnsavedReason::Purged => ("purged", String::new()),
            UnsavedReason::Unknown => ("unknown", String::new()),
        };
        Self {
            number: unsaved.number,
            kind,
            detail,
            notes: unsaved.stickers.iter().map(NoteRecord::from).collect(),
        }
    }
}

/// Why the core made no change, as the message of what is thrown.
#[derive(Serialize)]
pub(crate) struct RefusalRecord {
    /// The word for it.
    refusal: &'static str,
    /// What there would be, where a limit is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<u64>,
    /// That limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    /// For logs.
    detail: String,
}

impl From<&EditError> for RefusalRecord {
    fn from(error: &EditError) -> Self {
        let (refusal, found, limit) = match *error {
            EditError::ReadOnly => ("read_only", None, None),
            EditError::Ended(_) => ("ended", None, None),
            EditError::NoSticker(_) => ("no_note", None, None),
            EditError::TextTooLong { found, limit } => ("text_too_long", Some(found), Some(limit)),
            EditError::TooManyStickers { limit } => ("too_many_notes", None, Some(limit)),
            EditError::DeskTooLarge { limit } => ("desk_too_large", None, Some(limit)),
            EditError::TooLarge => ("too_much_at_once", None, None),
            EditError::NotReady
            | EditError::Exists(_)
            | EditError::Invalid(_)
            | EditError::Delta(_)
            | EditError::Empty => ("fault", None, None),
        };
        Self { refusal, found, limit, detail: error.to_string() }
    }
}

/// Everything that happened since the last report; what did not is left out.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Open a line.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) connect: bool,
    /// Close the line.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) drop_line: bool,
    /// The connection ended until a rejoin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) closed: Option<TroubleRecord>,
    /// `notes` is the whole desk.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) reset: bool,
    /// Stickers that may have changed, deleted ones too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<NoteRecord>,
    /// Stickers that are no more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) gone: Vec<String>,
    /// The desk's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    /// The registers of the desk: a key and its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) registers: Option<Vec<(u8, Vec<u8>)>>,
    /// All others on the desk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) people: Option<Vec<PersonRecord>>,
    /// All changes that could not be saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unsaved: Option<Vec<UnsavedRecord>>,
    /// The text being edited is not what its field shows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) field_behind: bool,
    /// Whether there is a desk to show.
    pub(crate) ready: bool,
    /// The status line.
    pub(crate) status: Option<StatusRecord>,
    /// Where the connection stands.
    pub(crate) line: &'static str,
    /// What this client may do.
    pub(crate) role: Option<&'static str>,
    /// When the desk is gone, in seconds since the Unix epoch.
    pub(crate) expires_at: Option<u64>,
    /// Whether there is something to undo.
    pub(crate) can_undo: bool,
    /// Whether there is something to redo.
    pub(crate) can_redo: bool,
    /// When to call `handleTimeout`, in milliseconds of the page's clock.
    pub(crate) wake: Option<f64>,
    /// What the server's clock shows, in milliseconds since the Unix epoch, if it has
    /// told it.
    pub(crate) server_now: Option<f64>,
}

/// Why the line is not there, or will not come back by itself.
#[derive(Serialize)]
pub(crate) struct TroubleRecord {
    /// The word for it.
    code: &'static str,
    /// What happened, in few words.
    head: &'static str,
    /// What it means and what to do, in whole sentences.
    body: &'static str,
    /// What joining again is called, where that is the person's to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejoin: Option<&'static str>,
}

impl From<Trouble> for TroubleRecord {
    fn from(trouble: Trouble) -> Self {
        let Words { head, body, rejoin } = trouble.words();
        Self { code: trouble.as_str(), head, body, rejoin }
    }
}
