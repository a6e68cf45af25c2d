//! What a connection costs that does nothing.

use anyhow::{Context as _, Result, ensure};

use crate::clock::Clock;
use crate::desk_client::DeskClient;
use crate::generator::Generator;
use crate::join::{Reception, WEBSOCKET_TARGET};
use crate::limits::IDLE_CONNECTIONS;
use crate::process::{Cores, Memory};
use crate::random::Random;
use crate::socket::Socket;
use crate::subject::{DeskServer, Places, Relay, start_relay};

/// Connections between two looks at the memory.
pub const STEP: usize = IDLE_CONNECTIONS / 5;

/// Connections of a desk, or of a relay's room: few desks, so that it is the
/// connections that are measured.
pub const PER_ROOM: usize = 100;

/// KiB for each idle connection.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct IdleCost {
    /// Of all resident memory.
    pub resident_kib: f64,
    /// Of heap and stacks alone.
    pub anonymous_kib: f64,
}

impl IdleCost {
    /// The slope of a line through `(connections, memory)` by least squares, so
    /// that what the server has anyway, and takes in blocks, cancels out.
    pub fn slope(points: &[(usize, Memory)]) -> Self {
        let line = |kib: fn(&Memory) -> u64| {
            let count = points.len() as f64;
            let mean_x = points.iter().map(|(x, _)| *x as f64).sum::<f64>() / count;
            let mean_y = points.iter().map(|(_, y)| kib(y) as f64).sum::<f64>() / count;
            let (mut above, mut below) = (0.0, 0.0);
            for (x, y) in points {
                above += (*x as f64 - mean_x) * (kib(y) as f64 - mean_y);
                below += (*x as f64 - mean_x).powi(2);
            }
            above / below
        };
        Self {
            resident_kib: line(|memory| memory.resident_kib),
            anonymous_kib: line(|memory| memory.anonymous_kib),
        }
    }
}

/// Of our server: connections that said hello, were brought up to date, and are
/// silent since.
pub fn desk(places: &Places, cores: Cores, seed: u64) -> Result<IdleCost> {
    let server = DeskServer::start(places, cores)?;
    let address = server.process.address.clone();
    let mut random = Random::new(seed);
    let clock = Clock::start();
    let mut generator = Generator::new(clock, random.bits())?;
    let mut reception = Reception::open(&address)?;
    let mut desk = String::new();
    let mut points = Vec::new();
    for number in 0..=IDLE_CONNECTIONS {
        if number % STEP == 0 {
            generator.settle("joining", |all: &Generator<DeskClient>| {
                (0..all.room_count()).all(|room| all.participants(room).all(DeskClient::is_settled))
            })?;
            points.push((number, server.process.memory()?));
        }
        if number % PER_ROOM == 0 {
            generator.add_room(PER_ROOM);
            desk = reception.create("an idle desk")?.0;
        }
        if number < IDLE_CONNECTIONS {
            let key = reception.join(&desk)?;
            let socket = Socket::open(&address, WEBSOCKET_TARGET, &key, random.bits())?;
            let client = DeskClient::new(clock.now(), &key, random.bits());
            generator.join(number / PER_ROOM, socket, client)?;
        }
    }
    server.end()?;
    cost(&points)
}

/// Of the relay.
pub fn relay(places: &Places, cores: Cores, seed: u64) -> Result<IdleCost> {
    let process = start_relay(places, cores, Relay::Bare)?;
    let mut random = Random::new(seed);
    let mut sockets: Vec<Socket> = Vec::new();
    let mut points = Vec::new();
    for number in 0..=IDLE_CONNECTIONS {
        if number % STEP == 0 {
            points.push((number, process.memory()?));
        }
        let target = format!("/room/{}", number / PER_ROOM);
        sockets.push(Socket::open(&process.address, &target, "", random.bits())?);
    }
    cost(&points)
}

/// The slope behind the first steps.
///
/// # Errors
/// There are too few points.
pub fn cost(points: &[(usize, Memory)]) -> Result<IdleCost> {
    // The first connections bring pools and scratch memory with them.
    let settled = points.get(1..).context("there are several points")?;
    ensure!(settled.len() >= 3, "too few points for a slope");
    Ok(IdleCost::slope(settled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_leaves_out_what_is_there_anyway() {
        let point = |count: usize| {
            let kib = count as u64;
            (count, Memory { resident_kib: 50_000 + 5 * kib, anonymous_kib: 900 + 4 * kib })
        };
        let cost = IdleCost::slope(&[point(200), point(400), point(1_000)]);
        assert!((cost.resident_kib - 5.0).abs() < 1e-9);
        assert!((cost.anonymous_kib - 4.0).abs() < 1e-9);
    }
}
