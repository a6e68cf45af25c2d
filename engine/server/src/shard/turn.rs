//! The loop of a shard. A turn has no period. It begins when input has arrived, when the
//! log has become durable further, when another shard rings, or when a deadline is due.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use desk_engine_core::Output;
use desk_keeper::Streamed;
use desk_protocol::Time;
use desk_storage_lsm::{Position, Sequence};
use glommio::timer::Timer;

use super::keep::key_of;
use super::order::Order;
use super::question::Answer;
use super::{Kept, Shell};
use crate::clock;

/// Rounds of outputs and writes in one turn. A write makes room in a queue, and the core
/// may fill the room at once. After so many rounds the rest waits for the next turn, so
/// that sockets are read in between.
const ROUNDS_MAX: usize = 4;

impl Shell {
    /// Turns until the shard has stopped.
    pub(crate) async fn run(self: Rc<Self>) {
        let mut alarm = Alarm::default();
        loop {
            self.turn();
            if self.shared.is_finished() {
                return;
            }
            self.wait(&mut alarm).await;
        }
    }

    fn turn(self: &Rc<Self>) {
        let started = clock::instant();
        self.mesh.borrow().bell().answer();
        self.take_messages();
        self.take_events();
        self.hear_guests();
        self.act_on_time();
        self.unsent.relieve();
        self.unread.relieve();
        self.keep_time();
        for round in 0..ROUNDS_MAX {
            self.carry_out();
            let written = !self.dirty.borrow().is_empty();
            // What has left makes room: the core may give more, which the next round or
            // the next turn carries out.
            self.flush_sockets();
            let answered = self.flush_polled();
            let more = self.write_guests() || answered;
            if !written && !more {
                break;
            }
            if round + 1 == ROUNDS_MAX {
                self.wake();
            }
        }
        self.send_guests();
        self.follow_stop();
        self.mesh.borrow_mut().flush();
        self.count(started.elapsed());
    }

    /// Acts on what is due.
    fn act_on_time(&self) {
        let now = self.clock.now();
        self.with_core(|core| {
            if core.poll_timeout().is_some_and(|(at, _)| at <= now) {
                core.handle_timeout(now);
            }
        });
        self.deadlines.fire(now);
    }

    /// Does what the core says, in its order.
    pub(super) fn carry_out(self: &Rc<Self>) {
        while let Some(output) = self.with_core(|core| core.poll_output()) {
            match output {
                Output::Append { position, key, sequence, expires_at, entry } => {
                    let (link, key, sequence) = (key, key_of(key), Sequence(sequence));
                    if let Some(units) = &self.units {
                        let entry = Some(entry);
                        let record = Streamed { key, sequence, expires_at, entry };
                        units.append(link, position, record);
                        continue;
                    }
                    let position = Position(position.0);
                    self.keep(Kept::Append { position, key, sequence, expires_at, entry });
                }
                Output::Forget { position, key, sequence, expires_at } => {
                    let (link, key, sequence) = (key, key_of(key), Sequence(sequence));
                    if let Some(units) = &self.units {
                        let record = Streamed { key, sequence, expires_at, entry: None };
                        units.append(link, position, record);
                        continue;
                    }
                    self.keep(Kept::Forget { position: Position(position.0), key, expires_at });
                }
                Output::Load { key } => self.load(key),
                Output::Store { key, sequence, record } => self.store(key, sequence, &record),
                Output::Send { connection, frame, way } => {
                    self.order(connection, Order::Send { frame, way });
                }
                Output::Close { connection, code } => self.order(connection, Order::Close(code)),
                Output::Probe { connection } => self.order(connection, Order::Probe),
                Output::Pause { connection } => self.order(connection, Order::Pause),
                Output::Resume { connection } => self.order(connection, Order::Resume),
                Output::Reply { request, reply } => self.answer(request, Answer::Desk(reply)),
            }
        }
        self.append_to_streams();
    }

    fn flush_sockets(self: &Rc<Self>) {
        let dirty = std::mem::take(&mut *self.dirty.borrow_mut());
        for socket in dirty {
            socket.flush(self);
        }
    }

    /// Waits for a reason to turn. Other ready tasks run first, even if there is a reason
    /// already, so that one turn serves many inputs.
    async fn wait(&self, alarm: &mut Alarm) {
        let next = [
            self.with_core(|core| core.poll_timeout().map(|(at, _)| at)),
            self.keeper.borrow().poll_timeout().map(|(at, _)| at),
            self.deadlines.first(),
            self.polled.borrow().poll_timeout(),
            self.quic_timeout().map(|delay| self.clock.now() + delay),
        ];
        alarm.set(next.into_iter().flatten().min(), self.clock.now());
        let mut yielded = false;
        std::future::poll_fn(|context| {
            if !yielded {
                self.mesh.borrow().bell().install(context.waker());
            }
            let wanted = self.turn_wanted.poll(context).is_ready();
            let rung = self.mesh.borrow().bell().is_rung();
            if wanted || rung || alarm.poll(context).is_ready() {
                if yielded {
                    return Poll::Ready(());
                }
                // The flag was cleared by the poll above and is still needed.
                self.turn_wanted.set();
                context.waker().wake_by_ref();
            }
            yielded = true;
            Poll::Pending
        })
        .await;
    }

    fn count(&self, took: Duration) {
        let stats = self.core.borrow().stats();
        let metrics = self.metrics();
        metrics.turns.add(1);
        metrics.turn_time.record(took);
        metrics.instances.set(stats.instances as u64);
        metrics.sessions.set(stats.sessions as u64);
        metrics.websockets.set(self.websockets.get() as u64);
        self.count_guests();
        metrics.polled_lines.set(self.polled.borrow().open() as u64);
        metrics.batches.set(stats.batches);
        metrics.operations.set(stats.operations);
        metrics.rejected.set(stats.rejected);
        metrics.stale.set(stats.stale);
        metrics.duplicates.set(stats.duplicates);
        metrics.deliveries.set(stats.deliveries);
        metrics.presence_received.set(stats.presence_received);
        metrics.presence_sent.set(stats.presence_sent);
        metrics.resyncs.set(stats.resyncs);
        metrics.paused.set(stats.paused);
        metrics.malformed.set(stats.malformed);
        metrics.desks_created.set(stats.desks_created);
        metrics.memory_bytes.set(stats.memory_bytes as u64);
        metrics.waiting_outputs.set(stats.waiting_outputs as u64);
        metrics.queue_waiting.set(self.mesh.borrow().waiting() as u64);
        if let Some(units) = &self.units {
            metrics.units.set(units.served() as u64);
            metrics.stream_lag.set(units.waiting() as u64);
            self.count_unit_sessions();
        }
        self.state().set_instances(stats.instances);
        self.count_kept();
        self.look_for_hang();
    }
}

/// The shard's one timer.
#[derive(Default)]
struct Alarm {
    set: Option<(Time, Timer)>,
}

impl Alarm {
    /// Arms the timer for `next`, unless it goes off earlier anyway. A turn too early costs
    /// less than a new timer for each change.
    fn set(&mut self, next: Option<Time>, now: Time) {
        let Some(next) = next else { return };
        if self.set.as_ref().is_none_or(|(at, _)| *at > next) {
            // glommio's timer needs a duration above zero.
            let delay = next.since(now).max(Duration::from_micros(1));
            self.set = Some((next, Timer::new(delay)));
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some((_, timer)) = &mut self.set else { return Poll::Pending };
        if Future::poll(Pin::new(timer), context).is_pending() {
            return Poll::Pending;
        }
        self.set = None;
        Poll::Ready(())
    }
}
