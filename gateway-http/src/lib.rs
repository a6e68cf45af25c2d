//! The Entry Point's protocol, without I/O.
//!
//! What stands between a socket and the desks: HTTP/1.1 ([`http`]), WebSocket
//! ([`websocket`]), WebTransport ([`webtransport`]), the addresses ([`route`]), their bodies ([`bodies`],
//! [`operations`], [`export`], [`import`]), the embedded [`page`] and the errors ([`problem`]).
//! It is **not** a server: it opens no socket, reads no clock, draws no random
//! number, and does not know how an operation merges. The shell feeds bytes and
//! time, and writes what comes out; `examples/echo.rs` does so with threads.
//!
//! ```
//! use desk_gateway_http::Time;
//! use desk_gateway_http::http::{Connection, Event};
//! use desk_gateway_http::route::{self, OriginPolicy, Route};
//! use desk_gateway_http::websocket::handshake::Upgrade;
//!
//! let listen = ["127.0.0.1:8080".parse().expect("an address")];
//! let policy = OriginPolicy::new(&listen, None, &[""; 0]).expect("no URL to be wrong");
//! let now = Time(0);
//! let mut connection = Connection::new(now);
//! connection.handle_bytes(now, b"GET /api/desk/collaboration/init HTTP/1.1\r\n\
//!     Host: localhost:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//!     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
//!     WebSocket-Session-Key: AAA-BBB-CCC\r\n\r\n");
//! let Ok(Some(Event::Head(head))) = connection.poll_event(now) else { panic!() };
//! // Every error on the way is a `Problem`, which renders itself.
//! policy.check_host(&head).expect("localhost is ours");
//! policy.check_origin(&head).expect("programs send no origin");
//! assert_eq!(Route::of(&head), Ok(Route::Collaborate));
//! let upgrade = Upgrade::check(&head).expect("all fields are there");
//! let key = upgrade.session_key.clone().ok_or_else(route::missing_session_key);
//! assert_eq!(key.expect("it was sent"), "AAA-BBB-CCC");
//! // Write this, then give the leftover and the stream to a `WebSocket`.
//! assert!(upgrade.to_bytes(now).starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
//! assert!(connection.into_leftover().is_empty());
//! ```
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
pub mod webtransport;

pub use desk_protocol::Time;
pub use json::JsonError;
pub use problem::Problem;
