//! A rule of the specification has a number, and a test that bears it.
//!
//! A rule begins a heading, a list item or a table row of `protocol/SPEC.md`
//! with its number, as in `**OT-4** …`. A test cites it by its name
//! (`ot_4_an_insertion_stays`) or by the number in its text.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Finding, Tree};

const SPEC: &str = "protocol/SPEC.md";

/// Rules without a test, numbers given twice, and citations of no rule.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(spec) = tree.get(SPEC) else {
        return vec![Finding::new(SPEC, 1, "the specification is missing")];
    };
    let mut findings = Vec::new();
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    for (at, line) in spec.text.lines().enumerate() {
        let Some(number) = rule_of(line) else { continue };
        if let Some(first) = rules.insert(number.clone(), at + 1) {
            let message = format!("rule {number} stands on line {first} already");
            findings.push(Finding::new(SPEC, at + 1, message));
        }
    }
    if rules.is_empty() {
        findings.push(Finding::new(SPEC, 1, "no rule has a number such as OT-4"));
    }
    let families: BTreeSet<&str> = rules
        .keys()
        .filter_map(|number| number.split_once('-'))
        .map(|(family, _)| family)
        .collect();
    let mut cited = BTreeSet::new();
    for source in tree.sources.iter().filter(|source| source.is("rs") || source.is("ts")) {
        if source.path.starts_with("tests/tidy/") {
            continue;
        }
        let whole = tree.is_test(source);
        let code = source.is("rs").then(|| source.rust());
        for (at, line) in source.text.lines().enumerate() {
            let numbers = citations(line, &families);
            let in_test = whole || code.as_ref().is_some_and(|code| code.is_test_line(at + 1));
            for number in numbers {
                if !rules.contains_key(&number) {
                    let message = format!("cites {number}, which {SPEC} does not have");
                    findings.push(Finding::new(&source.path, at + 1, message));
                } else if in_test {
                    cited.insert(number);
                }
            }
        }
    }
    for (number, line) in rules.iter().filter(|(number, _)| !cited.contains(*number)) {
        let message = format!("rule {number} has no test that is named after it or cites it");
        findings.push(Finding::new(SPEC, *line, message));
    }
    findings
}

/// The number that `line` of the specification begins with.
fn rule_of(line: &str) -> Option<String> {
    let trimmed = line.trim_start();
    let marked = trimmed.starts_with(['#', '-', '*', '|']);
    let start = trimmed.trim_start_matches(['#', '-', '*', '|', ' ', '`']);
    let number = number_at(start)?;
    let after = start[number.len()..].chars().next();
    let ends = after.is_none_or(|c| !c.is_alphanumeric() && c != '-' && c != '_');
    (marked && ends).then_some(number)
}

/// `LETTERS-DIGITS` at the beginning of `text`.
fn number_at(text: &str) -> Option<String> {
    let letters = text.chars().take_while(char::is_ascii_uppercase).count();
    let digits = text[letters..].strip_prefix('-')?;
    let digits = digits.chars().take_while(char::is_ascii_digit).count();
    (letters >= 2 && digits >= 1).then(|| text[..letters + 1 + digits].to_owned())
}

/// Numbers of `families` in a line of code: `OT-4` in text, `ot_4` in a
/// function's name.
fn citations(line: &str, families: &BTreeSet<&str>) -> Vec<String> {
    let mut found = Vec::new();
    for family in families {
        for (at, _) in line.match_indices(family) {
            let joined = line[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
            found.extend(number_at(&line[at..]).filter(|_| !joined));
        }
        let Some((_, name)) = line.split_once("fn ") else { continue };
        let name = name.split(['(', '<']).next().unwrap_or(name);
        let prefix = format!("{}_", family.to_lowercase());
        for (at, _) in name.match_indices(&prefix) {
            let joined = at > 0 && !name[..at].ends_with('_');
            let digits = name[at + prefix.len()..].chars().take_while(char::is_ascii_digit);
            let digits: String = digits.collect();
            if !joined && !digits.is_empty() {
                found.push(format!("{family}-{digits}"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untested_rules_and_wrong_citations_are_found() {
        let tree = Tree::of(&[
            (
                SPEC,
                "# The protocol\n## OT-1 Order\n- **OT-2** text\n* `TEXT-1`: text\n\
                 | TEXT-2 | text |\n- **OT-2** again\nSee OT-9 for more.\n",
            ),
            (
                "protocol/tests/rules.rs",
                "#[test]\nfn ot_1_the_first() {}\n/// TEXT-1: a limit.\n#[test]\nfn a() {}\n\
                 #[test]\nfn ot_7_gone() {}\n",
            ),
            ("protocol/src/apply.rs", "/// Does what TEXT-2 says.\nfn apply() {}\n"),
        ]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "protocol/SPEC.md:6: rule OT-2 stands on line 3 already",
                "protocol/tests/rules.rs:7: cites OT-7, which protocol/SPEC.md does not have",
                "protocol/SPEC.md:6: rule OT-2 has no test that is named after it or cites it",
                "protocol/SPEC.md:5: rule TEXT-2 has no test that is named after it or cites it",
            ]
        );
    }
}
