//! What a client keeps across restarts, and what it holds back until it is kept.

use std::time::Duration;

use desk_client_core::{Client, Config, Edit, NewSticker, RestoreError, Status, UnsavedReason};
use desk_protocol::codec::{Decoded, decode_client};
use desk_protocol::frame::{ClientFrame, Presence, ServerFrame};
use desk_protocol::{
    Author, ClientSeq, CollisionStatus, Commit, Operation, Point, StickerId, Time, Write,
};

use crate::net::{self, Net};

fn durable(clients: usize) -> (Net, StickerId) {
    let mut net = Net::durable(clients, net::plenty(), 1_000, 11);
    net.settle();
    let now = net.now;
    let note = NewSticker { text: "kept".into(), ..NewSticker::default() };
    let id = net.client(0).create(now, note).expect("a sound note");
    net.settle();
    (net, id)
}

#[test]
fn flight_17_nothing_is_sent_before_it_is_persisted() {
    let (mut net, id) = durable(1);
    net.lazy_disks = true;
    let (before, now) = (net.server.log.len(), net.now);
    net.client(0).replace_text(now, id, "kept too").unwrap();
    net.pump(0);
    assert!(!net.deliver_up(0), "the record is not written yet");
    net.write_all(0);
    assert!(net.deliver_up(0));
    assert_eq!(net.server.log.len(), before + 1);

    net.cut(0);
    net.pass_time(Duration::from_secs(1));
    net.pump(0);
    assert!(!net.deliver_up(0), "not even the greeting");
    net.write_all(0);
    assert!(net.deliver_up(0));
}

#[test]
fn flight_17_edits_made_offline_outlive_a_reload() {
    let (mut net, id) = durable(2);
    net.go_offline(0);
    let now = net.now;
    net.client(0).replace_text(now, id, "kept offline").unwrap();
    net.client(0).act(now, vec![Edit::Move { id, to: Point { x: 4, y: 4 } }]).unwrap();
    net.pump(0);
    net.restart(0);
    assert_eq!(net.text(0, id), "kept offline");
    assert!(net.peers[0].client.is_unsaved(id));
    assert_eq!(net.peers[0].client.status(), Status::Connecting { pending: 2 });
    assert_eq!(net.peers[0].client.expires_at(), Some(700));
    net.client(1).replace_text(now, id, "well kept").unwrap();
    net.go_online(0);
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(1, id), "well kept offline");
}

#[test]
fn flight_17_a_reload_sends_the_flight_again() {
    for reached in [false, true] {
        let (mut net, id) = durable(2);
        let now = net.now;
        net.client(0).replace_text(now, id, "kept once").unwrap();
        net.pump(0);
        if reached {
            assert!(net.deliver_up(0));
        }
        net.restart(0);
        net.settle();
        net.assert_converged();
        assert_eq!(net.text(1, id), "kept once");
    }
}

/// One step is confirmed, one in flight, one queued; another types meanwhile.
#[test]
fn undo_and_redo_outlive_a_reload() {
    let (mut net, id) = durable(2);
    let place = |net: &Net| net.sticker(0, id).position.value.x;
    let pause = Duration::from_secs(2);
    let now = net.now;
    net.client(0).act(now, vec![Edit::Move { id, to: Point { x: 4, y: 4 } }]).unwrap();
    net.settle();
    let now = net.now;
    net.client(0).replace_text(now, id, "kept by me").unwrap();
    net.pump(0);
    net.now = net.now + pause;
    let now = net.now;
    net.client(0).replace_text(now, id, "kept by me alone").unwrap();
    net.client(1).replace_text(now, id, "well kept").unwrap();
    while net.deliver_up(1) {}
    net.pump(0);
    net.restart(0);
    net.client(0).check_invariants();
    assert!(net.peers[0].client.can_undo());
    net.settle();
    assert_eq!(net.text(0, id), "well kept by me alone");
    let now = net.now;
    for (text, x) in [("well kept by me", 4), ("well kept", 4), ("well kept", 0)] {
        assert!(net.client(0).undo(now));
        assert_eq!((net.text(0, id), place(&net)), (text, x));
    }
    assert!(!net.client(0).undo(now));
    net.settle();
    net.pump(0);
    net.restart(0);
    net.settle();
    for (text, x) in [("well kept", 4), ("well kept by me", 4), ("well kept by me alone", 4)] {
        assert!(net.client(0).redo(now));
        assert_eq!((net.text(0, id), place(&net)), (text, x));
    }
    net.settle();
    net.assert_converged();
}

#[test]
fn undo_21_a_reload_keeps_what_lies_below_the_flight() {
    let (mut net, id) = durable(2);
    let at = |x| vec![Edit::Move { id, to: Point { x, y: 0 } }];
    let now = net.now;
    net.client(0).act(now, at(1)).unwrap();
    net.pump(0);
    net.restart(0);
    net.client(1).act(now, at(7)).unwrap();
    while net.deliver_up(1) {}
    net.settle();
    assert_eq!(net.sticker(0, id).position.value.x, 1);
    assert!(net.client(0).undo(now));
    assert_eq!(net.sticker(0, id).position.value.x, 7);
    net.settle();
    net.assert_converged();
}

#[test]
fn of_many_undo_steps_the_newest_are_kept() {
    let (mut net, id) = durable(1);
    let made = |net: &mut Net, text: &str| {
        net.now = net.now + Duration::from_secs(2);
        let now = net.now;
        net.client(0).replace_text(now, id, text).unwrap();
        net.settle();
    };
    // What undo brings back is 9,000 letters each time.
    for n in 0..10 {
        made(&mut net, &n.to_string().repeat(9_000));
    }
    let now = net.now;
    let half = net.client(0).limits().batch_operations;
    let moves = |x| vec![Edit::Move { id, to: Point { x, y: 0 } }; half].into_iter();
    net.client(0).act_together(now, moves(1).chain(moves(2)).collect()).unwrap();
    net.settle();
    let (_, queue) = net.records(0);
    assert!(queue.len() < 64 << 10, "{} bytes", queue.len());
    net.restart(0);
    net.settle();
    let mut steps = 0;
    while net.client(0).undo(now) {
        steps += 1;
        net.client(0).check_invariants();
        assert_eq!(net.sticker(0, id).position.value.x, 0, "what was one step is one");
    }
    assert!((3..9).contains(&steps), "{steps} steps");
    net.settle();
    net.assert_converged();
}

#[test]
fn a_keystroke_does_not_rewrite_the_desk() {
    let (mut net, _) = durable(1);
    let now = net.now;
    let text = "x".repeat(9_000);
    for _ in 0..20 {
        let note = NewSticker { text: text.clone(), ..NewSticker::default() };
        net.client(0).create(now, note).unwrap();
        net.settle();
    }
    let id = net.client(0).create(now, NewSticker::default()).unwrap();
    net.settle();
    let (mut bases, mut largest) = (0, 0);
    for n in 1..=300 {
        let now = net.now;
        net.client(0).replace_text(now, id, &"y".repeat(n)).unwrap();
        while let Some(records) = net.client(0).persist() {
            bases += usize::from(records.base.is_some());
            largest = largest.max(records.queue.len());
            net.client(0).persisted(records.token);
        }
        net.settle();
    }
    assert!(bases <= 2, "{bases} times");
    assert!(largest < 100_000, "{largest} bytes");
    net.assert_converged();
}

#[test]
fn damaged_records_are_refused() {
    let (mut net, id) = durable(1);
    net.go_offline(0);
    let now = net.now;
    net.client(0).replace_text(now, id, "changed").unwrap();
    net.pump(0);
    let (base, queue) = net.records(0);
    let restore = |base: &[u8], queue: &[u8]| {
        Client::restore(Config::new(1, ""), base, queue).map(|client| client.pending())
    };
    assert_eq!(restore(&base, &queue), Ok(1));
    assert_eq!(restore(&queue, &base), Err(RestoreError::NotARecord));
    for record in [&base, &queue] {
        for at in 4..record.len() {
            let mut damaged = record.clone();
            damaged[at] ^= 0x20;
            let (base, queue) =
                if record == &base { (&damaged, &queue) } else { (&base, &damaged) };
            assert!(restore(base, queue).is_err(), "byte {at}");
        }
        for length in 0..record.len() {
            let cut = &record[..length];
            let (base, queue) = if record == &base { (cut, &queue[..]) } else { (&base[..], cut) };
            assert!(restore(base, queue).is_err(), "{length} bytes");
        }
    }
    let mut newer = base.clone();
    newer[4] = 9;
    assert_eq!(restore(&newer, &queue), Err(RestoreError::Version { found: 9 }));

    // Records that were not written together.
    let (first, _) = net.records(0);
    net.go_online(0);
    net.resync(0);
    net.settle();
    net.resync(0);
    net.settle();
    let (second, queue) = net.records(0);
    assert_ne!(first, second);
    assert_eq!(restore(&first, &queue), Err(RestoreError::Mismatch));
}

#[test]
fn delete_2_a_purge_keeps_pending_work() {
    let (mut net, id) = durable(1);
    net.go_offline(0);
    let now = net.now;
    net.client(0).replace_text(now, id, "kept for me").unwrap();
    net.peers[0].online = true;
    net.client(0).retry_now(now);
    net.pass_time(Duration::from_millis(1));
    let ops = |operations| Commit {
        revision: net.server.desk.revision().next(),
        author: Author(9),
        client_seq: ClientSeq(1),
        status: CollisionStatus::Clean,
        user: String::new(),
        accepted_at_ms: 5,
        operations,
    };
    let hide = Operation::Set { id, write: Write::Deleted(true), yielding: false };
    let commit = ops(vec![hide, Operation::Purge { id }]);
    assert!(net.deliver_up(0), "the greeting");
    assert!(net.deliver_down(0), "the welcome, and nothing to catch up with");
    net.tell(0, &ServerFrame::Commit(commit));
    let unsaved = net.peers[0].client.unsaved();
    assert_eq!(unsaved.len(), 1);
    assert_eq!(unsaved[0].reason, UnsavedReason::Purged);
    assert_eq!(unsaved[0].stickers[0].text.value, "kept for me");
    assert!(net.peers[0].client.desk().sticker(id).is_none());
    assert!(net.peers[0].client.is_unsaved(id));
    assert!(!net.peers[0].client.can_undo(), "its undo entries are dropped");

    // It outlives a reload, until it is dismissed.
    net.pump(0);
    let (base, queue) = net.records(0);
    let mut again = Client::restore(Config::new(1, ""), &base, &queue).unwrap();
    assert_eq!(again.unsaved()[0].stickers[0].text.value, "kept for me");
    let number = again.unsaved()[0].number;
    again.dismiss_unsaved(number);
    assert!(again.unsaved().is_empty());
}

#[test]
fn people_come_and_go_with_the_line() {
    let mut net = Net::joined(3);
    let now = net.now;
    for index in 1..3 {
        let name = format!("person {index}");
        net.client(index).set_presence(now, Presence { name, ..Presence::default() });
    }
    net.settle();
    let names = |net: &Net| -> Vec<String> {
        net.peers[0].client.people().map(|(_, shown)| shown.name.clone()).collect()
    };
    assert_eq!(names(&net), ["person 1", "person 2"]);
    assert_eq!(net.peers[1].client.people().count(), 1, "one does not see oneself");
    // Whoever is silent for too long has left, even if its leaving was lost.
    net.go_offline(2);
    for _ in 0..10 {
        net.pass_time(Duration::from_secs(10));
        net.settle();
    }
    assert_eq!(names(&net), ["person 1"]);
    net.cut(0);
    assert!(names(&net).is_empty());
}

/// Records of format 1 as the first release wrote them. They are never written
/// again: each version to come must go on reading them.
#[test]
fn records_of_format_1_are_read() {
    let base = include_bytes!("../fixtures/record-1-base.bin");
    let queue = include_bytes!("../fixtures/record-1-queue.bin");
    let client = Client::restore(Config::new(1, ""), base, queue).unwrap();
    assert_eq!(client.session_key(), "key 0");
    assert_eq!(client.author(), Some(Author(1)));
    assert_eq!(client.expires_at(), Some(700));
    assert_eq!(client.desk().title().value, "queued title");
    assert_eq!(client.confirmed().title().value, "desk");
    let notes: Vec<&str> = client.desk().pile().map(|note| note.text.value.as_str()).collect();
    assert_eq!(notes, ["kept, in flight", "committed since the base"]);
    assert_eq!(client.pending(), 3);
    assert!(!client.can_undo(), "steps were not written then");
    let unsaved = client.unsaved();
    assert_eq!(unsaved.len(), 1);
    assert!(matches!(&unsaved[0].reason, UnsavedReason::Rejected { operation: 0, detail }
        if detail.contains("was used before")));
    assert_eq!(unsaved[0].operations.len(), 1);
}

/// Format 1 knew nothing of locks, and its writer passed over what it did not know.
#[test]
fn frame_8_a_replica_of_format_1_asks_for_a_snapshot() {
    let base = include_bytes!("../fixtures/record-1-base.bin");
    let queue = include_bytes!("../fixtures/record-1-queue.bin");
    let greets = |base: &[u8], queue: &[u8]| {
        let mut client = Client::restore(Config::new(1, ""), base, queue).unwrap();
        let now = Time::from_unix_seconds(1_000);
        client.handle_timeout(now);
        client.connected(now);
        let greeting = client.poll_transmit(now).unwrap();
        let Ok(Decoded::Frame(_, Some(ClientFrame::Hello(hello)))) = decode_client(&greeting)
        else {
            panic!("it begins with a greeting");
        };
        hello.revision
    };
    assert_eq!(greets(base, queue), None);
    // What is written before the snapshot came is as old as what was read.
    let durable = Config { durable: true, ..Config::new(1, "") };
    let mut client = Client::restore(durable, base, queue).unwrap();
    client.handle_timeout(Time::from_unix_seconds(1_000));
    let title = "newer".to_owned();
    client.act(Time::from_unix_seconds(1_000), vec![Edit::SetTitle { title }]).unwrap();
    let records = client.persist().unwrap();
    assert_eq!(greets(base, &records.queue), None);

    let (net, _) = durable_with_a_lock();
    let (base, queue) = net.records(0);
    assert!(greets(&base, &queue).is_some());
}

/// A locked note, and a text that waits.
fn durable_with_a_lock() -> (Net, StickerId) {
    let (mut net, id) = durable(1);
    let now = net.now;
    net.client(0).act(now, vec![Edit::SetLocked { id, locked: true }]).expect("it is there");
    net.settle();
    net.go_offline(0);
    net.client(0).replace_text(now, id, "kept, queued").expect("it fits");
    net.pump(0);
    (net, id)
}

/// As `records_of_format_1_are_read`.
#[test]
fn records_of_format_2_are_read() {
    let base = include_bytes!("../fixtures/record-2-base.bin");
    let queue = include_bytes!("../fixtures/record-2-queue.bin");
    let mut client = Client::restore(Config::new(1, ""), base, queue).unwrap();
    assert_eq!(client.pending(), 1);
    let note = client.desk().pile().next().unwrap();
    assert_eq!((note.text.value.as_str(), note.locked.value), ("kept, queued", true));
    assert_eq!(note.locked.stamp.revision, client.confirmed().revision());
    let now = Time::from_unix_seconds(1_000);
    assert!(client.undo(now) && client.undo(now));
    assert!(!client.desk().pile().next().unwrap().locked.value);
}
