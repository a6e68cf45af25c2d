//! `unsafe` is forbidden by each crate root; where the design needs it, it sits
//! in one small file.

use crate::rust_code::has_word;
use crate::{Finding, Source, Tree};

const FORBID: &str = "#![forbid(unsafe_code)]";
const DENY: &str = "#![deny(unsafe_code)]";

/// Folders of crates that need `unsafe`, and the only files that may hold it.
/// Their roots deny it, so that these files can allow it by name.
const EXCEPTIONS: &[(&str, &[&str])] = &[
    // Only what flatc generates, and generated files are not read here.
    ("protocol/src/", &[]),
    // The call that makes a TUN device.
    ("tests/network/src/", &["tests/network/src/tun.rs"]),
    // A descriptor that glommio lends as a number.
    ("engine/disk/src/", &["engine/disk/src/link.rs"]),
    // The slots of the rings between shards, and one socket option.
    (
        "engine/server/src/",
        &["engine/server/src/queue/ring.rs", "engine/server/src/net/udp_group.rs"],
    ),
];

/// Roots that do not forbid `unsafe`, and `unsafe` where it is not expected.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.rust() {
        let exception = EXCEPTIONS.iter().find(|(folder, _)| source.path.starts_with(folder));
        if is_root(source) {
            let wanted = if exception.is_some() { DENY } else { FORBID };
            let code = source.rust();
            let has = code.text().contains(wanted) || code.text().contains(FORBID);
            if !has {
                findings.push(Finding::new(&source.path, 1, format!("lacks `{wanted}`")));
            }
        }
        if exception.is_some_and(|(_, files)| files.contains(&source.path.as_str())) {
            continue;
        }
        for (at, line) in source.rust().lines() {
            if has_word(line, "unsafe") {
                let message = "`unsafe` outside the files that the tidy test names";
                findings.push(Finding::new(&source.path, at, message));
            }
        }
    }
    for file in EXCEPTIONS.iter().flat_map(|(_, files)| *files) {
        let needed = tree.get(file).is_some_and(|source| source.text.contains("unsafe"));
        if !needed && tree.has("Cargo.lock") {
            findings.push(Finding::new(file, 1, "needs no exception: take it off tidy's list"));
        }
    }
    findings
}

/// `lib.rs`, `main.rs` and the further binaries of a crate.
fn is_root(source: &Source) -> bool {
    let path = &source.path;
    path.ends_with("src/lib.rs") || path.ends_with("src/main.rs") || path.contains("/src/bin/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_code_and_roots_that_allow_it_are_found() {
        let tree = Tree::of(&[
            ("a/src/lib.rs", "//! #![forbid(unsafe_code)]\n"),
            ("b/src/main.rs", "#![forbid(unsafe_code)]\n"),
            ("b/src/ring.rs", "fn a() {\n    unsafe { b() }\n}\nfn unsafe_free() {}\n"),
            ("protocol/src/lib.rs", "#![deny(unsafe_code)]\n"),
            ("protocol/src/generated/desk.rs", "unsafe {}\n"),
        ]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "a/src/lib.rs:1: lacks `#![forbid(unsafe_code)]`",
                "b/src/ring.rs:2: `unsafe` outside the files that the tidy test names",
            ]
        );
    }
}
