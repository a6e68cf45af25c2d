//! One text field over one sticker's text.
//!
//! The field may lag behind the text: while an input method composes, nothing
//! can be put into it. So the editor knows what the field shows and what has
//! happened to the text since, and carries each across the other.

use desk_protocol::StickerId;
use desk_protocol::text::{Delta, Order, diff};

use crate::splice::{from_utf16, splice, to_utf16};

/// See the module.
pub(crate) struct Editor {
    sticker: StickerId,
    /// What the field shows.
    shown: String,
    /// From what the field shows to the text as it is.
    behind: Delta,
}

/// What the field should show now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its text.
    pub(crate) text: String,
    /// The selection's start, in UTF-16 units.
    pub(crate) start: usize,
    /// The selection's end, in UTF-16 units.
    pub(crate) end: usize,
}

impl Editor {
    /// A field that shows the sticker's text.
    pub(crate) fn new(sticker: StickerId, text: &str) -> Self {
        Self { sticker, shown: text.to_owned(), behind: Delta::new() }
    }

    /// The sticker being typed into.
    pub(crate) fn sticker(&self) -> StickerId {
        self.sticker
    }

    /// The text was changed by something other than this field.
    pub(crate) fn changed(&mut self, delta: &Delta) {
        self.behind = self.behind.compose(delta);
    }

    /// The text became `text` in an unknown way.
    pub(crate) fn reset(&mut self, text: &str) {
        self.behind = diff(&self.shown, text);
    }

    /// The person made the field show `text`, its caret now at `caret` (UTF-16).
    /// Answers the change to make to the sticker's text as it is.
    pub(crate) fn input(&mut self, text: &str, caret: usize) -> Delta {
        let change = splice(&self.shown, text, from_utf16(text, caret));
        let made = change.transform(&self.behind, Order::After);
        self.behind = self.behind.transform(&change, Order::Before);
        self.shown = text.to_owned();
        made
    }

    /// The change that [`Editor::input`] answered was refused: the sticker's
    /// text is still `text`.
    pub(crate) fn refused(&mut self, text: &str) {
        self.reset(text);
    }

    /// Brings the field up to date, its selection moved along. `None`: it is.
    pub(crate) fn catch_up(&mut self, start: usize, end: usize) -> Option<Field> {
        if self.behind.is_empty() {
            return None;
        }
        let behind = std::mem::take(&mut self.behind);
        let text = behind.apply(&self.shown).expect("the delta was made for this text");
        let carry = |offset: usize| {
            let at = from_utf16(&self.shown, offset);
            let at = u32::try_from(at).expect("a text field holds fewer than 2^32 characters");
            to_utf16(&text, behind.transform_position(at, Order::Before) as usize)
        };
        let field = Field { start: carry(start), end: carry(end), text };
        field.text.clone_into(&mut self.shown);
        Some(field)
    }

    /// The caret's place in the sticker's text as it is, in characters.
    pub(crate) fn caret(&self, offset: usize) -> u32 {
        let at = u32::try_from(from_utf16(&self.shown, offset)).unwrap_or(u32::MAX);
        self.behind.transform_position(at, Order::Before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insertion(at: u32, text: &str) -> Delta {
        use desk_protocol::text::Part;
        Delta::from_parts([Part::Retain(at), Part::Insert(text.to_owned())]).expect("small")
    }

    #[test]
    fn the_caret_stays_before_the_same_letter() {
        let mut editor = Editor::new(StickerId(1), "hello world");
        editor.changed(&insertion(0, "😀 "));
        assert_eq!(
            editor.catch_up(6, 11),
            Some(Field { text: "😀 hello world".into(), start: 9, end: 14 })
        );
        assert_eq!(editor.catch_up(9, 9), None);
    }

    #[test]
    fn what_another_types_at_the_caret_goes_behind_it() {
        let mut editor = Editor::new(StickerId(1), "ab");
        editor.changed(&insertion(1, "X"));
        assert_eq!(editor.catch_up(1, 1), Some(Field { text: "aXb".into(), start: 1, end: 1 }));
    }

    #[test]
    fn input_in_a_lagging_field_meets_the_text() {
        let mut editor = Editor::new(StickerId(1), "ab");
        let mut text = "ab".to_owned();
        let foreign = insertion(0, "foreign ");
        text = foreign.apply(&text).expect("fits");
        editor.changed(&foreign);
        // The field still shows "ab"; the person composes "語" after it.
        let made = editor.input("ab語", 3);
        text = made.apply(&text).expect("fits the text as it is");
        assert_eq!(text, "foreign ab語");
        assert_eq!(
            editor.catch_up(3, 3),
            Some(Field { text: "foreign ab語".into(), start: 11, end: 11 })
        );
    }

    #[test]
    fn a_refused_change_leaves_the_field() {
        let mut editor = Editor::new(StickerId(1), "full");
        editor.input("full!", 5);
        editor.refused("full");
        assert_eq!(editor.catch_up(5, 5), Some(Field { text: "full".into(), start: 4, end: 4 }));
    }
}
