//! What ordering a batch costs.
//!
//! `cargo bench -p desk-protocol --bench resolver`

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use desk_protocol::limits::{DeskLimits, OrderLimits};
use desk_protocol::resolver::{Submission, TextHistories, accept, apply, transform};
use desk_protocol::text::{Delta, Part};
use desk_protocol::{
    Author, Batch, ClientSeq, Color, Create, Desk, Operation, Point, Revision, Size, StickerId,
    Write,
};

/// Stickers of the desk: a full board.
const STICKERS: u64 = 1_000;

/// Revisions that a late author has missed.
const MISSED: u64 = 100_000;

/// Spreads ids over the whole range, as random ones are.
fn id(number: u64) -> StickerId {
    StickerId(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn moved(number: u64, step: u64) -> Operation {
    let write = Write::Position(Point { x: (step % 1_000) as i32, y: 7 });
    Operation::Set { id: id(number % STICKERS), write, yielding: false }
}

fn insertion(number: u64) -> Operation {
    let parts = [Part::Retain(50), Part::insert("x"), Part::Retain(20), Part::Delete(1)];
    let delta = Delta::from_parts(parts).expect("a small delta");
    Operation::EditText { id: id(number % STICKERS), delta }
}

fn order(
    desk: &mut Desk,
    histories: &mut TextHistories,
    author: u32,
    base: u64,
    operations: Vec<Operation>,
) -> Revision {
    let batch = Batch::from_operations(operations, &DeskLimits::default()).expect("well formed");
    let submission = Submission {
        author: Author(author),
        client_seq: ClientSeq(1),
        base: Revision(base),
        made_at: Revision(base),
        batch: &batch,
        user: "",
        now_ms: 0,
        text_at_head: &[],
    };
    accept(desk, histories, submission, &OrderLimits::default())
        .expect("acceptable")
        .commit
        .revision
}

/// A desk at revision [`MISSED`] and more, each sticker moved by others.
fn old_desk() -> (Desk, TextHistories) {
    let (mut desk, mut histories) = (Desk::new("bench".into()), TextHistories::default());
    let numbers: Vec<_> = (0..STICKERS).collect();
    for numbers in numbers.chunks(500) {
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
        order(&mut desk, &mut histories, 1, 0, numbers.iter().map(create).collect());
    }
    for step in 0..MISSED {
        let base = desk.revision().0;
        order(&mut desk, &mut histories, 2 + (step % 3) as u32, base, vec![moved(step, step)]);
    }
    (desk, histories)
}

fn registers(c: &mut Criterion) {
    let (mut desk, mut histories) = old_desk();
    let mut group = c.benchmark_group("accept");
    for (late, missed) in [("head", 0), ("100,000 revisions late", MISSED)] {
        for operations in [1, 8, 500] {
            group.throughput(Throughput::Elements(operations));
            let mut step = 0;
            group.bench_function(format!("{operations} moves, base at {late}"), |b| {
                b.iter_batched(
                    || {
                        step += operations;
                        (0..operations).map(|number| moved(step + number * 7, step)).collect()
                    },
                    |list: Vec<Operation>| {
                        let base = desk.revision().0 - missed;
                        black_box(order(&mut desk, &mut histories, 9, base, list))
                    },
                    BatchSize::SmallInput,
                )
            });
        }
    }
    group.throughput(Throughput::Elements(1));
    let mut step = 0;
    group.bench_function("1 raise", |b| {
        b.iter(|| {
            step += 1;
            let raise = vec![Operation::Raise { id: id(step % STICKERS), z: None }];
            let base = desk.revision().0;
            black_box(order(&mut desk, &mut histories, 9, base, raise))
        })
    });
    group.bench_function("1 text edit at the head", |b| {
        b.iter(|| {
            step += 1;
            let base = desk.revision().0;
            black_box(order(&mut desk, &mut histories, 9, base, vec![insertion(step)]))
        })
    });
    group.finish();
}

/// A text edit over the deltas that its author has missed.
fn late_text(c: &mut Criterion) {
    let mut group = c.benchmark_group("accept a text edit");
    for missed in [1u64, 10, 100] {
        let (mut desk, mut histories) = (Desk::new("bench".into()), TextHistories::default());
        let create = Create {
            id: id(1),
            position: Point::default(),
            size: Size::default(),
            color: Color::default(),
            text: "Words on a sticker. ".repeat(5),
            ..Create::default()
        };
        order(&mut desk, &mut histories, 1, 0, vec![Operation::Create(create)]);
        for _ in 0..missed {
            let base = desk.revision().0;
            order(&mut desk, &mut histories, 2, base, vec![insertion(1)]);
        }
        group.bench_function(format!("{missed} deltas late"), |b| {
            b.iter_batched_ref(
                || (desk.clone(), histories.clone()),
                |(desk, histories)| order(desk, histories, 3, 1, vec![insertion(1)]),
                BatchSize::SmallInput,
            )
        });
    }
    group.finish();
}

fn client(c: &mut Criterion) {
    let (mut desk, mut histories) = old_desk();
    let mut group = c.benchmark_group("client");
    let batch =
        Batch::from_operations(vec![moved(1, 1)], &DeskLimits::default()).expect("well formed");
    let submission = Submission {
        author: Author(1),
        client_seq: ClientSeq(1),
        base: desk.revision(),
        made_at: desk.revision(),
        batch: &batch,
        user: "",
        now_ms: 0,
        text_at_head: &[],
    };
    let mut commit = accept(&mut desk, &mut histories, submission, &OrderLimits::default())
        .expect("acceptable")
        .commit;
    group.bench_function("apply a move", |b| {
        b.iter(|| {
            commit.revision = desk.revision().next();
            apply(&mut desk, &commit).expect("it follows")
        })
    });
    let pending = Batch::from_operations(vec![moved(2, 1), insertion(3)], &DeskLimits::default())
        .expect("well formed");
    group.bench_function("transform a pending batch over a move", |b| {
        b.iter(|| black_box(transform(&pending, &commit.operations)))
    });
    group.finish();
}

criterion_group!(benches, registers, late_text, client);
criterion_main!(benches);
