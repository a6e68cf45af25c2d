//! Yjs: the update of a map's entry, and the clients of y-websocket and Hocuspocus.
//!
//! Both speak the same synchronization. Hocuspocus puts the document's name before each message
//! and asks for a token first.

use anyhow::{Context as _, Result, bail};
use desk_gateway_http::websocket::Opcode;
use desk_protocol::Point;

use super::client::{Dialect, Heard, Seat};
use super::lib0::{Any, put_bytes, put_uint, take_bytes, take_uint};
use super::marker::{UNCOUNTED, marker};

const SYNC: u64 = 0;
const AUTH: u64 = 2;
/// Hocuspocus' synchronization that asks for nothing in return.
const SYNC_REPLY: u64 = 4;

const STEP_1: u64 = 0;
const STEP_2: u64 = 1;
const UPDATE: u64 = 2;

/// An item's content is a list of values.
const CONTENT_ANY: u8 = 8;
const HAS_PARENT_KEY: u8 = 0x20;
const HAS_ORIGIN: u8 = 0x80;

/// One client's own entry of the document's map.
#[derive(Debug)]
struct Entry {
    client: u64,
    /// Items that it has written: each has one value, and takes the one before away.
    clock: u64,
}

impl Entry {
    fn new(seat: Seat) -> Self {
        // Real ones are random and as long.
        Self { client: 4_000_000_000 + seat.client as u64, clock: 0 }
    }

    /// The update that sets it.
    fn set(&mut self, to: Point, mark: &str) -> Vec<u8> {
        let mut out = Vec::new();
        // One client with one item.
        out.extend([1, 1]);
        put_uint(self.client, &mut out);
        put_uint(self.clock, &mut out);
        let before = self.clock.checked_sub(1);
        if let Some(before) = before {
            out.push(CONTENT_ANY | HAS_PARENT_KEY | HAS_ORIGIN);
            put_uint(self.client, &mut out);
            put_uint(before, &mut out);
        } else {
            out.push(CONTENT_ANY | HAS_PARENT_KEY);
            out.push(1);
            put_bytes(b"notes", &mut out);
            put_bytes(format!("note-{}", self.client).as_bytes(), &mut out);
        }
        out.push(1);
        let position = [
            ("x", Any::Integer(i64::from(to.x))),
            ("y", Any::Integer(i64::from(to.y))),
            ("mark", Any::String(mark)),
        ];
        Any::Object(&position).put(&mut out);
        match before {
            None => out.push(0),
            Some(before) => {
                // One client with one run of one deleted item.
                out.push(1);
                put_uint(self.client, &mut out);
                out.push(1);
                put_uint(before, &mut out);
                out.push(1);
            }
        }
        self.clock += 1;
        out
    }
}

/// A client of y-websocket, or of Hocuspocus.
#[derive(Debug)]
pub struct Yjs {
    entry: Entry,
    /// What each message begins with.
    prefix: Vec<u8>,
    /// Hocuspocus wants to be greeted by a token.
    by_token: bool,
    joined: bool,
}

impl Yjs {
    /// Of y-websocket, whose documents are named by the request's path.
    pub fn y_websocket(seat: Seat) -> Self {
        Self { entry: Entry::new(seat), prefix: Vec::new(), by_token: false, joined: false }
    }

    /// Of Hocuspocus.
    pub fn hocuspocus(seat: Seat) -> Self {
        let mut prefix = Vec::new();
        put_bytes(format!("room-{}", seat.room).as_bytes(), &mut prefix);
        Self { entry: Entry::new(seat), prefix, by_token: true, joined: false }
    }

    fn sync(&self, step: u64, content: &[u8]) -> Vec<u8> {
        let mut message = self.prefix.clone();
        put_uint(SYNC, &mut message);
        put_uint(step, &mut message);
        put_bytes(content, &mut message);
        message
    }

    /// Asks for all that the server has: the state of a client that has nothing.
    fn ask(&self) -> Vec<u8> {
        self.sync(STEP_1, &[0])
    }

    fn synchronize(&mut self, mut rest: &[u8], heard: &mut Heard) -> Result<()> {
        match take_uint(&mut rest).context("a synchronization has a step")? {
            // An update without items and deletions: there is nothing that the server lacks.
            STEP_1 => heard.reply(self.sync(STEP_2, &[0, 0])),
            STEP_2 if !self.joined => {
                self.joined = true;
                let update = self.entry.set(Point { x: 0, y: 0 }, &marker(UNCOUNTED));
                heard.reply(self.sync(UPDATE, &update));
            }
            STEP_2 => {}
            UPDATE => heard.operations(rest),
            step => bail!("a synchronization has no step {step}"),
        }
        Ok(())
    }
}

impl Dialect for Yjs {
    const OPCODE: Opcode = Opcode::Binary;
    const ANSWERS: bool = true;

    fn greet(&mut self, heard: &mut Heard) {
        if !self.by_token {
            return heard.reply(self.ask());
        }
        let mut token = self.prefix.clone();
        put_uint(AUTH, &mut token);
        token.push(0);
        put_bytes(b"token", &mut token);
        put_bytes(b"4.7.0", &mut token);
        heard.reply(token);
    }

    fn receive(&mut self, message: &[u8], heard: &mut Heard) -> Result<()> {
        let mut rest = message;
        if self.by_token {
            take_bytes(&mut rest).context("a message begins with the document's name")?;
        }
        match take_uint(&mut rest).context("a message has a type")? {
            SYNC | SYNC_REPLY => self.synchronize(rest, heard),
            AUTH if rest.first() == Some(&2) => {
                heard.reply(self.ask());
                Ok(())
            }
            AUTH => bail!("Hocuspocus refused the token"),
            // Who is there, and that an update was taken, which its echo tells as well.
            _ => Ok(()),
        }
    }

    fn is_settled(&self) -> bool {
        self.joined
    }

    fn move_note(&mut self, to: Point, mark: &str) -> Vec<u8> {
        let update = self.entry.set(to, mark);
        self.sync(UPDATE, &update)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What Yjs 13.6.33 writes for a client of number 4,000,000,000 that does the same.
    #[test]
    fn an_entry_is_set_as_yjs_sets_it() {
        let mut entry = Entry::new(Seat { room: 0, client: 0 });
        let first = entry.set(Point { x: 1, y: 70 }, "a");
        let second = entry.set(Point { x: 2, y: 3_999 }, "b");
        assert_eq!(hex(&first), FIRST);
        assert_eq!(hex(&second), SECOND);
    }

    const FIRST: &str = "010180d0acf30e002801056e6f7465730f6e6f74652d3430303030303030303001760301787d01\
        01797d8601046d61726b77016100";
    const SECOND: &str = "010180d0acf30e01a880d0acf30e0001760301787d0201797d9f3e046d61726b7701620180d0ac\
        f30e010001";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
