//! The generator against the relay, over real sockets.

use std::path::PathBuf;
use std::time::Duration;

use desk_bench::generator::Load;
use desk_bench::process::Cores;
use desk_bench::shape::Shape;
use desk_bench::subject::{Places, Relay, join_relay, start_relay};

fn places() -> Places {
    Places {
        server: PathBuf::new(),
        before: None,
        own: PathBuf::from(env!("CARGO_BIN_EXE_desk-bench")),
        data: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("relay"),
    }
}

#[test]
fn everything_sent_through_a_relay_is_counted_and_timed() {
    let cores = Cores::choose().unwrap();
    for kind in [Relay::Bare, Relay::Answers, Relay::Durable] {
        let relay = start_relay(&places(), cores, kind).unwrap();
        let shape = Shape { rooms: 3, clients: 4 };
        let mut generator = join_relay(&relay.address, shape, 1, kind.answers()).unwrap();
        let length = Duration::from_millis(200);
        let mut measure = |load| {
            generator.measure(load, Duration::from_millis(50), length, || relay.cpu_ns()).unwrap()
        };
        let saturated = measure(Load::Saturating { operations: 8 });
        assert!(saturated.batches > 0 && saturated.server_cpu_us > 0.0, "{saturated:?}");
        assert!((7.9..8.1).contains(&saturated.operations_per_batch()), "{saturated:?}");
        let open = measure(Load::Open { rate_per_second: 500.0 });
        // Each operation comes to three others, and a tenth of a second is due.
        assert!(open.latency.count() >= 3 * 50, "{open:?}");
        assert_eq!(open.latency.count() % 3, 0, "{open:?}");
        if kind == Relay::Durable {
            let log = std::fs::metadata(places().data.join("relay.log")).unwrap();
            assert_eq!(log.len(), 64 << 20, "the file is written once, and then over");
        }
    }
}
