//! What can be enforced about the code's form, enforced.
//!
//! Each rule is a function from the tree to [`Finding`]s, and a test of its own
//! in `tests/tree.rs` that names file and line. A rule proves in its unit tests
//! that it can fail. It is *not* a linter of Rust: what clippy can say is left to
//! clippy, and the text is read by eye level, not parsed.
//!
//! ```
//! use desk_tidy::{Tree, rules};
//!
//! let tree = Tree::of(&[("protocol/src/helpers.rs", "")]);
//! let findings = rules::names::check(&tree);
//! assert_eq!(findings[0].to_string(), "protocol/src/helpers.rs:1: named 'helpers': \
//!     name the file after a noun of the domain or the format");
//! ```
#![forbid(unsafe_code)]

mod finding;
mod rust_code;
mod tree;

pub mod rules;

pub use finding::{Finding, assert_clean};
pub use rust_code::RustCode;
pub use tree::{Source, Tree};
