//! Every bound and delay of the connection, with its unit and its reason.

use std::time::Duration;

/// Time to open a connection, TLS included: twice the usual first retransmits.
pub const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Time for one request and its answer. A server's own limit for a body is 30 s.
pub const REQUEST_TIME: Duration = Duration::from_secs(40);

/// Time for each further MiB of a request's body, as the server gives it.
pub const REQUEST_TIME_PER_MIB: Duration = Duration::from_secs(30);

/// How often somebody is told how much of a body was sent.
pub const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Time in which a closing line may still flush and hear the peer's close.
pub const CLOSE_TIME: Duration = Duration::from_secs(2);

/// Bytes of an answer's body: a whole desk in base64, and its envelope.
pub const ANSWER_BYTES_MAX: usize = desk_protocol::limits::SNAPSHOT_BYTES_MAX / 3 * 4 + (1 << 20);

/// A WebSocket message from the server, in bytes: what it sends in one turn, at
/// most its queue for one connection and one frame on top.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// Bytes taken from the socket at once.
pub const READ_BYTES: usize = 64 << 10;

/// Events kept for a subscriber that does not take them; then it is told that
/// it missed some.
pub const EVENTS_KEPT: usize = 1_024;

/// Random bytes drawn at once for masking keys: one system call for 64 frames.
pub const RANDOM_BYTES: usize = 256;

/// How long QUIC is tried alone: the first packet is repeated about then.
pub const QUIC_HEAD_START: Duration = Duration::from_millis(300);

/// How long one attempt at QUIC is alone, and each newer one is given: it sends its first
/// packet twice in that time. The server is asked once a second so, and not longer than the
/// core lets the line be opened.
pub const QUIC_NEWER_TIME: Duration = Duration::from_secs(2);

/// How long QUIC is left alone after WebSocket was faster, or after a line of it on which
/// nothing came. Networks seldom change, and a lost race costs a moment each time.
pub const QUIC_AVOIDED_TIME: Duration = Duration::from_secs(300);

/// How often a QUIC connection says that it is there. A router forgets a silent one after
/// 15 s or more, and the server after 30 s.
pub const QUIC_PING_TIME: Duration = Duration::from_secs(10);

/// Packets that the server may leave without an acknowledgement until 25 ms or a round trip
/// have passed: its next frames carry the acknowledgement.
pub const QUIC_ACK_THRESHOLD: u32 = 4;

/// Bytes of the answer to the request for a session of WebTransport. Ours has about 80.
pub const SESSION_ANSWER_BYTES_MAX: usize = 4 << 10;

/// How long nothing may come over a QUIC connection.
pub const QUIC_IDLE_TIME: Duration = Duration::from_secs(30);

/// How long QUIC and WebSocket are tried before requests carry the frames. A network that
/// swallows upgrades says nothing, and WebSocket needs four round trips.
pub const POLL_HEAD_START: Duration = Duration::from_millis(2_500);

/// How long a request waits for frames: less than proxies wait for an answer.
pub const POLL_WAIT: Duration = Duration::from_secs(20);

/// How long a connection without a request is used again. Proxies close them after some
/// time, and a request that meets the close is asked twice.
pub const POLL_KEPT_TIME: Duration = Duration::from_secs(10);

/// Bytes of frames in one request: half of what a server takes by default.
pub const POLL_PART_BYTES: usize = 512 << 10;

/// When a line over requests first looks whether something better gets through. Each look
/// that is in vain doubles the time to the next.
pub const PROBE_AFTER: Duration = Duration::from_secs(5);

/// The longest time between two such looks.
pub const PROBE_EVERY: Duration = Duration::from_secs(60);

/// How often a request is led on to another machine of a cluster: a desk that moves
/// meanwhile is found, and two machines that name each other are not asked for ever.
pub const REDIRECTS_MAX: usize = 3;

/// How long one machine of a cluster is given to let a line in, or to say where the desk
/// is, before the next one is asked. A machine that is gone says nothing.
pub const NODE_TIME: Duration = Duration::from_secs(2);

/// Machines of a cluster that are remembered.
pub const NODES_MAX: usize = 64;

/// How long one attempt looks for the machine that has the desk. It ends before the core
/// gives the attempt up.
pub const SEEK_TIME: Duration = Duration::from_secs(4);

/// The pause between two such looks: a desk moves within a second, or within an election of
/// some seconds.
pub const SEEK_PAUSE: Duration = Duration::from_millis(400);
