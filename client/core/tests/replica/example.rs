//! The example of `docs/client.md`, step by step. Client 0 is Ann, client 1 Bob.

use std::time::Duration;

use desk_client_core::{Edit, NewSticker};
use desk_protocol::{Point, StickerId};

use crate::net::Net;

const ANN: usize = 0;
const BOB: usize = 1;

fn desk_with(text: &str) -> (Net, StickerId) {
    let mut net = Net::joined(2);
    let note = NewSticker { text: text.into(), ..NewSticker::default() };
    let now = net.now;
    let id = net.client(BOB).create(now, note).expect("a sound note");
    net.settle();
    (net, id)
}

/// An action after a pause, so that it is an undo step of its own.
fn act(net: &mut Net, client: usize, edits: Vec<Edit>) {
    net.now = net.now + Duration::from_secs(2);
    let now = net.now;
    net.client(client).act(now, edits).expect("sound edits");
}

fn text(id: StickerId, text: &str) -> Edit {
    Edit::ReplaceText { id, text: text.into() }
}

fn undo(net: &mut Net) {
    let now = net.now;
    assert!(net.client(ANN).undo(now));
}

/// What is confirmed, and what Ann sees.
fn layers(net: &Net, id: StickerId) -> (&str, &str) {
    let confirmed = net.peers[ANN].client.confirmed().sticker(id).expect("it is confirmed");
    (&confirmed.text.value, net.text(ANN, id))
}

/// The third row of the table.
fn third_row() -> (Net, StickerId) {
    let (mut net, id) = desk_with("ab");
    act(&mut net, ANN, vec![text(id, "aXb")]);
    net.pump(ANN);
    assert_eq!(layers(&net, id), ("ab", "aXb"));
    act(&mut net, ANN, vec![text(id, "aXYb")]);
    assert_eq!(layers(&net, id), ("ab", "aXYb"));
    act(&mut net, BOB, vec![text(id, "Qab")]);
    while net.deliver_up(BOB) {}
    while net.deliver_down(ANN) {}
    assert_eq!(layers(&net, id), ("Qab", "QaXYb"));
    (net, id)
}

#[test]
fn typing_while_another_types_moves_nothing_else() {
    let (mut net, id) = third_row();
    while net.deliver_up(ANN) {}
    while net.deliver_down(ANN) {}
    assert_eq!(layers(&net, id), ("QaXb", "QaXYb"));
    net.settle();
    net.assert_converged();
    assert_eq!(layers(&net, id), ("QaXYb", "QaXYb"));
}

#[test]
fn flight_7_a_refused_batch_leaves_the_queue() {
    let taken = StickerId(77);
    let create = Edit::Create { id: Some(taken), note: NewSticker::default() };
    let (mut net, id) = desk_with("ab");
    act(&mut net, ANN, vec![text(id, "aXb"), create.clone()]);
    net.pump(ANN);
    act(&mut net, ANN, vec![text(id, "aXYb")]);
    // The id is taken by the time that Ann's batch arrives, so it is refused.
    act(&mut net, BOB, vec![text(id, "Qab"), create]);
    while net.deliver_up(BOB) {}
    net.settle();
    net.assert_converged();
    assert_eq!(layers(&net, id), ("QaYb", "QaYb"));
    assert_eq!(net.peers[ANN].client.unsaved().len(), 1);
}

#[test]
fn undo_20_takes_out_of_the_queue_before_it_inverts() {
    let (mut net, id) = third_row();
    undo(&mut net);
    assert_eq!(layers(&net, id), ("Qab", "QaXb"));
    undo(&mut net);
    assert_eq!(layers(&net, id), ("Qab", "Qab"));
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(BOB, id), "Qab");
}

#[test]
fn undo_21_restores_the_value_below_the_write() {
    for overtaken in [true, false] {
        let (mut net, id) = desk_with("");
        let to = |x| vec![Edit::Move { id, to: Point { x, y: 0 } }];
        act(&mut net, ANN, to(1));
        net.pump(ANN);
        act(&mut net, BOB, to(7));
        // Bob's move is ordered before hers, or after it.
        let first = if overtaken { BOB } else { ANN };
        while net.deliver_up(first) {}
        net.settle();
        let now = net.now;
        assert_eq!(net.client(ANN).undo(now), overtaken, "a foreign write above hers ends it");
        net.settle();
        net.assert_converged();
        assert_eq!(net.sticker(ANN, id).position.value.x, 7);
    }
}
