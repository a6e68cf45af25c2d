//! Every bound and time of the keeper, with its unit and its reason. What an
//! operator may set stands in [`crate::Settings`].

use std::time::Duration;

/// What a record takes in memory beside its own bytes, roughly, in bytes.
pub const RECORD_BYTES: usize = 64;

/// The log is behind until the waiting bytes have fallen to this part of the
/// most that may wait. Tuning: with a part of one, a slow disk would flip the
/// state with every record.
pub const BEHIND_UNTIL_PART: usize = 2;

/// How old the last look at the free space may be while commits go on. Safety:
/// less can be written in that time than the reserve holds.
pub const SPACE_TIME: Duration = Duration::from_millis(100);

/// The pause between two steps of upkeep while something waits for upkeep.
/// Tuning.
pub const UPKEEP_PAUSE: Duration = Duration::from_millis(100);

/// The pause between two steps of upkeep during a planned stop. Tuning.
pub const STOP_PAUSE: Duration = Duration::from_millis(5);

/// The part of a planned stop's time in which desks are still stored. The other
/// part is for sealing the tables. What is not stored is replayed from the log.
pub const STOP_STORE_PART: u32 = 2;

/// The most keys that are asked for at a time while the log is under pressure.
/// Tuning: the core stores a few of them a step, and more are named after that.
pub const PRESSURE_KEYS: usize = 256;
