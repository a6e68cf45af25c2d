//! What reading and writing frames costs, the worst accepted ones too.
//!
//! `cargo bench -p desk-protocol --bench codec`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use desk_protocol::codec::{
    Encoder, decode_client, decode_server, decode_snapshot, encode_snapshot,
};
use desk_protocol::frame::{ClientFrame, ServerFrame, Submit};
use desk_protocol::resolver::apply;
use desk_protocol::{
    Author, ClientSeq, Color, Commit, Create, Desk, Operation, Point, Revision, Size, StickerId,
    Write,
};

fn moves(count: u64) -> Vec<Operation> {
    let write = Write::Position(Point { x: 5, y: 7 });
    let id = |number: u64| StickerId(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..count).map(|number| Operation::Set { id: id(number), write, yielding: false }).collect()
}

fn commit(revision: Revision, operations: Vec<Operation>) -> Commit {
    Commit {
        revision,
        author: Author(3),
        client_seq: ClientSeq(17),
        status: Default::default(),
        user: "someone".into(),
        accepted_at_ms: 1_700_000_000_000,
        operations,
    }
}

fn frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame");
    let mut encoder = Encoder::new();
    for count in [1, 8, 500] {
        let submit = ClientFrame::Submit(Submit {
            client_seq: ClientSeq(17),
            base: Revision(1_000),
            made_at: Revision(1_000),
            operations: moves(count),
        });
        let mut bytes = Vec::new();
        encoder.client(&submit, &mut bytes);
        group.throughput(Throughput::Elements(count));
        group.bench_function(
            format!("decode a submit of {count} moves, {} bytes", bytes.len()),
            |b| b.iter(|| black_box(decode_client(&bytes))),
        );
        let commit = commit(Revision(1_001), moves(count));
        let mut out = Vec::new();
        group.bench_function(format!("encode a commit of {count} moves"), |b| {
            b.iter(|| {
                out.clear();
                encoder.commit(&commit, &mut out);
                black_box(out.len())
            })
        });
        encoder.server(&ServerFrame::Commit(commit), &mut bytes);
        group.bench_function(
            format!("decode a commit of {count} moves, {} bytes", out.len()),
            |b| b.iter(|| black_box(decode_server(&out))),
        );
    }
    group.finish();
}

/// The worst frames stay under 2 ms.
fn worst(c: &mut Criterion) {
    let mut group = c.benchmark_group("worst frame");
    for name in ["insertions", "shared_text", "tables", "shared_parts"] {
        let path = format!("{}/tests/frames/{name}.bin", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).expect("the file is there");
        group.bench_function(name, |b| b.iter(|| black_box(decode_client(&bytes)).is_ok()));
    }
    group.finish();
}

fn snapshots(c: &mut Criterion) {
    let mut desk = Desk::new("bench".into());
    for chunk in 0..2u64 {
        let create = |number: u64| {
            Operation::Create(Create {
                id: StickerId(number),
                position: Point::default(),
                size: Size::default(),
                color: Color::default(),
                text: "Words on a sticker. ".repeat(5),
                z: Some(number as i64),
                ..Create::default()
            })
        };
        let operations = (0..500).map(|number| create(chunk * 500 + number)).collect();
        let next = desk.revision().next();
        apply(&mut desk, &commit(next, operations)).expect("it follows");
    }
    let bytes = encode_snapshot(&desk);
    let mut group = c.benchmark_group(format!("snapshot of 1,000 stickers, {} bytes", bytes.len()));
    group.bench_function("encode", |b| b.iter(|| black_box(encode_snapshot(&desk))));
    group.bench_function("decode", |b| b.iter(|| black_box(decode_snapshot(&bytes))));
    group.finish();
}

criterion_group!(benches, frames, worst, snapshots);
criterion_main!(benches);
