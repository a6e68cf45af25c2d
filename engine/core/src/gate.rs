//! Durable, then visible: every output waits for the log.

use std::collections::{BTreeMap, VecDeque};

use desk_protocol::frame::CloseCode;
use desk_protocol::{LinkId, Time};

use crate::names::LogPosition;
use crate::output::Output;
use crate::placement::unit;
use crate::service::{Reply, ServiceError};

/// Holds outputs back until what they were computed from is durable.
///
/// Of a single machine's log a position is durable when all before it are. In a cluster
/// each unit has a log of its own, and a position is durable when its unit's log says so.
#[derive(Default)]
pub(crate) struct Gate {
    appended: LogPosition,
    /// All positions up to here are durable.
    durable: LogPosition,
    ready: VecDeque<Output>,
    waiting: Waiting,
    /// In a cluster: the positions after `durable`.
    units: Option<Units>,
    /// The log gets no further.
    failed: bool,
}

/// Outputs by the position that they wait for, then by arrival.
#[derive(Default)]
struct Waiting(VecDeque<(LogPosition, Output)>);

/// Positions of several logs.
#[derive(Default)]
struct Units {
    /// Whose each position after the durable ones is; `None`: it is durable, or counts so.
    positions: VecDeque<Option<u16>>,
    waiting: BTreeMap<u16, Waiting>,
}

/// The answer in place of an output that will never be durable.
pub(crate) const fn failure() -> ServiceError {
    ServiceError::Unavailable("the log failed, and this may not be stored: send it again as it was")
}

impl Waiting {
    /// Outputs of one desk keep their order, because their positions never decrease.
    fn push(&mut self, position: LogPosition, output: Output) {
        if self.0.back().is_none_or(|(last, _)| *last <= position) {
            self.0.push_back((position, output));
            return;
        }
        let at = self.0.partition_point(|(other, _)| *other <= position);
        self.0.insert(at, (position, output));
    }

    fn release(&mut self, durable: LogPosition, ready: &mut VecDeque<Output>) {
        while self.0.front().is_some_and(|(position, _)| *position <= durable) {
            let (_, output) = self.0.pop_front().expect("there is a front");
            ready.push_back(output);
        }
    }
}

impl Gate {
    /// The gate of a shard whose units have logs of their own.
    pub(crate) fn by_unit() -> Self {
        Self { units: Some(Units::default()), ..Self::default() }
    }

    /// Takes the next position of the log for an entry. From `expires_at` on the desk of
    /// the entry cannot be asked for.
    pub(crate) fn append(
        &mut self,
        key: LinkId,
        sequence: u64,
        expires_at: Time,
        entry: Vec<u8>,
    ) -> LogPosition {
        let position = self.take_position(key);
        self.ready.push_back(Output::Append { position, key, sequence, expires_at, entry });
        position
    }

    /// Takes the next position of the log for the deletion of a key.
    pub(crate) fn forget(&mut self, key: LinkId, sequence: u64, expires_at: Time) -> LogPosition {
        let position = self.take_position(key);
        self.ready.push_back(Output::Forget { position, key, sequence, expires_at });
        position
    }

    fn take_position(&mut self, key: LinkId) -> LogPosition {
        if let Some(units) = &mut self.units {
            units.positions.push_back(Some(unit(key)));
        }
        self.appended = LogPosition(self.appended.0 + 1);
        self.appended
    }

    /// For outputs that show no state.
    pub(crate) fn at_once(&mut self, output: Output) {
        self.ready.push_back(output);
    }

    /// For outputs that show what was computed at `position`.
    ///
    /// An output whose position is already durable can skip the queue: every earlier
    /// output of its desk has left.
    pub(crate) fn after(&mut self, position: LogPosition, output: Output) {
        if self.is_durable(position) {
            self.ready.push_back(output);
        } else if self.failed {
            self.refuse(output, CloseCode::Internal, &failure());
        } else {
            let whose = self.whose(position);
            match (&mut self.units, whose) {
                (Some(units), Some(unit)) => {
                    units.waiting.entry(unit).or_default().push(position, output);
                }
                _ => self.waiting.push(position, output),
            }
        }
    }

    /// The unit of a position that is not durable.
    fn whose(&self, position: LogPosition) -> Option<u16> {
        let place = position.0.checked_sub(self.durable.0 + 1)?;
        *self.units.as_ref()?.positions.get(usize::try_from(place).ok()?)?
    }

    /// The log got this far.
    pub(crate) fn durable(&mut self, position: LogPosition) {
        assert!(position <= self.appended, "the log cannot be ahead of what was appended");
        if self.failed {
            // Earlier outputs of the same desk may have been refused.
            return;
        }
        self.durable = self.durable.max(position);
        self.waiting.release(self.durable, &mut self.ready);
    }

    /// The log of a unit got this far.
    pub(crate) fn acknowledged(&mut self, unit: u16, position: LogPosition) {
        assert!(position <= self.appended, "no log can be ahead of what was appended");
        let first = self.durable.0 + 1;
        let Some(units) = self.units.as_mut().filter(|_| !self.failed) else { return };
        let upto = usize::try_from((position.0 + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        for whose in units.positions.iter_mut().take(upto).filter(|whose| **whose == Some(unit)) {
            *whose = None;
        }
        if let Some(waiting) = units.waiting.get_mut(&unit) {
            waiting.release(position, &mut self.ready);
        }
        self.advance();
    }

    /// The unit is another machine's. What it had under way here is shown to nobody: the
    /// other machine may have it, or may not.
    pub(crate) fn deposed(&mut self, unit: u16) {
        let Some(units) = &mut self.units else { return };
        for whose in units.positions.iter_mut().filter(|whose| **whose == Some(unit)) {
            *whose = None;
        }
        for (_, output) in units.waiting.remove(&unit).unwrap_or_default().0 {
            self.refuse(output, CloseCode::Moved, &ServiceError::Moved);
        }
        self.advance();
    }

    /// Moves past positions that are durable or count so.
    fn advance(&mut self) {
        let Some(units) = &mut self.units else { return };
        while units.positions.front().is_some_and(Option::is_none) {
            units.positions.pop_front();
            self.durable.0 += 1;
        }
        self.waiting.release(self.durable, &mut self.ready);
    }

    /// The log failed: refuses all waiting outputs, and later ones that would wait.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
        let mut waiting = std::mem::take(&mut self.waiting).0;
        let units = self.units.iter_mut();
        let of_units = units.flat_map(|units| std::mem::take(&mut units.waiting).into_values());
        waiting.extend(of_units.flat_map(|waiting| waiting.0));
        for (_, output) in waiting {
            self.refuse(output, CloseCode::Internal, &failure());
        }
    }

    /// Refuses an output that would show undurable state: a reply becomes an error, and
    /// a connection that would miss a frame is closed.
    fn refuse(&mut self, output: Output, code: CloseCode, why: &ServiceError) {
        self.ready.extend(match output {
            Output::Reply { request, .. } => {
                Some(Output::Reply { request, reply: Reply::Failed(why.clone()) })
            }
            Output::Send { connection, .. } | Output::Close { connection, .. } => {
                Some(Output::Close { connection, code })
            }
            _ => None,
        });
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.ready.pop_front()
    }

    pub(crate) fn is_durable(&self, position: LogPosition) -> bool {
        position <= self.durable || (self.units.is_some() && self.whose(position).is_none())
    }

    /// The newest place in the log.
    pub(crate) const fn appended(&self) -> LogPosition {
        self.appended
    }

    /// Outputs held back.
    pub(crate) fn waiting(&self) -> usize {
        let units = self.units.iter().flat_map(|units| units.waiting.values());
        self.waiting.0.len() + units.map(|waiting| waiting.0.len()).sum::<usize>()
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
