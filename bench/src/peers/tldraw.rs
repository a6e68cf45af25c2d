//! tldraw's synchronization: JSON messages; a push patches a record, and the others get the patch.
//! The server sends the first at once and then what has gathered every 60th of a second.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use desk_gateway_http::websocket::Opcode;
use desk_protocol::{Point, Time};

use super::client::{Dialect, Heard, Seat};
use super::json::has;
use super::marker::{UNCOUNTED, marker};

/// Its client pings as often; the server closes a line that was silent for 20 seconds.
const PING_EVERY: Duration = Duration::from_secs(5);

/// A client of tldraw's server.
#[derive(Debug)]
pub struct Tldraw {
    seat: Seat,
    schema: Rc<str>,
    /// Pushes so far.
    clock: u64,
    pinged: Option<Time>,
    settled: bool,
}

impl Tldraw {
    /// Someone who has not joined; `schema` is the server's.
    pub fn new(seat: Seat, schema: Rc<str>) -> Self {
        Self { seat, schema, clock: 0, pinged: None, settled: false }
    }

    fn push(&mut self, operation: &str) -> Vec<u8> {
        let (clock, client) = (self.clock, self.seat.client);
        self.clock += 1;
        let diff = format!(r#"{{"shape:note-{client}":{operation}}}"#);
        format!(r#"{{"type":"push","clientClock":{clock},"diff":{diff}}}"#).into_bytes()
    }

    fn create(&mut self) -> Vec<u8> {
        let client = self.seat.client;
        let props = r#"{"color":"yellow","labelColor":"black","size":"m","font":"draw","fontSizeAdjustment":null,"align":"middle","verticalAlign":"middle","growY":0,"url":"","richText":{"type":"doc","content":[{"type":"paragraph"}]},"scale":1,"textLastEditedBy":null}"#;
        let place = r#""x":0,"y":0,"rotation":0,"index":"a1","parentId":"page:page","isLocked":false,"opacity":1"#;
        let mark = marker(UNCOUNTED);
        self.push(&format!(
            r#"["put",{{"id":"shape:note-{client}","typeName":"shape","type":"note",{place},"props":{props},"meta":{{"mark":"{mark}"}}}}]"#
        ))
    }
}

impl Dialect for Tldraw {
    const OPCODE: Opcode = Opcode::Text;
    const ANSWERS: bool = true;

    fn greet(&mut self, heard: &mut Heard) {
        heard.reply(format!(
            r#"{{"type":"connect","connectRequestId":"{}","lastServerClock":0,"protocolVersion":8,"schema":{}}}"#,
            self.seat.client, self.schema
        ));
    }

    fn receive(&mut self, message: &[u8], heard: &mut Heard) -> Result<()> {
        if message.starts_with(br#"{"type":"connect""#) {
            let create = self.create();
            heard.reply(create);
        } else if has(message, r#""incompatibility_error""#) {
            bail!("tldraw says {}", String::from_utf8_lossy(message));
        } else {
            if has(message, r#""push_result""#) {
                // Where one coordinate stays as it was, the push comes back without it.
                let kept = !has(message, r#""action":"discard""#);
                ensure!(kept, "tldraw discarded a push: {}", String::from_utf8_lossy(message));
                self.settled = true;
                heard.answer();
            }
            heard.operations(message);
        }
        Ok(())
    }

    fn keep_alive(&mut self, now: Time, heard: &mut Heard) {
        if now >= *self.pinged.get_or_insert(now) + PING_EVERY {
            self.pinged = Some(now);
            heard.reply(*br#"{"type":"ping"}"#);
        }
    }

    fn is_settled(&self) -> bool {
        self.settled
    }

    fn move_note(&mut self, to: Point, mark: &str) -> Vec<u8> {
        self.push(&format!(
            r#"["patch",{{"x":["put",{}],"y":["put",{}],"meta":["patch",{{"mark":["put","{mark}"]}}]}}]"#,
            to.x, to.y
        ))
    }
}
