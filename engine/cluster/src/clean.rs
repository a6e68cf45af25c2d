//! How an owner makes room in the lanes: what is oldest there is said again, shorter.
//!
//! The oldest span holds the beginnings of some keys: the first record of a key, or its
//! last state. The owner asks the node for the states of these keys as they are by now,
//! appends them, and lifts the floor over the span. So each key can be read from what
//! stands above the floor.
//!
//! A record may be appended between the moment of a state and the state itself. It is not
//! in the state and stands before it. So the key begins at such a record, too, and the
//! span of that record is cleaned by another state, unless a later state covers it before.
//!
//! States are as long as what they replace where nothing was changed. So only what is
//! appended earns cleaning: without that, lanes that are half full of states would be
//! written anew for ever.

use std::collections::{BTreeSet, VecDeque};

use desk_protocol::Time;

use crate::limits::{
    CLEAN_AGAIN_PAUSE, CLEAN_BYTES_PER_BYTE, PIECE_BYTES, PIECES_PER_ROOM, STATES_ASKED_MAX,
};
use crate::record::{Key, Record};
use crate::state::State;
use crate::unit_id::Mark;

/// The cleaning of one owner.
#[derive(Debug)]
pub(crate) struct Clean {
    span: Option<Span>,
    piece_bytes: usize,
    /// Bytes of spans that may be cleaned.
    earned: u64,
    /// All of the lanes was earned once since there was no room.
    is_pressed: bool,
    rests_until: Time,
}

/// The span that is cleaned.
#[derive(Debug)]
struct Span {
    end: Mark,
    /// Keys whose states are to be asked for.
    keys: VecDeque<Key>,
    /// Keys whose states were asked for, until all of these are appended.
    asked: BTreeSet<Key>,
    is_shown: bool,
    /// The last batch that the node knew of when it was asked.
    asked_at: Mark,
    pieces: VecDeque<Record>,
}

impl Clean {
    /// For an owner who may take so many bytes in each lane.
    pub(crate) fn new(room: u64) -> Self {
        let part = usize::try_from(room / PIECES_PER_ROOM).unwrap_or(usize::MAX);
        let piece_bytes = part.clamp(1, PIECE_BYTES);
        Self { span: None, piece_bytes, earned: 0, is_pressed: false, rests_until: Time(0) }
    }

    /// Whether a record of the key may be newer than a state of it that is appended later.
    pub(crate) fn is_open(&self, key: &Key) -> bool {
        self.span.as_ref().is_some_and(|span| span.asked.contains(key))
    }

    /// So many bytes of records were appended.
    pub(crate) fn earn(&mut self, bytes: u64, most: u64) {
        self.earned = (self.earned + CLEAN_BYTES_PER_BYTE * bytes).min(most);
    }

    /// There is no room: all that the lanes hold, which is `bytes`, may be cleaned once.
    pub(crate) fn press(&mut self, is_full: bool, bytes: u64) {
        if is_full && !self.is_pressed {
            self.earned = self.earned.max(bytes);
        }
        self.is_pressed = is_full;
    }

    /// Whether a span of so many bytes may be cleaned now.
    pub(crate) fn may_begin(&self, now: Time) -> bool {
        self.span.is_none() && self.earned > 0 && self.rests_until <= now
    }

    /// When a cleaning may begin that rests now.
    pub(crate) fn rests_until(&self, now: Time) -> Option<Time> {
        (self.span.is_none() && self.earned > 0 && self.rests_until > now)
            .then_some(self.rests_until)
    }

    /// Cleans the span up to that batch, which takes so many bytes and holds the beginnings
    /// of these keys.
    pub(crate) fn begin(&mut self, end: Mark, bytes: u64, keys: Vec<Key>) {
        self.earned = self.earned.saturating_sub(bytes);
        let (asked, pieces) = (BTreeSet::new(), VecDeque::new());
        self.span = Some(Span {
            end,
            keys: keys.into(),
            asked,
            is_shown: true,
            asked_at: Mark::default(),
            pieces,
        });
    }

    /// The keys whose states are wanted next; none while others are under way. The node
    /// knows of all batches up to `told`.
    pub(crate) fn wants(&mut self, told: Mark) -> Vec<Key> {
        let Some(span) = &mut self.span else { return Vec::new() };
        if !span.is_shown || !span.pieces.is_empty() {
            return Vec::new();
        }
        let count = span.keys.len().min(STATES_ASKED_MAX);
        let keys: Vec<Key> = span.keys.drain(..count).collect();
        span.asked = keys.iter().copied().collect();
        span.is_shown = keys.is_empty();
        span.asked_at = told;
        keys
    }

    /// The states that were asked for; `None` if the node cannot tell them now. There is
    /// room for so many bytes: states that need more would fill it for nothing.
    pub(crate) fn shown(&mut self, now: Time, states: Option<Vec<State>>, room: u64) {
        let Some(span) = &mut self.span else { return };
        let states = states.filter(|states| {
            let bytes: usize = states.iter().map(State::length).sum();
            bytes as u64 <= room / 8 * 7
        });
        match states {
            Some(states) if states.len() == span.asked.len() => {
                span.is_shown = true;
                let pieces = states.into_iter().flat_map(|state| state.pieces(self.piece_bytes));
                span.pieces.extend(pieces);
            }
            _ => {
                self.span = None;
                self.rests_until = now + CLEAN_AGAIN_PAUSE;
            }
        }
    }

    /// The next piece to append.
    pub(crate) fn front(&self) -> Option<&Record> {
        self.span.as_ref()?.pieces.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Record> {
        self.span.as_mut()?.pieces.pop_front()
    }

    /// The keys whose states are appended now, and the last batch that these surely cover.
    /// To be called while nothing is under way.
    pub(crate) fn said(&mut self) -> Option<(BTreeSet<Key>, Mark)> {
        let span = self.span.as_mut()?;
        let is_said = span.is_shown && span.pieces.is_empty() && !span.asked.is_empty();
        is_said.then(|| (std::mem::take(&mut span.asked), span.asked_at))
    }

    /// The span that is cleaned, once all its states are appended. To be called while
    /// nothing is under way.
    pub(crate) fn cleaned(&mut self) -> Option<Mark> {
        let is_done = |s: &mut Span| s.keys.is_empty() && s.is_shown && s.pieces.is_empty();
        self.span.take_if(is_done).map(|span| span.end)
    }
}
