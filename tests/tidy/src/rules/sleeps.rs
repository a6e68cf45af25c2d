//! A test waits for its condition, not for time.

use crate::rust_code::has_word;
use crate::{Finding, Tree};

const RUST: &[&str] =
    &["thread::sleep", "sleep(", "sleep_until(", "Timer::after(", "park_timeout("];
const TYPESCRIPT: &[&str] = &["waitForTimeout(", "setTimeout(resolve", "setTimeout(r,", "sleep("];

/// Where the pause between two looks at a condition is written, once.
const POLLING: &[(&str, &str)] =
    &[("tests/e2e/src/wait.rs", "polls a condition of the real server until a deadline")];

/// Sleeps in test code.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &tree.sources {
        if POLLING.iter().any(|(path, _)| *path == source.path) {
            continue;
        }
        let mut report = |line: usize| {
            let message = "a fixed sleep in a test: wait for what it waits for, with a deadline";
            findings.push(Finding::new(&source.path, line, message));
        };
        let whole = tree.is_test(source);
        if source.is_own_rust() {
            let code = source.rust();
            for (at, line) in code.lines().filter(|(at, _)| whole || code.is_test_line(*at)) {
                if RUST.iter().any(|word| has_word(line, word)) {
                    report(at);
                }
            }
        } else if whole && source.is("ts") {
            for (at, line) in source.text.lines().enumerate() {
                if TYPESCRIPT.iter().any(|word| line.contains(word)) {
                    report(at + 1);
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_of_tests_are_found_in_both_languages() {
        let tree = Tree::of(&[
            ("tests/e2e/tests/a.rs", "fn a() {\n    std::thread::sleep(SECOND);\n}\n"),
            ("a/src/lib.rs", "fn a() { sleep(1); }\n#[test]\nfn b() {\n    sleep(1);\n}\n"),
            ("tests/browser/specs/a.spec.ts", "await page.waitForTimeout(100);\n"),
            ("tests/e2e/tests/b.rs", "fn asleep() {}\n// sleep(1)\n"),
        ]);
        let lines: Vec<(String, usize)> =
            check(&tree).into_iter().map(|f| (f.path, f.line)).collect();
        let at = |path: &str, line| (path.to_owned(), line);
        assert_eq!(
            lines,
            [
                at("a/src/lib.rs", 4),
                at("tests/browser/specs/a.spec.ts", 1),
                at("tests/e2e/tests/a.rs", 2)
            ]
        );
    }
}
