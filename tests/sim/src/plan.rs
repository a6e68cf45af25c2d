//! What kind of run a seed makes.

use std::time::Duration;

use crate::chance::Chance;

/// The mix of loads and faults of one run. "Once in n" is per opportunity; 0 is
/// never.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The run's seed.
    pub seed: u64,
    /// Desks.
    pub desks: u64,
    /// Interactive clients of each desk.
    pub people: u64,
    /// Those who look on at each desk by its view link.
    pub viewers: u64,
    /// Clients of each desk that send batches by request alone.
    pub requesters: u64,
    /// What each client does before it rests.
    pub actions: u64,
    /// Mean time between a client's actions.
    pub pause: Duration,
    /// Shards at each start are drawn from 1 to this.
    pub shards_max: u64,
    /// Longest delay of the network.
    pub delay_max: Duration,
    /// Lines are cut, once in so many messages.
    pub cut_once_in: u64,
    /// Cut lines fall silent instead of telling.
    pub silent_cuts: bool,
    /// Requests arrive twice, once in so many.
    pub double_once_in: u64,
    /// The machine loses power, once in so many accesses of the disk.
    pub crash_once_in: u64,
    /// A client's process dies, once in so many actions.
    pub client_crash_once_in: u64,
    /// A client goes offline, once in so many actions.
    pub offline_once_in: u64,
    /// The longest time offline.
    pub offline_max: Duration,
    /// Slow readers, once in so many lines.
    pub slow_once_in: u64,
    /// Sessions are parked after this.
    pub session_idle: Duration,
    /// Memory for hot desks, in bytes.
    pub memory_bytes: usize,
    /// Bytes of a log segment.
    pub segment_bytes: u64,
    /// Share of text edits among the actions, in percent.
    pub typing_percent: u64,
    /// Whether stickers are deleted, and text cut.
    pub deleting: bool,
    /// Whether people undo and redo.
    pub undoing: bool,
    /// Whether the desks' time runs out at the end.
    pub expiring: bool,
    /// An access of the disk fails and says so, once in so many.
    pub disk_error_once_in: u64,
    /// Whether who edits a text types a sentence at a place where others do, too;
    /// else single letters anywhere.
    pub sentences: bool,
    /// Segments of the log's budget; a shard has three at least.
    pub log_segments: u64,
    /// Bytes of records that may wait for the disk.
    pub waiting_bytes_max: usize,
    /// Changes are refused while less is free, in bytes. Others fill the disk then.
    pub disk_reserve_bytes: u64,
    /// The longest delay of an access of the disk that does not hang.
    pub disk_delay_max: Duration,
    /// An access of the disk hangs for up to a minute, once in so many.
    pub hang_once_in: u64,
    /// Accesses of several calls of a store go on in turns, each with its delay; else
    /// a call is one access.
    pub accesses_interleave: bool,
    /// A desk is too large to be stored, once in so many times.
    pub too_large_once_in: u64,
    /// Power fails in a planned stop, once in so many.
    pub crash_in_stop_once_in: u64,
    /// Notes that a program adds at a time by importing them; 0: it sends batches.
    pub import_notes: u64,
    /// Operations of a batch, and so of a part of an import.
    pub batch_operations: usize,
    /// Lines have datagrams, of which one in so many is lost; 0: they have none.
    pub datagram_lost_once_in: u64,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut chance = Chance::new(seed ^ 0x0005_711c_4e65_de5c);
        let odds = |chance: &mut Chance, odds: &[u64]| *chance.pick(odds).expect("there are odds");
        Self {
            seed,
            desks: chance.between(1, 3),
            people: chance.between(1, 4),
            requesters: chance.below(2),
            actions: chance.between(20, 120),
            pause: Duration::from_millis(odds(&mut chance, &[2, 20, 200, 2_000])),
            shards_max: chance.between(1, 3),
            delay_max: Duration::from_millis(odds(&mut chance, &[1, 10, 100, 800])),
            cut_once_in: odds(&mut chance, &[0, 0, 30, 100, 500]),
            silent_cuts: chance.once_in(2),
            double_once_in: odds(&mut chance, &[0, 3, 10]),
            crash_once_in: odds(&mut chance, &[0, 0, 40, 150, 1_000]),
            client_crash_once_in: odds(&mut chance, &[0, 0, 20, 60]),
            offline_once_in: odds(&mut chance, &[0, 10, 40]),
            offline_max: Duration::from_secs(odds(&mut chance, &[5, 600, 86_400])),
            slow_once_in: odds(&mut chance, &[0, 0, 2, 5]),
            session_idle: Duration::from_secs(odds(&mut chance, &[1, 30, 900])),
            memory_bytes: odds(&mut chance, &[4 << 10, 64 << 10, 1 << 30]) as usize,
            segment_bytes: odds(&mut chance, &[64 << 10, 256 << 10]),
            typing_percent: odds(&mut chance, &[10, 50, 90]),
            deleting: chance.once_in(2),
            undoing: chance.once_in(2),
            expiring: chance.once_in(4),
            disk_error_once_in: odds(&mut chance, &[0, 0, 60, 300, 1_000]),
            viewers: chance.below(3),
            sentences: chance.once_in(2),
            log_segments: odds(&mut chance, &[96, 96, 12, 3]),
            waiting_bytes_max: odds(&mut chance, &[64 << 20, 64 << 20, 32 << 10, 2 << 10]) as usize,
            disk_reserve_bytes: odds(&mut chance, &[0, 0, 0, 1 << 20]),
            disk_delay_max: Duration::from_millis(odds(&mut chance, &[3, 3, 3, 50, 1_000])),
            hang_once_in: odds(&mut chance, &[0, 0, 0, 300, 2_000]),
            accesses_interleave: chance.once_in(3),
            too_large_once_in: odds(&mut chance, &[0, 0, 0, 0, 20]),
            crash_in_stop_once_in: odds(&mut chance, &[0, 3]),
            import_notes: odds(&mut chance, &[0, 0, 10, 90]),
            batch_operations: odds(&mut chance, &[500, 40]) as usize,
            datagram_lost_once_in: odds(&mut chance, &[0, 2, 20]),
        }
    }
}
