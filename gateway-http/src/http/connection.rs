//! One HTTP/1.1 connection as a state machine.

use super::body::BodyDecoder;
use super::error::RequestError;
use super::request::{BodyFraming, Method, RequestHead};
use super::response::{Framing, Response};
use super::status::Status;
use crate::Time;
use crate::limits::{HttpLimits, LINGER_BYTES_MAX};

/// What arrived.
#[derive(Debug)]
pub enum Event {
    /// A request's head. Answer with [`Connection::respond`] at once, or ask
    /// for the body with [`Connection::accept_body`].
    Head(RequestHead),
    /// The whole body of that request; empty if there is none.
    Body(Vec<u8>),
}

/// What a deadline is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deadline {
    /// The request's head must have arrived.
    Head,
    /// The request's body must have arrived.
    Body,
    /// The next request must have begun.
    KeepAlive,
    /// The peer had time to read the last answer.
    Linger,
}

/// One connection, from accept to close or upgrade.
///
/// The shell feeds bytes ([`handle_bytes`](Self::handle_bytes)), drains events
/// ([`poll_event`](Self::poll_event)), answers each request once, writes
/// [`output`](Self::output), and watches [`poll_timeout`](Self::poll_timeout).
/// Requests that arrive behind the one being answered wait in the input.
#[derive(Debug)]
pub struct Connection {
    limits: HttpLimits,
    state: State,
    input: Vec<u8>,
    /// How much of the input was searched for the head's end.
    searched: usize,
    output: Vec<u8>,
    deadline: Option<(Time, Deadline)>,
    timed_out: Option<RequestError>,
    ended: bool,
    request: Request,
}

/// What must be remembered of the request in hand.
#[derive(Debug)]
struct Request {
    body: BodyFraming,
    head_only: bool,
    http_1_0: bool,
    keep_alive: bool,
    expects_continue: bool,
}

#[derive(Debug)]
enum State {
    /// Waiting for a head.
    Head,
    /// The head was handed out; answer or body, the shell decides.
    Deciding,
    /// The body is arriving.
    Body {
        decoder: BodyDecoder,
        content: Vec<u8>,
        /// With so many bytes of it, the time for more begins anew.
        stage: usize,
    },
    /// The body was handed out.
    Answering,
    /// The answer's body is being handed over.
    Streaming {
        framing: Framing,
        then: Then,
    },
    /// Answered early: the rest of the body is skipped.
    Skipping {
        decoder: BodyDecoder,
    },
    /// The request was refused by this machine; the answer is still to come.
    Refused,
    /// The last answer was given; so many more bytes are dropped until the peer closes.
    Lingering {
        bytes_left: usize,
    },
    Closed,
}

/// What follows an answer.
#[derive(Debug)]
enum Then {
    NextRequest,
    Skip(BodyDecoder),
    Linger,
}

impl Connection {
    /// A connection accepted at `now`.
    pub fn new(now: Time) -> Self {
        Self::with_limits(now, HttpLimits::default())
    }

    /// A connection accepted at `now`, with limits of the operator's.
    pub fn with_limits(now: Time, limits: HttpLimits) -> Self {
        Self {
            limits,
            state: State::Head,
            input: Vec::new(),
            searched: 0,
            output: Vec::new(),
            deadline: Some((after(now, limits.head_us), Deadline::Head)),
            timed_out: None,
            ended: false,
            request: Request {
                body: BodyFraming::None,
                head_only: false,
                http_1_0: false,
                keep_alive: false,
                expects_continue: false,
            },
        }
    }

    /// Takes the bytes of a read.
    pub fn handle_bytes(&mut self, now: Time, bytes: &[u8]) {
        if bytes.is_empty() || matches!(self.state, State::Closed) {
            return;
        }
        if let State::Lingering { bytes_left } = &mut self.state {
            match bytes_left.checked_sub(bytes.len()) {
                Some(left) => *bytes_left = left,
                None => self.close(),
            }
            return;
        }
        self.input.extend_from_slice(bytes);
        if matches!(self.deadline, Some((_, Deadline::KeepAlive))) {
            self.deadline = Some((after(now, self.limits.head_us), Deadline::Head));
        }
    }

    /// The peer will send nothing more; it may still wait for an answer.
    pub fn handle_end(&mut self) {
        self.ended = true;
        self.request.keep_alive = false;
        if matches!(self.state, State::Lingering { .. }) {
            self.close();
        }
    }

    /// The time is `now`: acts on a deadline that has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        let Some((_, deadline)) = self.deadline.filter(|&(at, _)| at <= now) else { return };
        self.deadline = None;
        match (deadline, &self.state) {
            (Deadline::Head, State::Head) if !self.input.is_empty() => {
                self.timed_out = Some(RequestError::HeadTimeout { limit_us: self.limits.head_us });
            }
            (Deadline::Body, State::Body { .. }) => {
                self.timed_out = Some(RequestError::BodyTimeout { limit_us: self.limits.body_us });
            }
            _ => self.close(),
        }
    }

    /// The shell keeps nothing more of the request that is arriving. The next
    /// [`poll_event`](Self::poll_event) says so; a request in hand is still to be answered.
    pub fn give_up(&mut self) {
        match self.state {
            State::Head | State::Body { .. } => self.timed_out = Some(RequestError::NoRoom),
            // Its answer was given.
            State::Skipping { .. } => self.close(),
            _ => {}
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, and why.
    pub fn poll_timeout(&self) -> Option<(Time, Deadline)> {
        self.deadline
    }

    /// The next event, `None` until more bytes arrive or the request in hand
    /// is answered.
    ///
    /// # Errors
    /// The request cannot be understood. Answer with the [`crate::Problem`] made
    /// of it; the connection ends after that.
    pub fn poll_event(&mut self, now: Time) -> Result<Option<Event>, RequestError> {
        let event = match self.timed_out.take() {
            Some(error) => Err(error),
            None => self.advance(now),
        };
        match event {
            Err(_) => {
                self.deadline = None;
                self.request.keep_alive = false;
                self.state = State::Refused;
            }
            Ok(None) if self.ended && self.starves() => self.close(),
            Ok(_) => {}
        }
        event
    }

    /// Asks for the body of the request whose head was handed out. A peer that
    /// waits for `100 Continue` gets it.
    ///
    /// # Panics
    /// If no head is in hand.
    pub fn accept_body(&mut self, now: Time) {
        self.accept_body_within(now, self.limits.body_bytes);
    }

    /// The same for a body that may have so many bytes. Of a longer one than others may be,
    /// each part as long as those has their time.
    ///
    /// # Panics
    /// If no head is in hand.
    pub fn accept_body_within(&mut self, now: Time, bytes_max: usize) {
        assert!(matches!(self.state, State::Deciding), "a body is accepted once, after its head");
        match self.decoder(bytes_max) {
            Ok(decoder) => {
                let stage = self.limits.body_bytes.max(1);
                self.state = State::Body { decoder, content: Vec::new(), stage };
                self.deadline = Some((after(now, self.limits.body_us), Deadline::Body));
                if self.request.expects_continue && self.input.is_empty() {
                    self.output.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
            }
            Err(error) => self.timed_out = Some(error),
        }
    }

    /// Answers the request in hand: after its head, after its body or after an
    /// error. If the body is [`super::Body::Streamed`],
    /// [`push_body`](Self::push_body) and [`finish_body`](Self::finish_body)
    /// follow.
    ///
    /// # Panics
    /// If no request is in hand.
    pub fn respond(&mut self, now: Time, response: &Response) {
        if matches!(self.state, State::Closed) {
            return;
        }
        let framing = match (response.status, response.body.length()) {
            (Status::NOT_MODIFIED, _) => Framing::None,
            (_, Some(length)) => Framing::Length(length),
            (_, None) if self.request.http_1_0 => Framing::UntilClose,
            (_, None) => Framing::Chunked,
        };
        let then = self.what_follows(framing);
        let connection = match then {
            Then::Linger => "close",
            // HTTP/1.1 persists by default, so nothing is said.
            _ => "",
        };
        response.append_head(framing, connection, now, &mut self.output);
        if matches!(response.body, super::Body::Streamed(_)) {
            self.deadline = None;
            self.state = State::Streaming { framing, then };
            return;
        }
        if !self.request.head_only && framing != Framing::None {
            self.output.extend_from_slice(response.body.bytes());
        }
        self.go_on(then, now);
    }

    /// Appends a part of a streamed body to the output. Push the next one when
    /// the output is written, so that only one part is in memory.
    ///
    /// # Panics
    /// If no streamed answer was begun, or it gets longer than announced.
    pub fn push_body(&mut self, part: &[u8]) {
        let State::Streaming { framing, .. } = &mut self.state else {
            assert!(matches!(self.state, State::Closed), "a streamed answer was begun");
            return;
        };
        if let Framing::Length(left) = framing {
            let part = part.len() as u64;
            *left = left.checked_sub(part).expect("the body is no longer than announced");
        }
        if part.is_empty() || self.request.head_only {
            return;
        }
        if *framing == Framing::Chunked {
            self.output.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            self.output.extend_from_slice(part);
            self.output.extend_from_slice(b"\r\n");
        } else {
            self.output.extend_from_slice(part);
        }
    }

    /// Ends a streamed body.
    ///
    /// # Panics
    /// If no streamed answer was begun, or it is shorter than announced.
    pub fn finish_body(&mut self, now: Time) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Streaming { framing, then } => {
                assert!(
                    !matches!(framing, Framing::Length(1..)),
                    "the body is as long as announced"
                );
                if framing == Framing::Chunked && !self.request.head_only {
                    self.output.extend_from_slice(b"0\r\n\r\n");
                }
                self.go_on(then, now);
            }
            state => assert!(matches!(state, State::Closed), "a streamed answer was begun"),
        }
    }

    /// What is to be written; the shell takes from its front.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Whether the shell should read. A peer that sends requests without
    /// waiting for answers is not read from until it gets them.
    pub fn wants_input(&self) -> bool {
        match self.state {
            State::Closed => false,
            _ if self.ended => false,
            State::Head | State::Body { .. } | State::Skipping { .. } | State::Lingering { .. } => {
                true
            }
            _ => self.input.len() < self.limits.pipelined_bytes,
        }
    }

    /// Bytes of requests that are kept, whole or not.
    pub fn buffered_bytes(&self) -> usize {
        let body = match &self.state {
            State::Body { content, .. } => content.capacity(),
            _ => 0,
        };
        self.input.capacity() + body
    }

    /// Whether the last answer was given: write the output, then close this
    /// direction and go on reading until [`is_closed`](Self::is_closed).
    pub fn is_ending(&self) -> bool {
        matches!(self.state, State::Lingering { .. } | State::Closed)
    }

    /// Whether the connection is over, once the output is written.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Ends HTTP on this connection, for an upgrade: the bytes that arrived
    /// behind the request, which belong to the new protocol.
    pub fn into_leftover(self) -> Vec<u8> {
        self.input
    }

    fn advance(&mut self, now: Time) -> Result<Option<Event>, RequestError> {
        loop {
            match &mut self.state {
                State::Head => return Ok(self.take_head()?.map(|head| self.begin(head))),
                State::Body { decoder, content, stage } => {
                    let used = decoder.decode(&self.input, content)?;
                    self.input.drain(..used);
                    if !decoder.is_done() {
                        if content.len() >= *stage {
                            *stage = content.len() + self.limits.body_bytes.max(1);
                            let due = after(now, self.limits.body_us);
                            self.deadline = Some((due, Deadline::Body));
                        }
                        return Ok(None);
                    }
                    let content = std::mem::take(content);
                    self.deadline = None;
                    self.state = State::Answering;
                    return Ok(Some(Event::Body(content)));
                }
                State::Skipping { decoder } => {
                    let mut dropped = Vec::new();
                    let used = decoder.decode(&self.input, &mut dropped)?;
                    self.input.drain(..used);
                    if !decoder.is_done() {
                        return Ok(None);
                    }
                    self.await_request(now);
                }
                _ => return Ok(None),
            }
        }
    }

    fn begin(&mut self, head: RequestHead) -> Event {
        self.deadline = None;
        self.request = Request {
            body: head.body(),
            head_only: head.method() == Method::Head,
            http_1_0: head.is_http_1_0(),
            keep_alive: head.keep_alive() && !self.ended,
            expects_continue: head.expects_continue(),
        };
        self.state = State::Deciding;
        Event::Head(head)
    }

    /// Cuts a complete head off the input.
    fn take_head(&mut self) -> Result<Option<RequestHead>, RequestError> {
        // RFC 9112, section 2.2: empty lines before a request are skipped.
        let empty = self.input.chunks_exact(2).take_while(|pair| *pair == b"\r\n").count() * 2;
        if empty > 0 {
            self.input.drain(..empty);
            self.searched = 0;
        }
        if let Some(&first) = self.input.first()
            && first != b'\r'
            && !first.is_ascii_uppercase()
        {
            // Often TLS on the wrong port; no reason to wait for 16 KiB of it.
            return Err(RequestError::Malformed("this is not HTTP"));
        }
        let limit = self.input.len().min(self.limits.head_bytes);
        for at in self.searched..limit {
            if self.input[at] != b'\n' {
                continue;
            }
            if at == 0 || self.input[at - 1] != b'\r' {
                return Err(RequestError::Malformed("a line of the head must end with CR LF"));
            }
            if at >= 3 && self.input[at - 2] == b'\n' {
                let head = RequestHead::parse(&self.input[..=at], &self.limits)?;
                self.input.drain(..=at);
                self.searched = 0;
                return Ok(Some(head));
            }
        }
        self.searched = limit;
        if limit == self.limits.head_bytes {
            return Err(RequestError::head_too_large(&self.limits));
        }
        Ok(None)
    }

    fn decoder(&self, most: usize) -> Result<BodyDecoder, RequestError> {
        match self.request.body {
            BodyFraming::None => BodyDecoder::with_length(0, most),
            BodyFraming::Length(length) => BodyDecoder::with_length(length, most),
            BodyFraming::Chunked => Ok(BodyDecoder::chunked(most)),
        }
    }

    /// Takes the request out of hand and decides what comes after its answer.
    fn what_follows(&mut self, framing: Framing) -> Then {
        let state = std::mem::replace(&mut self.state, State::Refused);
        let persists = self.request.keep_alive && framing != Framing::UntilClose;
        match state {
            State::Refused => Then::Linger,
            _ if !persists => Then::Linger,
            State::Answering => Then::NextRequest,
            State::Body { decoder, .. } => Then::Skip(decoder),
            State::Deciding if self.request.body == BodyFraming::None => Then::NextRequest,
            // Whether the peer will send the body after all is not known.
            State::Deciding if self.request.expects_continue => Then::Linger,
            State::Deciding => {
                self.decoder(self.limits.body_bytes).map_or(Then::Linger, Then::Skip)
            }
            state => panic!("no request is in hand: {state:?}"),
        }
    }

    fn go_on(&mut self, then: Then, now: Time) {
        match then {
            Then::NextRequest => self.await_request(now),
            Then::Skip(decoder) => {
                self.state = State::Skipping { decoder };
                self.deadline = Some((after(now, self.limits.body_us), Deadline::Body));
            }
            Then::Linger if self.ended => self.close(),
            Then::Linger => {
                self.input = Vec::new();
                self.state = State::Lingering { bytes_left: LINGER_BYTES_MAX };
                self.deadline = Some((after(now, self.limits.linger_us), Deadline::Linger));
            }
        }
    }

    fn await_request(&mut self, now: Time) {
        self.state = State::Head;
        self.deadline = Some(if self.input.is_empty() {
            // An idle connection holds no buffers.
            self.input = Vec::new();
            (after(now, self.limits.keep_alive_us), Deadline::KeepAlive)
        } else {
            (after(now, self.limits.head_us), Deadline::Head)
        });
    }

    /// Whether only more input could move this connection.
    fn starves(&self) -> bool {
        matches!(
            self.state,
            State::Head | State::Body { .. } | State::Skipping { .. } | State::Lingering { .. }
        )
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.deadline = None;
        self.input = Vec::new();
    }
}

fn after(now: Time, delay_us: u64) -> Time {
    Time(now.0.saturating_add(delay_us))
}
