//! Frames over HTTP requests, for networks that let neither QUIC nor WebSocket through.
//!
//! One request at a time takes frames to the server, and one waits for frames from it. Both
//! are numbered, so a request that comes twice does no harm.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use desk_client_core::Trouble;
use desk_gateway_http::http::client::{Answer, AnswerReader, request};
use tokio::time::{Instant, timeout};

use super::{Came, Carrier, Line, LineEnd, lost};
use crate::address::Server;
use crate::limits::{
    ANSWER_BYTES_MAX, CLOSE_TIME, POLL_KEPT_TIME, POLL_PART_BYTES, POLL_WAIT, REQUEST_TIME,
};
use crate::random;
use crate::stream::Connector;
use crate::trust::Trust;
use crate::wire::Wire;

/// Opens lines over requests at one server.
#[derive(Clone, Debug)]
pub(super) struct PollTransport {
    connector: Connector,
}

/// The address of such lines.
const TARGET: &str = "/api/desk/collaboration/poll";

impl PollTransport {
    pub(super) fn new(server: &Server, trust: &Trust) -> Self {
        Self { connector: Connector::new(server.clone(), trust) }
    }

    /// Opens one.
    ///
    /// # Errors
    /// The server is not reached, or refuses.
    pub(super) async fn open(&self, session_key: &str) -> Result<PollLine, LineEnd> {
        let line = u32::from_le_bytes(random::bytes());
        let channel = |connector: &Connector| Channel {
            connector: connector.clone(),
            session_key: session_key.to_owned(),
            line,
            kept: None,
        };
        // The empty first part opens it.
        let (say, opened) = channel(&self.connector).say(0, Vec::new()).await;
        opened?;
        Ok(PollLine {
            out: Vec::new(),
            said: 1,
            heard: 0,
            saying: Saying::Idle(say),
            hearing: Hearing::Idle(channel(&self.connector)),
        })
    }
}

type Turn<T> = Pin<Box<dyn Future<Output = (Channel, Result<T, LineEnd>)> + Send>>;

/// The request that takes frames to the server.
enum Saying {
    Idle(Channel),
    UnderWay(Turn<()>),
    /// It failed, or is being replaced.
    None,
}

/// The request that waits for frames.
enum Hearing {
    Idle(Channel),
    UnderWay(Turn<Vec<u8>>),
    /// It failed, or is being replaced.
    None,
}

/// An open line over requests.
pub(crate) struct PollLine {
    /// What is to be sent.
    out: Vec<u8>,
    /// Parts sent, the one under way included.
    said: u64,
    /// Answers asked for, the one under way included.
    heard: u64,
    saying: Saying,
    hearing: Hearing,
}

impl PollLine {
    /// Sends what there is, if nothing is under way.
    fn begin_saying(&mut self) {
        if self.out.is_empty() {
            return;
        }
        match std::mem::replace(&mut self.saying, Saying::None) {
            Saying::Idle(channel) => {
                let rest = self.out.split_off(self.out.len().min(POLL_PART_BYTES));
                let part = std::mem::replace(&mut self.out, rest);
                self.saying = Saying::UnderWay(Box::pin(channel.say(self.said, part)));
                self.said += 1;
            }
            other => self.saying = other,
        }
    }

    /// Waits for frames, if that is not under way.
    fn begin_hearing(&mut self) {
        match std::mem::replace(&mut self.hearing, Hearing::None) {
            Hearing::Idle(channel) => {
                self.hearing = Hearing::UnderWay(Box::pin(channel.hear(self.heard)));
                self.heard += 1;
            }
            other => self.hearing = other,
        }
    }

    /// Waits until the request that takes frames is answered.
    async fn said(saying: &mut Saying) -> Result<(), LineEnd> {
        let Saying::UnderWay(turn) = saying else { return std::future::pending().await };
        let (channel, answer) = turn.await;
        *saying = match answer {
            Ok(()) => Saying::Idle(channel),
            Err(_) => Saying::None,
        };
        answer
    }

    /// Waits for the frames of the request that waits for them.
    async fn heard(hearing: &mut Hearing) -> Result<Vec<u8>, LineEnd> {
        let Hearing::UnderWay(turn) = hearing else { return std::future::pending().await };
        let (channel, answer) = turn.await;
        *hearing = match answer {
            Ok(_) => Hearing::Idle(channel),
            Err(_) => Hearing::None,
        };
        answer
    }
}

impl Line for PollLine {
    fn carrier(&self) -> Carrier {
        Carrier::Poll
    }

    fn queue(&mut self, frames: &[u8]) {
        self.out.extend_from_slice(frames);
    }

    async fn turn(&mut self) -> Result<Came, LineEnd> {
        loop {
            self.begin_saying();
            self.begin_hearing();
            tokio::select! {
                // Frames first: they may say why nothing more is taken.
                biased;
                frames = Self::heard(&mut self.hearing) => {
                    let frames = frames?;
                    if !frames.is_empty() {
                        return Ok(Came::Frames(frames));
                    }
                }
                said = Self::said(&mut self.saying) => said?,
            }
        }
    }

    async fn close(mut self) {
        let goodbye = async {
            loop {
                self.begin_saying();
                match std::mem::replace(&mut self.saying, Saying::None) {
                    // A part without a byte ends the line. The end of the waiting request does
                    // so, too, but that may have been answered a moment before.
                    Saying::Idle(channel) => return drop(channel.say(self.said, Vec::new()).await),
                    Saying::None => return,
                    other => self.saying = other,
                }
                if Self::said(&mut self.saying).await.is_err() {
                    return;
                }
            }
        };
        let _ = timeout(CLOSE_TIME, goodbye).await;
    }
}

/// Requests of a line in one direction, on a connection that is kept for the next one.
struct Channel {
    connector: Connector,
    session_key: String,
    line: u32,
    kept: Option<(Wire, Instant)>,
}

impl Channel {
    /// Takes a part of the frames to the server.
    async fn say(mut self, number: u64, frames: Vec<u8>) -> (Self, Result<(), LineEnd>) {
        let target = format!("{TARGET}?line={}&part={number}", self.line);
        let answer = self.exchange("POST", &target, &frames, REQUEST_TIME).await;
        (self, answer.map(drop))
    }

    /// Waits for frames from the server.
    async fn hear(mut self, number: u64) -> (Self, Result<Vec<u8>, LineEnd>) {
        let wait = POLL_WAIT.as_secs();
        let target = format!("{TARGET}?line={}&part={number}&wait={wait}", self.line);
        let answer = self.exchange("GET", &target, b"", POLL_WAIT + REQUEST_TIME).await;
        (self, answer)
    }

    async fn exchange(
        &mut self,
        method: &str,
        target: &str,
        body: &[u8],
        patience: Duration,
    ) -> Result<Vec<u8>, LineEnd> {
        let answer = timeout(patience, self.ask(method, target, body)).await;
        let answer =
            answer.map_err(|_| lost("the server did not answer in time"))?.map_err(lost)?;
        if answer.status.0 == 200 {
            return Ok(answer.body);
        }
        let trouble = Trouble::of_answer(answer.status.0, answer.code().as_deref());
        Err(LineEnd { trouble, detail: answer.detail() })
    }

    async fn ask(&mut self, method: &str, target: &str, body: &[u8]) -> io::Result<Answer> {
        let fields = [
            ("WebSocket-Session-Key", &*self.session_key),
            ("Content-Type", "application/octet-stream"),
        ];
        let server = &self.connector.server;
        let bytes = request(method, &server.target(target), &server.authority(), &fields, body);
        // The server, or a proxy, may have closed a connection that was kept.
        if let Some((wire, at)) = self.kept.take()
            && at.elapsed() < POLL_KEPT_TIME
            && let Ok(answer) = self.answer_on(wire, bytes.clone()).await
        {
            return Ok(answer);
        }
        let wire = Wire::new(self.connector.connect().await?);
        self.answer_on(wire, bytes).await
    }

    async fn answer_on(&mut self, mut wire: Wire, request: Vec<u8>) -> io::Result<Answer> {
        wire.out = request;
        let mut reader = AnswerReader::new(ANSWER_BYTES_MAX);
        loop {
            let bytes = wire.read().await?;
            if bytes.is_empty() {
                return reader.handle_end().map_err(io::Error::other);
            }
            if let Some(answer) = reader.handle_bytes(bytes).map_err(io::Error::other)? {
                let ends = answer
                    .field("connection")
                    .is_some_and(|field| field.eq_ignore_ascii_case("close"));
                if !ends && reader.into_leftover().is_empty() {
                    self.kept = Some((wire, Instant::now()));
                }
                return Ok(answer);
            }
        }
    }
}
