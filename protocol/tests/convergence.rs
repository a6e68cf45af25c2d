//! Whatever the interleaving, all replicas end up equal, and equal to what the
//! naive model says: ORDER-1, FLIGHT-8, FLIGHT-11, FLIGHT-12 and STATUS in one.

mod generator;
mod naive;

use std::collections::{BTreeMap, VecDeque};

use desk_protocol::limits::{BinLimits, HistoryLimits, OrderLimits};
use desk_protocol::resolver::{
    BatchError, Refusal, Submission, TextHistories, accept, apply, overlay, transform,
};
use desk_protocol::{
    Author, Batch, ClientSeq, CollisionStatus, Commit, Create, Desk, Operation, Register, Revision,
    StickerId,
};
use generator::Random;
use naive::Naive;

/// A client as SPEC tells to write one, without its network.
struct Client {
    author: Author,
    /// What the server has confirmed.
    confirmed: Desk,
    /// In flight: as sent, its base, and as rebased so far.
    flight: Option<Flight>,
    queue: Batch,
    seq: ClientSeq,
    inbox: VecDeque<Commit>,
    fresh: u64,
}

struct Flight {
    base: Revision,
    sent: Batch,
    rebased: Batch,
    /// Told to catch up and send again.
    stale: bool,
    /// Waits for the server.
    under_way: bool,
}

impl Client {
    fn new(author: u32) -> Self {
        Self {
            author: Author(author),
            confirmed: Desk::new("desk".into()),
            flight: None,
            queue: Batch::default(),
            seq: ClientSeq(0),
            inbox: VecDeque::new(),
            fresh: u64::from(author) << 32,
        }
    }

    fn view(&self) -> Desk {
        let mut view = self.confirmed.clone();
        if let Some(flight) = &self.flight {
            overlay(&mut view, &flight.rebased, self.author, 0);
        }
        overlay(&mut view, &self.queue, self.author, 0);
        view
    }

    fn act(&mut self, random: &mut Random) {
        let view = self.view();
        let operation = generator::operation(random, &view, &mut self.fresh);
        match self.queue.push(operation) {
            // It would go in the next batch.
            Ok(()) | Err(BatchError::UndoneBehindRestore { .. }) => {}
            Err(error) => panic!("it was made on the view: {error}"),
        }
    }

    /// Starts a flight, or starts it again after `stale`.
    fn send(&mut self) {
        let base = self.confirmed.revision();
        let batch = match &mut self.flight {
            Some(flight) if flight.stale && self.inbox.is_empty() => flight.rebased.clone(),
            None if !self.queue.is_empty() => {
                self.seq = self.seq.next();
                std::mem::take(&mut self.queue)
            }
            _ => return,
        };
        let (sent, rebased) = (batch.clone(), batch);
        self.flight = Some(Flight { base, sent, rebased, stale: false, under_way: true });
    }

    fn receive(&mut self, seed: u64) {
        let Some(commit) = self.inbox.pop_front() else { return };
        if commit.author == self.author {
            let flight = self.flight.take().expect("it answers a flight");
            assert_eq!(commit.client_seq, self.seq, "seed {seed}");
            assert_eq!(
                without_heights(&commit.operations),
                without_heights(flight.rebased.operations()),
                "seed {seed}: the server and the author rebase alike"
            );
            // The queue was made on top of the flight; only what the server
            // added to it is news.
            let purge = |one: &Operation| matches!(one, Operation::Purge { .. });
            let purges: Vec<_> =
                commit.operations.iter().filter(|one| purge(one)).cloned().collect();
            (self.queue, _) = transform(&self.queue, &purges);
        } else {
            let mut over = commit.operations.clone();
            if let Some(flight) = &mut self.flight {
                (flight.rebased, over) = transform(&flight.rebased, &over);
            }
            (self.queue, _) = transform(&self.queue, &over);
        }
        apply(&mut self.confirmed, &commit).expect("commits follow from each other");
    }
}

/// What the server evaluates or adds is not the author's to foresee.
fn without_heights(operations: &[Operation]) -> Vec<Operation> {
    let operations = operations.iter().filter(|one| !matches!(one, Operation::Purge { .. }));
    operations
        .map(|operation| match operation.clone() {
            Operation::Create(create) => Operation::Create(Create { z: None, ..create }),
            Operation::Raise { id, .. } => Operation::Raise { id, z: None },
            Operation::Lower { id, .. } => Operation::Lower { id, z: None },
            other => other,
        })
        .filter(|one| !matches!(one, Operation::EditText { delta, .. } if delta.is_empty()))
        .collect()
}

fn assert_equal(desk: &Desk, naive: &Naive, seed: u64) {
    assert_eq!(desk.revision().0, naive.revision, "seed {seed}");
    assert_eq!(desk.title().value, naive.title, "seed {seed}");
    assert_eq!(
        desk.stickers().map(|sticker| sticker.id).collect::<Vec<_>>(),
        naive.notes.keys().copied().collect::<Vec<_>>(),
        "seed {seed}"
    );
    assert_eq!(desk.registers(), &naive.registers, "seed {seed}");
    let votes = desk.stickers().flat_map(|sticker| {
        let counters = sticker.counters.iter();
        counters.map(|(author, count)| ((sticker.id, author.0), *count))
    });
    assert_eq!(votes.collect::<BTreeMap<_, _>>(), naive.votes, "seed {seed}");
    for (sticker, note) in desk.stickers().zip(naive.notes.values()) {
        let id = sticker.id;
        assert_eq!(sticker.text.value, note.text(), "seed {seed}: text of {id}");
        for register in Register::ALL {
            let found = sticker.value(register);
            assert_eq!(found, note.writes[&register], "seed {seed}: {register:?} of {id}");
        }
    }
}

/// What one run has met, so that the tests know that they test something.
#[derive(Default)]
struct Met {
    statuses: [u32; 5],
    stale: u32,
    void: u32,
    purges: u32,
}

fn run(seed: u64, met: &mut Met) {
    let mut random = Random::new(seed);
    let bin = BinLimits { stickers: 1 + random.below(4), bytes: usize::MAX };
    let limits = if random.chance(3) {
        HistoryLimits { deltas_per_sticker: 1 + random.below(3), bytes: 1_000 }
    } else {
        HistoryLimits::default()
    };
    let mut desk = Desk::new("desk".into());
    let mut naive = Naive::new("desk");
    let mut histories = TextHistories::new(limits);
    let mut clients: Vec<_> = (1..=3 + random.below(3) as u32).map(Client::new).collect();
    // Some runs are of clients that hardly ever listen.
    let deaf = 1 + random.below(6);

    let mut quiet = false;
    let mut steps = 0;
    loop {
        let who = random.below(clients.len());
        match random.below(5) {
            0 | 1 if !quiet => clients[who].act(&mut random),
            2 => clients[who].send(),
            3 => submit(who, &mut clients, &mut desk, &mut histories, &mut naive, bin, seed, met),
            _ if quiet || random.chance(deaf) => clients[who].receive(seed),
            _ => {}
        }
        if random.chance(40) {
            // A restart of the server forgets all text history.
            histories.clear();
        }
        steps += 1;
        quiet = steps > 150;
        let busy = |client: &Client| {
            client.flight.is_some() || !client.queue.is_empty() || !client.inbox.is_empty()
        };
        if quiet && !clients.iter().any(busy) {
            break;
        }
        assert!(steps < 100_000, "seed {seed}: it never comes to rest");
    }
    for client in &clients {
        assert_eq!(client.confirmed, desk, "seed {seed}: replica of {}", client.author);
    }
    assert_equal(&desk, &naive, seed);
    let rebuilt = Desk::from_parts(desk.to_parts()).expect("parts of a desk");
    assert_eq!(rebuilt, desk, "seed {seed}: indexes");
}

#[expect(clippy::too_many_arguments, reason = "the whole world of a run")]
fn submit(
    who: usize,
    clients: &mut [Client],
    desk: &mut Desk,
    histories: &mut TextHistories,
    naive: &mut Naive,
    bin: BinLimits,
    seed: u64,
    met: &mut Met,
) {
    let client = &mut clients[who];
    let Some(flight) = client.flight.as_mut().filter(|flight| flight.under_way) else { return };
    let submission = Submission {
        author: client.author,
        client_seq: client.seq,
        base: flight.base,
        made_at: flight.base,
        batch: &flight.sent,
        user: "",
        now_ms: 0,
        text_at_head: &[],
    };
    flight.under_way = false;
    match accept(desk, histories, submission, &OrderLimits { bin, ..OrderLimits::default() }) {
        Ok(acceptance) => {
            let commit = acceptance.commit;
            let status = naive.accept(client.author.0, flight.base.0, &flight.sent, bin.stickers);
            assert_eq!(commit.status, status, "seed {seed}: revision {}", commit.revision);
            naive.check_marks(&commit, seed);
            assert_equal(desk, naive, seed);
            let purge = |one: &&Operation| matches!(one, Operation::Purge { .. });
            let purges = commit.operations.iter().filter(purge).count();
            met.statuses[status as usize] += 1;
            met.purges += purges as u32;
            met.void += (commit.operations.len() - purges < flight.sent.len()) as u32;
            for client in clients {
                client.inbox.push_back(commit.clone());
            }
        }
        Err(Refusal::Stale(_)) => {
            met.stale += 1;
            flight.stale = true;
        }
        Err(Refusal::Rejected(why)) => panic!("seed {seed}: {why}"),
    }
}

#[test]
fn order_1_replicas_equal_the_naive_model() {
    let mut met = Met::default();
    for seed in 0..3_000 {
        run(seed, &mut met);
    }
    for status in [
        CollisionStatus::Clean,
        CollisionStatus::Merged,
        CollisionStatus::Overrode,
        CollisionStatus::Hidden,
        CollisionStatus::Purged,
    ] {
        assert!(met.statuses[status as usize] > 100, "{status}: {:?}", met.statuses);
    }
    assert!(met.stale > 100 && met.void > 100 && met.purges > 100);
}

/// Senders without a replica, who may not know their own last commits: text and
/// marks are what the naive model says.
#[test]
fn text_3_senders_without_a_replica() {
    let mut own = 0;
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let mut desk = Desk::new("desk".into());
        let mut naive = Naive::new("desk");
        let mut histories = TextHistories::default();
        let id = StickerId(1);
        let mut desks = vec![desk.clone()];
        let mut authors = vec![0];
        for _ in 0..12 {
            let author = 1 + random.below(3) as u32;
            let (base, operation) = match desks.len() {
                1 => (0, Operation::Create(generator::create(&mut random, id))),
                known => {
                    let base = 1 + random.below(known - 1);
                    let chars = desks[base].sticker(id).expect("created").text.value.chars();
                    let delta = generator::delta(&mut random, chars.count());
                    (base, Operation::EditText { id, delta })
                }
            };
            own += usize::from(authors[base + 1..].contains(&author));
            let mut batch = Batch::default();
            batch.push(operation).expect("one operation");
            if batch.is_empty() {
                continue;
            }
            let base = Revision(base as u64);
            let submission = Submission {
                author: Author(author),
                client_seq: ClientSeq(1),
                base,
                made_at: base,
                batch: &batch,
                user: "",
                now_ms: 0,
                text_at_head: &[],
            };
            let accepted = accept(&mut desk, &mut histories, submission, &OrderLimits::default());
            let commit = accepted.expect("acceptable").commit;
            naive.accept(author, base.0, &batch, usize::MAX);
            assert_equal(&desk, &naive, seed);
            naive.check_marks(&commit, seed);
            desks.push(desk.clone());
            authors.push(author);
        }
    }
    assert!(own > 1_000, "{own}");
}
