//! States of whole desks between this shard's store and the streams: what the owner of a
//! unit says again so that the streams need no records of before, and what a new owner
//! takes from there.

use std::rc::Rc;

use desk_engine_core::{Input, StorePace};
use desk_keeper::{Contents, Streamed};
use desk_nats::State;
use desk_protocol::{LinkId, Time};
use desk_storage_lsm::{GetError, Key, Sequence, Stored};
use glommio::timer::Timer;
use rkyv::util::AlignedVec;

use super::units::Units;
use super::{Disk, Kept, Shell};
use crate::limits::{
    READ_AGAIN, STATE_LOOK_PAUSE, STATE_LOOKS_MAX, STATE_TAIL_BYTES, STATE_TAIL_PART,
};
use crate::log::LinkHash;

impl Shell {
    /// The states of keys; `None` if one of them cannot be told.
    pub(super) async fn show(
        &self,
        units: &Units,
        keys: Vec<desk_nats::Key>,
    ) -> Option<Vec<State>> {
        // What was acknowledged until now can be read then.
        units.until_stored().await;
        let mut states = Vec::with_capacity(keys.len());
        for id in keys {
            let (key, link) = (Key::new(id.0), LinkId::from_bytes(id.0));
            let why = match self.state_of(id, &key).await {
                Ok(state) if !units.is_quarantined(link) => {
                    states.push(state);
                    continue;
                }
                Ok(_) => "its records contradict each other".to_owned(),
                Err(why) => why,
            };
            let desk = LinkHash(link);
            tracing::error!(%desk, why, "the streams cannot be made smaller because of a desk");
            return None;
        }
        self.metrics().states_shown.add(states.len() as u64);
        Some(states)
    }

    async fn state_of(&self, id: desk_nats::Key, key: &Key) -> Result<State, String> {
        let expires_at = self.store.expires_at(key).ok_or("it has no bucket")?;
        let expires_at = Time::from_unix_seconds(expires_at.0);
        let Some(stored) = self.with_short_tail(key).await? else {
            if !self.store.is_deleted(key) {
                return Err("the store does not have it".to_owned());
            }
            return Ok(State { key: id, sequence: 1, expires_at, bytes: None });
        };
        let snapshot = stored.snapshot.map(|found| (found.sequence, found.value.to_vec()));
        let records = stored.records.into_iter().map(|record| (record.sequence, record.payload));
        let contents = Contents { snapshot, records: records.collect() };
        let sequence = contents.newest().0;
        Ok(State { key: id, sequence, expires_at, bytes: Some(contents.encode()) })
    }

    /// What the store has of a key. Where that is mostly records, the core is asked for a
    /// snapshot first.
    async fn with_short_tail(&self, key: &Key) -> Result<Option<Stored<Disk>>, String> {
        let mut looks = 0;
        loop {
            let stored = self.store.get(key, self.second()).await;
            let stored = stored.map_err(|error| error.to_string())?;
            let records = stored.iter().flat_map(|stored| &stored.records);
            let tail: usize = records.map(|record| record.payload.len()).sum();
            let snapshot = stored.iter().filter_map(|stored| stored.snapshot.as_ref());
            let snapshot: usize = snapshot.map(|snapshot| snapshot.value.len()).sum();
            if tail <= STATE_TAIL_BYTES.max(snapshot / STATE_TAIL_PART) || looks == STATE_LOOKS_MAX
            {
                return Ok(stored);
            }
            let keys = vec![LinkId::from_bytes(*key.bytes())];
            self.tell(Input::Pressure { keys, pace: StorePace::Urgent });
            looks += 1;
            Timer::new(STATE_LOOK_PAUSE).await;
        }
    }

    /// Puts states that another machine told into the store, so that no crash takes them
    /// from there: records that follow on them would have a gap before them.
    pub(super) async fn adopt(self: &Rc<Self>, units: &Units, states: Vec<State>) {
        let mut tails = Vec::new();
        for state in states {
            let (key, link) = (Key::new(state.key.0), LinkId::from_bytes(state.key.0));
            let Some((snapshot, newest)) = self.sequences_of(&key).await else { continue };
            let expires_at = state.expires_at;
            let Some(bytes) = state.bytes else {
                if newest > Sequence(0) {
                    let sequence = Sequence(newest.0 + 1);
                    tails.push(Streamed { key, sequence, expires_at, entry: None });
                }
                continue;
            };
            let contents = match Contents::decode(&bytes) {
                Ok(contents) => contents,
                Err(error) => {
                    tracing::error!(desk = %LinkHash(link), %error, "a desk is not served");
                    units.quarantine(link);
                    continue;
                }
            };
            let mut newest = newest;
            if let Some((sequence, value)) = contents.snapshot.filter(|(at, _)| *at > newest) {
                self.store.adopt(key, sequence, snapshot.is_none());
                let mut aligned = AlignedVec::with_capacity(value.len());
                aligned.extend_from_slice(&value);
                self.keep(Kept::Store { key, sequence, value: aligned });
                newest = sequence;
            }
            let records = contents.records.into_iter().filter(|(at, _)| *at > newest);
            tails.extend(records.map(|(sequence, entry)| Streamed {
                key,
                sequence,
                expires_at,
                entry: Some(entry),
            }));
            self.metrics().states_absorbed.add(1);
        }
        while self.store.is_adopting() {
            Timer::new(READ_AGAIN).await;
        }
        for record in tails {
            let input = units.absorb(record);
            self.keep(input);
        }
        units.until_stored().await;
    }

    /// The sequences of the snapshot and of the newest record that the store has of a key;
    /// `None`: it takes none.
    pub(super) async fn sequences_of(&self, key: &Key) -> Option<(Option<Sequence>, Sequence)> {
        loop {
            match self.store.get(key, self.second()).await {
                Ok(None) => return Some((None, Sequence(0))),
                Ok(Some(stored)) => {
                    let snapshot = stored.snapshot.map(|found| found.sequence);
                    let last = stored.records.last().map(|last| last.sequence);
                    return Some((snapshot, last.or(snapshot).unwrap_or(Sequence(0))));
                }
                Err(GetError::Expired { .. }) => return None,
                Err(error @ (GetError::Quarantined(_) | GetError::Damaged { .. })) => {
                    let desk = LinkHash(LinkId::from_bytes(*key.bytes()));
                    tracing::error!(%desk, %error, "the store takes nothing of a damaged desk");
                    return None;
                }
                // Without it the unit is not served here.
                Err(error @ GetError::Disk(_)) => {
                    tracing::error!(%error, "what the store has of a desk cannot be read");
                    Timer::new(READ_AGAIN).await;
                }
            }
        }
    }
}
