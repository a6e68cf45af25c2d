//! The part `ws`: what operations over WebSocket cost the server, and how long
//! they take, with figures of the same rounds beside them: bare relays, the limit of what any
//! program with the product's input and output can do, and an earlier build.

use anyhow::Result;

use crate::generator::Measured;
use crate::phases::{self, Lengths, Paced, Saturated};
use crate::process::Cores;
use crate::report::{Goal, Row};
use crate::shape::Shape;
use crate::subject::{Places, Relay};

/// What we aim at with one operation a batch, in microseconds of server time
/// for an operation. The first is the goal that was set; the others grow as a
/// coalescing relay's cost does.
const SINGLE_US: [f64; 3] = [12.0, 25.0, 60.0];

/// The same with eight operations a batch.
const BATCHED_US: [f64; 3] = [4.0, 10.0, 40.0];

/// Server time of an operation at the equal rate, where waking up is most of
/// it: twice the bare relay's 57 µs.
const EQUAL_US: f64 = 114.0;

/// Latencies, in microseconds: half of all, and all but one of a hundred. The
/// neighbours of a virtual machine make the second what it is.
const LATENCY_US: (f64, f64) = (2_000.0, 10_000.0);

/// How much more than the bare relay a durable, ordered, merged operation may
/// cost: 12 µs against its 5.5.
const RATIO: f64 = 2.2;

/// Server time of an operation against the limit's: saturated, and at the equal rate.
const LIMIT_RATIO: f64 = 1.35;
const LIMIT_RATIO_EQUAL: f64 = 1.4;

/// Server time of an operation against the earlier build's: saturated with one operation
/// a batch, with eight, and at the equal rate.
const BEFORE_SINGLE: [f64; 3] = [0.6, 0.5, 0.5];
const BEFORE_BATCHED: f64 = 0.5;
const BEFORE_EQUAL: f64 = 0.65;

/// The 99th of 100 at half of the saturated rate, against the earlier build's.
const BEFORE_P99: [f64; 3] = [1.0, 0.5, 0.25];

/// Picks a phase out of several.
type Pick<T> = fn(&T) -> &Measured;

/// A figure of a phase.
type Figure = fn(&Measured) -> f64;

/// Everything that was measured with one shape.
#[derive(Debug, Default)]
struct Samples {
    desk: Vec<(Saturated, Paced)>,
    relay: Vec<(Saturated, Paced)>,
    echo: Vec<Saturated>,
    limit: Vec<(Saturated, Paced)>,
    /// Empty without an earlier build.
    before: Vec<(Saturated, Paced)>,
}

/// The samples of all rounds.
#[derive(Debug, Default)]
pub struct Ws {
    shapes: [Samples; 3],
}

impl Ws {
    /// One round over all shapes and servers. `progress` is told what begins.
    pub fn round(
        &mut self,
        places: &Places,
        cores: Cores,
        lengths: Lengths,
        seed: u64,
        progress: impl Fn(&str),
    ) -> Result<()> {
        for (shape, samples) in Shape::ALL.into_iter().zip(&mut self.shapes) {
            progress(&format!("ws {shape}, sticker-desk"));
            let (saturated, paced) = phases::desk(places, cores, shape, lengths, seed)?;
            progress(&format!(
                "ws {shape}: {:.1} µs an operation, {:.1} in batches of eight; relay",
                saturated.single.cpu_us_per_operation(),
                saturated.batched.cpu_us_per_operation(),
            ));
            samples.desk.push((saturated, paced));
            let relay = |relay| phases::relay(places, cores, relay, shape, lengths, seed);
            samples.relay.push(relay(Relay::Bare)?);
            samples.limit.push(relay(Relay::Durable)?);
            let answers = Relay::Answers;
            let echo = phases::saturated_relay(places, cores, answers, shape, lengths, seed)?;
            samples.echo.push(echo);
            if let Some(before) = places.of_before() {
                progress(&format!("ws {shape}, the earlier build"));
                samples.before.push(phases::desk(&before, cores, shape, lengths, seed)?);
            }
        }
        Ok(())
    }

    /// The rows of all rounds so far.
    pub fn rows(&self) -> Vec<Row> {
        let shapes = Shape::ALL.into_iter().zip(&self.shapes).enumerate();
        shapes.flat_map(|(index, (shape, samples))| rows_of(index, shape, samples)).collect()
    }
}

fn rows_of(index: usize, shape: Shape, samples: &Samples) -> Vec<Row> {
    let kinds: [(&str, &str, f64, Pick<Saturated>); 2] = [
        ("", "one operation a batch", SINGLE_US[index], |saturated| &saturated.single),
        (".batch8", "eight operations a batch", BATCHED_US[index], |saturated| &saturated.batched),
    ];
    let mut rows = Vec::new();
    for (suffix, words, target_us, kind) in kinds {
        let desk: Vec<_> = samples.desk.iter().map(|(saturated, _)| kind(saturated)).collect();
        let relay: Vec<_> = samples.relay.iter().map(|(saturated, _)| kind(saturated)).collect();
        let echo: Vec<_> = samples.echo.iter().map(kind).collect();
        rows.extend(saturated_rows(shape, (suffix, words, target_us), &desk, &relay, &echo));
        let limit: Vec<_> = samples.limit.iter().map(|(saturated, _)| kind(saturated)).collect();
        let before: Vec<_> = samples.before.iter().map(|(saturated, _)| kind(saturated)).collect();
        let single = if suffix.is_empty() { BEFORE_SINGLE[index] } else { BEFORE_BATCHED };
        let words = format!("saturated, {words}");
        let id = format!("ws.{shape}{suffix}");
        rows.extend(ratio_rows(&id, &words, &desk, (&limit, LIMIT_RATIO), (&before, single)));
    }
    let half = "at half of the saturated rate";
    let equal = "at 1,000 operations a second";
    let paced: [(&str, &str, Pick<Paced>); 2] =
        [("half", half, |paced| &paced.half), ("rate1000", equal, |paced| &paced.equal)];
    for (name, words, kind) in paced {
        let desk: Vec<_> = samples.desk.iter().map(|(_, paced)| kind(paced)).collect();
        let relay: Vec<_> = samples.relay.iter().map(|(_, paced)| kind(paced)).collect();
        rows.extend(paced_rows(shape, name, words, &desk, &relay));
        let limit: Vec<_> = samples.limit.iter().map(|(_, paced)| kind(paced)).collect();
        let before: Vec<_> = samples.before.iter().map(|(_, paced)| kind(paced)).collect();
        let id = format!("ws.{shape}.{name}");
        if name == "rate1000" {
            let (limit, before) = ((&*limit, LIMIT_RATIO_EQUAL), (&*before, BEFORE_EQUAL));
            rows.extend(ratio_rows(&id, words, &desk, limit, before));
        } else if !before.is_empty() {
            let p99 = |measured: &Measured| measured.latency.at(0.99);
            let what = format!("99 of 100 until another client had it, {words}, against before");
            let goal = Goal::at_most(BEFORE_P99[index]);
            let samples = ratios(&desk, &before, p99);
            rows.push(Row::new(format!("{id}.p99_before_ratio"), what, "×", goal, &samples));
        }
    }
    rows
}

/// Server time of an operation, by that of the limit and by that of the earlier build in the
/// same round.
fn ratio_rows(
    id: &str,
    words: &str,
    desk: &[&Measured],
    limit: (&[&Measured], f64),
    before: (&[&Measured], f64),
) -> Vec<Row> {
    let others = [
        ("limit", "the limit's: the same input and output and nothing else", limit),
        ("before", "the earlier build's", before),
    ];
    let measured = others.into_iter().filter(|(.., (measured, _))| !measured.is_empty());
    let row = |(name, whose, (measured, target)): (&str, &str, (&[&Measured], f64))| {
        let figure = Measured::cpu_us_per_operation;
        let what = format!("Server time of an operation, {words}, against {whose}");
        let samples = ratios(desk, measured, figure);
        let id = format!("{id}.{name}_ratio");
        let here = [(format!("{name}, here, in µs"), median(measured, figure))];
        Row::new(id, what, "×", Goal::at_most(target), &samples).peers(here)
    };
    measured.map(row).collect()
}

/// A figure by another server's of the same round.
fn ratios(desk: &[&Measured], other: &[&Measured], figure: Figure) -> Vec<f64> {
    desk.iter().zip(other).map(|(desk, other)| figure(desk) / figure(other)).collect()
}

fn saturated_rows(
    shape: Shape,
    (suffix, words, target_us): (&str, &str, f64),
    desk: &[&Measured],
    relay: &[&Measured],
    echo: &[&Measured],
) -> Vec<Row> {
    let others = (shape.clients - 1) as f64;
    let per_operation = Measured::cpu_us_per_operation;
    let note = format!(
        "{:.0} operations a second; the server's core was busy {:.0}%, the generator's {:.0}%; \
         the relay did {:.0} a second",
        median(desk, Measured::rate),
        100.0 * median(desk, Measured::server_busy),
        100.0 * median(desk, |measured| measured.generator_busy),
        median(relay, Measured::rate),
    );
    let here = [
        ("bare relay, here".to_owned(), median(relay, per_operation)),
        ("bare relay that answers the sender, here".to_owned(), median(echo, per_operation)),
    ];
    let what = format!(
        "Server time for a durable operation, saturated, {} desks of {} clients, {words}; the \
         relays store nothing",
        shape.rooms, shape.clients
    );
    let cost = Row::new(
        format!("ws.{shape}{suffix}.cpu_us_per_op"),
        what,
        "µs",
        Goal::at_most(target_us),
        &each(desk, per_operation),
    );
    let delivery = Row::new(
        format!("ws.{shape}{suffix}.cpu_us_per_delivery"),
        format!("The same for each client that an operation came to, {words}"),
        "µs",
        Goal::at_most(target_us / others),
        &each(desk, Measured::cpu_us_per_delivery),
    );
    let ratios = ratios(desk, relay, per_operation);
    let ratio = Row::new(
        format!("ws.{shape}{suffix}.relay_ratio"),
        format!("Server time of an operation against the bare relay's of the same round, {words}"),
        "×",
        Goal::at_most(RATIO),
        &ratios,
    );
    let here_delivery = here.iter().map(|(name, value)| (name.clone(), value / others));
    vec![cost.peers(here.clone()).note(note), delivery.peers(here_delivery), ratio]
}

fn paced_rows(
    shape: Shape,
    name: &str,
    words: &str,
    desk: &[&Measured],
    relay: &[&Measured],
) -> Vec<Row> {
    let here = |figure: Figure| [("bare relay, here".to_owned(), median(relay, figure))];
    let note = format!(
        "{:.0} operations a second, {:.1} a batch; counted from when each was due",
        median(desk, Measured::rate),
        median(desk, Measured::operations_per_batch),
    );
    let mut rows = Vec::new();
    let latencies: [(&str, &str, f64, Figure); 2] = [
        ("p50_us", "half of all", LATENCY_US.0, |measured| measured.latency.at(0.5)),
        ("p99_us", "99 of 100", LATENCY_US.1, |measured| measured.latency.at(0.99)),
    ];
    for (quantile, share, target, figure) in latencies {
        let what = format!(
            "From when an operation was due until another client had it, {share} at most; {} \
             desks of {}, {words}",
            shape.rooms, shape.clients
        );
        let id = format!("ws.{shape}.{name}.{quantile}");
        let row = Row::new(id, what, "µs", Goal::at_most(target), &each(desk, figure));
        rows.push(row.peers(here(figure)).note(note.clone()));
    }
    if name == "rate1000" {
        let what = format!("Server time for an operation, {shape}, {words}: mostly waking up");
        let figure = Measured::cpu_us_per_operation;
        let id = format!("ws.{shape}.{name}.cpu_us_per_op");
        let row = Row::new(id, what, "µs", Goal::at_most(EQUAL_US), &each(desk, figure));
        rows.push(row.peers(here(figure)));
    }
    rows
}

fn each(measured: &[&Measured], figure: impl Fn(&Measured) -> f64) -> Vec<f64> {
    measured.iter().map(|measured| figure(measured)).collect()
}

fn median(measured: &[&Measured], figure: impl Fn(&Measured) -> f64) -> f64 {
    let mut figures = each(measured, figure);
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
