//! The Entry Point: from an accepted socket to an answer or an upgrade.
//!
//! [`connection`] drives one HTTP connection, [`exchange`] serves its requests
//! through the owners of desks, [`answers`] renders what they say, and
//! [`operator`] is what only the operator may ask.

mod accept;
mod answers;
mod connection;
mod exchange;
mod operator;

pub(crate) use accept::accept;
use connection::serve;

/// Which listener a connection came in by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Door {
    /// The one for everybody.
    Public,
    /// The operator's own (`--admin`).
    Admin,
    /// Plain HTTP that only leads to https (`--http-redirect`).
    Redirect,
}
