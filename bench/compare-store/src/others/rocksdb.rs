//! RocksDB, plain or with its large values in blob files; the system's library
//! where there is one, since it takes very long to compile.

use std::path::Path;

use anyhow::{Context as _, Result};
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBWithThreadMode,
    MultiThreaded, Options, WriteBatch, WriteOptions,
};

use super::threads::{LOOK_EVERY, QUIET_LOOKS, rest};
use super::{Blocking, CACHE_BYTES, OPERATIONS, OperationKey, bucket_name};
use crate::content::KEY_BYTES;

/// Values from this size on go to blob files.
const BLOB_BYTES_MIN: u64 = 1_024;
/// What its tuning guide has for flash: blocks of 16 KiB, ten bits of filter a
/// key, and a background that syncs as it goes.
const BLOCK_BYTES: usize = 16 << 10;
const FILTER_BITS: f64 = 10.0;
const BYTES_PER_SYNC: u64 = 1 << 20;
/// Logs that are used again, so that a commit changes no metadata of the file.
const RECYCLED_LOGS: usize = 4;

/// What tells that it still works.
const WORK: [&str; 4] = [
    "rocksdb.mem-table-flush-pending",
    "rocksdb.num-running-flushes",
    "rocksdb.compaction-pending",
    "rocksdb.num-running-compactions",
];

type Database = DBWithThreadMode<MultiThreaded>;

pub(super) struct RocksDb {
    database: Database,
    buckets: u32,
}

impl RocksDb {
    pub(super) fn open(folder: &Path, buckets: u32, blobs: bool) -> Result<Self> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.increase_parallelism(std::thread::available_parallelism()?.get() as i32);
        options.set_bytes_per_sync(BYTES_PER_SYNC);
        options.set_recycle_log_file_num(RECYCLED_LOGS);
        options.set_compression_type(DBCompressionType::None);
        let cache = Cache::new_lru_cache(CACHE_BYTES);
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&cache);
        blocks.set_block_size(BLOCK_BYTES);
        blocks.set_bloom_filter(FILTER_BITS, false);
        blocks.set_cache_index_and_filter_blocks(true);
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
        options.set_block_based_table_factory(&blocks);
        let mut large = options.clone();
        if blobs {
            large.set_enable_blob_files(true);
            large.set_min_blob_size(BLOB_BYTES_MIN);
            large.set_enable_blob_gc(true);
            large.set_blob_cache(&cache);
        }
        // Every family that is there must be named, also one that no longer counts.
        let names = Database::list_cf(&options, folder).unwrap_or_default();
        let mut families: Vec<String> = (0..buckets).map(bucket_name).collect();
        families.extend(["default".to_owned(), OPERATIONS.to_owned()]);
        families.extend(names);
        families.sort();
        families.dedup();
        let described = families.into_iter().map(|name| {
            let own = if name == OPERATIONS { &options } else { &large };
            ColumnFamilyDescriptor::new(name, own.clone())
        });
        let database = Database::open_cf_descriptors(&options, folder, described)?;
        Ok(Self { database, buckets })
    }

    fn write(
        &self,
        family: &str,
        rows: impl Iterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>,
    ) -> Result<()> {
        let family = self.database.cf_handle(family).context("no such family")?;
        let mut batch = WriteBatch::default();
        for (key, value) in rows {
            batch.put_cf(&family, key, value);
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        Ok(self.database.write_opt(batch, &options)?)
    }
}

impl Blocking for RocksDb {
    fn commit(&self, group: &[(OperationKey, &[u8])]) -> Result<()> {
        self.write(OPERATIONS, group.iter().copied())
    }

    fn put(&self, bucket: u32, desks: &[([u8; KEY_BYTES], &[u8])]) -> Result<()> {
        self.write(&bucket_name(bucket), desks.iter().copied())
    }

    fn settle(&self) -> Result<()> {
        let families = || (0..self.buckets).map(|bucket| bucket_name(bucket));
        for family in families().filter_map(|name| self.database.cf_handle(&name)) {
            self.database.flush_cf(&family)?;
        }
        let busy = |property: &str| -> Result<bool> {
            for family in families().filter_map(|name| self.database.cf_handle(&name)) {
                let found = self.database.property_int_value_cf(&family, property)?;
                if found.is_some_and(|count| count > 0) {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let mut quiet = 0;
        while quiet < QUIET_LOOKS {
            rest(LOOK_EVERY);
            let mut any = false;
            for property in WORK {
                any |= busy(property)?;
            }
            quiet = if any { 0 } else { quiet + 1 };
        }
        Ok(())
    }

    fn get(&self, bucket: u32, key: &[u8; KEY_BYTES], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        let family = self.database.cf_handle(&bucket_name(bucket)).context("no such family")?;
        if let Some(value) = self.database.get_pinned_cf(&family, key)? {
            show(&value);
        }
        Ok(())
    }

    fn drop_bucket(&self, bucket: u32) -> Result<()> {
        Ok(self.database.drop_cf(&bucket_name(bucket))?)
    }

    fn has_log(&self) -> bool {
        true
    }
}
