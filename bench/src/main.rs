//! `make bench`: runs the measurements and writes the report.
#![forbid(unsafe_code)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand, ValueEnum};
use desk_bench::brief::{self, Brief};
use desk_bench::clock::Clock;
use desk_bench::compare::Compare;
use desk_bench::generator::Load;
use desk_bench::line::{self, Line};
use desk_bench::phases::Lengths;
use desk_bench::process::Cores;
use desk_bench::quic::{self, Quic};
use desk_bench::report::{Goal, Machine, Report, Row, commit};
use desk_bench::shape::Shape;
use desk_bench::subject::{Places, check_convergence, join_desks};
use desk_bench::ws::Ws;
use desk_bench::{cluster, files, html, idle, in_process, limits, relay, store, storm};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Measures Sticker Desk and writes target/bench/report.json and report.html.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Task>,
    /// A coarse run in under five minutes
    #[arg(long)]
    quick: bool,
    /// One part alone
    #[arg(long, value_name = "PART")]
    only: Option<Part>,
    /// The server's binary [default: the one beside this one]
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// An earlier build of the server, measured in the same rounds (`tools/before` makes it)
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Task {
    /// Serves the bare relay that the product is compared with
    #[command(hide = true)]
    Relay {
        /// Where to listen
        address: String,
        /// Senders get their messages back, too
        #[arg(long)]
        echo: bool,
        /// A file that messages are written to before they are passed on
        #[arg(long, value_name = "FILE")]
        log: Option<PathBuf>,
    },
    /// Keeps a running server busy, for a profiler beside it
    Load {
        /// The server's address, such as 127.0.0.1:8080
        address: String,
        /// How many desks
        #[arg(long, default_value_t = 50)]
        desks: usize,
        /// How many clients each of them has
        #[arg(long, default_value_t = 2)]
        clients: usize,
        /// Operations in each batch
        #[arg(long, default_value_t = 1)]
        operations: usize,
        /// Operations a second in all, instead of as many as the server takes
        #[arg(long)]
        rate: Option<f64>,
        /// How long
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Operations over WebSocket
    Ws,
    /// Memory of idle connections
    Idle,
    /// Ordering batches, in process
    Resolver,
    /// Reading and writing frames, in process
    Codec,
    /// Boards as files, in process
    Files,
    /// QUIC beside WebSocket: CPU, memory, and a kill; only if it is asked for
    Quic,
    /// Other servers that people edit together by, in the same rounds; only if it is asked for
    Compare,
    /// Thousands of people at an operation a second each; only if it is asked for
    Brief,
    /// Several machines: deaths, a drain, and what they cost; only if it is asked for
    Cluster,
    /// A crowd that joins one large desk at once
    Storm,
    /// Operations over a bad line, by each transport; only if it is asked for
    Line,
    /// The store beside others; in a coarse run only if it is asked for
    Store,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    raise_descriptors()?;
    match arguments.command {
        Some(Task::Relay { address, echo, log }) => {
            return relay::serve(&address, echo, log.as_deref());
        }
        Some(Task::Load { address, desks, clients, operations, rate, seconds }) => {
            let load = match rate {
                Some(rate_per_second) => Load::Open { rate_per_second },
                None => Load::Saturating { operations },
            };
            let shape = Shape { rooms: desks, clients };
            return keep_busy(&address, shape, load, Duration::from_secs(seconds));
        }
        None => {}
    }
    let own = std::env::current_exe()?;
    let profile = own.parent().context("the binary lies in a folder")?;
    let target = profile.parent().context("the binary lies in the build's folder")?;
    let output = target.join("bench");
    fs::create_dir_all(&output)?;
    let places = Places {
        server: arguments.server.clone().unwrap_or_else(|| profile.join("sticker-desk")),
        before: arguments.before.clone(),
        data: output.join("data"),
        own: own.clone(),
    };
    let rows = measure(&arguments, &places)?;
    let report = Report { machine: Machine::here()?, commit: commit(), rows };
    for row in &report.rows {
        let verdict = if row.met { "met" } else { "missed" };
        println!(
            "{:44} {:>10} {:3} [{}, {}] target {} {verdict}",
            row.id, row.value, row.unit, row.spread[0], row.spread[1], row.target
        );
    }
    fs::write(output.join("report.json"), serde_json::to_string_pretty(&report)?)?;
    fs::write(output.join("report.html"), html::page(&report))?;
    println!("{}", output.join("report.html").display());
    Ok(())
}

fn keep_busy(address: &str, shape: Shape, load: Load, length: Duration) -> Result<()> {
    Cores::pin(Cores::choose()?.generator)?;
    let mut generator = join_desks(address, shape, 1)?;
    // The server is somebody else's, and so is its account of time.
    let measured = generator.measure(load, Duration::ZERO, length, || Ok(0))?;
    check_convergence(&mut generator)?;
    println!(
        "{:.0} operations a second, {:.1} a batch; 99 of 100 within {:.0} µs; the generator was \
         busy {:.0}%",
        measured.rate(),
        measured.operations_per_batch(),
        measured.latency.at(0.99),
        100.0 * measured.generator_busy,
    );
    Ok(())
}

/// A thousand connections need more than the usual thousand descriptors.
fn raise_descriptors() -> Result<()> {
    let now = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum })
        .context("cannot raise the limit of descriptors")
}

fn measure(arguments: &Arguments, places: &Places) -> Result<Vec<Row>> {
    let clock = Clock::start();
    let wanted_store = match arguments.only {
        Some(only) => only == Part::Store,
        None => !arguments.quick,
    };
    // Before this process binds itself to a core.
    let store = if wanted_store {
        let folder = places.data.parent().context("data lies in a folder")?;
        store::rows(&places.compare_store(), folder, arguments.quick)?
    } else {
        Vec::new()
    };
    if arguments.only == Some(Part::Store) {
        return Ok(store);
    }
    if arguments.only == Some(Part::Line) {
        return line_rows(places, arguments.quick);
    }
    if arguments.only == Some(Part::Cluster) {
        return cluster::rows(places, arguments.quick, |what| eprintln!("{what}"));
    }
    let cores = Cores::choose()?;
    Cores::pin(cores.generator)?;
    if arguments.only == Some(Part::Quic) {
        return quic_rows(places, cores, arguments.quick);
    }
    if arguments.only == Some(Part::Compare) {
        return compare_rows(places, cores, arguments.quick);
    }
    if arguments.only == Some(Part::Brief) {
        return brief_rows(places, cores, arguments.quick);
    }
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    let lengths = lengths(arguments.quick);
    let (mut ws, mut idle_desk, mut idle_relay) = (Ws::default(), Vec::new(), Vec::new());
    let (mut inside, mut boards, mut storms) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=limits::ROUNDS {
        let progress = |what: &str| {
            let seconds = clock.elapsed().as_secs();
            eprintln!(
                "[{:02}:{:02}] round {round} of {}: {what}",
                seconds / 60,
                seconds % 60,
                limits::ROUNDS
            );
        };
        let seed = round as u64;
        if wanted(Part::Resolver) || wanted(Part::Codec) {
            progress("resolver and codec");
            inside.push(in_process::measure(lengths.warm / 2, seed)?);
        }
        if wanted(Part::Files) {
            progress("boards as files");
            boards.push(files::measure()?);
        }
        if wanted(Part::Ws) {
            ws.round(places, cores, lengths, seed, progress)?;
        }
        if wanted(Part::Storm) {
            progress("a crowd joins a large desk");
            storms.push(storm::measure(places, cores, seed)?);
        }
        if wanted(Part::Idle) {
            progress("idle connections");
            idle_desk.push(idle::desk(places, cores, seed)?);
            idle_relay.push(idle::relay(places, cores, seed)?);
        }
    }
    let mut rows = Vec::new();
    if wanted(Part::Ws) {
        rows.extend(ws.rows());
    }
    if wanted(Part::Idle) {
        rows.extend(idle_rows(&idle_desk, &idle_relay));
    }
    if wanted(Part::Storm) {
        rows.extend(storm::rows(&storms));
    }
    rows.extend(in_process_rows(&inside, wanted(Part::Resolver), wanted(Part::Codec)));
    rows.extend(files::rows(&boards));
    rows.extend(store);
    Ok(rows)
}

fn lengths(quick: bool) -> Lengths {
    let [warm, measured] = if quick { [300, 700] } else { [500, 2_500] };
    Lengths { warm: Duration::from_millis(warm), measured: Duration::from_millis(measured) }
}

/// Clients for programs, which take more CPU than the generator's: it stands alone.
fn quic_rows(places: &Places, cores: Cores, quick: bool) -> Result<Vec<Row>> {
    let mut both = Quic::default();
    for round in 1..=if quick { 3 } else { quic::ROUNDS } {
        both.round(places, cores, quick, |what| eprintln!("round {round}: {what}"))?;
    }
    Ok(both.rows())
}

/// Servers of others, which are installed for it alone.
fn compare_rows(places: &Places, cores: Cores, quick: bool) -> Result<Vec<Row>> {
    // Servers in JavaScript are compiled while they run: they are warm before they are measured.
    let [warm, measured] = if quick { [1_000, 700] } else { [2_000, 3_000] };
    let (warm, measured) = (Duration::from_millis(warm), Duration::from_millis(measured));
    let lengths = Lengths { warm, measured };
    let mut compare = Compare::default();
    for round in 1..=if quick { 1 } else { limits::ROUNDS } {
        let progress = |what: &str| eprintln!("round {round}: {what}");
        compare.round(places, cores, lengths, round as u64, progress)?;
    }
    Ok(compare.rows())
}

/// Minutes of joining: it stands alone.
fn brief_rows(places: &Places, cores: Cores, quick: bool) -> Result<Vec<Row>> {
    let mut load = Brief::default();
    for round in 1..=if quick { 1 } else { brief::ROUNDS } {
        let progress = |what: &str| eprintln!("round {round}: {what}");
        load.round(places, cores, quick, round as u64, progress)?;
    }
    Ok(load.rows())
}

/// Minutes of waiting for a slow line, and of little work: it stands alone.
fn line_rows(places: &Places, quick: bool) -> Result<Vec<Row>> {
    let mut bad = Line::default();
    for round in 1..=if quick { 1 } else { line::ROUNDS } {
        bad.round(places, quick, round as u64, |what| eprintln!("round {round}: {what}"))?;
    }
    Ok(bad.rows())
}

fn idle_rows(desk: &[idle::IdleCost], relay: &[idle::IdleCost]) -> Vec<Row> {
    type Figure = fn(&idle::IdleCost) -> f64;
    let kinds: [(&str, &str, Figure); 2] = [
        ("resident", "all resident memory", |cost| cost.resident_kib),
        ("anonymous", "heap and stacks alone", |cost| cost.anonymous_kib),
    ];
    let rows = kinds.map(|(name, words, figure)| {
        let what = format!(
            "Memory of an idle WebSocket connection, from the slope up to {} of them, 100 a desk: \
             {words}, the kernel's socket buffers left out",
            limits::IDLE_CONNECTIONS
        );
        let samples: Vec<_> = desk.iter().map(figure).collect();
        let mut here: Vec<_> = relay.iter().map(figure).collect();
        here.sort_by(f64::total_cmp);
        Row::new(
            format!("idle.ws.{name}_kib"),
            what,
            "KiB",
            Goal::at_most(8.0).limit(24.0),
            &samples,
        )
        .peers([("bare relay, here".to_owned(), here[here.len() / 2])])
    });
    rows.into()
}

fn in_process_rows(inside: &[in_process::InProcess], resolver: bool, codec: bool) -> Vec<Row> {
    let each = |figure: fn(&in_process::InProcess) -> f64| -> Vec<f64> {
        inside.iter().map(figure).collect()
    };
    let mut rows = Vec::new();
    if resolver {
        let goal = Goal::at_least(2e6);
        rows.push(Row::new(
            "resolver.head.ops_per_s",
            "Register operations that one core orders, each a batch whose base is the head",
            "1/s",
            goal,
            &each(|round| round.head_per_second),
        ));
        rows.push(Row::new(
            "resolver.late.ops_per_s",
            "The same when the author has missed 100,000 revisions",
            "1/s",
            goal,
            &each(|round| round.late_per_second),
        ));
        rows.push(Row::new(
            "resolver.late_cost_ratio",
            "What a late operation costs against one at the head",
            "×",
            Goal::at_most(1.2),
            &each(|round| round.head_per_second / round.late_per_second),
        ));
    }
    if codec {
        rows.push(Row::new(
            "codec.decode_submit_ns",
            "Reading and checking a submit of one move",
            "ns",
            Goal::at_most(1_000.0),
            &each(|round| round.decode_ns),
        ));
        rows.push(Row::new(
            "codec.encode_commit_ns",
            "Writing a commit of one move",
            "ns",
            Goal::at_most(500.0),
            &each(|round| round.encode_ns),
        ));
    }
    rows
}
