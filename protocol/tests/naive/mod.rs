//! What a desk must be, worked out the slow way: no delta is transformed, no
//! stamp is kept. Every character has an identity, every write is looked up in
//! the log of all writes.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};

use desk_protocol::text::Part;
use desk_protocol::{
    Batch, CollisionStatus, Commit, Create, Operation, Register, StickerId, Write,
};

/// A character that is like no other.
pub type Cell = (char, u64);

/// Applies the parts of a delta by walking over characters.
pub fn walk(text: &[Cell], parts: &[Part], fresh: &mut u64) -> Vec<Cell> {
    let mut out = Vec::new();
    let mut rest = text.iter();
    for part in parts {
        match part {
            Part::Insert { text, .. } => {
                for char in text.chars() {
                    *fresh += 1;
                    out.push((char, *fresh));
                }
            }
            Part::Retain(n) => out.extend(rest.by_ref().take(*n as usize)),
            Part::Delete(n) => drop(rest.by_ref().take(*n as usize).count()),
        }
    }
    out.extend(rest);
    out
}

pub fn cells(text: &str, fresh: &mut u64) -> Vec<Cell> {
    walk(&[], &[Part::insert(text)], fresh)
}

pub fn string(cells: &[Cell]) -> String {
    cells.iter().map(|(char, _)| char).collect()
}

/// What one accepted batch did to one sticker.
#[derive(Clone, Debug)]
struct Event {
    revision: u64,
    author: u32,
    sticker: Option<StickerId>,
    what: What,
}

#[derive(Clone, PartialEq, Debug)]
enum What {
    Created,
    Wrote(Register, Option<Write>),
    Edited,
    Titled,
}

/// A sticker, with its text at every revision that changed it.
#[derive(Clone, Debug)]
pub struct Note {
    pub writes: BTreeMap<Register, Write>,
    texts: Vec<Text>,
    deleted_at: u64,
}

/// A text as a revision left it.
#[derive(Clone, Debug)]
struct Text {
    revision: u64,
    author: u32,
    cells: Vec<Cell>,
    /// Those of its characters that this revision inserted and that continue.
    continuing: BTreeSet<u64>,
}

impl Note {
    pub fn text(&self) -> String {
        string(&self.texts.last().expect("a creation has a text").cells)
    }

    /// Of each piece of text that a revision inserted, whether it continues.
    pub fn marks(&self, revision: u64) -> Vec<bool> {
        let Some(at) = self.texts.iter().rposition(|text| text.revision == revision) else {
            return Vec::new();
        };
        let (before, after) = (&self.texts[at - 1].cells, &self.texts[at]);
        let mut marks = Vec::new();
        let mut inside = false;
        for cell in &after.cells {
            let inserted = !before.contains(cell);
            if inserted && !inside {
                marks.push(after.continuing.contains(&cell.1));
            }
            inside = inserted;
        }
        marks
    }

    pub fn deleted(&self) -> bool {
        self.writes[&Register::Deleted] == Write::Deleted(true)
    }

    pub fn z(&self) -> i64 {
        match self.writes[&Register::Z] {
            Write::Z(z) => z,
            _ => unreachable!("heights stand under their register"),
        }
    }
}

/// The desk, and all that ever happened to it.
#[derive(Clone, Default, Debug)]
pub struct Naive {
    pub revision: u64,
    pub title: String,
    pub notes: BTreeMap<StickerId, Note>,
    pub purged: Vec<StickerId>,
    pub registers: BTreeMap<u8, Vec<u8>>,
    pub votes: BTreeMap<(StickerId, u32), u32>,
    log: Vec<Event>,
    fresh: u64,
}

impl Naive {
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), ..Self::default() }
    }

    /// Accepts a batch and says how it met the others'.
    pub fn accept(
        &mut self,
        author: u32,
        base: u64,
        batch: &Batch,
        bin_max: usize,
    ) -> CollisionStatus {
        let revision = self.revision + 1;
        let mut status = CollisionStatus::Clean;
        let before = self.clone();
        for operation in batch.operations() {
            let found = self.perform(&before, author, base, revision, operation);
            status = status.max(found);
        }
        // Whether a sticker is hidden is known when the whole batch is there.
        for operation in batch.operations() {
            if self.hidden(&before, author, base, operation) {
                status = status.max(CollisionStatus::Hidden);
            }
        }
        self.revision = revision;
        loop {
            let deleted = self.notes.iter().filter(|(_, note)| note.deleted());
            let mut bin: Vec<_> = deleted.map(|(id, note)| (note.deleted_at, *id)).collect();
            bin.sort();
            if bin.len() <= bin_max {
                return status;
            }
            self.notes.remove(&bin[0].1);
            self.votes.retain(|(id, _), _| *id != bin[0].1);
            self.purged.push(bin[0].1);
        }
    }

    /// The insertions of a commit continue as they must.
    pub fn check_marks(&self, commit: &Commit, seed: u64) {
        for operation in &commit.operations {
            let Operation::EditText { id, delta } = operation else { continue };
            let Some(note) = self.notes.get(id) else { continue };
            let insertions = delta.parts().iter().filter_map(|part| match part {
                Part::Insert { continues, .. } => Some(*continues),
                _ => None,
            });
            let (found, wanted) = (insertions.collect::<Vec<_>>(), note.marks(commit.revision.0));
            assert_eq!(found, wanted, "seed {seed}: {delta} at {}", commit.revision);
        }
    }

    fn perform(
        &mut self,
        before: &Naive,
        author: u32,
        base: u64,
        revision: u64,
        operation: &Operation,
    ) -> CollisionStatus {
        let others = |event: &&Event| event.revision > base && event.author != author;
        let sticker = operation.sticker();
        if let Operation::Create(create) = operation {
            self.create(author, revision, create);
            return CollisionStatus::Clean;
        }
        if let Operation::SetTitle { title, yielding } = operation {
            let written = |event: &&Event| event.what == What::Titled;
            if *yielding && before.log.iter().filter(written).any(|event| event.revision > base) {
                return CollisionStatus::Merged;
            }
            let overrode = before.log.iter().filter(written).any(|event| others(&event));
            self.title = title.clone();
            self.note(author, revision, None, What::Titled);
            return if overrode { CollisionStatus::Overrode } else { CollisionStatus::Clean };
        }
        if let Operation::SetRegister { key, value } = operation {
            self.registers.insert(*key, value.clone());
            self.registers.retain(|_, value| !value.is_empty());
            return CollisionStatus::Clean;
        }
        let id = sticker.expect("about a sticker");
        if self.purged.contains(&id) {
            return CollisionStatus::Purged;
        }
        if let Operation::Vote { count, .. } = operation {
            self.votes.insert((id, author), *count);
            self.votes.retain(|_, count| *count > 0);
            return CollisionStatus::Clean;
        }
        let on_it = || before.log.iter().filter(|event| event.sticker == Some(id));
        let touched = on_it().any(|event| others(&event));
        let met = if touched { CollisionStatus::Merged } else { CollisionStatus::Clean };
        match operation {
            Operation::EditText { delta, .. } => {
                let note = self.notes.get_mut(&id).expect("it is there");
                let (cells, continuing) =
                    edited(note, author, base, delta.parts(), &mut self.fresh);
                if note.texts.last().expect("a text").cells != cells {
                    note.texts.push(Text { revision, author, cells, continuing });
                    self.note(author, revision, sticker, What::Edited);
                }
                met
            }
            Operation::Raise { .. } | Operation::Lower { .. } => {
                let heights = || self.notes.values().map(Note::z);
                let z = match operation {
                    Operation::Raise { .. } => heights().max().unwrap_or(0) + 1,
                    _ => heights().min().unwrap_or(0) - 1,
                };
                self.write(author, revision, id, Write::Z(z));
                if wrote(on_it, Register::Z).any(|event| others(&event)) {
                    CollisionStatus::Overrode
                } else {
                    met
                }
            }
            Operation::Set { write, yielding, .. } => {
                let register = write.register();
                let deletes = *write == Write::Deleted(true);
                let later = wrote(on_it, register).any(|event| event.revision > base);
                if *yielding && (later || (deletes && touched)) {
                    return CollisionStatus::Merged;
                }
                let concurrent = wrote(on_it, register).any(|event| others(&event));
                let gone = before.notes.get(&id).is_some_and(Note::deleted);
                let agrees = *write == Write::Deleted(gone);
                self.write(author, revision, id, *write);
                if concurrent && !agrees { CollisionStatus::Overrode } else { met }
            }
            _ => unreachable!("purges are the server's"),
        }
    }

    fn hidden(&self, before: &Naive, author: u32, base: u64, operation: &Operation) -> bool {
        let (Some(id), false) = (operation.sticker(), matches!(operation, Operation::Create(_)))
        else {
            return false;
        };
        let on_it = || before.log.iter().filter(|event| event.sticker == Some(id));
        let written = |register, whose: bool| {
            wrote(on_it, register)
                .any(|event| event.revision > base && (!whose || event.author != author))
        };
        let (deletes, void) = match operation {
            Operation::Set { write, yielding, .. } => {
                (*write == Write::Deleted(true), *yielding && written(write.register(), false))
            }
            _ => (false, false),
        };
        let was = before.notes.get(&id).is_some_and(Note::deleted);
        let is = self.notes.get(&id).is_some_and(Note::deleted);
        !deletes && !void && was && is && written(Register::Deleted, true)
    }

    fn create(&mut self, author: u32, revision: u64, create: &Create) {
        let z = self.notes.values().map(Note::z).max().unwrap_or(0) + 1;
        let cells = cells(&create.text, &mut self.fresh);
        let texts = vec![Text { revision, author, cells, continuing: BTreeSet::new() }];
        let note = Note { writes: BTreeMap::new(), texts, deleted_at: revision };
        self.notes.insert(create.id, note);
        self.note(author, revision, Some(create.id), What::Created);
        for write in [
            Write::Position(create.position),
            Write::Size(create.size),
            Write::Color(create.color),
            Write::Z(z),
            Write::Deleted(create.deleted),
            Write::Locked(create.locked),
        ] {
            self.write(author, revision, create.id, write);
        }
    }

    fn write(&mut self, author: u32, revision: u64, id: StickerId, write: Write) {
        let note = self.notes.get_mut(&id).expect("it is there");
        note.writes.insert(write.register(), write);
        if write == Write::Deleted(true) {
            note.deleted_at = revision;
        }
        self.note(author, revision, Some(id), What::Wrote(write.register(), Some(write)));
    }

    fn note(&mut self, author: u32, revision: u64, sticker: Option<StickerId>, what: What) {
        self.log.push(Event { revision, author, sticker, what });
    }
}

fn wrote<'a, I: Iterator<Item = &'a Event>>(
    events: impl Fn() -> I,
    register: Register,
) -> impl Iterator<Item = &'a Event> {
    events().filter(move |event| matches!(event.what, What::Wrote(found, _) if found == register))
}

/// The newest text after a delta made to the text at `base`, and which of the
/// characters inserted continue: each insertion follows its gap through every
/// later text, each deleted character goes if it still can.
fn edited(
    note: &Note,
    author: u32,
    base: u64,
    parts: &[Part],
    fresh: &mut u64,
) -> (Vec<Cell>, BTreeSet<u64>) {
    let known = note.texts.iter().rposition(|text| text.revision <= base);
    let known = known.expect("the base knew it");
    let mut before = &note.texts[known].cells;
    let mut gaps: Vec<Gap> = Vec::new();
    let mut deleted = Vec::new();
    let mut at = 0;
    for part in parts {
        match part {
            Part::Retain(n) => at += *n as usize,
            Part::Delete(n) => {
                deleted.extend(&before[at..at + *n as usize]);
                at += *n as usize;
            }
            Part::Insert { text, continues } => {
                gaps.push(Gap { at, continues: *continues, cells: cells(text, fresh) });
            }
        }
    }
    for after in &note.texts[known + 1..] {
        for gap in &mut gaps {
            gap.follow(before, after, author);
            // It stands before the deletion that it touches.
            while gap.at > 0 && deleted.contains(&after.cells[gap.at - 1]) {
                gap.at -= 1;
            }
        }
        // What comes to stand together is one insertion from then on.
        for second in 1..gaps.len() {
            if gaps[second].at == gaps[second - 1].at {
                gaps[second].continues = gaps[second - 1].continues;
            }
        }
        before = &after.cells;
    }
    let mut out = Vec::new();
    for at in 0..=before.len() {
        out.extend(gaps.iter().filter(|gap| gap.at == at).flat_map(|gap| &gap.cells));
        out.extend(before.get(at).filter(|cell| !deleted.contains(cell)));
    }
    let continuing = gaps.iter().filter(|gap| gap.continues).flat_map(|gap| &gap.cells);
    (out, continuing.map(|(_, id)| *id).collect())
}

/// A place between two characters where somebody inserts, on its way through
/// what others did to the text.
struct Gap {
    at: usize,
    continues: bool,
    cells: Vec<Cell>,
}

impl Gap {
    fn follow(&mut self, before: &[Cell], after: &Text, author: u32) {
        let kept = |cell: &Cell| after.cells.iter().position(|other| other == cell);
        // Between these two stands what was inserted there, and nothing else.
        let start = before[..self.at].iter().rev().find_map(kept).map_or(0, |left| left + 1);
        let end = before[self.at..].iter().find_map(kept).unwrap_or(after.cells.len());
        let touches = self.at == 0 || kept(&before[self.at - 1]).is_some();
        // Text put there after a deletion stands where the deletion began.
        let tied = touches && start < end;
        let own = after.author == author;
        let others = after.cells.get(start).is_some_and(|(_, id)| after.continuing.contains(id));
        self.at = if tied && !own && self.continues && !others { start } else { end };
        self.continues = (self.continues && touches) || (tied && own);
    }
}
