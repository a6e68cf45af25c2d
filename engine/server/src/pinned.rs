//! Certificates that clients trust by their hash: the present one, and the next.
//!
//! Browsers take a certificate by its hash if it lasts at most 14 days. Each is made one
//! turn before its use, so that a client that was told both hashes may come back after
//! the change.
//!
//! ```text
//! made ──── in use ──── replaced ──── ends
//!  0         5 days      10 days       12 days
//! ```

use std::fs;
use std::path::Path;

use desk_protocol::Time;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};

use crate::certificate::{self, CertificateError};
use crate::keys::write_private;
use crate::limits::{PINNED_DAYS, PINNED_TURN_DAYS};

/// The file: a line about them, then both in PEM, each with its key.
const FILE: &str = "quic-certificates.pem";

const TURN_S: u64 = PINNED_TURN_DAYS * 86_400;

/// The present certificate, and what is known of the next.
#[derive(Debug)]
pub(crate) struct Pinned {
    /// The present one.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub(crate) key: PrivateKeyDer<'static>,
    /// SHA-256 of the present one and of the next.
    pub(crate) hashes: [[u8; 32]; 2],
}

/// Both certificates as their file has them.
struct Pair {
    since: u64,
    names: String,
    /// PEM of a certificate with its key, the present one first.
    parts: [String; 2],
}

/// Takes the certificates of the data folder, and makes them where it is time to.
///
/// # Errors
/// They cannot be made, written or read.
pub(crate) fn load(folder: &Path, names: &[String], now: Time) -> Result<Pinned, CertificateError> {
    let path = folder.join(FILE);
    let second = now.unix_seconds();
    let make = || certificate::make(names, second, second + PINNED_DAYS * 86_400);
    let wanted = names.join(" ");
    let kept = fs::read_to_string(&path).ok().and_then(|text| Pair::read(&text));
    let kept = kept.filter(|pair| {
        let age = second.checked_sub(pair.since);
        pair.names == wanted && age.is_some_and(|age| age < 2 * TURN_S)
    });
    let (pair, changed) = match kept {
        None => (Pair { since: second, names: wanted, parts: [make()?, make()?] }, true),
        Some(Pair { since, names, parts: [_, next] }) if since + TURN_S <= second => {
            (Pair { since: since + TURN_S, names, parts: [next, make()?] }, true)
        }
        Some(pair) => (pair, false),
    };
    if changed {
        write_private(&path, pair.write().as_bytes())
            .map_err(|error| CertificateError::Io { path: path.clone(), error })?;
    }
    let [present, next] = &pair.parts;
    let chain = certificate::chain(&path, present.as_bytes())?;
    let next = certificate::chain(&path, next.as_bytes())?;
    let hash = |chain: &[CertificateDer<'_>]| Sha256::digest(&chain[0]).into();
    let hashes = [hash(&chain), hash(&next)];
    Ok(Pinned { key: certificate::key_of(&path, present.as_bytes())?, chain, hashes })
}

impl Pair {
    fn read(text: &str) -> Option<Self> {
        let (about, rest) = text.split_once('\n')?;
        let (since, names) = about.strip_prefix("# since ")?.split_once(" for ")?;
        let (present, next) = rest.split_once(BETWEEN)?;
        let parts = [present.to_owned(), next.to_owned()];
        for part in &parts {
            let _: PrivateKeyDer<'_> = PrivateKeyDer::from_pem_slice(part.as_bytes()).ok()?;
            let _: CertificateDer<'_> = CertificateDer::from_pem_slice(part.as_bytes()).ok()?;
        }
        Some(Self { since: since.parse().ok()?, names: names.to_owned(), parts })
    }

    fn write(&self) -> String {
        let [present, next] = &self.parts;
        format!("# since {} for {}\n{present}{BETWEEN}{next}", self.since, self.names)
    }
}

const BETWEEN: &str = "# next\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u64) -> Time {
        Time::from_unix_seconds(1_700_000_000 + day * 86_400)
    }

    #[test]
    fn the_next_certificate_is_told_before_it_is_used() {
        let folder = std::env::temp_dir().join(format!("pinned-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let names = vec!["localhost".to_owned()];
        let hashes = |at| load(&folder, &names, day(at)).unwrap().hashes;
        let first = hashes(0);
        assert_eq!(hashes(4), first, "a restart keeps them");
        let second = hashes(5);
        assert_eq!(second[0], first[1], "what was next is in use");
        assert!(!first.contains(&second[1]));
        assert_eq!(hashes(9), second);
        let late = hashes(20);
        assert!(!late.iter().any(|hash| second.contains(hash)), "both ended meanwhile");
        let others = load(&folder, &["desk.example".to_owned()], day(20)).unwrap().hashes;
        assert_ne!(others, late, "they are for other names");
        fs::write(folder.join(FILE), "# since 5 for x\nnonsense").unwrap();
        load(&folder, &names, day(20)).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}
