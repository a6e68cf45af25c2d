//! The Entry Point's protocol, without I/O.
//!
//! What stands between a socket and the desks: HTTP/1.1 ([`http`]), WebSocket
//! ([`websocket`]), the addresses ([`route`]), their bodies ([`bodies`],
//! [`operations`], [`export`], [`import`]), the embedded [`page`] and the errors ([`problem`]).
//! It is **not** a server: it opens no socket, reads no clock, draws no random
//! number, and does not know how an operation merges. The shell feeds bytes and
//! time, and writes what comes out; `examples/echo.rs` does so with threads.
#![forbid(unsafe_code)]

pub mod bodies;
pub mod export;
pub mod http;
pub mod import;
mod json;
pub mod limits;
pub mod operations;
pub mod page;
pub mod problem;
pub mod route;
pub mod websocket;

pub use desk_protocol::Time;
pub use json::JsonError;
pub use problem::Problem;
