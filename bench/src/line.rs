//! The bad line: what an operation takes over each transport, between two network
//! namespaces whose router treats UDP and TCP alike.
//!
//! A client is the product's own for programs. An operation is timed from the call that makes
//! it until it is durable. Router, server and generator go before others of the machine, and
//! a cell in which the router or the generator was late all the same is measured again.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use desk_client_native::{Carriers, Desk, NewSticker, Options, Server};
use desk_network::{FAR, Network, Quality};
use desk_protocol::frame::Presence;
use desk_protocol::sticker::Point;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::clock::Clock;
use crate::report::{Goal, Row};
use crate::subject::Places;

/// What carries the frames, the product's first choice first.
const CARRIERS: [(Carriers, &str); 4] = [
    (Carriers::Quic, "QUIC"),
    (Carriers::WebTransport, "WebTransport"),
    (Carriers::WebSocket, "WebSocket"),
    (Carriers::Poll, "HTTP requests"),
];

/// A figure for each of [`CARRIERS`].
type Each = [f64; CARRIERS.len()];

/// The place of WebSocket among them, which the first is compared with.
const WEBSOCKET: usize = 2;

/// Round trips, in milliseconds.
const ROUND_TRIPS_MS: [u64; 2] = [20, 200];

/// Packets lost, in percent.
const LOSSES: [u32; 4] = [0, 1, 5, 10];

/// Clients at a time, each on a desk of its own: one line has many of them.
const CLIENTS: usize = 10;

/// How late the router or the generator may be in a cell that counts.
const LAG_MAX: Duration = Duration::from_millis(40);

/// How often a cell is measured at the most. The last time counts whatever its lag.
const TRIES: usize = 4;

/// How often the generator looks whether it is late.
const LOOK: Duration = Duration::from_millis(5);

/// The niceness of what is timed.
const PRIORITY: i32 = -10;

/// How long nothing passes in an outage.
const OUTAGE: Duration = Duration::from_secs(30);

/// How long one cell may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(180);

/// How long one operation is waited for. It counts as that long, and its client stops.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// Rounds over all cells; each takes minutes.
pub const ROUNDS: usize = 3;

/// Others whose cursors move beside the measured clients.
const CROWD: usize = 20;

/// All clients come from one address, which may not bring so many by default.
const SETTINGS: &str = "\
[limits]
desks-per-minute = 1000000
desk-burst = 1000000
joins-per-minute = 1000000
join-burst = 1000000
newcomers-per-minute = 1000000
newcomer-burst = 1000000
";

/// What the rounds found.
#[derive(Debug, Default)]
pub struct Line {
    /// Latencies in milliseconds, for each round trip, loss and carrier: p50 and p99.
    cells: Vec<Vec<[f64; 2]>>,
    /// Round trips until an operation is durable after a change of address.
    hand_over: Vec<Each>,
    /// Milliseconds until what was made in an outage is durable, once the line is back.
    outage: Vec<Each>,
    /// How many times longer 99 of 100 operations take while cursors move.
    presence: Vec<Each>,
    /// Milliseconds that the router or the generator was late in cells that count.
    lag: Vec<f64>,
    /// Cells that were measured again.
    again: usize,
}

impl Line {
    /// Measures once. Says why not where the machine does not allow it.
    pub fn round(
        &mut self,
        places: &Places,
        quick: bool,
        seed: u64,
        progress: impl Fn(&str),
    ) -> Result<()> {
        let network = Network::new(seed, Quality::default());
        let network = network.map_err(|why| anyhow!("no bad line can be had here: {why}"))?;
        let server = Far::start(places, &network)?;
        let mut cells = Vec::new();
        for round_trip in ROUND_TRIPS_MS {
            for loss in LOSSES {
                progress(&format!("a line of {round_trip} ms that loses {loss}%"));
                let operations = if quick { 10 } else { 20 };
                let line = quality(round_trip, loss);
                for (carriers, name) in CARRIERS {
                    let times =
                        self.latencies(&network, line, carriers, operations, 0, &progress)?;
                    let cell = [at(&times, 0.5), at(&times, 0.99)];
                    progress(&format!("{name}: {:.0} ms, 99 of 100 in {:.0} ms", cell[0], cell[1]));
                    cells.push(cell);
                }
            }
        }
        self.cells.push(cells);
        progress("cursors beside operations");
        let line = quality(20, 1);
        let mut ratios = Each::default();
        for (ratio, (carriers, _)) in ratios.iter_mut().zip(CARRIERS) {
            let operations = if quick { 20 } else { 40 };
            let mut measured =
                |crowd| self.latencies(&network, line, carriers, operations, crowd, &progress);
            let (alone, beside) = (measured(0)?, measured(CROWD)?);
            *ratio = at(&beside, 0.99) / at(&alone, 0.99);
        }
        self.presence.push(ratios);
        progress("30 s without a line, then another address");
        network.set_quality(quality(200, 0));
        let (outage, hand_over) = breaks(&network)?;
        self.outage.push(outage);
        self.hand_over.push(hand_over);
        drop(server);
        Ok(())
    }

    /// Measures a cell until nobody was late in it.
    fn latencies(
        &mut self,
        network: &Network,
        line: Quality,
        carriers: Carriers,
        operations: usize,
        crowd: usize,
        progress: &impl Fn(&str),
    ) -> Result<Vec<f64>> {
        for left in (0..TRIES).rev() {
            let (times, own) = latencies(network, line, carriers, operations, crowd)?;
            let lag = own.max(network.take_lag());
            if left == 0 || lag <= LAG_MAX {
                self.lag.push(lag.as_secs_f64() * 1e3);
                return Ok(times);
            }
            self.again += 1;
            progress(&format!("late by {} ms: measured again", lag.as_millis()));
        }
        bail!("a cell is measured at least once")
    }

    /// The rows of all rounds.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut cell = 0;
        for round_trip in ROUND_TRIPS_MS {
            for loss in LOSSES {
                for (which, share) in [(0, 50), (1, 99)] {
                    let of = |carrier: usize| -> Vec<f64> {
                        self.cells.iter().map(|cells| cells[cell + carrier][which]).collect()
                    };
                    let websocket = middle(&of(WEBSOCKET));
                    // Where nothing is lost both wait for the same round trip.
                    let most = if loss == 5 && which == 1 { 0.5 } else { 1.1 };
                    rows.push(
                        Row::new(
                            format!("line.rtt{round_trip}.loss{loss}.p{share}_ms"),
                            format!(
                                "Until an operation over QUIC is durable, {share} of 100, on a \
                                 line of {round_trip} ms that loses {loss}% of packets"
                            ),
                            "ms",
                            Goal::at_most(most * websocket),
                            &of(0),
                        )
                        .peers(peers(|carrier| middle(&of(carrier)))),
                    );
                }
                cell += CARRIERS.len();
            }
        }
        let mut kind = |id: &str, what: &str, unit: &str, goal, samples: &[Each]| {
            let of = |carrier: usize| -> Vec<f64> {
                samples.iter().map(|sample| sample[carrier]).collect()
            };
            let row = Row::new(id, what, unit, goal, &of(0));
            rows.push(row.peers(peers(|carrier| middle(&of(carrier)))));
        };
        kind(
            "line.hand_over.round_trips",
            "Round trips of 200 ms until an operation over QUIC is durable that is made right \
             after the client's address has changed",
            "×",
            Goal::at_most(2.0),
            &self.hand_over,
        );
        kind(
            "line.outage.back_ms",
            "Until an operation over QUIC is durable that was made in an outage of 30 s, once \
             the line of 200 ms is back",
            "ms",
            Goal::at_most(2_000.0),
            &self.outage,
        );
        kind(
            "line.presence.p99_ratio",
            "How many times longer 99 of 100 operations over QUIC take while 20 others move \
             their cursors, on a line of 20 ms that loses 1%",
            "×",
            Goal::at_most(1.2),
            &self.presence,
        );
        let late = format!(
            "How late the router or the generator was in the {} cells that count; {} were \
             measured again",
            self.lag.len(),
            self.again
        );
        let most = Goal::at_most(LAG_MAX.as_secs_f64() * 1e3);
        rows.push(Row::new("line.lag_ms", late, "ms", most, &self.lag));
        rows
    }
}

fn quality(round_trip_ms: u64, loss_percent: u32) -> Quality {
    let loss = f64::from(loss_percent) / 100.0;
    let delay = Duration::from_millis(round_trip_ms) / 2;
    Quality { delay, loss, reordered: loss / 10.0, doubled: loss / 10.0 }
}

/// The others than the first, each with its figure.
fn peers(of: impl Fn(usize) -> f64) -> impl Iterator<Item = (String, f64)> {
    (1..CARRIERS.len()).map(move |carrier| (CARRIERS[carrier].1.to_owned(), of(carrier)))
}

fn middle(values: &[f64]) -> f64 {
    at(values, 0.5)
}

/// The value below which this share of the others is.
fn at(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len()) - 1]
}

/// The server, at the far end.
struct Far {
    child: Child,
}

impl Far {
    fn start(places: &Places, network: &Network) -> Result<Self> {
        if places.data.exists() {
            fs::remove_dir_all(&places.data)?;
        }
        fs::create_dir_all(&places.data)?;
        let settings = places.data.join("bench.toml");
        fs::write(&settings, SETTINGS)?;
        let mut command = Command::new(&places.server);
        command.arg("serve").arg("--config").arg(settings);
        let (listen, quic) = (format!("{FAR}:8080"), format!("{FAR}:8443"));
        command.args(["--shards", "1", "--listen", &listen, "--quic", &quic, "--data"]);
        command.arg(places.data.join("data")).env("RUST_LOG", "warn");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = network.far().run(|| {
            go_first();
            command.spawn()
        })?;
        let child = child.with_context(|| format!("{} is not there", places.server.display()))?;
        let mut far = Self { child };
        let output = far.child.stdout.take().context("its output is piped")?;
        for line in BufReader::new(output).lines() {
            if line?.contains(&listen) {
                return Ok(far);
            }
        }
        bail!("the server ended before it was ready ({})", far.child.wait()?)
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets this thread and its children go before others of the machine.
fn go_first() {
    // Where it is not allowed, its lag tells.
    let _ = rustix::process::setpriority_process(None, PRIORITY);
}

/// Runs at the near end. Every socket of what runs is there.
fn near<R: Send>(network: &Network, what: impl Future<Output = Result<R>> + Send) -> Result<R> {
    network.near().run(|| {
        go_first();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { timeout(PATIENCE, what).await? })
    })?
}

fn options(carriers: Carriers) -> Options {
    Options { carriers, undo_steps: 0, ..Options::default() }
}

fn server() -> Result<Server> {
    Ok(format!("http://{FAR}:8080").parse()?)
}

async fn created(carriers: Carriers) -> Result<Desk> {
    // A request that is lost is none of what is measured.
    loop {
        let made = Desk::create_with(server()?, "", options(carriers)).await;
        if let Ok(desk) = made {
            desk.live().await?;
            return Ok(desk);
        }
    }
}

/// Makes one operation and waits until it is durable; how long that took, in milliseconds.
async fn operate(desk: &Desk) -> Result<f64> {
    let began = Clock::start();
    desk.add(NewSticker::default())?;
    desk.saved().await?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// Latencies of so many operations of each of some clients, with the cursors of a crowd
/// on their desks. The clients join while nothing is lost: that is not what is measured.
fn latencies(
    network: &Network,
    line: Quality,
    carriers: Carriers,
    operations: usize,
    crowd: usize,
) -> Result<(Vec<f64>, Duration)> {
    near(network, async move {
        network.set_quality(Quality { delay: line.delay, ..Quality::default() });
        let mut joining = JoinSet::new();
        for _ in 0..CLIENTS {
            joining.spawn(async move {
                let desk = created(carriers).await?;
                let mut others = Vec::new();
                for _ in 0..crowd / CLIENTS {
                    let link = desk.link().clone();
                    let other = Desk::join_with(link, options(carriers)).await?;
                    other.live().await?;
                    others.push(other);
                }
                anyhow::Ok((desk, others))
            });
        }
        let mut joined = Vec::new();
        while let Some(client) = joining.join_next().await {
            joined.push(client??);
        }
        network.set_quality(line);
        network.take_lag();
        let mut lag = Duration::ZERO;
        let mut clients = JoinSet::new();
        for (desk, others) in joined {
            clients.spawn(async move {
                let mut times = Vec::new();
                for round in 0..operations {
                    for (which, other) in others.iter().enumerate() {
                        let at = (100 * which + round) as i32;
                        let cursor = Some(Point { x: at, y: at });
                        other.set_presence(Presence { cursor, ..Presence::default() });
                    }
                    let operated = timeout(GIVEN_UP, operate(&desk)).await;
                    times.push(operated.unwrap_or(Ok(GIVEN_UP.as_secs_f64() * 1e3))?);
                    if operated_too_long(&times) {
                        break;
                    }
                }
                anyhow::Ok(times)
            });
        }
        let mut all = Vec::new();
        loop {
            let looked = Clock::start();
            tokio::select! {
                times = clients.join_next() => match times {
                    Some(times) => all.extend(times??),
                    None => return Ok((all, lag)),
                },
                () = sleep(LOOK) => lag = lag.max(looked.elapsed().saturating_sub(LOOK)),
            }
        }
    })
}

/// Whether a client's last operation was given up.
fn operated_too_long(times: &[f64]) -> bool {
    times.last().is_some_and(|last| *last >= GIVEN_UP.as_secs_f64() * 1e3)
}

/// What an outage and a change of address cost each carrier: milliseconds and round trips.
fn breaks(network: &Network) -> Result<(Each, Each)> {
    near(network, async {
        let mut desks = Vec::new();
        for (carriers, _) in CARRIERS {
            let desk = created(carriers).await?;
            operate(&desk).await?;
            desks.push(desk);
        }
        network.cut(true);
        for desk in &desks {
            desk.add(NewSticker::default())?;
        }
        sleep(OUTAGE).await;
        network.cut(false);
        let outage = saved(&desks).await?;
        network.change_address().map_err(|why| anyhow!(why))?;
        for desk in &desks {
            desk.add(NewSticker::default())?;
        }
        let hand_over = saved(&desks).await?.map(|milliseconds| milliseconds / 200.0);
        for desk in desks {
            let notes = desk.view(|desk| desk.pile().count());
            ensure!(notes == 3, "{notes} notes instead of 3: something was lost or doubled");
        }
        Ok((outage, hand_over))
    })
}

/// How long each takes until all is durable, from now, in milliseconds.
async fn saved(desks: &[Desk]) -> Result<Each> {
    let began = Clock::start();
    let mut waits = JoinSet::new();
    for (which, desk) in desks.iter().cloned().enumerate() {
        waits.spawn(async move {
            desk.saved().await?;
            anyhow::Ok((which, began.elapsed().as_secs_f64() * 1e3))
        });
    }
    let mut took = Each::default();
    while let Some(done) = waits.join_next().await {
        let (which, milliseconds) = done??;
        took[which] = milliseconds;
    }
    Ok(took)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_sorted_values() {
        let values: Vec<_> = (1..=200).rev().map(f64::from).collect();
        assert_eq!((at(&values, 0.5), at(&values, 0.99)), (100.0, 198.0));
        assert_eq!(at(&[7.0], 0.99), 7.0);
    }
}
