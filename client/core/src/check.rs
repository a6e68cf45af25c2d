//! Invariants that hold between any two calls, for the simulator and the tests.

use desk_protocol::{Desk, Operation, Sticker};

use crate::client::Client;
use crate::history::{History, Step};
use crate::pending::Owner;

impl Client {
    /// Checks what must hold between any two calls, at a cost that grows with
    /// the desk: for tests.
    ///
    /// # Panics
    /// If something does not hold.
    pub fn check_invariants(&self) {
        let (owner, start) = self.pending.run();
        for (stack, mine) in [(&self.history.undo, Owner::Undo), (&self.history.redo, Owner::Redo)]
        {
            let run = if owner == mine { self.pending.queue.len() - start } else { 0 };
            assert_eq!(History::queued(stack), run, "each queued step has its entry");
            let ready = stack.len() - run;
            let chain = &stack[..ready];
            assert!(chain.iter().all(|step| step.ready().is_some()), "queued steps are on top");
            let length = if owner == mine { start } else { self.pending.queue.len() };
            check_chain(chain, self.shown_below(length));
        }
        let entries = self.pending.queue.iter().take(start);
        assert!(entries.into_iter().all(|entry| entry.owner == Owner::Nobody), "one run only");
        assert!(self.stale.is_empty() && !self.stale_whole, "the view is up to date");
        if self.ready {
            let rebuilt = self.shown_below(self.pending.queue.len());
            assert_eq!(readable(&self.view), readable(&rebuilt), "the view is what it should be");
            assert_eq!(self.view.title().value, rebuilt.title().value);
            assert_eq!(self.view.registers(), rebuilt.registers());
        }
    }

    /// The desk below the queued entries from `length` on.
    fn shown_below(&self, length: usize) -> Desk {
        let mut pending = self.pending.clone();
        pending.queue.truncate(length);
        let mut desk = self.confirmed.clone();
        pending.overlay(&mut desk, self.me(), self.now);
        desk
    }
}

/// Each text inverse of a chain fits what the ones above it leave.
fn check_chain(chain: &[Step], desk: Desk) {
    let mut texts: std::collections::BTreeMap<_, _> =
        desk.stickers().map(|sticker| (sticker.id, sticker.text.value.clone())).collect();
    for ready in chain.iter().rev().filter_map(Step::ready) {
        for operation in ready.batch.operations() {
            match operation {
                Operation::EditText { id, delta } => {
                    let text = texts.get_mut(id).expect("a step is about a known sticker");
                    *text = delta.apply(text).expect("a step fits the text that it is for");
                }
                Operation::Create(create) => {
                    texts.insert(create.id, create.text.clone());
                }
                _ => {}
            }
        }
    }
}

/// What a person sees, without heights, because they are evaluated again.
fn readable(desk: &Desk) -> Vec<impl PartialEq + std::fmt::Debug> {
    let row = |one: &Sticker| {
        let place = (one.position.value, one.size.value, one.color.value);
        (one.id, place, one.deleted.value, one.text.value.clone())
    };
    desk.stickers().map(row).collect()
}
