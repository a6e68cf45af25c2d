//! What a key is as a whole, so that the lanes need none of the records that led there.
//!
//! A state may be longer than a batch, so it is appended in pieces. The pieces of one state
//! follow on each other in the order of the unit, with records between them perhaps.

use desk_protocol::Time;

use crate::limits::STATE_BYTES_MAX;
use crate::record::{Key, Record, What};

/// A key at one of its records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// The key.
    pub key: Key,
    /// The state covers the records up to this one.
    pub sequence: u64,
    /// From when on nobody can ask for the key.
    pub expires_at: Time,
    /// The state, of which the cluster knows nothing more; never empty. `None`: the key was
    /// dropped for good.
    pub bytes: Option<Vec<u8>>,
}

impl State {
    /// Its length, in bytes.
    pub(crate) fn length(&self) -> usize {
        self.bytes.as_ref().map_or(0, Vec::len)
    }

    /// The state as records of batches, in pieces of so many bytes.
    ///
    /// # Panics
    /// If the state is longer than [`STATE_BYTES_MAX`], or is there and empty.
    pub(crate) fn pieces(self, piece_bytes: usize) -> impl Iterator<Item = Record> {
        let Self { key, sequence, expires_at, bytes } = self;
        assert!(bytes.as_ref().is_none_or(|bytes| !bytes.is_empty()), "a state says something");
        let bytes = bytes.unwrap_or_default();
        assert!(bytes.len() <= STATE_BYTES_MAX, "whoever makes a state bounds it");
        let total = bytes.len() as u32;
        (0..bytes.len().max(1)).step_by(piece_bytes).map(move |at| {
            let piece = bytes[at..bytes.len().min(at + piece_bytes)].to_vec();
            let what = What::Piece { at: at as u32, total, bytes: piece };
            Record { key, sequence, expires_at, what }
        })
    }
}

/// Puts pieces together, one state at a time.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    begun: Option<(State, u32)>,
}

impl Assembly {
    /// Takes the next piece; gives the state that it completes. Pieces of a state that was
    /// begun and never ended are dropped: its owner was deposed.
    pub(crate) fn take(&mut self, record: Record) -> Option<State> {
        let Record { key, sequence, expires_at, what } = record;
        let What::Piece { at, total, bytes } = what else { return None };
        if total == 0 {
            self.begun = None;
            return Some(State { key, sequence, expires_at, bytes: None });
        }
        if at == 0 {
            let state = State { key, sequence, expires_at, bytes: Some(Vec::new()) };
            self.begun = Some((state, total));
        }
        let (state, length) = self.begun.as_mut()?;
        let so_far = state.bytes.get_or_insert_default();
        let is_next = (state.key, state.sequence, *length) == (key, sequence, total)
            && so_far.len() == at as usize;
        if !is_next {
            self.begun = None;
            return None;
        }
        so_far.extend(bytes);
        if so_far.len() < total as usize {
            return None;
        }
        self.begun.take().map(|(state, _)| state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE_BYTES: usize = 10;

    fn state(bytes: Option<Vec<u8>>) -> State {
        State { key: Key([1; 16]), sequence: 7, expires_at: Time(9), bytes }
    }

    fn assembled(records: impl IntoIterator<Item = Record>) -> Vec<State> {
        let mut assembly = Assembly::default();
        records.into_iter().filter_map(|record| assembly.take(record)).collect()
    }

    #[test]
    fn pieces_make_a_state() {
        for length in [1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES] {
            let state = state(Some(vec![length as u8; length]));
            assert_eq!(assembled(state.clone().pieces(PIECE_BYTES)), [state]);
        }
        assert_eq!(assembled(state(None).pieces(PIECE_BYTES)), [state(None)]);
    }

    #[test]
    fn a_state_without_its_end_counts_nothing() {
        let long = state(Some(vec![3; 2 * PIECE_BYTES]));
        let other = State { key: Key([2; 16]), ..long.clone() };
        let begun = long.clone().pieces(PIECE_BYTES).take(1);
        assert_eq!(assembled(begun.chain(other.clone().pieces(PIECE_BYTES))), [other]);
        let rest = long.clone().pieces(PIECE_BYTES).skip(1);
        assert_eq!(assembled(rest), []);
        let doubled =
            long.clone().pieces(PIECE_BYTES).take(1).chain(long.clone().pieces(PIECE_BYTES));
        assert_eq!(assembled(doubled), [long]);
    }
}
