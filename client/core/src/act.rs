//! What the person does: actions, undoing and redoing them, dragging.

use desk_protocol::frame::{CloseCode, Presence, Role};
use desk_protocol::resolver::overlay;
use desk_protocol::{Batch, Delta, Operation, Point, Size, StickerId, Time};

use crate::batch::{Scope, composed, yielding};
use crate::client::Client;
use crate::drag::{Dragging, Held};
use crate::edit::{self, Edit, EditError, NewSticker};
use crate::event::{Action, Event, Line};
use crate::history::{Content, Group, History, Ready, Step, Typing};
use crate::limits::{DRAG_MOVE_EVERY, TYPING_PAUSE};
use crate::pending::{Entry, Owner};

impl Client {
    /// Does several edits as one user action: they apply together or not at
    /// all, and are undone as one step.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn act(&mut self, now: Time, edits: Vec<Edit>) -> Result<Action, EditError> {
        self.perform(now, edits, None).map(|(action, _)| action)
    }

    /// Does any number of edits as one user action, in as many batches as they need.
    /// They are undone as one step. Answers the stickers that were made.
    ///
    /// # Errors
    /// [`EditError`]; the desk has not changed. What could be redone may be lost.
    pub fn act_together(
        &mut self,
        now: Time,
        edits: Vec<Edit>,
    ) -> Result<Vec<StickerId>, EditError> {
        // The number is used up, so that no other action shares the group.
        self.actions = Action(self.actions.0 + 1);
        let group = Group(self.actions);
        let mut made = Vec::new();
        // Folding one batch takes the square of its operations: the whole is not tried.
        let done = edits
            .chunks(self.limits.batch_operations)
            .try_for_each(|part| self.perform_part(now, part, group, &mut made));
        if done.is_err() && self.history.undo.last().is_some_and(|step| step.group == group) {
            self.undo(now);
            while self.history.redo.pop_if(|step| step.group == group).is_some() {}
        }
        done.map(|()| made)
    }

    /// Does edits in as many batches as their bytes need.
    fn perform_part(
        &mut self,
        now: Time,
        edits: &[Edit],
        group: Group,
        made: &mut Vec<StickerId>,
    ) -> Result<(), EditError> {
        match self.perform(now, edits.to_vec(), Some(group)) {
            Err(EditError::TooLarge) if edits.len() > 1 => {
                let (first, second) = edits.split_at(edits.len() / 2);
                self.perform_part(now, first, group, made)?;
                self.perform_part(now, second, group, made)
            }
            result => result.map(|(_, created)| made.extend(created)),
        }
    }

    /// Makes a sticker.
    ///
    /// # Errors
    /// As [`Client::act`].
    pub fn create(&mut self, now: Time, note: NewSticker) -> Result<StickerId, EditError> {
        let (_, created) = self.perform(now, vec![Edit::Create { id: None, note }], None)?;
        Ok(created[0])
    }

    /// Changes a text. Typing into one sticker without longer pauses is one step.
    ///
    /// # Errors
    /// As [`Client::act`].
    pub fn edit_text(
        &mut self,
        now: Time,
        id: StickerId,
        delta: Delta,
    ) -> Result<Action, EditError> {
        self.act(now, vec![Edit::EditText { id, delta }])
    }

    /// Changes a text to what a field now holds.
    ///
    /// # Errors
    /// As [`Client::act`].
    pub fn replace_text(
        &mut self,
        now: Time,
        id: StickerId,
        text: &str,
    ) -> Result<Action, EditError> {
        self.act(now, vec![Edit::ReplaceText { id, text: text.to_owned() }])
    }

    /// Takes the person's last step back; `false` if there is none.
    pub fn undo(&mut self, now: Time) -> bool {
        self.retrace(now, Direction::Undo)
    }

    /// Does what was undone last again; `false` if there is nothing.
    pub fn redo(&mut self, now: Time) -> bool {
        self.retrace(now, Direction::Redo)
    }

    /// Whether [`Client::undo`] would do something.
    pub fn can_undo(&self) -> bool {
        self.may_edit().is_ok() && !self.history.undo.is_empty()
    }

    /// Whether [`Client::redo`] would do something.
    pub fn can_redo(&self) -> bool {
        self.may_edit().is_ok() && !self.history.redo.is_empty()
    }

    pub(crate) fn may_edit(&self) -> Result<(), EditError> {
        match self.line.state() {
            // A rejoin saves actions that are taken after these. After any other end
            // nothing saves them.
            Line::Ended(code) if !matches!(code, CloseCode::Finished | CloseCode::KeyVoid) => {
                Err(EditError::Ended(code))
            }
            _ if !self.ready => Err(EditError::NotReady),
            _ if self.role == Some(Role::Viewer) => Err(EditError::ReadOnly),
            _ => Ok(()),
        }
    }

    pub(crate) fn perform(
        &mut self,
        now: Time,
        edits: Vec<Edit>,
        group: Option<Group>,
    ) -> Result<(Action, Vec<StickerId>), EditError> {
        self.tell_time(now);
        self.may_edit()?;
        let typed = match edits.as_slice() {
            [Edit::EditText { id, .. } | Edit::ReplaceText { id, .. }] => Some(*id),
            _ => None,
        };
        let author = self.me();
        let mut last = self.writing.last();
        let (batch, created) =
            edit::batch(&self.view, edits, &self.limits, &mut self.random, &mut last, author, now)?;
        if batch.is_empty() {
            return Ok((self.actions, created));
        }
        if batch.operations().iter().all(Operation::is_kept_by_undo) {
            return self.keep(batch).map(|action| (action, created));
        }
        self.actions = Action(self.actions.0 + 1);
        let fresh = Group(self.actions);
        let group = group.unwrap_or_else(|| self.typing_group(now, typed).unwrap_or(fresh));
        self.history.typing = typed.map(|sticker| Typing { sticker, group, last: now });
        if self.writing.typed(last, batch.operations()) {
            self.events.push_back(Event::FieldBehind);
        }
        self.show(&batch);
        self.enqueue(batch, group);
        self.store.touch();
        Ok((self.actions, created))
    }

    /// Does what no step of undo takes back.
    fn keep(&mut self, batch: Batch) -> Result<Action, EditError> {
        let (next, made_at) = (Action(self.actions.0 + 1), self.confirmed.revision());
        let pushed = self.pending.push_below(&batch, next, made_at, &self.limits);
        self.actions = pushed.ok_or(EditError::TooLarge)?;
        self.show(&batch);
        self.store.touch();
        Ok(self.actions)
    }

    /// The undo step that the next character joins, if it comes in time.
    fn typing_group(&self, now: Time, typed: Option<StickerId>) -> Option<Group> {
        let typing = self.history.typing?;
        let goes_on = typed == Some(typing.sticker) && now.since(typing.last) < TYPING_PAUSE;
        goes_on.then_some(typing.group)
    }

    /// Lays a batch over the view.
    fn show(&mut self, batch: &Batch) {
        let (author, now) = (self.me(), self.now);
        overlay(&mut self.view, batch, author, now.unix_millis());
        let scope = Scope::of(batch.operations());
        self.changed.extend(scope.stickers);
        self.changed_title |= scope.title;
        self.changed_registers |= scope.registers;
    }

    fn enqueue(&mut self, batch: Batch, group: Group) {
        self.history.redo.clear();
        self.settle_all(Owner::Redo);
        let made_at = self.confirmed.revision();
        if self.config.undo_steps == 0 {
            self.pending.push_settled(batch, self.actions, made_at, &self.limits);
            return;
        }
        let same = self
            .history
            .undo
            .last()
            .is_some_and(|top| top.group == group && matches!(top.content, Content::Queued));
        if let (true, Some(last)) = (same, self.pending.queue.back_mut()) {
            assert!(last.owner == Owner::Undo, "the newest step is the last of the queue");
            if let Some(both) = composed(&last.batch, &batch, &self.limits) {
                last.batch = both;
                last.through = self.actions;
                return;
            }
        }
        let (through, level, restores) = (self.actions, None, false);
        let owner = Owner::Undo;
        self.pending.queue.push_back(Entry { owner, batch, through, made_at, level, restores });
        self.history.undo.push(Step { group, content: Content::Queued });
        if self.history.undo.len() > self.config.undo_steps {
            self.forget_oldest_step();
        }
    }

    pub(crate) fn forget_oldest_step(&mut self) {
        let oldest = self.history.undo.remove(0);
        if oldest.ready().is_none() {
            let first = self.pending.queue.iter().position(|entry| entry.owner == Owner::Undo);
            self.pending.settle(first.expect("a queued step has its entry"), &self.limits);
        }
    }

    fn settle_all(&mut self, owner: Owner) {
        while let Some(at) = self.pending.queue.iter().position(|entry| entry.owner == owner) {
            self.pending.settle(at, &self.limits);
        }
    }

    fn retrace(&mut self, now: Time, direction: Direction) -> bool {
        self.tell_time(now);
        if self.may_edit().is_err() {
            return false;
        }
        self.history.typing = None;
        let Some(group) = self.stack(direction).last().map(|step| step.group) else {
            return false;
        };
        self.actions = Action(self.actions.0 + 1);
        while let Some(step) = self.stack(direction).pop_if(|step| step.group == group) {
            match step.content {
                Content::Queued => self.take_out(direction, group),
                Content::Ready(ready) => self.do_step(direction, group, ready),
            }
        }
        self.refresh();
        self.store.touch();
        true
    }

    /// UNDO-20: takes an entry out of the queue. The entries before it remain, as
    /// they were transformed meanwhile.
    fn take_out(&mut self, direction: Direction, group: Group) {
        let entry = self.pending.queue.pop_back().expect("a queued step has its entry");
        assert!(entry.owner == direction.owner(), "the newest step is the last of the queue");
        self.mark(&Scope::of(entry.batch.operations()));
        self.writing.forget();
        let level = self.pending.level();
        let ready = Ready {
            batch: yielding(&entry.batch),
            made_at: entry.made_at,
            level: if entry.restores { entry.level } else { level },
            restores: entry.restores,
        };
        let content = Content::Ready(ready);
        self.stack(direction.other()).push(Step { group, content });
    }

    /// UNDO-21: takes back what was sent, by a batch that yields.
    fn do_step(&mut self, direction: Direction, group: Group, ready: Ready) {
        self.refresh();
        let before = self.field_before(|_| true);
        self.writing.moved(ready.batch.operations());
        self.show(&ready.batch);
        self.pass_to_field(before);
        self.pending.queue.push_back(Entry {
            owner: direction.other().owner(),
            batch: ready.batch,
            through: self.actions,
            made_at: ready.made_at,
            level: ready.level,
            restores: ready.restores,
        });
        self.stack(direction.other()).push(Step { group, content: Content::Queued });
    }

    fn stack(&mut self, direction: Direction) -> &mut Vec<Step> {
        match direction {
            Direction::Undo => &mut self.history.undo,
            Direction::Redo => &mut self.history.redo,
        }
    }

    /// Forgets steps that would do nothing any more, with their entries.
    pub(crate) fn prune(&mut self) {
        let (owner, start) = self.pending.run();
        if owner != Owner::Nobody {
            let stack = match owner {
                Owner::Undo => &mut self.history.undo,
                _ => &mut self.history.redo,
            };
            let queued = History::queued(stack);
            assert!(queued == self.pending.queue.len() - start, "each queued step has its entry");
            let bottom = stack.len() - queued;
            for above in (0..queued).rev() {
                if self.pending.queue[start + above].batch.is_empty() {
                    self.pending.queue.remove(start + above);
                    stack.remove(bottom + above);
                }
            }
        }
        self.pending.queue.retain(|entry| entry.owner != Owner::Nobody || !entry.batch.is_empty());
        self.history.prune();
    }
}

impl Client {
    /// The pointer drags a sticker: others see it move at once, and every
    /// [`DRAG_MOVE_EVERY`] it is moved durably.
    ///
    /// # Errors
    /// [`EditError`] if it cannot be moved.
    pub fn drag_to(&mut self, now: Time, id: StickerId, to: Point) -> Result<(), EditError> {
        self.hold(now, id, Held::At(to))
    }

    /// The pointer pulls a sticker to this size: every [`DRAG_MOVE_EVERY`] it is resized
    /// durably, so that others see it grow.
    ///
    /// # Errors
    /// [`EditError`] if it cannot be resized.
    pub fn stretch_to(&mut self, now: Time, id: StickerId, to: Size) -> Result<(), EditError> {
        self.hold(now, id, Held::As(to))
    }

    fn hold(&mut self, now: Time, id: StickerId, to: Held) -> Result<(), EditError> {
        self.tell_time(now);
        self.may_edit()?;
        let sticker = self.view.sticker(id).ok_or(EditError::NoSticker(id))?;
        let placed = match to {
            Held::At(_) => Held::At(sticker.position.value),
            Held::As(_) => Held::As(sticker.size.value),
        };
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
        let moves = moves.iter().map(|(id, to)| Edit::Move { id: *id, to: *to });
        self.end_drag_with(now, moves.collect())
    }

    /// Ends the pulling: the stickers get these places and sizes. This and the changes of
    /// the pulling are one undo step.
    ///
    /// # Errors
    /// [`EditError`]; the pulling has ended all the same.
    pub fn release_at(
        &mut self,
        now: Time,
        rects: &[(StickerId, Point, Size)],
    ) -> Result<Action, EditError> {
        let edits = rects.iter().flat_map(|(id, at, size)| {
            [Edit::Move { id: *id, to: *at }, Edit::Resize { id: *id, to: *size }]
        });
        self.end_drag_with(now, edits.collect())
    }

    fn end_drag_with(&mut self, now: Time, edits: Vec<Edit>) -> Result<Action, EditError> {
        let group = self.end_drag();
        let changes = |edit: &Edit| match edit {
            Edit::Move { id, to } => {
                self.view.sticker(*id).is_none_or(|sticker| sticker.position.value != *to)
            }
            Edit::Resize { id, to } => {
                self.view.sticker(*id).is_none_or(|sticker| sticker.size.value != *to)
            }
            _ => true,
        };
        let edits: Vec<Edit> = edits.into_iter().filter(changes).collect();
        if edits.is_empty() {
            return self.may_edit().map(|()| self.actions);
        }
        let group = group.unwrap_or(Group(Action(self.actions.0 + 1)));
        edits
            .chunks(self.limits.batch_operations)
            .try_for_each(|part| self.perform_part(now, part, group, &mut Vec::new()))?;
        Ok(self.actions)
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
        let (edit, group) = (drag.edit(), drag.group);
        if self.perform(now, vec![edit], Some(group)).is_err() {
            self.end_drag();
        }
    }

    fn end_drag(&mut self) -> Option<Group> {
        let drag = self.drag.take()?;
        self.show_own(self.own.shown.clone().unwrap_or_default());
        Some(drag.group)
    }

    fn show_own(&mut self, presence: Presence) {
        let drag = self.drag.as_ref().and_then(Dragging::shown);
        self.own.set(Presence { drag, ..presence });
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Direction {
    Undo,
    Redo,
}

impl Direction {
    const fn other(self) -> Self {
        match self {
            Self::Undo => Self::Redo,
            Self::Redo => Self::Undo,
        }
    }

    /// The owner of the queued entries that steps of this direction take out.
    const fn owner(self) -> Owner {
        match self {
            Self::Undo => Owner::Undo,
            Self::Redo => Owner::Redo,
        }
    }
}
