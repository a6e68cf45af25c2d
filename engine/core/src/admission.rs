//! How often one address may do what costs the server, or a desk, something for
//! long: make desks, join them, replace their links.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::time::Duration;

use desk_protocol::Time;

use crate::bucket::{Bucket, Rate};
use crate::limits::RATED_ADDRESSES_MAX;

/// Where a request comes from: an IPv4 address, or the first 64 bits of an IPv6
/// address, since whoever has one of those has the 2^64 others beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Source(u128);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().to_bits()),
            IpAddr::V6(address) => Self(address.to_bits() >> 64 << 64),
        }
    }
}

/// One rate, held for each key on its own. Of too many keys the longest unused is
/// forgotten, which gives it a full burst again.
#[derive(Debug)]
pub(crate) struct Rates<K> {
    rate: Rate,
    buckets: BTreeMap<K, (Bucket, u64)>,
    by_use: BTreeMap<u64, K>,
    uses: u64,
}

impl<K: Ord + Copy> Rates<K> {
    pub(crate) const fn new(rate: Rate) -> Self {
        Self { rate, buckets: BTreeMap::new(), by_use: BTreeMap::new(), uses: 0 }
    }

    /// Takes one time for a key.
    ///
    /// # Errors
    /// How long it takes until there is one.
    pub(crate) fn take(&mut self, now: Time, key: K) -> Result<(), Duration> {
        let Rate { per_minute, burst } = self.rate;
        let fresh = || (Bucket::new(per_minute, MINUTE, burst, now), 0);
        let (bucket, used) = self.buckets.entry(key).or_insert_with(fresh);
        self.by_use.remove(used);
        self.uses += 1;
        *used = self.uses;
        self.by_use.insert(self.uses, key);
        let taken = bucket.try_take(now);
        if self.buckets.len() > RATED_ADDRESSES_MAX {
            let (_, longest_unused) = self.by_use.pop_first().expect("each bucket was used");
            self.buckets.remove(&longest_unused);
        }
        taken
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// What an address may do only so often, on all desks together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Make a desk.
    Create,
    /// Join one.
    Join,
    /// Replace a link.
    Rotate,
}

/// How often an address may do each of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdmissionLimits {
    /// Of making desks.
    pub create: Rate,
    /// Of joining desks.
    pub join: Rate,
    /// Of replacing links.
    pub rotate: Rate,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        use crate::limits::*;
        Self { create: CREATE_RATE, join: JOIN_RATE, rotate: ROTATE_RATE }
    }
}

/// The rates of all addresses that were here lately; one for the process.
#[derive(Debug)]
pub struct Admission {
    create: Rates<Source>,
    join: Rates<Source>,
    rotate: Rates<Source>,
}

impl Admission {
    /// Nobody was here yet.
    pub const fn new(limits: AdmissionLimits) -> Self {
        Self {
            create: Rates::new(limits.create),
            join: Rates::new(limits.join),
            rotate: Rates::new(limits.rotate),
        }
    }

    /// Lets an address do something, and counts it.
    ///
    /// # Errors
    /// How long it has to wait.
    pub fn admit(&mut self, now: Time, source: Source, action: Action) -> Result<(), Duration> {
        let rates = match action {
            Action::Create => &mut self.create,
            Action::Join => &mut self.join,
            Action::Rotate => &mut self.rotate,
        };
        rates.take(now, source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(address: &str) -> Source {
        Source::from(address.parse::<IpAddr>().expect("an address"))
    }

    #[test]
    fn an_ipv6_site_is_one_address_and_an_ipv4_address_is_itself() {
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1:2:3"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("192.0.2.1"), source("::ffff:192.0.2.1"));
    }

    #[test]
    fn a_rate_gives_its_burst_then_so_many_a_minute_to_each_alone() {
        let mut rates = Rates::new(Rate { per_minute: 2, burst: 3 });
        assert!((0..3).all(|_| rates.take(Time(0), 1).is_ok()));
        let wait = rates.take(Time(0), 1).unwrap_err();
        assert_eq!(wait.as_secs(), 30);
        assert!(rates.take(Time(0), 2).is_ok());
        assert!(rates.take(Time(0) + wait, 1).is_ok(), "who waits as told gets in");
        assert!(rates.take(Time(0) + wait, 1).is_err());
    }

    #[test]
    fn the_table_of_addresses_is_bounded_and_keeps_those_that_come_often() {
        let mut rates = Rates::new(Rate { per_minute: 1, burst: 1 });
        assert!(rates.take(Time(0), 0).is_ok());
        for key in 1..=RATED_ADDRESSES_MAX + 10 {
            assert!(rates.take(Time(0), key).is_ok());
            assert!(rates.take(Time(0), 0).is_err(), "it was forgotten");
        }
        assert_eq!(rates.buckets.len(), RATED_ADDRESSES_MAX);
        assert_eq!(rates.by_use.len(), RATED_ADDRESSES_MAX);
    }
}
