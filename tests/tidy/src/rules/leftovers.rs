//! What is committed is finished: no markers, no skipped tests.

use crate::rust_code::has_word;
use crate::{Finding, Tree};

/// Code that stands for code to come.
const RUST: &[&str] =
    &["todo!", "unimplemented!", "dbg!", "#[ignore", "#![allow(dead_code)]", "#[allow(unused"];
/// The same in the page's tests.
const TYPESCRIPT: &[&str] = &["test.only(", "test.skip(", "it.only(", "it.skip(", "debugger;"];
/// Words of comments; split, so that this file does not hold them.
const MARKERS: &[&str] =
    &[concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X"), concat!("HA", "CK")];
const CODE: &[&str] = &["rs", "ts", "svelte", "js", "css", "toml"];

/// Leftover code and words.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources.iter().filter(|source| !source.is_generated()) {
        let mut report = |line: usize, what: &str| {
            let message = format!("leftover `{what}`: finish it or take it out");
            findings.push(Finding::new(&source.path, line, message));
        };
        if source.is("rs") {
            for (at, line) in source.rust().lines() {
                RUST.iter().filter(|word| has_word(line, word)).for_each(|word| report(at, word));
            }
        }
        let code = CODE.iter().any(|extension| source.is(extension));
        for (at, line) in source.text.lines().enumerate().filter(|_| code) {
            MARKERS.iter().filter(|word| has_word(line, word)).for_each(|w| report(at + 1, w));
            if source.is("ts") {
                TYPESCRIPT.iter().filter(|word| line.contains(*word)).for_each(|w| {
                    report(at + 1, w);
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_found_and_their_names_in_strings_are_not() {
        let comment = format!("// {}: later\n", MARKERS[0]);
        let tree = Tree::of(&[
            ("a/src/one.rs", "fn a() {\n    todo!()\n}\n"),
            ("a/src/two.rs", "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n"),
            ("a/src/three.rs", &comment),
            ("a/src/fine.rs", "const A: &str = \"todo!\";\nfn my_todo() {}\n"),
            ("web/src/a.spec.ts", "test.only('x', () => {});\n"),
        ]);
        let found: Vec<(String, usize)> =
            check(&tree).into_iter().map(|f| (f.path, f.line)).collect();
        let at = |path: &str, line| (path.to_owned(), line);
        assert_eq!(
            found,
            [
                at("a/src/one.rs", 2),
                at("a/src/three.rs", 1),
                at("a/src/two.rs", 2),
                at("web/src/a.spec.ts", 1)
            ]
        );
    }
}
