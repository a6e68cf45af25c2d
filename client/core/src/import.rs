//! Notes that this client imported by a request: they come as a commit of its author that
//! is none of its batches (IMPORT-1), and are taken back as one step.

use desk_protocol::{Operation, Revision, StickerId, Write};

use crate::batch::rebuilt;
use crate::client::Client;
use crate::event::Action;
use crate::history::{Arriving, Content, Group, History, Ready, Step};

impl Client {
    /// Notes were imported with this client's key, as the answer says. Undo then takes
    /// them back in one step, all but those that somebody has changed since (IMPORT-4).
    pub fn imported(&mut self, revision: Revision, created: Vec<StickerId>) {
        self.arriving.push(Arriving { revision, created });
        self.remember_imports();
    }

    /// Makes steps of the imports that the replica has.
    pub(crate) fn remember_imports(&mut self) {
        let confirmed = self.confirmed.revision();
        let here = |one: &mut Arriving| one.revision <= confirmed;
        let arrived: Vec<_> = self.arriving.extract_if(.., here).collect();
        for Arriving { revision, created } in arrived {
            self.remember_import(revision, &created);
        }
    }

    fn remember_import(&mut self, revision: Revision, created: &[StickerId]) {
        if self.config.undo_steps == 0 {
            return;
        }
        let untouched = |id: &&StickerId| {
            self.confirmed.sticker(**id).is_some_and(|sticker| {
                !sticker.deleted.value
                    && sticker.stamps().iter().all(|stamp| stamp.revision == revision)
            })
        };
        let deletions: Vec<_> = created
            .iter()
            .filter(untouched)
            .map(|id| Operation::Set { id: *id, write: Write::Deleted(true), yielding: true })
            .collect();
        self.actions = Action(self.actions.0 + 1);
        let group = Group(self.actions);
        // Each part fits a batch; steps of one group are taken together.
        for part in deletions.chunks(self.limits.batch_operations.max(1)) {
            let batch = rebuilt(part.iter().cloned());
            let ready = Ready { batch, made_at: revision, level: None, restores: false };
            // Below what is queued: the queue was done after it, or beside it.
            let at = self.history.undo.len() - History::queued(&self.history.undo);
            self.history.undo.insert(at, Step { group, content: Content::Ready(ready) });
        }
    }
}
