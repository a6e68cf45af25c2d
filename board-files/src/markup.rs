//! Tokens of HTML, as far as a clipboard's flavour needs them: tags, their attributes, text
//! and character references. A tokenizer of the whole standard, with its two thousand
//! names of characters, would be half of the page's module.

use crate::encoding::windows_1252_char;

/// A piece of HTML. Names are in small letters.
#[derive(Debug)]
pub(crate) enum Token {
    Start(Tag),
    End(String),
    Text(String),
}

#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// The value of an attribute; the first one counts.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The tokens of a text, one after the other. A tag that is cut ends them.
pub(crate) struct Tokens<'a> {
    rest: &'a str,
    /// Of these elements everything up to their end is text.
    raw: Option<&'static str>,
}

impl<'a> Tokens<'a> {
    pub(crate) const fn of(html: &'a str) -> Self {
        Self { rest: html, raw: None }
    }

    fn text(&mut self, end: usize) -> Token {
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        Token::Text(unescaped(text))
    }

    /// The text of an element whose content is no markup.
    fn raw_text(&mut self, name: &str) -> Option<Token> {
        let ends = |at: &usize| {
            let end = self.rest[*at..].strip_prefix("</").unwrap_or_default();
            end.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name))
        };
        let end = self.rest.match_indices("</").map(|(at, _)| at).find(ends);
        let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        (!text.is_empty()).then(|| Token::Text(text.to_owned()))
    }

    /// A tag, a comment, or a `<` that is text.
    fn markup(&mut self) -> Option<Token> {
        let inside = &self.rest[1..];
        if let Some(comment) = inside.strip_prefix("!--") {
            self.rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
            return self.next();
        }
        if let Some(end) = inside.strip_prefix('/')
            && end.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            self.rest = end;
            let tag = self.tag()?;
            return Some(Token::End(tag.name));
        }
        if inside.starts_with(['!', '?', '/']) {
            self.rest = inside.split_once('>').map_or("", |(_, rest)| rest);
            return self.next();
        }
        if !inside.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let end = inside.find('<').map_or(self.rest.len(), |at| at + 1);
            return Some(self.text(end));
        }
        self.rest = inside;
        let tag = self.tag()?;
        self.raw =
            ["style", "script", "title", "textarea"].into_iter().find(|raw| *raw == tag.name);
        Some(Token::Start(tag))
    }

    /// From a tag's name to its end.
    fn tag(&mut self) -> Option<Tag> {
        let name = self.word(&['/', '>']).to_ascii_lowercase();
        let mut attributes = Vec::new();
        loop {
            self.rest = self.rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            if let Some(rest) = self.rest.strip_prefix('>') {
                self.rest = rest;
                return Some(Tag { name, attributes });
            }
            if self.rest.is_empty() {
                return None;
            }
            // A name may begin with `=`, so that each turn takes something.
            let first = self.rest.chars().next().map_or(0, char::len_utf8);
            let (start, rest) = self.rest.split_at(first);
            self.rest = rest;
            let known = format!("{start}{}", self.word(&['/', '>', '='])).to_ascii_lowercase();
            let value = self.value()?;
            attributes.push((known, value));
        }
    }

    /// What stands behind `=`; empty without one.
    fn value(&mut self) -> Option<String> {
        let Some(value) = self.rest.trim_start().strip_prefix('=') else {
            return Some(String::new());
        };
        let value = value.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let Some(quote) = quote else {
            self.rest = value;
            return Some(unescaped(self.word(&['>'])));
        };
        let (value, rest) = value[1..].split_once(quote)?;
        self.rest = rest;
        Some(unescaped(value))
    }

    /// Up to white space or one of these.
    fn word(&mut self, ends: &[char]) -> &'a str {
        let is_end = |c: char| c.is_ascii_whitespace() || ends.contains(&c);
        let (word, rest) = self.rest.split_at(self.rest.find(is_end).unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        if let Some(name) = self.raw.take()
            && let Some(text) = self.raw_text(name)
        {
            return Some(text);
        }
        match self.rest.find('<') {
            None if self.rest.is_empty() => None,
            None => Some(self.text(self.rest.len())),
            Some(0) => self.markup(),
            Some(at) => Some(self.text(at)),
        }
    }
}

/// Names of characters that programs write beside a clipboard's text in UTF-8.
const NAMES: [(&str, char); 20] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("ensp", '\u{2002}'),
    ("emsp", '\u{2003}'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("hellip", '…'),
    ("bull", '•'),
    ("middot", '·'),
    ("euro", '€'),
];

/// Bytes of the longest character reference that is meant, with its `&` and its `;`.
const REFERENCE_BYTES_MAX: usize = 10;

/// The text with its character references replaced, once.
pub(crate) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(REFERENCE_BYTES_MAX).position(|byte| byte == b';');
        match end.and_then(|end| Some((character(&rest[1..end])?, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn character(name: &str) -> Option<char> {
    let Some(number) = name.strip_prefix('#') else {
        return NAMES.iter().find(|(known, _)| *known == name).map(|(_, c)| *c);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    Some(match code {
        0 => '\u{fffd}',
        // As browsers read the numbers of old pages.
        0x80..=0x9f => windows_1252_char(code as u8).unwrap_or('\u{fffd}'),
        code => char::from_u32(code).unwrap_or('\u{fffd}'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_attributes_and_references_are_told_apart() {
        let html = "<!doctype html><!-- <b> --><TD BGCOLOR=#fff title='a > b' x = \"1&amp;2\" y>\
                    a < b &amp;amp; &eacute; &#233;&#x1f388;&#128;</td><style>td > p { }</style>x<br/>";
        let told: Vec<_> = Tokens::of(html)
            .map(|token| match token {
                Token::Start(tag) => format!("<{} {:?}>", tag.name, tag.attributes),
                Token::End(name) => format!("</{name}>"),
                Token::Text(text) => text,
            })
            .collect();
        assert_eq!(
            told,
            [
                r##"<td [("bgcolor", "#fff"), ("title", "a > b"), ("x", "1&2"), ("y", "")]>"##,
                "a ",
                "< b &amp; &eacute; é🎈€",
                "</td>",
                "<style []>",
                "td > p { }",
                "</style>",
                "x",
                "<br []>",
            ]
        );
    }

    #[test]
    fn whatever_is_cut_ends() {
        for html in
            ["<", "</", "<a", "<a b", "<a b=", "<a b='", "<!--", "<!", "<style>", "&", "&#;"]
        {
            let _ = Tokens::of(html).count();
        }
        assert_eq!(Tokens::of("<a href='x").count(), 0);
    }
}
