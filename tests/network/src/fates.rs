//! What becomes of each packet.

use std::time::Duration;

/// How bad a line is, the same in both directions.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Quality {
    /// How long a packet takes; half of a round trip.
    pub delay: Duration,
    /// The share of packets that are lost.
    pub loss: f64,
    /// The share of packets that later ones overtake.
    pub reordered: f64,
    /// The share of packets that arrive twice.
    pub doubled: f64,
}

/// The direction of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the near place to the far one.
    There,
    /// From the far place to the near one.
    Back,
}

/// When a packet arrives, and when it does so once more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fate {
    /// `None`: never.
    pub first: Option<Duration>,
    /// Of a packet that is doubled.
    pub second: Option<Duration>,
}

/// How much longer a packet takes that others overtake, as a share of the delay.
const DETOUR: f64 = 0.25;

/// The fates of packets, one after the other. The nth packet of a direction has the same
/// fate for the same seed, whatever the other direction does.
#[derive(Clone, Debug)]
pub struct Fates {
    quality: Quality,
    cut: bool,
    ways: [Stream; 2],
}

#[derive(Clone, Debug)]
struct Stream {
    random: u64,
    /// When the newest packet that took no detour arrives.
    newest: Duration,
}

impl Fates {
    /// Fates from a seed.
    pub fn new(seed: u64, quality: Quality) -> Self {
        let stream = |salt| Stream { random: seed ^ salt, newest: Duration::ZERO };
        let ways = [stream(0), stream(0x5851_f42d_4c95_7f2d)];
        Self { quality, cut: false, ways }
    }

    /// Another quality, from now on.
    pub const fn set_quality(&mut self, quality: Quality) {
        self.quality = quality;
    }

    /// Nothing passes, or all passes again.
    pub const fn cut(&mut self, cut: bool) {
        self.cut = cut;
    }

    /// The fate of the next packet of a direction, sent at `now`. Times count from any
    /// one start.
    pub fn next(&mut self, now: Duration, way: Way) -> Fate {
        let Quality { delay, loss, reordered, doubled } = self.quality;
        let stream = &mut self.ways[way as usize];
        // As many draws for each packet, whatever becomes of it.
        let [lost, late, twice] = [stream.unit(), stream.unit(), stream.unit()];
        if self.cut || lost < loss {
            return Fate::default();
        }
        let straight = now + delay;
        let first = if late < reordered {
            straight + delay.mul_f64(DETOUR)
        } else {
            stream.newest = stream.newest.max(straight);
            stream.newest
        };
        Fate { first: Some(first), second: (twice < doubled).then_some(first) }
    }
}

impl Stream {
    /// A number in [0, 1): SplitMix64 (Steele, Lea and Flood, 2014).
    fn unit(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(100);
    const BAD: Quality = Quality { delay: DELAY, loss: 0.1, reordered: 0.05, doubled: 0.02 };

    fn many(seed: u64, quality: Quality) -> Vec<Fate> {
        let mut fates = Fates::new(seed, quality);
        let at = |packet: u64| Duration::from_micros(10 * packet);
        (0..100_000).map(|packet| fates.next(at(packet), Way::There)).collect()
    }

    #[test]
    fn packets_are_lost_overtaken_and_doubled_as_often_as_told() {
        let all = many(7, BAD);
        let share = |what: fn(&(usize, &Fate)) -> bool| {
            all.iter().enumerate().filter(what).count() as f64 / all.len() as f64
        };
        let close = |share: f64, told: f64| assert!((share - told).abs() < told / 10.0, "{share}");
        close(share(|(_, fate)| fate.first.is_none()), 0.1);
        close(share(|(_, fate)| fate.second.is_some()), 0.9 * 0.02);
        let late = |(packet, fate): &(usize, &Fate)| {
            let sent = Duration::from_micros(10 * *packet as u64);
            fate.first.is_some_and(|at| at > sent + DELAY)
        };
        close(share(late), 0.9 * 0.05);
    }

    #[test]
    fn a_direction_is_a_stream_of_its_own() {
        let mut alone = Fates::new(3, BAD);
        let mut both = Fates::new(3, BAD);
        for packet in 0..1_000 {
            let now = Duration::from_millis(packet);
            both.next(now, Way::Back);
            assert_eq!(alone.next(now, Way::There), both.next(now, Way::There));
        }
    }

    #[test]
    fn without_detours_nothing_overtakes_also_when_the_delay_shrinks() {
        let mut fates = Fates::new(1, Quality { delay: DELAY, ..Quality::default() });
        let slow = fates.next(Duration::ZERO, Way::There).first;
        fates.set_quality(Quality::default());
        assert_eq!(fates.next(Duration::from_millis(1), Way::There).first, slow);
    }

    #[test]
    fn a_cut_line_passes_nothing_and_repeats_its_fates_after() {
        let mut cut = Fates::new(5, BAD);
        let mut whole = Fates::new(5, BAD);
        cut.cut(true);
        for _ in 0..50 {
            assert_eq!(cut.next(Duration::ZERO, Way::There), Fate::default());
            whole.next(Duration::ZERO, Way::There);
        }
        cut.cut(false);
        let later = Duration::from_secs(9);
        for _ in 0..50 {
            let (one, other) = (cut.next(later, Way::There), whole.next(later, Way::There));
            assert_eq!(one.first.is_some(), other.first.is_some());
        }
    }
}
