//! The message queue between shards: a ring for each pair and direction.
//!
//! A shard never waits here. The messages of a turn go out in one batch at the end
//! of the turn, with one ring of the other shard's bell.
//!
//! A sender that wants an answer reserves a place for it first (`poll_reserve`). A
//! ring has room for all reserved requests, for all reserved answers, and for some
//! messages without a reservation: notices, and polls that wait for news. Only
//! messages without a reservation can find a ring full. They then stay in the outbox
//! until the other shard has taken some.

mod doorbell;
mod ring;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::task::{Context, Poll, Waker};

pub(crate) use doorbell::Doorbell;
use ring::{Consumer, Producer, ring};

use crate::limits::RING_CONTROL_MESSAGES;

/// One shard's end of all its rings.
pub(crate) struct Mesh<M> {
    own: usize,
    bells: Arc<[Doorbell]>,
    lanes: Vec<Option<Lane<M>>>,
    reservations_max: usize,
}

/// The rings to and from one other shard.
struct Lane<M> {
    to: Producer<M>,
    from: Consumer<M>,
    /// Sent in this turn, or left behind by a full ring.
    outbox: VecDeque<M>,
    /// Set by the producer of a ring that is full: "ring when there is room".
    starved_to: Arc<AtomicBool>,
    starved_from: Arc<AtomicBool>,
    /// Whether something was taken since the flag was last looked at.
    took: bool,
    reserved: usize,
    waiting: Vec<Waker>,
}

/// Makes the ends of all shards, in order.
pub(crate) fn mesh<M: Send>(shards: usize, reservations_max: usize) -> Vec<Mesh<M>> {
    with_rings(shards, reservations_max, 2 * reservations_max + RING_CONTROL_MESSAGES)
}

#[expect(clippy::needless_range_loop, reason = "each pair of shards, by their numbers")]
fn with_rings<M: Send>(shards: usize, reservations_max: usize, capacity: usize) -> Vec<Mesh<M>> {
    let bells: Arc<[Doorbell]> = (0..shards).map(|_| Doorbell::default()).collect();
    let mut grid: Vec<Vec<Option<Lane<M>>>> =
        (0..shards).map(|_| (0..shards).map(|_| None).collect()).collect();
    for a in 0..shards {
        for b in 0..a {
            let (to_b, from_a) = ring(capacity);
            let (to_a, from_b) = ring(capacity);
            let (starved_ab, starved_ba) =
                (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
            grid[a][b] = Some(Lane::new(to_b, from_b, &starved_ab, &starved_ba));
            grid[b][a] = Some(Lane::new(to_a, from_a, &starved_ba, &starved_ab));
        }
    }
    let ends = grid.into_iter().enumerate();
    ends.map(|(own, lanes)| Mesh { own, bells: Arc::clone(&bells), lanes, reservations_max })
        .collect()
}

impl<M> Lane<M> {
    fn new(
        to: Producer<M>,
        from: Consumer<M>,
        starved_to: &Arc<AtomicBool>,
        starved_from: &Arc<AtomicBool>,
    ) -> Self {
        Self {
            to,
            from,
            outbox: VecDeque::new(),
            starved_to: Arc::clone(starved_to),
            starved_from: Arc::clone(starved_from),
            took: false,
            reserved: 0,
            waiting: Vec::new(),
        }
    }
}

impl<M: Send> Mesh<M> {
    /// The bells of all shards, for threads that are not shards.
    pub(crate) fn bells(&self) -> Arc<[Doorbell]> {
        Arc::clone(&self.bells)
    }

    /// The bell of this shard.
    pub(crate) fn bell(&self) -> &Doorbell {
        &self.bells[self.own]
    }

    /// Reserves a place for an answer from `target`. The caller then sends its request,
    /// and calls [`Mesh::release`] when the answer has come.
    pub(crate) fn poll_reserve(&mut self, target: usize, context: &mut Context<'_>) -> Poll<()> {
        let reservations_max = self.reservations_max;
        let lane = self.lane(target);
        if lane.reserved < reservations_max {
            lane.reserved += 1;
            return Poll::Ready(());
        }
        lane.waiting.push(context.waker().clone());
        Poll::Pending
    }

    /// Gives back a reserved place.
    pub(crate) fn release(&mut self, target: usize) {
        let lane = self.lane(target);
        lane.reserved = lane.reserved.checked_sub(1).expect("a place is given back once");
        // Wakes all waiters. One of them may be in the list twice or may be served
        // already, and to wake only that one would leave another asleep.
        lane.waiting.drain(..).for_each(Waker::wake);
    }

    /// Sends at the end of this turn.
    pub(crate) fn send(&mut self, target: usize, message: M) {
        self.lane(target).outbox.push_back(message);
    }

    /// Takes what arrived from one other shard, one message a call until there is none.
    pub(crate) fn receive(&mut self, source: usize) -> Option<M> {
        let bells = &self.bells;
        let lane = self.lanes[source].as_mut()?;
        let message = lane.from.pop();
        if message.is_some() {
            lane.took = true;
        } else if std::mem::take(&mut lane.took) {
            // A store, then a load, here and in `flush`: with a fence between the two on
            // both sides, either the producer's retry sees the slots that were freed
            // here, or this load sees its `starved` flag.
            fence(Ordering::SeqCst);
            if lane.starved_from.load(Ordering::Relaxed) {
                lane.starved_from.store(false, Ordering::Relaxed);
                bells[source].ring();
            }
        }
        message
    }

    /// How many messages wait at this end, for metrics.
    pub(crate) fn waiting(&self) -> usize {
        self.lanes.iter().flatten().map(|lane| lane.outbox.len() + lane.waiting.len()).sum()
    }

    /// Hands this turn's messages over and wakes the shards that got some.
    pub(crate) fn flush(&mut self) {
        for (target, lane) in self.lanes.iter_mut().enumerate() {
            let Some(lane) = lane else { continue };
            if lane.outbox.is_empty() {
                continue;
            }
            if !lane.hand_over() {
                lane.starved_to.store(true, Ordering::Relaxed);
                // Room may have come between the failed attempt and the flag.
                fence(Ordering::SeqCst);
                lane.hand_over();
            }
            self.bells[target].ring();
        }
    }

    fn lane(&mut self, target: usize) -> &mut Lane<M> {
        self.lanes[target].as_mut().expect("a shard sends nothing to itself")
    }
}

impl<M: Send> Lane<M> {
    /// Says whether everything went.
    fn hand_over(&mut self) -> bool {
        while let Some(message) = self.outbox.pop_front() {
            if let Err(message) = self.to.push(message) {
                self.outbox.push_front(message);
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_at_the_end_of_a_turn_in_order() {
        let mut ends = mesh::<u32>(3, 4);
        ends[0].send(2, 1);
        ends[0].send(2, 2);
        assert_eq!(ends[2].receive(0), None, "the turn is not over");
        ends[0].flush();
        assert!(ends[2].bell().answer() && !ends[1].bell().answer());
        assert_eq!((ends[2].receive(0), ends[2].receive(0)), (Some(1), Some(2)));
        assert_eq!(
            (ends[2].receive(0), ends[2].receive(1), ends[2].receive(2)),
            (None, None, None)
        );
    }

    #[test]
    fn reservations_are_bounded_and_wake_who_waits() {
        let mut ends = mesh::<u32>(2, 2);
        let mut context = Context::from_waker(Waker::noop());
        assert!(ends[0].poll_reserve(1, &mut context).is_ready());
        assert!(ends[0].poll_reserve(1, &mut context).is_ready());
        assert!(ends[0].poll_reserve(1, &mut context).is_pending());
        assert_eq!(ends[0].waiting(), 1);
        ends[0].release(1);
        assert_eq!(ends[0].waiting(), 0);
        assert!(ends[0].poll_reserve(1, &mut context).is_ready());
    }

    #[test]
    fn what_a_full_ring_leaves_behind_goes_when_there_is_room() {
        let mut ends = mesh::<usize>(2, 1);
        let many = 10 * RING_CONTROL_MESSAGES;
        (0..many).for_each(|message| ends[0].send(1, message));
        let mut next = 0;
        while next < many {
            ends[0].flush();
            ends[0].bell().answer();
            assert!(ends[1].bell().answer());
            let before = next;
            while let Some(message) = ends[1].receive(0) {
                assert_eq!(message, next);
                next += 1;
            }
            assert!(next > before);
            assert!(next == many || ends[0].bell().answer(), "the sender is told of the room");
        }
    }

    /// Both ends run into the moment in which the ring becomes empty while the producer
    /// finds it full, again and again. Without the fences one of them sees neither the room
    /// nor the flag, and what was left behind waits for ever. A ring of two is empty soon
    /// enough for that.
    #[test]
    fn nobody_sleeps_while_there_is_room() {
        const ROUNDS: usize = 200_000;
        let mut ends = with_rings::<usize>(2, 1, 2);
        let (mut consumer, mut producer) = (ends.remove(1), ends.remove(0));
        let capacity = {
            let lane = producer.lane(1);
            (0..).take_while(|_| lane.to.push(0).is_ok()).count()
        };
        let taker = std::thread::spawn(move || {
            let mut taken = 0;
            while taken < capacity + ROUNDS {
                match consumer.receive(0) {
                    Some(_) => taken += 1,
                    None => std::hint::spin_loop(),
                }
            }
        });
        // One message more than the ring takes is always left behind.
        for round in 0..ROUNDS {
            producer.send(1, round);
            producer.flush();
            let mut waited = 0_u64;
            while !producer.lane(1).outbox.is_empty() {
                if producer.bell().answer() {
                    producer.flush();
                }
                waited += 1;
                assert!(waited < 1 << 32, "asleep in round {round} though there is room");
                std::hint::spin_loop();
            }
        }
        taker.join().unwrap();
    }
}
