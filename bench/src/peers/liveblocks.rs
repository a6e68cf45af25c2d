//! Liveblocks' storage: JSON messages, in lists. A note is an object under the root, and moving it
//! sets its members. The server tells the author's own operation back as its answer.

use anyhow::{Context as _, Result, bail};
use desk_gateway_http::websocket::Opcode;
use desk_protocol::Point;

use super::client::{Dialect, Heard, Seat};
use super::json::{has, number_after};
use super::marker::{UNCOUNTED, marker};

/// A client of Liveblocks' server.
#[derive(Debug)]
pub struct Liveblocks {
    seat: Seat,
    /// Who the server says that this client is.
    actor: u64,
    operations: u64,
    settled: bool,
}

impl Liveblocks {
    /// Someone who has not joined.
    pub fn new(seat: Seat) -> Self {
        Self { seat, actor: 0, operations: 0, settled: false }
    }

    fn operation(&mut self, kind: u8, id: &str, rest: &str, to: Point, mark: &str) -> Vec<u8> {
        self.operations += 1;
        format!(
            r#"[{{"type":201,"ops":[{{"type":{kind},"opId":"{}:{}","id":"{id}",{rest}"data":{{"x":{},"y":{},"mark":"{mark}"}}}}]}}]"#,
            self.actor, self.operations, to.x, to.y,
        )
        .into_bytes()
    }

    fn note(&self) -> String {
        format!("{}:0", self.actor)
    }

    fn create(&mut self) -> Vec<u8> {
        let id = self.note();
        let parent = format!(r#""parentId":"root","parentKey":"note-{}","#, self.seat.client);
        self.operation(4, &id, &parent, Point { x: 0, y: 0 }, &marker(UNCOUNTED))
    }
}

impl Dialect for Liveblocks {
    const OPCODE: Opcode = Opcode::Text;
    const ANSWERS: bool = true;

    fn greet(&mut self, heard: &mut Heard) {
        heard.reply(*br#"[{"type":200}]"#);
    }

    fn receive(&mut self, message: &[u8], heard: &mut Heard) -> Result<()> {
        if has(message, r#""type":104"#) {
            self.actor = number_after(message, r#""actor":"#).context("a room has actors")?;
        } else if has(message, r#""type":211"#) {
            // All of the storage has come.
            let create = self.create();
            heard.reply(create);
        } else if has(message, r#""type":201"#) {
            // An answer to the first operation, whatever else is in it.
            let first = format!(r#""opId":"{}:1""#, self.actor);
            self.settled |= !self.settled && has(message, &first);
            heard.operations(message);
        } else if has(message, r#""type":299"#) {
            bail!("Liveblocks says {}", String::from_utf8_lossy(message));
        }
        Ok(())
    }

    fn is_settled(&self) -> bool {
        self.settled
    }

    fn move_note(&mut self, to: Point, mark: &str) -> Vec<u8> {
        let note = self.note();
        self.operation(3, &note, "", to, mark)
    }
}
