//! What can go wrong, by whose doing.

use std::io;

use desk_client_core::{LoadError, RestoreError, Trouble};
use desk_gateway_http::http::client::AnswerError;
use desk_protocol::frame::CloseCode;

use crate::address::AddressError;

/// A request to a server failed.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// There is no connection to the server.
    #[error("cannot reach {server}: {error}")]
    Unreachable {
        /// Which one.
        server: String,
        /// Why.
        error: io::Error,
    },
    /// The server took too long.
    #[error("{server} did not answer in time")]
    TimedOut {
        /// Which one.
        server: String,
    },
    /// The server answers, but not in HTTP.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The server said no.
    #[error("the server answered {status}: {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What was wrong and what to do.
        detail: String,
        /// When to come back, in seconds, if it says so.
        retry_after_s: Option<u32>,
    },
    /// The server said yes, but not what it should have.
    #[error("the server's answer has no usable {0:?}; is it a Sticker Desk?")]
    Unexpected(&'static str),
}

/// A desk could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address makes no sense.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The server did not let us in.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// QUIC alone was asked for, and the server does not serve it.
    #[error("{server} names no address for QUIC: use another transport, or none in particular")]
    NoQuic {
        /// Which one.
        server: String,
    },
    /// The desk that came with the answer cannot be read.
    #[error("the server's desk cannot be read: {0}")]
    Load(#[from] LoadError),
    /// What an earlier run kept cannot be read.
    #[error("what {folder} keeps cannot be used: {error}")]
    Restore {
        /// Where.
        folder: String,
        /// Why.
        error: RestoreError,
    },
    /// A folder for keeping a desk cannot be used.
    #[error("cannot use {folder}: {error}")]
    Folder {
        /// Which.
        folder: String,
        /// Why.
        error: io::Error,
    },
}

/// The connection to a desk ended for good, or until [`crate::Desk::rejoin`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{}. {}",
    Trouble::Server(*.code).words().head,
    Trouble::Server(*.code).words().body
)]
pub struct Ended {
    /// Why.
    pub code: CloseCode,
    /// The server's own text, for logs.
    pub detail: String,
    /// Operations of ours that were not saved.
    pub pending: usize,
}
