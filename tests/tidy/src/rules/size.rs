//! A file is 150 to 400 lines; at 800 it must have been split.

use crate::{Finding, Tree};

const LINES_MAX: usize = 800;
const EXTENSIONS: &[&str] = &["rs", "ts", "svelte", "css"];

/// Own code files beyond the bound.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let own = |source: &&crate::Source| {
        !source.is_generated() && EXTENSIONS.iter().any(|extension| source.is(extension))
    };
    let mut findings = Vec::new();
    for source in tree.sources.iter().filter(own) {
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            let message = format!("{lines} lines: split it before {LINES_MAX}");
            findings.push(Finding::new(&source.path, LINES_MAX + 1, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beyond_the_bound_is_found() {
        let full = "x\n".repeat(LINES_MAX);
        let over = "x\n".repeat(LINES_MAX + 1);
        let tree = Tree::of(&[
            ("a/src/full.rs", &full),
            ("a/src/over.rs", &over),
            ("web/src/over.ts", &over),
            ("a/src/generated/over.rs", &over),
            ("a/over.json", &over),
        ]);
        let paths: Vec<String> = check(&tree).into_iter().map(|f| f.path).collect();
        assert_eq!(paths, ["a/src/over.rs", "web/src/over.ts"]);
    }
}
