//! Every bound and time of the shell, with its unit and its reason.

use std::time::Duration;

/// How long connecting to one server may take. The client's default of 5 s is longer
/// than a unit may be without service.
pub const CONNECT_TIME: Duration = Duration::from_secs(1);

/// How often a server is pinged. A server that is stopped, and not ended, is noticed
/// after two of these; with the default of a minute it is noticed after minutes.
pub const PING_TIME: Duration = Duration::from_secs(1);

/// How long a start waits for each answer of the servers. An election takes 4 to 9 s.
pub const START_TIME: Duration = Duration::from_secs(15);
