//! The sentences of the documents are short enough to be read once.
//!
//! Tables, fenced blocks and headings are left out. A code span counts as one
//! word, and so does the text of a link word by word, without its target.

use crate::{Finding, Source, Tree};

/// Words of the longest sentence.
const WORDS_MAX: usize = 40;
/// Lists what was done, a line each, and texts that others wrote.
const SKIPPED: &[&str] = &["CHANGELOG.md"];
/// What stands for a code span.
const CODE: &str = "code";

/// Sentences of more than `WORDS_MAX` words.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let documents = tree.sources.iter().filter(|source| source.is("md"));
    documents.filter(|source| !SKIPPED.contains(&source.path.as_str())).flat_map(of_one).collect()
}

fn of_one(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for paragraph in paragraphs(&source.text) {
        for sentence in paragraph.sentences() {
            let words = sentence.words.len();
            if words > WORDS_MAX {
                let start = sentence.words[..4].join(" ");
                let message = format!(
                    "a sentence of {words} words, at most {WORDS_MAX}: \"{start} …\"; make it two"
                );
                findings.push(Finding::new(&source.path, sentence.line, message));
            }
        }
    }
    findings
}

/// Words that stand together, each with the line that it is on.
#[derive(Default)]
struct Paragraph {
    words: Vec<(usize, String)>,
}

struct Sentence<'a> {
    line: usize,
    words: Vec<&'a str>,
}

impl Paragraph {
    fn sentences(&self) -> Vec<Sentence<'_>> {
        let mut sentences = Vec::new();
        let mut words = Vec::new();
        let mut begin = 0;
        for (line, word) in &self.words {
            if words.is_empty() {
                begin = *line;
            }
            if word.chars().any(char::is_alphanumeric) {
                words.push(word.as_str());
            }
            if ends_sentence(word) {
                sentences.push(Sentence { line: begin, words: std::mem::take(&mut words) });
            }
        }
        sentences.push(Sentence { line: begin, words });
        sentences
    }
}

fn ends_sentence(word: &str) -> bool {
    word.trim_end_matches([')', '*', '_', '"', '\'', '”']).ends_with(['.', '!', '?'])
}

/// What stands between blank lines. Each item of a list is a paragraph.
fn paragraphs(text: &str) -> Vec<Paragraph> {
    let mut paragraphs = vec![Paragraph::default()];
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let is_fence = trimmed.starts_with("```");
        fenced ^= is_fence;
        let is_left_out = trimmed.is_empty() || trimmed.starts_with(['|', '#', '!']);
        let is_prose = !fenced && !is_fence && !is_left_out;
        if !is_prose || is_item(trimmed) {
            paragraphs.push(Paragraph::default());
        }
        if !is_prose {
            continue;
        }
        let words = without_code(trimmed);
        let words = without_targets(&words);
        let paragraph = paragraphs.last_mut().expect("there is always one");
        paragraph.words.extend(words.split_whitespace().map(|word| (at + 1, word.to_owned())));
    }
    paragraphs
}

fn is_item(line: &str) -> bool {
    let numbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.starts_with("- ")
        || line.starts_with("* ")
        || (numbered.len() < line.len() && numbered.starts_with(". "))
}

/// The line with one word for each code span.
fn without_code(line: &str) -> String {
    let parts = line.split('`').enumerate();
    parts.map(|(number, part)| if number % 2 == 0 { part } else { CODE }).collect()
}

/// The line with the text of its links only.
fn without_targets(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("](") {
        out.push_str(&rest[..at]);
        rest = rest[at + 2..].split_once(')').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sentence_is_found_where_it_begins() {
        let long = "one two three four five six seven eight nine ten ".repeat(4);
        let text = format!(
            "# {long}{long}\nShort one. It goes\nover {long}and ends.\n\n| {long}{long} |\n\n\
             ```\n{long}{long}\n```\n- An item of `{long}` a few words\n- {long}\n- [more]({long}.md)\n"
        );
        let tree = Tree::of(&[("docs/a.md", text.as_str()), ("CHANGELOG.md", text.as_str())]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "docs/a.md:2: a sentence of 45 words, at most 40: \"It goes over one …\"; make it two"
            ]
        );
    }
}
