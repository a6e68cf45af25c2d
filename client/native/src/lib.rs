//! An asynchronous connection to a desk for programs.
#![forbid(unsafe_code)]
