//! Asking the owner of a desk, wherever it is.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use desk_engine_core::{Input, RequestId, unit};
use desk_nats::UnitId;
use desk_protocol::LinkId;

use super::question::{Answer, Question};
use super::{Message, Shell};

/// A request whose answer is awaited.
pub(super) struct Pending {
    /// The other shard that was asked.
    target: Option<usize>,
    /// Whether a place of that shard is reserved.
    reserved: bool,
    answer: Option<Answer>,
    waiter: Option<Waker>,
    /// Nobody waits any more.
    abandoned: bool,
    /// The cluster's queue has it, and it outlives this process.
    kept: bool,
}

/// A request under way. Dropped, it is abandoned.
pub(crate) struct Asking {
    shell: Rc<Shell>,
    request: RequestId,
}

/// Breaks ties between shards that are equally loaded.
static TURN: AtomicUsize = AtomicUsize::new(0);

impl Shell {
    /// The shard that serves a request: the owner of its desk, or, for a new
    /// desk, the one with the fewest collaboration instances.
    pub(crate) fn target_of(&self, question: &Question) -> usize {
        let link = match question {
            Question::Desk(request) => request.link(),
            Question::Line(question) => Some(question.key.link),
        };
        if let Some(link) = link {
            return usize::from(self.shared.placement.shard(link));
        }
        let shards = self.shared.shards.len();
        let first = TURN.fetch_add(1, Ordering::Relaxed);
        let clustered = self.shared.cluster.is_some();
        (0..shards)
            .map(|step| (first + step) % shards)
            // One that serves no unit has no place for a desk.
            .min_by_key(|&shard| {
                let state = &self.shared.shards[shard];
                (clustered && state.units() == 0, state.instances())
            })
            .expect("there is at least one shard")
    }

    /// Asks a shard. It first waits for a reserved place in the ring. A poll that may wait
    /// for news takes no place, because it would keep it for a long time. The desk bounds
    /// the number of polls.
    pub(crate) async fn ask(self: &Rc<Self>, target: usize, question: Question) -> Asking {
        let reserved = target != self.index && !question.waits();
        if reserved {
            std::future::poll_fn(|context| self.mesh.borrow_mut().poll_reserve(target, context))
                .await;
        }
        let id = self.new_request(target, reserved);
        if target == self.index {
            self.serve(id, question);
        } else {
            self.mesh.borrow_mut().send(target, Message::Request { request: id, question });
        }
        self.wake();
        Asking { shell: Rc::clone(self), request: id }
    }

    /// Asks the machine that has the desk of a link, whichever that is, by the cluster's
    /// queue.
    ///
    /// # Panics
    /// If this process is in no cluster.
    pub(crate) fn ask_cluster(self: &Rc<Self>, link: LinkId, what: &str, body: Vec<u8>) -> Asking {
        let cluster = self.shared.cluster.as_ref().expect("only a cluster moves desks");
        let request = self.new_request(self.index, false);
        let unit = UnitId::new(unit(link)).expect("links have known units");
        cluster.handle.send(unit, request.0, what, body);
        Asking { shell: Rc::clone(self), request }
    }

    /// The cluster's queue has a request.
    pub(super) fn kept(&self, request: RequestId) {
        if let Some(pending) = self.asked.borrow_mut().get_mut(&request.0) {
            pending.kept = true;
        }
    }

    fn new_request(&self, target: usize, reserved: bool) -> RequestId {
        let count = self.next_request.get();
        self.next_request.set(count + 1);
        let id = (self.index as u64) << 48 | count;
        let target = (target != self.index).then_some(target);
        let pending =
            Pending { target, reserved, answer: None, waiter: None, abandoned: false, kept: false };
        self.asked.borrow_mut().insert(id, pending);
        RequestId(id)
    }

    /// The shard that a request was asked on.
    fn origin_of(request: RequestId) -> usize {
        (request.0 >> 48) as usize
    }

    /// Takes a question for a desk of this shard.
    pub(super) fn serve(self: &Rc<Self>, request: RequestId, question: Question) {
        match question {
            Question::Desk(body) => self.feed(Input::Request { request, body }),
            Question::Line(question) => self.serve_line(request, *question),
        }
    }

    /// Answers a question, wherever it was asked.
    pub(super) fn answer(&self, request: RequestId, answer: Answer) {
        let origin = Self::origin_of(request);
        if origin == self.index {
            self.answered(request, answer);
        } else {
            let answer = Box::new(answer);
            self.mesh.borrow_mut().send(origin, Message::Reply { request, answer });
        }
    }

    /// Whoever asked for this is gone.
    pub(super) fn drop_question(&self, request: RequestId) {
        if !self.abandon_line(request) {
            self.feed(Input::Abandoned { request });
        }
    }

    /// An answer has arrived.
    pub(super) fn answered(&self, request: RequestId, answer: Answer) {
        let mut asked = self.asked.borrow_mut();
        let Some(pending) = asked.get_mut(&request.0) else { return };
        self.release(pending);
        if pending.abandoned {
            asked.remove(&request.0);
            return;
        }
        pending.answer = Some(answer);
        if let Some(waiter) = pending.waiter.take() {
            waiter.wake();
        }
    }

    /// The owner will not answer an abandoned request any more.
    pub(super) fn forgotten(&self, request: RequestId) {
        let Some(mut pending) = self.asked.borrow_mut().remove(&request.0) else { return };
        self.release(&mut pending);
    }

    /// Gives back a request's place at the other shard.
    fn release(&self, pending: &mut Pending) {
        if let Some(target) = pending.target.take()
            && pending.reserved
        {
            self.mesh.borrow_mut().release(target);
        }
    }

    fn abandon(&self, request: RequestId) {
        let mut asked = self.asked.borrow_mut();
        let Some(pending) = asked.get_mut(&request.0) else { return };
        if pending.answer.is_none()
            && let Some(target) = pending.target
        {
            // The request stays registered, and its place reserved, until the owner
            // answers or confirms the abandoning.
            pending.abandoned = true;
            self.mesh.borrow_mut().send(target, Message::Abandon { request });
        } else {
            let answered = asked.remove(&request.0).is_some_and(|pending| pending.answer.is_some());
            drop(asked);
            if !answered {
                self.drop_question(request);
            }
        }
        self.wake();
    }
}

impl Asking {
    /// Whether the cluster's queue has the request.
    pub(crate) fn is_kept(&self) -> bool {
        self.shell.asked.borrow().get(&self.request.0).is_some_and(|pending| pending.kept)
    }

    /// The answer, once.
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<Answer> {
        let mut asked = self.shell.asked.borrow_mut();
        let pending = asked.get_mut(&self.request.0).expect("an answer is taken once");
        match pending.answer.take() {
            Some(answer) => {
                asked.remove(&self.request.0);
                Poll::Ready(answer)
            }
            None => {
                pending.waiter = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.shell.abandon(self.request);
    }
}
