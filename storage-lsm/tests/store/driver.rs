//! What drives the keeper of one shard. What the keeper decides is done at once; the
//! calls of the store that it asks for are held until a test has a turn for them.

use std::future::poll_fn;
use std::pin::pin;

use desk_keeper::{Input, Keeper, Output, Settings};
use desk_protocol::Time;
use desk_storage_lsm::disk::Disk;
use desk_storage_lsm::{Edit, Key, Position, Sequence, Store, UnixSecond};

/// As much may wait as a test makes, and a stop takes no time that tests would wait for.
const SETTINGS: Settings =
    Settings { waiting_bytes_max: 64 << 20, stop_time: std::time::Duration::from_secs(8) };

/// One shard's keeper and what it has asked for.
pub(crate) struct Driver {
    keeper: Keeper<Vec<u8>>,
    /// The newest place in the log that a record was given.
    position: Position,
    /// How far the log is durable, as the keeper says.
    durable: Position,
    wants_commit: bool,
    upkeep: Option<Output>,
    /// Edits that the manifest's owner has not got.
    pub(crate) edits: Vec<Edit>,
    /// Keys that hold the log back, as the keeper said last.
    asked: Vec<Key>,
    has_failed: bool,
    has_stopped: bool,
}

impl Driver {
    pub(crate) fn new() -> Self {
        let mut driver = Self {
            keeper: Keeper::new(SETTINGS),
            position: Position(0),
            durable: Position(0),
            wants_commit: false,
            upkeep: None,
            edits: Vec::new(),
            asked: Vec::new(),
            has_failed: false,
            has_stopped: false,
        };
        driver.take_outputs();
        driver
    }

    /// Whether the keeper said that a write failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Whether a planned stop has come to its end.
    pub(crate) fn has_stopped(&self) -> bool {
        self.has_stopped && self.edits.is_empty()
    }

    /// Whether changes are taken.
    pub(crate) fn is_writable(&self) -> bool {
        self.keeper.writable().is_yes()
    }

    /// How far the log is durable, as the keeper says.
    pub(crate) fn durable(&self) -> Position {
        self.durable
    }

    /// Records that the store has refused.
    pub(crate) fn backlog(&self) -> usize {
        self.keeper.stats().backlog
    }

    /// Keys that hold the log back, since this was asked last.
    pub(crate) fn take_asked(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.asked)
    }

    pub(crate) fn input<D: Disk>(&mut self, now: Time, store: &Store<D>, input: Input<Vec<u8>>) {
        self.keeper.handle(now, store, input);
        self.take_outputs();
    }

    /// A turn of the shard: what has become durable is noticed, and what is due is
    /// begun.
    pub(crate) fn turn<D: Disk>(&mut self, now: Time, store: &Store<D>) {
        self.keeper.handle_timeout(now, store);
        self.take_outputs();
    }

    /// Gives a record to the keeper; its place in the log.
    pub(crate) fn append<D: Disk>(
        &mut self,
        now: Time,
        store: &Store<D>,
        (key, sequence, entry): (Key, Sequence, Vec<u8>),
        expires_at: Time,
    ) -> Position {
        let position = self.next_position(store);
        self.input(now, store, Input::Append { position, key, sequence, expires_at, entry });
        position
    }

    /// Drops a key for good; the place in the log of that.
    pub(crate) fn forget<D: Disk>(
        &mut self,
        now: Time,
        store: &Store<D>,
        key: Key,
        expires_at: Time,
    ) -> Position {
        let position = self.next_position(store);
        self.input(now, store, Input::Forget { position, key, expires_at });
        position
    }

    /// A test may have appended to the store without the keeper.
    fn next_position<D: Disk>(&mut self, store: &Store<D>) -> Position {
        self.position = Position(self.position.max(store.position()).0 + 1);
        self.position
    }

    /// Commits if the keeper has asked for it; says whether it has. A shard turns
    /// while its commit is under way, and so `at_turn` is called in each turn, with how
    /// far the log is durable.
    pub(crate) async fn commit<D: Disk>(
        &mut self,
        now: Time,
        store: &Store<D>,
        mut at_turn: impl FnMut(Position),
    ) -> bool {
        if !std::mem::take(&mut self.wants_commit) {
            return false;
        }
        let mut commit = pin!(store.commit());
        let result = poll_fn(|context| {
            let polled = commit.as_mut().poll(context);
            self.turn(now, store);
            at_turn(self.durable);
            polled
        });
        let result = result.await;
        self.input(now, store, Input::Committed(result));
        at_turn(self.durable);
        true
    }

    /// Looks after the store if the keeper has asked for it.
    pub(crate) async fn look_after<D: Disk>(
        &mut self,
        now: Time,
        store: &Store<D>,
        second: UnixSecond,
    ) {
        let input = match self.upkeep.take() {
            Some(Output::Measure) => Input::Measured(store.measure_space().await),
            Some(Output::Seal) => Input::Sealed(store.shutdown().await),
            Some(_) => Input::Maintained(store.maintain(second).await),
            None => return,
        };
        self.input(now, store, input);
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.keeper.poll_output() {
            match output {
                Output::Commit => {
                    assert!(!self.wants_commit, "one commit is under way at a time");
                    self.wants_commit = true;
                }
                Output::Maintain | Output::Measure | Output::Seal => {
                    assert!(self.upkeep.is_none(), "one call of upkeep is under way at a time");
                    self.upkeep = Some(output);
                }
                Output::Edits(edits) => self.edits.extend(edits),
                Output::Durable(position) => {
                    assert!(position > self.durable, "the log never goes back");
                    assert!(!self.has_failed, "nothing is acknowledged after a failed write");
                    self.durable = position;
                }
                Output::Ask { keys, .. } => self.asked = keys,
                Output::Unstorable { key, why, .. } => panic!("{key:?} cannot be stored: {why}"),
                Output::Failed(_) => {
                    assert!(!self.has_failed, "it is said once");
                    self.has_failed = true;
                }
                Output::Stopped => self.has_stopped = true,
                Output::Writable(_) | Output::Stored { .. } | Output::Drain => {}
                Output::Notice(_) => {}
            }
        }
    }
}
