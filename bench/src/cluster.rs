//! The part `cluster`: what several machines cost beside one, and how long people wait when
//! one of them dies or is stopped.
//!
//! Three nats-servers, three servers of ours and the load share this machine's cores, so
//! that throughput is what all of them reach together.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use desk_client_native::{Carriers, Desk, NewSticker, Options};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::clock::Clock;
use crate::desk_client::DeskClient;
use crate::generator::{Generator, Load, Measured};
use crate::machines::{MACHINES, Machines, wait};
use crate::process::Cores;
use crate::report::{Goal, Row};
use crate::shape::Shape;
use crate::subject::{DeskServer, Places, check_convergence, join_desks, join_desks_at};

/// Desks on as many units, for throughput.
const SHAPE: Shape = Shape { rooms: 16, clients: 2 };

/// Operations of a batch.
const BATCHED: usize = 64;

/// Operations a second at which latency is compared.
const QUIET_RATE: f64 = 200.0;

/// Desks of one death, and those who write on each of them.
const DESKS: usize = 2;
const WRITERS: usize = 5;

/// Notes of each writer in one death: a desk holds 5,000.
const NOTES: usize = 900;

/// The pause of a writer between two notes.
const WRITE_PAUSE: Duration = Duration::from_millis(3);

/// How long they write before somebody dies.
const BEFORE: Duration = Duration::from_millis(1_200);

/// How long anything of one round may take.
const LONG: Duration = Duration::from_secs(120);

/// How long leaders take to be put back once a nats-server is up again.
const PUT_BACK: Duration = Duration::from_secs(15);

/// How often each is done.
struct Rounds {
    throughput: usize,
    deaths: usize,
    lanes: usize,
    drained: usize,
}

/// What one death came to.
#[derive(Debug, Default)]
struct Death {
    without_s: f64,
    acknowledged: usize,
    lost: usize,
    doubled: usize,
}

/// What a drain came to.
struct Drain {
    desks: usize,
    seconds: f64,
    worst_ms: f64,
    errors: usize,
}

/// What a load came to, of one machine or of three.
struct Pace {
    rate: f64,
    nodes_us: f64,
    nats_us: f64,
    p50_ms: f64,
}

/// All rows.
pub fn rows(places: &Places, quick: bool, progress: impl Fn(&str)) -> Result<Vec<Row>> {
    let rounds = match quick {
        true => Rounds { throughput: 1, deaths: 2, lanes: 1, drained: 60 },
        false => Rounds { throughput: 3, deaths: 20, lanes: 6, drained: 1_000 },
    };
    let length = Duration::from_secs(if quick { 2 } else { 5 });
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for round in 1..=rounds.throughput {
        progress(&format!("round {round}: one machine"));
        alone.push(one_machine(places, length, round as u64)?);
        progress(&format!("round {round}: three machines"));
        let machines = Machines::start(places)?;
        together.push(three_machines(&machines, length, round as u64)?);
    }
    let mut machines = Machines::start(places)?;
    let idle: Vec<f64> =
        machines.nats_memory()?.into_iter().map(|kib| kib as f64 / 1_024.0).collect();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut deaths = Vec::new();
    for round in 0..rounds.deaths {
        let death = runtime.block_on(death(&mut machines, round, true))?;
        progress(&format!("death {}: {death:?}", round + 1));
        deaths.push(death);
    }
    let mut lanes = Vec::new();
    for round in 0..rounds.lanes {
        // What was moved by the last death is put back first.
        runtime.block_on(async { sleep(PUT_BACK).await });
        let death = runtime.block_on(death(&mut machines, round, false))?;
        progress(&format!("death of a nats-server {}: {death:?}", round + 1));
        lanes.push(death);
    }
    progress("a drain");
    let drain = runtime.block_on(drain(&mut machines, rounds.drained))?;
    let mut rows = costs(&alone, &together);
    rows.extend(waits(&deaths, &lanes));
    rows.extend(drained(&drain));
    rows.push(row(
        "idle_mib",
        "Memory of a nats-server beside an idle machine".to_owned(),
        "MiB",
        Goal::at_most(40.0),
        &idle,
    ));
    Ok(rows)
}

fn row(name: &str, what: String, unit: &str, goal: Goal, samples: &[f64]) -> Row {
    Row::new(format!("cluster.{name}"), what, unit, goal, samples)
}

fn one_machine(places: &Places, length: Duration, seed: u64) -> Result<Pace> {
    let cores = Cores::choose()?;
    let server = DeskServer::start(places, cores)?;
    let address = server.process.address.clone();
    let cpu = || Ok((server.process.cpu_ns()?, 0));
    let pace = pace(join_desks(&address, SHAPE, seed)?, length, cpu)?;
    server.end()?;
    Cores::unpin()?;
    Ok(pace)
}

fn three_machines(machines: &Machines, length: Duration, seed: u64) -> Result<Pace> {
    let addresses: Vec<_> = (0..MACHINES).map(|machine| machines.address(machine)).collect();
    let generator = join_desks_at(&addresses, SHAPE, seed)?;
    pace(generator, length, || machines.cpu_ns())
}

fn pace(
    mut generator: Generator<DeskClient>,
    length: Duration,
    cpu_ns: impl Fn() -> Result<(u64, u64)>,
) -> Result<Pace> {
    let warm = length / 4;
    let quiet = Load::Open { rate_per_second: QUIET_RATE };
    let quiet = generator.measure(quiet, warm, length, || Ok(0))?;
    generator.run(Load::Saturating { operations: BATCHED }, warm)?;
    let before = cpu_ns()?;
    let busy: Measured = generator.measure(
        Load::Saturating { operations: BATCHED },
        Duration::ZERO,
        length,
        || Ok(0),
    )?;
    let after = cpu_ns()?;
    check_convergence(&mut generator)?;
    let per_operation =
        |before: u64, after: u64| (after - before) as f64 / 1e3 / busy.operations as f64;
    Ok(Pace {
        rate: busy.rate(),
        nodes_us: per_operation(before.0, after.0),
        nats_us: per_operation(before.1, after.1),
        p50_ms: quiet.latency.at(0.5) / 1e3,
    })
}

/// Kills the machine of two desks, or a nats-server that leads a lane of them, while people
/// write.
async fn death(machines: &mut Machines, round: usize, whole: bool) -> Result<Death> {
    let at = round % MACHINES;
    let options = Options { carriers: Carriers::WebSocket, ..Options::default() };
    let mut links = Vec::new();
    for desk in 0..DESKS {
        let server = format!("http://{}", machines.address(at));
        let title = format!("death {round}.{desk}");
        let desk = timeout(LONG, Desk::create(&server, &title)).await??;
        links.push(desk.link().clone());
        timeout(LONG, desk.saved()).await??;
    }
    let owner = machines.owner(&links[0].id.to_string())?;
    let mut writers = JoinSet::new();
    for (number, link) in links.iter().enumerate() {
        for writer in 0..WRITERS {
            let desk = timeout(LONG, Desk::join_with(link.clone(), options.clone())).await??;
            timeout(LONG, desk.live()).await??;
            writers.spawn(async move {
                for note in 0..NOTES {
                    let text = format!("{number}.{writer}.{note}");
                    desk.add(NewSticker { text, ..NewSticker::default() })?;
                    sleep(WRITE_PAUSE).await;
                }
                timeout(LONG, desk.saved()).await??;
                anyhow::Ok(())
            });
        }
    }
    let witness = timeout(LONG, Desk::join_with(links[0].clone(), options.clone())).await??;
    timeout(LONG, witness.live()).await??;
    sleep(BEFORE).await;
    let clock = Clock::start();
    let dead = if whole { owner } else { (owner + 1 + round % 2) % MACHINES };
    if whole {
        machines.kill(dead)?;
    } else {
        machines.kill_nats(dead)?;
    }
    let text = "after".to_owned();
    witness.add(NewSticker { text, ..NewSticker::default() })?;
    timeout(LONG, witness.saved()).await??;
    let mut death = Death { without_s: clock.elapsed().as_secs_f64(), ..Death::default() };
    while let Some(written) = writers.join_next().await {
        written??;
    }
    machines.up(dead)?;
    for (number, link) in links.iter().enumerate() {
        let mut wanted: BTreeSet<String> = (0..WRITERS)
            .flat_map(|writer| (0..NOTES).map(move |note| format!("{number}.{writer}.{note}")))
            .collect();
        if number == 0 {
            wanted.insert("after".to_owned());
        }
        // One who comes new sees what is durable.
        let desk = timeout(LONG, Desk::join_with(link.clone(), options.clone())).await??;
        timeout(LONG, desk.live()).await??;
        let found: Vec<String> =
            desk.view(|desk| desk.pile().map(|note| note.text.value.clone()).collect());
        let distinct: BTreeSet<&String> = found.iter().collect();
        death.acknowledged += wanted.len();
        death.lost += wanted.iter().filter(|text| !distinct.contains(text)).count();
        death.doubled += found.len() - distinct.len();
    }
    Ok(death)
}

/// Stops a server in order while people have its desks open and write.
async fn drain(machines: &mut Machines, desks: usize) -> Result<Drain> {
    let mut people = Vec::new();
    for number in 0..desks * MACHINES {
        let server = format!("http://{}", machines.address(number % MACHINES));
        let desk = timeout(LONG, Desk::create(&server, "a drain")).await??;
        people.push((number % MACHINES, desk));
    }
    for (_, desk) in &people {
        timeout(LONG, desk.live()).await??;
    }
    // Sessions are told each second.
    let stopped = 0;
    wait("sessions that are counted", || {
        let sessions = machines.metric(stopped, "sticker_desk_sessions")?;
        Ok((sessions as usize >= desks / 2).then_some(()))
    })?;
    let node = machines.take(stopped)?;
    let clock = Clock::start();
    let ended =
        tokio::task::spawn_blocking(move || node.stop().map(|()| clock.elapsed().as_secs_f64()));
    let mut writers = JoinSet::new();
    for (at, desk) in people {
        if at != stopped {
            continue;
        }
        writers.spawn(async move {
            let clock = Clock::start();
            let text = "while it stops".to_owned();
            desk.add(NewSticker { text, ..NewSticker::default() })?;
            timeout(LONG, desk.saved()).await??;
            let elapsed = clock.elapsed().as_secs_f64() * 1e3;
            let notes = desk.view(|desk| desk.pile().count());
            ensure!(notes == 1, "{notes} notes of one");
            Ok(elapsed)
        });
    }
    let (mut drained, mut worst_ms, mut errors) = (0, 0f64, 0);
    while let Some(written) = writers.join_next().await {
        drained += 1;
        match written? {
            Ok(elapsed) => worst_ms = worst_ms.max(elapsed),
            Err(_) => errors += 1,
        }
    }
    let seconds = ended.await.context("the waiting thread")??;
    Ok(Drain { desks: drained, seconds, worst_ms, errors })
}

fn costs(alone: &[Pace], together: &[Pace]) -> Vec<Row> {
    let each = |figure: &dyn Fn(&Pace) -> f64| together.iter().map(figure).collect::<Vec<_>>();
    let both = |figure: &dyn Fn(&Pace, &Pace) -> f64| {
        alone.iter().zip(together).map(|(one, three)| figure(one, three)).collect::<Vec<_>>()
    };
    let middle = |mut samples: Vec<f64>| {
        samples.sort_by(f64::total_cmp);
        samples[samples.len() / 2]
    };
    let one_rate = middle(alone.iter().map(|pace| pace.rate).collect());
    let one_cpu = middle(alone.iter().map(|pace| pace.nodes_us).collect());
    let who = format!("{BATCHED} operations a batch, {} desks", SHAPE.rooms);
    vec![
        row(
            "ops_per_s",
            format!("Operations through three machines on this one: {who}"),
            "1/s",
            Goal::at_least(70_000.0),
            &each(&|pace| pace.rate),
        )
        .peers([("one machine, here".to_owned(), one_rate)]),
        row(
            "nodes_us_per_op",
            format!("CPU of the three servers for one operation: {who}"),
            "µs",
            Goal::at_most(3.0 * one_cpu),
            &each(&|pace| pace.nodes_us),
        )
        .peers([("one machine, here".to_owned(), one_cpu)]),
        row(
            "nats_us_per_op",
            format!("CPU of the three nats-servers for one operation: {who}"),
            "µs",
            Goal::at_most(3.0 * one_cpu),
            &each(&|pace| pace.nats_us),
        ),
        row(
            "cpu_ratio",
            format!("CPU of servers and nats-servers over that of one machine: {who}"),
            "×",
            Goal::at_most(3.0),
            &both(&|one, three| (three.nodes_us + three.nats_us) / one.nodes_us),
        ),
        row(
            "added_ms",
            format!("Half of all operations at {QUIET_RATE} a second: how much later than alone"),
            "ms",
            Goal::at_most(3.0),
            &both(&|one, three| three.p50_ms - one.p50_ms),
        ),
    ]
}

fn waits(deaths: &[Death], lanes: &[Death]) -> Vec<Row> {
    let waits: Vec<f64> = deaths.iter().map(|death| death.without_s).collect();
    let of_lanes: Vec<f64> = lanes.iter().map(|death| death.without_s).collect();
    let worst = waits.iter().copied().fold(0.0, f64::max);
    let all = || deaths.iter().chain(lanes);
    let sum = |figure: fn(&Death) -> usize| all().map(figure).sum::<usize>() as f64;
    let acknowledged = sum(|death| death.acknowledged);
    let of = format!("of {acknowledged} acknowledged changes");
    vec![
        row(
            "owner_killed_s",
            "A desk's machine is killed with its nats-server under load: until a change made \
             then is durable"
                .to_owned(),
            "s",
            Goal::at_most(1.0).limit(1.5),
            &waits,
        ),
        row(
            "owner_killed_worst_s",
            format!("The same, the worst of {}", waits.len()),
            "s",
            Goal::at_most(1.5),
            &[worst],
        ),
        row(
            "lane_killed_s",
            "A nats-server is killed that leads a lane of the desk: the same".to_owned(),
            "s",
            Goal::at_most(0.7),
            &of_lanes,
        ),
        row(
            "lost",
            format!("Lost by these deaths, {of}"),
            "1",
            Goal::at_most(0.0),
            &[sum(|d| d.lost)],
        ),
        row(
            "doubled",
            format!("Doubled by them, {of}"),
            "1",
            Goal::at_most(0.0),
            &[sum(|d| d.doubled)],
        ),
    ]
}

fn drained(drain: &Drain) -> Vec<Row> {
    let who = format!("A server with {} open desks is stopped", drain.desks);
    vec![
        row(
            "drain_ms_per_desk",
            format!("{who}: until it has ended, for each desk"),
            "ms",
            Goal::at_most(100.0),
            &[drain.seconds * 1e3 / drain.desks.max(1) as f64],
        ),
        row(
            "drain_worst_ms",
            format!("{who}: until a change made then is durable, the worst"),
            "ms",
            Goal::at_most(5_000.0),
            &[drain.worst_ms],
        ),
        row(
            "drain_errors",
            format!("{who}: people who saw an error"),
            "1",
            Goal::at_most(0.0),
            &[drain.errors as f64],
        ),
    ]
}
