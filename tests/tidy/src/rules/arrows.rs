//! The crates depend on one another as ARCHITECTURE draws it, and a core's
//! manifest proves that it is pure.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::Finding;
use crate::tree::root;

/// Who may depend on whom among the workspace's crates (tests may use more).
const ARROWS: &[(&str, &[&str])] = &[
    ("desk-protocol", &[]),
    ("desk-engine-core", &["desk-protocol"]),
    ("desk-client-core", &["desk-protocol"]),
    ("desk-files", &["desk-protocol"]),
    ("desk-gateway-http", &["desk-protocol", "desk-files"]),
    ("desk-storage-lsm", &[]),
    ("desk-disk", &["desk-storage-lsm"]),
    ("desk-keeper", &["desk-storage-lsm", "desk-protocol"]),
    ("desk-cluster", &["desk-protocol"]),
    ("desk-nats", &["desk-cluster", "desk-protocol"]),
    ("desk-client-wasm", &["desk-client-core", "desk-protocol"]),
    ("desk-files-wasm", &["desk-files"]),
    ("desk-client-native", &["desk-client-core", "desk-gateway-http", "desk-protocol"]),
    (
        "sticker-desk",
        &[
            "desk-engine-core",
            "desk-gateway-http",
            "desk-keeper",
            "desk-cluster",
            "desk-nats",
            "desk-files",
            "desk-storage-lsm",
            "desk-disk",
            "desk-protocol",
            // The client commands of the same binary.
            "desk-client-native",
            "desk-client-core",
        ],
    ),
    // The simulator runs what ships, and never the shell.
    (
        "desk-sim",
        &[
            "desk-engine-core",
            "desk-client-core",
            "desk-keeper",
            "desk-cluster",
            "desk-storage-lsm",
            "desk-protocol",
        ],
    ),
    (
        "desk-e2e",
        &[
            "desk-protocol",
            "desk-client-core",
            "desk-client-native",
            "desk-storage-lsm",
            "desk-sim",
            "desk-network",
        ],
    ),
    ("desk-network", &[]),
    (
        "desk-bench",
        &[
            "desk-protocol",
            "desk-engine-core",
            "desk-client-core",
            "desk-client-native",
            "desk-gateway-http",
            "desk-files",
            "desk-storage-lsm",
            "desk-disk",
            "desk-sim",
            "desk-network",
        ],
    ),
    ("desk-tidy", &[]),
];

/// Crates that only some manifests may name, in any kind of dependency.
const RESERVED: &[(&str, &[&str])] = &[
    ("glommio", &["sticker-desk", "desk-disk"]),
    ("async-nats", &["desk-nats"]),
    ("flatbuffers", &["desk-protocol"]),
    ("rkyv", &["sticker-desk", "desk-bench"]),
    ("anyhow", &["sticker-desk", "desk-bench", "desk-e2e", "desk-sim"]),
    ("wasm-bindgen", &["desk-client-wasm", "desk-files-wasm"]),
];

/// Crates whose whole tree of dependencies is free of the outside.
const PURE: &[&str] = &[
    "desk-protocol",
    "desk-files",
    "desk-engine-core",
    "desk-client-core",
    "desk-keeper",
    "desk-cluster",
    "desk-storage-lsm",
];

/// Runtimes, sockets, clocks and random sources.
const IMPURE: &[&str] = &[
    "async-executor",
    "async-io",
    "async-std",
    "chrono",
    "embassy-executor",
    "fastrand",
    "futures-executor",
    "getrandom",
    "glommio",
    "hyper",
    "io-uring",
    "mio",
    "monoio",
    "nix",
    "polling",
    "quinn",
    "quinn-udp",
    "rand",
    "reqwest",
    "rustix",
    "smol",
    "socket2",
    "time",
    "tokio",
    "tungstenite",
    "web-time",
];

/// One dependency of a workspace crate.
#[derive(Debug, PartialEq, Eq)]
struct Arrow {
    from: String,
    to: String,
    /// Whether only tests follow it.
    dev: bool,
}

/// Arrows that the design does not have, and impure cores.
#[must_use]
pub fn check() -> Vec<Finding> {
    let metadata = metadata(&["--locked"]);
    let mut findings = wrong_arrows(&arrows(&metadata));
    findings.extend(unlisted(&metadata));
    findings.extend(impure(&metadata));
    findings
}

/// Workspace crates that the table lacks, or that opt out of the lints.
fn unlisted(metadata: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in members(metadata) {
        let name = text(package, "name");
        if !ARROWS.iter().any(|(from, _)| *from == name) {
            findings.push(Finding::new("Cargo.toml", 1, format!("{name} has no place in ARROWS")));
        }
        let manifest = std::fs::read_to_string(text(package, "manifest_path")).unwrap_or_default();
        if !manifest.contains("[lints]\nworkspace = true") {
            let message = format!("{name} does not take the workspace's lints");
            findings.push(Finding::new("Cargo.toml", 1, message));
        }
    }
    findings
}

fn wrong_arrows(arrows: &[Arrow]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Arrow { from, to, dev } in arrows {
        let mut report = |message: String| findings.push(Finding::new(from, 1, message));
        let allowed = ARROWS.iter().find(|(name, _)| name == from).map_or(&[][..], |(_, to)| to);
        let own = ARROWS.iter().any(|(name, _)| name == to);
        if own && !dev && !allowed.contains(&to.as_str()) {
            report(format!("depends on {to}, an arrow that the design does not have"));
        }
        let reserved = RESERVED.iter().find(|(name, _)| name == to);
        if reserved.is_some_and(|(_, holders)| !holders.contains(&from.as_str())) {
            report(format!("names {to}, which belongs to others"));
        }
    }
    findings
}

/// Pure crates with an impure one somewhere below them.
fn impure(metadata: &Value) -> Vec<Finding> {
    let names: BTreeMap<&str, &str> =
        list(metadata, "packages").map(|p| (text(p, "id"), text(p, "name"))).collect();
    let below: BTreeMap<&str, Vec<&str>> = list(&metadata["resolve"], "nodes")
        .map(|node| (text(node, "id"), list(node, "deps").filter_map(ships).collect()))
        .collect();
    let mut findings = Vec::new();
    for package in members(metadata).filter(|p| PURE.contains(&text(p, "name"))) {
        let mut seen = BTreeSet::new();
        let mut open = vec![text(package, "id")];
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(below.get(id).into_iter().flatten());
            }
        }
        let reached = seen.iter().filter_map(|id| names.get(id));
        for name in reached.filter(|name| IMPURE.contains(*name)) {
            let message = format!("has {name} below it: a core has no runtime, clock or socket");
            findings.push(Finding::new(text(package, "name"), 1, message));
        }
    }
    findings
}

/// The target of a dependency that ends up in the product.
fn ships(dep: &Value) -> Option<&str> {
    list(dep, "dep_kinds").any(|kind| kind["kind"].is_null()).then(|| text(dep, "pkg"))
}

fn arrows(metadata: &Value) -> Vec<Arrow> {
    let of = |package: &Value| {
        let from = text(package, "name").to_owned();
        let arrow = move |dep: &Value| Arrow {
            from: from.clone(),
            to: text(dep, "name").to_owned(),
            dev: dep["kind"] == "dev",
        };
        list(package, "dependencies").map(arrow).collect::<Vec<_>>()
    };
    members(metadata).flat_map(of).collect()
}

fn members(metadata: &Value) -> impl Iterator<Item = &Value> {
    let ids: Vec<&str> = list(metadata, "workspace_members").filter_map(Value::as_str).collect();
    list(metadata, "packages").filter(move |package| ids.contains(&text(package, "id")))
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

/// What cargo knows of the workspace; nothing is downloaded that a build has not.
fn metadata(flags: &[&str]) -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--filter-platform"])
        .arg(if cfg!(target_arch = "aarch64") {
            "aarch64-unknown-linux-gnu"
        } else {
            "x86_64-unknown-linux-gnu"
        })
        .args(flags)
        .current_dir(root())
        .output()
        .expect("cargo runs: it started this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn arrow(from: &str, to: &str, dev: bool) -> Arrow {
        Arrow { from: from.to_owned(), to: to.to_owned(), dev }
    }

    #[test]
    fn an_arrow_against_the_design_is_found() {
        let found = wrong_arrows(&[
            arrow("desk-protocol", "desk-engine-core", false),
            arrow("desk-storage-lsm", "desk-protocol", false),
            arrow("desk-engine-core", "glommio", true),
            arrow("desk-engine-core", "desk-client-core", true),
            arrow("desk-engine-core", "desk-protocol", false),
            arrow("sticker-desk", "glommio", false),
        ]);
        let from: Vec<&str> = found.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(from, ["desk-protocol", "desk-storage-lsm", "desk-engine-core"]);
    }

    #[test]
    fn a_runtime_below_a_core_is_found() {
        let dep = |id: &str, kind: Value| json!({"pkg": id, "dep_kinds": [{"kind": kind}]});
        let tree = |kind: Value| {
            json!({
                "workspace_members": ["p"],
                "packages": [{"id": "p", "name": "desk-protocol"}, {"id": "a", "name": "a"},
                    {"id": "t", "name": "tokio"}],
                "resolve": {"nodes": [{"id": "p", "deps": [dep("a", kind)]},
                    {"id": "a", "deps": [dep("t", Value::Null)]}, {"id": "t", "deps": []}]}
            })
        };
        assert_eq!(impure(&tree(Value::Null)).len(), 1);
        assert_eq!(impure(&tree(json!("dev"))), []);
    }

    #[test]
    fn a_crate_that_the_table_lacks_is_found() {
        let metadata =
            json!({"workspace_members": ["p"], "packages": [{"id": "p", "name": "new"}]});
        assert_eq!(unlisted(&metadata).len(), 2);
    }
}
