//! People who type sentences, often several at one place of one note.

use desk_protocol::StickerId;

use crate::world::World;

/// Letters of a sentence.
const LETTERS_MAX: usize = 12;

/// A person with a note's field open.
pub(crate) struct Writing {
    sticker: StickerId,
    /// The field's text and caret, as the page has them.
    text: Vec<char>,
    caret: usize,
    /// The checker's number of the sentence, and letters that are still to come.
    sentence: usize,
    left: usize,
}

impl World {
    /// Goes on with a sentence, or begins one.
    pub(crate) fn write_on(&mut self, person: usize, notes: &[StickerId]) {
        let writing = self.people[person].writing.take().filter(|writing| writing.left > 0);
        let Some(mut writing) = writing.or_else(|| self.begin_writing(person, notes)) else {
            return;
        };
        for _ in 0..self.chance.between(1, 3).min(writing.left as u64) {
            if !self.type_letter(person, &mut writing) {
                return;
            }
        }
        self.people[person].writing = Some(writing);
    }

    /// Clicks between two sentences, most often behind the last one of the first
    /// note, where others do, too.
    fn begin_writing(&mut self, person: usize, notes: &[StickerId]) -> Option<Writing> {
        let favourite = notes.first().copied().filter(|_| self.chance.once_in(2));
        let sticker = favourite.or_else(|| self.chance.pick(notes).copied())?;
        let client = &mut self.people[person].client;
        let text: Vec<char> = client.open_field(sticker).chars().collect();
        let inside = |at: &usize| {
            *at > 0 && *at < text.len() && self.checker.together(text[*at - 1], text[*at])
        };
        let places: Vec<usize> = (0..=text.len()).filter(|at| !inside(at)).collect();
        let anywhere = self.chance.once_in(3);
        let place = if anywhere { self.chance.pick(&places) } else { places.last() };
        let caret = *place?;
        let sentence = self.checker.begin(sticker);
        self.people[person].sentences.push(sentence);
        let left = self.chance.between(1, LETTERS_MAX as u64) as usize;
        Some(Writing { sticker, text, caret, sentence, left })
    }

    /// Whether the letter was taken.
    fn type_letter(&mut self, person: usize, writing: &mut Writing) -> bool {
        let now = self.agenda.now;
        let letter = self.fresh_character();
        let client = &mut self.people[person].client;
        let caret = writing.caret as u32;
        if let Some(state) = client.field_catch_up(caret, caret) {
            (writing.text, writing.caret) = (state.text.chars().collect(), state.start as usize);
        }
        writing.text.insert(writing.caret, letter);
        writing.caret += 1;
        writing.left -= 1;
        let text: String = writing.text.iter().collect();
        match client.field_input(now, &text, writing.caret as u32) {
            Ok(Some(action)) => {
                self.has_typed(person, writing.sticker, action, letter);
                self.checker.go_on(writing.sentence, letter);
                true
            }
            _ => false,
        }
    }
}
