//! One HTTP connection, from its first byte until it ends or is upgraded.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::task::{Context, Poll};

use desk_engine_core::{Reply, Request, ServiceError, SessionKey, Source};
use desk_gateway_http::http::{Connection, Event as Arrived, RequestHead, Response};
use desk_gateway_http::{Problem, Time};
use desk_protocol::limits::DeskLimits;

use super::carried::Carried;
use super::cluster::Elsewhere;
use super::{Door, answers, carried, cluster};
use crate::beside::{Busy, Kind};
use crate::budget::Held;
use crate::limits::BUFFERED_BYTES;
use crate::net::byte_stream::ByteStream as _;
use crate::net::deadlines::Deadline;
use crate::net::flag::Flag;
use crate::net::scratch;
use crate::net::stream::Stream;
use crate::net::unsent::Unsent;
use crate::shard::{Answer, LineAnswer, LineQuestion, Question, Shell, Upgrade};

/// A connection and what its requests need.
pub(super) struct Http {
    pub(super) shell: Rc<Shell>,
    pub(super) door: Door,
    pub(super) peer: SocketAddr,
    /// Whom it counts for: the peer, or who came through a proxy.
    source: Source,
    stream: Stream,
    protocol: Connection,
    deadline: Deadline,
    changed: Rc<Flag>,
    /// What of the request in hand, and of those behind it, counts for the process.
    unread: Held,
    /// The peer sends nothing more.
    ended: bool,
    /// The server's direction of the stream was ended.
    shut: bool,
    /// The page of another machine of the cluster that sent the request in hand.
    page: Option<String>,
    /// What the request in hand was for, if this machine does not serve it.
    pub(super) elsewhere: Option<Elsewhere>,
}

/// The peer is gone, and would read no answer.
#[derive(Debug)]
pub(super) struct Gone;

/// What it means that a peer has ended its direction of the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ends {
    /// It has hung up, as most of those have.
    Counts,
    /// It may still read the answer.
    MayRead,
}

impl Http {
    /// An accepted connection before its first request.
    pub(super) fn new(shell: Rc<Shell>, stream: Stream, peer: SocketAddr, door: Door) -> Self {
        let changed = Rc::new(Flag::default());
        let source = Source::from(peer.ip());
        Self {
            protocol: Connection::with_limits(shell.clock.now(), shell.shared.config.limits.http),
            deadline: shell.deadlines.waiter(Rc::clone(&changed)),
            unread: Held::nothing(&shell.unread, source, &changed),
            shell,
            door,
            peer,
            source,
            stream,
            changed,
            ended: false,
            shut: false,
            page: None,
            elsewhere: None,
        }
    }

    /// Waits for the head of the next request; `None` once the connection is closed.
    pub(super) async fn next_head(&mut self) -> Result<Option<RequestHead>, Gone> {
        loop {
            self.write().await?;
            if self.protocol.is_closed() {
                return Ok(None);
            }
            // The request before was answered.
            if self.unread.set(self.unread_bytes()).is_err() {
                self.protocol.give_up();
            }
            let now = self.now();
            match self.protocol.poll_event(now) {
                Err(error) => self.refuse(&error.into()),
                Ok(Some(Arrived::Head(head))) => return Ok(Some(head)),
                // A body is taken where it was asked for, in `Http::body`.
                Ok(Some(Arrived::Body(_))) => {}
                Ok(None) if self.protocol.is_closed() => {}
                Ok(None) => self.wait().await?,
            }
        }
    }

    /// What this connection holds counts for an address from now on.
    pub(super) fn attribute(&mut self, source: Source) {
        self.source = source;
        self.unread.attribute(source);
    }

    /// The address that this connection counts for.
    pub(super) fn source(&self) -> Source {
        self.source
    }

    pub(super) fn now(&self) -> Time {
        self.shell.clock.now()
    }

    /// Bytes of requests beyond what every connection may have.
    fn unread_bytes(&self) -> usize {
        self.protocol.buffered_bytes().saturating_sub(BUFFERED_BYTES)
    }

    /// The request in hand was sent by a page of this origin, which may read the answer.
    pub(super) fn sent_by(&mut self, page: Option<String>) {
        self.page = page;
        self.elsewhere = None;
    }

    /// Answers the request in hand.
    pub(super) fn respond(&mut self, response: &Response) {
        if let Some(page) = self.page.take() {
            return self.respond_plainly(&cluster::readable_by(page, response.clone()));
        }
        self.respond_plainly(response);
    }

    fn respond_plainly(&mut self, response: &Response) {
        let metrics = self.shell.metrics();
        metrics.requests.add(1);
        if response.status.0 >= 500 {
            metrics.requests_failed.add(1);
        }
        self.protocol.respond(self.now(), response);
    }

    /// Appends a part of a streamed answer and writes it.
    pub(super) async fn stream_part(&mut self, part: &[u8]) -> Result<(), Gone> {
        self.protocol.push_body(part);
        self.write().await
    }

    /// Ends a streamed answer.
    pub(super) fn end_stream(&mut self) {
        self.protocol.finish_body(self.now());
    }

    /// Asks for the body of the request in hand; `None` when it was refused
    /// and answered.
    pub(super) async fn body(&mut self) -> Result<Option<Vec<u8>>, Gone> {
        self.protocol.accept_body(self.now());
        self.arrived_body().await
    }

    /// The same for a file to import.
    pub(super) async fn file(&mut self) -> Result<Option<Vec<u8>>, Gone> {
        let bytes_max = self.shell.shared.config.limits.http.import_body_bytes;
        self.protocol.accept_body_within(self.now(), bytes_max);
        self.arrived_body().await
    }

    async fn arrived_body(&mut self) -> Result<Option<Vec<u8>>, Gone> {
        loop {
            self.write().await?;
            let now = self.now();
            match self.protocol.poll_event(now) {
                Ok(Some(Arrived::Body(body))) => return Ok(Some(body)),
                Ok(Some(Arrived::Head(_))) => return Ok(None),
                Ok(None) if self.protocol.is_closed() => return Err(Gone),
                Ok(None) => self.wait().await?,
                Err(error) => {
                    self.refuse(&error.into());
                    return Ok(None);
                }
            }
        }
    }

    /// What a body may ask of a desk.
    pub(super) fn limits(&self) -> &DeskLimits {
        &self.shell.shared.config.limits.shard.order.desk
    }

    /// Computes something that takes long on the thread beside the shards. If the peer goes
    /// away first, the job is not begun. A peer that ended its direction counts as gone,
    /// because most of those have hung up.
    ///
    /// # Errors
    /// 429: too much of this address waits for it. 503: its turn does not come in time.
    pub(super) async fn beside<T: Send + 'static>(
        &mut self,
        kind: Kind,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, Problem>, Gone> {
        let awaited = match self.shell.shared.beside.begin(self.source, kind, job) {
            Ok(awaited) => awaited,
            Err(Busy) => {
                let why = "exports and imports of this address wait already";
                return Ok(Err(answers::problem(&ServiceError::TooMany(why))));
            }
        };
        match self.until_done(Ends::Counts, |context| awaited.poll(context)).await? {
            Some(done) => Ok(Ok(done)),
            None => Ok(Err(answers::problem(&ServiceError::Unavailable("many files wait")))),
        }
    }

    /// Asks the owner of a desk.
    pub(super) async fn ask(&mut self, request: Request) -> Result<Reply, Gone> {
        let wanted = match request.link() {
            Some(link) => Elsewhere::Desk(link),
            None => Elsewhere::New,
        };
        match self.ask_shard(Question::Desk(Box::new(request))).await? {
            Some(Answer::Desk(reply)) => {
                if matches!(reply, Reply::Failed(ServiceError::Moved)) {
                    self.elsewhere = Some(wanted);
                }
                Ok(reply)
            }
            Some(_) => unreachable!("an answer is of its question's kind"),
            None if self.unread.is_ended() => {
                let why = "the server has no room for this request";
                Ok(Reply::Failed(ServiceError::Unavailable(why)))
            }
            None => Ok(Reply::Failed(ServiceError::Unavailable("the answer takes too long"))),
        }
    }

    /// Asks the owner of a desk for something that the cluster's queue carries: another
    /// machine may have the desk, or nobody for a moment.
    pub(super) async fn ask_owner(&mut self, request: Request) -> Result<Carried, Gone> {
        let cluster = self.shell.shared.cluster.is_some();
        let link = request.link();
        let parcel = cluster.then(|| carried::pack(&request)).flatten();
        let reply = self.ask(request).await?;
        let (Reply::Failed(ServiceError::Moved), Some(parcel), Some(link)) = (&reply, parcel, link)
        else {
            return Ok(Carried::Reply(reply));
        };
        self.elsewhere = None;
        let shell = Rc::clone(&self.shell);
        let asking = shell.ask_cluster(link, parcel.what, parcel.body);
        match self.until_done(Ends::MayRead, |context| asking.poll(context)).await? {
            Some(Answer::Carried(verdict)) => Ok(carried::carried(&verdict)),
            Some(_) => unreachable!("an answer is of its question's kind"),
            None => Ok(carried::late(asking.is_kept())),
        }
    }

    /// Gives frames to a line over HTTP requests, or asks for some; `None`: the answer takes
    /// too long.
    pub(super) async fn ask_line(
        &mut self,
        question: LineQuestion,
    ) -> Result<Option<LineAnswer>, Gone> {
        match self.ask_shard(Question::Line(Box::new(question))).await? {
            Some(Answer::Line(answer)) => Ok(Some(answer)),
            Some(_) => unreachable!("an answer is of its question's kind"),
            None => Ok(None),
        }
    }

    /// Asks a shard; `None`: the answer takes too long, or there is no room for the request.
    /// If the peer goes away meanwhile, the question is abandoned. A peer that only ended its
    /// direction still gets an answer, unless it polls.
    async fn ask_shard(&mut self, question: Question) -> Result<Option<Answer>, Gone> {
        let ends = if question.waits() { Ends::Counts } else { Ends::MayRead };
        let shell = Rc::clone(&self.shell);
        let asking = shell.ask(shell.target_of(&question), question).await;
        self.until_done(ends, |context| asking.poll(context)).await
    }

    /// Waits for what a request in hand needs; `None`: it takes too long, or there is no room
    /// for the request any more.
    ///
    /// # Errors
    /// The peer went away meanwhile.
    async fn until_done<T>(
        &mut self,
        ends: Ends,
        mut done: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Result<Option<T>, Gone> {
        let until = self.now() + self.shell.shared.config.limits.request_time;
        self.set_deadline(Some(until));
        std::future::poll_fn(|context| {
            if let Poll::Ready(done) = done(context) {
                return Poll::Ready(Ok(Some(done)));
            }
            while self.changed.poll(context).is_ready() {
                if until <= self.now() {
                    return Poll::Ready(Ok(None));
                }
            }
            if self.unread.is_ended() {
                return Poll::Ready(Ok(None));
            }
            while !self.ended && self.protocol.wants_input() {
                match self.poll_input(context) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Gone)),
                }
            }
            // It may have ended while something before was waited for.
            if self.ended && ends == Ends::Counts {
                return Poll::Ready(Err(Gone));
            }
            Poll::Pending
        })
        .await
    }

    /// Sets or removes the deadline. If it becomes the first one of the shard, a turn has to
    /// arm the shard's timer anew.
    fn set_deadline(&self, until: Option<Time>) {
        if self.deadline.set(until) {
            self.shell.wake();
        }
    }

    /// Waits for more bytes, or for the protocol's next deadline.
    async fn wait(&mut self) -> Result<(), Gone> {
        if self.protocol.is_ending() && !self.shut {
            self.shut = true;
            self.stream.end(Shutdown::Write);
        }
        self.set_deadline(self.protocol.poll_timeout().map(|(at, _)| at));
        std::future::poll_fn(|context| {
            while self.changed.poll(context).is_ready() {
                if self.unread.is_ended() {
                    self.protocol.give_up();
                    return Poll::Ready(Ok(()));
                }
                let now = self.now();
                if self.protocol.poll_timeout().is_some_and(|(at, _)| at <= now) {
                    self.protocol.handle_timeout(now);
                    return Poll::Ready(Ok(()));
                }
            }
            if self.ended || !self.protocol.wants_input() {
                return Poll::Pending;
            }
            self.poll_input(context).map_err(|_| Gone)
        })
        .await
    }

    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        scratch::read(|buffer| {
            let Poll::Ready(read) = self.stream.poll_receive(context, buffer)? else {
                return Poll::Pending;
            };
            if read == 0 {
                self.ended = true;
                self.protocol.handle_end();
            } else {
                let now = self.shell.clock.now();
                self.protocol.handle_bytes(now, &buffer[..read]);
                // Until it is answered a request counts as a whole, its body too.
                if self.unread.at_least(self.unread_bytes()).is_err() {
                    self.protocol.give_up();
                }
            }
            Poll::Ready(Ok(()))
        })
    }

    /// Writes all of the output. A peer on a slow line takes as long as it needs; one that
    /// takes nothing is ended by the kernel (`reader-stall`).
    pub(super) async fn write(&mut self) -> Result<(), Gone> {
        if self.protocol.output().is_empty() {
            return Ok(());
        }
        let mut unsent = Unsent::from(std::mem::take(self.protocol.output()));
        while !unsent.is_empty() {
            match self.stream.try_send(unsent.rest()) {
                Ok(sent) => unsent.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Err(Gone),
            }
        }
        if unsent.is_empty() && self.stream.unflushed_bytes() == 0 {
            return Ok(());
        }
        unsent.shrink();
        let mut held = Held::nothing(&self.shell.unsent, self.source, &self.changed);
        let counted = unsent.counted_bytes(self.stream.unflushed_bytes());
        held.set(counted).map_err(|_| Gone)?;
        self.set_deadline(None);
        std::future::poll_fn(|context| {
            while self.changed.poll(context).is_ready() {}
            if held.is_ended() {
                return Poll::Ready(Err(Gone));
            }
            while !unsent.is_empty() {
                match self.stream.poll_send(context, unsent.rest()) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(sent)) => unsent.advance(sent),
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Gone)),
                }
                let counted = unsent.counted_bytes(self.stream.unflushed_bytes());
                if held.set(counted).is_err() {
                    return Poll::Ready(Err(Gone));
                }
            }
            self.stream.poll_flush(context).map_err(|_| Gone)
        })
        .await
    }

    /// Leaves HTTP: the stream, and what came behind the request.
    pub(super) fn into_upgrade(self, answer: Vec<u8>, key: SessionKey) -> Upgrade<Stream> {
        let leftover = self.protocol.into_leftover();
        Upgrade { stream: self.stream, answer, leftover, key, source: self.source }
    }

    /// Answers with a problem.
    pub(super) fn refuse(&mut self, problem: &Problem) {
        self.respond(&problem.to_response());
    }
}

/// The head of a request, for what follows from it alone.
pub(super) fn host(head: &RequestHead) -> &str {
    head.host().unwrap_or("localhost")
}
