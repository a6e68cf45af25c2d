//! A file that outlives its process: what was asked for and what was
//! acknowledged, key by key. A line counts until the next one of its key.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use desk_storage_lsm::{Key, UnixSecond};

use crate::oracle::{Known, Oracle};

pub(crate) struct Ledger(RefCell<Lines>);

struct Lines {
    file: File,
    now: UnixSecond,
    newest: BTreeMap<Key, String>,
}

impl Ledger {
    pub(crate) fn create(path: &Path) -> Self {
        let file = File::create_new(path).unwrap();
        Self(RefCell::new(Lines { file, now: UnixSecond(0), newest: BTreeMap::new() }))
    }

    /// Adds what has changed, in one write; what the page cache has outlives the
    /// process.
    pub(crate) fn add(&self, now: UnixSecond, oracle: &Oracle) {
        let lines = &mut *self.0.borrow_mut();
        let mut added = String::new();
        if lines.now != now {
            lines.now = now;
            writeln!(added, "now {}", now.0).unwrap();
        }
        for (key, known) in &oracle.keys {
            let number = u128::from_be_bytes(*key.bytes());
            let Known { appended, acknowledged, deleted, .. } = known;
            let deleted = match deleted {
                None => "stays",
                Some(false) => "goes",
                Some(true) => "gone",
            };
            let line = format!("{number} {appended} {acknowledged} {deleted}\n");
            if lines.newest.get(key) != Some(&line) {
                added.push_str(&line);
                lines.newest.insert(*key, line);
            }
        }
        lines.file.write_all(added.as_bytes()).unwrap();
    }

    /// The second of the newest phase, and what was known.
    pub(crate) fn read(path: &Path) -> (UnixSecond, Oracle) {
        let (mut now, mut oracle) = (UnixSecond(0), Oracle::default());
        let number = |text: &str| text.parse::<u64>().unwrap();
        for line in std::fs::read_to_string(path).unwrap().lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["now", second] => now = UnixSecond(number(second)),
                [key, appended, acknowledged, deleted] => {
                    let key = Key::new(key.parse::<u128>().unwrap().to_be_bytes());
                    let deleted = match deleted {
                        "stays" => None,
                        "goes" => Some(false),
                        "gone" => Some(true),
                        _ => panic!("{line}"),
                    };
                    let (appended, acknowledged) = (number(appended), number(acknowledged));
                    let known = Known { appended, acknowledged, deleted, ..Known::default() };
                    oracle.keys.insert(key, known);
                }
                _ => panic!("{line}"),
            }
        }
        (now, oracle)
    }
}
