//! ShareDB: JSON messages, and operations of json0 on one document a room. An operation names the
//! version that it was made at, and the server transforms it past later ones. Notes of different
//! clients are different members, so that nothing has to be transformed here.

use anyhow::{Context as _, Result, bail, ensure};
use desk_gateway_http::websocket::Opcode;
use desk_protocol::Point;

use super::client::{Dialect, Heard, Seat};
use super::json::{behind, has, number_after};
use super::marker::{UNCOUNTED, marker};

/// A client of ShareDB.
#[derive(Debug)]
pub struct ShareDb {
    seat: Seat,
    /// `"src":"…"` as it stands in answers to this client.
    source: String,
    /// The document's, as far as this client has followed.
    version: u64,
    sequence: u64,
    /// The note as it stands: an operation tells what it takes away.
    note: Option<String>,
    subscribed: bool,
    settled: bool,
}

impl ShareDb {
    /// Someone who has not joined.
    pub fn new(seat: Seat) -> Self {
        let source = format!(r#""src":"client-{}""#, seat.client);
        let (version, sequence) = (0, 0);
        Self { seat, source, version, sequence, note: None, subscribed: false, settled: false }
    }

    fn set(&mut self, to: Point, mark: &str) -> Vec<u8> {
        let Seat { room, client } = self.seat;
        let note = format!(r#"{{"x":{},"y":{},"mark":"{mark}"}}"#, to.x, to.y);
        let before = self.note.as_ref().map_or_else(String::new, |note| format!(r#""od":{note},"#));
        self.sequence += 1;
        let message = format!(
            r#"{{"a":"op","c":"rooms","d":"{room}","v":{},{},"seq":{},"x":{{}},"op":[{{"p":["note-{client}"],{before}"oi":{note}}}]}}"#,
            self.version, self.source, self.sequence,
        );
        self.note = Some(note);
        message.into_bytes()
    }

    fn operation(&mut self, message: &[u8], heard: &mut Heard) -> Result<()> {
        let version = number_after(message, r#""v":"#).context("an operation has a version")?;
        // It came with an earlier answer as well.
        if version < self.version {
            return Ok(());
        }
        ensure!(version == self.version, "ShareDB left version {} out", self.version);
        self.version += 1;
        if has(message, &self.source) {
            self.settled = true;
            heard.answer();
        } else {
            // Before it stands what the operation takes away, with the mark of the move before.
            heard.operations(behind(message, r#""oi":"#).context("a note is set")?);
        }
        Ok(())
    }
}

impl Dialect for ShareDb {
    const OPCODE: Opcode = Opcode::Text;
    const ANSWERS: bool = true;

    fn greet(&mut self, heard: &mut Heard) {
        let client = self.seat.client;
        heard.reply(format!(
            r#"{{"a":"hs","id":"client-{client}","protocol":1,"protocolMinor":2}}"#
        ));
    }

    fn receive(&mut self, message: &[u8], heard: &mut Heard) -> Result<()> {
        if has(message, r#""error":"#) {
            bail!("ShareDB says {}", String::from_utf8_lossy(message));
        }
        if has(message, r#""a":"op""#) {
            // What comes before the snapshot is in the snapshot.
            return if self.subscribed { self.operation(message, heard) } else { Ok(()) };
        }
        if has(message, r#""a":"hs""#) {
            let room = self.seat.room;
            heard.reply(format!(r#"{{"a":"s","c":"rooms","d":"{room}","v":null}}"#));
        } else if has(message, r#""a":"s""#) {
            self.version = number_after(message, r#""v":"#).context("a snapshot has a version")?;
            self.subscribed = true;
            let note = self.set(Point { x: 0, y: 0 }, &marker(UNCOUNTED));
            heard.reply(note);
        }
        Ok(())
    }

    fn is_settled(&self) -> bool {
        self.settled
    }

    fn move_note(&mut self, to: Point, mark: &str) -> Vec<u8> {
        self.set(to, mark)
    }
}
