//! What a person can do, and why it cannot be done.

use std::collections::BTreeSet;

use desk_protocol::frame::CloseCode;
use desk_protocol::limits::DeskLimits;
use desk_protocol::resolver::{Invalid, check, overlay};
use desk_protocol::text::{DeltaError, diff};
use desk_protocol::{
    Author, Batch, Color, Create, Delta, Desk, Operation, Point, Size, StickerId, StickerKind,
    Time, Write,
};

use crate::batch::{fits, rebuilt};
use crate::random::Random;
use crate::trouble::Trouble;
use crate::writing::LastTyped;

/// A sticker to be made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewSticker {
    /// Top left corner.
    pub position: Point,
    /// Its sides.
    pub size: Size,
    /// Its colour.
    pub color: Color,
    /// Its text.
    pub text: String,
    /// What it is.
    pub kind: StickerKind,
}

/// One change that a person makes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Edit {
    /// Makes a sticker.
    Create {
        /// Its id; `None`: drawn from the seed.
        id: Option<StickerId>,
        /// Its content.
        note: NewSticker,
    },
    /// Moves a sticker.
    Move {
        /// Which.
        id: StickerId,
        /// Its new top left corner.
        to: Point,
    },
    /// Resizes a sticker.
    Resize {
        /// Which.
        id: StickerId,
        /// Its new sides.
        to: Size,
    },
    /// Recolours a sticker.
    Recolor {
        /// Which.
        id: StickerId,
        /// Its new colour.
        to: Color,
    },
    /// Puts a sticker above all others.
    Raise {
        /// Which.
        id: StickerId,
    },
    /// Puts a sticker below all others.
    Lower {
        /// Which.
        id: StickerId,
    },
    /// Changes a text.
    EditText {
        /// Whose.
        id: StickerId,
        /// Against the text shown.
        delta: Delta,
    },
    /// Changes a text to what a field now holds; the difference is found here.
    ReplaceText {
        /// Whose.
        id: StickerId,
        /// All of it.
        text: String,
    },
    /// Hides a sticker.
    Delete {
        /// Which.
        id: StickerId,
    },
    /// Brings a deleted sticker back.
    Restore {
        /// Which.
        id: StickerId,
    },
    /// Sets this client's counter of a sticker. No step of undo.
    Vote {
        /// Which.
        id: StickerId,
        /// What it shows; 0: there is none.
        count: u32,
    },
    /// Overwrites a register of the desk. No step of undo.
    SetRegister {
        /// Which.
        key: u8,
        /// What it holds; empty: there is none.
        value: Vec<u8>,
    },
    /// Locks a sticker, or unlocks it. Hands keep off a locked one; edits are taken
    /// all the same, so whoever lets a person act asks first.
    SetLocked {
        /// Which.
        id: StickerId,
        /// Locked from now on, or not.
        locked: bool,
    },
    /// Renames the desk.
    SetTitle {
        /// The new title.
        title: String,
    },
}

/// Why an action was not done. Nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EditError {
    /// There is no desk yet to change.
    #[error("the desk has not been loaded yet")]
    NotReady,
    /// The key only lets its holder look.
    #[error("this link lets you look at the desk, not change it")]
    ReadOnly,
    /// The connection ended for good, so nothing can be saved any more.
    #[error("the desk cannot be changed any more: {}", Trouble::Server(*.0).words().head)]
    Ended(CloseCode),
    /// There is no such sticker in the view.
    #[error("there is no sticker {0}")]
    NoSticker(StickerId),
    /// The id is taken.
    #[error("there is a sticker {0} already")]
    Exists(StickerId),
    /// A value is out of its range.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A delta does not fit the text shown.
    #[error(transparent)]
    Delta(#[from] DeltaError),
    /// The text would be too long.
    #[error("the text would have {found} characters, at most {limit} are allowed")]
    TextTooLong {
        /// Its characters.
        found: u64,
        /// The limit.
        limit: usize,
    },
    /// The desk has as many stickers as it may have.
    #[error("a desk has at most {limit} stickers")]
    TooManyStickers {
        /// The limit.
        limit: usize,
    },
    /// The desk is as large as it may be.
    #[error("a desk has at most {limit} bytes of stickers")]
    DeskTooLarge {
        /// The limit.
        limit: usize,
    },
    /// The action does not fit one batch.
    #[error("this changes too much at once, do it in parts")]
    TooLarge,
    /// Nothing was asked for.
    #[error("the action has no edits")]
    Empty,
}

/// The batch of one action against the view. It is empty if the edits would
/// change nothing. `last` is what the person typed last, before and afterwards.
pub(crate) fn batch(
    view: &Desk,
    edits: Vec<Edit>,
    limits: &DeskLimits,
    random: &mut Random,
    last: &mut LastTyped,
    author: Author,
    now: Time,
) -> Result<(Batch, Vec<StickerId>), EditError> {
    if edits.is_empty() {
        return Err(EditError::Empty);
    }
    // Later edits of the action see what earlier ones did.
    let mut scratch = Desk::default();
    let ids: BTreeSet<StickerId> = edits.iter().filter_map(Edit::sticker).collect();
    scratch.mirror(view, ids);
    let (stickers, bytes) = (scratch.live_stickers(), scratch.live_bytes());
    let mut whole = Batch::default();
    let mut created = Vec::new();
    for edit in edits {
        let Some(mut operation) = edit.against(view, &scratch, limits, random)? else { continue };
        if let Operation::EditText { id, delta } = &mut operation {
            *delta = last.typed(*id, delta);
        }
        check(&operation, limits)?;
        if let Operation::Create(create) = &operation {
            created.push(create.id);
        }
        overlay(&mut scratch, &rebuilt([operation.clone()]), author, now.unix_millis());
        whole.push(operation).map_err(|_| EditError::TooLarge)?;
    }
    let more = scratch.live_stickers().saturating_sub(stickers);
    if more > 0 && view.live_stickers() + more > limits.stickers {
        return Err(EditError::TooManyStickers { limit: limits.stickers });
    }
    let grown = scratch.live_bytes().saturating_sub(bytes);
    if grown > 0 && view.live_bytes() + grown > limits.desk_bytes {
        return Err(EditError::DeskTooLarge { limit: limits.desk_bytes });
    }
    if !fits(&whole, limits) {
        return Err(EditError::TooLarge);
    }
    Ok((whole, created))
}

impl Edit {
    /// The sticker that the edit changes; `None` for a new one, for the title and for a
    /// register of the desk.
    pub const fn sticker(&self) -> Option<StickerId> {
        match self {
            Edit::Create { id, .. } => *id,
            Edit::Move { id, .. }
            | Edit::Resize { id, .. }
            | Edit::Recolor { id, .. }
            | Edit::Raise { id }
            | Edit::Lower { id }
            | Edit::EditText { id, .. }
            | Edit::ReplaceText { id, .. }
            | Edit::Delete { id }
            | Edit::Restore { id }
            | Edit::Vote { id, .. }
            | Edit::SetLocked { id, .. } => Some(*id),
            Edit::SetTitle { .. } | Edit::SetRegister { .. } => None,
        }
    }

    /// The operation; `None` if it would change nothing.
    fn against(
        self,
        view: &Desk,
        scratch: &Desk,
        limits: &DeskLimits,
        random: &mut Random,
    ) -> Result<Option<Operation>, EditError> {
        let known = |id| scratch.sticker(id).ok_or(EditError::NoSticker(id));
        let set = |id, write| Operation::Set { id, write, yielding: false };
        Ok(Some(match self {
            Edit::Create { id, note } => {
                let id = id.unwrap_or_else(|| fresh(view, scratch, random));
                if scratch.sticker(id).is_some() {
                    return Err(EditError::Exists(id));
                }
                let NewSticker { position, size, color, text, kind } = note;
                let create = Create { id, kind, position, size, color, text, ..Create::default() };
                Operation::Create(create)
            }
            Edit::Move { id, to } => known(id).map(|_| set(id, Write::Position(to)))?,
            Edit::Resize { id, to } => known(id).map(|_| set(id, Write::Size(to)))?,
            Edit::Recolor { id, to } => known(id).map(|_| set(id, Write::Color(to)))?,
            Edit::Raise { id } => known(id).map(|_| Operation::Raise { id, z: None })?,
            Edit::Lower { id } => known(id).map(|_| Operation::Lower { id, z: None })?,
            Edit::EditText { id, delta } => {
                return edit_text(&known(id)?.text.value, id, delta, limits);
            }
            Edit::ReplaceText { id, text } => {
                let before = &known(id)?.text.value;
                return edit_text(before, id, diff(before, &text), limits);
            }
            Edit::Delete { id } if known(id)?.deleted.value => return Ok(None),
            Edit::Delete { id } => set(id, Write::Deleted(true)),
            Edit::Restore { id } if !known(id)?.deleted.value => return Ok(None),
            Edit::Restore { id } => set(id, Write::Deleted(false)),
            Edit::Vote { id, count } => known(id).map(|_| Operation::Vote { id, count })?,
            Edit::SetRegister { key, value } => Operation::SetRegister { key, value },
            Edit::SetLocked { id, locked } if known(id)?.locked.value == locked => return Ok(None),
            Edit::SetLocked { id, locked } => set(id, Write::Locked(locked)),
            Edit::SetTitle { title } => Operation::SetTitle { title, yielding: false },
        }))
    }
}

fn edit_text(
    before: &str,
    id: StickerId,
    delta: Delta,
    limits: &DeskLimits,
) -> Result<Option<Operation>, EditError> {
    let (needed, found) = (delta.base_chars(), before.chars().count() as u64);
    if needed > found {
        return Err(DeltaError::PastEnd { needed, found }.into());
    }
    let chars = found + delta.inserted_chars() - delta.deleted_chars();
    let limit = limits.text_chars;
    if chars > limit as u64 && chars > found {
        return Err(EditError::TextTooLong { found: chars, limit });
    }
    Ok((!delta.is_empty()).then_some(Operation::EditText { id, delta }))
}

fn fresh(view: &Desk, scratch: &Desk, random: &mut Random) -> StickerId {
    loop {
        let id = StickerId(random.next());
        if view.sticker(id).is_none() && scratch.sticker(id).is_none() {
            return id;
        }
    }
}
