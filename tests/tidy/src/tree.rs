use std::fs;
use std::path::Path;

use crate::RustCode;

/// Folders that hold what others made: dependencies, builds, data.
const SKIPPED_DIRS: &[&str] =
    &["target", "node_modules", "dist", ".git", "data", "corpus", "artifacts", "coverage"];
/// The page's module, written by `make wasm`.
const SKIPPED_PATHS: &[&str] = &["web/src/wasm"];
/// What is read; pictures and fixtures are not.
const TEXT_EXTENSIONS: &[&str] = &[
    "rs", "ts", "js", "mjs", "svelte", "css", "html", "md", "toml", "json", "lock", "fbs", "yml",
    "yaml", "sh", "npmrc",
];
/// Text files that go by a name.
const TEXT_NAMES: &[&str] = &["Makefile", ".npmrc", ".gitignore"];
/// Folders of scripts without an extension.
const SCRIPT_DIRS: &[&str] = &["tools", ".ci"];

/// One text file of the repository.
#[derive(Debug, Clone)]
pub struct Source {
    /// Path from the repository's root, with `/`.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl Source {
    /// Whether the name ends in `.extension`.
    #[must_use]
    pub fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|have| have == extension)
    }

    /// Whether it is Rust, and not written by a generator.
    #[must_use]
    pub fn is_own_rust(&self) -> bool {
        self.is("rs") && !self.is_generated()
    }

    /// Whether a generator wrote it; such files live in a folder of that name.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        self.path.split('/').any(|part| part == "generated")
            && !self.path.ends_with("generated/mod.rs")
    }

    /// The code without comments and literals.
    #[must_use]
    pub fn rust(&self) -> RustCode {
        RustCode::of(&self.text)
    }
}

/// The repository's text files.
#[derive(Debug, Default)]
pub struct Tree {
    /// In the order of their paths.
    pub sources: Vec<Source>,
    /// Rust files that only tests compile: `#[cfg(test)] mod name;`.
    test_modules: Vec<String>,
    /// Every file's path, text or not.
    paths: Vec<String>,
}

impl Tree {
    /// Reads the repository that this crate is part of.
    ///
    /// # Panics
    /// When a file cannot be read, or is not UTF-8.
    #[must_use]
    pub fn of_repository() -> Self {
        let mut tree = Self::default();
        tree.walk(Path::new(&root()), "");
        tree.finish()
    }

    /// A tree of made-up files, for the rules' own tests.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source { path: (*path).to_owned(), text: (*text).to_owned() })
            .collect();
        let paths = sources.iter().map(|source| source.path.clone()).collect();
        Self { sources, paths, ..Self::default() }.finish()
    }

    /// Own Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| source.is_own_rust())
    }

    /// The file at `path`, if it is text.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.path == path)
    }

    /// Whether a file or folder stands at `path`.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        path.is_empty() || self.paths.iter().any(|have| have == path || have.starts_with(&folder))
    }

    /// Whether the whole file is test code, by its place or by its `mod` line.
    #[must_use]
    pub fn is_test(&self, source: &Source) -> bool {
        let path = &source.path;
        path.starts_with("tests/")
            || path.starts_with("fuzz/")
            || path.contains("/tests/")
            || path.contains("/benches/")
            || path.ends_with("/tests.rs")
            // A suite that runs on the fake of one crate and the real thing of another.
            || path.ends_with("/contract.rs")
            || path.ends_with(".test.ts")
            || path.ends_with(".spec.ts")
            || self.test_modules.iter().any(|module| {
                path == &format!("{module}.rs") || path.starts_with(&format!("{module}/"))
            })
    }

    fn walk(&mut self, dir: &Path, prefix: &str) {
        let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        for entry in entries {
            let entry = entry.unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            if entry.path().is_dir() {
                let foreign = SKIPPED_DIRS.contains(&name.as_str());
                if !foreign && !SKIPPED_PATHS.contains(&path.as_str()) {
                    self.walk(&entry.path(), &format!("{path}/"));
                }
                continue;
            }
            if is_text(&path, &name) {
                let text = fs::read_to_string(entry.path())
                    .unwrap_or_else(|e| panic!("{path} is not readable text: {e}"));
                self.sources.push(Source { path: path.clone(), text });
            }
            self.paths.push(path);
        }
    }

    fn finish(mut self) -> Self {
        self.sources.sort_by(|a, b| a.path.cmp(&b.path));
        let mut modules = Vec::new();
        for source in self.rust() {
            let code = source.rust();
            for (at, line) in code.lines() {
                if !code.is_test_line(at) {
                    continue;
                }
                let name = line.trim().trim_start_matches("pub(crate) ").strip_prefix("mod ");
                if let Some(name) = name.and_then(|rest| rest.strip_suffix(';')) {
                    modules.push(format!("{}{name}", module_dir(&source.path)));
                }
            }
        }
        self.test_modules = modules;
        self
    }
}

/// The repository's root.
#[must_use]
pub(crate) fn root() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../..").to_owned()
}

fn is_text(path: &str, name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|e| e.to_str());
    TEXT_NAMES.contains(&name)
        || extension.is_some_and(|e| TEXT_EXTENSIONS.contains(&e))
        || (extension.is_none() && SCRIPT_DIRS.contains(&path.split('/').next().unwrap_or("")))
}

/// Where the files of `mod name;` in `path` stand: beside `lib.rs`, `main.rs`
/// and `mod.rs`, else in the folder named like the file.
fn module_dir(path: &str) -> String {
    let (dir, file) = path.rsplit_once('/').map_or(("", path), |(dir, file)| (dir, file));
    let dir = if dir.is_empty() { String::new() } else { format!("{dir}/") };
    match file {
        "lib.rs" | "main.rs" | "mod.rs" => dir,
        other => format!("{dir}{}/", other.trim_end_matches(".rs")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_code_is_known_by_place_and_by_its_mod_line() {
        let tree = Tree::of(&[
            ("a/src/lib.rs", "#[cfg(test)]\nmod model;\nmod plain;\n"),
            ("a/src/model.rs", ""),
            ("a/src/plain.rs", "#[cfg(test)]\nmod check;\n"),
            ("a/src/plain/check.rs", ""),
            ("a/tests/story.rs", ""),
        ]);
        let tests: Vec<&str> =
            tree.sources.iter().filter(|s| tree.is_test(s)).map(|s| s.path.as_str()).collect();
        assert_eq!(tests, ["a/src/model.rs", "a/src/plain/check.rs", "a/tests/story.rs"]);
    }

    #[test]
    fn the_repository_is_found_without_what_others_made() {
        let tree = Tree::of_repository();
        assert!(tree.get("Cargo.toml").is_some());
        assert!(tree.get("tools/need").is_some());
        assert!(tree.has("tests/tidy/src"));
        assert!(!tree.has("target"));
    }
}
