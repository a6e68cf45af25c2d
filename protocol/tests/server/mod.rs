//! A desk with its text history, to order batches on.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use desk_protocol::limits::OrderLimits;
use desk_protocol::resolver::{
    Acceptance, Refusal, RejectionReason, Submission, TextHistories, accept,
};
use desk_protocol::{
    Author, Batch, ClientSeq, CollisionStatus, Color, Commit, Create, Desk, Operation, Point,
    Revision, Size, StickerId, Write,
};

#[derive(Clone, Default)]
pub struct Server {
    pub desk: Desk,
    pub histories: TextHistories,
    pub limits: OrderLimits,
}

impl Server {
    pub fn submit(&mut self, author: u32, base: u64, batch: &Batch) -> Result<Acceptance, Refusal> {
        self.submit_made(author, base, base, batch)
    }

    /// A batch made at another base than it stands on now.
    pub fn submit_made(
        &mut self,
        author: u32,
        made_at: u64,
        base: u64,
        batch: &Batch,
    ) -> Result<Acceptance, Refusal> {
        let submission = Submission {
            author: Author(author),
            client_seq: ClientSeq(1),
            base: Revision(base),
            made_at: Revision(made_at),
            batch,
            user: "",
            now_ms: 0,
            text_at_head: &[],
        };
        accept(&mut self.desk, &mut self.histories, submission, &self.limits)
    }

    /// Orders operations that must be accepted.
    pub fn order(&mut self, author: u32, base: u64, operations: Vec<Operation>) -> Commit {
        let batch =
            Batch::from_operations(operations, &self.limits.desk).expect("a well-formed batch");
        self.submit(author, base, &batch).expect("an acceptable batch").commit
    }

    /// Orders operations made at the head.
    pub fn now(&mut self, author: u32, operations: Vec<Operation>) -> Commit {
        self.order(author, self.desk.revision().0, operations)
    }

    pub fn status(
        &mut self,
        author: u32,
        base: u64,
        operations: Vec<Operation>,
    ) -> CollisionStatus {
        self.order(author, base, operations).status
    }

    pub fn rejection(
        &mut self,
        author: u32,
        base: u64,
        operations: Vec<Operation>,
    ) -> RejectionReason {
        let before = self.desk.clone();
        let batch =
            Batch::from_operations(operations, &self.limits.desk).expect("a well-formed batch");
        let refusal = self.submit(author, base, &batch).expect_err("an impossible batch");
        assert_eq!(self.desk, before, "a refused batch changes nothing");
        match refusal {
            Refusal::Rejected(rejection) => rejection.reason,
            Refusal::Stale(id) => panic!("{id} is stale"),
        }
    }
}

/// What a person sees of a desk: no stamps, heights only as an order.
pub fn content(desk: &Desk) -> (String, Vec<Seen>) {
    let pile = desk.stickers().map(|sticker| Seen {
        id: sticker.id,
        position: sticker.position.value,
        size: sticker.size.value,
        color: sticker.color.value,
        deleted: sticker.deleted.value,
        text: sticker.text.value.clone(),
    });
    (desk.title().value.clone(), pile.collect())
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub id: StickerId,
    pub position: Point,
    pub size: Size,
    pub color: Color,
    pub deleted: bool,
    pub text: String,
}

pub fn order_of_pile(desk: &Desk) -> Vec<StickerId> {
    desk.pile().map(|sticker| sticker.id).collect()
}

pub fn create(id: u64, text: &str) -> Operation {
    Operation::Create(Create {
        id: StickerId(id),
        position: Point { x: 0, y: 0 },
        size: Size::default(),
        color: Color::default(),
        text: text.to_owned(),
        ..Create::default()
    })
}

pub fn set(id: u64, write: Write) -> Operation {
    Operation::Set { id: StickerId(id), write, yielding: false }
}

pub fn yielding(id: u64, write: Write) -> Operation {
    Operation::Set { id: StickerId(id), write, yielding: true }
}

pub fn move_to(id: u64, x: i32) -> Operation {
    set(id, Write::Position(Point { x, y: 0 }))
}

pub fn recolor(id: u64, color: u32) -> Operation {
    set(id, Write::Color(Color(color)))
}

pub fn delete(id: u64) -> Operation {
    set(id, Write::Deleted(true))
}

pub fn restore(id: u64) -> Operation {
    set(id, Write::Deleted(false))
}

pub fn raise(id: u64) -> Operation {
    Operation::Raise { id: StickerId(id), z: None }
}

pub fn lower(id: u64) -> Operation {
    Operation::Lower { id: StickerId(id), z: None }
}

/// Puts `text` before character `at`.
pub fn insert(id: u64, at: u32, text: &str) -> Operation {
    use desk_protocol::text::{Delta, Part};
    let parts = [Part::Retain(at), Part::insert(text)];
    let delta = Delta::from_parts(parts).expect("a small delta");
    Operation::EditText { id: StickerId(id), delta }
}

/// Drops `count` characters from character `at` on.
pub fn cut(id: u64, at: u32, count: u32) -> Operation {
    use desk_protocol::text::{Delta, Part};
    let parts = [Part::Retain(at), Part::Delete(count)];
    let delta = Delta::from_parts(parts).expect("a small delta");
    Operation::EditText { id: StickerId(id), delta }
}

pub fn vote(id: u64, count: u32) -> Operation {
    Operation::Vote { id: StickerId(id), count }
}

pub fn register(key: u8, value: &[u8]) -> Operation {
    Operation::SetRegister { key, value: value.to_owned() }
}

pub fn title(title: &str) -> Operation {
    Operation::SetTitle { title: title.to_owned(), yielding: false }
}
