//! The sticker under the pointer: shown at once, changed durably every so often.

use desk_protocol::frame::Drag;
use desk_protocol::{Point, Size, StickerId, Time};

use crate::edit::Edit;
use crate::history::Group;

/// What the pointer does to a sticker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Held {
    /// Holds it here.
    At(Point),
    /// Pulls it to this size.
    As(Size),
}

/// The sticker under the pointer.
#[derive(Clone, Debug)]
pub(crate) struct Dragging {
    pub(crate) sticker: StickerId,
    pub(crate) to: Held,
    /// What the last durable change made of it.
    pub(crate) placed: Held,
    pub(crate) next_move: Time,
    /// All changes of the drag are one step.
    pub(crate) group: Group,
}

impl Dragging {
    pub(crate) fn deadline(&self) -> Option<Time> {
        (self.to != self.placed).then_some(self.next_move)
    }

    /// The durable change that is due.
    pub(crate) const fn edit(&self) -> Edit {
        let id = self.sticker;
        match self.to {
            Held::At(to) => Edit::Move { id, to },
            Held::As(to) => Edit::Resize { id, to },
        }
    }

    /// What others see at once: presence tells places, and durable changes tell sizes.
    pub(crate) const fn shown(&self) -> Option<Drag> {
        match self.to {
            Held::At(to) => Some(Drag { sticker: self.sticker, to }),
            Held::As(_) => None,
        }
    }
}
