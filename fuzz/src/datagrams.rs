//! Commits in datagrams ahead of their stream: lost, doubled, in any order, and damaged. The
//! bytes are a script; what a client shows in the end is what the stream says.

use desk_client_core::{Client, Config, Line};
use desk_protocol::codec::{encode_server, encode_snapshot};
use desk_protocol::frame::{Role, SnapshotChunk, Welcome};
use desk_protocol::{
    Author, ClientSeq, CollisionStatus, Commit, Desk, Operation, Revision, ServerFrame, Time,
};

/// Commits of one run.
const COMMITS: u64 = 16;

const NOW: Time = Time::from_unix_seconds(1);

/// Runs a script: a byte below 128 names a commit that comes in a datagram, one above it
/// damages such a commit or lets the stream go on.
pub fn run(script: &[u8]) {
    let mut client = live();
    let frames: Vec<Vec<u8>> = (1..=COMMITS).map(commit).collect();
    let mut stream = frames.iter();
    let mut bytes = script.iter().take(1_000);
    while let Some(byte) = bytes.next() {
        let named = &frames[usize::from(*byte) % frames.len()];
        match byte >> 5 {
            0..4 => client.receive_datagram(NOW, named),
            4..6 => {
                let mut damaged = named.clone();
                let at = bytes.next().map_or(0, |at| usize::from(*at)) % damaged.len();
                // Damage may leave it a commit, and even one that does not follow. Then the
                // client makes a new line, as it does for such a commit on the stream.
                damaged[at] ^= 1 << (byte & 7);
                damaged.truncate(damaged.len() - usize::from(byte & 1));
                let mut other = client.clone();
                other.receive_datagram(NOW, &damaged);
                let ahead = other.confirmed().revision().0 - client.confirmed().revision().0;
                assert!(ahead <= 1, "a datagram brought {ahead} revisions");
            }
            _ => {
                if let Some(frame) = stream.next() {
                    client.receive(NOW, frame);
                }
            }
        }
        assert_eq!(client.line(), Line::Live);
    }
    stream.for_each(|frame| client.receive(NOW, frame));
    assert_eq!((client.line(), client.confirmed().revision()), (Line::Live, Revision(COMMITS)));
    assert_eq!(client.confirmed().title().value, COMMITS.to_string());
}

fn live() -> Client {
    let mut client = Client::new(Config::new(1, "key"));
    client.connected(NOW);
    client.has_datagrams();
    client.poll_transmit(NOW);
    let welcome = Welcome {
        author: Author(1),
        role: Role::Editor,
        revision: Revision(0),
        snapshot: true,
        last: None,
        created_at: 0,
        expires_at: 9,
        limits: Default::default(),
        now_ms: 0,
    };
    let mut bytes = Vec::new();
    encode_server(&ServerFrame::Welcome(welcome), &mut bytes);
    let desk = encode_snapshot(&Desk::new(String::new()));
    let total = desk.len() as u32;
    let chunk = SnapshotChunk { revision: Revision(0), offset: 0, total, bytes: desk };
    encode_server(&ServerFrame::SnapshotChunk(chunk), &mut bytes);
    client.receive(NOW, &bytes);
    client
}

fn commit(revision: u64) -> Vec<u8> {
    let title = revision.to_string();
    let commit = Commit {
        revision: Revision(revision),
        author: Author(2),
        client_seq: ClientSeq(revision),
        status: CollisionStatus::Clean,
        accepted_at_ms: 0,
        user: String::new(),
        operations: vec![Operation::SetTitle { title, yielding: false }],
    };
    let mut bytes = Vec::new();
    encode_server(&ServerFrame::Commit(commit), &mut bytes);
    bytes
}
