//! fjall, plain or with its large values in files of their own.

use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context as _, Result};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};

use super::threads::{LOOK_EVERY, QUIET_LOOKS, rest};
use super::{Blocking, CACHE_BYTES, OPERATIONS, OperationKey, bucket_name};
use crate::content::KEY_BYTES;

pub(super) struct Fjall {
    database: Database,
    operations: Keyspace,
    buckets: Vec<Mutex<Option<Keyspace>>>,
}

impl Fjall {
    pub(super) fn open(folder: &Path, buckets: u32, separated: bool) -> Result<Self> {
        let database = Database::builder(folder).cache_size(CACHE_BYTES as u64).open()?;
        let operations = database.keyspace(OPERATIONS, KeyspaceCreateOptions::default)?;
        let large = || {
            let separation = separated.then(KvSeparationOptions::default);
            KeyspaceCreateOptions::default().with_kv_separation(separation)
        };
        let bucket = |number| {
            let keyspace = database.keyspace(&bucket_name(number), large)?;
            Ok(Mutex::new(Some(keyspace)))
        };
        let buckets = (0..buckets).map(bucket).collect::<Result<_>>()?;
        Ok(Self { database, operations, buckets })
    }

    fn bucket(&self, number: u32) -> Result<Keyspace> {
        let place = self.buckets.get(number as usize).context("no such bucket")?;
        let held = place.lock().map_err(|_| anyhow::anyhow!("a thread has panicked"))?;
        held.clone().context("the bucket has gone")
    }
}

impl Blocking for Fjall {
    fn commit(&self, group: &[(OperationKey, &[u8])]) -> Result<()> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (key, payload) in group {
            batch.insert(&self.operations, *key, *payload);
        }
        Ok(batch.commit()?)
    }

    fn put(&self, bucket: u32, desks: &[([u8; KEY_BYTES], &[u8])]) -> Result<()> {
        let bucket = self.bucket(bucket)?;
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (key, value) in desks {
            batch.insert(&bucket, *key, *value);
        }
        Ok(batch.commit()?)
    }

    fn settle(&self) -> Result<()> {
        for number in 0..self.buckets.len() as u32 {
            if let Ok(bucket) = self.bucket(number) {
                bucket.rotate_memtable_and_wait()?;
            }
        }
        let mut quiet = 0;
        let mut completed = 0;
        while quiet < QUIET_LOOKS {
            rest(LOOK_EVERY);
            let now = self.database.compactions_completed();
            let idle = self.database.active_compactions() == 0
                && self.database.outstanding_flushes() == 0
                && now == completed;
            quiet = if idle { quiet + 1 } else { 0 };
            completed = now;
        }
        Ok(())
    }

    fn get(&self, bucket: u32, key: &[u8; KEY_BYTES], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        if let Some(value) = self.bucket(bucket)?.get(key)? {
            show(&value);
        }
        Ok(())
    }

    fn drop_bucket(&self, bucket: u32) -> Result<()> {
        let place = self.buckets.get(bucket as usize).context("no such bucket")?;
        let taken = place.lock().map_err(|_| anyhow::anyhow!("a thread has panicked"))?.take();
        Ok(self.database.delete_keyspace(taken.context("the bucket has gone")?)?)
    }

    fn has_log(&self) -> bool {
        true
    }
}
