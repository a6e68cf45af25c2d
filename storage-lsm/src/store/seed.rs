//! What recovery hands to a shard.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bucket::{BucketId, BucketTable};
use crate::checksum::StoreId;
use crate::file::FileId;
use crate::holds::Holds;
use crate::key::{Key, ShardId, UnixSecond};
use crate::log::segment::Closed;
use crate::log::writer::{Age, Spare};
use crate::options::Options;

use super::error::Gap;
use super::index::Index;
use super::place::TableNo;
use super::recovered::Recovered;

/// A shard's share of a table that recovery found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TableSeed {
    pub(crate) file: FileId,
    pub(crate) bucket: BucketId,
    /// Whether it has a footer.
    pub(crate) sealed: bool,
    pub(crate) bytes: u64,
    pub(crate) live_bytes: u64,
}

/// A shard's share of a bucket that recovery found.
#[derive(Default, Debug)]
pub(crate) struct BucketShareSeed {
    pub(crate) index: Index,
    pub(crate) recovered: Recovered,
}

/// What one shard starts from. It is `Send`, made once and used once.
#[derive(Debug)]
pub struct ShardSeed {
    pub(crate) options: Options,
    pub(crate) segments_max: usize,
    pub(crate) store: StoreId,
    pub(crate) epoch: u32,
    pub(crate) shard: ShardId,
    pub(crate) buckets: Arc<BucketTable>,
    pub(crate) recorded: UnixSecond,
    pub(crate) shares: BTreeMap<BucketId, BucketShareSeed>,
    pub(crate) tables: BTreeMap<TableNo, TableSeed>,
    pub(crate) holds: Holds,
    pub(crate) inherited: BTreeMap<Age, Closed>,
    pub(crate) next_age: u64,
    pub(crate) spares: Vec<Spare>,
    pub(crate) next_file: u32,
    /// Keys that were deleted and whose tombstone is in the log only.
    pub(crate) deleted: Vec<Key>,
    pub(crate) quarantined: BTreeMap<Key, Gap>,
}

impl ShardSeed {
    /// The shard that the seed is for.
    pub fn shard(&self) -> ShardId {
        self.shard
    }
}

const _: () = {
    const fn send<T: Send>() {}
    send::<ShardSeed>();
};
