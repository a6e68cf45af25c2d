//! Every bound and time of the shell, with its unit and its reason.

use std::time::Duration;

/// How long connecting to one server may take. The client's default of 5 s is longer
/// than a unit may be without service.
pub const CONNECT_TIME: Duration = Duration::from_secs(1);

/// How often a server is pinged. A server that is stopped, and not ended, is noticed
/// after two of these; with the default of a minute it is noticed after minutes.
pub const PING_TIME: Duration = Duration::from_secs(1);

/// How long a start tries to reach a server: machines that start together take turns.
pub const REACH_TIME: Duration = Duration::from_secs(10);

/// The pause between two tries of a start.
pub const START_PAUSE: Duration = Duration::from_millis(200);

/// How long one try of a start waits for an answer.
pub const TRY_TIME: Duration = Duration::from_secs(3);

/// How long a start tries to get an answer that stays. An election takes 4 to 9 s.
pub const START_TIME: Duration = Duration::from_secs(20);

/// Messages of a page that a lane is read by.
pub const PAGE_MESSAGES: usize = 1_000;

/// Bytes of such a page. The page has to arrive within the core's time for an answer.
pub const PAGE_BYTES: usize = 2 << 20;

/// The most questions that are open. The core has one batch under way a unit, asks again
/// after 300 ms, and gives up nothing for 10 s: 64 units leave 2,200 questions.
pub const QUESTIONS_MAX: usize = 16_384;

/// The longest time without a look around after which everything may still be this node's:
/// the others take nothing of a node that they heard so lately.
pub const SILENCE_MAX: Duration = desk_cluster::limits::DEAD_TIME;

/// How long a question is remembered. Later the core has asked again many times.
pub const QUESTION_TIME: Duration = Duration::from_secs(15);

/// How long giving a message to the client may take. The client takes it at once unless
/// its connection stands still.
pub const HAND_OVER_TIME: Duration = Duration::from_millis(50);

/// The shortest pause between two new connections. Connecting takes up to 1 s.
pub const RECONNECT_PAUSE: Duration = Duration::from_secs(2);

/// Lanes of a unit: when the leader of one is elected anew, which takes 4 to 9 s, the
/// unit goes on in the other.
pub const LANES: usize = 2;

/// Streams of lanes for each server: several leaders on each server share the load.
pub const STREAMS_PER_SERVER: usize = 4;

/// The least that a lane's stream holds, in bytes, whatever the operator gives it. Safety:
/// a unit's part has to have room for a desk as a whole, and eleven units share a stream.
pub const LANE_BYTES_MIN: u64 = 128 << 20;

/// Servers that hold each message.
pub const REPLICAS: usize = 3;

/// How long a stream remembers the ids of messages: longer than a message that is late
/// on its way can be repeated.
pub const DUPLICATES_TIME: Duration = Duration::from_secs(120);

/// How long requests between nodes and their verdicts stay in the streams: longer than a
/// request is good for.
pub const QUEUE_TIME: Duration = Duration::from_secs(3_600);

/// What each of the queue's two streams may hold, in bytes. A request that finds no room is
/// refused to its sender.
pub const QUEUE_BYTES_MAX: u64 = 16 << 20;

/// How long the servers are waited for that say how they sync.
pub const SERVERS_TIME: Duration = Duration::from_secs(1);
