//! The resolver and the codec alone, in this process: coarse figures for the
//! report. `cargo bench -p desk-protocol` has the fine ones.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result};
use desk_protocol::codec::{Encoder, decode_client};
use desk_protocol::frame::{ClientFrame, Submit};
use desk_protocol::limits::{DeskLimits, OrderLimits};
use desk_protocol::resolver::{Submission, TextHistories, accept};
use desk_protocol::{
    Author, Batch, ClientSeq, Color, Commit, Create, Desk, Operation, Point, Revision, Size,
    StickerId, Write,
};

use crate::process::own_cpu_ns;
use crate::random::Random;

/// Revisions that a late author has missed.
pub const MISSED: u64 = 100_000;

/// A full board.
const STICKERS: u64 = 1_000;

/// Batches between two looks at the clock.
const STRIDE: usize = 1_000;

/// What one round measured.
#[derive(Clone, Copy, Debug)]
pub struct InProcess {
    /// Register operations a second of one core, each a batch at the head.
    pub head_per_second: f64,
    /// The same with a base [`MISSED`] revisions back.
    pub late_per_second: f64,
    /// Nanoseconds to read a submit of one move, checks included.
    pub decode_ns: f64,
    /// Nanoseconds to write a commit of one move.
    pub encode_ns: f64,
}

/// A desk with a long past, and what orders batches on it.
struct Board {
    desk: Desk,
    histories: TextHistories,
}

impl Board {
    fn new() -> Result<Self> {
        let mut board =
            Self { desk: Desk::new("bench".into()), histories: TextHistories::default() };
        let numbers: Vec<_> = (0..STICKERS).collect();
        for some in numbers.chunks(500) {
            let create = |number: &u64| {
                Operation::Create(Create {
                    id: id(*number),
                    position: Point::default(),
                    size: Size::default(),
                    color: Color::default(),
                    text: "Words on a sticker. ".repeat(5),
                    ..Create::default()
                })
            };
            board.order(1, 0, some.iter().map(create).collect())?;
        }
        for step in 0..MISSED {
            board.order(2 + (step % 3) as u32, 0, vec![moved(step)])?;
        }
        Ok(board)
    }

    /// Orders a batch whose author has missed so many revisions.
    fn order(&mut self, author: u32, missed: u64, operations: Vec<Operation>) -> Result<Commit> {
        let batch = Batch::from_operations(operations, &DeskLimits::default())
            .ok()
            .context("a good batch")?;
        let submission = Submission {
            author: Author(author),
            client_seq: ClientSeq(1),
            base: Revision(self.desk.revision().0 - missed),
            made_at: Revision(self.desk.revision().0 - missed),
            batch: &batch,
            user: "",
            now_ms: 0,
            text_at_head: &[],
        };
        let accepted =
            accept(&mut self.desk, &mut self.histories, submission, &OrderLimits::default());
        Ok(accepted.ok().context("an acceptable batch")?.commit)
    }
}

fn id(number: u64) -> StickerId {
    StickerId(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn moved(number: u64) -> Operation {
    let write = Write::Position(Point { x: (number % 997) as i32, y: 7 });
    Operation::Set { id: id(number % STICKERS), write, yielding: false }
}

/// Runs everything once, each part for `length`.
pub fn measure(length: Duration, seed: u64) -> Result<InProcess> {
    let mut board = Board::new()?;
    let mut random = Random::new(seed);
    let mut order = |missed| -> Result<f64> {
        let mut failed = None;
        let ns = time(length, || {
            if let Err(error) = board.order(9, missed, vec![moved(random.bits() >> 32)]) {
                failed = Some(error);
            }
        })?;
        failed.map_or(Ok(1e9 / ns), Err)
    };
    let head_per_second = order(0)?;
    let late_per_second = order(MISSED)?;

    let operations = vec![moved(1)];
    let base = Revision(1_000);
    let submit = Submit { client_seq: ClientSeq(17), base, made_at: base, operations };
    let mut encoder = Encoder::new();
    let mut frame = Vec::new();
    encoder.client(&ClientFrame::Submit(submit), &mut frame);
    let decode_ns = time(length, || drop(black_box(decode_client(black_box(&frame)))))?;
    let commit = board.order(9, 0, vec![moved(1)])?;
    let mut out = Vec::new();
    let encode_ns = time(length, || {
        out.clear();
        encoder.commit(black_box(&commit), &mut out);
        black_box(out.len());
    })?;
    Ok(InProcess { head_per_second, late_per_second, decode_ns, encode_ns })
}

/// Nanoseconds of processor time that one call takes.
fn time(length: Duration, mut call: impl FnMut()) -> Result<f64> {
    let begin = own_cpu_ns()?;
    let mut calls = 0;
    loop {
        for _ in 0..STRIDE {
            call();
        }
        calls += STRIDE;
        let spent = own_cpu_ns()? - begin;
        if u128::from(spent) >= length.as_nanos() {
            return Ok(spent as f64 / calls as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_gives_a_figure() {
        let measured = measure(Duration::from_millis(1), 1).unwrap();
        let figures = [
            measured.head_per_second,
            measured.late_per_second,
            measured.decode_ns,
            measured.encode_ns,
        ];
        assert!(figures.iter().all(|figure| figure.is_finite() && *figure > 0.0), "{measured:?}");
    }
}
