//! What was acknowledged: entries of text, each written once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use crate::desk;
use crate::server::Server;

/// Entries acknowledged so far, by desk id. An entry stands in a sticker's text
/// with a semicolon behind it, so one that was applied twice is seen twice.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<BTreeMap<String, Vec<String>>>);

impl Ledger {
    /// The entry of that desk was acknowledged.
    pub fn add(&self, desk: &str, entry: String) {
        self.lock().entry(desk.to_owned()).or_default().push(entry);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<String>>> {
        self.0.lock().expect("nothing panics while it writes")
    }

    /// How many entries there are.
    pub fn count(&self) -> usize {
        self.lock().values().map(Vec::len).sum()
    }

    /// The entries of a desk.
    pub fn of(&self, desk: &str) -> Vec<String> {
        self.lock().get(desk).cloned().unwrap_or_default()
    }

    /// Every desk that has entries.
    pub fn desks(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Each entry is on its desk, exactly once; what was not acknowledged is
    /// there once or not at all.
    ///
    /// # Panics
    /// When one is lost or doubled.
    pub fn check<'a>(&self, server: &Server, desks: impl IntoIterator<Item = &'a String>) {
        for id in desks {
            // Taken before the desk is read: what comes meanwhile is checked next time.
            let entries = self.of(id);
            compare(id, &entries, &desk::texts(server, id));
        }
    }
}

/// See [`Ledger::check`].
///
/// # Panics
/// When an entry is lost or doubled.
pub fn compare(id: &str, entries: &[String], texts: &[String]) {
    let mut found = BTreeMap::<_, usize>::new();
    for entry in texts.iter().flat_map(|text| text.split_terminator(';')) {
        *found.entry(entry).or_default() += 1;
    }
    for entry in entries {
        assert_eq!(found.get(&**entry), Some(&1), "acknowledged {entry} of {id}");
    }
    for (entry, count) in found {
        assert_eq!(count, 1, "{entry} of {id} was applied {count} times");
    }
}
