//! Programs that send batches by request alone: answers get lost, requests come
//! twice, and every number must count once.

use std::time::Duration;

use desk_engine_core::{Reply, Request, ServiceError, SessionKey};
use desk_protocol::frame::Submit;
use desk_protocol::{ClientSeq, Create, Operation, Revision, StickerId};

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
    seq: u64,
    base: Revision,
    sticker: StickerId,
    /// The first answer to the present number.
    answer: Option<Revision>,
    /// Stickers whose creation was acknowledged.
    pub(crate) acknowledged: Vec<StickerId>,
    pub(crate) left: u64,
}

impl Requester {
    pub(crate) fn new(desk: usize, key: SessionKey, left: u64) -> Self {
        Self {
            desk,
            key,
            seq: 1,
            base: Revision(0),
            sticker: StickerId(0),
            answer: None,
            acknowledged: Vec::new(),
            left,
        }
    }
}

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
            deleted: false,
            z: None,
        };
        let operations = vec![Operation::Create(create)];
        let base = this.base;
        let submit = Submit { client_seq: ClientSeq(seq), base, made_at: base, operations };
        let body = Request::Sync {
            key: this.key,
            user: "program".to_owned(),
            submit,
            base_texts: Vec::new(),
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

    pub(crate) fn next_batch(&mut self, requester: usize, seq: u64) {
        let this = &mut self.requesters[requester];
        if this.seq != seq || this.left == 0 {
            return;
        }
        if let Some(revision) = this.answer.take() {
            this.base = revision;
        }
        this.acknowledged.push(this.sticker);
        this.sticker = StickerId(0);
        this.seq += 1;
        this.left -= 1;
        let seq = this.seq;
        let pause = self.chance.between(1, 2 * self.plan.pause.as_micros() as u64);
        self.agenda.after(Duration::from_micros(pause), Event::SendBatch { requester, seq });
    }
}
