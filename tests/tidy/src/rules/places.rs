//! The repository knows no machine: no home folder, no registry's address.

use crate::{Finding, Tree};

/// Beginnings of paths of one person's or one runner's machine. Split, so that
/// this file does not hold them.
const FOLDERS: &[&str] = &[
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("/workspa", "ce/"),
    concat!("C:", "\\"),
];
/// Hosts that serve packages, and their mirrors.
const HOSTS: &[&str] = &[
    concat!("registry.npm", "js.org"),
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("py", "pi.org"),
    concat!("files.python", "hosted.org"),
    concat!("deb.debian", ".org"),
    concat!("artifac", "tory"),
    concat!("sparse", "+http"),
    concat!("ver", "daccio"),
];

/// Machine paths and registry hosts in any text.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &tree.sources {
        for (at, line) in source.text.lines().enumerate() {
            let mut report = |what: &str, why: &str| {
                findings.push(Finding::new(&source.path, at + 1, format!("'{what}': {why}")));
            };
            for folder in FOLDERS.iter().filter(|folder| starts_path(line, folder)) {
                report(folder, "a path of one machine");
            }
            for host in HOSTS.iter().filter(|host| line.contains(*host)) {
                report(host, "a registry's address; the client's own setting decides");
            }
        }
    }
    findings
}

/// Whether `folder` begins a path in `line`, rather than continuing one.
fn starts_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/}$)".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_paths_and_hosts_are_found() {
        let path = format!("cd {}me\n", FOLDERS[1]);
        let host = format!("\"resolved\": \"https://{}/a\"\n", HOSTS[0]);
        let tree = Tree::of(&[
            ("Makefile", &path),
            ("web/package-lock.json", &host),
            ("README.md", "the folder bench/work/ and https://example.org/home/\n"),
        ]);
        let paths: Vec<String> = check(&tree).into_iter().map(|f| f.path).collect();
        assert_eq!(paths, ["Makefile", "web/package-lock.json"]);
    }
}
