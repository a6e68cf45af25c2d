//! The story of `storage-lsm/tests/store` over the real disk.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../../storage-lsm/tests/store/driver.rs"]
#[allow(dead_code, reason = "each crate of tests uses a part of it")]
mod driver;
mod ledger;
mod mortal;
#[path = "../../../../storage-lsm/tests/store/node.rs"]
#[allow(dead_code, reason = "each crate of tests uses a part of it")]
mod node;
#[path = "../../../../storage-lsm/tests/store/oracle.rs"]
#[allow(dead_code, reason = "each crate of tests uses a part of it")]
mod oracle;
#[path = "../../../../storage-lsm/tests/store/scenario.rs"]
#[allow(dead_code, reason = "each crate of tests uses a part of it")]
mod scenario;
mod sigkill;
