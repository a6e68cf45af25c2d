//! Desk model, operations, operation-transform resolver and wire frames of Sticker Desk.
#![forbid(unsafe_code)]
