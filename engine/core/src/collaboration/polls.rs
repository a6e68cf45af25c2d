//! Requests that wait for the next commit of a desk.

use std::collections::{BTreeMap, BTreeSet};

use desk_protocol::frame::Role;
use desk_protocol::{ClientId, LinkId, Revision, Time};

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
pub(crate) struct DeskPolls {
    requests: BTreeSet<RequestId>,
    by_client: BTreeSet<(ClientId, RequestId)>,
}

impl Polls {
    pub(crate) fn add(&mut self, of_desk: &mut DeskPolls, request: RequestId, poll: Poll) {
        of_desk.requests.insert(request);
        of_desk.by_client.insert((poll.key.client, request));
        self.0.insert(request, poll);
    }

    pub(crate) fn take(&mut self, of_desk: &mut DeskPolls, request: RequestId) -> Option<Poll> {
        #[cfg(test)]
        LOOKS.with(|looks| looks.set(looks.get() + 1));
        if !of_desk.requests.remove(&request) {
            return None;
        }
        let poll = self.0.remove(&request).expect("it is in both");
        of_desk.by_client.remove(&(poll.key.client, request));
        Some(poll)
    }

    pub(crate) fn get(&self, request: RequestId) -> Option<&Poll> {
        self.0.get(&request)
    }
}

impl DeskPolls {
    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// In the order in which they were asked.
    pub(crate) fn requests(&self) -> Vec<RequestId> {
        self.requests.iter().copied().collect()
    }

    /// The oldest poll of a client that has so many.
    pub(crate) fn oldest_of(&self, client: ClientId, many: usize) -> Option<RequestId> {
        let of_client = (client, RequestId(0))..=(client, RequestId(u64::MAX));
        let mut polls = self.by_client.range(of_client).map(|(_, request)| *request);
        let oldest = polls.next()?;
        (1 + polls.count() >= many).then_some(oldest)
    }
}

#[cfg(test)]
thread_local! {
    /// How many desks were looked through for a poll.
    pub(crate) static LOOKS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
