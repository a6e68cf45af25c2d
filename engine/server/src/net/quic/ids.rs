//! Connection ids that name their shard and carry a keyed check.
//!
//! ```text
//! byte 0            1            5           8
//!      ┌────────────┬────────────┬───────────┐
//!      │ shard,     │ random     │ check     │
//!      │ modulo n   │ 4 bytes    │ 3 bytes   │
//!      └────────────┴────────────┴───────────┘
//! ```
//!
//! All shards share the key, and the next start has it too. An id with a good check that
//! no connection has is of a connection that ended, so its peer may be told. An id of
//! another shard is refused: an answer to it would end a connection that lives there.

use std::time::Duration;

use quinn_proto::{ConnectionId, ConnectionIdGenerator, InvalidCid};

/// Bytes of an id.
pub(crate) const ID_BYTES: usize = 8;
const CHECKED_BYTES: usize = 5;

/// Makes the ids of one shard.
pub(crate) struct Ids {
    key: [u8; 32],
    shard: usize,
    shards: usize,
    /// Random, of this run alone: what comes next cannot be guessed.
    seed: [u8; 32],
    count: u64,
}

impl Ids {
    /// The ids of `shard` out of `shards`.
    pub(crate) fn new(key: [u8; 32], seed: [u8; 32], shard: usize, shards: usize) -> Self {
        Self { key, shard, shards, seed, count: 0 }
    }

    /// Whether it names a shard. Its check is not looked at, which takes longer.
    pub(crate) fn is_of(&self, shard: usize, id: &[u8]) -> bool {
        id.first().is_some_and(|first| usize::from(*first) % self.shards == shard)
    }

    /// Whose id it is, if its check is good.
    pub(crate) fn shard_of(&self, id: &[u8]) -> Option<usize> {
        let (checked, check) = id.split_at_checked(CHECKED_BYTES)?;
        (id.len() == ID_BYTES && *check == self.check(checked))
            .then(|| usize::from(checked[0]) % self.shards)
    }

    fn check(&self, checked: &[u8]) -> [u8; ID_BYTES - CHECKED_BYTES] {
        let hash = blake3::keyed_hash(&self.key, checked);
        *hash.as_bytes().first_chunk().expect("a hash has 32 bytes")
    }
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        self.count += 1;
        let random = blake3::keyed_hash(&self.seed, &self.count.to_le_bytes());
        let random = random.as_bytes();
        let mut id = [0; ID_BYTES];
        id[..CHECKED_BYTES].copy_from_slice(&random[..CHECKED_BYTES]);
        id[0] = first_byte(id[0], self.shard, self.shards);
        let check = self.check(&id[..CHECKED_BYTES]);
        id[CHECKED_BYTES..].copy_from_slice(&check);
        ConnectionId::new(&id)
    }

    fn validate(&self, id: &ConnectionId) -> Result<(), InvalidCid> {
        if self.shard_of(id) == Some(self.shard) { Ok(()) } else { Err(InvalidCid) }
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// A byte near `random` that names `shard`.
fn first_byte(random: u8, shard: usize, shards: usize) -> u8 {
    let below = usize::from(random) / shards * shards + shard;
    let fits = u8::try_from(below).or_else(|_| u8::try_from(below - shards));
    fits.expect("fewer shards than a byte has values")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_shard_and_is_known_again_after_a_start() {
        for (shard, shards) in [(0, 1), (1, 2), (2, 3), (6, 7), (63, 64)] {
            let mut ids = Ids::new([7; 32], [1; 32], shard, shards);
            let later = Ids::new([7; 32], [2; 32], shard, shards);
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..1_000 {
                let id = ids.generate_cid();
                assert_eq!(usize::from(id[0]) % shards, shard);
                assert_eq!(later.shard_of(&id), Some(shard));
                assert!(later.validate(&id).is_ok() && seen.insert(id.to_vec()));
            }
        }
    }

    #[test]
    fn ids_of_other_shards_and_of_other_keys_are_refused() {
        let mut ids = Ids::new([7; 32], [1; 32], 0, 2);
        let other_shard = Ids::new([7; 32], [1; 32], 1, 2);
        let other_key = Ids::new([8; 32], [1; 32], 0, 2);
        let id = ids.generate_cid();
        assert!(other_shard.validate(&id).is_err() && other_shard.shard_of(&id) == Some(0));
        assert!(other_key.validate(&id).is_err() && other_key.shard_of(&id).is_none());
        assert_eq!(ids.shard_of(b"short"), None);
        assert_eq!(ids.shard_of(&[0; 20]), None);
    }
}
