//! Every bound and time of the cluster's core, with its unit and its reason.

use std::time::Duration;

/// The longest batch, in bytes. Safety: the largest record has to fit with its head.
/// Tuning: batches of 256 KiB and more filled the disks of the measured servers.
pub const BATCH_BYTES_MAX: usize = 512 << 10;

/// The most records of a batch. Safety: it bounds what a decoder allocates ahead.
pub const BATCH_RECORDS_MAX: usize = 16_384;

/// The longest name of a node, in bytes: a label of a host's name.
pub const NODE_BYTES_MAX: usize = 63;

/// The longest address of a node, in bytes.
pub const ADDRESS_BYTES_MAX: usize = 255;

/// How long an answer to a batch, a fence or a question is waited for. Measured: the
/// slowest of a loaded stream took 340 ms; a needless change of the lane is free.
pub const ANSWER_TIME: Duration = Duration::from_millis(300);

/// The pause before the same message is published again where a stream says that it
/// stored nothing.
pub const AGAIN_PAUSE: Duration = Duration::from_millis(2);

/// The pause before a lane is tried again that has just failed while the others had
/// failed, too. Tuning: without it, a stream without a leader, which answers at once,
/// would be asked as fast as the machine can.
pub const FAILED_PAUSE: Duration = Duration::from_millis(50);

/// The pause before a replica is read again that lacks the end. Replicas follow within
/// milliseconds.
pub const LAG_PAUSE: Duration = Duration::from_millis(20);

/// How often lanes are read again where a batch is missing. Another replica answers each
/// time, and one that has just started may lack what the others have.
pub const GAP_READS: u32 = 50;

/// How often each lane fails in a row before the connection is made anew.
pub const FAILURES_PER_RECONNECT: u32 = 2;

/// How long a batch may wait for its acknowledgement before changes are refused. An
/// election takes 4 to 9 s.
pub const UNWRITABLE_TIME: Duration = Duration::from_secs(10);

/// The shortest pause after a race for a unit was lost. Two who race wait differently
/// long, so one of them is alone in the end.
pub const RACE_PAUSE_MIN: Duration = Duration::from_millis(50);

/// The longest pause after a race for a unit was lost.
pub const RACE_PAUSE_MAX: Duration = Duration::from_millis(200);

/// The pause between two heartbeats.
pub const BEAT_TIME: Duration = Duration::from_millis(250);

/// A node that was not heard for so long counts as dead. Measured: 400 ms gave no false
/// alarm on a machine with a load of ten; a false one costs a move.
pub const DEAD_TIME: Duration = Duration::from_secs(1);

/// A node that has not heard most of the others for so long asks the streams before it shows
/// anything. Safety: with the pause to its next look it is earlier than the others, who take
/// its units after [`DEAD_TIME`], less one heartbeat that was on its way.
pub const UNHEARD_TIME: Duration = Duration::from_millis(500);

/// How long a node listens before it takes anything: longer than others need to be
/// heard.
pub const SETTLE_TIME: Duration = Duration::from_millis(1_250);

/// A turn that comes so late means that the process did not run: others may have taken
/// its units.
pub const LATE_TIME: Duration = Duration::from_millis(500);

/// How far the clocks of two nodes may be apart: expiry is judged by each node's clock.
pub const CLOCKS_APART_MAX: Duration = Duration::from_secs(30);

/// How long after a record has expired it may go from the lanes. Safety: no node whose
/// clock is as far behind as it may be can miss it.
pub const EXPIRED_TIME: Duration = Duration::from_secs(2 * CLOCKS_APART_MAX.as_secs());

/// The pause between two purges of one unit. Tuning: a purge takes a stream some tens of
/// milliseconds.
pub const PURGE_PAUSE: Duration = Duration::from_secs(10);

/// How long the answer to a purge is waited for before it is asked for again, which
/// harms nothing.
pub const PURGE_TIME: Duration = Duration::from_secs(3);

/// The most spans that the owner of a unit divides the lanes into: what expires is
/// purged by whole spans. Tuning: a span takes about 150 bytes of memory.
pub const SPANS_MAX: usize = 256;

/// The part of a unit's room from which on the owner cleans the lanes.
pub const CLEAN_FROM: (u64, u64) = (1, 4);

/// The part of a unit's room that records may fill. The rest is for states, without which
/// no room could be made. A state is no longer than a snapshot and the records after it.
pub const RECORDS_PART: (u64, u64) = (1, 2);

/// How many bytes of the lanes may be cleaned for each byte of records that is appended.
/// With four, room is made as long as what is cleaned is a quarter shorter afterwards.
pub const CLEAN_BYTES_PER_BYTE: u64 = 4;

/// The pause after a cleaning that the node could not help with.
pub const CLEAN_AGAIN_PAUSE: Duration = Duration::from_secs(10);

/// The most states that a node is asked for at once. Each may be as long as the longest.
pub const STATES_ASKED_MAX: usize = 16;

/// The longest state, in bytes. Safety: it bounds what who reads puts together.
pub const STATE_BYTES_MAX: usize = 64 << 20;

/// The longest piece of a state, in bytes. Tuning: records that people wait for go with
/// it in one batch.
pub const PIECE_BYTES: usize = 128 << 10;

/// A piece takes no more than this part of a unit's room in a lane, so that a little room
/// is enough to go on.
pub const PIECES_PER_ROOM: u64 = 64;

/// What a piece takes in a batch beside its own bytes and what every record takes, in
/// bytes: place and length of the state, and its own length.
pub const PIECE_HEAD_BYTES: usize = 4 + 4 + 4;

/// What a message takes in a stream beside its own bytes, in bytes, rounded up: subject,
/// headers and the stream's own.
pub const MESSAGE_HEAD_BYTES: u64 = 320;

/// The part of a lane's stream that its units divide among them; the rest is for fences and
/// for copies of batches that nobody knows of. Safety: a fence has to find room.
pub const LANE_PART: (u64, u64) = (7, 8);

/// The most nodes of a cluster: as many as there are units.
pub const NODES_MAX: usize = 64;

/// How long a unit falls to another living node before its owner hands it over. Tuning:
/// a node that comes and goes moves nothing.
pub const MOVE_AFTER: Duration = Duration::from_secs(3);

/// How many units an owner hands over at a time, so that most of its desks go on.
pub const MOVES_MAX: usize = 4;

/// Sessions that a node has to have more than another before it leaves anything to it.
/// Tuning: each session that moves connects anew.
pub const LOAD_GAP_MIN: u32 = 64;

/// The part of its own sessions that a node has to have more than another.
pub const LOAD_GAP_PART: (u32, u32) = (1, 4);

/// The pause between two units that a loaded node hands over. Tuning: people are counted
/// again at the other node by then.
pub const LIGHTEN_PAUSE: Duration = Duration::from_secs(4);

/// How long a unit that was handed over because of the load is left to who was asked. Others
/// take it later, as they do where a node has died.
pub const GIVEN_TIME: Duration = Duration::from_secs(2);

/// The pause between two looks at who leads the streams. A server that came back takes
/// some seconds to be up to date.
pub const PUT_BACK_TIME: Duration = Duration::from_secs(10);

/// Bytes of records after which a read-back hands over what it has. Tuning.
pub const RECORDS_BYTES: usize = 512 << 10;

/// Bytes of states after which a read-back hands over what it has. Tuning: the node syncs
/// its disk after each.
pub const STATES_BYTES: usize = 8 << 20;

/// The longest body of a request to another node, in bytes: a client's longest frame, and
/// who sends it. Safety: a request with its head is no longer than a batch.
pub const REQUEST_BYTES_MAX: usize = 288 << 10;

/// The longest name of a request, in bytes: a word.
pub const WHAT_BYTES_MAX: usize = 32;

/// The most requests of one node that have no verdict.
pub const REQUESTS_MAX: usize = 1_024;

/// The most requests that an owner has open. The others stay in the stream meanwhile.
pub const OPEN_MAX: usize = 256;

/// The most requests with a verdict that a node remembers, for its operator.
pub const ENDED_MAX: usize = 32;

/// How long a request is good for. Tuning: longer than an election and a restart.
pub const REQUEST_TIME: Duration = Duration::from_secs(600);

/// How long a node tries to bring a request into the stream. An election takes 4 to 9 s.
pub const STORE_TIME: Duration = Duration::from_secs(20);

/// The pause before a stream of the queue is asked again that did not answer.
pub const STORE_PAUSE: Duration = Duration::from_millis(200);

/// The pause between two looks for a verdict that was not heard.
pub const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// The pause between two readings of all requests: a bell may be missed, and a replica may
/// skip messages.
pub const READ_ALL_PAUSE: Duration = Duration::from_secs(10);

/// How often a replica is read again that lacks a request that a bell has named. Another
/// owner may have removed it.
pub const LAG_READS: u32 = 20;

/// How long a shard may take for a request before it is begun with again.
pub const RUN_TIME: Duration = Duration::from_secs(45);

/// How often one owner begins with a request before it gives it up.
pub const RUNS_MAX: u32 = 5;

/// The pause after the first run; it doubles with each.
pub const TRY_AGAIN_PAUSE: Duration = Duration::from_millis(250);

/// What a record takes in a batch beside its own bytes, in bytes: key, sequence, expiry
/// and length.
pub const RECORD_HEAD_BYTES: usize = 16 + 8 + 8 + 4;

/// What a batch has beside its records, in bytes: version, kind, unit, epoch, number, the
/// batch before it, the floor, count and checksum.
pub const BATCH_HEAD_BYTES: usize = 1 + 1 + 2 + 8 + 8 + 16 + 16 + 4 + 8;

/// The longest entry of a record, in bytes.
pub const ENTRY_BYTES_MAX: usize = BATCH_BYTES_MAX - BATCH_HEAD_BYTES - RECORD_HEAD_BYTES;

#[cfg(test)]
mod tests {
    use desk_protocol::limits::COMMIT_BYTES_MAX;

    use super::*;

    /// The journal's own head of an entry, in bytes, rounded up.
    const ENTRY_HEAD_BYTES: usize = 4 << 10;

    #[test]
    fn the_largest_commit_fits_into_a_batch() {
        const { assert!(COMMIT_BYTES_MAX + ENTRY_HEAD_BYTES <= ENTRY_BYTES_MAX) };
    }
}
