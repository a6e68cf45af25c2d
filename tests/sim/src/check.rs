//! What must be true of every run.
//!
//! * One order: whoever sees revision R of a desk sees the same commit, before
//!   and after any crash. A commit that was shown and then lost would come back
//!   as another one, so this also finds outputs that left before the log was
//!   durable.
//! * Exactly once: every character that was typed and acknowledged, and that
//!   nobody may have removed, stands in the final text once.
//! * Whole sentences: what one person types at one place in one go stands
//!   together (TEXT-3), where nobody may have deleted or taken back any of it.
//! * Imports: a replica has all notes of an import, or none (`requester.rs`).
//! * Convergence: at the end every replica equals the server's desk; a viewer's equals
//!   what of it is for viewers, and holds no deleted sticker (DELETE-4).
//! * Bounds: no connection has more queued than its limit.

use std::collections::BTreeMap;

use desk_protocol::{Author, Desk, Revision, StickerId, Time};

/// A run that went wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The run's seed: it alone repeats the run.
    pub seed: u64,
    /// When, in the run's own time.
    pub at: Time,
    /// What was not true.
    pub what: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "seed {} at {} µs: {}", self.seed, self.at.0, self.what)
    }
}

impl std::error::Error for Failure {}

/// What an observer saw of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sighting {
    pub(crate) author: Author,
    pub(crate) accepted_at_ms: u64,
}

/// A character typed once in the whole run.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub(crate) desk: usize,
    pub(crate) sticker: StickerId,
    /// Whether its author was told that it is saved.
    pub(crate) acknowledged: bool,
    /// Whether its author's device kept it.
    pub(crate) kept: bool,
    /// Whether someone may have removed it again, or taken it back.
    pub(crate) unsure: bool,
}

/// What one person typed at one place in one go.
#[derive(Clone, Debug)]
pub(crate) struct Sentence {
    pub(crate) sticker: StickerId,
    pub(crate) letters: Vec<char>,
    /// Whether some of it may have been deleted, or taken back.
    pub(crate) unsure: bool,
}

#[derive(Default)]
pub(crate) struct Checker {
    commits: BTreeMap<(usize, Revision), Sighting>,
    /// How many operations a commit has, for editors and for viewers.
    operations: BTreeMap<(usize, Revision, bool), usize>,
    pub(crate) typed: BTreeMap<char, Typed>,
    pub(crate) sentences: Vec<Sentence>,
    /// Which sentence a letter belongs to.
    sentence_of: BTreeMap<char, usize>,
}

impl Checker {
    /// A commit was seen from outside.
    pub(crate) fn commit(
        &mut self,
        desk: usize,
        revision: Revision,
        seen: Sighting,
        operations: usize,
        viewer: bool,
    ) -> Result<(), String> {
        let first = *self.commits.entry((desk, revision)).or_insert(seen);
        let kind = (desk, revision, viewer);
        let before = *self.operations.entry(kind).or_insert(operations);
        if (first, before) == (seen, operations) {
            return Ok(());
        }
        Err(format!(
            "desk {desk} revision {revision} was {first:?} with {before} operations and is \
             {seen:?} with {operations} (viewer: {viewer})"
        ))
    }

    /// How many commits were seen.
    pub(crate) fn commits(&self) -> usize {
        self.commits.len()
    }

    /// A person begins a sentence; its number.
    pub(crate) fn begin(&mut self, sticker: StickerId) -> usize {
        self.sentences.push(Sentence { sticker, letters: Vec::new(), unsure: false });
        self.sentences.len() - 1
    }

    /// A sentence has another letter.
    pub(crate) fn go_on(&mut self, sentence: usize, letter: char) {
        self.sentences[sentence].letters.push(letter);
        self.sentence_of.insert(letter, sentence);
    }

    /// Whether two letters that stand side by side are of one sentence.
    pub(crate) fn together(&self, left: char, right: char) -> bool {
        let left = self.sentence_of.get(&left);
        left.is_some() && left == self.sentence_of.get(&right)
    }

    /// Some of what was typed into a sticker may be deleted.
    pub(crate) fn disturb(&mut self, sticker: StickerId) {
        for sentence in self.sentences.iter_mut().filter(|one| one.sticker == sticker) {
            sentence.unsure = true;
        }
    }

    /// Every sentence of a desk is whole.
    fn whole(&self, desk: &Desk) -> Result<(), String> {
        for sentence in self.sentences.iter().filter(|sentence| !sentence.unsure) {
            let Some(sticker) = desk.sticker(sentence.sticker) else { continue };
            let text: Vec<char> = sticker.text.value.chars().collect();
            // A tab that died may have lost its last letters.
            let there = |letter: &&char| text.contains(letter);
            let found: Vec<char> = sentence.letters.iter().filter(there).copied().collect();
            if !found.is_empty() && !text.windows(found.len()).any(|piece| piece == found) {
                let id = sentence.sticker;
                return Err(format!("sticker {id}: {found:?} was typed in one go into {text:?}"));
            }
        }
        Ok(())
    }

    /// A replica at the end.
    pub(crate) fn converged(&self, who: &str, replica: &Desk, server: &Desk) -> Result<(), String> {
        if replica == server {
            return Ok(());
        }
        let mut differences = Vec::new();
        for sticker in server.stickers() {
            let other = replica.sticker(sticker.id);
            if other != Some(sticker) {
                differences.push(format!("server {sticker:?} replica {other:?}"));
            }
        }
        differences.truncate(2);
        Err(format!(
            "{who} ends at revision {} with {} stickers, the server at {} with {}: {}",
            replica.revision(),
            replica.stickers().count(),
            server.revision(),
            server.stickers().count(),
            differences.join("; ")
        ))
    }

    /// A viewer's replica at the end.
    pub(crate) fn converged_for_viewers(
        &self,
        who: &str,
        replica: &Desk,
        server: &Desk,
    ) -> Result<(), String> {
        if let Some(deleted) = replica.bin().next() {
            return Err(format!("{who} may only look on, and has deleted sticker {}", deleted.id));
        }
        self.converged(who, &replica.for_viewers(), &server.for_viewers())
    }

    /// The final texts of a desk.
    pub(crate) fn texts(&self, number: usize, desk: &Desk) -> Result<(), String> {
        self.whole(desk)?;
        let mut found: BTreeMap<char, usize> = BTreeMap::new();
        for sticker in desk.stickers() {
            for character in sticker.text.value.chars() {
                *found.entry(character).or_default() += 1;
            }
        }
        for (character, typed) in self.typed.iter().filter(|(_, typed)| typed.desk == number) {
            let count = found.get(character).copied().unwrap_or(0);
            if typed.unsure || desk.sticker(typed.sticker).is_none() && !typed.acknowledged {
                continue;
            }
            let wanted = typed.acknowledged || typed.kept;
            if count > 1 || (wanted && count == 0) {
                return Err(format!(
                    "desk {number} sticker {}: a character typed once ({character:?}, {typed:?}) \
                     stands {count} times",
                    typed.sticker
                ));
            }
        }
        Ok(())
    }
}
