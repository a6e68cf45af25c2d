//! The bodies of the fuzz targets, as plain functions of bytes.
//!
//! `make fuzz` drives them with libfuzzer; `cargo test` here replays the
//! committed corpus on a stable compiler. A target says more than "does not
//! panic": a stream means the same however it is cut, and what two replicas
//! show is the same.
#![forbid(unsafe_code)]

mod cuts;
pub mod frame_decode;
pub mod http_body;
pub mod http_request;
pub mod ot_diamond;
pub mod store_decoders;
mod store_image;
pub mod store_unchecked;
pub mod websocket_frames;

/// A target's name and body.
pub type Target = (&'static str, fn(&[u8]));

/// All targets; the corpus has a folder for each.
pub const TARGETS: &[Target] = &[
    ("frame_decode", frame_decode::run),
    ("http_body", http_body::run),
    ("http_request", http_request::run),
    ("ot_diamond", ot_diamond::run),
    ("store_decoders", store_decoders::run),
    ("store_unchecked", store_unchecked::run),
    ("websocket_frames", websocket_frames::run),
];
