//! Two places and the line between them.

use std::fs::File;
use std::time::Duration;

use crate::fates::{Fates, Quality};
use crate::place::Place;
use crate::router::Router;
use crate::tun;

/// The address of the near place at first.
pub const NEAR: &str = "10.77.0.1";

/// Its address after [`Network::change_address`].
pub const NEAR_NEXT: &str = "10.77.0.3";

/// The address of the far place.
pub const FAR: &str = "10.77.0.2";

/// The name of the device in each place.
const DEVICE: &str = "line";

/// Two places joined by a line.
#[derive(Debug)]
pub struct Network {
    near: Place,
    far: Place,
    router: Router,
}

impl Network {
    /// Makes the places and joins them.
    ///
    /// # Errors
    /// This machine does not allow it: what it said.
    pub fn new(seed: u64, quality: Quality) -> Result<Self, String> {
        let (near, far) = (Place::new()?, Place::new()?);
        let devices = [join(&near, NEAR)?, join(&far, FAR)?];
        let router = Router::start(devices, Fates::new(seed, quality));
        Ok(Self { near, far, router })
    }

    /// Where clients are.
    pub fn near(&self) -> &Place {
        &self.near
    }

    /// Where the server is.
    pub fn far(&self) -> &Place {
        &self.far
    }

    /// Another quality, from now on.
    pub fn set_quality(&self, quality: Quality) {
        self.router.set_quality(quality);
    }

    /// Nothing passes, or all passes again.
    pub fn cut(&self, cut: bool) {
        self.router.cut(cut);
    }

    /// How much later than the line's delay a packet has left at the most, since this was
    /// asked last: the machine was too busy for the router then.
    pub fn take_lag(&self) -> Duration {
        self.router.take_lag()
    }

    /// The near place gets another address and loses the first, as a phone that changes
    /// its network.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn change_address(&self) -> Result<(), String> {
        self.near.ip(&format!("address add {NEAR_NEXT}/32 dev {DEVICE}"))?;
        self.near.ip(&format!("address del {NEAR}/32 dev {DEVICE}"))
    }
}

/// Gives a place its device and its address; all else is behind the device.
fn join(place: &Place, address: &str) -> Result<File, String> {
    let device = place.run(|| tun::open(DEVICE)).flatten();
    let device = device.map_err(|error| format!("/dev/net/tun: {error}"))?;
    place.ip(&format!("address add {address}/32 dev {DEVICE}"))?;
    place.ip(&format!("link set {DEVICE} mtu 1500 up"))?;
    place.ip(&format!("route add default dev {DEVICE}"))?;
    Ok(device)
}
