//! Bytes that many connections hold out of one sum, and who ends when they are too many.
//!
//! All shards share the sum ([`Budget`]). Each keeps a table of its own holders
//! ([`Holders`]). When the sum is nearly used up, the shard whose heaviest address holds
//! most ends the holders of that address: those of the largest size first, and of equals
//! the one that has made no progress for longest. So nobody who comes with little is the
//! victim of somebody who holds much, and one address cannot take all of it from others.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;
use desk_engine_core::Source;

use crate::clock;
use crate::limits::BUDGET_ROOM_PART;
use crate::log::Seldom;
use crate::net::flag::Flag;

/// How many bytes may be held, and how many are. All shards share it.
#[derive(Debug)]
pub(crate) struct Budget {
    /// The limit's name.
    limit: &'static str,
    most: usize,
    held: AtomicUsize,
    /// What the heaviest address of each shard holds there.
    heaviest: Box<[CachePadded<AtomicUsize>]>,
}

impl Budget {
    pub(crate) fn new(limit: &'static str, most: usize, shards: usize) -> Arc<Self> {
        let heaviest = (0..shards).map(|_| CachePadded::default()).collect();
        Arc::new(Self { limit, most, held: AtomicUsize::new(0), heaviest })
    }

    /// Bytes above which holders are ended. The rest is room for what arrives until the
    /// shard of the heaviest has turned.
    const fn eased(&self) -> usize {
        self.most - self.most / BUDGET_ROOM_PART
    }

    fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// The shard of the heaviest address.
    fn heaviest_shard(&self) -> usize {
        let weight = |shard: &usize| self.heaviest[*shard].load(Ordering::Relaxed);
        (0..self.heaviest.len()).max_by_key(weight).unwrap_or(0)
    }
}

/// The holders of one shard.
pub(crate) struct Holders {
    budget: Arc<Budget>,
    shard: usize,
    /// Makes another shard turn.
    ring: Box<dyn Fn(usize)>,
    table: RefCell<Table>,
    said: Seldom,
}

#[derive(Default)]
struct Table {
    /// Counts holders and their progress.
    count: u64,
    groups: BTreeMap<Source, Group>,
    by_weight: BTreeSet<(usize, Source)>,
}

/// The holders of one address.
#[derive(Default)]
struct Group {
    bytes: usize,
    holders: BTreeMap<Rank, Rc<Holder>>,
}

/// The order in which holders end, the last first: by their size, whose steps are coarse so
/// that a newcomer that is a little larger is not the victim; then by how long they have
/// made no progress.
type Rank = (u32, Reverse<u64>);

/// Bits between two steps of size: eight times as much.
const SIZE_STEP_BITS: u32 = 3;

struct Holder {
    bytes: Cell<usize>,
    /// Its number of the last progress.
    progress: Cell<u64>,
    ended: Cell<bool>,
    /// Wakes its connection.
    flag: Rc<Flag>,
}

impl Holder {
    fn rank(&self) -> Option<Rank> {
        let size = self.bytes.get().checked_ilog2()? / SIZE_STEP_BITS;
        Some((size, Reverse(self.progress.get())))
    }
}

impl Holders {
    /// The holders of a shard; `ring` makes another shard turn.
    pub(crate) fn new(
        budget: &Arc<Budget>,
        shard: usize,
        ring: impl Fn(usize) + 'static,
    ) -> Rc<Self> {
        Rc::new(Self {
            budget: Arc::clone(budget),
            shard,
            ring: Box::new(ring),
            table: RefCell::default(),
            said: Seldom::default(),
        })
    }

    /// Moves a holder of an address from its bytes to others.
    fn shift(&self, source: Source, holder: &Rc<Holder>, bytes: usize) {
        let before = holder.bytes.get();
        let mut table = self.table.borrow_mut();
        let Table { count, groups, by_weight } = &mut *table;
        let group = groups.entry(source).or_default();
        by_weight.remove(&(group.bytes, source));
        if let Some(rank) = holder.rank() {
            group.holders.remove(&rank);
        }
        *count += 1;
        holder.progress.set(*count);
        holder.bytes.set(bytes);
        group.bytes = group.bytes - before + bytes;
        if let Some(rank) = holder.rank() {
            group.holders.insert(rank, Rc::clone(holder));
        }
        if group.bytes == 0 {
            groups.remove(&source);
        } else {
            by_weight.insert((group.bytes, source));
        }
        let heaviest = by_weight.last().map_or(0, |(bytes, _)| *bytes);
        self.budget.heaviest[self.shard].store(heaviest, Ordering::Relaxed);
        if bytes > before {
            self.budget.held.fetch_add(bytes - before, Ordering::Relaxed);
        } else {
            self.budget.held.fetch_sub(before - bytes, Ordering::Relaxed);
        }
    }

    /// Ends holders while too much is held, or rings the shard that has to.
    pub(crate) fn relieve(&self) {
        let mut ended = 0;
        while self.budget.held() > self.budget.eased() {
            let shard = self.budget.heaviest_shard();
            // What is held past the sum would break it, whoever holds more elsewhere.
            if shard != self.shard && self.budget.held() <= self.budget.most {
                (self.ring)(shard);
                break;
            }
            if !self.end_one() {
                break;
            }
            ended += 1;
        }
        if ended > 0 {
            self.say(ended);
        }
    }

    /// Ends the first of the heaviest address; `false`: nobody holds anything here.
    fn end_one(&self) -> bool {
        let victim = {
            let table = self.table.borrow();
            table.by_weight.last().and_then(|(_, source)| {
                let last = table.groups[source].holders.last_key_value();
                last.map(|(_, holder)| (*source, Rc::clone(holder)))
            })
        };
        let Some((source, holder)) = victim else { return false };
        self.shift(source, &holder, 0);
        holder.ended.set(true);
        holder.flag.set();
        true
    }

    /// Logs that some were ended.
    fn say(&self, ended: u64) {
        if let Some(ended) = self.said.count(clock::instant(), ended) {
            let limit = self.budget.limit;
            tracing::warn!(
                ended,
                "limits.{limit} is nearly used up: connections of the address that held most of \
                 it were ended; if they were welcome, raise it"
            );
        }
    }
}

/// What one connection holds. Its bytes are given back with it.
pub(crate) struct Held {
    all: Rc<Holders>,
    source: Source,
    holder: Rc<Holder>,
}

/// This connection was chosen to end, so that others go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Exhausted;

impl Held {
    /// Nothing yet. `flag` is set if its connection has to end.
    pub(crate) fn nothing(all: &Rc<Holders>, source: Source, flag: &Rc<Flag>) -> Self {
        let holder = Holder {
            bytes: Cell::new(0),
            progress: Cell::new(0),
            ended: Cell::new(false),
            flag: Rc::clone(flag),
        };
        Self { all: Rc::clone(all), source, holder: Rc::new(holder) }
    }

    /// Whether no bytes are held.
    pub(crate) fn is_nothing(&self) -> bool {
        self.holder.bytes.get() == 0
    }

    /// Whether its connection was chosen to end. It counts nothing from then on.
    pub(crate) fn is_ended(&self) -> bool {
        self.holder.ended.get()
    }

    /// Counts for another address from now on.
    pub(crate) fn attribute(&mut self, source: Source) {
        if source == self.source {
            return;
        }
        let bytes = self.holder.bytes.get();
        if bytes > 0 {
            self.all.shift(self.source, &self.holder, 0);
            self.all.shift(source, &self.holder, bytes);
        }
        self.source = source;
    }

    /// Holds so many bytes from now on, instead of those before; this counts as progress.
    ///
    /// # Errors
    /// The connection was chosen to end, now or before. Once it needs nothing more, it may
    /// go on.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), Exhausted> {
        if self.is_ended() {
            self.holder.ended.set(bytes > 0);
        } else {
            let before = self.holder.bytes.get();
            if before > 0 || bytes > 0 {
                self.all.shift(self.source, &self.holder, bytes);
            }
            if bytes > before {
                self.all.relieve();
            }
        }
        if self.is_ended() { Err(Exhausted) } else { Ok(()) }
    }

    /// Holds so many bytes, or those before if they are more.
    ///
    /// # Errors
    /// As [`Held::set`].
    pub(crate) fn at_least(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.set(bytes.max(self.holder.bytes.get()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.is_nothing() {
            self.all.shift(self.source, &self.holder, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn from(host: u8) -> Source {
        Source::from(IpAddr::from([192, 0, 2, host]))
    }

    /// A budget of 1,000 bytes, 875 of which are given before somebody is ended.
    fn budget(shards: usize) -> Arc<Budget> {
        Budget::new("unread", 1_000, shards)
    }

    fn alone(budget: &Arc<Budget>) -> Rc<Holders> {
        Holders::new(budget, 0, |_| panic!("there is no other shard"))
    }

    fn held(all: &Rc<Holders>, host: u8, bytes: usize) -> Held {
        let mut held = Held::nothing(all, from(host), &Rc::default());
        let _ = held.set(bytes);
        held
    }

    #[test]
    fn a_budget_is_shared_and_given_back() {
        let budget = budget(1);
        let all = alone(&budget);
        let mut one = held(&all, 1, 6);
        let two = held(&all, 2, 5);
        assert_eq!(budget.held(), 11);
        drop(two);
        assert_eq!(one.at_least(4), Ok(()));
        assert_eq!(budget.held(), 6);
        assert_eq!(one.at_least(10), Ok(()));
        assert_eq!(one.set(1), Ok(()));
        one.attribute(from(9));
        assert_eq!(budget.held(), 1);
        drop(one);
        assert_eq!(budget.held(), 0);
        assert!(all.table.borrow().groups.is_empty() && all.table.borrow().by_weight.is_empty());
        assert_eq!(budget.heaviest[0].load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_heaviest_address_ends_and_not_who_comes() {
        let all = alone(&budget(1));
        // One that holds as much as each of the others, from elsewhere.
        let other = held(&all, 2, 200);
        let mut many: Vec<_> = (0..3).map(|_| held(&all, 1, 200)).collect();
        let newcomer = held(&all, 2, 100);
        assert!(!newcomer.is_ended() && !other.is_ended());
        let ended: Vec<_> = many.iter().map(Held::is_ended).collect();
        assert_eq!(ended, [true, false, false], "the one without progress for longest");
        // It may go on when it needs nothing, and its end is told until then.
        assert_eq!(many[0].set(5), Err(Exhausted));
        assert_eq!(many[0].set(0), Ok(()));
        assert_eq!(many[0].set(5), Ok(()));
    }

    #[test]
    fn what_is_held_goes_with_its_address() {
        let all = alone(&budget(1));
        let stays = held(&all, 1, 400);
        let mut moved = held(&all, 1, 300);
        moved.attribute(from(2));
        let other = held(&all, 2, 175);
        let newcomer = held(&all, 3, 50);
        assert!(moved.is_ended(), "its address holds most");
        assert!(!(stays.is_ended() || other.is_ended() || newcomer.is_ended()));
    }

    #[test]
    fn of_one_address_the_largest_ends_and_then_the_longest_without_progress() {
        let all = alone(&budget(1));
        let mut small: Vec<_> = (0..10).map(|_| held(&all, 1, 7)).collect();
        let mut first = held(&all, 1, 300);
        let second = held(&all, 1, 310);
        assert_eq!(first.set(301), Ok(()));
        let third = held(&all, 1, 320);
        let ended = [&first, &second, &third].map(Held::is_ended);
        assert_eq!(ended, [false, true, false]);
        assert!(small.iter_mut().all(|held| held.set(6) == Ok(())));
        // Whoever holds it all alone is the victim.
        drop((small, first, second, third));
        assert!(held(&all, 1, 1_001).is_ended());
    }

    #[test]
    fn the_shard_of_the_heaviest_is_rung_and_ends_it() {
        let budget = budget(2);
        let rung = Rc::new(Cell::new(None));
        let told = Rc::clone(&rung);
        let here = Holders::new(&budget, 0, move |shard| told.set(Some(shard)));
        let there = Holders::new(&budget, 1, |_| panic!("the heaviest is here"));
        let attacker = held(&there, 1, 600);
        let newcomer = held(&here, 2, 300);
        assert_eq!(rung.get(), Some(1));
        assert!(!newcomer.is_ended() && !attacker.is_ended());
        there.relieve();
        assert!(attacker.is_ended() && !newcomer.is_ended());
        // The sum holds, also while the other shard does not turn.
        let attacker = held(&there, 1, 450);
        let _third = held(&here, 3, 260);
        assert!(newcomer.is_ended() && !attacker.is_ended());
    }
}
