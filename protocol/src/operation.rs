//! Operations, batches of them, and commits: what changes a desk.

use std::fmt;

use crate::id::{Author, ClientSeq, Revision, StickerId};
use crate::stamp::Stamp;
use crate::sticker::{Color, Point, Size, Sticker, StickerKind};
use crate::text::{Delta, Part};

/// A value written to one register of a sticker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Write {
    /// Moves it.
    Position(Point),
    /// Resizes it.
    Size(Size),
    /// Recolours it.
    Color(Color),
    /// Puts it at a height in the pile that is already a number: only undo and
    /// redo write it so.
    Z(i64),
    /// Deletes (`true`) or restores (`false`) it.
    Deleted(bool),
    /// Locks (`true`) or unlocks (`false`) it.
    Locked(bool),
}

/// Which register of a sticker a write goes to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Register {
    /// [`Write::Position`]
    Position,
    /// [`Write::Size`]
    Size,
    /// [`Write::Color`]
    Color,
    /// [`Write::Z`], also raise and lower
    Z,
    /// [`Write::Deleted`]
    Deleted,
    /// [`Write::Locked`]
    Locked,
}

impl Register {
    /// All registers of a sticker.
    pub const ALL: [Register; 6] = [
        Register::Position,
        Register::Size,
        Register::Color,
        Register::Z,
        Register::Deleted,
        Register::Locked,
    ];
}

impl Write {
    /// The register that it goes to.
    pub const fn register(&self) -> Register {
        match self {
            Write::Position(_) => Register::Position,
            Write::Size(_) => Register::Size,
            Write::Color(_) => Register::Color,
            Write::Z(_) => Register::Z,
            Write::Deleted(_) => Register::Deleted,
            Write::Locked(_) => Register::Locked,
        }
    }
}

impl Sticker {
    /// The stamp of one register.
    pub const fn stamp(&self, register: Register) -> Stamp {
        match register {
            Register::Position => self.position.stamp,
            Register::Size => self.size.stamp,
            Register::Color => self.color.stamp,
            Register::Z => self.z.stamp,
            Register::Deleted => self.deleted.stamp,
            Register::Locked => self.locked.stamp,
        }
    }

    /// The value of one register, as the write that would put it there.
    pub const fn value(&self, register: Register) -> Write {
        match register {
            Register::Position => Write::Position(self.position.value),
            Register::Size => Write::Size(self.size.value),
            Register::Color => Write::Color(self.color.value),
            Register::Z => Write::Z(self.z.value),
            Register::Deleted => Write::Deleted(self.deleted.value),
            Register::Locked => Write::Locked(self.locked.value),
        }
    }
}

/// A new sticker with the full initial values of its registers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Create {
    /// Chosen by the client; an id once used is never accepted again.
    pub id: StickerId,
    /// What it is, for ever.
    pub kind: StickerKind,
    /// Top left corner.
    pub position: Point,
    /// Its sides.
    pub size: Size,
    /// Its colour.
    pub color: Color,
    /// Its text.
    pub text: String,
    /// Born hidden: created and deleted within one batch.
    pub deleted: bool,
    /// Born locked: created and locked within one batch.
    pub locked: bool,
    /// Its height; `None` until the server evaluates it, in list order, to the
    /// top of all stickers plus one.
    pub z: Option<i64>,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Makes a sticker.
    Create(Create),
    /// Overwrites a register.
    Set {
        /// The sticker.
        id: StickerId,
        /// What is written where.
        write: Write,
        /// Whether it yields: it is void if anyone wrote the register after the
        /// batch's base. Undo and redo yield.
        yielding: bool,
    },
    /// Puts a sticker above all others.
    Raise {
        /// The sticker.
        id: StickerId,
        /// Its new height; `None` until the server evaluates it.
        z: Option<i64>,
    },
    /// Puts a sticker below all others.
    Lower {
        /// The sticker.
        id: StickerId,
        /// Its new height; `None` until the server evaluates it.
        z: Option<i64>,
    },
    /// Changes a sticker's text.
    EditText {
        /// The sticker.
        id: StickerId,
        /// The change, against the text at the batch's base.
        delta: Delta,
    },
    /// Renames the desk.
    SetTitle {
        /// The new title.
        title: String,
        /// As in [`Operation::Set`].
        yielding: bool,
    },
    /// Sets its author's counter of a sticker. No step of undo, and void of nothing.
    Vote {
        /// The sticker.
        id: StickerId,
        /// What the counter shows from now on; 0: there is none.
        count: u32,
    },
    /// Overwrites a register of the desk. No step of undo.
    SetRegister {
        /// Which.
        key: u8,
        /// What it holds from now on; empty: there is none.
        value: Vec<u8>,
    },
    /// Drops a deleted sticker for good. Only the server writes it, when the
    /// deleted stickers pass their limit.
    Purge {
        /// The sticker.
        id: StickerId,
    },
}

/// What an operation's table takes in a frame besides its text and parts, at
/// the most, in bytes.
const OPERATION_BYTES: usize = 128;

/// A part of a delta in a frame, in bytes.
const PART_BYTES: usize = 8;

impl Operation {
    /// Roughly the bytes of memory that it takes.
    pub fn memory_bytes(&self) -> usize {
        let text = match self {
            Self::Create(create) => create.text.len(),
            Self::EditText { delta, .. } => delta.cost(),
            Self::SetTitle { title, .. } => title.len(),
            Self::SetRegister { value, .. } => value.len(),
            _ => 0,
        };
        size_of::<Self>() + text
    }

    /// What it takes in a frame, at the most, in bytes.
    pub fn encoded_bytes_max(&self) -> usize {
        let content = match self {
            Operation::Create(create) => create.text.len(),
            Operation::SetTitle { title, .. } => title.len(),
            Operation::SetRegister { value, .. } => value.len(),
            Operation::EditText { delta, .. } => {
                let part = |part: &Part| match part {
                    Part::Insert { text, .. } => PART_BYTES + text.len(),
                    Part::Retain(_) | Part::Delete(_) => PART_BYTES,
                };
                delta.parts().iter().map(part).sum()
            }
            _ => 0,
        };
        OPERATION_BYTES + content
    }

    /// The sticker it is about; `None` for the title and for a register of the desk.
    pub const fn sticker(&self) -> Option<StickerId> {
        match self {
            Operation::Create(create) => Some(create.id),
            Operation::Set { id, .. }
            | Operation::Raise { id, .. }
            | Operation::Lower { id, .. }
            | Operation::EditText { id, .. }
            | Operation::Vote { id, .. }
            | Operation::Purge { id } => Some(*id),
            Operation::SetTitle { .. } | Operation::SetRegister { .. } => None,
        }
    }

    /// The register of a sticker that it writes; `None` for a creation, a text edit,
    /// the title, a vote, a register of the desk and a purge.
    pub const fn register(&self) -> Option<Register> {
        match self {
            Operation::Set { write, .. } => Some(write.register()),
            Operation::Raise { .. } | Operation::Lower { .. } => Some(Register::Z),
            Operation::Create(_)
            | Operation::EditText { .. }
            | Operation::SetTitle { .. }
            | Operation::Vote { .. }
            | Operation::SetRegister { .. }
            | Operation::Purge { .. } => None,
        }
    }

    /// The register of the desk that it writes.
    pub const fn desk_register(&self) -> Option<u8> {
        match self {
            Operation::SetRegister { key, .. } => Some(*key),
            _ => None,
        }
    }

    /// Whether it is a vote or a register of the desk: no step of undo takes it back
    /// (UNDO-24).
    pub const fn is_kept_by_undo(&self) -> bool {
        matches!(self, Operation::Vote { .. } | Operation::SetRegister { .. })
    }

    /// Whether it yields to concurrent writes.
    pub const fn yielding(&self) -> bool {
        matches!(
            self,
            Operation::Set { yielding: true, .. } | Operation::SetTitle { yielding: true, .. }
        )
    }

    /// Its name in JSON and in messages.
    pub const fn name(&self) -> &'static str {
        match self {
            Operation::Create(_) => "create",
            Operation::Set { write, .. } => match write {
                Write::Position(_) => "move",
                Write::Size(_) => "resize",
                Write::Color(_) => "recolor",
                Write::Z(_) => "raise",
                Write::Deleted(true) => "delete",
                Write::Deleted(false) => "restore",
                Write::Locked(true) => "lock",
                Write::Locked(false) => "unlock",
            },
            Operation::Raise { .. } => "raise",
            Operation::Lower { .. } => "lower",
            Operation::EditText { .. } => "edit_text",
            Operation::SetTitle { .. } => "set_title",
            Operation::Vote { .. } => "vote",
            Operation::SetRegister { .. } => "set_register",
            Operation::Purge { .. } => "purge",
        }
    }
}

/// Operations that apply together or not at all, in normal form (see
/// [`crate::resolver::compose`]): each creation with full initial values, at
/// most one write a register, one delta and one vote a sticker, one change of height a
/// sticker besides its creation. Creations and changes of height come first, in
/// their own order. The order of the rest has no meaning but makes it canonical.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    pub(crate) operations: Vec<Operation>,
}

impl Batch {
    /// The operations in normal form.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// How many operations the normal form has.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Its text deltas, each with its place in the normal form and its sticker. A
    /// three-way merge rewrites them for another text.
    pub fn deltas_mut(&mut self) -> impl Iterator<Item = (usize, StickerId, &mut Delta)> {
        self.operations.iter_mut().enumerate().filter_map(|(index, operation)| match operation {
            Operation::EditText { id, delta } => Some((index, *id, delta)),
            _ => None,
        })
    }

    /// Takes the operations out.
    pub fn into_operations(self) -> Vec<Operation> {
        self.operations
    }
}

/// What became of a batch, by the strongest of its operations.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum CollisionStatus {
    /// Nobody else changed those stickers meanwhile.
    #[default]
    Clean,
    /// Others changed them; every change was kept.
    Merged,
    /// A value that another had written meanwhile was overwritten.
    Overrode,
    /// A sticker that another author deleted meanwhile was changed and stays deleted.
    Hidden,
    /// A sticker that is gone for good could not be changed.
    Purged,
}

impl CollisionStatus {
    /// The word for it in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Merged => "merged",
            Self::Overrode => "overrode",
            Self::Hidden => "hidden",
            Self::Purged => "purged",
        }
    }
}

impl fmt::Display for CollisionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A batch in its place in the desk's order. Replicas apply its operations
/// verbatim, the author's own too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    /// The desk's revision after it.
    pub revision: Revision,
    /// Who sent the batch.
    pub author: Author,
    /// Its number in the author's own order; [`ClientSeq::NONE`] of an import.
    pub client_seq: ClientSeq,
    /// How it met the changes of others.
    pub status: CollisionStatus,
    /// The author's own label (`R-User-ID`); empty if none. Never authority.
    pub user: String,
    /// When the server accepted it, in milliseconds since the Unix epoch.
    pub accepted_at_ms: u64,
    /// As ordered and transformed; void operations are left out.
    pub operations: Vec<Operation>,
}
