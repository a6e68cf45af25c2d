//! How the process ends when it must not go on.

use std::io::Write as _;

/// Says why on stderr, in one line, and ends the process with 1. Nothing is
/// flushed or acknowledged any more.
pub(crate) fn die(why: &str) -> ! {
    // The stream may be gone; there is nobody left to tell then.
    let _ = writeln!(std::io::stderr(), "sticker-desk: {why}");
    std::process::exit(1)
}
