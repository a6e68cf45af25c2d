//! The part `brief`: the load that the product is sized for, 500,000 people who each send an
//! operation a second, as far as one machine and its descriptors hold it.

use std::time::Duration;

use anyhow::Result;

use crate::generator::{Load, Measured};
use crate::process::Cores;
use crate::report::{Goal, Row};
use crate::shape::Shape;
use crate::subject::{
    DeskServer, Places, Relay, check_convergence, join_desks, join_relay, start_relay,
};

/// Connections of each step. A process may open 20,000 descriptors here.
const CONNECTIONS: [usize; 3] = [2_000, 8_000, 19_000];

/// People on a desk.
const PER_DESK: usize = 5;

/// Operations a second on 2,000 connections, beside the limit.
const DENSE_PER_SECOND: f64 = 20_000.0;

/// Server time of an operation against the limit's at that rate.
const DENSE_RATIO: f64 = 1.3;

/// People whom the product is sized for, and the share of a core that they may use.
const PEOPLE: f64 = 500_000.0;
const USE: f64 = 0.6;

/// Rounds; the longest has the joining of 29,000 clients.
pub const ROUNDS: usize = 3;

/// How long a load runs before it is measured, and how long it is measured.
const WARM: Duration = Duration::from_secs(1);
const MEASURED: Duration = Duration::from_secs(5);

/// All rounds so far.
#[derive(Debug, Default)]
pub struct Brief {
    steps: [Vec<Step>; CONNECTIONS.len()],
    dense: Vec<(Measured, Measured)>,
}

/// One load.
#[derive(Debug)]
struct Step {
    measured: Measured,
    /// Memory of the server at the end, its desks included, in KiB.
    memory_kib: u64,
}

impl Brief {
    /// One round; a quick one leaves out the most connections. `progress` is told what begins.
    pub fn round(
        &mut self,
        places: &Places,
        cores: Cores,
        quick: bool,
        seed: u64,
        progress: impl Fn(&str),
    ) -> Result<()> {
        let steps = CONNECTIONS.into_iter().zip(&mut self.steps);
        for (connections, steps) in steps.take(if quick { 2 } else { CONNECTIONS.len() }) {
            progress(&format!("{connections} people, an operation a second each"));
            steps.push(desk(places, cores, connections, connections as f64, seed)?);
        }
        progress("2,000 people, ten operations a second each, and the limit");
        let dense = desk(places, cores, CONNECTIONS[0], DENSE_PER_SECOND, seed)?;
        let limit = limit(places, cores, CONNECTIONS[0], DENSE_PER_SECOND, seed)?;
        self.dense.push((dense.measured, limit));
        Ok(())
    }

    /// The rows of all rounds so far.
    pub fn rows(&self) -> Vec<Row> {
        let steps = || CONNECTIONS.into_iter().zip(&self.steps).filter(|(_, all)| !all.is_empty());
        let mut rows: Vec<Row> = steps().flat_map(|(count, steps)| rows_of(count, steps)).collect();
        let most = steps().next_back().into_iter().flat_map(|(_, steps)| steps);
        let cores = most.map(|step| cores_for(PEOPLE, step.measured.cpu_us_per_operation()));
        rows.push(Row::new(
            "brief.cores",
            "Cores for 500,000 people at an operation a second each and 60% use: the server time \
             of an operation with the most connections, times 500,000, by 0.6 seconds",
            "cores",
            Goal::at_most(12.0),
            &cores.collect::<Vec<_>>(),
        ));
        let figure = Measured::cpu_us_per_operation;
        let ratios = self.dense.iter().map(|(desk, limit)| figure(desk) / figure(limit));
        rows.push(Row::new(
            "brief.dense.limit_ratio",
            "Server time of an operation at 20,000 a second over 2,000 connections, against the \
             limit's: the same input and output and nothing else",
            "×",
            Goal::at_most(DENSE_RATIO),
            &ratios.collect::<Vec<_>>(),
        ));
        rows
    }
}

fn cores_for(people: f64, cpu_us: f64) -> f64 {
    people * cpu_us / 1e6 / USE
}

fn rows_of(connections: usize, steps: &[Step]) -> Vec<Row> {
    let each = |figure: &dyn Fn(&Step) -> f64| steps.iter().map(figure).collect::<Vec<_>>();
    let people = format!("{connections} people on desks of {PER_DESK}, an operation a second each");
    let row = |name: &str, what: String, unit, target, samples: Vec<f64>| {
        Row::new(format!("brief.{connections}.{name}"), what, unit, Goal::at_most(target), &samples)
    };
    vec![
        row(
            "cpu_us_per_op",
            format!("Server time of a durable operation, {people}"),
            "µs",
            12.0,
            each(&|step| step.measured.cpu_us_per_operation()),
        ),
        row(
            "p50_us",
            format!("From when an operation was due until another had it, half of all, {people}"),
            "µs",
            2_000.0,
            each(&|step| step.measured.latency.at(0.5)),
        ),
        row(
            "p99_us",
            format!("The same, 99 of 100, {people}"),
            "µs",
            10_000.0,
            each(&|step| step.measured.latency.at(0.99)),
        ),
        row(
            "memory_kib",
            format!("Resident memory of the server by connection, desks included, {people}"),
            "KiB",
            30.0,
            each(&|step| step.memory_kib as f64 / connections as f64),
        ),
    ]
}

fn shape(connections: usize) -> Shape {
    Shape { rooms: connections / PER_DESK, clients: PER_DESK }
}

/// A fresh server of ours. At the end all replicas must be equal.
fn desk(
    places: &Places,
    cores: Cores,
    connections: usize,
    rate_per_second: f64,
    seed: u64,
) -> Result<Step> {
    let server = DeskServer::start(places, cores)?;
    let mut generator = join_desks(&server.process.address, shape(connections), seed)?;
    let load = Load::Open { rate_per_second };
    let measured = generator.measure(load, WARM, MEASURED, || server.process.cpu_ns())?;
    let memory_kib = server.process.memory()?.resident_kib;
    check_convergence(&mut generator)?;
    server.end()?;
    Ok(Step { measured, memory_kib })
}

/// The relay that makes messages durable.
fn limit(
    places: &Places,
    cores: Cores,
    connections: usize,
    rate_per_second: f64,
    seed: u64,
) -> Result<Measured> {
    let relay = start_relay(places, cores, Relay::Durable)?;
    let mut generator = join_relay(&relay.address, shape(connections), seed, true)?;
    generator.measure(Load::Open { rate_per_second }, WARM, MEASURED, || relay.cpu_ns())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_follow_from_the_time_of_an_operation() {
        assert!((cores_for(500_000.0, 12.0) - 10.0).abs() < 1e-9);
    }
}
