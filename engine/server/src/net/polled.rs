//! A line over HTTP requests, without I/O: for whoever gets neither QUIC nor WebSocket
//! through.
//!
//! The client's frames come in numbered parts, one request each, which is answered once
//! its frames were taken. The server's frames leave in numbered answers to one request
//! that waits for them. A part that comes again is not taken twice. Whoever misses an
//! answer, or leaves a gap, has lost frames: the line ends, and the client's next one goes
//! on from the client's revision.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use desk_protocol::Time;

use crate::limits::{POLLED_GAP, POLLED_LOSSY_TIME};

/// One line. `T` names a request that is to be answered.
#[derive(Debug)]
pub(crate) struct PolledLine<T> {
    frames: VecDeque<Arc<[u8]>>,
    /// When an answer leaves, if a request waits; `None`: it has nothing to say yet.
    leaves_at: Option<Time>,
    /// The request that waits for frames, and until when.
    waiting: Option<(T, Time)>,
    /// A part that came while nothing is to be read.
    held: Option<(T, Vec<u8>)>,
    paused: bool,
    parts_taken: u64,
    answers_given: u64,
    /// When the line is gone if no request waits.
    gone_at: Time,
    closing: bool,
}

/// What becomes of a part.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Part<T> {
    /// These are its frames, and the request is to be answered.
    Taken(T, Vec<u8>),
    /// It was taken before: the request is to be answered, and nothing else.
    Again(T),
    /// It waits until the line is read again.
    Held,
    /// A part before it is missing.
    Gap(T),
}

impl<T: Copy + PartialEq> PolledLine<T> {
    /// A line whose client will send its first part.
    pub(crate) fn new(now: Time) -> Self {
        Self {
            frames: VecDeque::new(),
            leaves_at: None,
            waiting: None,
            held: None,
            paused: false,
            parts_taken: 0,
            answers_given: 0,
            gone_at: now + POLLED_GAP,
            closing: false,
        }
    }

    /// How many parts of the client's frames were taken.
    pub(crate) const fn parts_taken(&self) -> u64 {
        self.parts_taken
    }

    /// Part `number` of the client's frames, from 0.
    pub(crate) fn part(&mut self, now: Time, number: u64, by: T, bytes: Vec<u8>) -> Part<T> {
        if number < self.parts_taken {
            return Part::Again(by);
        }
        if number > self.parts_taken || self.held.is_some() {
            return Part::Gap(by);
        }
        self.touch(now);
        if self.paused {
            self.held = Some((by, bytes));
            return Part::Held;
        }
        self.parts_taken += 1;
        Part::Taken(by, bytes)
    }

    /// A request for answer `number`, from 0, that waits so long. Gives back the request
    /// that it replaces.
    ///
    /// # Errors
    /// Another answer is due, so frames were lost.
    pub(crate) fn ask(
        &mut self,
        now: Time,
        number: u64,
        by: T,
        wait: Duration,
    ) -> Result<Option<T>, T> {
        if number != self.answers_given {
            return Err(by);
        }
        let replaced = self.waiting.replace((by, now + wait));
        Ok(replaced.map(|(by, _)| by))
    }

    /// A frame for the client. One that may be lost waits a little for others.
    pub(crate) fn push(&mut self, now: Time, frame: Arc<[u8]>, lossy: bool) {
        self.frames.push_back(frame);
        let at = if lossy { now + POLLED_LOSSY_TIME } else { now };
        self.leaves_at = Some(self.leaves_at.map_or(at, |before| before.min(at)));
    }

    /// The client is to give a sign of life: its next request.
    pub(crate) fn probe(&mut self, now: Time) {
        if self.waiting.is_some() {
            self.leaves_at = Some(now);
        }
    }

    /// Nothing is to be read, or all again: then a part that was held is taken.
    pub(crate) fn pause(&mut self, paused: bool) -> Option<(T, Vec<u8>)> {
        self.paused = paused;
        let held = if paused { None } else { self.held.take() };
        self.parts_taken += u64::from(held.is_some());
        held
    }

    /// The line ends once its frames have left, or after `patience`.
    pub(crate) fn close(&mut self, now: Time, patience: Duration) {
        self.closing = true;
        self.gone_at = self.gone_at.min(now + patience);
    }

    /// Nobody waits for the answer to this request any more. Its client has given the line
    /// up.
    pub(crate) fn abandon(&mut self, now: Time, by: T) {
        if self.waiting.is_some_and(|(waiting, _)| waiting == by) {
            self.waiting = None;
        }
        if self.held.as_ref().is_some_and(|(held, _)| *held == by) {
            self.held = None;
        }
        self.gone_at = now;
    }

    /// What the request that waits is answered, if it is time.
    pub(crate) fn poll_answer(&mut self, now: Time) -> Option<(T, Vec<u8>)> {
        let (by, until) = self.waiting?;
        if until > now && self.leaves_at.is_none_or(|at| at > now) {
            return None;
        }
        self.waiting = None;
        self.leaves_at = None;
        self.answers_given += 1;
        self.touch(now);
        let bytes = self.frames.iter().map(|frame| frame.len()).sum();
        let mut all = Vec::with_capacity(bytes);
        self.frames.drain(..).for_each(|frame| all.extend_from_slice(&frame));
        Some((by, all))
    }

    /// Whether the line is at its end.
    pub(crate) fn is_over(&self, now: Time) -> bool {
        let left = self.closing && self.frames.is_empty();
        left || (self.waiting.is_none() && self.gone_at <= now)
    }

    /// Those whose requests are still to be answered, at its end.
    pub(crate) fn into_waiting(self) -> impl Iterator<Item = T> {
        let waiting = self.waiting.map(|(by, _)| by);
        waiting.into_iter().chain(self.held.map(|(by, _)| by))
    }

    /// When it wants to be looked at.
    pub(crate) fn poll_timeout(&self) -> Time {
        match self.waiting {
            Some((_, until)) => self.leaves_at.map_or(until, |at| at.min(until)),
            None => self.gone_at,
        }
    }

    /// Its client is there.
    fn touch(&mut self, now: Time) {
        if !self.closing {
            self.gone_at = now + POLLED_GAP;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time(1_000_000);
    const WAIT: Duration = Duration::from_secs(20);

    fn frame(text: &str) -> Arc<[u8]> {
        text.as_bytes().into()
    }

    #[test]
    fn carry_7_parts_are_taken_once_and_in_order() {
        let mut line = PolledLine::new(START);
        assert_eq!(line.part(START, 0, 'a', vec![1]), Part::Taken('a', vec![1]));
        assert_eq!(line.part(START, 0, 'b', vec![1]), Part::Again('b'));
        assert_eq!(line.part(START, 2, 'c', vec![3]), Part::Gap('c'));
        assert_eq!(line.pause(true), None);
        assert_eq!(line.part(START, 1, 'd', vec![2]), Part::Held);
        assert_eq!(line.part(START, 1, 'e', vec![2]), Part::Gap('e'), "one at a time");
        assert_eq!(line.pause(false), Some(('d', vec![2])));
        assert_eq!(line.part(START, 2, 'f', vec![3]), Part::Taken('f', vec![3]));
    }

    #[test]
    fn carry_7_an_answer_leaves_with_its_frames_once() {
        let mut line = PolledLine::new(START);
        assert_eq!(line.ask(START, 0, 'a', WAIT), Ok(None));
        assert_eq!(line.poll_answer(START), None);
        assert_eq!(line.poll_timeout(), START + WAIT);
        line.push(START, frame("x"), false);
        line.push(START, frame("y"), true);
        assert_eq!(line.poll_answer(START), Some(('a', b"xy".to_vec())));
        assert_eq!(line.ask(START, 0, 'b', WAIT), Err('b'), "what was in it may be lost");
        assert_eq!(line.ask(START, 1, 'c', WAIT), Ok(None));
        assert_eq!(line.ask(START, 1, 'd', WAIT), Ok(Some('c')));
        assert_eq!(line.poll_answer(START + WAIT), Some(('d', Vec::new())), "time is up");
    }

    #[test]
    fn presence_gathers_and_a_probe_asks() {
        let mut line = PolledLine::new(START);
        line.probe(START);
        line.ask(START, 0, 'a', WAIT).expect("it waits");
        assert_eq!(line.poll_answer(START), None, "a request is a sign of life");
        line.push(START, frame("x"), true);
        assert_eq!(line.poll_answer(START), None);
        let later = line.poll_timeout();
        assert_eq!(later, START + POLLED_LOSSY_TIME);
        assert_eq!(line.poll_answer(later), Some(('a', b"x".to_vec())));
        line.ask(later, 1, 'b', WAIT).expect("it waits");
        line.probe(later);
        assert_eq!(line.poll_answer(later), Some(('b', Vec::new())));
    }

    #[test]
    fn a_line_ends_when_nobody_asks_or_when_its_last_words_have_left() {
        let mut line = PolledLine::new(START);
        assert!(!line.is_over(START));
        assert!(line.is_over(START + POLLED_GAP), "nobody has asked");
        line.ask(START, 0, 'a', WAIT).expect("it waits");
        assert!(!line.is_over(START + POLLED_GAP), "somebody waits");
        line.push(START, frame("bye"), false);
        line.close(START, WAIT);
        assert!(!line.is_over(START));
        assert_eq!(line.poll_answer(START), Some(('a', b"bye".to_vec())));
        assert!(line.is_over(START));

        let mut left = PolledLine::new(START);
        left.ask(START, 0, 'a', WAIT).expect("it waits");
        left.abandon(START, 'a');
        assert!(left.is_over(START), "whoever gives its request up has left");
    }
}
