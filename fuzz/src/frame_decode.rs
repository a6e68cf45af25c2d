//! Frames and snapshots as a hostile peer writes them: what is accepted means
//! something, writes back, and does no harm to a desk.

use desk_protocol::codec::{
    Decoded, decode_client, decode_server, decode_snapshot, encode_client, encode_server,
    encode_snapshot,
};
use desk_protocol::limits::{
    CLIENT_FRAME_BYTES_MAX, DeskLimits, HistoryLimits, OrderLimits, SERVER_FRAME_BYTES_MAX,
};
use desk_protocol::resolver::{
    Submission, TextHistories, accept, apply, invert, overlay, transform,
};
use desk_protocol::{
    Author, Batch, ClientFrame, ClientSeq, Color, Commit, Create, Desk, Operation, Point, Revision,
    ServerFrame, Size, StickerId,
};

/// Takes `data` as each thing that bytes may be.
pub fn run(data: &[u8]) {
    if let Ok(Decoded::Frame(length, frame)) = decode_client(data) {
        assert!((12..=data.len()).contains(&length), "a frame lies within its bytes");
        if let Some(frame) = frame {
            client(frame);
        }
    }
    if let Ok(Decoded::Frame(length, frame)) = decode_server(data) {
        assert!((12..=data.len()).contains(&length), "a frame lies within its bytes");
        if let Some(frame) = frame {
            server(frame);
        }
    }
    if let Ok(parts) = decode_snapshot(data)
        && let Ok(desk) = Desk::from_parts(parts)
    {
        let again = decode_snapshot(&encode_snapshot(&desk)).expect("what was written reads");
        assert_eq!(Desk::from_parts(again).expect("and makes a desk"), desk);
    }
}

fn client(frame: ClientFrame) {
    let mut bytes = Vec::new();
    encode_client(&frame, &mut bytes);
    // What was shared in the hostile frame is written out, and may be too long.
    let same = Ok(Decoded::Frame(bytes.len(), Some(frame.clone())));
    let fits = bytes.len() <= CLIENT_FRAME_BYTES_MAX;
    assert!(!fits || decode_client(&bytes) == same, "a frame reads as it was written");
    if let ClientFrame::Submit(submit) = frame
        && let Ok(batch) = Batch::from_operations(submit.operations, &DeskLimits::default())
    {
        submit_to_desk(&batch);
    }
}

fn server(frame: ServerFrame) {
    let mut bytes = Vec::new();
    encode_server(&frame, &mut bytes);
    let same = Ok(Decoded::Frame(bytes.len(), Some(frame.clone())));
    let fits = bytes.len() <= SERVER_FRAME_BYTES_MAX;
    assert!(!fits || decode_server(&bytes) == same, "a frame reads as it was written");
    if let ServerFrame::Commit(commit) = frame {
        replicate(&commit);
    }
}

/// A well-formed batch is accepted or refused whole, and a replica follows.
fn submit_to_desk(batch: &Batch) {
    let mut desk = desk();
    let before = desk.clone();
    let mut histories = TextHistories::new(HistoryLimits::default());
    let submission = Submission {
        author: Author(2),
        client_seq: ClientSeq(1),
        base: before.revision(),
        made_at: before.revision(),
        batch,
        user: "",
        now_ms: 1,
        text_at_head: &[],
    };
    match accept(&mut desk, &mut histories, submission, &OrderLimits::default()) {
        Ok(acceptance) => {
            let mut replica = before.clone();
            apply(&mut replica, &acceptance.commit).expect("a replica takes the commit");
            assert_eq!(replica, desk, "a replica differs");
            invert(batch, &before);
        }
        Err(_) => assert_eq!(desk, before, "a refused batch changed the desk"),
    }
}

/// A replica takes or refuses any commit whole, whatever a server sends.
fn replicate(commit: &Commit) {
    let before = desk();
    let mut replica = before.clone();
    let commit = Commit { revision: before.revision().next(), ..commit.clone() };
    let mut pending = Batch::default();
    let _ = pending.push(Operation::Raise { id: STICKER, z: None });
    let (moved, _) = transform(&pending, &commit.operations);
    match apply(&mut replica, &commit) {
        Ok(()) => overlay(&mut replica, &moved, Author(2), 1),
        Err(_) => assert_eq!(replica, before, "a refused commit changed the replica"),
    }
}

/// The sticker of [`desk`]; the corpus names it.
const STICKER: StickerId = StickerId(1);

/// A desk with one sticker at revision 1.
fn desk() -> Desk {
    let mut desk = Desk::new("Fuzz".to_owned());
    let create = Operation::Create(Create {
        id: STICKER,
        position: Point::default(),
        size: Size { width: 100, height: 100 },
        color: Color::default(),
        text: "héllo 🙂".to_owned(),
        z: Some(1),
        ..Create::default()
    });
    let commit = Commit {
        revision: Revision(1),
        author: Author(1),
        client_seq: ClientSeq(1),
        status: Default::default(),
        user: String::new(),
        accepted_at_ms: 0,
        operations: vec![create],
    };
    apply(&mut desk, &commit).expect("the first commit makes the sticker");
    desk
}
