//! A server and three clients that the bytes drive: each has one batch in
//! flight, moves it over what others committed, and must show what the server
//! makes of it.
//!
//! The diamond is checked at each step: batch, then the others' operations
//! moved over it, reads the same as the others' operations, then the moved batch.

use arbitrary::{Arbitrary, Result, Unstructured};
use desk_protocol::limits::{HistoryLimits, OrderLimits};
use desk_protocol::resolver::{
    Refusal, Submission, TextHistories, accept, apply, invert, overlay, transform,
};
use desk_protocol::text::{Delta, Part};
use desk_protocol::{
    Author, Batch, ClientSeq, Color, Commit, Create, Desk, Operation, Point, Revision, Size,
    StickerId, Write,
};

const CLIENTS: u32 = 3;
const STEPS_MAX: usize = 64;
/// Stickers a client makes at most: few, so that clients meet on them.
const OWN_STICKERS: u64 = 3;

struct Client {
    author: Author,
    seq: ClientSeq,
    /// The desk at some revision of the server's order.
    replica: Desk,
    /// What was sent, with its base, and what it has become on the replica.
    pending: Option<Pending>,
    /// The last batch and the desk before it, to take it back.
    last: Option<(Batch, Desk)>,
}

struct Pending {
    sent: Batch,
    base: Revision,
    moved: Batch,
    submitted: bool,
}

struct Server {
    desk: Desk,
    histories: TextHistories,
    log: Vec<Commit>,
}

/// Runs the story that `data` tells.
pub fn run(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    // The story ends where the bytes end.
    let _ = story(&mut bytes);
}

fn story(bytes: &mut Unstructured<'_>) -> Result<()> {
    let desk = Desk::new("Fuzz".to_owned());
    let mut clients: Vec<Client> = (1..=CLIENTS)
        .map(|author| Client {
            author: Author(author),
            seq: ClientSeq(1),
            replica: desk.clone(),
            pending: None,
            last: None,
        })
        .collect();
    let mut server =
        Server { desk, histories: TextHistories::new(HistoryLimits::default()), log: Vec::new() };
    let mut told = Ok(());
    for _ in 0..STEPS_MAX {
        told = step(bytes, &mut server, &mut clients);
        if told.is_err() {
            break;
        }
    }
    for client in &mut clients {
        submit(&mut server, client);
    }
    for client in &mut clients {
        while deliver(&server, client) {}
        assert_eq!(client.replica, server.desk, "a replica differs after all commits");
    }
    told
}

fn step(bytes: &mut Unstructured<'_>, server: &mut Server, clients: &mut [Client]) -> Result<()> {
    let client = &mut clients[bytes.int_in_range(0..=CLIENTS as usize - 1)?];
    match bytes.int_in_range(0..=2)? {
        0 if client.pending.is_none() => {
            let sent = batch(bytes, client)?;
            if !sent.is_empty() {
                let base = client.replica.revision();
                client.last = Some((sent.clone(), client.replica.clone()));
                let moved = sent.clone();
                client.pending = Some(Pending { sent, base, moved, submitted: false });
            }
        }
        1 => submit(server, client),
        _ => {
            deliver(server, client);
        }
    }
    Ok(())
}

/// The pending batch reaches the server.
fn submit(server: &mut Server, client: &mut Client) {
    let Some(pending) = client.pending.as_mut().filter(|pending| !pending.submitted) else {
        return;
    };
    pending.submitted = true;
    let before = server.desk.clone();
    let submission = Submission {
        author: client.author,
        client_seq: client.seq,
        base: pending.base,
        made_at: pending.base,
        batch: &pending.sent,
        user: "",
        now_ms: 1,
        text_at_head: &[],
    };
    client.seq = client.seq.next();
    match accept(&mut server.desk, &mut server.histories, submission, &OrderLimits::default()) {
        Ok(acceptance) => {
            assert_eq!(server.desk.revision(), before.revision().next(), "a batch is a revision");
            server.log.push(acceptance.commit);
        }
        Err(Refusal::Rejected(_) | Refusal::Stale(_)) => {
            assert_eq!(server.desk, before, "a refused batch changed the desk");
            client.pending = None;
        }
    }
}

/// The next commit reaches the client; `false` when there is none.
fn deliver(server: &Server, client: &mut Client) -> bool {
    let Some(commit) = server.log.iter().find(|c| c.revision == client.replica.revision().next())
    else {
        return false;
    };
    let own = commit.author == client.author;
    let Some(pending) = client.pending.as_mut() else {
        apply(&mut client.replica, commit).expect("a replica takes each commit in order");
        return true;
    };
    let mut shown = client.replica.clone();
    overlay(&mut shown, &pending.moved, client.author, 1);
    if own {
        apply(&mut client.replica, commit).expect("a replica takes its own commit");
        assert_eq!(
            content(&shown),
            content(&client.replica),
            "the author was shown something else than was committed"
        );
        client.pending = None;
        return true;
    }
    let (moved, others) = transform(&pending.moved, &commit.operations);
    let over = Commit { revision: shown.revision().next(), operations: others, ..commit.clone() };
    apply(&mut shown, &over).expect("operations moved over a batch fit on top of it");
    apply(&mut client.replica, commit).expect("a replica takes each commit in order");
    let mut rebased = client.replica.clone();
    overlay(&mut rebased, &moved, client.author, 1);
    if deletions(&moved) == deletions(&pending.moved) {
        assert_eq!(content(&shown), content(&rebased), "the two ways round the diamond differ");
    }
    pending.moved = moved;
    true
}

/// Deletions in a batch. One that yields is void when another touched the
/// sticker: the sticker shows again, and no operation of the other's says so.
fn deletions(batch: &Batch) -> usize {
    let deletes = |operation: &&Operation| {
        matches!(operation, Operation::Set { write: Write::Deleted(true), .. })
    };
    batch.operations().iter().filter(deletes).count()
}

/// What a person sees but for heights, which only the server evaluates.
fn content(desk: &Desk) -> Vec<String> {
    let sticker = |s: &desk_protocol::Sticker| {
        format!(
            "{} {:?} {:?} {:?} {} {:?}",
            s.id, s.position.value, s.size.value, s.color.value, s.deleted.value, s.text.value
        )
    };
    let mut content: Vec<String> = desk.stickers().map(sticker).collect();
    content.push(desk.title().value.clone());
    content
}

/// A batch made on what the client sees; now and then it takes the last back.
fn batch(bytes: &mut Unstructured<'_>, client: &Client) -> Result<Batch> {
    let mut view = client.replica.clone();
    let mut batch = Batch::default();
    let operations = match &client.last {
        Some((last, before)) if bytes.ratio(1, 4)? => yielding(invert(last, before)),
        _ => Vec::new(),
    };
    let taking_back = !operations.is_empty();
    for operation in operations {
        push(&mut batch, &mut view, operation, client.author);
    }
    if !taking_back {
        for _ in 0..bytes.int_in_range(1..=4)? {
            let operation = operation(bytes, &view, client.author)?;
            push(&mut batch, &mut view, operation, client.author);
        }
    }
    Ok(batch)
}

/// Adds an operation to the batch and to the view, if it fits both.
fn push(batch: &mut Batch, view: &mut Desk, operation: Operation, author: Author) {
    let known = operation.sticker().is_none_or(|id| view.sticker(id).is_some());
    let creates = matches!(operation, Operation::Create(_));
    let fits = match &operation {
        Operation::EditText { id, delta } => view
            .sticker(*id)
            .is_some_and(|s| delta.base_chars() <= s.text.value.chars().count() as u64),
        _ => true,
    };
    if known == creates || !fits {
        return;
    }
    let mut alone = Batch::default();
    if alone.push(operation.clone()).is_ok() && batch.push(operation).is_ok() {
        overlay(view, &alone, author, 1);
    }
}

/// An inverse as undo sends it: its writes give way to others'.
fn yielding(inverse: Batch) -> Vec<Operation> {
    let mut operations = inverse.into_operations();
    for operation in &mut operations {
        if let Operation::Set { yielding, .. } | Operation::SetTitle { yielding, .. } = operation {
            *yielding = true;
        }
    }
    operations
}

fn operation(bytes: &mut Unstructured<'_>, view: &Desk, author: Author) -> Result<Operation> {
    // Ids are random in life: two clients never choose the same.
    let own = StickerId(u64::from(author.0) << 8 | bytes.int_in_range(1..=OWN_STICKERS)?);
    let known: Vec<StickerId> = view.stickers().map(|sticker| sticker.id).collect();
    let id = if known.is_empty() { own } else { *bytes.choose(&known)? };
    let set = |write| Operation::Set { id, write, yielding: false };
    Ok(match bytes.int_in_range(0..=10)? {
        0 => Operation::Create(Create {
            id: own,
            position: Point::default(),
            size: Size { width: 100, height: 100 },
            color: Color::default(),
            text: text(bytes)?,
            ..Create::default()
        }),
        1 => set(Write::Position(Point { x: i8::arbitrary(bytes)?.into(), y: 0 })),
        2 => set(Write::Size(Size { width: 100 + u32::from(u8::arbitrary(bytes)?), height: 20 })),
        3 => set(Write::Color(Color(u8::arbitrary(bytes)?.into()))),
        4 => set(Write::Deleted(bytes.ratio(2, 3)?)),
        5 => Operation::Raise { id, z: None },
        6 => Operation::Lower { id, z: None },
        8 => set(Write::Locked(bool::arbitrary(bytes)?)),
        7 => Operation::SetTitle { title: text(bytes)?, yielding: false },
        _ => {
            let chars = view.sticker(id).map_or(0, |s| s.text.value.chars().count() as u32);
            Operation::EditText { id, delta: delta(bytes, chars)? }
        }
    })
}

/// A change of a text of `chars` characters.
fn delta(bytes: &mut Unstructured<'_>, chars: u32) -> Result<Delta> {
    let mut left = chars;
    let mut parts = Vec::new();
    for _ in 0..bytes.int_in_range(1..=4)? {
        let length = bytes.int_in_range(0..=left.min(6))?;
        match bytes.int_in_range(0..=2)? {
            0 => parts
                .push(Part::Insert { text: text(bytes)?.into(), continues: bytes.ratio(1, 2)? }),
            kind => {
                left -= length;
                parts.push(if kind == 1 { Part::Retain(length) } else { Part::Delete(length) });
            }
        }
    }
    Ok(Delta::from_parts(parts).expect("lengths stay within the text"))
}

/// A few characters of one to four bytes each.
fn text(bytes: &mut Unstructured<'_>) -> Result<String> {
    let letters = ['a', 'b', 'é', '字', '🙂'];
    (0..bytes.int_in_range(0..=4)?).map(|_| bytes.choose(&letters).copied()).collect()
}
