//! The binding itself: one object a desk.

use std::collections::BTreeSet;

use desk_client_core::{
    Client, Config, Edit, EditError, Event, Line, NewSticker, Records, Token, Trouble,
};
use desk_protocol::frame::Presence;
use desk_protocol::{Color, Point, Revision, Size, StickerId, StickerKind, Time};
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

use crate::record::{
    NoteRecord, PersonRecord, RefusalRecord, Report, TroubleRecord, UnsavedRecord,
};
use crate::utf16::{from_utf16, to_utf16};

/// A client of one desk. After every call: [`DeskClient::report`], then
/// [`DeskClient::transmit`] until it is empty, then [`DeskClient::persist`]
/// unless a write is under way. All times are milliseconds of one clock that never
/// jumps; it starts near the Unix epoch's time.
#[wasm_bindgen]
pub struct DeskClient {
    client: Client,
    presence: Presence,
    /// The person has said who it is: others may see it.
    introduced: bool,
    /// The latest time seen.
    now: Time,
    /// The next report tells the whole desk.
    reset: bool,
    /// Changes that will be made as one step.
    gathered: Option<Vec<Edit>>,
}

/// What to write before the next send; all of it in one transaction.
#[wasm_bindgen]
pub struct StoredRecords {
    token: Token,
    base: Option<Vec<u8>>,
    queue: Vec<u8>,
}

#[wasm_bindgen]
impl StoredRecords {
    /// Replaces the stored base; `undefined`: the stored one stays.
    #[wasm_bindgen(js_name = takeBase)]
    pub fn take_base(&mut self) -> Option<Vec<u8>> {
        self.base.take()
    }

    /// Replaces the stored queue.
    #[wasm_bindgen(js_name = takeQueue)]
    pub fn take_queue(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.queue)
    }
}

#[wasm_bindgen]
impl DeskClient {
    /// A client without state; `seed` is random. It asks for a line at once.
    #[wasm_bindgen(constructor)]
    pub fn new(seed_high: u32, seed_low: u32, session_key: &str) -> Self {
        Self::over(Client::new(config(seed_high, seed_low, session_key)))
    }

    /// A client that goes on from what was stored.
    ///
    /// # Errors
    /// Throws if the stored bytes cannot be read.
    pub fn restore(
        seed_high: u32,
        seed_low: u32,
        base: &[u8],
        queue: &[u8],
    ) -> Result<DeskClient, JsError> {
        Ok(Self::over(Client::restore(config(seed_high, seed_low, ""), base, queue)?))
    }

    fn over(client: Client) -> Self {
        Self {
            client,
            presence: Presence::default(),
            introduced: false,
            now: Time::default(),
            reset: true,
            gathered: None,
        }
    }

    /// The desk as `init` gave it.
    ///
    /// # Errors
    /// Throws if the frames are no whole snapshot.
    pub fn load(&mut self, frames: &[u8]) -> Result<(), JsError> {
        self.client.load(frames)?;
        self.reset = true;
        Ok(())
    }

    // ---- the line

    /// The line is open.
    pub fn connected(&mut self, now_ms: f64) {
        let now = self.time(now_ms);
        self.client.connected(now);
    }

    /// The line that is open has datagrams beside its stream.
    #[wasm_bindgen(js_name = hasDatagrams)]
    pub fn has_datagrams(&mut self) {
        self.client.has_datagrams();
    }

    /// The line is lost, or could not be opened.
    pub fn disconnected(&mut self, now_ms: f64) {
        let now = self.time(now_ms);
        self.client.disconnected(now);
    }

    /// The line ended with a close code of WebSocket.
    pub fn closed(&mut self, now_ms: f64, number: u16, detail: &str) {
        let now = self.time(now_ms);
        self.client.closed(now, Trouble::of_websocket(number), detail);
    }

    /// The server refused to open the line: with a status, and the `code` of its
    /// problem, if it has one.
    pub fn refused(&mut self, now_ms: f64, status: u16, code: Option<String>, detail: &str) {
        let now = self.time(now_ms);
        self.client.closed(now, Trouble::of_answer(status, code.as_deref()), detail);
    }

    /// There is reason to hope that the line is back: what has not answered yet gives
    /// way to a new attempt.
    #[wasm_bindgen(js_name = retryNow)]
    pub fn retry_now(&mut self, now_ms: f64) {
        let now = self.time(now_ms);
        self.client.retry_now(now);
    }

    /// There is reason to believe that the line is gone: it is asked at once.
    #[wasm_bindgen(js_name = doubtLine)]
    pub fn doubt_line(&mut self, now_ms: f64) {
        let now = self.time(now_ms);
        self.client.doubt_line(now);
    }

    /// Whether the page is in sight.
    #[wasm_bindgen(js_name = setWatched)]
    pub fn set_watched(&mut self, now_ms: f64, watched: bool) {
        self.presence.hidden = !watched;
        let now = self.time(now_ms);
        self.client.set_watched(now, watched);
        // Who runs unseen, to bring a closed tab's work home, shows nobody.
        if self.introduced {
            self.tell_presence(now_ms);
        }
    }

    /// Goes on after an end, with a new key.
    pub fn rejoin(&mut self, now_ms: f64, session_key: &str, resumed: bool) {
        let now = self.time(now_ms);
        self.client.rejoin(now, session_key, resumed);
    }

    /// The key that the line is opened with.
    #[wasm_bindgen(js_name = sessionKey)]
    pub fn session_key(&self) -> String {
        self.client.session_key().to_owned()
    }

    /// The confirmed revision.
    pub fn revision(&self) -> f64 {
        self.client.confirmed().revision().0 as f64
    }

    /// A message came.
    pub fn receive(&mut self, now_ms: f64, bytes: &[u8]) {
        let now = self.time(now_ms);
        self.client.receive(now, bytes);
    }

    /// The next message to send.
    pub fn transmit(&mut self, now_ms: f64) -> Option<Vec<u8>> {
        let now = self.time(now_ms);
        self.client.poll_transmit(now)
    }

    /// A datagram came.
    #[wasm_bindgen(js_name = receiveDatagram)]
    pub fn receive_datagram(&mut self, now_ms: f64, bytes: &[u8]) {
        let now = self.time(now_ms);
        self.client.receive_datagram(now, bytes);
    }

    /// The next datagram to send, on a line that has them; before [`DeskClient::transmit`].
    #[wasm_bindgen(js_name = transmitDatagram)]
    pub fn transmit_datagram(&mut self, now_ms: f64) -> Option<Vec<u8>> {
        let now = self.time(now_ms);
        self.client.poll_datagram(now)
    }

    /// The time that a report named has come.
    #[wasm_bindgen(js_name = handleTimeout)]
    pub fn handle_timeout(&mut self, now_ms: f64) {
        let now = self.time(now_ms);
        self.client.handle_timeout(now);
    }

    // ---- the browser's storage

    /// What has to be written, if anything.
    pub fn persist(&mut self) -> Option<StoredRecords> {
        let Records { token, base, queue } = self.client.persist()?;
        Some(StoredRecords { token, base, queue })
    }

    /// It is written.
    pub fn persisted(&mut self, records: StoredRecords) {
        self.client.persisted(records.token);
    }

    /// The browser stores nothing for this page.
    #[wasm_bindgen(js_name = stopPersisting)]
    pub fn stop_persisting(&mut self) {
        self.client.stop_persisting();
    }

    // ---- changes

    /// From here to [`DeskClient::act_gathered`] changes are only gathered.
    pub fn gather(&mut self) {
        self.gathered = Some(Vec::new());
    }

    /// Forgets what was gathered.
    pub fn ungather(&mut self) {
        self.gathered = None;
    }

    /// Makes all gathered changes, as one step of undo; answers the ids of new stickers.
    ///
    /// # Errors
    /// Throws if the core refuses one of them. Nothing has changed then.
    #[wasm_bindgen(js_name = actGathered)]
    pub fn act_gathered(&mut self, now_ms: f64) -> Result<Vec<String>, JsError> {
        let edits = self.gathered.take().unwrap_or_default();
        if edits.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.time(now_ms);
        let made = self.client.act_together(now, edits).map_err(refused)?;
        Ok(made.iter().map(ToString::to_string).collect())
    }

    /// A new sticker; answers its id, which is empty while changes are gathered.
    ///
    /// # Errors
    /// Throws if the colour cannot be read, or the core refuses the note.
    #[expect(clippy::too_many_arguments, reason = "one crossing instead of building an object")]
    pub fn create(
        &mut self,
        now_ms: f64,
        x: i32,
        y: i32,
        width: u32,
        height: u32,
        color: &str,
        text: &str,
        kind: u8,
    ) -> Result<String, JsError> {
        let note = NewSticker {
            position: Point { x, y },
            size: Size { width, height },
            color: color.parse::<Color>()?,
            text: text.to_owned(),
            kind: StickerKind(kind),
        };
        if let Some(gathered) = &mut self.gathered {
            gathered.push(Edit::Create { id: None, note });
            return Ok(String::new());
        }
        let now = self.time(now_ms);
        Ok(self.client.create(now, note).map_err(refused)?.to_string())
    }

    /// Moves a sticker.
    ///
    /// # Errors
    /// Throws if the id cannot be read, or the core refuses the change.
    #[wasm_bindgen(js_name = "move")]
    pub fn move_to(&mut self, now_ms: f64, id: &str, x: i32, y: i32) -> Result<(), JsError> {
        let id = id.parse()?;
        self.act(now_ms, Edit::Move { id, to: Point { x, y } })
    }

    /// Changes a sticker's sides.
    ///
    /// # Errors
    /// Throws if the id cannot be read, or the core refuses the change.
    pub fn resize(
        &mut self,
        now_ms: f64,
        id: &str,
        width: u32,
        height: u32,
    ) -> Result<(), JsError> {
        let id = id.parse()?;
        self.act(now_ms, Edit::Resize { id, to: Size { width, height } })
    }

    /// Changes a sticker's colour.
    ///
    /// # Errors
    /// Throws if the id or the colour cannot be read, or the core refuses the change.
    pub fn recolor(&mut self, now_ms: f64, id: &str, color: &str) -> Result<(), JsError> {
        let (id, to) = (id.parse()?, color.parse()?);
        self.act(now_ms, Edit::Recolor { id, to })
    }

    /// Puts a sticker on top.
    ///
    /// # Errors
    /// Throws if the id cannot be read, or the core refuses the change.
    pub fn raise(&mut self, now_ms: f64, id: &str) -> Result<(), JsError> {
        let id = id.parse()?;
        self.act(now_ms, Edit::Raise { id })
    }

    /// Puts a sticker below all others.
    ///
    /// # Errors
    /// Throws if the id cannot be read, or the core refuses the change.
    pub fn lower(&mut self, now_ms: f64, id: &str) -> Result<(), JsError> {
        let id = id.parse()?;
        self.act(now_ms, Edit::Lower { id })
    }

    /// Deletes a sticker.
    ///
    /// # Errors
    /// Throws if the id cannot be read, or the core refuses the change.
    pub fn remove(&mut self, now_ms: f64, id: &str) -> Result<(), JsError> {
        let id = id.parse()?;
        self.act(now_ms, Edit::Delete { id })
    }

    /// Brings a deleted sticker back.
    ///
    /// # Errors
    /// Throws if the id cannot be read, or the core refuses the change.
    pub fn unremove(&mut self, now_ms: f64, id: &str) -> Result<(), JsError> {
        let id = id.parse()?;
        self.act(now_ms, Edit::Restore { id })
    }

    /// Locks a sticker, or unlocks it.
    ///
    /// # Errors
    /// Throws if the id cannot be read, or the core refuses the change.
    #[wasm_bindgen(js_name = setLocked)]
    pub fn set_locked(&mut self, now_ms: f64, id: &str, locked: bool) -> Result<(), JsError> {
        let id = id.parse()?;
        self.act(now_ms, Edit::SetLocked { id, locked })
    }

    /// Renames the desk.
    ///
    /// # Errors
    /// Throws if the core refuses the title.
    pub fn rename(&mut self, now_ms: f64, title: &str) -> Result<(), JsError> {
        self.act(now_ms, Edit::SetTitle { title: title.to_owned() })
    }

    /// Sets this client's counter of a sticker; 0 removes it.
    ///
    /// # Errors
    /// Throws if the id cannot be read, or the core refuses the change.
    pub fn vote(&mut self, now_ms: f64, id: &str, count: u32) -> Result<(), JsError> {
        let id = id.parse()?;
        self.act(now_ms, Edit::Vote { id, count })
    }

    /// Overwrites a register of the desk; without bytes it is removed.
    ///
    /// # Errors
    /// Throws if the core refuses the change.
    #[wasm_bindgen(js_name = setRegister)]
    pub fn set_register(&mut self, now_ms: f64, key: u8, value: &[u8]) -> Result<(), JsError> {
        self.act(now_ms, Edit::SetRegister { key, value: value.to_owned() })
    }

    fn act(&mut self, now_ms: f64, edit: Edit) -> Result<(), JsError> {
        if let Some(gathered) = &mut self.gathered {
            gathered.push(edit);
            return Ok(());
        }
        let now = self.time(now_ms);
        self.client.act(now, vec![edit]).map_err(refused)?;
        Ok(())
    }

    /// A sticker follows the hand.
    ///
    /// # Errors
    /// Throws if the id cannot be read, or the core refuses the change.
    pub fn drag(&mut self, now_ms: f64, id: &str, x: i32, y: i32) -> Result<(), JsError> {
        let now = self.time(now_ms);
        Ok(self.client.drag_to(now, id.parse()?, Point { x, y })?)
    }

    /// The hand lets go of stickers. `places`: an x and a y for each.
    ///
    /// # Errors
    /// Throws if an id cannot be read, or the core refuses the change.
    #[wasm_bindgen(js_name = "dropAll")]
    pub fn drop_all(
        &mut self,
        now_ms: f64,
        ids: Vec<String>,
        places: &[i32],
    ) -> Result<(), JsError> {
        let now = self.time(now_ms);
        let place = |(id, at): (&String, &[i32])| -> Result<_, JsError> {
            Ok((id.parse()?, Point { x: at[0], y: at[1] }))
        };
        let moves = ids.iter().zip(places.chunks_exact(2)).map(place);
        let moves: Vec<_> = moves.collect::<Result<_, JsError>>()?;
        self.client.drop_at(now, &moves)?;
        Ok(())
    }

    /// The hand pulls a sticker to this size.
    ///
    /// # Errors
    /// Throws if the id cannot be read, or the core refuses the change.
    pub fn stretch(
        &mut self,
        now_ms: f64,
        id: &str,
        width: u32,
        height: u32,
    ) -> Result<(), JsError> {
        let now = self.time(now_ms);
        Ok(self.client.stretch_to(now, id.parse()?, Size { width, height })?)
    }

    /// The hand lets go of stickers that it pulled. `rects`: an x, a y, a width and a
    /// height for each.
    ///
    /// # Errors
    /// Throws if an id cannot be read, or the core refuses the change.
    #[wasm_bindgen(js_name = "releaseAll")]
    pub fn release_all(
        &mut self,
        now_ms: f64,
        ids: Vec<String>,
        rects: &[i32],
    ) -> Result<(), JsError> {
        let now = self.time(now_ms);
        let rect = |(id, rect): (&String, &[i32])| -> Result<_, JsError> {
            let size = Size { width: rect[2].max(0) as u32, height: rect[3].max(0) as u32 };
            Ok((id.parse()?, Point { x: rect[0], y: rect[1] }, size))
        };
        let rects: Vec<_> =
            ids.iter().zip(rects.chunks_exact(4)).map(rect).collect::<Result<_, JsError>>()?;
        self.client.release_at(now, &rects)?;
        Ok(())
    }

    /// The sticker goes back to where the hand took it.
    #[wasm_bindgen(js_name = cancelDrag)]
    pub fn cancel_drag(&mut self, now_ms: f64) {
        let now = self.time(now_ms);
        self.client.cancel_drag(now);
    }

    /// Notes were imported by a request with this client's key: its answer says under
    /// which revision, and their ids. Undo takes them back as one step.
    ///
    /// # Errors
    /// Throws if an id cannot be read.
    pub fn imported(&mut self, revision: f64, created: Vec<String>) -> Result<(), JsError> {
        let ids = created.iter().map(|id| id.parse()).collect::<Result<_, _>>()?;
        // A count of commits: far below the integers that f64 holds.
        self.client.imported(Revision(revision as u64), ids);
        Ok(())
    }

    /// Takes back the last of this person's own actions.
    pub fn undo(&mut self, now_ms: f64) -> bool {
        let now = self.time(now_ms);
        self.client.undo(now)
    }

    /// Does again what was taken back.
    pub fn redo(&mut self, now_ms: f64) -> bool {
        let now = self.time(now_ms);
        self.client.redo(now)
    }

    /// Gives up a change that could not be saved.
    #[wasm_bindgen(js_name = dismissUnsaved)]
    pub fn dismiss_unsaved(&mut self, number: f64) {
        // A count of refused batches: far below the integers that f64 holds.
        self.client.dismiss_unsaved(number as u64);
    }

    /// Texts of the stickers with changes that no server has seen.
    #[wasm_bindgen(js_name = unsavedTexts)]
    pub fn unsaved_texts(&self) -> Vec<String> {
        let desk = self.client.desk();
        desk.pile()
            .filter(|sticker| !sticker.deleted.value && self.client.is_unsaved(sticker.id))
            .map(|sticker| sticker.text.value.clone())
            .filter(|text| !text.trim().is_empty())
            .collect()
    }

    // ---- the text field

    /// Begins typing into a sticker; answers its text.
    ///
    /// # Errors
    /// Throws if the id cannot be read.
    #[wasm_bindgen(js_name = openEditor)]
    pub fn open_editor(&mut self, now_ms: f64, id: &str) -> Result<String, JsError> {
        let id: StickerId = id.parse()?;
        let text = self.client.open_field(id).to_owned();
        self.presence.editing = Some(id);
        self.presence.caret = None;
        self.tell_presence(now_ms);
        Ok(text)
    }

    /// The person made the field show `text`; its caret is at `caret` (UTF-16).
    ///
    /// # Errors
    /// Throws if the core refuses the change. The field has to catch up then.
    #[wasm_bindgen(js_name = editorInput)]
    pub fn editor_input(&mut self, now_ms: f64, text: &str, caret: usize) -> Result<(), JsError> {
        let now = self.time(now_ms);
        self.client.field_input(now, text, from_utf16(text, caret)).map_err(refused)?;
        self.caret(now_ms, caret);
        Ok(())
    }

    /// What the field should show, given its selection now: `undefined` if it
    /// does, else `[text, start, end]` as JSON.
    #[wasm_bindgen(js_name = editorCatchUp)]
    pub fn editor_catch_up(&mut self, start: usize, end: usize) -> Option<String> {
        let shown = self.client.field()?;
        let (start, end) = (from_utf16(shown, start), from_utf16(shown, end));
        let field = self.client.field_catch_up(start, end)?;
        let place = |place| to_utf16(&field.text, place);
        Some(json(&(&field.text, place(field.start), place(field.end))))
    }

    /// The caret was moved.
    pub fn caret(&mut self, now_ms: f64, offset: usize) {
        let place = self.client.field().map(|shown| from_utf16(shown, offset));
        let caret = place.and_then(|place| self.client.field_caret(place));
        if caret != self.presence.caret {
            self.presence.caret = caret;
            self.tell_presence(now_ms);
        }
    }

    /// Ends the typing.
    #[wasm_bindgen(js_name = closeEditor)]
    pub fn close_editor(&mut self, now_ms: f64) {
        self.client.close_field();
        self.presence.editing = None;
        self.presence.caret = None;
        self.tell_presence(now_ms);
    }

    // ---- presence

    /// This client's number among those of its desk; none until the server has told it.
    #[wasm_bindgen(getter)]
    pub fn author(&self) -> Option<u32> {
        self.client.author().map(|author| author.0)
    }

    /// What the person is called, and its colour.
    ///
    /// # Errors
    /// Throws if the colour cannot be read.
    pub fn person(&mut self, now_ms: f64, name: &str, color: &str) -> Result<(), JsError> {
        self.introduced = true;
        name.clone_into(&mut self.presence.name);
        self.presence.color = color.parse()?;
        self.tell_presence(now_ms);
        Ok(())
    }

    /// The pointer is here.
    pub fn point(&mut self, now_ms: f64, x: i32, y: i32) {
        self.presence.cursor = Some(Point { x, y });
        self.tell_presence(now_ms);
    }

    /// The pointer is off the board.
    #[wasm_bindgen(js_name = pointAway)]
    pub fn point_away(&mut self, now_ms: f64) {
        self.presence.cursor = None;
        self.tell_presence(now_ms);
    }

    fn tell_presence(&mut self, now_ms: f64) {
        let now = self.time(now_ms);
        self.client.set_presence(now, self.presence.clone());
    }

    // ---- what happened

    /// Everything since the last report, as JSON (`Report` in the page).
    pub fn report(&mut self) -> String {
        let mut report = Report::default();
        let mut changed = BTreeSet::new();
        let (mut title, mut registers) = (false, false);
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Connect { .. } => report.connect = true,
                Event::LineDead { .. } => report.drop_line = true,
                Event::Changed { ids, title: renamed, registers: set } => {
                    changed.extend(ids);
                    title |= renamed;
                    registers |= set;
                }
                Event::Reset => self.reset = true,
                Event::FieldBehind => report.field_behind = true,
                Event::Unsaved { .. } => {}
                Event::People => report.people = Some(self.people()),
                Event::Closed { code, .. } => {
                    report.drop_line = true;
                    report.closed = Some(Trouble::Server(code).into());
                }
                Event::Joined { .. }
                | Event::Acknowledged { .. }
                | Event::Committed { .. }
                | Event::Status(_) => {}
            }
        }
        self.tell_notes(&mut report, &changed, title);
        if registers || report.reset {
            let registers = self.client.desk().registers().iter();
            report.registers = Some(registers.map(|(key, value)| (*key, value.clone())).collect());
        }
        report.unsaved = Some(self.client.unsaved().iter().map(UnsavedRecord::from).collect());
        report.ready = self.client.ready();
        report.status = Some(self.client.status().into());
        report.line = match self.client.line() {
            Line::Waiting => "waiting",
            Line::Connecting => "connecting",
            Line::Joining => "joining",
            Line::Live => "live",
            Line::Ended(_) => "ended",
        };
        report.role = self.client.role().map(|role| role.as_str());
        report.expires_at = self.client.expires_at();
        let server = self.client.server_time(self.now);
        report.server_now = server.map(|time| time.0 as f64 / 1000.0);
        report.can_undo = self.client.can_undo();
        report.can_redo = self.client.can_redo();
        report.wake = self.client.poll_timeout().map(|(time, _)| time.0 as f64 / 1000.0);
        json(&report)
    }

    fn tell_notes(&mut self, report: &mut Report, changed: &BTreeSet<StickerId>, title: bool) {
        if std::mem::take(&mut self.reset) {
            report.reset = true;
            report.notes = self.client.desk().stickers().map(NoteRecord::from).collect();
            report.people = Some(self.people());
        } else {
            for id in changed {
                match self.client.desk().sticker(*id) {
                    Some(sticker) => report.notes.push(sticker.into()),
                    None => report.gone.push(id.to_string()),
                }
            }
        }
        if title || report.reset {
            report.title = Some(self.client.desk().title().value.clone());
        }
    }

    fn people(&self) -> Vec<PersonRecord> {
        self.client.people().map(|(author, presence)| PersonRecord::new(author, presence)).collect()
    }

    fn time(&mut self, now_ms: f64) -> Time {
        self.now = self.now.max(Time((now_ms * 1000.0) as u64));
        self.now
    }
}

/// What a person reads about a refusal of the server, as JSON: `{head, body,
/// rejoin?}`. `status`: of HTTP; `code`: of its problem, if it has one.
#[wasm_bindgen(js_name = wordsOf)]
#[must_use]
pub fn words_of(status: u16, code: Option<String>) -> String {
    json(&TroubleRecord::from(Trouble::of_answer(status, code.as_deref())))
}

fn config(seed_high: u32, seed_low: u32, session_key: &str) -> Config {
    let seed = u64::from(seed_high) << 32 | u64::from(seed_low);
    Config { durable: true, ..Config::new(seed, session_key) }
}

/// A refusal of the core, in the form in which the page reads it: it has the words.
fn refused(error: EditError) -> JsError {
    JsError::new(&json(&RefusalRecord::from(&error)))
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("records have string keys and no failing parts")
}
