//! A tiny server: one desk, the resolver, a dedupe record for each client.

use std::collections::BTreeMap;

use desk_protocol::codec::{Decoded, decode_client_within, encode_server, encode_snapshot};
use desk_protocol::frame::{
    BatchResult, ClientFrame, CloseCode, Hello, Outcome, Person, Role, SnapshotChunk, Submit,
    Welcome,
};
use desk_protocol::limits::{HistoryLimits, OrderLimits, SNAPSHOT_CHUNK_BYTES_MAX};
use desk_protocol::resolver::{
    Acceptance, Import, Refusal, Submission, TextHistories, accept, import as import_notes,
};
use desk_protocol::{
    Author, Batch, ClientSeq, Commit, Desk, Operation, Revision, ServerFrame, StickerId,
};

/// What the server does to one line.
pub(crate) type Output = (usize, Vec<u8>);

#[derive(Default)]
struct Known {
    author: Author,
    connection: u64,
    last: Option<BatchResult>,
    line: Option<usize>,
}

pub(crate) struct Server {
    pub(crate) desk: Desk,
    histories: TextHistories,
    known: BTreeMap<String, Known>,
    commits: Vec<Commit>,
    /// Commits kept; a client further behind gets a snapshot.
    pub(crate) kept: usize,
    pub(crate) role: Role,
    pub(crate) log: Vec<Submit>,
    now_ms: u64,
    /// What its clock shows to those who are welcomed; 0: it tells none.
    pub(crate) clock_ms: u64,
    pub(crate) limits: OrderLimits,
}

impl Server {
    pub(crate) fn new(history: HistoryLimits, kept: usize) -> Self {
        Self {
            desk: Desk::new("desk".into()),
            histories: TextHistories::new(history),
            known: BTreeMap::new(),
            commits: Vec::new(),
            kept,
            role: Role::Editor,
            log: Vec::new(),
            now_ms: 1_000,
            clock_ms: 0,
            limits: OrderLimits::default(),
        }
    }

    /// A crash: text history and lines are gone; what was accepted is durable.
    pub(crate) fn crash(&mut self) {
        self.histories.clear();
        for known in self.known.values_mut() {
            known.line = None;
        }
    }

    pub(crate) fn lost(&mut self, line: usize) {
        for known in self.known.values_mut() {
            known.line = known.line.filter(|current| *current != line);
        }
    }

    /// Forgets a client, as finishing does: its key makes a new one.
    pub(crate) fn forget(&mut self, key: &str) {
        self.known.remove(key);
    }

    pub(crate) fn lines(&self) -> Vec<usize> {
        self.known.values().filter_map(|known| known.line).collect()
    }

    /// Bytes of whole frames from one line.
    pub(crate) fn receive(&mut self, line: usize, bytes: &[u8]) -> Vec<Output> {
        let mut out = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            // A longer one would end the connection, time after time.
            let frame = decode_client_within(rest, self.limits.desk.frame_bytes);
            let Decoded::Frame(length, frame) = frame.expect("clients send frames") else {
                panic!("clients send whole frames");
            };
            rest = &rest[length..];
            match frame.expect("of known types") {
                ClientFrame::Hello(hello) => self.hello(line, &hello, &mut out),
                ClientFrame::Submit(submit) => self.submit(line, submit, &mut out),
                ClientFrame::Presence(presence) => {
                    let Some(author) = self.author_of(line) else { continue };
                    let person =
                        Person { author, counter: self.now_ms as u32, presence: Some(presence) };
                    for other in self.lines() {
                        send(other, &ServerFrame::Presence(vec![person.clone()]), &mut out);
                    }
                }
                ClientFrame::Ping { nonce } => send(line, &ServerFrame::Pong { nonce }, &mut out),
            }
            self.now_ms += 1;
        }
        out
    }

    fn author_of(&self, line: usize) -> Option<Author> {
        self.known.values().find(|known| known.line == Some(line)).map(|known| known.author)
    }

    fn hello(&mut self, line: usize, hello: &Hello, out: &mut Vec<Output>) {
        let next = Author(self.known.len() as u32 + 1);
        let known = self.known.entry(hello.session_key.clone()).or_default();
        if known.author == Author(0) {
            known.author = next;
        }
        if hello.connection <= known.connection {
            let detail = "an older connection".into();
            send(line, &ServerFrame::Close { code: CloseCode::Superseded, detail }, out);
            return;
        }
        known.connection = hello.connection;
        known.line = Some(line);
        self.welcome(line, hello.revision, out);
    }

    /// Also unasked, to one that fell behind.
    pub(crate) fn welcome(&mut self, line: usize, since: Option<Revision>, out: &mut Vec<Output>) {
        let known = self.known.values().find(|known| known.line == Some(line)).expect("greeted");
        let head = self.desk.revision();
        let oldest = self.commits.len().saturating_sub(self.kept);
        let missed = since.filter(|since| since.0 as usize >= oldest);
        let welcome = Welcome {
            author: known.author,
            role: self.role,
            revision: head,
            snapshot: missed.is_none(),
            last: known.last.clone(),
            created_at: 100,
            expires_at: 700,
            limits: self.limits.desk,
            now_ms: self.clock_ms,
        };
        send(line, &ServerFrame::Welcome(welcome), out);
        match missed {
            Some(since) => {
                for commit in &self.commits[since.0 as usize..] {
                    send(line, &ServerFrame::Commit(commit.clone()), out);
                }
            }
            None => {
                let snapshot = encode_snapshot(&self.desk);
                let total = snapshot.len() as u32;
                let size = SNAPSHOT_CHUNK_BYTES_MAX.min(300);
                for (index, bytes) in snapshot.chunks(size).enumerate() {
                    let chunk = SnapshotChunk {
                        revision: head,
                        offset: (index * size) as u32,
                        total,
                        bytes: bytes.to_vec(),
                    };
                    send(line, &ServerFrame::SnapshotChunk(chunk), out);
                }
            }
        }
    }

    /// Notes come in the name of the client of a line; everyone gets their commit, or
    /// after a long import the desk.
    pub(crate) fn import(
        &mut self,
        line: usize,
        notes: Vec<Operation>,
        long: bool,
    ) -> (Revision, Vec<StickerId>, Vec<Output>) {
        let author = self.author_of(line).expect("greeted");
        let batch = Batch::from_operations(notes, &self.limits.desk.of_import());
        let notes = &batch.expect("sound notes");
        let import = Import { author, notes, user: "", now_ms: self.now_ms, bytes_max: 1 << 20 };
        let accepted = import_notes(&mut self.desk, &mut self.histories, import, &self.limits);
        let Acceptance { commit, created } = accepted.expect("the desk has room");
        let revision = commit.revision;
        let mut out = Vec::new();
        self.commits.push(commit.clone());
        if long {
            for other in self.lines() {
                self.welcome(other, None, &mut out);
            }
        } else {
            for other in self.lines() {
                send(other, &ServerFrame::Commit(commit.clone()), &mut out);
            }
        }
        (revision, created, out)
    }

    /// The order of work of FLIGHT-15.
    fn submit(&mut self, line: usize, submit: Submit, out: &mut Vec<Output>) {
        self.log.push(submit.clone());
        let Some(known) = self.known.values_mut().find(|known| known.line == Some(line)) else {
            return;
        };
        let last = known.last.as_ref().map_or(ClientSeq(0), |last| last.client_seq);
        if submit.client_seq == last {
            let answer = known.last.clone().expect("there is a last one");
            send(line, &ServerFrame::Answer(answer), out);
            return;
        }
        assert_eq!(submit.client_seq, last.next(), "numbers come without gaps");
        assert!(submit.base <= self.desk.revision(), "no base lies ahead");
        let reject = |operation: usize, detail: String| BatchResult {
            client_seq: submit.client_seq,
            outcome: Outcome::Rejected { operation: operation as u32, detail },
        };
        let door = match submit.made_at < submit.base {
            true => self.limits.desk.of_moved(),
            false => self.limits.desk,
        };
        let batch = match Batch::from_operations(submit.operations, &door) {
            Ok(batch) => batch,
            Err(error) => {
                let result = reject(error.operation().unwrap_or(0), error.to_string());
                known.last = Some(result.clone());
                send(line, &ServerFrame::Answer(result), out);
                return;
            }
        };
        let submission = Submission {
            author: known.author,
            client_seq: submit.client_seq,
            base: submit.base,
            made_at: submit.made_at,
            batch: &batch,
            user: "",
            now_ms: self.now_ms,
            text_at_head: &[],
        };
        let client_seq = submit.client_seq;
        match accept(&mut self.desk, &mut self.histories, submission, &self.limits) {
            Ok(acceptance) => {
                let commit = acceptance.commit;
                known.last = Some(BatchResult {
                    client_seq,
                    outcome: Outcome::Applied {
                        revision: commit.revision,
                        status: commit.status,
                        created: acceptance.created,
                    },
                });
                self.commits.push(commit.clone());
                for other in self.lines() {
                    send(other, &ServerFrame::Commit(commit.clone()), out);
                }
            }
            Err(Refusal::Stale(sticker)) => {
                send(line, &ServerFrame::Stale { client_seq, sticker }, out);
            }
            Err(Refusal::Rejected(rejection)) => {
                let result = reject(rejection.operation, rejection.to_string());
                known.last = Some(result.clone());
                send(line, &ServerFrame::Answer(result), out);
            }
        }
    }
}

fn send(line: usize, frame: &ServerFrame, out: &mut Vec<Output>) {
    let mut bytes = Vec::new();
    encode_server(frame, &mut bytes);
    out.push((line, bytes));
}
