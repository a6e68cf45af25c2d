//! How long a connection may take for what.

use crate::limits::{BODY_TIME_US, HEAD_TIME_US, KEEP_ALIVE_TIME_US};

/// The deadlines of a connection, in microseconds; an operator may choose others
/// than the defaults of [`crate::limits`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Times {
    /// To send a request's head.
    pub head_us: u64,
    /// To send a request's body.
    pub body_us: u64,
    /// Between two requests.
    pub keep_alive_us: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self { head_us: HEAD_TIME_US, body_us: BODY_TIME_US, keep_alive_us: KEEP_ALIVE_TIME_US }
    }
}
