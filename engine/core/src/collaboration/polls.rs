//! Requests that wait for the next commit of a desk.

use std::collections::{BTreeMap, BTreeSet};

use desk_protocol::frame::Role;
use desk_protocol::{LinkId, Revision, Time};

use crate::identity::SessionKey;
use crate::names::RequestId;

/// A request that waits for the next commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Poll {
    /// The desk that it waits on, by its key.
    pub(crate) desk: LinkId,
    pub(crate) key: SessionKey,
    pub(crate) role: Role,
    pub(crate) since: Revision,
    pub(crate) frames: bool,
    /// When it is answered that nothing came.
    pub(crate) until: Time,
}

/// The polls of a shard by request, so that one that is abandoned leads to its
/// desk without a look at the others.
#[derive(Debug, Default)]
pub(crate) struct Polls(BTreeMap<RequestId, Poll>);

/// The polls of one desk; their content is in [`Polls`].
#[derive(Debug, Default)]
pub(crate) struct DeskPolls(BTreeSet<RequestId>);

impl Polls {
    pub(crate) fn add(&mut self, of_desk: &mut DeskPolls, request: RequestId, poll: Poll) {
        of_desk.0.insert(request);
        self.0.insert(request, poll);
    }

    pub(crate) fn take(&mut self, of_desk: &mut DeskPolls, request: RequestId) -> Option<Poll> {
        #[cfg(test)]
        LOOKS.with(|looks| looks.set(looks.get() + 1));
        of_desk.0.remove(&request).then(|| self.0.remove(&request).expect("it is in both"))
    }

    pub(crate) fn get(&self, request: RequestId) -> Option<&Poll> {
        self.0.get(&request)
    }
}

impl DeskPolls {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order in which they were asked.
    pub(crate) fn requests(&self) -> Vec<RequestId> {
        self.0.iter().copied().collect()
    }
}

#[cfg(test)]
thread_local! {
    /// How many desks were looked through for a poll.
    pub(crate) static LOOKS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
