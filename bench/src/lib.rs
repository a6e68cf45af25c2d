//! Load generator and benchmark report of Sticker Desk.
#![forbid(unsafe_code)]
