//! Structured logs on stderr, and how desks appear in them.

use std::cell::Cell;
use std::fmt;
use std::time::Instant;

use desk_protocol::LinkId;
use tracing_subscriber::EnvFilter;
use xxhash_rust::xxh3::xxh3_64;

use crate::limits::LOG_PAUSE;

/// The variable that filters the log, in the form of `RUST_LOG`.
const FILTER: &str = "STICKER_DESK_LOG";

/// Starts logging. The default is `info`, less of the executor's own.
pub(crate) fn start() {
    let filter =
        EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new("info,glommio=warn"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Fails if tests started it before; then it is started.
    let _ = subscriber.with_ansi(false).try_init();
}

/// A link as logs show it: a link is a key to its desk, so 32 bits of a hash
/// stand for it, enough to follow one desk and too few to find its link.
pub(crate) struct LinkHash(pub(crate) LinkId);

impl fmt::Display for LinkHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", xxh3_64(&self.0.to_bytes()) as u32)
    }
}

/// How often something that may happen thousands of times a second is logged: once in
/// [`LOG_PAUSE`], with how often it happened.
#[derive(Default)]
pub(crate) struct Seldom {
    happened: Cell<u64>,
    logged: Cell<Option<Instant>>,
}

impl Seldom {
    /// Counts that it happened, `times` times since it was last asked. Gives how often since
    /// it was logged, if it is to be logged now.
    pub(crate) fn count(&self, now: Instant, times: u64) -> Option<u64> {
        self.happened.set(self.happened.get() + times);
        let lately = |logged: Instant| now.saturating_duration_since(logged) < LOG_PAUSE;
        if self.happened.get() == 0 || self.logged.get().is_some_and(lately) {
            return None;
        }
        self.logged.set(Some(now));
        Some(self.happened.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_often_is_logged_seldom_and_none_of_it_is_lost() {
        let (seldom, begin) = (Seldom::default(), crate::clock::instant());
        assert_eq!(seldom.count(begin, 0), None, "nothing happened");
        assert_eq!(seldom.count(begin, 1), Some(1), "the first is told at once");
        for _ in 0..1_000 {
            assert_eq!(seldom.count(begin + LOG_PAUSE / 2, 1), None);
        }
        assert_eq!(seldom.count(begin + LOG_PAUSE, 0), Some(1_000));
        assert_eq!(seldom.count(begin + 3 * LOG_PAUSE, 0), None);
        assert_eq!(seldom.count(begin + 3 * LOG_PAUSE, 1), Some(1));
    }

    #[test]
    fn a_link_is_not_shown() {
        let link = LinkId::new(1_700_000_000, 42);
        let shown = LinkHash(link).to_string();
        assert_eq!(shown.len(), 8);
        assert!(!link.to_string().contains(&shown.to_uppercase()));
        assert_ne!(shown, LinkHash(LinkId::new(1_700_000_000, 43)).to_string());
    }
}
