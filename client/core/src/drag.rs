//! Dragging: presence at once, a durable move every so often and at the drop.

use desk_protocol::frame::{Drag, Presence};
use desk_protocol::{Point, StickerId, Time};

use crate::client::Client;
use crate::edit::{Edit, EditError};
use crate::event::Action;
use crate::history::Group;
use crate::limits::DRAG_MOVE_EVERY;

/// The sticker under the pointer.
#[derive(Clone, Debug)]
pub(crate) struct Dragging {
    sticker: StickerId,
    to: Point,
    /// Where the last durable move put it.
    placed: Point,
    next_move: Time,
    /// All moves of the drag are one step.
    group: Group,
}

impl Dragging {
    pub(crate) fn deadline(&self) -> Option<Time> {
        (self.to != self.placed).then_some(self.next_move)
    }
}

impl Client {
    /// The pointer drags a sticker: others see it move at once, and every
    /// [`DRAG_MOVE_EVERY`] it is moved durably.
    ///
    /// # Errors
    /// [`EditError`] if it cannot be moved.
    pub fn drag_to(&mut self, now: Time, id: StickerId, to: Point) -> Result<(), EditError> {
        self.tell_time(now);
        self.may_edit()?;
        let sticker = self.view.sticker(id).ok_or(EditError::NoSticker(id))?;
        let placed = sticker.position.value;
        match &mut self.drag {
            Some(drag) if drag.sticker == id => drag.to = to,
            _ => {
                // The number is used up, so that no other action shares the group.
                self.actions = Action(self.actions.0 + 1);
                let group = Group(self.actions);
                let next_move = now + DRAG_MOVE_EVERY;
                self.drag = Some(Dragging { sticker: id, to, placed, next_move, group });
            }
        }
        self.show_own(self.own.shown.clone().unwrap_or_default());
        self.move_dragged(now);
        Ok(())
    }

    /// Ends the drag: the stickers are moved to where they are dropped. This move and
    /// the moves of the drag are one undo step.
    ///
    /// # Errors
    /// [`EditError`]; the drag has ended all the same.
    pub fn drop_at(
        &mut self,
        now: Time,
        moves: &[(StickerId, Point)],
    ) -> Result<Action, EditError> {
        let group = self.end_drag();
        let moved = |(id, to): &&(StickerId, Point)| {
            self.view.sticker(*id).is_none_or(|sticker| sticker.position.value != *to)
        };
        let edits: Vec<Edit> =
            moves.iter().filter(moved).map(|(id, to)| Edit::Move { id: *id, to: *to }).collect();
        if edits.is_empty() && !moves.is_empty() {
            return self.may_edit().map(|()| self.actions);
        }
        self.perform(now, edits, group).map(|(action, _)| action)
    }

    /// Ends the drag and moves its sticker back to where it was.
    pub fn cancel_drag(&mut self, now: Time) {
        let group = self.end_drag();
        let top = self.history.undo.last().map(|step| step.group);
        if group.is_some() && top == group {
            self.undo(now);
        }
    }

    /// What the person shows the others, whole. What it drags is added here.
    pub fn set_presence(&mut self, now: Time, presence: Presence) {
        self.tell_time(now);
        self.show_own(presence);
    }

    pub(crate) fn move_dragged(&mut self, now: Time) {
        let Some(drag) = &mut self.drag else { return };
        if drag.deadline().is_none_or(|at| at > now) {
            return;
        }
        drag.placed = drag.to;
        drag.next_move = now + DRAG_MOVE_EVERY;
        let (id, to, group) = (drag.sticker, drag.to, drag.group);
        if self.perform(now, vec![Edit::Move { id, to }], Some(group)).is_err() {
            self.end_drag();
        }
    }

    fn end_drag(&mut self) -> Option<Group> {
        let drag = self.drag.take()?;
        self.show_own(self.own.shown.clone().unwrap_or_default());
        Some(drag.group)
    }

    fn show_own(&mut self, presence: Presence) {
        let drag = self.drag.as_ref().map(|drag| Drag { sticker: drag.sticker, to: drag.to });
        self.own.set(Presence { drag, ..presence });
    }
}
