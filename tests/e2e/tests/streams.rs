//! What a connection is sent: commits, or a snapshot to those who were away or
//! read too slowly.

use desk_e2e::http::KEY;
use desk_e2e::socket::{creation, submit_frame};
use desk_e2e::{Joined, Server, Socket, create, http, join};
use desk_protocol::text::Part;
use desk_protocol::{Delta, Operation, Revision, ServerFrame, StickerId};

/// Replaces a sticker's text of `chars` characters by one of 10,000.
fn rewrite(server: &Server, who: &Joined, seq: u64, chars: u32) {
    let letter = char::from(b'a' + u8::try_from(seq % 26).expect("a small number"));
    let parts = [Part::insert(letter.to_string().repeat(10_000)), Part::Delete(chars)];
    let delta = Delta::from_parts(parts).expect("a sound delta");
    let edit = Operation::EditText { id: StickerId(1), delta };
    let body = submit_frame(seq, seq - 1, vec![edit]);
    let fields =
        [(KEY, &*who.key), ("R-User-ID", "w"), ("Content-Type", "application/octet-stream")];
    http::send(server, "PATCH", "/api/desk/collaboration/sync", &fields, &body).expect(221);
}

/// A desk with one sticker of 10,000 characters, at revision 2.
fn desk_with_text(server: &Server) -> Joined {
    let ada = create(server, "");
    let mut socket = Socket::live(server, &ada.key);
    socket.submit(1, Revision(0), vec![creation(1, "")]);
    socket.commit();
    rewrite(server, &ada, 2, 0);
    ada
}

#[test]
fn who_was_away_gets_what_it_missed() {
    let server = Server::new();
    let ada = desk_with_text(&server);
    let bob = join(&server, &ada.id);
    rewrite(&server, &ada, 3, 10_000);
    let mut socket = Socket::open(&server, &bob.key);
    socket.hello(&bob.key, 1, Some(Revision(2)), "");
    let welcome = socket.catch_up();
    assert!(!welcome.snapshot);
    assert_eq!(welcome.revision.0, 3);
    assert_eq!(socket.commit().revision.0, 3);

    // More than the desk keeps commits of.
    for seq in 4..40 {
        rewrite(&server, &ada, seq, 10_000);
    }
    let mut socket = Socket::open(&server, &bob.key);
    socket.hello(&bob.key, 2, Some(Revision(3)), "");
    let welcome = socket.catch_up();
    assert!(welcome.snapshot);
    assert_eq!(welcome.revision.0, 39);
    rewrite(&server, &ada, 40, 10_000);
    assert_eq!(socket.commit().revision.0, 40);
}

#[test]
fn a_slow_reader_slows_nobody_and_gets_the_desk_in_the_end() {
    let server = Server::new();
    let ada = desk_with_text(&server);
    let mut slow = Socket::live(&server, &join(&server, &ada.id).key);
    let mut quick = Socket::live(&server, &join(&server, &ada.id).key);
    // 20 MB: more than a queue and the kernel's buffers hold.
    let last = 2_000;
    for seq in 3..=last {
        rewrite(&server, &ada, seq, 10_000);
        assert_eq!(quick.commit().revision.0, seq, "the quick one sees each at once");
    }
    let mut revision = 2;
    let mut resyncs = 0;
    while revision < last {
        match slow.frame() {
            ServerFrame::Commit(commit) => {
                assert_eq!(commit.revision.0, revision + 1, "in order, without a gap");
                revision += 1;
            }
            ServerFrame::Welcome(welcome) => {
                resyncs += 1;
                if !welcome.snapshot {
                    continue;
                }
                loop {
                    let ServerFrame::SnapshotChunk(chunk) = slow.frame() else {
                        panic!("a snapshot follows its welcome")
                    };
                    if chunk.offset as usize + chunk.bytes.len() == chunk.total as usize {
                        assert!(chunk.revision.0 > revision);
                        revision = chunk.revision.0;
                        break;
                    }
                }
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(resyncs > 0, "nobody keeps 20 MB for a slow reader");
    rewrite(&server, &ada, last + 1, 10_000);
    assert_eq!(slow.commit().revision.0, last + 1);
}
