//! The newest commits of a hot desk, as editors and as viewers get them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use desk_protocol::frame::Role;
use desk_protocol::{Commit, Operation, Revision, StickerId};

/// A commit and its frame, encoded once.
#[derive(Clone, Debug)]
pub(crate) struct RingCommit {
    pub(crate) commit: Arc<Commit>,
    pub(crate) frame: Arc<[u8]>,
}

/// A commit, for everyone on the desk.
#[derive(Clone, Debug)]
pub(crate) struct News {
    /// What editors and owners get.
    pub(crate) editors: RingCommit,
    /// What viewers get instead (DELETE-4).
    pub(crate) viewers: ForViewers,
}

/// See [`desk_protocol::resolver::ViewerCommit`].
#[derive(Clone, Debug)]
pub(crate) enum ForViewers {
    Same,
    Other(RingCommit),
    Snapshot,
}

impl News {
    /// What a role gets; `None`: a snapshot.
    pub(crate) const fn of(&self, role: Role) -> Option<&RingCommit> {
        match (role, &self.viewers) {
            (Role::Viewer, ForViewers::Other(other)) => Some(other),
            (Role::Viewer, ForViewers::Snapshot) => None,
            _ => Some(&self.editors),
        }
    }

    fn bytes(&self) -> usize {
        match &self.viewers {
            ForViewers::Other(other) => self.editors.frame.len() + other.frame.len(),
            ForViewers::Same | ForViewers::Snapshot => self.editors.frame.len(),
        }
    }
}

/// Serves polls, reconnects and slow readers.
#[derive(Debug)]
pub(crate) struct Ring {
    commits: VecDeque<News>,
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

    pub(crate) fn push(&mut self, news: News) {
        self.head = news.editors.commit.revision;
        self.bytes += news.bytes();
        self.commits.push_back(news);
        while self.commits.len() > self.commits_max || self.bytes > self.bytes_max {
            let oldest = self.commits.pop_front().expect("over a limit above zero");
            self.bytes -= oldest.bytes();
        }
    }

    /// The desk is at this revision by a commit that nobody gets as such.
    pub(crate) fn skip_to(&mut self, head: Revision) {
        self.commits.clear();
        self.bytes = 0;
        self.head = head;
    }

    /// The commits after `since` as a role gets them, oldest first. `None`: a
    /// snapshot replaces them, since some are gone, or are not for viewers.
    pub(crate) fn after(
        &self,
        since: Revision,
        role: Role,
    ) -> Option<impl Iterator<Item = &RingCommit>> {
        let missing = self.head.0.checked_sub(since.0)?;
        let missing = usize::try_from(missing).ok()?;
        let from = self.commits.len().checked_sub(missing)?;
        if role == Role::Viewer && !self.are_for_viewers(from) {
            return None;
        }
        Some(self.commits.range(from..).filter_map(move |news| news.of(role)))
    }

    /// Whether the commits from a place on can be given to a viewer: none brings a
    /// sticker back, and none names a sticker that a later one hides. The text of
    /// what is deleted now stands in the commits before its deletion.
    fn are_for_viewers(&self, from: usize) -> bool {
        let mut hidden: BTreeSet<StickerId> = BTreeSet::new();
        self.commits.range(from..).rev().all(|news| {
            let Some(seen) = news.of(Role::Viewer) else { return false };
            let operations = &seen.commit.operations;
            let names_hidden =
                |one: &Operation| one.sticker().is_some_and(|id| hidden.contains(&id));
            if !hidden.is_empty() && operations.iter().any(names_hidden) {
                return false;
            }
            if let ForViewers::Other(_) = news.viewers {
                let purges = |one: &Operation| match one {
                    Operation::Purge { id } => Some(*id),
                    _ => None,
                };
                hidden.extend(operations.iter().filter_map(purges));
            }
            true
        })
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}
