//! SQLite with a write-ahead log that is synced at every commit.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Result, anyhow};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Blocking, CACHE_BYTES, OPERATIONS, OperationKey, bucket_name};
use crate::content::KEY_BYTES;

/// How long a connection waits for the other one's transaction.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Sqlite {
    operations: Mutex<Connection>,
    desks: Mutex<Connection>,
}

fn connect(folder: &Path) -> Result<Connection> {
    let connection = Connection::open(folder.join("sqlite"))?;
    connection.busy_timeout(PATIENCE)?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -{};",
        CACHE_BYTES >> 10
    ))?;
    Ok(connection)
}

fn lock(connection: &Mutex<Connection>) -> Result<MutexGuard<'_, Connection>> {
    connection.lock().map_err(|_| anyhow!("a thread has panicked"))
}

impl Sqlite {
    pub(super) fn open(folder: &Path, buckets: u32) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let (operations, desks) = (connect(folder)?, connect(folder)?);
        operations.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS {OPERATIONS} (key BLOB PRIMARY KEY, value BLOB NOT NULL) \
             WITHOUT ROWID;"
        ))?;
        // Large values are no good in the nodes of an index: these have row numbers.
        for bucket in 0..buckets {
            let name = bucket_name(bucket);
            desks.execute_batch(&format!(
                "CREATE TABLE IF NOT EXISTS {name} (key BLOB PRIMARY KEY, value BLOB NOT NULL);"
            ))?;
        }
        Ok(Self { operations: Mutex::new(operations), desks: Mutex::new(desks) })
    }
}

fn write<'a>(
    connection: &Mutex<Connection>,
    name: &str,
    rows: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<()> {
    let connection = lock(connection)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    {
        let statement = format!("INSERT OR REPLACE INTO {name} (key, value) VALUES (?1, ?2)");
        let mut statement = connection.prepare_cached(&statement)?;
        for (key, value) in rows {
            statement.execute(params![key, value])?;
        }
    }
    Ok(connection.execute_batch("COMMIT")?)
}

impl Blocking for Sqlite {
    fn commit(&self, group: &[(OperationKey, &[u8])]) -> Result<()> {
        let rows = group.iter().map(|(key, payload)| (&key[..], *payload));
        write(&self.operations, OPERATIONS, rows)
    }

    fn put(&self, bucket: u32, desks: &[([u8; KEY_BYTES], &[u8])]) -> Result<()> {
        let rows = desks.iter().map(|(key, value)| (&key[..], *value));
        write(&self.desks, &bucket_name(bucket), rows)
    }

    fn settle(&self) -> Result<()> {
        Ok(lock(&self.desks)?.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);")?)
    }

    fn get(&self, bucket: u32, key: &[u8; KEY_BYTES], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        let desks = lock(&self.desks)?;
        let statement = format!("SELECT value FROM {} WHERE key = ?1", bucket_name(bucket));
        let mut statement = desks.prepare_cached(&statement)?;
        let found = statement.query_row(params![&key[..]], |row| {
            show(row.get_ref(0)?.as_blob()?);
            Ok(())
        });
        Ok(found.optional().map(|_| ())?)
    }

    fn drop_bucket(&self, bucket: u32) -> Result<()> {
        let name = bucket_name(bucket);
        Ok(lock(&self.desks)?.execute_batch(&format!("DROP TABLE {name};"))?)
    }

    fn has_log(&self) -> bool {
        true
    }
}
