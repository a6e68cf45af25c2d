//! HTTP/1.1 (RFC 9110, RFC 9112): requests in, answers out, no I/O.
//!
//! ```
//! use desk_gateway_http::Time;
//! use desk_gateway_http::http::{Connection, Event, Response, Status};
//!
//! let now = Time(0);
//! let mut connection = Connection::new(now);
//! connection.handle_bytes(now, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
//! let Ok(Some(Event::Head(head))) = connection.poll_event(now) else { panic!() };
//! assert_eq!(head.path(), "/healthz");
//! connection.respond(now, &Response::new(Status::OK));
//! assert!(connection.output().starts_with(b"HTTP/1.1 200 OK\r\n"));
//! ```

pub mod base64_stream;
mod body;
pub mod client;
mod connection;
pub mod date;
mod error;
mod request;
mod response;
mod status;

pub use base64_stream::Base64Stream;
pub use connection::{Connection, Deadline, Event};
pub use date::{HttpDate, Rfc3339};
pub use error::RequestError;
pub use request::{BodyFraming, Method, RequestHead};
pub use response::{Body, NO_INDEX, Response};
pub use status::Status;
