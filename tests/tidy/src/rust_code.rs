/// Rust source with comments and literals blanked out, line for line, and the
/// lines marked that only tests compile.
///
/// It follows the lexical grammar (nested comments, raw strings, lifetimes),
/// not the syntax: that is enough to find a word that is code.
#[derive(Debug)]
pub struct RustCode {
    code: String,
    test_lines: Vec<bool>,
}

impl RustCode {
    /// Reads `text`, which need not compile.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let code = blank(text);
        let test_lines = mark_tests(&code);
        Self { code, test_lines }
    }

    /// Lines with their number, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(at, line)| (at + 1, line))
    }

    /// Whether `line` (from 1) belongs to a `#[cfg(test)]` or `#[test]` item.
    #[must_use]
    pub fn is_test_line(&self, line: usize) -> bool {
        self.test_lines.get(line - 1).copied().unwrap_or(false)
    }

    /// The blanked text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.code
    }
}

/// Whether `word` stands in `line` between characters that end an identifier.
#[must_use]
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let starts_in_name = word.starts_with(|c: char| c.is_alphanumeric()) && joins(before);
        let ends_in_name = word.ends_with(|c: char| c.is_alphanumeric()) && joins(after);
        !starts_in_name && !ends_in_name
    })
}

/// Replaces each character of comments and literals by a space.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_or_comment(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            for c in &chars[at..end] {
                out.push(if *c == '\n' { '\n' } else { ' ' });
            }
            at = end;
        }
    }
    out
}

/// The end of the comment or literal that starts at `at`; `at` when none does.
fn literal_or_comment(chars: &[char], at: usize) -> usize {
    let next = |offset: usize| chars.get(at + offset).copied();
    let in_name = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        '/' if next(1) == Some('/') => {
            chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| at + n)
        }
        '/' if next(1) == Some('*') => block_comment(chars, at),
        '"' => quoted(chars, at),
        'r' | 'b' | 'c' if !in_name => {
            let prefix = chars[at..].iter().take_while(|c| matches!(c, 'r' | 'b' | 'c')).count();
            let raw = chars[at..at + prefix].contains(&'r');
            let hashes = chars[at + prefix..].iter().take_while(|c| **c == '#').count();
            match chars.get(at + prefix + hashes) {
                Some('"') if raw => raw_string(chars, at + prefix + hashes, hashes),
                Some('"') if hashes == 0 => quoted(chars, at + prefix),
                Some('\'') if hashes == 0 && !raw => character(chars, at + prefix),
                _ => at,
            }
        }
        '\'' => character(chars, at),
        _ => at,
    }
}

fn block_comment(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    chars.len()
}

fn quoted(chars: &[char], quote: usize) -> usize {
    let mut at = quote + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

fn raw_string(chars: &[char], quote: usize, hashes: usize) -> usize {
    let mut at = quote + 1;
    while at < chars.len() {
        let closes =
            chars[at] == '"' && chars[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
        if closes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    chars.len()
}

/// A character literal's end, or the quote itself when it opens a lifetime.
fn character(chars: &[char], quote: usize) -> usize {
    match (chars.get(quote + 1), chars.get(quote + 2)) {
        (Some('\\'), _) => {
            let close = chars[quote + 3..].iter().position(|c| *c == '\'');
            close.map_or(quote, |n| quote + 3 + n + 1)
        }
        (Some(_), Some('\'')) => quote + 3,
        _ => quote,
    }
}

/// Marks the lines from a test attribute to the end of its item.
fn mark_tests(code: &str) -> Vec<bool> {
    let lines: Vec<&str> = code.lines().collect();
    let mut marked = vec![false; lines.len()];
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        // `expect(…, not(test))` and the like are no test code.
        let is_test = line.contains("#[cfg(test)]")
            || line.contains("#[cfg(all(test")
            || line.contains("#[test]");
        if !is_test {
            at += 1;
            continue;
        }
        let end = item_end(&lines, at);
        marked[at..=end].fill(true);
        at = end + 1;
    }
    marked
}

/// The last line of the item whose attribute stands on line `start`.
fn item_end(lines: &[&str], start: usize) -> usize {
    let mut depth = 0_i32;
    for (at, line) in lines.iter().enumerate().skip(start) {
        let mut opened = depth > 0;
        for c in line.chars() {
            match c {
                '{' => (depth, opened) = (depth + 1, true),
                '}' => depth -= 1,
                ';' if depth == 0 => return at,
                _ => {}
            }
        }
        if opened && depth <= 0 {
            return at;
        }
    }
    lines.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&blank(text)), expected);
    }

    #[test]
    fn comments_and_literals_are_blank() {
        check("a // b\nc /* d /* e */ f */ g", "a c g");
        check(r#"a("b \" c", 'd', '\'', b'e', "//") f"#, "a( , , , , ) f");
        check(r##"r#"x " y"# br"z" c"w" r"q""##, "");
        check("fn f<'a>(x: &'a str) -> Foo<'_> {}", "fn f<'a>(x: &'a str) -> Foo<'_> {}");
        check("let r#type = number; bar(\"x\")", "let r#type = number; bar( )");
        check("'\\u{1F600}' x", "x");
    }

    #[test]
    fn blanking_keeps_the_lines() {
        let text = "one\n/* two\nthree */ four\n\"five\nsix\" seven\n";
        assert_eq!(blank(text).lines().count(), text.lines().count());
    }

    #[test]
    fn test_items_are_marked_to_their_end() {
        let code = RustCode::of(
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { \"}\"; }\n}\nfn c() {}\n\
             #[cfg(test)]\nmod other;\nfn d() {}\n#[test]\n#[should_panic]\nfn e()\n{\n}\nfn f() {}\n",
        );
        let marked: Vec<usize> =
            code.lines().map(|(at, _)| at).filter(|at| code.is_test_line(*at)).collect();
        assert_eq!(marked, [2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14]);
    }

    #[test]
    fn words_end_at_names() {
        assert!(has_word("let x: HashMap<u8>", "HashMap"));
        assert!(!has_word("let x: MyHashMap", "HashMap"));
        assert!(!has_word("HashMapper", "HashMap"));
        assert!(has_word("a.unwrap()", ".unwrap()"));
    }
}
