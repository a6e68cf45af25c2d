//! FRAME-5: the frames that cost most to read, made by hand.
//!
//! They are kept in `tests/frames`, where the benchmark measures them and the
//! fuzzer starts from them.

use flatbuffers::{FlatBufferBuilder, WIPOffset};

use super::{DecodeError, Decoded, decode_client};
use crate::frame::ClientFrame;
use crate::generated::wire;
use crate::limits::{CLIENT_FRAME_BYTES_MAX, FRAME_TABLES_MAX};

type Operations<'b> = Vec<WIPOffset<wire::Operation<'b>>>;

/// A submit of operations that may share what they point at.
fn submit(make: impl FnOnce(&mut FlatBufferBuilder<'static>) -> Operations<'static>) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    let operations = make(&mut builder);
    let operations = Some(builder.create_vector(&operations));
    let args = wire::SubmitArgs { client_seq: 1, operations, ..Default::default() };
    let body = Some(wire::Submit::create(&mut builder, &args).as_union_value());
    let args = wire::FrameArgs { body_type: wire::Body::Submit, body };
    let frame = wire::Frame::create(&mut builder, &args);
    wire::finish_size_prefixed_frame_buffer(&mut builder, frame);
    let bytes = builder.finished_data().to_vec();
    assert!(bytes.len() <= CLIENT_FRAME_BYTES_MAX, "{}", bytes.len());
    bytes
}

/// As many insertions as fit, each an allocation of its own.
fn insertions() -> Vec<u8> {
    submit(|builder| {
        let pairs = (CLIENT_FRAME_BYTES_MAX - 256) / 17;
        let text = Some(builder.create_string(&"x".repeat(pairs)));
        let parts = (0..pairs).flat_map(|_| {
            let insert = wire::Part::new(1, wire::PartKind::Insert);
            [insert, wire::Part::new(1, wire::PartKind::Retain)]
        });
        let parts = Some(builder.create_vector(&parts.collect::<Vec<_>>()));
        let kind = wire::OperationKind::EditText;
        let args = wire::OperationArgs { kind, id: 1, text, parts, ..Default::default() };
        vec![wire::Operation::create(builder, &args)]
    })
}

/// One text that many titles share; no byte of it is ASCII.
fn shared_text() -> Vec<u8> {
    submit(|builder| {
        let text = builder.create_string(&"é".repeat(CLIENT_FRAME_BYTES_MAX / 2 - 200));
        let kind = wire::OperationKind::SetTitle;
        let args = wire::OperationArgs { kind, text: Some(text), ..Default::default() };
        (0..8).map(|_| wire::Operation::create(builder, &args)).collect()
    })
}

/// As many tables as are allowed, with all their fields.
fn tables() -> Vec<u8> {
    submit(|builder| {
        let text = Some(builder.create_string("x"));
        let parts = Some(builder.create_vector(&[wire::Part::new(1, wire::PartKind::Insert)]));
        let args = wire::OperationArgs {
            kind: wire::OperationKind::EditText,
            id: 1,
            yielding: true,
            text,
            parts,
            ..Default::default()
        };
        let one = wire::Operation::create(builder, &args);
        // The longer the frame, the more of it may be shared.
        let text = Some(builder.create_string(&"é".repeat(CLIENT_FRAME_BYTES_MAX / 2 - 9_000)));
        let kind = wire::OperationKind::SetTitle;
        let args = wire::OperationArgs { kind, text, ..Default::default() };
        let mut operations = vec![one; FRAME_TABLES_MAX - 2];
        operations[..6].fill(wire::Operation::create(builder, &args));
        operations
    })
}

/// One list of parts that many deltas share.
fn shared_parts() -> Vec<u8> {
    submit(|builder| {
        let parts = vec![wire::Part::new(1, wire::PartKind::Retain); 30_000];
        let parts = Some(builder.create_vector(&parts));
        let kind = wire::OperationKind::EditText;
        let args = wire::OperationArgs { kind, id: 1, parts, ..Default::default() };
        (0..8).map(|_| wire::Operation::create(builder, &args)).collect()
    })
}

/// The file with these bytes; `DESK_WRITE_FRAMES` makes it so.
fn check_kept(name: &str, bytes: &[u8]) {
    let path = format!("{}/tests/frames/{name}.bin", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("DESK_WRITE_FRAMES").is_some() {
        std::fs::write(&path, bytes).expect("the folder is there");
    }
    assert!(std::fs::read(&path).expect("the file is there") == bytes, "{path} differs");
}

#[test]
fn frame_5_the_worst_frames_are_kept() {
    for (name, bytes, operations) in [
        ("insertions", insertions(), 1),
        ("shared_text", shared_text(), 8),
        ("tables", tables(), FRAME_TABLES_MAX - 2),
    ] {
        check_kept(name, &bytes);
        match decode_client(&bytes) {
            Ok(Decoded::Frame(_, Some(ClientFrame::Submit(submit)))) => {
                assert_eq!(submit.operations.len(), operations, "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn frame_5_beyond_the_limits_frames_are_refused() {
    check_kept("shared_parts", &shared_parts());
    let shared = decode_client(&shared_parts()).expect_err("more parts than there is room for");
    assert!(matches!(shared, DecodeError::SharedParts { .. }), "{shared}");
    let many = submit(|builder| {
        let kind = wire::OperationKind::Raise;
        let args = wire::OperationArgs { kind, id: 1, ..Default::default() };
        vec![wire::Operation::create(builder, &args); FRAME_TABLES_MAX - 1]
    });
    let error = decode_client(&many).expect_err("too many tables");
    assert_eq!(error, DecodeError::Structure("Too many tables.".into()));
    let wide = submit(|builder| {
        let text = Some(builder.create_string(&"x".repeat(CLIENT_FRAME_BYTES_MAX - 1_024)));
        let kind = wire::OperationKind::SetTitle;
        let args = wire::OperationArgs { kind, text, ..Default::default() };
        (0..9).map(|_| wire::Operation::create(builder, &args)).collect()
    });
    let error = decode_client(&wide).expect_err("nine times its length");
    assert_eq!(error, DecodeError::Structure("Apparent size too large.".into()));
}
