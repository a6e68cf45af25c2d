//! Batches, fences and heartbeats as bytes: hostile until decoded.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use desk_cluster::limits::STATE_BYTES_MAX;
use desk_cluster::wire::{Batch, DecodeError, Fence, VERSION};
use desk_cluster::{Beat, Epoch, Invite, Key, Mark, Record, UnitId, What};
use desk_protocol::Time;
use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

fn unit() -> impl Strategy<Value = UnitId> {
    (0..desk_cluster::UNITS).prop_map(|number| UnitId::new(number).unwrap())
}

fn record() -> impl Strategy<Value = Record> {
    let what = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60).prop_map(What::Entry),
        Just(What::Forget),
        (any::<u32>(), 0..STATE_BYTES_MAX as u32, prop::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(at, total, bytes)| What::Piece { at, total, bytes }),
    ];
    (any::<[u8; 16]>(), 1u64.., any::<u64>(), what).prop_map(|(key, sequence, at, what)| Record {
        key: Key(key),
        sequence,
        expires_at: Time(at),
        what,
    })
}

prop_compose! {
    fn batch()(
        unit in unit(),
        epoch in 1u64..,
        number in 1u64..,
        after: (u64, u64),
        floor: (u64, u64),
        records in prop::collection::vec(record(), 0..9),
    ) -> Batch {
        let after = Mark { epoch: Epoch(after.0), number: after.1 };
        let floor = Mark { epoch: Epoch(floor.0), number: floor.1 };
        Batch { unit, epoch: Epoch(epoch), number, after, floor, records }
    }
}

prop_compose! {
    fn fence()(
        unit in unit(),
        epoch in 1u64..,
        attempt: u64,
        node in "[a-z]{1,20}",
        address in "\\PC{0,30}",
    ) -> Fence {
        Fence { unit, epoch: Epoch(epoch), attempt, node, address }
    }
}

prop_compose! {
    fn beat()(
        node in "[a-z]{1,20}",
        instance: u64,
        clock: u64,
        sessions: u32,
        is_leaving: bool,
        advertise in "\\PC{0,30}",
        quic in "\\PC{0,30}",
        home in "[a-z]{0,20}",
        units in prop::collection::vec((unit(), (1u64..).prop_map(Epoch)), 0..9),
    ) -> Beat {
        let clock = Time(clock);
        Beat { node, instance, clock, sessions, is_leaving, advertise, quic, home, units }
    }
}

/// Decodes as each kind; none may panic or take what another wrote.
fn kinds(bytes: &[u8]) -> usize {
    usize::from(Batch::decode(bytes).is_ok())
        + usize::from(Fence::decode(bytes).is_ok())
        + usize::from(Beat::decode(bytes).is_ok())
        + usize::from(Invite::decode(bytes).is_ok())
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(batch in batch(), fence in fence(), beat in beat()) {
        prop_assert_eq!(Batch::decode(&batch.encode()), Ok(batch.clone()));
        prop_assert_eq!(Fence::decode(&fence.encode()), Ok(fence.clone()));
        prop_assert_eq!(Beat::decode(&beat.encode()), Ok(beat.clone()));
        let is_for_load = fence.attempt % 2 == 0;
        let invite = Invite { unit: fence.unit, to: fence.node.clone(), is_for_load };
        prop_assert_eq!(Invite::decode(&invite.encode()), Ok(invite.clone()));
        for bytes in [batch.encode(), fence.encode(), beat.encode(), invite.encode()] {
            prop_assert_eq!(kinds(&bytes), 1);
        }
    }

    #[test]
    fn a_changed_byte_is_noticed(batch in batch(), at: prop::sample::Index, change in 1u8..) {
        let mut bytes = batch.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        prop_assert_eq!(kinds(&bytes), 0);
    }

    #[test]
    fn any_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(kinds(&bytes), 0);
    }

    /// Whoever can write checksums can write anything behind them.
    #[test]
    fn any_bytes_behind_a_checksum_are_no_panic(
        kind in 0u8..6,
        mut body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        body.splice(0..0, [VERSION, kind]);
        let checksum = xxh3_64(&body);
        body.extend_from_slice(&checksum.to_le_bytes());
        prop_assert!(kinds(&body) <= 1);
    }

    #[test]
    fn a_shortened_message_behind_a_checksum_is_an_error(batch in batch(), cut in 1usize..60) {
        let mut body = batch.encode();
        body.truncate(body.len() - 8);
        body.truncate(body.len().saturating_sub(cut).max(2));
        let checksum = xxh3_64(&body);
        body.extend_from_slice(&checksum.to_le_bytes());
        prop_assert_eq!(kinds(&body), 0);
    }
}

#[test]
fn a_newer_version_says_that_it_is_newer() {
    let newer = [VERSION + 1, 1, 0, 0];
    let error = Batch::decode(&newer).unwrap_err();
    assert_eq!(error, DecodeError::Version(VERSION + 1));
    assert!(error.to_string().contains("update"), "{error}");
}

#[test]
fn a_count_allocates_nothing_ahead() {
    let mut body = vec![VERSION, 1, 0, 0];
    for number in [1u64, 2, 1, 1, 1, 1] {
        body.extend_from_slice(&number.to_le_bytes());
    }
    body.extend_from_slice(&u32::MAX.to_le_bytes());
    let checksum = xxh3_64(&body);
    body.extend_from_slice(&checksum.to_le_bytes());
    assert_eq!(Batch::decode(&body), Err(DecodeError::Records(u32::MAX)));
}
