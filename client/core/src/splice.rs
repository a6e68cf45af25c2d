//! What a person did to a text field, told from the text before and after.

use desk_protocol::text::{Delta, Part};

/// The change from `before` to `after`, both shown in one field, with the caret
/// at `caret` (in characters) afterwards.
///
/// Typing, deleting and pasting end at the caret, so of all equal scripts the
/// one that ends there is meant: an `a` typed between two others is that `a`,
/// wherever the letters alone would put it. A change elsewhere (a correction
/// by the browser) is found by its common ends.
pub(crate) fn splice(before: &str, after: &str, caret: usize) -> Delta {
    let before: Vec<char> = before.chars().collect();
    let after: Vec<char> = after.chars().collect();
    let at_caret = ends(&before, &after, after.len().saturating_sub(caret));
    let anywhere = ends(&before, &after, usize::MAX);
    let (prefix, suffix) =
        if at_caret.0 + at_caret.1 >= anywhere.0 + anywhere.1 { at_caret } else { anywhere };
    let removed = before.len() - prefix - suffix;
    let inserted: String = after[prefix..after.len() - suffix].iter().collect();
    let mut parts = vec![Part::Retain(chars(prefix))];
    if !inserted.is_empty() {
        parts.push(Part::insert(inserted));
    }
    parts.push(Part::Delete(chars(removed)));
    Delta::from_parts(parts).expect("a text field holds fewer than 2^32 characters")
}

/// Lengths of the common beginning and of the common end, the end at most
/// `suffix_max`, the two not overlapping.
fn ends(before: &[char], after: &[char], suffix_max: usize) -> (usize, usize) {
    let suffix = before
        .iter()
        .rev()
        .zip(after.iter().rev())
        .take(suffix_max)
        .take_while(|(old, new)| old == new)
        .count();
    let prefix = before[..before.len() - suffix]
        .iter()
        .zip(&after[..after.len() - suffix])
        .take_while(|(old, new)| old == new)
        .count();
    (prefix, suffix)
}

fn chars(count: usize) -> u32 {
    u32::try_from(count).expect("a text field holds fewer than 2^32 characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(before: &str, after: &str, caret: usize) -> Vec<Part> {
        let delta = splice(before, after, caret);
        assert_eq!(delta.apply(before).as_deref(), Ok(after));
        delta.parts().to_vec()
    }

    #[test]
    fn a_letter_among_equals_goes_where_the_caret_was() {
        assert_eq!(
            parts("aaa", "aaaa", 2),
            [Part::Retain(1), Part::insert("a")],
            "typed after the first letter"
        );
        assert_eq!(parts("aaa", "aaaa", 1), [Part::insert("a")]);
        assert_eq!(parts("aaa", "aaaa", 4), [Part::Retain(3), Part::insert("a")]);
        assert_eq!(parts("aaa", "aa", 1), [Part::Retain(1), Part::Delete(1)]);
    }

    #[test]
    fn a_selection_typed_over_is_one_replacement() {
        assert_eq!(
            parts("one two three", "one 2 three", 5),
            [Part::Retain(4), Part::insert("2"), Part::Delete(3)]
        );
    }

    #[test]
    fn a_correction_away_from_the_caret_stays_small() {
        assert_eq!(
            parts("teh end", "the end", 7),
            [Part::Retain(1), Part::insert("he"), Part::Delete(2)]
        );
    }

    #[test]
    fn nothing_changed_is_nothing() {
        assert_eq!(parts("same", "same", 2), []);
        assert_eq!(parts("", "", 0), []);
    }
}
