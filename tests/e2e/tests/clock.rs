//! A clock that is far ahead of the last run: nobody's data goes before somebody
//! says that it is right.

use std::path::PathBuf;

use desk_e2e::{Server, Setup, create, eventually};

/// Seconds of which each has a bucket of its own, so that the manifest is written at
/// every look at the clock.
fn watched() -> Setup {
    Setup::default().flag("--bucket", "1s").flag("--desk-ttl", "10m")
}

/// A server, not running, on the store's golden folder, which was written in 2023. How
/// its files are packed is drawn in `storage-lsm/tests/store/golden.rs`.
fn of_2023() -> Server {
    let mut server = Server::new();
    server.stop();
    for name in server.files() {
        if name == "manifest" || name.ends_with(".log") || name.ends_with(".table") {
            std::fs::remove_file(server.data().join(name)).expect("it is removed");
        }
    }
    let fixture =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../storage-lsm/tests/fixtures/v2");
    for entry in std::fs::read_dir(fixture).expect("the golden folder") {
        let path = entry.expect("a file").path();
        let packed = std::fs::read(&path).expect("it is read");
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("8 bytes")) as usize;
        let mut bytes = vec![0; number(&packed[..8])];
        for block in packed[8..].chunks(8 + 4096) {
            let at = number(&block[..8]);
            bytes[at..at + 4096].copy_from_slice(&block[8..]);
        }
        let name = path.file_stem().expect("a name");
        std::fs::write(server.data().join(name), bytes).expect("it is written");
    }
    server
}

/// How often the manifest was written: at offset 24, as `manifest/slot.rs` draws it.
fn manifest_writes(server: &Server) -> u64 {
    let bytes = std::fs::read(server.data().join("manifest")).expect("the manifest");
    u64::from_le_bytes(bytes[24..32].try_into().expect("8 bytes"))
}

fn old_tables(server: &Server) -> usize {
    let of_a_former_run = |name: &String| name.starts_with("00000001-") && name.ends_with(".table");
    server.files().iter().filter(|name| of_a_former_run(name)).count()
}

#[test]
fn a_clock_far_ahead_drops_nothing_unvouched() {
    let mut server = of_2023();
    server.up_with(watched());
    let before = manifest_writes(&server);
    eventually("four looks at the clock", || {
        (manifest_writes(&server) >= before + 4).then_some(())
    });
    assert_eq!(server.log().matches("the clock").count(), 1, "{}", server.log());
    assert_eq!(old_tables(&server), 1, "{:?}", server.files());
    // People are served meanwhile.
    create(&server, "").add(&server, 1, "of now");
    server.stop();
    server.up_with(watched().switch("--accept-clock"));
    eventually("the old table's end", || (old_tables(&server) == 0).then_some(()));
    assert_eq!(server.log().matches("the clock").count(), 0, "{}", server.log());
}
