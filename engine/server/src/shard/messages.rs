//! Messages between shards.

use std::rc::Rc;

use desk_engine_core::{ConnectionId, RequestId};
use desk_protocol::Time;
use desk_storage_lsm::{Edit, EditNumber, News};

use super::order::{Misrouted, Order, Said};
use super::question::{Answer, Question};
use super::socket::{Socket, Upgrade};
use super::{Kept, Shell};
use crate::net::stream::Detached;

/// A message between two shards.
pub(crate) enum Message {
    /// A request for a desk of the receiver. A place for the answer is reserved.
    Request {
        /// Names the request, and in its upper bits the shard that asks.
        request: RequestId,
        /// What is asked.
        question: Question,
    },
    /// The answer.
    Reply {
        /// To this request.
        request: RequestId,
        /// The answer.
        answer: Box<Answer>,
    },
    /// Nobody waits for the answer any more.
    Abandon {
        /// To this request.
        request: RequestId,
    },
    /// The abandoning is known here. A request that has no answer by now gets none.
    Abandoned {
        /// The request.
        request: RequestId,
    },
    /// An upgraded socket whose desk belongs to the receiver.
    Upgrade(Box<Upgrade<Detached>>),
    /// From the home of a guest, for its desk.
    Said {
        /// The guest.
        connection: ConnectionId,
        /// What it says.
        said: Said,
    },
    /// From the core of a guest's desk, for its home.
    Order {
        /// The guest.
        connection: ConnectionId,
        /// What is wanted of it.
        order: Order,
    },
    /// A datagram of QUIC that arrived at the wrong shard.
    Datagram(Box<Misrouted>),
    /// For the manifest's owner.
    Edits(Vec<Edit>),
    /// For the manifest's owner: the sender's part of a planned stop is on disk.
    Stopped,
    /// From the manifest's owner: these edits are durable.
    EditsDurable(EditNumber),
    /// From the manifest's owner: the manifest cannot be written any more. No bucket can be
    /// made, and the next start would not know of new segments and tables. So no shard
    /// takes changes from now on.
    Poisoned(String),
    /// From the manifest's owner.
    News {
        /// What changed.
        news: News,
        /// The time of the owner's clock that the news were decided by.
        at: Time,
    },
}

impl Shell {
    /// Takes what the other shards sent.
    pub(super) fn take_messages(self: &Rc<Self>) {
        for source in 0..self.shared.shards.len() {
            loop {
                let message = self.mesh.borrow_mut().receive(source);
                let Some(message) = message else { break };
                self.take(source, message);
            }
        }
    }

    fn take(self: &Rc<Self>, source: usize, message: Message) {
        match message {
            Message::Request { request, question } => self.serve(request, question),
            Message::Reply { request, answer } => self.answered(request, *answer),
            Message::Abandon { request } => {
                self.drop_question(request);
                self.mesh.borrow_mut().send(source, Message::Abandoned { request });
            }
            Message::Abandoned { request } => self.forgotten(request),
            Message::Upgrade(upgrade) => {
                let Upgrade { stream, answer, leftover, key, source } = *upgrade;
                match stream.attach() {
                    Ok(stream) => self.open(Upgrade { stream, answer, leftover, key, source }),
                    Err(error) => tracing::warn!(%error, "a connection cannot be watched"),
                }
            }
            Message::Said { connection, said } => self.hear_in_turn(connection, said),
            Message::Order { connection, order } => self.obey_as_home(connection, order),
            Message::Datagram(datagram) => self.take_misrouted(&datagram),
            Message::Edits(edits) => {
                self.edits.borrow_mut().extend(edits);
                self.manifest_wanted.set();
            }
            Message::Stopped => {
                self.stopped.set(self.stopped.get() + 1);
                self.manifest_wanted.set();
            }
            Message::EditsDurable(number) => self.keep(Kept::EditsDurable(number)),
            Message::Poisoned(why) => self.keep(Kept::Failed(why)),
            Message::News { news, at } => {
                // A bucket that has expired by the owner's clock has expired by this one.
                self.clock.catch_up(at);
                self.keep(Kept::News(news));
                self.tell_lifetimes();
            }
        }
    }

    /// Sends to a shard, which may be this one.
    pub(super) fn send(self: &Rc<Self>, target: usize, message: Message) {
        if target == self.index {
            self.take(target, message);
        } else {
            self.mesh.borrow_mut().send(target, message);
            self.wake();
        }
    }

    /// Hands an upgraded connection to the shard of its desk.
    ///
    /// # Errors
    /// No descriptor is left for the copy that changes executors.
    pub(crate) fn hand_over(
        self: &Rc<Self>,
        target: usize,
        upgrade: Upgrade<crate::net::stream::Stream>,
    ) -> std::io::Result<()> {
        if target == self.index {
            self.open(upgrade);
            return Ok(());
        }
        let Upgrade { stream, answer, leftover, key, source } = upgrade;
        let stream = stream.detach()?;
        self.metrics().handovers.add(1);
        let upgrade = Box::new(Upgrade { stream, answer, leftover, key, source });
        self.send(target, Message::Upgrade(upgrade));
        Ok(())
    }

    fn open(self: &Rc<Self>, upgrade: Upgrade<crate::net::stream::Stream>) {
        Socket::start(self, self.name_connection(), upgrade);
    }
}
