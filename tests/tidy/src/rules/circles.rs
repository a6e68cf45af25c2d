//! A module imports downward only: no circle of files but a parent and its child.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Finding, Source, Tree};

/// A module's path from its crate's root, which is empty.
type Name = Vec<String>;

/// One name that a file takes from a path, or a path that it writes out.
#[derive(Debug)]
struct Use {
    /// Segments, beginning with `crate`, `self`, `super` or a name.
    path: Vec<String>,
    /// What it is called here; `None` for a glob and for a path written out.
    alias: Option<String>,
    glob: bool,
    line: usize,
}

#[derive(Debug, Default)]
struct Module {
    file: String,
    uses: Vec<Use>,
    /// Names that the file declares.
    declared: BTreeSet<String>,
}

type Crate = BTreeMap<Name, Module>;

/// Who uses whom, and in which file and line first.
type Edges = BTreeMap<Name, BTreeMap<Name, (String, usize)>>;

/// Modules of one crate that use each other in a circle. A parent and what stands
/// below it may: of such a pair each direction is left out in turn, so a circle
/// that goes on through a third module is found. What stands right below a crate's
/// root is looked at as a whole, too: two folders are no layers if files of each
/// use the other.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for modules in crates(tree).values() {
        let edges = edges(modules);
        let down = without(&edges, is_above);
        let up = without(&edges, |from, to| is_above(to, from));
        let mut found = report(&down);
        found.extend(report(&up));
        if found.is_empty() {
            found = report(&between_folders(&edges));
        }
        // Most circles are in both.
        found.sort();
        found.dedup();
        findings.extend(found);
    }
    findings
}

/// The same for whole folders: what stands right below the crate's root.
fn between_folders(edges: &Edges) -> Edges {
    let mut folders = Edges::new();
    for (from, to) in edges.iter().filter(|(from, _)| !from.is_empty()) {
        let targets = folders.entry(folder(from)).or_default();
        for (to, at) in to.iter().filter(|(to, _)| !to.is_empty() && folder(to) != folder(from)) {
            targets.entry(folder(to)).or_insert_with(|| at.clone());
        }
    }
    folders
}

fn folder(name: &Name) -> Name {
    name[..name.len().min(1)].to_vec()
}

fn report(edges: &Edges) -> Vec<Finding> {
    let finding = |circle: Vec<Name>| {
        let shown: Vec<String> = circle.iter().chain(circle.first()).map(show).collect();
        let (file, line) = &edges[&circle[0]][&circle[1]];
        Finding::new(file, *line, format!("a circle of modules: {}", shown.join(" -> ")))
    };
    circles(edges).into_iter().map(finding).collect()
}

fn show(name: &Name) -> String {
    if name.is_empty() { "crate".to_owned() } else { name.join("::") }
}

/// Whether `above` is an ancestor of `below`.
fn is_above(below: &Name, above: &Name) -> bool {
    above.len() < below.len() && below.starts_with(above)
}

fn without(edges: &Edges, left_out: fn(&Name, &Name) -> bool) -> Edges {
    let mut kept = edges.clone();
    for (from, targets) in &mut kept {
        targets.retain(|to, _| !left_out(from, to));
    }
    kept
}

/// One circle of each set of modules that all reach each other.
fn circles(edges: &Edges) -> Vec<Vec<Name>> {
    let mut done: BTreeSet<&Name> = BTreeSet::new();
    let mut found = Vec::new();
    for start in edges.keys() {
        if done.contains(start) {
            continue;
        }
        let from_start = ways(edges, start);
        let both_ways = from_start.keys().filter(|name| ways(edges, name).contains_key(start));
        done.extend(both_ways);
        // The shortest way back.
        if from_start.contains_key(start) {
            let mut circle = vec![start.clone()];
            let mut at = from_start[start];
            while at != start {
                circle.push(at.clone());
                at = from_start[at];
            }
            circle[1..].reverse();
            found.push(circle);
        }
    }
    found
}

/// What is reached from `start`, each with the module before it on a shortest way.
fn ways<'a>(edges: &'a Edges, start: &'a Name) -> BTreeMap<&'a Name, &'a Name> {
    let mut before = BTreeMap::new();
    let mut open = std::collections::VecDeque::from([start]);
    while let Some(at) = open.pop_front() {
        for next in edges.get(at).into_iter().flat_map(BTreeMap::keys) {
            if !before.contains_key(next) {
                before.insert(next, at);
                open.push_back(next);
            }
        }
    }
    before
}

fn edges(modules: &Crate) -> Edges {
    let mut edges = Edges::new();
    for (name, module) in modules {
        let targets = edges.entry(name.clone()).or_default();
        for used in &module.uses {
            let Some(path) = absolute(modules, name, &used.path) else { continue };
            let target = owner(modules, &path, 0);
            if target != *name {
                targets.entry(target).or_insert_with(|| (module.file.clone(), used.line));
            }
        }
    }
    edges
}

/// The path from the crate's root; `None` if it leads out of the crate.
fn absolute(modules: &Crate, from: &Name, path: &[String]) -> Option<Vec<String>> {
    let mut base = from.clone();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => (base, rest) = (Vec::new(), &path[1..]),
        "self" => rest = &path[1..],
        "super" => {
            while rest.first().is_some_and(|segment| segment == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        child => {
            base.push(child.to_owned());
            if !modules.contains_key(&base) {
                return None;
            }
            rest = &path[1..];
        }
    }
    base.extend_from_slice(rest);
    Some(base)
}

/// The module that declares what `path` names, through re-exports.
fn owner(modules: &Crate, path: &[String], depth: usize) -> Name {
    let mut at = 0;
    while at < path.len() && modules.contains_key(&path[..=at]) {
        at += 1;
    }
    let name = path[..at].to_vec();
    let (Some(item), Some(module)) = (path.get(at), modules.get(&name)) else { return name };
    if depth > modules.len() || module.declared.contains(item) {
        return name;
    }
    for used in &module.uses {
        let Some(mut target) = absolute(modules, &name, &used.path) else { continue };
        if used.alias.as_ref() == Some(item) {
            target.extend_from_slice(&path[at + 1..]);
            return owner(modules, &target, depth + 1);
        }
        if used.glob {
            target.push(item.clone());
            let owner = owner(modules, &target, depth + 1);
            if modules.get(&owner).is_some_and(|module| module.declared.contains(item)) {
                return owner;
            }
        }
    }
    name
}

/// The crates' modules by the folder that the crate stands in.
fn crates(tree: &Tree) -> BTreeMap<String, Crate> {
    let mut crates: BTreeMap<String, Crate> = BTreeMap::new();
    let mut sources = Vec::new();
    for source in tree.rust().filter(|source| !tree.is_test(source)) {
        let Some((folder, file)) = source.path.split_once("src/") else { continue };
        let name = module_name(file);
        let modules = crates.entry(folder.to_owned()).or_default();
        modules.entry(name.clone()).or_default().file.clone_from(&source.path);
        sources.push((folder.to_owned(), name, source));
    }
    for (folder, name, source) in sources {
        let modules = crates.get_mut(&folder).expect("it was put there");
        let children: Vec<String> = modules
            .keys()
            .filter(|child| child.len() == name.len() + 1 && child.starts_with(&name))
            .filter_map(|child| child.last().cloned())
            .collect();
        let module = modules.get_mut(&name).expect("it was put there");
        read(source, &children, module);
    }
    crates
}

fn module_name(file: &str) -> Name {
    let mut name: Name = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(name.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        name.pop();
    }
    name
}

/// Takes what a file uses and declares; `children` are the modules right below.
fn read(source: &Source, children: &[String], module: &mut Module) {
    let code = source.rust();
    let mut tokens = Vec::new();
    for (line, text) in code.lines().filter(|(line, _)| !code.is_test_line(*line)) {
        tokens.extend(words(text).into_iter().map(|word| (line, word)));
    }
    let word = |at: usize| tokens.get(at).map_or("", |(_, word)| *word);
    let mut at = 0;
    while at < tokens.len() {
        let line = tokens[at].0;
        match word(at) {
            // `use<'a>` is a bound.
            "use" if word(at + 1) != "<" => {
                let end = (at..tokens.len()).find(|&end| word(end) == ";");
                let end = end.unwrap_or(tokens.len());
                let statement: Vec<&str> = (at + 1..end).map(word).collect();
                read_use(&statement, &mut 0, &[], line, &mut module.uses);
                at = end;
            }
            "struct" | "enum" | "trait" | "fn" | "type" | "const" | "static" | "union" => {
                module.declared.insert(word(at + 1).to_owned());
            }
            first
                if word(at + 1) == "::"
                    && (at == 0 || word(at - 1) != "::")
                    && (matches!(first, "crate" | "self" | "super")
                        || children.iter().any(|child| child == first)) =>
            {
                let mut path = vec![first.to_owned()];
                while word(at + 1) == "::" && is_name(word(at + 2)) {
                    path.push(word(at + 2).to_owned());
                    at += 2;
                }
                module.uses.push(Use { path, alias: None, glob: false, line });
            }
            _ => {}
        }
        at += 1;
    }
}

/// Reads one tree of a `use` from `at`, behind `prefix`.
fn read_use(tokens: &[&str], at: &mut usize, prefix: &[String], line: usize, uses: &mut Vec<Use>) {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(*at).copied() {
        match token {
            "{" => {
                *at += 1;
                while tokens.get(*at).is_some_and(|token| *token != "}") {
                    read_use(tokens, at, &path, line, uses);
                    if tokens.get(*at) == Some(&",") {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            "*" => {
                *at += 1;
                uses.push(Use { path, alias: None, glob: true, line });
                return;
            }
            "," | "}" => break,
            "as" => {
                let alias = tokens.get(*at + 1).map(|alias| (*alias).to_owned());
                *at += 2;
                uses.push(Use { path, alias, glob: false, line });
                return;
            }
            "::" => {}
            // `a::{self}` names `a` itself.
            "self" if !path.is_empty() => {}
            segment => path.push(segment.to_owned()),
        }
        *at += 1;
    }
    let alias = path.last().cloned();
    uses.push(Use { path, alias, glob: false, line });
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, and other characters one by one.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
            end.unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (word, left) = rest.split_at(length);
        words.push(word);
        rest = left.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn two_modules_that_use_each_other_are_found() {
        let found = found(&[
            ("a/src/lib.rs", "mod desk;\nmod line;\n"),
            ("a/src/desk.rs", "//! Desk.\nuse crate::line::Line;\npub struct Desk(Line);\n"),
            ("a/src/line.rs", "pub struct Line;\nfn f(_: &super::desk::Desk) {}\n"),
        ]);
        assert_eq!(found, ["a/src/desk.rs:2: a circle of modules: desk -> line -> desk"]);
    }

    #[test]
    fn a_circle_goes_through_what_a_facade_gives_on() {
        let found = found(&[
            ("a/src/lib.rs", "mod net;\nmod shard;\n"),
            ("a/src/net/mod.rs", "mod socket;\npub use socket::{self, Socket as Plug};\n"),
            ("a/src/net/socket.rs", "use crate::shard::*;\npub struct Socket(Shell);\n"),
            ("a/src/shard.rs", "use crate::{\n    net::{Plug},\n};\npub struct Shell(Plug);\n"),
        ]);
        let expected = "a/src/net/socket.rs:1: a circle of modules: \
                        net::socket -> shard -> net::socket";
        assert_eq!(found, [expected]);
    }

    #[test]
    fn two_folders_of_which_each_uses_the_other_are_found() {
        let found = found(&[
            ("a/src/lib.rs", "mod http;\nmod problem;\n"),
            ("a/src/http/mod.rs", "mod error;\nmod status;\npub use status::Status;\n"),
            ("a/src/http/error.rs", "\nuse crate::problem::Problem;\n"),
            ("a/src/http/status.rs", "pub struct Status;\n"),
            ("a/src/problem.rs", "use crate::http::Status;\npub struct Problem(Status);\n"),
        ]);
        let expected = "a/src/http/error.rs:2: a circle of modules: http -> problem -> http";
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_parent_and_its_child_may_use_each_other_and_not_through_a_third() {
        let parent = ("a/src/shard/mod.rs", "mod log;\nuse log::Log;\npub struct Shell(Log);\n");
        let child = "use super::Shell;\npub struct Log;\nfn f(_: Shell) {}\n";
        let lib = ("a/src/lib.rs", "mod net;\nmod shard;\n");
        let net = ("a/src/net.rs", "use crate::shard::Shell;\npub struct Net(Shell);\n");
        assert!(found(&[lib, parent, ("a/src/shard/log.rs", child), net]).is_empty());
        let down = format!("use crate::net::Net;\n{child}");
        let found_down = found(&[lib, parent, ("a/src/shard/log.rs", &down), net]);
        assert_eq!(found_down.len(), 1, "{found_down:?}");
    }

    #[test]
    fn tests_and_other_crates_close_no_circle() {
        let tests = "pub struct Line;\n#[cfg(test)]\nmod tests {\n    use crate::desk::Desk;\n}\n";
        let found = found(&[
            ("a/src/lib.rs", "mod desk;\nmod line;\n"),
            ("a/src/desk.rs", "use crate::line::Line;\nuse line::Desk as Other;\n"),
            ("a/src/line.rs", tests),
            ("b/src/lib.rs", "mod line;\n"),
            ("b/src/line.rs", "use a::desk::Desk;\n"),
        ]);
        assert_eq!(found, [""; 0]);
    }
}
