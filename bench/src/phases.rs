//! What is done to each server under test, in which order, and what is kept.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::desk_client::DeskClient;
use crate::generator::{Generator, Load, Measured};
use crate::limits::{BATCHED, EQUAL_RATE_PER_SECOND};
use crate::participant::Participant;
use crate::process::{Cores, Subject};
use crate::shape::Shape;
use crate::subject::{
    DeskServer, Places, Relay, check_convergence, join_desks, join_relay, start_relay,
};

/// How long each phase runs.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    /// Before measuring.
    pub warm: Duration,
    /// Measured.
    pub measured: Duration,
}

/// A server at its limit, with one shape in one round.
#[derive(Clone, Debug)]
pub struct Saturated {
    /// One operation a batch.
    pub single: Measured,
    /// Eight operations a batch.
    pub batched: Measured,
}

/// A server with load to spare.
#[derive(Clone, Debug)]
pub struct Paced {
    /// At half the rate of [`Saturated::single`].
    pub half: Measured,
    /// At the rate at which everything is compared.
    pub equal: Measured,
}

fn phase<P: Participant>(
    generator: &mut Generator<P>,
    process: &Subject,
    lengths: Lengths,
    load: Load,
) -> Result<Measured> {
    let measured = generator.measure(load, lengths.warm, lengths.measured, || process.cpu_ns())?;
    ensure!(measured.operations > 0, "nothing came through under {load:?}: {measured:?}");
    Ok(measured)
}

/// A server at its limit, one operation a batch.
///
/// # Errors
/// Something was lost, or nothing came through.
pub fn single<P: Participant>(
    generator: &mut Generator<P>,
    process: &Subject,
    lengths: Lengths,
) -> Result<Measured> {
    phase(generator, process, lengths, Load::Saturating { operations: 1 })
}

fn saturate<P: Participant>(
    generator: &mut Generator<P>,
    process: &Subject,
    lengths: Lengths,
) -> Result<Saturated> {
    let mut phase =
        |operations| phase(generator, process, lengths, Load::Saturating { operations });
    Ok(Saturated { single: phase(1)?, batched: phase(BATCHED)? })
}

fn pace<P: Participant>(
    generator: &mut Generator<P>,
    process: &Subject,
    lengths: Lengths,
    saturation_per_second: f64,
) -> Result<Paced> {
    let mut phase =
        |rate_per_second| phase(generator, process, lengths, Load::Open { rate_per_second });
    Ok(Paced { half: phase(saturation_per_second / 2.0)?, equal: phase(EQUAL_RATE_PER_SECOND)? })
}

/// A fresh server of ours under all phases. At the end all replicas must be
/// equal, and the server, killed and started again, must still have it all.
pub fn desk(
    places: &Places,
    cores: Cores,
    shape: Shape,
    lengths: Lengths,
    seed: u64,
) -> Result<(Saturated, Paced)> {
    let server = DeskServer::start(places, cores)?;
    let mut generator = join_desks(&server.process.address, shape, seed)?;
    let saturated = saturate(&mut generator, &server.process, lengths)?;
    let paced = pace(&mut generator, &server.process, lengths, saturated.single.rate())?;
    check_convergence(&mut generator)?;
    let server = server.restart(places, cores)?;
    check_durability(&generator, &server.process.address)?;
    server.end()?;
    Ok((saturated, paced))
}

/// A fresh relay under all phases.
pub fn relay(
    places: &Places,
    cores: Cores,
    relay: Relay,
    shape: Shape,
    lengths: Lengths,
    seed: u64,
) -> Result<(Saturated, Paced)> {
    let process = start_relay(places, cores, relay)?;
    let mut generator = join_relay(&process.address, shape, seed, relay.answers())?;
    let saturated = saturate(&mut generator, &process, lengths)?;
    let paced = pace(&mut generator, &process, lengths, saturated.single.rate())?;
    Ok((saturated, paced))
}

/// A fresh relay at its limit.
pub fn saturated_relay(
    places: &Places,
    cores: Cores,
    relay: Relay,
    shape: Shape,
    lengths: Lengths,
    seed: u64,
) -> Result<Saturated> {
    let process = start_relay(places, cores, relay)?;
    let mut generator = join_relay(&process.address, shape, seed, relay.answers())?;
    saturate(&mut generator, &process, lengths)
}

/// Looks at the desks once more, at a server that was killed.
fn check_durability(generator: &Generator<DeskClient>, address: &str) -> Result<()> {
    for room in 0..generator.room_count() {
        let Some(client) = generator.participants(room).next() else { continue };
        let found = crate::subject::look_at(address, client.session_key())?;
        ensure!(
            found == *client.confirmed(),
            "room {room}: a killed server came back with revision {} instead of {}, or another \
             content",
            found.revision(),
            client.revision(),
        );
    }
    Ok(())
}
