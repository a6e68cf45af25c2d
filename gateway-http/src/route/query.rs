//! The query of a target: `name=value` pairs, percent-encoded.

use std::ops::RangeInclusive;

use crate::http::Status;
use crate::problem::Problem;

/// The parameter that may be given several times.
pub(super) const REPEATED: &str = "column";

/// A parsed query. Names that nobody asks for are ignored, as they are
/// everywhere on the web.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let mut parsed: Vec<(String, String)> = Vec::new();
        for pair in pairs {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(bad("The query is not percent-encoded UTF-8; encode it.".to_owned()));
            };
            if name != REPEATED && parsed.iter().any(|(known, _)| *known == name) {
                return Err(bad(format!("The parameter {name} is given twice; give it once.")));
            }
            parsed.push((name, value));
        }
        Ok(Self(parsed))
    }

    /// A text as it is.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)
    }

    /// All values of the one parameter that may be given several times.
    pub(super) fn repeated(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(known, _)| known == REPEATED).map(|(_, value)| &**value)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// A whole number; well formed but out of range is 422.
    pub(super) fn number(
        &self,
        name: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad(format!("The parameter {name} is not a whole number; give digits.")));
        }
        match value.parse().ok().filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(Problem::new(
                Status::UNPROCESSABLE_CONTENT,
                format!("The parameter {name} may be {} to {}.", range.start(), range.end()),
            )),
        }
    }

    /// One of some words.
    pub(super) fn one_of<T: Copy>(
        &self,
        name: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == value);
        found.map(|&(_, meaning)| Some(meaning)).ok_or_else(|| {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            bad(format!("The parameter {name} may be: {}.", known.join(", ")))
        })
    }
}

fn bad(detail: String) -> Problem {
    Problem::new(Status::BAD_REQUEST, detail)
}

/// Decodes `%XX` and, as in forms, `+`.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                (digit()? << 4 | digit()?) as u8
            }
            b'+' => b' ',
            plain => plain,
        });
    }
    String::from_utf8(decoded).ok()
}
