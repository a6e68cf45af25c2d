//! Outside tests a failure is a typed error, or an `expect` that says why it
//! cannot happen.

use crate::{Finding, Tree};

/// Calls of `unwrap` in code that ships.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.rust().filter(|source| !tree.is_test(source)) {
        let code = source.rust();
        for (at, line) in code.lines() {
            let called = line.contains(".unwrap()") || line.contains(".unwrap_err()");
            if called && !code.is_test_line(at) {
                let message = "`unwrap` outside a test: return an error, or `expect` with the \
                               reason why it cannot fail";
                findings.push(Finding::new(&source.path, at, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_that_ships_is_held_to_it() {
        let tree = Tree::of(&[
            (
                "a/src/lib.rs",
                "fn a() {\n    b().unwrap();\n}\n#[cfg(test)]\nmod c {\n    fn d() { e().unwrap(); }\n}\n",
            ),
            ("a/tests/story.rs", "fn a() { b().unwrap(); }\n"),
            ("a/src/docs.rs", "/// a.unwrap()\nfn a() { b().unwrap_or(1); }\n"),
        ]);
        let found = check(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.as_str(), found[0].line), ("a/src/lib.rs", 2));
    }
}
