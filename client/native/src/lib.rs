//! An asynchronous connection to a desk for programs.
//!
//! A [`Desk`] is one client of one desk: the replica and the pending queue of
//! `desk-client-core`, driven by a tokio task that keeps a line open, over QUIC,
//! WebSocket or HTTP requests, and opens it again when it is lost. [`Api`] has the requests beside it. It is
//! **not** where merging happens, and it keeps nothing on disk unless
//! [`Options::folder`] says where.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use desk_client_native::{Desk, NewSticker};
//!
//! let mut desk = Desk::create("http://127.0.0.1:8080", "Ideas").await?;
//! println!("edit it at {}", desk.link());
//! desk.add(NewSticker { text: "from a program".into(), ..NewSticker::default() })?;
//! desk.saved().await?;
//! loop {
//!     desk.changed().await?;
//!     println!("{} stickers", desk.view(|desk| desk.pile().count()));
//! }
//! # }
//! ```
#![forbid(unsafe_code)]

mod address;
mod api;
mod clock;
mod desk;
mod driver;
mod error;
mod folder;
mod http;
pub mod limits;
mod origin;
mod random;
#[cfg(feature = "rig")]
pub mod rig;
mod shared;
mod stream;
mod transport;
mod trust;
mod wire;

pub use address::{AddressError, DeskLink, Server};
pub use api::{Api, Joined};
pub use desk::{Desk, Events, Options};
pub use error::{Ended, OpenError, RequestError};
pub use transport::{Carrier, Carriers};
pub use trust::Trust;

pub use desk_gateway_http::export::Format;

pub use desk_client_core::{
    Action, Client, Edit, EditError, Event, Line, NewSticker, Status, Trouble, Unsaved,
    UnsavedReason, Words,
};
