//! What can be enforced about the code's form, enforced.
#![forbid(unsafe_code)]
