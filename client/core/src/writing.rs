//! What the person writes: one text field over one sticker's text, and the run of
//! the last insertion.
//!
//! The field may lag behind the text: while an input method composes, nothing
//! can be put into it. So the field knows what it shows and what has happened to
//! the text since, and carries each across the other.

use desk_protocol::text::{Anchor, Delta, Order, Run, diff};
use desk_protocol::{Operation, StickerId};

use crate::limits::FIELD_CHANGES_MAX;
use crate::splice::splice;

/// What a text field should show now. Places count characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldState {
    /// Its text.
    pub text: String,
    /// Where the selection starts.
    pub start: u32,
    /// Where the selection ends; a caret starts and ends at one place.
    pub end: u32,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writing {
    pub(crate) field: Option<Field>,
    last: LastTyped,
}

/// The run of this client's last insertion, and whose text it is in (TEXT-11).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LastTyped {
    sticker: StickerId,
    run: Run,
}

/// The text field.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) sticker: StickerId,
    /// What the field shows.
    pub(crate) shown: String,
    /// From what the field shows to the text as the view has it. A caret moves
    /// over one change after the other, since each may be one that leaves it.
    behind: Vec<Change>,
    /// From there to the text as it is: the view is not up to date yet.
    coming: Vec<Change>,
}

/// A change of the text that did not come from the field.
#[derive(Clone, Debug)]
struct Change {
    delta: Delta,
    /// This client's run before it: tells what a caret keeps to.
    run: Run,
}

impl Writing {
    /// What this client typed last.
    pub(crate) const fn last(&self) -> LastTyped {
        self.last
    }

    /// The person has changed the view by these operations, and not by the
    /// field. Whether the field is behind now.
    pub(crate) fn typed(&mut self, last: LastTyped, operations: &[Operation]) -> bool {
        let behind = self.follow(operations);
        self.last = last;
        if let Some(field) = &mut self.field {
            std::mem::take(&mut field.coming).into_iter().for_each(|change| field.push(change));
        }
        behind
    }

    /// The view will change by these operations, which the person did not type.
    pub(crate) fn moved(&mut self, operations: &[Operation]) {
        self.follow(operations);
    }

    /// Forgets what was typed last: what comes next continues nothing.
    pub(crate) fn forget(&mut self) {
        self.last = LastTyped::default();
    }

    /// The view is up to date again: the field's text was `before` and is `after`.
    /// Whether the field is behind by that.
    pub(crate) fn shows(&mut self, before: &str, after: &str) -> bool {
        let Some(field) = &mut self.field else { return false };
        let coming = std::mem::take(&mut field.coming);
        let step = |text: String, change: &Change| change.delta.apply(&text).ok();
        let told = coming.iter().try_fold(before.to_owned(), step);
        if told.as_deref() != Some(after) {
            // Undo took it out of the queue, or pending work no longer fits.
            field.push(Change { delta: diff(before, after), run: Run::default() });
            self.forget();
            return true;
        }
        let differs = before != after;
        if differs {
            coming.into_iter().for_each(|change| field.push(change));
        }
        differs
    }

    fn follow(&mut self, operations: &[Operation]) -> bool {
        let mut met = false;
        for operation in operations {
            let Operation::EditText { id, delta } = operation else { continue };
            let typed = self.last.sticker == *id;
            if let Some(field) = self.field.as_mut().filter(|field| field.sticker == *id) {
                let run = if typed { self.last.run } else { Run::default() };
                field.coming.push(Change { delta: delta.clone(), run });
                met = true;
            }
            if typed {
                self.last.run.moved(delta);
            }
        }
        met
    }
}

impl LastTyped {
    /// The person changes a text: that change with its insertions marked.
    pub(crate) fn typed(&mut self, sticker: StickerId, change: &Delta) -> Delta {
        if self.sticker == sticker {
            return self.run.typed(change);
        }
        let mut run = Run::default();
        let marked = run.typed(change);
        // A deletion in another text is no insertion: the run stays where it is.
        if run != Run::default() {
            *self = Self { sticker, run };
        }
        marked
    }
}

impl Field {
    /// A field that shows the sticker's text.
    pub(crate) const fn new(sticker: StickerId, shown: String) -> Self {
        Self { sticker, shown, behind: Vec::new(), coming: Vec::new() }
    }

    /// The person made the field show `text`. Answers the change to make to the
    /// sticker's text as it is.
    pub(crate) fn input(&mut self, text: &str, caret: u32) -> Delta {
        let mut change = splice(&self.shown, text, caret as usize);
        for other in &mut self.behind {
            // Where the change goes beside the other depends on what it continues.
            change = other.run.typed(&change);
            let moved = change.transform(&other.delta, Order::After);
            other.delta = other.delta.transform(&change, Order::Before);
            change = moved;
        }
        text.clone_into(&mut self.shown);
        change
    }

    /// The sticker's text is `text`, in an unknown way.
    pub(crate) fn reset(&mut self, text: &str) {
        self.behind = vec![Change { delta: diff(&self.shown, text), run: Run::default() }];
    }

    fn push(&mut self, change: Change) {
        self.behind.push(change);
        if self.behind.len() > FIELD_CHANGES_MAX {
            let second = self.behind.remove(1);
            let first = &mut self.behind[0];
            first.delta = first.delta.compose(&second.delta);
        }
    }

    pub(crate) fn catch_up(&mut self, start: u32, end: u32) -> Option<FieldState> {
        if self.behind.is_empty() {
            return None;
        }
        let mut state = FieldState { text: std::mem::take(&mut self.shown), start, end };
        for change in self.behind.drain(..) {
            state.text = change.delta.apply(&state.text).expect("it was made for this text");
            if state.start == state.end {
                state.start = change.carry(state.start);
                state.end = state.start;
            } else {
                // What others put at its edges does not become selected.
                state.start = change.delta.transform_position(state.start, Anchor::Right);
                let end = change.delta.transform_position(state.end, Anchor::Left);
                state.end = end.max(state.start);
            }
        }
        self.shown.clone_from(&state.text);
        Some(state)
    }

    pub(crate) fn caret(&self, caret: u32) -> u32 {
        self.behind.iter().fold(caret, |caret, change| change.carry(caret))
    }
}

impl Change {
    /// Where a caret stands after it (TEXT-9).
    fn carry(&self, caret: u32) -> u32 {
        self.delta.transform_position(caret, self.run.anchor(caret))
    }
}
