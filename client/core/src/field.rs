//! The text field that the person types into, as the page drives it.

use desk_protocol::{StickerId, Time};

use crate::client::Client;
use crate::edit::EditError;
use crate::event::{Action, Event};
use crate::writing::{Field, FieldState};

impl Client {
    /// Opens the field over a sticker's text, in place of the one before, and
    /// tells what it shows.
    pub fn open_field(&mut self, id: StickerId) -> &str {
        let shown = self.text_shown(id).unwrap_or_default().to_owned();
        &self.writing.field.insert(Field::new(id, shown)).shown
    }

    /// What the field shows, if there is one.
    pub fn field(&self) -> Option<&str> {
        self.writing.field.as_ref().map(|field| field.shown.as_str())
    }

    /// The person made the field show `text`; its caret is now before character
    /// `caret`. `None`: nothing changed.
    ///
    /// # Errors
    /// As [`Client::act`]: the sticker's text stays as it is, and the field has
    /// to catch up.
    pub fn field_input(
        &mut self,
        now: Time,
        text: &str,
        caret: u32,
    ) -> Result<Option<Action>, EditError> {
        let Some(mut field) = self.writing.field.take() else { return Ok(None) };
        let change = field.input(text, caret);
        let made = match change.is_empty() {
            true => Ok(None),
            false => self.edit_text(now, field.sticker, change).map(Some),
        };
        if made.is_err() {
            field.reset(self.text_shown(field.sticker).unwrap_or_default());
        }
        self.writing.field = Some(field);
        made
    }

    /// Brings the field up to date, its selection moved along. `None`: it is.
    pub fn field_catch_up(&mut self, start: u32, end: u32) -> Option<FieldState> {
        self.writing.field.as_mut()?.catch_up(start, end)
    }

    /// Where a caret of the field stands in the sticker's text.
    pub fn field_caret(&self, caret: u32) -> Option<u32> {
        self.writing.field.as_ref().map(|field| field.caret(caret))
    }

    /// Closes the field.
    pub fn close_field(&mut self) {
        self.writing.field = None;
    }

    /// What the field's text was, if one of these changes of the view may be
    /// about it.
    pub(crate) fn field_before(&self, about: impl Fn(StickerId) -> bool) -> Option<String> {
        let field = self.writing.field.as_ref().filter(|field| about(field.sticker))?;
        self.text_shown(field.sticker).map(str::to_owned)
    }

    /// The view is up to date again: so the field is behind by what was coming.
    pub(crate) fn pass_to_field(&mut self, before: Option<String>) {
        let Some(id) = self.writing.field.as_ref().map(|field| field.sticker) else { return };
        let (Some(before), Some(sticker)) = (before, self.view.sticker(id)) else { return };
        if self.writing.shows(&before, &sticker.text.value) {
            self.events.push_back(Event::FieldBehind);
        }
    }
}
