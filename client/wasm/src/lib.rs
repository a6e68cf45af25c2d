//! The client core bound for the browser.
#![forbid(unsafe_code)]
