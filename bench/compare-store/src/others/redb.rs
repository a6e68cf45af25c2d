//! redb: a copy-on-write B-tree in one file.

use std::fs;
use std::path::Path;

use anyhow::Result;
use redb::{Database, Durability, ReadableDatabase as _, TableDefinition};

use super::{Blocking, CACHE_BYTES, OPERATIONS, OperationKey, bucket_name};
use crate::content::KEY_BYTES;

pub(super) struct Redb {
    database: Database,
}

fn table(name: &str) -> TableDefinition<'_, &'static [u8], &'static [u8]> {
    TableDefinition::new(name)
}

impl Redb {
    pub(super) fn open(folder: &Path, buckets: u32) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let mut builder = Database::builder();
        let database = builder.set_cache_size(CACHE_BYTES).create(folder.join("redb"))?;
        let store = Self { database };
        for bucket in 0..buckets {
            store.write(&bucket_name(bucket), std::iter::empty())?;
        }
        Ok(store)
    }

    fn write<'a>(
        &self,
        name: &str,
        rows: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut table = transaction.open_table(table(name))?;
            for (key, value) in rows {
                table.insert(key, value)?;
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Blocking for Redb {
    fn commit(&self, group: &[(OperationKey, &[u8])]) -> Result<()> {
        self.write(OPERATIONS, group.iter().map(|(key, payload)| (&key[..], *payload)))
    }

    fn put(&self, bucket: u32, desks: &[([u8; KEY_BYTES], &[u8])]) -> Result<()> {
        self.write(&bucket_name(bucket), desks.iter().map(|(key, value)| (&key[..], *value)))
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }

    fn get(&self, bucket: u32, key: &[u8; KEY_BYTES], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(table(&bucket_name(bucket)))?;
        if let Some(value) = table.get(&key[..])? {
            show(value.value());
        }
        Ok(())
    }

    fn drop_bucket(&self, bucket: u32) -> Result<()> {
        let transaction = self.database.begin_write()?;
        transaction.delete_table(table(&bucket_name(bucket)))?;
        Ok(transaction.commit()?)
    }

    fn has_log(&self) -> bool {
        false
    }
}
