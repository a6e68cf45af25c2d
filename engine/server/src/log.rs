//! Structured logs on stderr, and how desks appear in them.

use std::fmt;

use desk_protocol::LinkId;
use tracing_subscriber::EnvFilter;
use xxhash_rust::xxh3::xxh3_64;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_not_shown() {
        let link = LinkId::new(1_700_000_000, 42);
        let shown = LinkHash(link).to_string();
        assert_eq!(shown.len(), 8);
        assert!(!link.to_string().contains(&shown.to_uppercase()));
        assert_ne!(shown, LinkHash(LinkId::new(1_700_000_000, 43)).to_string());
    }
}
