//! Cores take time and randomness as arguments, touch nothing outside, and
//! replay the same way.

use std::collections::BTreeSet;

use crate::rust_code::has_word;
use crate::{Finding, RustCode, Tree};

/// Crates that a seed must replay.
const CORES: &[&str] = &[
    "protocol/src/",
    "board-files/src/",
    "engine/core/src/",
    "engine/cluster/src/",
    "client/core/src/",
    "storage-lsm/src/",
];

/// Words that reach outside, and what to use instead.
const AMBIENT: &[(&str, &str)] = &[
    ("Instant::now", "take `now` as an argument"),
    ("SystemTime", "take `now` as an argument"),
    ("std::time::Instant", "take `now` as an argument"),
    ("thread_rng", "take the seed as an argument"),
    ("getrandom", "take the seed as an argument"),
    ("rand::", "take the seed as an argument"),
    ("fastrand::", "take the seed as an argument"),
    ("RandomState", "order must replay: use an ordered map or a seeded hasher"),
    ("std::fs", "files belong to the shell"),
    ("std::net", "sockets belong to the shell"),
    ("std::thread", "threads belong to the shell"),
    ("std::env", "configuration is an argument"),
    ("std::process", "processes belong to the shell"),
    ("println!", "a core returns what it has to say"),
    ("eprintln!", "a core returns what it has to say"),
];

/// What visits a hash map in its own order.
const VISITS: &[&str] = &[
    ".iter()",
    ".iter_mut()",
    ".keys()",
    ".values()",
    ".values_mut()",
    ".into_iter()",
    ".into_keys()",
    ".into_values()",
    ".drain()",
    ".retain(",
    ".extract_if(",
];

/// Clocks, randomness, the outside, and iteration in the order of a hash.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let core = |path: &str| CORES.iter().any(|folder| path.starts_with(folder));
    for source in tree.rust().filter(|source| core(&source.path) && !tree.is_test(source)) {
        let code = source.rust();
        let maps = hash_maps(&code);
        for (at, line) in code.lines().filter(|(at, _)| !code.is_test_line(*at)) {
            for (word, instead) in AMBIENT.iter().filter(|(word, _)| has_word(line, word)) {
                let message = format!("`{word}` in a core: {instead}");
                findings.push(Finding::new(&source.path, at, message));
            }
            if let Some(name) = maps.iter().find(|name| visits(line, name)) {
                let message = format!("iterates the hash map `{name}`: order must replay");
                findings.push(Finding::new(&source.path, at, message));
            }
        }
    }
    findings
}

/// Names of fields, variables and arguments that are hash maps or sets.
fn hash_maps(code: &RustCode) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, line) in code.lines() {
        let Some(at) = ["HashMap", "HashSet"].iter().filter_map(|word| line.find(word)).min()
        else {
            continue;
        };
        let declared = line[..at].trim_end_matches(['&', ' ']).trim_end_matches("mut");
        let Some(before) = declared.trim_end().strip_suffix([':', '=']) else { continue };
        let name = before.trim_end().rsplit(|c: char| !c.is_alphanumeric() && c != '_').next();
        names.extend(name.filter(|name| !name.is_empty()).map(str::to_owned));
    }
    names
}

/// Whether `line` iterates `name`.
fn visits(line: &str, name: &str) -> bool {
    let called = VISITS.iter().any(|call| has_word(line, &format!("{name}{call}")));
    let looped = line.split_once(" in ").is_some_and(|(head, tail)| {
        let subject = tail.trim_start().trim_start_matches("&mut ").trim_start_matches('&');
        let subject = subject.trim_end_matches(|c: char| "{} ".contains(c));
        let subject = subject.rsplit('.').next().unwrap_or(subject);
        head.contains("for ") && subject == name
    });
    called || looped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_outside_a_core_is_found() {
        let tree = Tree::of(&[
            (
                "engine/core/src/shard.rs",
                "use std::time::Instant;\nfn a() { Instant::now(); }\n#[cfg(test)]\n\
                 mod tests {\n    use std::fs;\n}\n// SystemTime\n",
            ),
            ("engine/server/src/clock.rs", "fn a() { SystemTime::now(); }\n"),
            ("protocol/src/id.rs", "fn a(operand: u8) { getrandom(1); }\n"),
        ]);
        let lines: Vec<(String, usize)> =
            check(&tree).into_iter().map(|f| (f.path, f.line)).collect();
        let shard = |line| ("engine/core/src/shard.rs".to_owned(), line);
        assert_eq!(lines, [shard(1), shard(2), ("protocol/src/id.rs".to_owned(), 1)]);
    }

    #[test]
    fn iterating_a_hash_map_is_found_and_asking_it_is_not() {
        let tree = Tree::of(&[(
            "client/core/src/replica.rs",
            "struct A {\n    notes: HashMap<Id, Note, Seeded>,\n    order: BTreeMap<Id, Note>,\n}\n\
             fn a(a: &A) {\n    a.notes.get(&1);\n    for n in a.order.values() {}\n\
                 for n in &a.notes {}\n    let x = a.notes.values();\n    let seen = HashSet::new();\n\
                 for n in &seen {\n    }\n}\n",
        )]);
        let lines: Vec<usize> = check(&tree).into_iter().map(|f| f.line).collect();
        assert_eq!(lines, [8, 9, 11]);
    }
}
