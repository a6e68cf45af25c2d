//! What the documents name is there: each crate in ARCHITECTURE.md, each test in
//! the store's fault matrix, each `make` command in the Makefile, each file or folder
//! whose whole path stands in a code span.

use std::collections::BTreeSet;

use crate::{Finding, Tree};

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const FAULTS: &str = "storage-lsm/FAULTS.md";
const MAKEFILE: &str = "Makefile";

/// Crates that the map leaves out, and commands that do not exist.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = crates_on_the_map(tree);
    findings.extend(tests_of_the_matrix(tree));
    findings.extend(paths(tree));
    let Some(makefile) = tree.get(MAKEFILE) else {
        return vec![Finding::new(MAKEFILE, 1, "is missing")];
    };
    let targets: BTreeSet<&str> = makefile
        .text
        .lines()
        .filter(|line| !line.starts_with(['\t', '#', '.']))
        .filter_map(|line| line.split_once(':').map(|(name, _)| name))
        .collect();
    for source in tree.sources.iter().filter(|source| source.is("md")) {
        let mut block = false;
        for (at, line) in source.text.lines().enumerate() {
            block ^= line.trim_start().starts_with("```");
            for name in commands(line, block).filter(|name| !targets.contains(name)) {
                let message = format!("`make {name}`: the Makefile has no such target");
                findings.push(Finding::new(&source.path, at + 1, message));
            }
        }
    }
    findings
}

fn crates_on_the_map(tree: &Tree) -> Vec<Finding> {
    let Some(map) = tree.get(ARCHITECTURE) else {
        return vec![Finding::new(ARCHITECTURE, 1, "is missing")];
    };
    let manifests = tree.sources.iter().filter_map(|s| s.path.strip_suffix("/Cargo.toml"));
    manifests
        .filter(|folder| !map.text.contains(*folder))
        .map(|folder| Finding::new(ARCHITECTURE, 1, format!("does not mention {folder}/")))
        .collect()
}

/// Tests that the fault matrix names, as `file::test`, and nobody has.
fn tests_of_the_matrix(tree: &Tree) -> Vec<Finding> {
    let Some(matrix) = tree.get(FAULTS) else {
        return vec![Finding::new(FAULTS, 1, "is missing")];
    };
    let mut findings = Vec::new();
    for (at, line) in matrix.text.lines().enumerate() {
        for name in line.split('`').skip(1).step_by(2) {
            let Some((file, test)) = name.split_once("::") else { continue };
            let (file, test) = (format!("/{file}.rs"), format!("fn {test}("));
            let mut sources = tree.rust().filter(|source| source.path.ends_with(&file));
            if !sources.any(|source| source.text.contains(&test)) {
                let message = format!("there is no test {name}");
                findings.push(Finding::new(FAULTS, at + 1, message));
            }
        }
    }
    findings
}

/// Paths in code spans, from a folder at the root, that lead nowhere. Patterns and
/// places outside the repository are not taken for paths.
fn paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources.iter().filter(|source| source.is("md")) {
        let mut block = false;
        for (at, line) in source.text.lines().enumerate() {
            block ^= line.trim_start().starts_with("```");
            let spans = line.split('`').skip(1).step_by(2).filter(|_| !block);
            let is_plain = |c: char| c.is_alphanumeric() || "/-_.".contains(c);
            let paths = spans.filter(|span| span.chars().all(is_plain));
            let from_root = paths.filter(|path| {
                path.split_once('/').is_some_and(|(top, _)| !top.is_empty() && tree.has(top))
            });
            for path in from_root.filter(|path| !tree.has(path)) {
                let message = format!("there is no file or folder {path}");
                findings.push(Finding::new(&source.path, at + 1, message));
            }
        }
    }
    findings
}

/// Names after `make` in code spans, or at the beginning of a block's line.
fn commands(line: &str, block: bool) -> impl Iterator<Item = &str> {
    let code = line.trim_start().trim_start_matches("$ ");
    let spans = line.split('`').skip(1).step_by(2).filter(move |_| !block);
    spans.chain(block.then_some(code)).filter_map(|code| {
        let name = code.strip_prefix("make ")?.split_whitespace().next()?;
        name.chars().all(|c| c.is_ascii_lowercase() || c == '-').then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_and_not_there_is_found() {
        let tree = Tree::of(&[
            ("Makefile", "run: build\n\trecipe: x\ntest:\n"),
            ("ARCHITECTURE.md", "`engine/core` is pure; `make tset` and `make run SHARE=1`\n"),
            ("README.md", "We\nmake sure.\n```\nmake test\nmake bnech\n```\n"),
            ("storage-lsm/FAULTS.md", ""),
            ("engine/core/Cargo.toml", ""),
            ("engine/disk/Cargo.toml", ""),
        ]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "ARCHITECTURE.md:1: does not mention engine/disk/",
                "ARCHITECTURE.md:1: `make tset`: the Makefile has no such target",
                "README.md:5: `make bnech`: the Makefile has no such target",
            ]
        );
    }

    #[test]
    fn a_path_that_leads_nowhere_is_found() {
        let text = "`docs/a.md` `docs/b.md` `docs/` `a/b` `docs/*.md`\n```\n`docs/c.md`\n```\n";
        let tree = Tree::of(&[
            ("Makefile", "x:\n"),
            ("ARCHITECTURE.md", text),
            ("docs/a.md", ""),
            ("storage-lsm/FAULTS.md", ""),
        ]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["ARCHITECTURE.md:1: there is no file or folder docs/b.md"]);
    }

    #[test]
    fn a_test_of_the_matrix_that_nobody_has_is_found() {
        let matrix = "# Faults\n`sweep::has` `sweep::has_not` `make x`\n";
        let tree = Tree::of(&[
            ("Makefile", "x:\n"),
            ("ARCHITECTURE.md", "`a::b`\n"),
            ("storage-lsm/FAULTS.md", matrix),
            ("storage-lsm/tests/store/sweep.rs", "#[test]\nfn has() {}\n"),
        ]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["storage-lsm/FAULTS.md:2: there is no test sweep::has_not"]);
    }
}
