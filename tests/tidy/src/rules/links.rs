//! A document links to something.

use std::collections::BTreeSet;

use crate::{Finding, Source, Tree};

/// Relative links whose file or heading is not there.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources.iter().filter(|source| source.is("md")) {
        for (line, target) in links(&source.text) {
            if let Some(message) = broken(tree, source, &target) {
                findings.push(Finding::new(&source.path, line, message));
            }
        }
    }
    findings
}

/// Why `target`, as written in `from`, leads nowhere.
fn broken(tree: &Tree, from: &Source, target: &str) -> Option<String> {
    let has_scheme = target.split(['/', '#']).next().is_some_and(|head| head.contains(':'));
    if has_scheme || target.is_empty() {
        return None;
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { Some(from.path.clone()) } else { resolve(&from.path, file) };
    let Some(path) = path.filter(|path| tree.has(path)) else {
        return Some(format!("link to '{target}': no such file"));
    };
    let document = tree.get(&path).filter(|source| source.is("md"))?;
    let known = heading.is_empty() || anchors(&document.text).contains(heading);
    (!known).then(|| format!("link to '{target}': no such heading in {path}"))
}

/// The targets of `[text](target)` and of `[name]: target`, with their lines,
/// outside code.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, line) in prose(text) {
        let mut rest = line.as_str();
        while let Some(open) = rest.find("](") {
            rest = &rest[open + 2..];
            let Some(close) = rest.find(')') else { break };
            let target = rest[..close].split_whitespace().next().unwrap_or("");
            found.push((at, target.trim_matches(['<', '>']).to_owned()));
        }
        let definition = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        if let Some((_, target)) = definition {
            found.push((at, target.split_whitespace().next().unwrap_or("").to_owned()));
        }
    }
    found
}

/// Lines outside fenced blocks, with their numbers, code spans blanked.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let parts = line.split('`').enumerate();
            lines.push((at + 1, parts.filter(|(n, _)| n % 2 == 0).map(|(_, part)| part).collect()));
        }
    }
    lines
}

/// The anchors that a renderer gives to the headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut anchors = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if fenced || !line.starts_with('#') {
            continue;
        }
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        anchors.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
    }
    anchors
}

/// `link` as seen from the folder of `from`; `None` when it leaves the repository.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let tree = Tree::of(&[
            (
                "README.md",
                "# Sticker Desk\n[a](docs/a.md) [b](docs/b.md)\n[c](docs/a.md#two-words)\n\
                 [d](docs/a.md#gone) [e](https://example.org/x) `[f](gone.md)`\n\
                 ```\n[g](gone.md)\n```\n![h](docs/h.png)\n[docs](docs)\n[top](#sticker-desk)\n",
            ),
            ("docs/a.md", "# One\n## Two words\n[up](../README.md) [out](../../x.md)\n"),
        ]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "README.md:2: link to 'docs/b.md': no such file",
                "README.md:4: link to 'docs/a.md#gone': no such heading in docs/a.md",
                "README.md:8: link to 'docs/h.png': no such file",
                "docs/a.md:3: link to '../../x.md': no such file",
            ]
        );
    }
}
