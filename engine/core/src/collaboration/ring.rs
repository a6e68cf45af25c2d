//! The newest commits of a hot desk, as everyone gets them.

use std::collections::VecDeque;
use std::sync::Arc;

use desk_protocol::{Commit, Revision};

/// A commit and its frame, encoded once.
#[derive(Clone, Debug)]
pub(crate) struct RingCommit {
    pub(crate) commit: Arc<Commit>,
    pub(crate) frame: Arc<[u8]>,
}

/// Serves polls, reconnects and slow readers.
#[derive(Debug)]
pub(crate) struct Ring {
    commits: VecDeque<RingCommit>,
    head: Revision,
    bytes: usize,
    commits_max: usize,
    bytes_max: usize,
}

impl Ring {
    /// Empty, for a desk at this revision.
    pub(crate) fn new(head: Revision, commits_max: usize, bytes_max: usize) -> Self {
        Self { commits: VecDeque::new(), head, bytes: 0, commits_max, bytes_max }
    }

    pub(crate) fn push(&mut self, commit: RingCommit) {
        self.head = commit.commit.revision;
        self.bytes += commit.frame.len();
        self.commits.push_back(commit);
        while self.commits.len() > self.commits_max || self.bytes > self.bytes_max {
            let oldest = self.commits.pop_front().expect("over a limit above zero");
            self.bytes -= oldest.frame.len();
        }
    }

    /// The commits after `since`, oldest first; `None` if some are gone.
    pub(crate) fn after(&self, since: Revision) -> Option<impl Iterator<Item = &RingCommit>> {
        let missing = self.head.0.checked_sub(since.0)?;
        let missing = usize::try_from(missing).ok()?;
        let from = self.commits.len().checked_sub(missing)?;
        Some(self.commits.range(from..))
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}
