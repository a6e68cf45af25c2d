//! What the thread does: carries out what the core wants, and feeds it what happens.

use std::sync::{Arc, PoisonError, RwLock};

use async_nats::connection::State;
use async_nats::{Client, HeaderMap, Subscriber};
use bytes::Bytes;
use desk_cluster::limits::LATE_TIME;
use desk_cluster::queue::Place;
use desk_cluster::{
    CallId, Event, Input, Layout, Node, NodeInput, NodeOutput, Output, QueueInput, QueueOutput,
    QueueView, UnitId, View,
};
use futures_util::StreamExt as _;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, timeout};

use crate::api::{EXPECTED_SEQUENCE, EXPECTED_SUBJECT, MESSAGE_ID, newest, page, purge, remove};
use crate::clock::{Clock, Pulse};
use crate::handle::Call;
use crate::leaders::{lane_name, put_back};
use crate::limits::{HAND_OVER_TIME, RECONNECT_PAUSE};
use crate::questions::{Asker, Question, Questions};
use crate::streams::{REQUESTS, VERDICTS};

/// Subjects of what nodes say to all others.
pub(crate) const BEATS: &str = "desk.hb";
const INVITES: &str = "desk.own";
const BELLS: &str = "desk.queue";

/// Everything that the thread holds.
pub(crate) struct Run<T> {
    client: Client,
    clock: Clock,
    node: Node,
    name: String,
    layout: Layout,
    inbox: String,
    questions: Questions,
    view: Arc<RwLock<Arc<View>>>,
    queue: Arc<RwLock<Arc<QueueView>>>,
    tell: T,
    reconnected_at: Option<Instant>,
}

/// What the thread shows to the others.
pub(crate) type Views = (Arc<RwLock<Arc<View>>>, Arc<RwLock<Arc<QueueView>>>);

/// What the thread listens to.
pub(crate) struct Ears {
    answers: Subscriber,
    beats: Subscriber,
    invites: Subscriber,
    bells: Subscriber,
    verdicts: Subscriber,
}

impl Ears {
    /// # Errors
    /// The connection is gone.
    pub(crate) async fn open(client: &Client, inbox: &str, name: &str) -> Result<Self, String> {
        let listen = async |subject: String| {
            client.subscribe(subject).await.map_err(|error| error.to_string())
        };
        Ok(Self {
            answers: listen(format!("{inbox}.*")).await?,
            beats: listen(format!("{BEATS}.*")).await?,
            invites: listen(INVITES.to_owned()).await?,
            bells: listen(BELLS.to_owned()).await?,
            verdicts: listen(format!("{VERDICTS}.{name}.*")).await?,
        })
    }
}

impl<T: FnMut(Event)> Run<T> {
    pub(crate) fn new(
        client: Client,
        clock: Clock,
        node: Node,
        (name, layout): (String, Layout),
        inbox: String,
        (view, queue): Views,
        tell: T,
    ) -> Self {
        let questions = Questions::default();
        Self {
            client,
            clock,
            node,
            name,
            layout,
            inbox,
            questions,
            view,
            queue,
            tell,
            reconnected_at: None,
        }
    }

    /// Who is there, as far as heard.
    pub(crate) fn view(&self) -> Arc<View> {
        Arc::new(self.node.view().clone())
    }

    /// Serves until the node leaves.
    pub(crate) async fn serve(
        mut self,
        mut ears: Ears,
        mut calls: UnboundedReceiver<Call>,
        pulse: &Pulse,
    ) {
        loop {
            self.carry_out().await;
            let due = self.node.poll_timeout().map(|(at, _)| self.clock.instant(at));
            let due = due.unwrap_or_else(Instant::now);
            // Whoever is late has a doubt to tell of first.
            if due.elapsed() < LATE_TIME {
                pulse.beat();
            }
            tokio::select! {
                biased;
                call = calls.recv() => match call {
                    None | Some(Call::Stop) => break,
                    Some(call) => self.call(call),
                },
                Some(answer) = ears.answers.next() => self.answered(answer),
                Some(beat) = ears.beats.next() => {
                    self.handle(NodeInput::Heard(beat.payload.to_vec()));
                }
                Some(invite) = ears.invites.next() => {
                    self.handle(NodeInput::Invited(invite.payload.to_vec()));
                }
                Some(bell) = ears.bells.next() => {
                    let rung = QueueInput::Rung(bell.payload.to_vec());
                    self.handle(NodeInput::Queue(rung));
                }
                Some(verdict) = ears.verdicts.next() => {
                    let heard = QueueInput::Heard(verdict.payload.to_vec());
                    self.handle(NodeInput::Queue(heard));
                }
                () = tokio::time::sleep_until(due) => {
                    let now = self.clock.now();
                    self.node.handle_timeout(now);
                }
            }
        }
        self.leave().await;
    }

    /// Says good-bye, so that the others need not wait.
    async fn leave(&mut self) {
        self.handle(NodeInput::Leave);
        self.carry_out().await;
        drop(timeout(RECONNECT_PAUSE, self.client.flush()).await);
    }

    fn handle(&mut self, input: NodeInput) {
        let now = self.clock.now();
        self.node.handle(now, input);
    }

    fn call(&mut self, call: Call) {
        let input = match call {
            Call::Append { unit, epoch, records, ticket } => {
                NodeInput::Unit(unit, Input::Append { epoch, records, ticket })
            }
            Call::Absorbed { unit, epoch } => NodeInput::Unit(unit, Input::Absorbed { epoch }),
            Call::Shown { unit, epoch, states } => {
                NodeInput::Unit(unit, Input::Shown { epoch, states })
            }
            Call::Send { unit, ticket, what, body } => {
                NodeInput::Queue(QueueInput::Send { unit, ticket, what, body })
            }
            Call::Done { number, outcome } => {
                NodeInput::Queue(QueueInput::Done { number, outcome })
            }
            Call::Take { unit } => NodeInput::Unit(unit, Input::Take),
            Call::Release { unit, to } => NodeInput::Release(unit, to),
            Call::Load(load) => NodeInput::Load(load),
            Call::Drain => NodeInput::Drain,
            Call::Stop => NodeInput::Leave,
        };
        self.handle(input);
    }

    fn answered(&mut self, answer: async_nats::Message) {
        let number = answer.subject.rsplit('.').next().and_then(|text| text.parse().ok());
        let Some(number) = number else { return };
        if let Some(input) = self.questions.answered(number, answer) {
            self.handle(input);
        }
    }

    async fn carry_out(&mut self) {
        let mut is_queue_changed = false;
        while let Some(output) = self.node.poll_output() {
            match output {
                NodeOutput::Unit(unit, output) => self.at_lane(unit, output).await,
                NodeOutput::Queue(output) => {
                    self.at_queue(output).await;
                    is_queue_changed = true;
                }
                NodeOutput::Beat(bytes) => {
                    let subject = format!("{BEATS}.{}", self.name);
                    self.publish(subject, None, HeaderMap::new(), bytes.into()).await;
                }
                NodeOutput::Invite(bytes) => {
                    self.publish(INVITES.to_owned(), None, HeaderMap::new(), bytes.into()).await;
                }
                NodeOutput::PutBack => {
                    let put_back = put_back(self.client.clone(), self.layout.clone());
                    drop(tokio::spawn(put_back));
                }
                NodeOutput::Tell(event) => {
                    if event == Event::Members {
                        let view = Arc::new(self.node.view().clone());
                        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
                    }
                    is_queue_changed |= matches!(event, Event::Asked { .. } | Event::Told { .. });
                    (self.tell)(event);
                }
            }
        }
        if is_queue_changed {
            let queue = Arc::new(self.node.queue());
            *self.queue.write().unwrap_or_else(PoisonError::into_inner) = queue;
        }
    }

    async fn at_queue(&mut self, output: QueueOutput) {
        let subject = |place: Place| match place {
            Place::Requests(unit) => format!("{REQUESTS}.{unit}"),
            Place::Verdict { sender, id } => format!("{VERDICTS}.{sender}.{id:016x}"),
        };
        let asker = Asker::Queue;
        match output {
            QueueOutput::Publish { call, place, id, bytes } => {
                let mut headers = HeaderMap::new();
                headers.insert(MESSAGE_ID, id.as_str());
                let payload = Bytes::from_owner(bytes);
                self.ask(asker, call, Question::Publish, subject(place), headers, payload).await;
            }
            QueueOutput::Read { call, from } => {
                let (to, payload) = page(REQUESTS, &format!("{REQUESTS}.*"), from);
                let question = Question::Read(Vec::new());
                self.ask(asker, call, question, to, HeaderMap::new(), payload).await;
            }
            QueueOutput::LookUp { call, place } => {
                let (to, payload) = newest(VERDICTS, &subject(place));
                let payload = payload.into();
                self.ask(asker, call, Question::LookUp, to, HeaderMap::new(), payload).await;
            }
            QueueOutput::Remove { call, sequence } => {
                let (to, payload) = remove(REQUESTS, sequence);
                self.ask(asker, call, Question::Purge, to, HeaderMap::new(), payload).await;
            }
            QueueOutput::Ring(bytes) => {
                self.publish(BELLS.to_owned(), None, HeaderMap::new(), bytes.into()).await;
            }
        }
    }

    async fn at_lane(&mut self, unit: UnitId, output: Output) {
        let lane = |lane: usize| lane_name(self.layout.stream(unit, lane));
        let asker = Asker::Unit(unit);
        match output {
            Output::Publish { call, lane: at, is_fence, id, newest_fence, bytes } => {
                let stream = lane(at);
                let fences = format!("{stream}.{unit}.f");
                let subject = if is_fence { fences.clone() } else { format!("{stream}.{unit}.o") };
                let mut headers = HeaderMap::new();
                headers.insert(MESSAGE_ID, id.as_str());
                headers.insert(EXPECTED_SEQUENCE, newest_fence.to_string().as_str());
                headers.insert(EXPECTED_SUBJECT, fences.as_str());
                let payload = Bytes::from_owner(bytes);
                self.ask(asker, call, Question::Publish, subject, headers, payload).await;
            }
            Output::LookUp { call, lane: at, is_fence } => {
                let stream = lane(at);
                let kind = if is_fence { "f" } else { "o" };
                let (subject, payload) = newest(&stream, &format!("{stream}.{unit}.{kind}"));
                let payload = payload.into();
                self.ask(asker, call, Question::LookUp, subject, HeaderMap::new(), payload).await;
            }
            Output::Read { call, lane: at, from } => {
                let stream = lane(at);
                let (subject, payload) = page(&stream, &format!("{stream}.{unit}.>"), from);
                let question = Question::Read(Vec::new());
                self.ask(asker, call, question, subject, HeaderMap::new(), payload).await;
            }
            Output::Purge { call, lane: at, upto } => {
                let stream = lane(at);
                let (subject, payload) = purge(&stream, &format!("{stream}.{unit}.o"), upto);
                self.ask(asker, call, Question::Purge, subject, HeaderMap::new(), payload).await;
            }
            Output::Reconnect => self.reconnect().await,
            Output::Tell(event) => (self.tell)(event),
        }
    }

    /// Asks a stream. Without a connection the answer is that nobody knows: what the
    /// client would keep would arrive when it is old.
    async fn ask(
        &mut self,
        asker: Asker,
        call: CallId,
        question: Question,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) {
        let why = "no connection to the nats-servers".to_owned();
        let unanswered = asker.input(call, question.unanswered(why));
        let number = self.questions.ask(asker, call, question);
        let reply = format!("{}.{number}", self.inbox);
        if !self.publish(subject, Some(reply), headers, payload).await {
            self.handle(unanswered);
        }
    }

    /// Gives a message to the connection; says whether there is one that takes it.
    async fn publish(
        &self,
        subject: String,
        reply: Option<String>,
        headers: HeaderMap,
        payload: Bytes,
    ) -> bool {
        if self.client.connection_state() != State::Connected {
            return false;
        }
        let publish = async {
            match reply {
                Some(reply) if headers.is_empty() => {
                    self.client.publish_with_reply(subject, reply, payload).await
                }
                Some(reply) => {
                    let client = &self.client;
                    client.publish_with_reply_and_headers(subject, reply, headers, payload).await
                }
                None => self.client.publish(subject, payload).await,
            }
        };
        matches!(timeout(HAND_OVER_TIME, publish).await, Ok(Ok(())))
    }

    async fn reconnect(&mut self) {
        let now = Instant::now();
        let is_due = self.reconnected_at.is_none_or(|at| now - at >= RECONNECT_PAUSE);
        if is_due && self.client.connection_state() == State::Connected {
            self.reconnected_at = Some(now);
            drop(self.client.force_reconnect().await);
        }
    }
}
