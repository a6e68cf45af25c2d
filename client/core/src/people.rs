//! The others, as they show themselves, and what the person shows.

use std::collections::BTreeMap;

use desk_protocol::frame::{Person, Presence};
use desk_protocol::{Author, Time};

use crate::limits::{
    LATE_DATAGRAM, LATE_DATAGRAMS_MAX, PEOPLE_MAX, PERSON_STALE, PRESENCE_EVERY, PRESENCE_REFRESH,
};

/// The others of the current connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    known: BTreeMap<Author, Known>,
}

#[derive(Clone, Debug)]
struct Known {
    counter: u32,
    heard_at: Time,
    /// `None` once it has left; kept so that a late datagram does not bring it back.
    presence: Option<Presence>,
}

impl Known {
    /// Whether news with this counter are older than the known ones. Counters wrap, so
    /// a counter is newer if it lies less than half the range ahead. A person who left
    /// and came back may count from the start. Then only datagrams that were in flight
    /// at the leaving are late.
    fn outdates(&self, counter: u32, now: Time) -> bool {
        let ahead = counter.wrapping_sub(self.counter) as i32;
        if self.presence.is_some() {
            return ahead <= 0;
        }
        let under_way = now.since(self.heard_at) < LATE_DATAGRAM;
        under_way && (-LATE_DATAGRAMS_MAX..=0).contains(&ahead)
    }
}

impl People {
    /// Takes news; whether anything changed.
    pub(crate) fn update(&mut self, now: Time, me: Option<Author>, news: Vec<Person>) -> bool {
        let mut changed = false;
        for person in news {
            if me == Some(person.author) {
                continue;
            }
            let full = self.known.len() >= PEOPLE_MAX;
            let Person { author, counter, presence } = person;
            match self.known.get_mut(&author) {
                Some(known) if known.outdates(counter, now) => continue,
                Some(known) => {
                    changed |= known.presence != presence;
                    *known = Known { counter, heard_at: now, presence };
                }
                None if full => continue,
                None => {
                    changed |= presence.is_some();
                    self.known.insert(author, Known { counter, heard_at: now, presence });
                }
            }
        }
        changed
    }

    /// Forgets everyone: the line is gone. Whether anyone was shown.
    pub(crate) fn clear(&mut self) -> bool {
        let shown = self.iter().next().is_some();
        self.known.clear();
        shown
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Author, &Presence)> {
        self.known
            .iter()
            .filter_map(|(author, known)| known.presence.as_ref().map(|shown| (*author, shown)))
    }

    /// When the next one counts as gone.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let shown = self.known.values().filter(|known| known.presence.is_some());
        shown.map(|known| known.heard_at + PERSON_STALE).min()
    }

    /// Drops those not heard of for too long; whether there were any.
    pub(crate) fn expire(&mut self, now: Time) -> bool {
        let mut dropped = false;
        for known in self.known.values_mut() {
            if known.presence.is_some() && known.heard_at + PERSON_STALE <= now {
                known.presence = None;
                dropped = true;
            }
        }
        dropped
    }
}

/// What the person shows, and when it goes out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    pub(crate) shown: Option<Presence>,
    changed: bool,
    sent_at: Option<Time>,
}

impl Own {
    pub(crate) fn set(&mut self, presence: Presence) {
        if self.shown.as_ref() != Some(&presence) {
            self.shown = Some(presence);
            self.changed = true;
        }
    }

    /// A new connection knows nothing of it.
    pub(crate) fn repeat(&mut self) {
        self.changed = self.shown.is_some();
        self.sent_at = None;
    }

    /// When it goes out next, with the reason.
    pub(crate) fn deadline(&self, now: Time) -> Option<(Time, &'static str)> {
        self.shown.as_ref()?;
        let sent_at = self.sent_at;
        if self.changed {
            return Some((sent_at.map_or(now, |at| at + PRESENCE_EVERY), "presence"));
        }
        sent_at.map(|at| (at + PRESENCE_REFRESH, "presence_refresh"))
    }

    /// What to send now, if it is time.
    pub(crate) fn take(&mut self, now: Time) -> Option<Presence> {
        let (at, _) = self.deadline(now)?;
        if at > now {
            return None;
        }
        self.changed = false;
        self.sent_at = Some(now);
        self.shown.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(author: u32, counter: u32, name: Option<&str>) -> Person {
        let presence = name.map(|name| Presence { name: name.into(), ..Presence::default() });
        Person { author: Author(author), counter, presence }
    }

    fn names(people: &People) -> Vec<&str> {
        people.iter().map(|(_, shown)| shown.name.as_str()).collect()
    }

    #[test]
    fn late_datagrams_bring_nobody_back() {
        let (mut people, now) = (People::default(), Time::from_unix_seconds(9));
        assert!(people.update(now, Some(Author(1)), vec![person(2, 5, Some("Ada"))]));
        assert!(!people.update(now, Some(Author(1)), vec![person(1, 1, Some("me"))]));
        assert_eq!(names(&people), ["Ada"]);
        assert!(people.update(now, None, vec![person(2, 7, None)]));
        assert!(!people.update(now, None, vec![person(2, 6, Some("Ada"))]));
        assert!(names(&people).is_empty());
        // Later it is the same person, back and counting from the start.
        assert!(people.update(now + LATE_DATAGRAM, None, vec![person(2, 1, Some("Ada"))]));
        assert_eq!(names(&people), ["Ada"]);
    }

    #[test]
    fn counters_may_wrap() {
        let (mut people, now) = (People::default(), Time::from_unix_seconds(9));
        people.update(now, None, vec![person(2, u32::MAX, Some("old"))]);
        people.update(now, None, vec![person(2, 0, Some("new"))]);
        assert_eq!(names(&people), ["new"]);
    }

    #[test]
    fn who_is_not_heard_of_leaves() {
        let (mut people, now) = (People::default(), Time::from_unix_seconds(9));
        people.update(now, None, vec![person(2, 1, Some("Ada"))]);
        assert_eq!(people.deadline(), Some(now + PERSON_STALE));
        assert!(!people.expire(now));
        assert!(people.expire(now + PERSON_STALE));
        assert!(names(&people).is_empty());
        assert_eq!(people.deadline(), None);
    }

    #[test]
    fn own_presence_is_throttled_and_repeated() {
        let (mut own, now) = (Own::default(), Time::from_unix_seconds(9));
        assert_eq!(own.take(now), None);
        own.set(Presence { name: "a".into(), ..Presence::default() });
        assert!(own.take(now).is_some());
        own.set(Presence { name: "b".into(), ..Presence::default() });
        assert_eq!(own.take(now), None);
        assert_eq!(own.deadline(now), Some((now + PRESENCE_EVERY, "presence")));
        let later = now + PRESENCE_EVERY;
        assert_eq!(own.take(later).map(|shown| shown.name), Some("b".into()));
        assert_eq!(own.deadline(later), Some((later + PRESENCE_REFRESH, "presence_refresh")));
    }
}
