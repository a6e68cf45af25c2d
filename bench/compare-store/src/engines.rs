//! Every store under comparison, by name.

use std::path::Path;
use std::rc::Rc;

use anyhow::Result;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::content::Content;
use crate::engine::Engine;
#[cfg(feature = "others")]
use crate::others;
use crate::ours::Ours;

/// A store, as it is configured.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum EngineName {
    /// The Desk DB
    Ours,
    /// fjall, plain
    #[cfg(feature = "others")]
    Fjall,
    /// fjall, large values in files of their own
    #[cfg(feature = "others")]
    FjallSeparated,
    /// RocksDB, plain
    #[cfg(feature = "others")]
    Rocksdb,
    /// RocksDB, large values in blob files
    #[cfg(feature = "others")]
    RocksdbBlobs,
    /// redb
    #[cfg(feature = "others")]
    Redb,
    /// SQLite with a write-ahead log, fully synchronous
    #[cfg(feature = "others")]
    Sqlite,
}

impl EngineName {
    /// All that this build has, ours first.
    pub fn all() -> Vec<Self> {
        Self::value_variants().to_vec()
    }

    /// The name in reports.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Ours => "Desk DB",
            #[cfg(feature = "others")]
            Self::Fjall => "fjall",
            #[cfg(feature = "others")]
            Self::FjallSeparated => "fjall, separated values",
            #[cfg(feature = "others")]
            Self::Rocksdb => "RocksDB",
            #[cfg(feature = "others")]
            Self::RocksdbBlobs => "RocksDB, blob files",
            #[cfg(feature = "others")]
            Self::Redb => "redb",
            #[cfg(feature = "others")]
            Self::Sqlite => "SQLite",
        }
    }

    /// Opens the store's folder, which is made if it is missing. Time stands at
    /// the noon of `bucket`.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(self, folder: &Path, content: Rc<Content>, bucket: u32) -> Result<Box<dyn Engine>> {
        Ok(match self {
            Self::Ours => Box::new(Ours::open(folder, content, bucket)?),
            #[cfg(feature = "others")]
            Self::Fjall => others::open_fjall(folder, content, false)?,
            #[cfg(feature = "others")]
            Self::FjallSeparated => others::open_fjall(folder, content, true)?,
            #[cfg(feature = "others")]
            Self::Rocksdb => others::open_rocksdb(folder, content, false)?,
            #[cfg(feature = "others")]
            Self::RocksdbBlobs => others::open_rocksdb(folder, content, true)?,
            #[cfg(feature = "others")]
            Self::Redb => others::open_redb(folder, content)?,
            #[cfg(feature = "others")]
            Self::Sqlite => others::open_sqlite(folder, content)?,
        })
    }
}
