//! Every store under comparison, by name.

use std::path::Path;
use std::rc::Rc;

use anyhow::Result;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::content::Content;
use crate::engine::Engine;
use crate::ours::Ours;

/// A store, as it is configured.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum EngineName {
    /// The Desk DB
    Ours,
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
        })
    }
}
