//! Files are named after nouns of the domain or the format.

use crate::{Finding, Tree};

const BANNED: &[&str] =
    &["utils", "util", "helpers", "helper", "manager", "common", "misc", "v2", "old"];

/// Files and folders with a name that says nothing.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &tree.sources {
        for part in source.path.split('/') {
            let stem = part.split('.').next().unwrap_or(part).to_lowercase();
            let said = stem.split(['_', '-']).find(|word| BANNED.contains(word));
            if let Some(word) = said {
                let message = format!(
                    "named '{word}': name the file after a noun of the domain or the format"
                );
                findings.push(Finding::new(&source.path, 1, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banned_word_anywhere_in_the_path_is_found() {
        let tree = Tree::of(&[
            ("a/src/utils.rs", ""),
            ("a/src/desk_manager.rs", ""),
            ("web/src/common/desk.ts", ""),
            ("a/src/codec_v2.rs", ""),
            ("a/src/folder.rs", ""),
            ("a/src/older.rs", ""),
        ]);
        assert_eq!(check(&tree).len(), 4);
    }
}
