//! Who is where: the newest of each person, sent once a tick, kept by nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use desk_protocol::codec::Encoder;
use desk_protocol::frame::{Person, Presence, ServerFrame};
use desk_protocol::{Author, Time};

/// Presence of one desk.
///
/// Counters run through the whole room, so that a person who comes back never looks
/// like a late datagram, and nothing is kept of those who left.
#[derive(Debug, Default)]
pub(crate) struct PresenceRoom {
    people: BTreeMap<Author, Shown>,
    /// The newest counter.
    counter: u32,
    /// Who changed since the last tick.
    changed: BTreeSet<Author>,
    /// When the last tick went out.
    pub(crate) sent_at: Time,
    /// Whether a tick is on its way.
    pub(crate) armed: bool,
}

#[derive(Debug)]
struct Shown {
    presence: Option<Presence>,
    counter: u32,
    /// It has fallen silent, and is shown as gone.
    away: bool,
}

impl PresenceRoom {
    /// Takes what a person shows. A name of more characters is cut.
    pub(crate) fn show(&mut self, author: Author, mut presence: Presence, name_chars: usize) {
        if let Some((end, _)) = presence.name.char_indices().nth(name_chars) {
            presence.name.truncate(end);
        }
        presence.color.0 &= 0xff_ff_ff;
        self.set(author, Some(presence));
    }

    /// The person's last connection is gone.
    pub(crate) fn leave(&mut self, author: Author) {
        if self.people.get(&author).is_some_and(|shown| shown.presence.is_some()) {
            self.set(author, None);
        }
    }

    fn set(&mut self, author: Author, presence: Option<Presence>) {
        self.counter = self.counter.wrapping_add(1);
        self.people.insert(author, Shown { presence, counter: self.counter, away: false });
        self.changed.insert(author);
    }

    /// The person has fallen silent and is shown as gone, or is heard of again.
    pub(crate) fn set_away(&mut self, author: Author, away: bool) {
        let Some(shown) = self.people.get_mut(&author) else { return };
        if shown.presence.is_some() && shown.away != away {
            shown.away = away;
            self.counter = self.counter.wrapping_add(1);
            shown.counter = self.counter;
            self.changed.insert(author);
        }
    }

    /// Whether the others see a person, or would if it were not away.
    pub(crate) fn is_shown(&self, author: Author) -> bool {
        self.people.get(&author).is_some_and(|shown| shown.presence.is_some())
    }

    /// Whether the page of somebody who is not away is in sight.
    pub(crate) fn is_looked_at(&self) -> bool {
        self.people.values().any(|shown| shown.visible().is_some_and(|presence| !presence.hidden))
    }

    pub(crate) fn has_news(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Frames with what changed since the last tick, each of at most so many
    /// bytes if it has more than one person.
    pub(crate) fn news(&mut self, frame_bytes: usize, encoder: &mut Encoder) -> Vec<Arc<[u8]>> {
        let changed = std::mem::take(&mut self.changed);
        let told = changed.iter().filter_map(|author| self.people.get_key_value(author));
        let news = told.map(|(author, shown)| person(*author, shown)).collect();
        // Who is away may come back as it was.
        for author in changed {
            if self.people.get(&author).is_some_and(|shown| shown.presence.is_none()) {
                self.people.remove(&author);
            }
        }
        frames(news, frame_bytes, encoder)
    }

    /// Frames with everybody, for someone who just came.
    pub(crate) fn everybody(&self, frame_bytes: usize, encoder: &mut Encoder) -> Vec<Arc<[u8]>> {
        let here = self.people.iter().filter(|(_, shown)| shown.visible().is_some());
        let here = here.map(|(author, shown)| person(*author, shown)).collect();
        frames(here, frame_bytes, encoder)
    }
}

impl Shown {
    fn visible(&self) -> Option<&Presence> {
        self.presence.as_ref().filter(|_| !self.away)
    }
}

fn person(author: Author, shown: &Shown) -> Person {
    Person { author, counter: shown.counter, presence: shown.visible().cloned() }
}

/// Packs people into frames that fit a datagram; each frame stands alone.
fn frames(people: Vec<Person>, frame_bytes: usize, encoder: &mut Encoder) -> Vec<Arc<[u8]>> {
    let mut frames = Vec::new();
    let mut group: Vec<Person> = Vec::new();
    let mut estimate = FRAME_OVERHEAD_BYTES;
    for person in people {
        let bytes = PERSON_OVERHEAD_BYTES
            + person.presence.as_ref().map_or(0, |presence| presence.name.len());
        if !group.is_empty() && estimate + bytes > frame_bytes {
            frames.push(encode(std::mem::take(&mut group), encoder));
            estimate = FRAME_OVERHEAD_BYTES;
        }
        estimate += bytes;
        group.push(person);
    }
    if !group.is_empty() {
        frames.push(encode(group, encoder));
    }
    frames
}

/// What a frame takes besides its people, at the most.
const FRAME_OVERHEAD_BYTES: usize = 64;

/// What a person takes besides the name, at the most: tables, cursor, drag.
const PERSON_OVERHEAD_BYTES: usize = 132;

fn encode(people: Vec<Person>, encoder: &mut Encoder) -> Arc<[u8]> {
    let mut frame = Vec::with_capacity(FRAME_OVERHEAD_BYTES + PERSON_OVERHEAD_BYTES);
    encoder.server(&ServerFrame::Presence(people), &mut frame);
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PRESENCE_FRAME_BYTES_MAX;
    use desk_protocol::codec;
    use desk_protocol::frame::Drag;
    use desk_protocol::limits::PERSON_NAME_CHARS_MAX;
    use desk_protocol::{Point, StickerId};

    fn busy(name: &str) -> Presence {
        Presence {
            name: name.to_owned(),
            cursor: Some(Point { x: 1, y: 2 }),
            editing: Some(StickerId(u64::MAX)),
            caret: Some(7),
            drag: Some(Drag { sticker: StickerId(5), to: Point { x: 9, y: 9 } }),
            ..Presence::default()
        }
    }

    #[test]
    fn frames_fit_a_datagram_and_hold_everybody() {
        let mut room = PresenceRoom::default();
        for author in 1..=500 {
            room.show(Author(author), busy(&"ж".repeat(80)), PERSON_NAME_CHARS_MAX);
        }
        let frames = room.news(PRESENCE_FRAME_BYTES_MAX, &mut Encoder::new());
        let mut seen = 0;
        for frame in &frames {
            assert!(frame.len() <= PRESENCE_FRAME_BYTES_MAX, "{} bytes", frame.len());
            let Ok(codec::Decoded::Frame(_, Some(ServerFrame::Presence(people)))) =
                codec::decode_server(frame)
            else {
                panic!("not a presence frame")
            };
            seen += people.len();
        }
        assert_eq!(seen, 500);
        assert!(
            room.news(PRESENCE_FRAME_BYTES_MAX, &mut Encoder::new()).is_empty(),
            "news is told once"
        );
    }

    #[test]
    fn leaving_is_told_once_and_the_counter_grows() {
        let mut room = PresenceRoom::default();
        room.show(Author(1), busy("a"), 40);
        room.news(PRESENCE_FRAME_BYTES_MAX, &mut Encoder::new());
        room.leave(Author(1));
        room.leave(Author(2));
        assert_eq!(room.news(PRESENCE_FRAME_BYTES_MAX, &mut Encoder::new()).len(), 1);
        assert!(room.everybody(PRESENCE_FRAME_BYTES_MAX, &mut Encoder::new()).is_empty());
        assert!(!room.has_news());
        room.show(Author(1), busy("a"), 40);
        let frames = room.news(PRESENCE_FRAME_BYTES_MAX, &mut Encoder::new());
        let Ok(codec::Decoded::Frame(_, Some(ServerFrame::Presence(people)))) =
            codec::decode_server(&frames[0])
        else {
            panic!("not a presence frame")
        };
        assert_eq!(people[0].counter, 3);
    }
}
