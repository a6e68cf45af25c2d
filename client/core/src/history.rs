//! What can be undone and redone (UNDO-20 to UNDO-23).
//!
//! Each stack is a chain. Its top step applies to the view without the queued
//! entries that the stack itself can take out. Each further step applies to the
//! result of the step above it. Changes by others are passed down from the top.
//!
//! ```text
//! confirmed ─ in flight ─ queue: [ settled … ][ run of one owner … ] ─ view
//!                                            ▲                        ▲
//!                  the owner's chain starts here     the other one's here
//! ```

use desk_protocol::resolver::transform;
use desk_protocol::{Batch, Operation, Register, Revision, StickerId, Time};

use crate::batch::{Scope, mapped, written};
use crate::event::Action;
use crate::pending::Level;

/// Steps with one group are taken as one: a drag, a burst of typing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Group(pub(crate) Action);

/// One thing to undo or to redo.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) group: Group,
    pub(crate) content: Content,
}

/// How a step is taken.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// By taking the entry out of the queue (UNDO-20).
    Queued,
    /// By doing something.
    Ready(Ready),
}

/// What a step does.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) batch: Batch,
    /// The revision at which the step was done, and at which the values that it
    /// restores were current.
    pub(crate) made_at: Revision,
    /// The batch in flight whose write it takes back, or above which it lies. It
    /// counts only while that batch is in flight.
    pub(crate) level: Option<Level>,
    /// Whether it restores the value from before a write by this client.
    pub(crate) restores: bool,
}

/// Both stacks, the newest step last.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) undo: Vec<Step>,
    pub(crate) redo: Vec<Step>,
    pub(crate) typing: Option<Typing>,
}

/// An import that this client was told of before its replica has it.
#[derive(Clone, Debug)]
pub(crate) struct Arriving {
    pub(crate) revision: Revision,
    pub(crate) created: Vec<StickerId>,
}

/// A burst of typing that the next character may still join.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Typing {
    pub(crate) sticker: StickerId,
    pub(crate) group: Group,
    pub(crate) last: Time,
}

/// What a foreign change looks like to one stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passing<'a> {
    /// As it was ordered: it ends steps that take back older writes (UNDO-21).
    pub(crate) ordered: &'a [Operation],
    /// As it reads where the chain starts.
    pub(crate) start: &'a [Operation],
    /// The batch in flight.
    pub(crate) flight: Option<Level>,
}

impl Step {
    pub(crate) fn ready(&self) -> Option<&Ready> {
        match &self.content {
            Content::Ready(ready) => Some(ready),
            Content::Queued => None,
        }
    }
}

/// Passes others' changes down a chain.
pub(crate) fn pass(stack: &mut [Step], passing: Passing<'_>) {
    let mut sinking = passing.start.to_vec();
    let mut below_flight = false;
    for step in stack.iter_mut().rev() {
        let Content::Ready(ready) = &mut step.content else { continue };
        let in_flight = ready.level.is_some() && ready.level == passing.flight;
        if !in_flight && !below_flight {
            below_flight = true;
            // A foreign write ends my step even if the batch in flight overwrites it.
            let title = |one: &Operation| matches!(one, Operation::SetTitle { .. });
            let register = |one: &&Operation| one.register().is_some() || title(one);
            sinking.extend(passing.ordered.iter().filter(register).cloned());
        }
        if Scope::of(&sinking).meets(&ready.batch) {
            ready.batch = without_lost_heights(&ready.batch, &sinking);
            (ready.batch, sinking) = transform(&ready.batch, &sinking);
        }
    }
}

/// Raising and lowering have no yielding form. So a step that raises or lowers is
/// dropped here if another author changed the height.
fn without_lost_heights(batch: &Batch, over: &[Operation]) -> Batch {
    mapped(batch, |mine| {
        let symbolic = matches!(mine, Operation::Raise { .. } | Operation::Lower { .. });
        let lost = symbolic
            && over.iter().any(|other| {
                other.register() == Some(Register::Z) && other.sticker() == mine.sticker()
            });
        (!lost).then(|| mine.clone())
    })
}

/// Makes a batch that restores a register restore the value that `change` wrote: it
/// is now the value below the write being taken back. Says whether the batch
/// restores that register.
pub(crate) fn restore_instead(batch: &mut Batch, change: &Operation) -> bool {
    let mut found = false;
    let changed = mapped(batch, |mine| {
        let replaced = match (mine, change) {
            (Operation::SetTitle { yielding, .. }, Operation::SetTitle { title, .. }) => {
                Some(Operation::SetTitle { title: title.clone(), yielding: *yielding })
            }
            (Operation::Set { id, write, yielding }, _) => match written(change) {
                Some((other, value)) if other == *id && value.register() == write.register() => {
                    Some(Operation::Set { id: *id, write: value, yielding: *yielding })
                }
                _ => None,
            },
            _ => None,
        };
        found |= replaced.is_some();
        Some(replaced.unwrap_or_else(|| mine.clone()))
    });
    if found {
        *batch = changed;
    }
    found
}

impl History {
    /// Removes from all steps the operations for which `drop` is true.
    pub(crate) fn drop_where(&mut self, drop: impl Fn(&Operation) -> bool) {
        for step in self.undo.iter_mut().chain(&mut self.redo) {
            if let Content::Ready(ready) = &mut step.content
                && ready.batch.operations().iter().any(&drop)
            {
                ready.batch = mapped(&ready.batch, |mine| (!drop(mine)).then(|| mine.clone()));
            }
        }
    }

    /// Forgets steps that would do nothing any more.
    pub(crate) fn prune(&mut self) {
        let keeps = |step: &Step| step.ready().is_none_or(|ready| !ready.batch.is_empty());
        self.undo.retain(keeps);
        self.redo.retain(keeps);
    }

    /// How many steps of a stack are queued entries; they are its top ones.
    pub(crate) fn queued(stack: &[Step]) -> usize {
        stack.iter().rev().take_while(|step| step.ready().is_none()).count()
    }
}
