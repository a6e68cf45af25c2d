//! The generator's own check, against a server that cheats: a pair of clients
//! whose frames are made here, one of which is told something else.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use desk_bench::desk_client::DeskClient;
use desk_bench::ledger::Ledger;
use desk_bench::participant::Participant as _;
use desk_bench::random::Random;
use desk_bench::subject::first_difference;
use desk_protocol::codec::{Decoded, decode_client, encode_server};
use desk_protocol::frame::{ClientFrame, Role, ServerFrame, Welcome};
use desk_protocol::limits::{DeskLimits, OrderLimits};
use desk_protocol::resolver::{Submission, TextHistories, accept};
use desk_protocol::{Author, Batch, ClientSeq, Commit, Desk, Operation, Time, Write};

const NOW: Time = Time(1_700_000_000_000_000);

/// A server of one desk, as small as it can be.
#[derive(Default)]
struct Host {
    desk: Desk,
    histories: TextHistories,
}

impl Host {
    fn order(&mut self, author: u32, client_seq: ClientSeq, operations: Vec<Operation>) -> Commit {
        let batch = Batch::from_operations(operations, &DeskLimits::default()).unwrap();
        let submission = Submission {
            author: Author(author),
            client_seq,
            base: self.desk.revision(),
            made_at: self.desk.revision(),
            batch: &batch,
            user: "",
            now_ms: 0,
            text_at_head: &[],
        };
        accept(&mut self.desk, &mut self.histories, submission, &OrderLimits::default())
            .unwrap()
            .commit
    }
}

fn tell(client: &mut DeskClient, ledger: &mut Ledger, frame: &ServerFrame) {
    let mut bytes = Vec::new();
    encode_server(frame, &mut bytes);
    client.receive(NOW, &bytes, ledger).unwrap();
}

/// Two clients of an empty desk, greeted.
fn pair(ledger: &mut Ledger) -> [DeskClient; 2] {
    [1, 2].map(|author| {
        let mut client = DeskClient::new(NOW, "KEY", u64::from(author));
        client.transmit(NOW, ledger).expect("a greeting");
        let welcome = ServerFrame::Welcome(Welcome {
            author: Author(author),
            role: Role::Editor,
            revision: Default::default(),
            snapshot: false,
            last: None,
            created_at: 0,
            now_ms: 0,
            expires_at: 0,
            limits: DeskLimits::default(),
        });
        tell(&mut client, ledger, &welcome);
        client
    })
}

/// The first client makes stickers; its batch comes back to it as it was
/// ordered, and to the second as `to_second` has it.
fn run(to_second: impl Fn(Commit) -> Commit) -> (Ledger, [DeskClient; 2]) {
    let mut ledger = Ledger::new(2, 1);
    let mut clients = pair(&mut ledger);
    clients[0].create(NOW, 3, &mut Random::new(1)).unwrap();
    let sent = clients[0].transmit(NOW, &mut ledger).expect("a batch");
    let Ok(Decoded::Frame(_, Some(ClientFrame::Submit(submit)))) = decode_client(&sent) else {
        panic!("a submit was expected");
    };
    let commit = Host::default().order(1, submit.client_seq, submit.operations);
    let [first, second] = &mut clients;
    tell(second, &mut ledger, &ServerFrame::Commit(to_second(commit.clone())));
    tell(first, &mut ledger, &ServerFrame::Commit(commit));
    assert!(clients.iter().all(DeskClient::is_settled));
    (ledger, clients)
}

#[test]
fn equal_replicas_pass_and_their_operations_are_counted() {
    let (ledger, clients) = run(|commit| commit);
    assert_eq!(first_difference(clients.iter()), None);
    assert_eq!((ledger.completed(), ledger.delivered(), ledger.under_way()), (3, 3, 0));
}

#[test]
fn a_replica_that_was_told_something_else_is_found() {
    let (_, clients) = run(|mut commit| {
        if let Some(Operation::Create(create)) = commit.operations.first_mut() {
            create.position.x += 1;
        }
        commit
    });
    assert_eq!(first_difference(clients.iter()), Some(1));
}

#[test]
fn a_replica_that_shows_more_than_is_confirmed_is_found() {
    let (mut ledger, mut clients) = run(|commit| commit);
    let stickers: Vec<_> = clients[0].confirmed().stickers().map(|sticker| sticker.id).collect();
    clients[1].own(stickers);
    clients[1].act(NOW, NOW, 1, &mut Random::new(2)).unwrap();
    assert!(!clients[1].is_idle(&ledger));
    assert_eq!(first_difference(clients.iter()), Some(1));
    let sent = clients[1].transmit(NOW, &mut ledger).expect("a batch");
    let Ok(Decoded::Frame(_, Some(ClientFrame::Submit(submit)))) = decode_client(&sent) else {
        panic!("a submit was expected");
    };
    assert!(matches!(submit.operations[..], [Operation::Set { write: Write::Position(_), .. }]));
}
