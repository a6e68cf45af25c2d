//! Durable, then visible: every output waits for the log.

use std::collections::VecDeque;

use desk_protocol::frame::CloseCode;
use desk_protocol::{LinkId, Time};

use crate::names::LogPosition;
use crate::output::Output;
use crate::service::{Reply, ServiceError};

/// Holds outputs back until what they were computed from is durable.
#[derive(Default)]
pub(crate) struct Gate {
    appended: LogPosition,
    durable: LogPosition,
    ready: VecDeque<Output>,
    waiting: VecDeque<(LogPosition, Output)>,
    /// The log gets no further.
    failed: bool,
}

/// The answer in place of an output that will never be durable.
pub(crate) const fn failure() -> ServiceError {
    ServiceError::Unavailable("the log failed, and this may not be stored: send it again as it was")
}

impl Gate {
    /// Takes the next position of the log for an entry. From `expires_at` on the desk of
    /// the entry cannot be asked for.
    pub(crate) fn append(
        &mut self,
        key: LinkId,
        sequence: u64,
        expires_at: Time,
        entry: Vec<u8>,
    ) -> LogPosition {
        let position = self.take_position();
        self.ready.push_back(Output::Append { position, key, sequence, expires_at, entry });
        position
    }

    /// Takes the next position of the log for the deletion of a key.
    pub(crate) fn forget(&mut self, key: LinkId, expires_at: Time) -> LogPosition {
        let position = self.take_position();
        self.ready.push_back(Output::Forget { position, key, expires_at });
        position
    }

    fn take_position(&mut self) -> LogPosition {
        self.appended = LogPosition(self.appended.0 + 1);
        self.appended
    }

    /// For outputs that show no state.
    pub(crate) fn at_once(&mut self, output: Output) {
        self.ready.push_back(output);
    }

    /// For outputs that show what was computed at `position`.
    ///
    /// Outputs of one desk keep their order, because their positions never decrease.
    /// Waiting outputs are sorted by position, then arrival. An output whose position is
    /// already durable can skip the queue: every earlier output of its desk has left.
    pub(crate) fn after(&mut self, position: LogPosition, output: Output) {
        if position <= self.durable {
            self.ready.push_back(output);
            return;
        }
        if self.failed {
            return self.refuse(output);
        }
        if self.waiting.back().is_none_or(|(last, _)| *last <= position) {
            self.waiting.push_back((position, output));
            return;
        }
        let at = self.waiting.partition_point(|(other, _)| *other <= position);
        self.waiting.insert(at, (position, output));
    }

    /// The log got this far.
    pub(crate) fn durable(&mut self, position: LogPosition) {
        assert!(position <= self.appended, "the log cannot be ahead of what was appended");
        if self.failed {
            // Earlier outputs of the same desk may have been refused.
            return;
        }
        self.durable = self.durable.max(position);
        while self.waiting.front().is_some_and(|(position, _)| *position <= self.durable) {
            let (_, output) = self.waiting.pop_front().expect("there is a front");
            self.ready.push_back(output);
        }
    }

    /// The log failed: refuses all waiting outputs, and later ones that would wait.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
        for (_, output) in std::mem::take(&mut self.waiting) {
            self.refuse(output);
        }
    }

    /// Refuses an output that would show undurable state: a reply becomes an error, and
    /// a connection that would miss a frame is closed.
    fn refuse(&mut self, output: Output) {
        self.ready.extend(match output {
            Output::Reply { request, .. } => {
                Some(Output::Reply { request, reply: Reply::Failed(failure()) })
            }
            Output::Send { connection, .. } | Output::Close { connection, .. } => {
                Some(Output::Close { connection, code: CloseCode::Internal })
            }
            _ => None,
        });
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.ready.pop_front()
    }

    pub(crate) fn is_durable(&self, position: LogPosition) -> bool {
        position <= self.durable
    }

    /// The newest place in the log.
    pub(crate) const fn appended(&self) -> LogPosition {
        self.appended
    }

    /// Outputs held back.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::ConnectionId;

    fn pause(id: u64) -> Output {
        Output::Pause { connection: ConnectionId(id) }
    }

    fn paused(gate: &mut Gate) -> Vec<u64> {
        let mut order = Vec::new();
        while let Some(output) = gate.poll() {
            if let Output::Pause { connection } = output {
                order.push(connection.0);
            }
        }
        order
    }

    #[test]
    fn outputs_of_a_desk_keep_their_order() {
        let mut gate = Gate::default();
        let old = gate.append(LinkId(2), 1, Time(0), Vec::new());
        let new = gate.append(LinkId(1), 1, Time(0), Vec::new());
        gate.after(new, pause(1));
        gate.after(old, pause(2));
        assert!(paused(&mut gate).is_empty());
        gate.durable(old);
        assert_eq!(paused(&mut gate), [2], "another desk's later output holds nothing back");
        gate.after(old, pause(3));
        assert_eq!(paused(&mut gate), [3]);
        gate.durable(new);
        assert_eq!(paused(&mut gate), [1]);
    }
}
