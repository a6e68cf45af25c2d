//! Stories of one or two clients and a server.

use std::time::Duration;

use crate::net::{self, Net};
use desk_client_core::{Edit, EditError, Event, Line, NewSticker, Status, Trouble, UnsavedReason};
use desk_protocol::frame::{CloseCode, Role};
use desk_protocol::text::Part;
use desk_protocol::{Delta, Point, StickerId};

fn note(text: &str) -> NewSticker {
    NewSticker { text: text.into(), ..NewSticker::default() }
}

fn at(x: i32, y: i32) -> Point {
    Point { x, y }
}

/// Two clients and a sticker that both see.
fn pair(text: &str) -> (Net, StickerId) {
    let mut net = Net::joined(2);
    let now = net.now;
    let id = net.client(0).create(now, note(text)).expect("a sound note");
    net.settle();
    net.assert_converged();
    (net, id)
}

#[test]
fn what_one_writes_the_other_reads() {
    let (mut net, id) = pair("hello");
    assert_eq!(net.text(1, id), "hello");
    let now = net.now;
    net.client(1).replace_text(now, id, "hello world").unwrap();
    net.client(0).act(now, vec![Edit::Move { id, to: at(5, 6) }]).unwrap();
    assert_eq!(net.peers[0].client.status(), Status::Saving { pending: 1 });
    assert!(net.peers[0].client.is_unsaved(id));
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(0, id), "hello world");
    assert_eq!(net.sticker(1, id).position.value, at(5, 6));
}

#[test]
fn text_typed_into_one_place_at_once_is_all_kept() {
    let (mut net, id) = pair("");
    let now = net.now;
    for (index, text) in ["aaa", "bbb"].into_iter().enumerate() {
        net.client(index).replace_text(now, id, text).unwrap();
    }
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(0, id), "aaabbb");
}

#[test]
fn edits_while_one_batch_is_in_flight_become_the_next() {
    let (mut net, id) = pair("");
    let before = net.server.log.len();
    let now = net.now;
    for n in 1..=20 {
        net.client(0).replace_text(now, id, &"x".repeat(n)).unwrap();
        net.pump(0);
    }
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(1, id).len(), 20);
    assert_eq!(net.server.log.len() - before, 2, "one in flight, the rest in one more");
}

#[test]
fn flight_8_a_lost_batch_is_sent_again_under_its_number() {
    let (mut net, id) = pair("");
    let now = net.now;
    net.client(0).replace_text(now, id, "mine").unwrap();
    net.pump(0);
    net.cut(0);
    net.client(1).replace_text(now, id, "yours ").unwrap();
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(0, id), "yours mine");
}

#[test]
fn flight_10_a_lost_answer_applies_nothing_twice() {
    let (mut net, id) = pair("");
    let now = net.now;
    net.client(0).replace_text(now, id, "once").unwrap();
    assert!(net.deliver_up(0));
    net.cut(0);
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(1, id), "once");
}

#[test]
fn flight_11_a_stale_batch_is_sent_again_at_the_head() {
    let mut net = Net::with(
        2,
        desk_protocol::limits::HistoryLimits { deltas_per_sticker: 1, bytes: 1 << 20 },
        1_000,
        3,
    );
    net.settle();
    let now = net.now;
    let id = net.client(0).create(now, note("")).unwrap();
    net.settle();
    net.client(0).replace_text(now, id, "A").unwrap();
    net.pump(0);
    for text in ["x", "xy", "xyz"] {
        net.client(1).replace_text(now, id, text).unwrap();
        while net.deliver_up(1) {}
        while net.deliver_down(1) {}
    }
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(0, id), "xyzA");
}

#[test]
fn flight_13_a_snapshot_is_merged_three_ways() {
    let mut net = Net::with(2, net::plenty(), 2, 3);
    net.settle();
    let now = net.now;
    let id = net.client(0).create(now, note("one two three")).unwrap();
    net.settle();
    net.go_offline(0);
    net.client(0).replace_text(now, id, "one 2 three").unwrap();
    net.client(0).act(now, vec![Edit::Move { id, to: at(9, 9) }]).unwrap();
    assert_eq!(
        net.peers[0].client.status(),
        Status::Offline { pending: 2, trouble: Trouble::Lost }
    );
    for text in ["one two three f", "one two three fo", "one two three four"] {
        net.client(1).replace_text(now, id, text).unwrap();
        net.settle();
    }
    net.go_online(0);
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(1, id), "one 2 three four");
    assert_eq!(net.sticker(1, id).position.value, at(9, 9));
    assert!(net.peers[0].events.contains(&Event::Reset));
}

#[test]
fn flight_13_a_snapshot_that_holds_the_batch_in_flight() {
    let mut net = Net::with(2, net::plenty(), 1, 3);
    net.settle();
    let now = net.now;
    let id = net.client(0).create(now, note("ab")).unwrap();
    net.settle();
    net.client(0).replace_text(now, id, "aXb").unwrap();
    assert!(net.deliver_up(0));
    net.client(0).replace_text(now, id, "aXYb").unwrap();
    net.go_offline(0);
    for text in ["aXbc", "aXbcd"] {
        net.deliver_down(1);
        net.client(1).replace_text(now, id, text).unwrap();
        net.settle();
    }
    net.go_online(0);
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(0, id), "aXYbcd");
}

#[test]
fn flight_13_a_snapshot_out_of_turn_to_a_slow_reader() {
    let (mut net, id) = pair("ab");
    let now = net.now;
    net.client(0).replace_text(now, id, "aXb").unwrap();
    net.pump(0);
    net.client(1).replace_text(now, id, "abc").unwrap();
    while net.deliver_up(1) {}
    // The batch of client 0 is under way while the server starts its snapshot.
    let line = net.peers[0].line.unwrap();
    let mut out = Vec::new();
    net.server.kept = 0;
    net.server.welcome(line, None, &mut out);
    for (to, bytes) in out {
        net.enqueue_down(to, bytes);
    }
    net.client(0).replace_text(now, id, "aXYb").unwrap();
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(0, id), "aXYbc");
}

#[test]
fn flight_7_a_refused_batch_is_kept_and_the_queue_goes_on() {
    let (mut net, id) = pair("");
    let now = net.now;
    net.go_offline(0);
    // Both make a sticker of one id: the later one is refused.
    let taken = StickerId(77);
    let create = |text: &str| vec![Edit::Create { id: Some(taken), note: note(text) }];
    net.client(1).act(now, create("theirs")).unwrap();
    net.settle();
    net.client(0).act(now, create("mine")).unwrap();
    net.peers[0].online = true;
    net.pump(0);
    net.client(0).retry_now(now);
    net.pass_time(Duration::from_millis(1));
    // In flight once live; the edit below queues behind it.
    while net.deliver_up(0) || net.deliver_down(0) {}
    net.client(0).replace_text(now, id, "goes on").unwrap();
    net.settle();
    let unsaved = net.peers[0].client.unsaved().to_vec();
    assert_eq!(unsaved.len(), 1);
    assert!(matches!(unsaved[0].reason, UnsavedReason::Rejected { operation: 0, .. }));
    assert_eq!(unsaved[0].operations.len(), 1);
    assert_eq!(net.text(1, id), "goes on");
    assert_eq!(net.text(0, taken), "theirs");
    assert_eq!(net.peers[0].client.status(), Status::Rejected { unsaved: 1, pending: 0 });
    net.assert_converged();
    net.client(0).dismiss_unsaved(unsaved[0].number);
    assert_eq!(net.peers[0].client.status(), Status::Saved);
}

#[test]
fn a_viewer_cannot_edit() {
    let mut net = Net::new(1);
    net.server.role = Role::Viewer;
    net.settle();
    let now = net.now;
    assert_eq!(net.client(0).create(now, note("x")), Err(EditError::ReadOnly));
    assert_eq!(net.peers[0].client.role(), Some(Role::Viewer));
}

#[test]
fn bad_edits_change_nothing() {
    let (mut net, id) = pair("abc");
    let now = net.now;
    let client = net.client(0);
    let missing = StickerId(5);
    assert_eq!(client.act(now, vec![]), Err(EditError::Empty));
    let both = vec![Edit::Move { id, to: at(1, 1) }, Edit::Delete { id: missing }];
    assert_eq!(client.act(now, both), Err(EditError::NoSticker(missing)));
    let far = vec![Edit::Move { id, to: at(i32::MAX, 0) }];
    assert!(matches!(client.act(now, far), Err(EditError::Invalid(_))));
    let long = "x".repeat(10_001);
    assert_eq!(
        client.replace_text(now, id, &long),
        Err(EditError::TextTooLong { found: 10_001, limit: 10_000 })
    );
    assert_eq!(client.pending(), 0);
    assert!(client.desk().sticker(id).is_some_and(|one| one.position.value == at(0, 0)));
}

#[test]
fn finished_is_parked_until_the_person_rejoins() {
    let (mut net, id) = pair("");
    net.close(0, CloseCode::Finished);
    assert_eq!(net.peers[0].client.line(), Line::Ended(CloseCode::Finished));
    let now = net.now;
    net.client(0).replace_text(now, id, "later").unwrap();
    net.pass_time(Duration::from_secs(3_600));
    assert_eq!(net.peers[0].client.line(), Line::Ended(CloseCode::Finished));
    let now = net.now;
    net.client(0).rejoin(now, "key 0", true);
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(1, id), "later");
}

#[test]
fn a_rejoin_under_a_new_name_numbers_its_batches_anew() {
    let (mut net, id) = pair("");
    let now = net.now;
    net.client(0).replace_text(now, id, "sent").unwrap();
    assert!(net.deliver_up(0));
    net.client(0).replace_text(now, id, "sent, queued").unwrap();
    net.close(0, CloseCode::Finished);
    net.server.forget("key 0");
    net.client(0).rejoin(now, "another key", false);
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(1, id), "sent, queued");
    assert!(net.peers[0].client.unsaved().is_empty());
}

#[test]
fn other_ends_stop_for_good() {
    for code in
        [CloseCode::Superseded, CloseCode::Expired, CloseCode::Deleted, CloseCode::LinkReplaced]
    {
        let (mut net, _) = pair("");
        net.close(0, code);
        net.pass_time(Duration::from_secs(60));
        assert_eq!(net.peers[0].client.status(), Status::Ended { code, pending: 0 });
        let now = net.now;
        assert_eq!(net.client(0).create(now, note("")), Err(EditError::Ended(code)));
    }
    for code in [CloseCode::Draining, CloseCode::Overloaded, CloseCode::Internal] {
        let (mut net, _) = pair("");
        net.close(0, code);
        assert_eq!(net.peers[0].client.line(), Line::Waiting);
        net.settle();
        assert_eq!(net.peers[0].client.line(), Line::Live);
    }
}

#[test]
fn a_dead_line_is_noticed_and_left() {
    let (mut net, id) = pair("");
    let now = net.now;
    net.client(0).replace_text(now, id, "lost?").unwrap();
    net.pump(0);
    for _ in 0..40 {
        net.pass_time(Duration::from_millis(250));
    }
    assert!(net.peers[0].events.iter().any(|event| matches!(event, Event::LineDead { .. })));
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(1, id), "lost?");
}

#[test]
fn frames_arrive_in_any_pieces() {
    let (mut net, id) = pair("");
    let now = net.now;
    net.client(1).replace_text(now, id, "bit by bit").unwrap();
    while net.deliver_up(1) {}
    while let Some(bytes) = net.take_down(0) {
        for byte in bytes {
            net.client(0).receive(now, &[byte]);
        }
    }
    assert_eq!(net.text(0, id), "bit by bit");
}

#[test]
fn garbage_makes_a_new_connection() {
    let (mut net, _) = pair("");
    let now = net.now;
    net.client(0).receive(now, &[200, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    net.client(0).receive(now, &[0; 300]);
    net.pump(0);
    assert!(net.peers[0].events.iter().any(|event| matches!(event, Event::LineDead { .. })));
    net.settle();
    net.assert_converged();
}

#[test]
fn flight_7_the_queue_moves_over_a_refused_batch() {
    let (mut net, id) = pair("ab");
    let now = net.now;
    let taken = StickerId(77);
    let create = |text: &str| Edit::Create { id: Some(taken), note: note(text) };
    let text = |text: &str| Edit::ReplaceText { id, text: text.into() };
    net.client(0).act(now, vec![create("mine"), text("aXb")]).unwrap();
    net.pump(0);
    net.client(1).act(now, vec![create("theirs")]).unwrap();
    while net.deliver_up(1) {}
    net.client(0).act(now, vec![text("aXYb"), Edit::Move { id: taken, to: at(8, 8) }]).unwrap();
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(1, id), "aYb");
    assert_eq!(net.sticker(1, taken).position.value, at(0, 0), "theirs was not moved");
    assert_eq!(net.peers[0].client.unsaved().len(), 1, "nothing else was refused");
}

#[test]
fn flight_13_a_snapshot_may_hide_the_servers_choice() {
    let (mut net, id) = pair("aa");
    let now = net.now;
    let first = || Delta::from_parts([Part::Delete(1)]).unwrap();
    net.client(0).edit_text(now, id, first()).unwrap();
    net.pump(0);
    net.client(1).edit_text(now, id, first()).unwrap();
    while net.deliver_up(1) {}
    // Client 0 reads slowly: instead of the commit it gets a snapshot, which
    // does not tell which of two equal letters went.
    assert!(net.take_down(0).is_some());
    net.resync(0);
    while net.deliver_down(0) {}
    assert_eq!(net.text(0, id), "");
    net.client(0).replace_text(now, id, "Z").unwrap();
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(0, id), "aZ");
}
