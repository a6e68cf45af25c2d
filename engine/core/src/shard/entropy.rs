//! Ids that cannot be guessed, from a seed that is given.

use desk_protocol::{ClientId, LinkId};

use crate::placement::partition;

/// A generator of unguessable numbers: BLAKE3 in keyed mode over a counter.
pub(crate) struct Entropy {
    seed: [u8; 32],
    drawn: u64,
}

impl Entropy {
    /// From 32 bytes that nobody else knows, fresh at every start.
    pub(crate) const fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    fn draw(&mut self) -> u128 {
        self.drawn += 1;
        let hash = blake3::keyed_hash(&self.seed, &self.drawn.to_le_bytes());
        u128::from_le_bytes(hash.as_bytes()[..16].try_into().expect("a hash has 32 bytes"))
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.draw() as u64
    }

    pub(crate) fn client(&mut self) -> ClientId {
        ClientId(self.draw())
    }

    /// The key of a new desk, where it fits.
    pub(crate) fn desk(&mut self, second: u32, fits: impl Fn(LinkId) -> bool) -> LinkId {
        self.link_where(second, fits)
    }

    /// A further link of a desk: it shares the desk's second and partition, so
    /// that any link leads to the desk's owner without a table.
    pub(crate) fn alias(&mut self, desk: LinkId) -> LinkId {
        self.link_where(desk.created_second(), |link| partition(link) == partition(desk))
    }

    /// Hashes one draw on, so that a thousand tries cost a thousand additions.
    fn link_where(&mut self, second: u32, fits: impl Fn(LinkId) -> bool) -> LinkId {
        let start = self.draw();
        // The low 20 bits run through all values: a fit is certain in practice
        // and the other 76 bits stay as drawn.
        for step in 0..1u128 << 20 {
            let link = LinkId::new(second, start ^ step);
            if fits(link) {
                return link;
            }
        }
        unreachable!("one link in 1,024 fits, and a million were tried")
    }
}
