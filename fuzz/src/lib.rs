//! The bodies of the fuzz targets, as plain functions of bytes.
//!
//! `make fuzz` drives them with libfuzzer; `cargo test` here replays the
//! committed corpus on a stable compiler. A target says more than "does not
//! panic": a stream means the same however it is cut, and what two replicas
//! show is the same.
#![forbid(unsafe_code)]

pub mod board_files;
mod cuts;
pub mod datagrams;
pub mod frame_decode;
pub mod http_body;
pub mod http_request;
pub mod ot_diamond;
pub mod store_decoders;
mod store_image;
pub mod store_unchecked;
pub mod web_streams;
pub mod websocket_frames;

/// A target's name and body.
pub type Target = (&'static str, fn(&[u8]));

/// All targets; the corpus has a folder for each.
pub const TARGETS: &[Target] = &[
    ("board_any", board_files::any),
    ("board_clipboard", board_files::clipboard),
    ("board_desk", board_files::desk),
    ("board_table", board_files::table),
    ("board_lines", board_files::lines),
    ("board_markdown", board_files::markdown),
    ("board_excalidraw", board_files::excalidraw),
    ("board_tldraw", board_files::tldraw),
    ("board_canvas", board_files::canvas),
    ("board_trello", board_files::trello),
    ("board_cells", board_files::cells),
    ("datagrams", datagrams::run),
    ("frame_decode", frame_decode::run),
    ("http_body", http_body::run),
    ("http_request", http_request::run),
    ("ot_diamond", ot_diamond::run),
    ("store_decoders", store_decoders::run),
    ("store_unchecked", store_unchecked::run),
    ("web_streams", web_streams::run),
    ("websocket_frames", websocket_frames::run),
];
