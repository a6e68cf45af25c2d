//! KIT: registers of the desk, and votes.

mod server;

use desk_protocol::limits::{DESK_REGISTER_BYTES_MAX, DeskLimits, OrderLimits};
use desk_protocol::resolver::{BatchError, Invalid, Refusal, RejectionReason, apply, invert};
use desk_protocol::{Batch, Desk, Operation, StickerId};
use server::*;

fn counters(desk: &Desk, id: u64) -> Vec<(u32, u32)> {
    let sticker = desk.sticker(StickerId(id)).expect("it is there");
    sticker.counters.iter().map(|(author, count)| (author.0, *count)).collect()
}

#[test]
fn kit_1_the_later_write_of_a_register_stands() {
    let mut server = Server::default();
    server.now(1, vec![register(1, b"one"), register(200, b"free")]);
    server.order(2, 0, vec![register(1, b"two")]);
    assert_eq!(server.desk.registers()[&1], b"two");
    assert_eq!(server.desk.registers()[&200], b"free");
}

#[test]
fn kit_1_an_empty_register_is_none() {
    let mut server = Server::default();
    server.now(1, vec![register(1, b"one")]);
    server.now(1, vec![register(1, b"")]);
    assert!(server.desk.registers().is_empty());
}

#[test]
fn kit_1_a_register_has_64_bytes_at_most() {
    let long = register(1, &[7; DESK_REGISTER_BYTES_MAX + 1]);
    let error = Batch::from_operations(vec![long.clone()], &DeskLimits::default());
    let reason = Invalid::Register { found: 65, limit: 64 };
    assert_eq!(error, Err(BatchError::Invalid { operation: 0, reason }));
    // Nor does a replica take one from a hostile server.
    let mut server = Server::default();
    let mut commit = server.now(1, vec![register(1, &[7; DESK_REGISTER_BYTES_MAX])]).clone();
    let mut replica = Desk::new("desk".into());
    commit.operations = vec![long];
    assert!(apply(&mut replica, &commit).is_err());
    assert!(replica.registers().is_empty());
}

#[test]
fn kit_2_a_counter_is_its_authors_alone() {
    let mut server = Server::default();
    server.now(9, vec![create(1, "")]);
    server.order(1, 1, vec![vote(1, 3)]);
    server.order(2, 1, vec![vote(1, 5)]);
    server.order(1, 1, vec![vote(1, 4)]);
    assert_eq!(counters(&server.desk, 1), [(1, 4), (2, 5)]);
    server.now(1, vec![vote(1, 0)]);
    assert_eq!(counters(&server.desk, 1), [(2, 5)]);
}

#[test]
fn kit_2_a_sticker_is_voted_on_in_the_batch_that_creates_it() {
    let mut server = Server::default();
    server.now(1, vec![create(1, ""), vote(1, 1), vote(1, 2)]);
    assert_eq!(counters(&server.desk, 1), [(1, 2)]);
}

#[test]
fn kit_2_a_counter_takes_24_bytes_of_the_desk() {
    let mut server = Server::default();
    server.now(9, vec![create(1, "text")]);
    assert_eq!(server.desk.live_bytes(), 68);
    server.limits = OrderLimits {
        desk: DeskLimits { desk_bytes: 68 + 24, ..DeskLimits::default() },
        ..OrderLimits::default()
    };
    server.now(1, vec![vote(1, 1)]);
    assert_eq!(server.desk.live_bytes(), 92);
    let full = server.submit(
        2,
        2,
        &Batch::from_operations(vec![vote(1, 1)], &server.limits.desk).expect("sound"),
    );
    let Err(Refusal::Rejected(why)) = full else { panic!("{full:?}") };
    assert_eq!(why.reason, RejectionReason::DeskTooLarge { found: 116, limit: 92 });
    // A counter that is there already costs nothing more.
    server.now(1, vec![vote(1, 2)]);
    server.now(1, vec![vote(1, 0)]);
    assert_eq!(server.desk.live_bytes(), 68);
}

#[test]
fn undo_24_an_inverse_takes_neither_back() {
    let mut batch = Batch::default();
    for operation in [register(1, b"one"), vote(1, 1), move_to(1, 5)] {
        batch.push(operation).expect("well formed");
    }
    let mut server = Server::default();
    server.now(9, vec![create(1, "")]);
    let inverse = invert(&batch, &server.desk);
    assert!(matches!(inverse.operations(), [Operation::Set { .. }]), "{inverse:?}");
}
