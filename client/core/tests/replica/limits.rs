//! Limits: what others write meanwhile, and a server whose limits differ.

use std::time::Duration;

use crate::net::{self, Net};
use desk_client_core::{Edit, EditError, NewSticker, Status, UnsavedReason};
use desk_protocol::StickerId;
use desk_protocol::limits::BinLimits;

fn note(text: &str) -> NewSticker {
    NewSticker { text: text.into(), ..NewSticker::default() }
}

/// Two clients that keep their state, and a sticker that both see.
fn pair(text: &str) -> (Net, StickerId) {
    let mut net = Net::durable(2, net::plenty(), 1_000, 5);
    net.settle();
    let now = net.now;
    let id = net.client(0).create(now, note(text)).expect("a sound note");
    net.settle();
    net.assert_converged();
    (net, id)
}

/// Client 0 is away; client 1 puts `count` characters before the text.
fn prepend(net: &mut Net, id: StickerId, count: usize) {
    let now = net.now;
    let text = "y".repeat(count) + net.text(1, id);
    net.client(1).replace_text(now, id, &text).expect("within the limit");
    net.settle();
}

#[test]
fn limit_6_an_offline_edit_is_kept_on_a_grown_text() {
    for (reload, kept) in [(false, 1_000), (true, 1_000), (false, 0), (true, 0)] {
        let (mut net, id) = pair("");
        net.server.kept = kept;
        net.go_offline(0);
        let now = net.now;
        net.client(0).replace_text(now, id, &"x".repeat(9_000)).expect("within the limit");
        net.pump(0);
        prepend(&mut net, id, 4_000);
        if reload {
            net.restart(0);
        }
        net.go_online(0);
        net.settle();
        net.assert_converged();
        assert_eq!(net.text(1, id), "y".repeat(4_000) + &"x".repeat(9_000), "{reload} {kept}");
        assert_eq!(net.peers[0].client.status(), Status::Saved);
        // What the person does at the text so long is its own intent.
        let now = net.now;
        let more = net.text(0, id).to_owned() + "z";
        let long = EditError::TextTooLong { found: 13_001, limit: 10_000 };
        assert_eq!(net.client(0).replace_text(now, id, &more), Err(long));
    }
}

#[test]
fn limit_6_an_undo_puts_back_what_others_have_grown_past() {
    let (mut net, id) = pair("");
    let now = net.now;
    net.client(0).replace_text(now, id, &"x".repeat(9_000)).expect("within the limit");
    net.settle();
    // A step of its own.
    net.pass_time(Duration::from_secs(2));
    let now = net.now;
    net.client(0).replace_text(now, id, "").expect("shorter");
    net.settle();
    prepend(&mut net, id, 4_000);
    let now = net.now;
    assert!(net.client(0).undo(now));
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(1, id).len(), 13_000);
    assert_eq!(net.peers[0].client.status(), Status::Saved);
}

#[test]
fn limit_8_a_client_goes_by_the_limits_that_it_was_told() {
    let mut net = Net::with(1, net::plenty(), 1_000, 5);
    net.server.limits.desk.text_chars = 30_000;
    net.server.limits.desk.stickers = 1;
    net.settle();
    let now = net.now;
    let long = "x".repeat(25_000);
    let id = net.client(0).create(now, note(&long)).expect("it may be longer here");
    let one = EditError::TooManyStickers { limit: 1 };
    assert_eq!(net.client(0).create(now, note("")).map(|_| ()), Err(one));
    net.client(0).replace_text(now, id, &(long + "x")).expect("composed with the creation");
    net.settle();
    net.assert_converged();
    assert_eq!(net.server.desk.sticker(id).map(|note| note.text.value.len()), Some(25_001));
    assert_eq!(net.peers[0].client.status(), Status::Saved);
}

#[test]
fn limit_8_work_over_a_lowered_limit_is_kept() {
    let (mut net, id) = pair("abc");
    net.go_offline(0);
    let now = net.now;
    net.client(0).replace_text(now, id, &"x".repeat(5_000)).expect("as far as it knows");
    net.client(0).act(now, vec![Edit::Raise { id }]).expect("fine");
    net.pump(0);
    net.server.limits.desk.text_chars = 3_000;
    net.restart(0);
    net.go_online(0);
    let before = net.server.log.len();
    net.settle();
    net.assert_converged();
    assert_eq!(net.server.log.len() - before, 1, "it is not sent again");
    assert_eq!(net.text(0, id), "abc");
    let client = &net.peers[0].client;
    let [unsaved] = client.unsaved() else { panic!("{:?}", client.unsaved()) };
    let UnsavedReason::Rejected { detail, .. } = &unsaved.reason else { panic!("{unsaved:?}") };
    assert!(detail.contains("5000 characters, at most 3000"), "{detail}");
    assert_eq!(unsaved.stickers[0].text.value.len(), 5_000, "it can be copied");
}

#[test]
fn limit_8_a_batch_over_the_frame_limit_is_kept() {
    for durable in [false, true] {
        let make = if durable { Net::durable } else { Net::with };
        let mut net = make(2, net::plenty(), 1_000, 5);
        net.settle();
        let now = net.now;
        let id = net.client(0).create(now, note("abc")).expect("a sound note");
        net.settle();
        net.go_offline(0);
        net.client(0).replace_text(now, id, &"x".repeat(9_000)).expect("as far as it knows");
        net.pump(0);
        net.server.limits.desk.frame_bytes = 4_096;
        let before = net.server.log.len();
        net.go_online(0);
        // The server of this test would panic over the frame.
        net.settle();
        assert_eq!(net.server.log.len(), before, "nothing was sent");
        let unsaved = net.peers[0].client.unsaved();
        assert_eq!(unsaved.len(), 1);
        assert_eq!(unsaved[0].stickers[0].text.value.len(), 9_000);
        let now = net.now;
        net.client(0).replace_text(now, id, "abcd").expect("small enough");
        net.settle();
        net.assert_converged();
        assert_eq!(net.text(1, id), "abcd", "its number was free");
    }
}

#[test]
fn delete_2_ones_own_commit_may_purge_what_is_still_edited() {
    let (mut net, first) = pair("first");
    let now = net.now;
    let second = net.client(0).create(now, note("second")).expect("a sound note");
    net.client(0).act(now, vec![Edit::Delete { id: first }]).expect("fine");
    net.settle();
    net.server.limits.bin = BinLimits { stickers: 1, ..BinLimits::default() };
    // In flight: an edit of the deleted sticker, and what will purge it.
    let more = Edit::ReplaceText { id: first, text: "first, in flight".into() };
    net.client(0).act(now, vec![more, Edit::Delete { id: second }]).expect("fine");
    net.pump(0);
    // Queued behind it: another edit.
    net.client(0).replace_text(now, first, "first, in flight, queued").expect("fine");
    net.settle();
    net.assert_converged();
    let client = &net.peers[0].client;
    assert!(client.desk().sticker(first).is_none());
    assert_eq!(client.pending(), 0);
    let [unsaved] = client.unsaved() else { panic!("{:?}", client.unsaved()) };
    assert_eq!(unsaved.reason, UnsavedReason::Purged);
    assert_eq!(unsaved.stickers[0].text.value, "first, in flight, queued");
    // Nobody else is told to copy it, and a deletion alone is nothing to keep.
    assert!(net.peers[1].client.unsaved().is_empty());
    let third = net.client(0).create(now, note("third")).expect("a sound note");
    net.settle();
    net.client(0).act(now, vec![Edit::Delete { id: third }]).expect("fine");
    net.settle();
    assert_eq!(net.peers[0].client.unsaved().len(), 1);
}

#[test]
fn delete_2_an_edit_in_flight_alone_is_kept_too() {
    let (mut net, first) = pair("first");
    let now = net.now;
    let second = net.client(0).create(now, note("second")).expect("a sound note");
    net.client(0).act(now, vec![Edit::Delete { id: first }]).expect("fine");
    net.settle();
    net.server.limits.bin = BinLimits { stickers: 1, ..BinLimits::default() };
    let more = Edit::ReplaceText { id: first, text: "first, in flight".into() };
    net.client(0).act(now, vec![more, Edit::Delete { id: second }]).expect("fine");
    net.settle();
    let client = &net.peers[0].client;
    let [unsaved] = client.unsaved() else { panic!("{:?}", client.unsaved()) };
    assert_eq!(unsaved.stickers[0].text.value, "first, in flight");
}
