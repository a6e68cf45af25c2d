//! The values between the core and the store, for which the store has no room yet.

use std::collections::VecDeque;

use desk_storage_lsm::disk::Disk;
use desk_storage_lsm::{Key, PutError, Sequence, Store};

/// A value that the core gives to the store.
#[derive(Debug)]
pub(crate) struct Value<V> {
    pub(crate) key: Key,
    pub(crate) sequence: Sequence,
    pub(crate) bytes: V,
}

/// What came of a value that was offered to the store.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Put {
    /// The store took it.
    Taken,
    /// Its bucket has gone, and so may it.
    Outlived,
    /// The store will never take it.
    Never(PutError),
}

/// Values that wait, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Values<V>(VecDeque<Value<V>>);

impl<V> Default for Values<V> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<V: AsRef<[u8]>> Values<V> {
    pub(crate) fn push(&mut self, value: Value<V>) {
        self.0.push_back(value);
    }

    /// Offers the oldest value; `None` if there is none, or it has to wait.
    pub(crate) fn offer<D: Disk>(&mut self, store: &Store<D>) -> Option<(Value<V>, Put)> {
        let value = self.0.pop_front()?;
        let put = match store.put(value.key, value.sequence, value.bytes.as_ref()) {
            Ok(()) => Put::Taken,
            Err(PutError::NoBucket { .. }) => Put::Outlived,
            Err(why @ (PutError::Quarantined(_) | PutError::TooLarge { .. })) => Put::Never(why),
            Err(PutError::Backlog { .. } | PutError::NoSpace | PutError::Poisoned(_)) => {
                self.0.push_front(value);
                return None;
            }
        };
        Some((value, put))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
