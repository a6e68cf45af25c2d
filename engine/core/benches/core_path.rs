//! The core's part of an operation, to be counted in instructions: `make instructions`.
//!
//! `core_path SCENARIO COUNT` does one thing so many times. What a run with twice the
//! count takes more is what the operations cost, without the start.

use std::sync::Arc;
use std::time::Duration;

use desk_engine_core::limits::ShardLimits;
use desk_engine_core::*;
use desk_protocol::codec;
use desk_protocol::frame::{ClientFrame, Hello, Presence, Submit};
use desk_protocol::text::Part;
use desk_protocol::{
    ClientSeq, Color, Create, Delta, LinkId, Operation, Point, Revision, Size, StickerId, Time,
    Write,
};

const NOW: Time = Time::from_unix_seconds(1_700_000_000);

/// People who look at the desk besides the author.
const READERS: u64 = 3;

/// Notes on the desk.
const NOTES: u64 = 500;

/// A shard whose disk is done at once, and whose readers read at once.
struct World {
    shard: Shard,
    now: Time,
    bytes: Vec<u8>,
    head: u64,
    seq: u64,
    replies: Vec<Reply>,
    next: u64,
}

impl World {
    fn new() -> Self {
        let limits = ShardLimits {
            batches_per_second: 1_000_000,
            batch_burst: 1_000_000,
            presence_per_second: 1_000_000,
            presence_burst: 1_000_000,
            ..ShardLimits::default()
        };
        let config = ShardConfig {
            index: 0,
            placement: Placement::new(1),
            session_idle: Duration::from_secs(900),
            memory_bytes: 1 << 30,
            limits: Arc::new(limits),
        };
        let mut shard = Shard::new(config, Keyring::new([1; 32]), [2; 32]);
        let week = Lifetime { first: 0, end: 1 << 32, lasts: Duration::from_secs(604_800) };
        shard.handle(NOW, Input::Lifetimes(vec![week]));
        let (bytes, replies) = (Vec::new(), Vec::new());
        Self { shard, now: NOW, bytes, head: 0, seq: 0, replies, next: 0 }
    }

    fn turn(&mut self) {
        let mut newest = None;
        loop {
            match self.shard.poll_output() {
                Some(Output::Append { position, .. }) => newest = Some(position),
                Some(Output::Send { connection, frame, .. }) => {
                    let bytes = frame.len();
                    self.shard.handle(self.now, Input::Sent { connection, bytes });
                }
                Some(Output::Reply { reply, .. }) => self.replies.push(reply),
                Some(_) => {}
                None => match newest.take() {
                    Some(position) => self.shard.handle(self.now, Input::Durable { position }),
                    None => return,
                },
            }
        }
    }

    fn ask(&mut self, body: Request) -> Reply {
        self.next += 1;
        let request = RequestId(self.next);
        self.shard.handle(self.now, Input::Request { request, body: Box::new(body) });
        self.turn();
        self.replies.pop().expect("an answer")
    }

    fn join(&mut self, link: LinkId) -> SessionKey {
        let join = Request::Join { link, old_key: None, content: false, source: None };
        let Reply::Joined(joined) = self.ask(join) else { panic!("nobody joined") };
        joined.key
    }

    fn connect(&mut self, key: SessionKey) -> ConnectionId {
        self.next += 1;
        let connection = ConnectionId(self.next);
        self.shard.handle(self.now, Input::Opened { connection, key: Some(key) });
        let session_key = key.to_string();
        let user = "ann".to_owned();
        let (number, repeats) = (self.next, false);
        let hello = Hello { session_key, connection: number, revision: None, user, repeats };
        self.send(connection, &ClientFrame::Hello(hello));
        connection
    }

    fn send(&mut self, connection: ConnectionId, frame: &ClientFrame) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        codec::encode_client(frame, &mut bytes);
        assert_eq!(self.shard.receive(self.now, connection, &bytes), bytes.len());
        self.bytes = bytes;
        self.turn();
    }

    /// A batch whose author has missed so many revisions.
    fn submit(&mut self, connection: ConnectionId, missed: u64, operations: Vec<Operation>) {
        self.seq += 1;
        let base = Revision(self.head.saturating_sub(missed));
        let submit = Submit { client_seq: ClientSeq(self.seq), base, made_at: base, operations };
        self.send(connection, &ClientFrame::Submit(submit));
        self.head += 1;
    }
}

fn id(number: u64) -> StickerId {
    StickerId((1 + number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1)
}

fn note(number: u64) -> Operation {
    Operation::Create(Create {
        id: id(number),
        position: Point::default(),
        size: Size::default(),
        color: Color::default(),
        text: "Words on a sticker. ".repeat(5),
        ..Create::default()
    })
}

fn moved(number: u64) -> Operation {
    let write = Write::Position(Point { x: (number % 997) as i32, y: 7 });
    Operation::Set { id: id(number % NOTES), write, yielding: false }
}

fn typed(number: u64) -> Operation {
    // Five notes are written in; a text stays within its limit.
    let at = 100 + (number / 5) as u32;
    let parts = [Part::Retain(at), Part::insert("x")];
    Operation::EditText { id: id(number % 5), delta: Delta::from_parts(parts).expect("a delta") }
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let [scenario, count] = &arguments[..] else {
        println!("core_path move|late|type|presence|hello|poll COUNT: see `make instructions`");
        return;
    };
    let count: u64 = count.parse().expect("a count");
    let mut world = World::new();
    let Reply::Joined(desk) =
        world.ask(Request::Create { title: "Retro".to_owned(), content: false })
    else {
        panic!("no desk was made")
    };
    let author = world.connect(desk.key);
    world.submit(author, 0, (0..NOTES).map(note).collect());
    for _ in 0..READERS {
        let key = world.join(desk.link);
        world.connect(key);
    }
    for number in 0..count {
        match scenario.as_str() {
            "move" => world.submit(author, 0, vec![moved(number)]),
            "late" => world.submit(author, 100, vec![moved(number)]),
            "type" => world.submit(author, 0, vec![typed(number)]),
            "presence" => {
                let cursor = Some(Point { x: number as i32, y: 3 });
                let presence = Presence { cursor, ..Presence::default() };
                world.send(author, &ClientFrame::Presence(presence));
                world.now = world.now + Duration::from_millis(40);
                world.shard.handle_timeout(world.now);
                world.turn();
            }
            "hello" => {
                let connection = world.connect(desk.key);
                world.shard.handle(world.now, Input::Closed { connection });
                world.turn();
            }
            "poll" => {
                let since = Revision(world.head);
                let (key, frames) = (desk.key, true);
                drop(world.ask(Request::Poll { key, since, wait_seconds: 0, frames }));
            }
            other => panic!("there is no {other}"),
        }
    }
}
