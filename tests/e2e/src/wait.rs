//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long anything may take that should be soon: generous, since several
/// servers share two cores.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Looks again and again until `look` finds something.
///
/// # Panics
/// When nothing was found in [`PATIENCE`].
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for: {what}");
        // Between two looks, not instead of them.
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// The monotonic clock.
#[expect(clippy::disallowed_methods, reason = "a rig measures real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Whole seconds of the system's clock.
#[expect(clippy::disallowed_methods, reason = "a rig measures real time")]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
