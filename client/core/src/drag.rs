//! The sticker under the pointer: shown at once, moved durably every so often.

use desk_protocol::{Point, StickerId, Time};

use crate::history::Group;

/// The sticker under the pointer.
#[derive(Clone, Debug)]
pub(crate) struct Dragging {
    pub(crate) sticker: StickerId,
    pub(crate) to: Point,
    /// Where the last durable move put it.
    pub(crate) placed: Point,
    pub(crate) next_move: Time,
    /// All moves of the drag are one step.
    pub(crate) group: Group,
}

impl Dragging {
    pub(crate) fn deadline(&self) -> Option<Time> {
        (self.to != self.placed).then_some(self.next_move)
    }
}
