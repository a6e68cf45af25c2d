//! The services of Sticker Desk as pure state machines.
#![forbid(unsafe_code)]
