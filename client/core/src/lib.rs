//! One client of one desk: the replica, the queue of local actions, undo, and
//! recovery from a broken line.
//!
//! The page runs it as WASM; programs, the load generator and the simulator run
//! it natively. It is **not** a transport, a clock, a disk or a user interface:
//! whoever drives it hands in bytes and the time, and fetches bytes, events,
//! records to write and one deadline. What operations mean is
//! [`desk_protocol::resolver`]'s business.
//!
//! # Driving it
//! After every call: handle [`Client::poll_event`] until it is empty, write what
//! [`Client::persist`] gives, send what [`Client::poll_transmit`] gives, and arm
//! one timer for [`Client::poll_timeout`]. When it fires, call
//! [`Client::handle_timeout`].
//!
//! ```
//! use desk_client_core::{Client, Config, Event, NewSticker};
//! use desk_protocol::codec::encode_server;
//! use desk_protocol::frame::{Role, ServerFrame, Welcome};
//! use desk_protocol::{Author, Revision, Time};
//!
//! let now = Time::from_unix_seconds(1_700_000_000);
//! let mut client = Client::new(Config::new(42, "a session key"));
//! assert_eq!(client.poll_event(), Some(Event::Connect { attempt: 0 }));
//! // The shell opens a line, and sends what it is given.
//! client.connected(now);
//! assert!(client.poll_transmit(now).is_some(), "the greeting");
//! // The server answers; here, that the desk is empty.
//! let mut bytes = Vec::new();
//! let welcome = Welcome {
//!     author: Author(1),
//!     role: Role::Editor,
//!     revision: Revision(0),
//!     snapshot: false,
//!     last: None,
//!     created_at: 1_700_000_000,
//!     expires_at: 1_700_604_800,
//!     limits: Default::default(),
//!     now_ms: 1_700_000_000_000,
//! };
//! encode_server(&ServerFrame::Welcome(welcome), &mut bytes);
//! client.receive(now, &bytes);
//! // What the person does shows at once, and goes out.
//! let id = client.create(now, NewSticker { text: "Hello".into(), ..Default::default() })?;
//! assert_eq!(client.desk().sticker(id).map(|note| note.text.value.as_str()), Some("Hello"));
//! assert!(client.is_unsaved(id));
//! assert!(client.poll_transmit(now).is_some(), "the batch");
//! # Ok::<(), desk_client_core::EditError>(())
//! ```
//!
//! # How it hangs together
//! The view is `confirmed ∘ batch in flight ∘ queue`. A commit by another author
//! transforms the batch in flight and each entry of the queue. Only the stickers
//! that it names are shown again.
//!
//! One batch is in flight at a time. Its set of operations is frozen, and it is sent
//! again under its number until its commit or an answer comes. The queue is a list
//! of user actions, so undo of an action that was not sent takes it out of the
//! queue. The inverse of a sent action is computed when its batch is frozen, and is
//! transformed over the commits of others like all pending work.
#![forbid(unsafe_code)]

mod act;
mod batch;
mod check;
mod client;
mod drag;
mod edit;
mod event;
mod field;
mod history;
mod import;
mod inbox;
pub mod limits;
mod line;
mod pending;
mod people;
mod random;
mod rebase;
mod record;
mod repeat;
mod restore;
mod splice;
mod steps;
mod transport;
mod trouble;
mod writing;

pub use client::{Client, Config, LoadError};
pub use edit::{Edit, EditError, NewSticker};
pub use event::{Action, Event, Line, Status, Unsaved, UnsavedReason};
pub use inbox::SnapshotError;
pub use record::{Records, RestoreError, Token};
pub use trouble::{Trouble, Words};
pub use writing::FieldState;
