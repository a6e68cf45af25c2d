//! The other stores. Each gets what its own documentation recommends for durable
//! commits: its log is synced before a commit returns.

mod fjall;
mod redb;
mod rocksdb;
mod sqlite;
mod threads;

use std::path::Path;
use std::rc::Rc;

use anyhow::Result;

use crate::content::{Content, KEY_BYTES};
use crate::engine::Engine;
use threads::Threads;

/// Bytes of the cache that each store is given for what it has read.
const CACHE_BYTES: usize = 256 << 20;
/// An operation's key: the desk's, then the revision, so that all of a desk's
/// operations since its last whole writing lie together.
type OperationKey = [u8; KEY_BYTES + 8];

/// A store that is called by threads and blocks them.
trait Blocking: Send + Sync {
    /// Makes a group of operations durable.
    fn commit(&self, group: &[(OperationKey, &[u8])]) -> Result<()>;

    /// Makes some whole desks of a bucket durable.
    fn put(&self, bucket: u32, desks: &[([u8; KEY_BYTES], &[u8])]) -> Result<()>;

    /// Flushes what is in memory and waits for compactions to end.
    fn settle(&self) -> Result<()>;

    /// Reads a desk and shows it.
    fn get(&self, bucket: u32, key: &[u8; KEY_BYTES], show: &mut dyn FnMut(&[u8])) -> Result<()>;

    /// Removes a bucket with all its desks.
    fn drop_bucket(&self, bucket: u32) -> Result<()>;

    /// Whether every value is first written to a log, whole and once.
    fn has_log(&self) -> bool;
}

/// The name of a bucket's part of a store.
fn bucket_name(bucket: u32) -> String {
    format!("bucket_{bucket}")
}

/// What holds the operations.
const OPERATIONS: &str = "operations";

pub(crate) fn open_fjall(
    folder: &Path,
    content: Rc<Content>,
    separated: bool,
) -> Result<Box<dyn Engine>> {
    let store = fjall::Fjall::open(folder, content.buckets, separated)?;
    Ok(Box::new(Threads::new(store, content)))
}

pub(crate) fn open_rocksdb(
    folder: &Path,
    content: Rc<Content>,
    blobs: bool,
) -> Result<Box<dyn Engine>> {
    let store = rocksdb::RocksDb::open(folder, content.buckets, blobs)?;
    Ok(Box::new(Threads::new(store, content)))
}

pub(crate) fn open_redb(folder: &Path, content: Rc<Content>) -> Result<Box<dyn Engine>> {
    let store = redb::Redb::open(folder, content.buckets)?;
    Ok(Box::new(Threads::new(store, content)))
}

pub(crate) fn open_sqlite(folder: &Path, content: Rc<Content>) -> Result<Box<dyn Engine>> {
    let store = sqlite::Sqlite::open(folder, content.buckets)?;
    Ok(Box::new(Threads::new(store, content)))
}
