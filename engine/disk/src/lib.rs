//! The real disk under the Desk DB: O_DIRECT files through glommio.
#![forbid(unsafe_code)]
