//! QUIC beside WebSocket on one machine: what an operation, an idle connection and a
//! greeting cost the server, and how soon clients are back after a kill.
//!
//! Both are driven by the product's own client for programs, so that what differs is the
//! transport.

use std::time::Duration;

use anyhow::{Result, ensure};
use desk_client_native::{Carriers, Desk, Edit, NewSticker, Options, Server, Trust};
use desk_protocol::StickerId;
use desk_protocol::sticker::Point;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::held::{HELD, hold};
use crate::idle::IdleCost;
use crate::limits::PATIENCE;
use crate::process::Cores;
use crate::report::{Goal, Row};
use crate::subject::{DeskServer, Places};

/// Desks under load, each with [`EDITORS`] clients.
const DESKS: usize = 50;
const EDITORS: usize = 2;

/// Operations of one batch in the second load: what ten in flight are, since a client has
/// one batch in flight.
const IN_FLIGHT: usize = 10;

/// Rounds of one load: each client makes so many batches, one after the other.
const BATCHES: usize = 60;

/// Idle connections, and how many come between two looks at the memory.
const IDLE: usize = 1_000;
const STEP: usize = 200;

/// Clients that a killed server has.
const SURVIVORS: usize = 200;

/// Rounds over all of it.
pub const ROUNDS: usize = 5;

/// The transports that are compared; QUIC is the one with goals.
const CARRIERS: [Carriers; 2] = [Carriers::Quic, Carriers::WebSocket];

/// One figure of both transports, round by round.
type Pairs = Vec<[f64; 2]>;

/// The same of both and of WebSocket with TLS, which encrypts as QUIC does.
type Loads = Vec<[f64; 3]>;

/// What the rounds found.
#[derive(Debug, Default)]
pub struct Quic {
    one: Loads,
    ten: Loads,
    greeting: Pairs,
    idle_kib: Pairs,
    held_kib: Vec<f64>,
    back_ms: Pairs,
    misrouted: Vec<f64>,
}

impl Quic {
    /// Measures once.
    pub fn round(
        &mut self,
        places: &Places,
        cores: Cores,
        quick: bool,
        progress: impl Fn(&str),
    ) -> Result<()> {
        let batches = if quick { BATCHES / 4 } else { BATCHES };
        let (mut one, mut ten) = ([0.0; 3], [0.0; 3]);
        let (mut greeting, mut idle, mut back) = ([0.0; 2], [0.0; 2], [0.0; 2]);
        for (which, carriers) in CARRIERS.into_iter().enumerate() {
            progress(&format!("{carriers:?}: operations"));
            let server = DeskServer::start(places, cores)?;
            let address = server.process.address.clone();
            let url = format!("http://{address}");
            [one[which], ten[which]] = block_on(loads(&server, &url, carriers, batches))?;
            self.misrouted.push(metric(&address, "sticker_desk_quic_misrouted_total")?);
            server.end()?;
            progress(&format!("{carriers:?}: idle connections"));
            let server = DeskServer::start(places, cores)?;
            let count = if quick { IDLE / 2 } else { IDLE };
            let (cost, cpu_us) = block_on(idle_connections(&server, carriers, count))?;
            (idle[which], greeting[which]) = (cost.anonymous_kib, cpu_us);
            server.end()?;
            progress(&format!("{carriers:?}: a killed server"));
            let server = DeskServer::start(places, cores)?;
            back[which] = block_on(killed(server, places, cores, carriers))?;
        }
        progress("WebSocket with TLS: operations");
        let server = DeskServer::start_with_tls(places, cores)?;
        let url = format!("https://{}", server.process.address);
        [one[2], ten[2]] = block_on(loads(&server, &url, Carriers::WebSocket, batches))?;
        server.end()?;
        self.one.push(one);
        self.ten.push(ten);
        self.greeting.push(greeting);
        self.idle_kib.push(idle);
        self.back_ms.push(back);
        // Once is enough for a slope over so many.
        if !quick && self.held_kib.is_empty() {
            progress(&format!("{HELD} idle connections"));
            let server = DeskServer::start(places, cores)?;
            self.held_kib.push(block_on(hold(&server))?.anonymous_kib);
            server.end()?;
        }
        Ok(())
    }

    /// The rows of all rounds.
    pub fn rows(&self) -> Vec<Row> {
        let ratio = |loads: &Loads, to: usize| -> Vec<f64> {
            loads.iter().map(|load| load[0] / load[to]).collect()
        };
        let middle = |pairs: &Pairs, which: usize| {
            let mut values: Vec<f64> = pairs.iter().map(|pair| pair[which]).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let both = |pairs: &Pairs, unit: &str| {
            [
                (format!("QUIC, {unit}"), middle(pairs, 0)),
                (format!("WebSocket, {unit}"), middle(pairs, 1)),
            ]
        };
        let of_quic = |pairs: &Pairs| -> Vec<f64> { pairs.iter().map(|[quic, _]| *quic).collect() };
        let load = format!("{DESKS} desks × {EDITORS} clients");
        let mut rows = Vec::new();
        for (id, words, goal, loads) in [
            ("one", "one operation a batch", 2.0, &self.one),
            ("ten", "ten operations a batch", 1.0, &self.ten),
        ] {
            let plain: Pairs = loads.iter().map(|[quic, plain, _]| [*quic, *plain]).collect();
            let tls: Pairs = loads.iter().map(|[quic, _, tls]| [*quic, *tls]).collect();
            for (name, to, pairs) in [("ratio", 1, &plain), ("ratio_to_tls", 2, &tls)] {
                let with = if to == 2 { " with TLS" } else { "" };
                let what = format!(
                    "Server CPU for an operation over QUIC, relative to that over WebSocket{with} \
                     of the same round: {load}, {words}"
                );
                let samples = ratio(loads, to);
                let row = Row::new(
                    format!("quic.cpu.{id}.{name}"),
                    what,
                    "×",
                    Goal::at_most(goal),
                    &samples,
                );
                let other = format!("WebSocket{with}, µs");
                rows.push(
                    row.peers([
                        ("QUIC, µs".to_owned(), middle(pairs, 0)),
                        (other, middle(pairs, 1)),
                    ]),
                );
            }
        }
        rows.push(
            Row::new(
                "quic.idle_kib",
                format!(
                    "Heap of the server for an idle QUIC connection, from the slope up to {IDLE}"
                ),
                "KiB",
                Goal::at_most(30.0),
                &of_quic(&self.idle_kib),
            )
            .peers(both(&self.idle_kib, "KiB")),
        );
        if !self.held_kib.is_empty() {
            rows.push(Row::new(
                "quic.held_kib",
                format!("The same, from the slope up to {HELD} that are held at once"),
                "KiB",
                Goal::at_most(30.0),
                &self.held_kib,
            ));
        }
        rows.push(
            Row::new(
                "quic.joining.cpu_us",
                "Server CPU for a client that joins: a request to init, a handshake, hello and a \
                 snapshot",
                "µs",
                Goal::at_most(middle(&self.greeting, 1) + 400.0),
                &of_quic(&self.greeting),
            )
            .peers(both(&self.greeting, "µs")),
        );
        rows.push(
            Row::new(
                "quic.kill.back_ms",
                format!(
                    "From when a killed server is ready again until {SURVIVORS} clients over QUIC \
                     have saved what they make then"
                ),
                "ms",
                Goal::at_most(2_000.0),
                &of_quic(&self.back_ms),
            )
            .peers(both(&self.back_ms, "ms")),
        );
        rows.push(Row::new(
            "quic.misrouted",
            "Datagrams that arrived at another shard than their connection's, one shard",
            "",
            Goal::at_most(0.0),
            &self.misrouted,
        ));
        rows
    }
}

fn block_on<R>(what: impl Future<Output = Result<R>>) -> Result<R> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(what)
}

fn options(carriers: Carriers) -> Options {
    // The server was started here.
    Options { carriers, trust: Trust::Anybody, undo_steps: 0, ..Options::default() }
}

/// A desk at a server, `http://ADDRESS` or `https://ADDRESS`.
async fn made(url: &str, carriers: Carriers) -> Result<Desk> {
    let server: Server = url.parse()?;
    let desk = Desk::create_with(server, "", options(carriers)).await?;
    timeout(PATIENCE, desk.live()).await??;
    Ok(desk)
}

async fn joined(desk: &Desk, carriers: Carriers) -> Result<Desk> {
    let other = Desk::join_with(desk.link().clone(), options(carriers)).await?;
    timeout(PATIENCE, other.live()).await??;
    Ok(other)
}

/// A client under load, and the note that it moves.
type Editor = (Desk, Vec<StickerId>);

/// Server CPU for one operation in batches of one and of [`IN_FLIGHT`], in microseconds.
async fn loads(
    server: &DeskServer,
    url: &str,
    carriers: Carriers,
    batches: usize,
) -> Result<[f64; 2]> {
    let clients = editors(url, carriers).await?;
    let one = load(server, &clients, 1, batches).await?;
    Ok([one, load(server, &clients, IN_FLIGHT, batches).await?])
}

async fn editors(url: &str, carriers: Carriers) -> Result<Vec<Editor>> {
    let mut all = Vec::new();
    for _ in 0..DESKS {
        let first = made(url, carriers).await?;
        let mut desks = vec![first.clone()];
        while desks.len() < EDITORS {
            desks.push(joined(&first, carriers).await?);
        }
        for desk in desks {
            let notes = (0..IN_FLIGHT).map(|_| desk.add(NewSticker::default()));
            let notes = notes.collect::<Result<Vec<_>, _>>()?;
            timeout(PATIENCE, desk.saved()).await??;
            all.push((desk, notes));
        }
    }
    Ok(all)
}

/// Server CPU for one operation, in microseconds.
async fn load(
    server: &DeskServer,
    clients: &[Editor],
    operations: usize,
    batches: usize,
) -> Result<f64> {
    let before = server.process.cpu_ns()?;
    let mut running = JoinSet::new();
    for (desk, notes) in clients {
        let (desk, notes) = (desk.clone(), notes.clone());
        running.spawn(async move {
            for round in 0..batches {
                let to = Point { x: round as i32, y: 7 };
                let moves = notes.iter().take(operations).map(|id| Edit::Move { id: *id, to });
                desk.act(moves.collect())?;
                timeout(PATIENCE, desk.saved()).await??;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    let made = clients.len() * batches * operations;
    Ok((server.process.cpu_ns()? - before) as f64 / 1e3 / made as f64)
}

/// What an idle connection costs in memory, and in CPU to come.
async fn idle_connections(
    server: &DeskServer,
    carriers: Carriers,
    count: usize,
) -> Result<(IdleCost, f64)> {
    let first = made(&format!("http://{}", server.process.address), carriers).await?;
    let mut all = Vec::new();
    let mut points = Vec::new();
    let before = server.process.cpu_ns()?;
    for number in 1..=count {
        all.push(joined(&first, carriers).await?);
        if number % STEP.min(count / 5) == 0 {
            points.push((number, server.process.memory()?));
        }
    }
    let cpu_us = (server.process.cpu_ns()? - before) as f64 / 1e3 / count as f64;
    ensure!(points.len() >= 3, "too few points for a slope");
    Ok((IdleCost::slope(&points), cpu_us))
}

/// Milliseconds from a killed server's being ready again until all its clients have saved
/// something that they made then.
async fn killed(
    server: DeskServer,
    places: &Places,
    cores: Cores,
    carriers: Carriers,
) -> Result<f64> {
    let url = format!("http://{}", server.process.address);
    let clients = survivors(&url, carriers).await?;
    let server = server.restart_in_place(places, cores)?;
    let began = Clock::start();
    for client in &clients {
        client.add(NewSticker::default())?;
    }
    for client in &clients {
        timeout(PATIENCE, client.saved()).await??;
    }
    let took = began.elapsed().as_secs_f64() * 1e3;
    server.end()?;
    Ok(took)
}

/// Clients on desks of their own, live.
async fn survivors(url: &str, carriers: Carriers) -> Result<Vec<Desk>> {
    let mut all = Vec::new();
    while all.len() < SURVIVORS {
        all.push(made(url, carriers).await?);
    }
    Ok(all)
}

/// A figure of the server's own.
fn metric(address: &str, name: &str) -> Result<f64> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let lines = text.lines().filter(|line| line.starts_with(name));
    Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}
