//! The part `compare`: what one operation costs other servers that people edit together by, in the
//! same rounds as ours and as two relays. Everyone has one operation in flight, over WebSocket.
//! An operation counts once every other client of its room has it. Ours is durable by then, and
//! so is what the second relay passes on; nothing that the others hold survives their end.

use anyhow::Result;

use crate::generator::Measured;
use crate::idle::{self, IdleCost};
use crate::limits::IDLE_CONNECTIONS;
use crate::peers::Peer;
use crate::phases::{self, Lengths};
use crate::process::Cores;
use crate::report::{Goal, Row};
use crate::shape::Shape;
use crate::subject::{
    DeskServer, Places, Relay, check_convergence, join_desks, join_relay, start_relay,
};

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Server {
    Ours,
    Relay(Relay),
    Other(Peer),
}

impl Server {
    fn all() -> impl Iterator<Item = Self> {
        let ours = [Self::Ours, Self::Relay(Relay::Bare), Self::Relay(Relay::Durable)];
        ours.into_iter().chain(Peer::ALL.map(Self::Other))
    }

    fn name(self) -> String {
        match self {
            Self::Ours => "Sticker Desk".to_owned(),
            Self::Relay(Relay::Durable) => "relay of ours, durable".to_owned(),
            Self::Relay(_) => "relay of ours".to_owned(),
            Self::Other(peer) => peer.to_string(),
        }
    }

    fn saturated(
        self,
        places: &Places,
        cores: Cores,
        shape: Shape,
        lengths: Lengths,
        seed: u64,
    ) -> Result<Measured> {
        match self {
            Self::Ours => {
                let server = DeskServer::start(places, cores)?;
                let mut generator = join_desks(&server.process.address, shape, seed)?;
                let measured = phases::single(&mut generator, &server.process, lengths)?;
                check_convergence(&mut generator)?;
                server.end()?;
                Ok(measured)
            }
            Self::Relay(relay) => {
                let process = start_relay(places, cores, relay)?;
                let answers = relay.answers();
                let mut generator = join_relay(&process.address, shape, seed, answers)?;
                phases::single(&mut generator, &process, lengths)
            }
            Self::Other(peer) => peer.saturated(cores, shape, lengths, seed),
        }
    }

    /// Of the durable relay it would be the bare one's once more.
    fn idle(self, places: &Places, cores: Cores, seed: u64) -> Result<Option<IdleCost>> {
        match self {
            Self::Ours => idle::desk(places, cores, seed).map(Some),
            Self::Relay(Relay::Bare) => idle::relay(places, cores, seed).map(Some),
            Self::Relay(_) => Ok(None),
            Self::Other(peer) => peer.idle(cores, seed).map(Some),
        }
    }
}

/// What all rounds found of one server.
#[derive(Debug)]
struct Samples {
    server: Server,
    shapes: [Vec<Measured>; 3],
    idle: Vec<IdleCost>,
}

/// The samples of all rounds.
#[derive(Debug)]
pub struct Compare {
    servers: Vec<Samples>,
}

impl Default for Compare {
    fn default() -> Self {
        let samples = |server| Samples { server, shapes: Default::default(), idle: Vec::new() };
        Self { servers: Server::all().map(samples).collect() }
    }
}

/// A figure of a phase.
type Figure = fn(&Measured) -> f64;

impl Compare {
    /// One round over all shapes and servers. `progress` is told what was found.
    ///
    /// # Errors
    /// A server did what it must not, or an operation was lost.
    pub fn round(
        &mut self,
        places: &Places,
        cores: Cores,
        lengths: Lengths,
        seed: u64,
        progress: impl Fn(&str),
    ) -> Result<()> {
        for (index, shape) in Shape::ALL.into_iter().enumerate() {
            for samples in &mut self.servers {
                let measured = samples.server.saturated(places, cores, shape, lengths, seed)?;
                progress(&format!(
                    "{shape}, {}: {:.1} µs an operation, {:.0} a second, core busy {:.0}%, the \
                     generator's {:.0}%",
                    samples.server.name(),
                    measured.cpu_us_per_operation(),
                    measured.rate(),
                    100.0 * measured.server_busy(),
                    100.0 * measured.generator_busy,
                ));
                samples.shapes[index].push(measured);
            }
        }
        for samples in &mut self.servers {
            let idle = samples.server.idle(places, cores, seed)?;
            if let Some(idle) = idle {
                let name = samples.server.name();
                progress(&format!("{name}: {:.1} KiB a connection", idle.resident_kib));
            }
            samples.idle.extend(idle);
        }
        Ok(())
    }

    /// The rows of all rounds so far.
    pub fn rows(&self) -> Vec<Row> {
        let figures: [(&str, &str, Figure); 2] = [
            ("cpu_us_per_op", "an operation", Measured::cpu_us_per_operation),
            ("cpu_us_per_delivery", "each client that it came to", Measured::cpu_us_per_delivery),
        ];
        let mut rows = Vec::new();
        for (index, shape) in Shape::ALL.into_iter().enumerate() {
            for (id, of, figure) in figures {
                let what = format!(
                    "Server time for {of}, saturated, {} rooms of {}, one operation a client in \
                     flight; ours durable, of the others only the durable relay",
                    shape.rooms, shape.clients
                );
                let each = |samples: &Samples| samples.shapes[index].iter().map(figure).collect();
                let row = self.row(format!("compare.{shape}.{id}"), what, "µs", each);
                rows.push(row.note(self.busy(index)));
            }
        }
        let what = format!(
            "Memory of an idle WebSocket connection, from the slope up to {IDLE_CONNECTIONS} of \
             them, {} a room, the kernel's socket buffers left out",
            idle::PER_ROOM
        );
        let each = |samples: &Samples| samples.idle.iter().map(|cost| cost.resident_kib).collect();
        rows.push(self.row("compare.idle.resident_kib".to_owned(), what, "KiB", each));
        rows
    }

    /// Ours beside the others. The goal is the cheapest of those that merge.
    fn row(
        &self,
        id: String,
        what: String,
        unit: &str,
        each: impl Fn(&Samples) -> Vec<f64>,
    ) -> Row {
        let found = self.servers.iter().map(|samples| (samples.server, each(samples)));
        let (ours, others): (Vec<_>, Vec<_>) =
            found.filter(|(_, each)| !each.is_empty()).partition(|(s, _)| *s == Server::Ours);
        let merging = others.iter().filter(|(server, _)| match server {
            Server::Other(peer) => peer.merges(),
            _ => false,
        });
        let none = Goal::at_most(0.0);
        let summary = |each: &[f64]| {
            let row = Row::new("", "", unit, none, each);
            (row.value, row.spread)
        };
        let cheapest = merging.map(|(_, each)| summary(each).0).fold(f64::INFINITY, f64::min);
        let named = others.iter().map(|(server, each)| (server.name(), summary(each)));
        Row::new(id, what, unit, Goal::at_most(cheapest), &ours[0].1).spread_peers(named)
    }

    /// A server that waits on purpose is not busy when everybody waits for it.
    fn busy(&self, shape: usize) -> String {
        let each = self.servers.iter().map(|samples| {
            let mut busy: Vec<_> =
                samples.shapes[shape].iter().map(Measured::server_busy).collect();
            busy.sort_by(f64::total_cmp);
            format!("{} {:.0}%", samples.server.name(), 100.0 * busy[busy.len() / 2])
        });
        format!("the server's core was busy: {}", each.collect::<Vec<_>>().join(", "))
    }
}
