//! Programs that send batches or import notes by request alone: answers get lost,
//! requests come twice, and every number must count once.

use std::collections::BTreeMap;
use std::time::Duration;

use desk_engine_core::service::Joined;
use desk_engine_core::{Reply, Request, ServiceError, SessionKey};
use desk_protocol::frame::Submit;
use desk_protocol::{Author, ClientSeq, Create, Operation, Revision, StickerId};

use crate::world::{Event, World};

/// Who asked for something.
#[derive(Clone, Debug)]
pub(crate) enum Asker {
    /// The run itself makes a desk.
    Desk { desk: usize },
    /// The owner makes the desk's view link.
    View { desk: usize },
    /// A client joins a desk for the first time.
    Join { desk: usize, seat: Seat },
    /// A person's tab opens a line.
    Upgrade { person: usize, attempt: u64 },
    /// A program's batch.
    Batch { requester: usize, seq: u64 },
    /// The end of the run looks at a desk.
    Look { desk: usize },
}

/// What a client joins as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seat {
    /// With the page, by the edit link.
    Editor,
    /// With the page, by the view link.
    Viewer,
    /// A program, by the edit link.
    Program,
}

/// A program.
pub(crate) struct Requester {
    pub(crate) desk: usize,
    key: SessionKey,
    /// As whom its notes stand on the desk.
    pub(crate) author: Author,
    /// Notes that it imports at a time; 0: it sends batches.
    pub(crate) import_notes: u64,
    seq: u64,
    base: Revision,
    sticker: StickerId,
    /// The first answer to the present number.
    answer: Option<Revision>,
    /// What the first answer to the present import says that it created.
    created: Vec<StickerId>,
    /// Stickers whose creation was acknowledged.
    pub(crate) acknowledged: Vec<StickerId>,
    pub(crate) left: u64,
}

impl Requester {
    pub(crate) fn new(desk: usize, joined: &Joined, import_notes: u64, left: u64) -> Self {
        // A desk has room for so many of them.
        let left = if import_notes > 0 { left.min(IMPORTS_MAX) } else { left };
        Self {
            desk,
            key: joined.key,
            author: joined.author,
            import_notes,
            seq: 1,
            base: Revision(0),
            sticker: StickerId(0),
            answer: None,
            created: Vec::new(),
            acknowledged: Vec::new(),
            left,
        }
    }
}

/// Imports of a program.
const IMPORTS_MAX: u64 = 8;

impl World {
    /// Sends the present batch, now and then twice; tries again if no answer
    /// comes.
    pub(crate) fn send_batch(&mut self, requester: usize, seq: u64) {
        let this = &mut self.requesters[requester];
        if this.seq != seq || this.left == 0 {
            return;
        }
        if this.sticker == StickerId(0) {
            this.sticker = StickerId(1_000_000 * (requester as u64 + 1) + seq);
        }
        let create = Create {
            id: this.sticker,
            position: Default::default(),
            size: Default::default(),
            color: Default::default(),
            text: String::new(),
            ..Create::default()
        };
        let (key, user, base) = (this.key, "program".to_owned(), this.base);
        let body = if this.import_notes > 0 {
            let unnamed = Operation::Create(Create { id: StickerId(0), ..create });
            let operations = vec![unnamed; this.import_notes as usize];
            let (desk, resend) = (key.link, Some(seq));
            Request::Import { key, desk, user, resend, laid_at: None, operations }
        } else {
            let operations = vec![Operation::Create(create)];
            let submit = Submit { client_seq: ClientSeq(seq), base, made_at: base, operations };
            Request::Sync { key, user, submit, base_texts: Vec::new() }
        };
        let asker = Asker::Batch { requester, seq };
        let copies = if self.chance.once_in(self.plan.double_once_in) { 3 } else { 1 };
        for _ in 0..copies {
            let (asker, body) = (asker.clone(), Box::new(body.clone()));
            let delay = self.delay();
            self.agenda.after(delay, Event::RequestArrives { asker, body });
        }
        let again = Duration::from_secs(5);
        self.agenda.after(again, Event::SendBatch { requester, seq });
    }

    pub(crate) fn batch_answered(&mut self, requester: usize, seq: u64, reply: Reply) {
        let this = &mut self.requesters[requester];
        match reply {
            Reply::Synced { created, .. } if this.import_notes > 0 => {
                if seq < this.seq {
                    return;
                }
                if created.len() as u64 != this.import_notes {
                    let what = format!("import {seq} created {} notes", created.len());
                    return self.fail(what);
                }
                let first = this.answer.replace(Revision(0)).is_none();
                if first {
                    this.created = created;
                } else if this.created != created {
                    let what = format!("import {seq} created {:?} and {created:?}", this.created);
                    return self.fail(what);
                }
                self.agenda.after(Duration::from_millis(20), Event::NextBatch { requester, seq });
            }
            Reply::Synced { revision, .. } => {
                if seq < this.seq {
                    return;
                }
                if this.answer.is_some_and(|first| first != revision) {
                    let first = this.answer;
                    let what = format!("number {seq} got {first:?} and then {revision}");
                    return self.fail(what);
                }
                this.answer = Some(revision);
                // A second answer to the same number must be the same: ask on
                // only after a while, so that doubles come first.
                self.agenda.after(Duration::from_millis(20), Event::NextBatch { requester, seq });
            }
            Reply::Failed(ServiceError::OldSequence { .. }) if seq < this.seq => {}
            Reply::Failed(ServiceError::Unavailable(_) | ServiceError::Expired) => {}
            other => self.fail(format!("a program's batch {seq} got {other:?}")),
        }
    }

    /// No half of an import is ever seen (IMPORT-2): all its notes have one author and
    /// one time.
    pub(crate) fn check_imports(&mut self, person: usize) {
        let this = &self.people[person];
        let mut broken = None;
        for program in &self.requesters {
            if this.viewer || program.import_notes == 0 || program.desk != this.desk {
                continue;
            }
            let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
            let desk = this.client.confirmed();
            for sticker in desk.stickers().filter(|one| one.author == program.author) {
                *counts.entry(sticker.created_at_ms).or_default() += 1;
            }
            let half = counts.into_values().find(|count| count % program.import_notes != 0);
            broken = broken.or(half);
        }
        if let Some(count) = broken {
            self.fail(format!("person {person} sees {count} notes of an import"));
        }
    }

    pub(crate) fn next_batch(&mut self, requester: usize, seq: u64) {
        let this = &mut self.requesters[requester];
        if this.seq != seq || this.left == 0 {
            return;
        }
        if let Some(revision) = this.answer.take() {
            this.base = revision;
        }
        if this.import_notes > 0 {
            this.acknowledged.append(&mut this.created);
        } else {
            this.acknowledged.push(this.sticker);
        }
        this.sticker = StickerId(0);
        this.seq += 1;
        this.left -= 1;
        let seq = this.seq;
        let pause = self.chance.between(1, 2 * self.plan.pause.as_micros() as u64);
        self.agenda.after(Duration::from_micros(pause), Event::SendBatch { requester, seq });
    }
}
