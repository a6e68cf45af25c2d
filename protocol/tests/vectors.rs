//! The vectors hold natively; `client/wasm` runs the same files in WASM.

use desk_protocol::vectors::{fill, run};

/// Runs every file; `DESK_WRITE_VECTORS` fills in what is found first.
#[test]
fn vectors_hold() {
    let folder = format!("{}/vectors", env!("CARGO_MANIFEST_DIR"));
    let mut cases = 0;
    for file in std::fs::read_dir(folder).expect("the folder is there") {
        let path = file.expect("it is readable").path();
        let mut json = std::fs::read_to_string(&path).expect("it is a text");
        if std::env::var_os("DESK_WRITE_VECTORS").is_some() {
            json = fill(&json).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            std::fs::write(&path, &json).expect("it is writable");
        }
        cases += run(&json).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    }
    assert!(cases >= 60, "{cases}");
}

#[test]
fn a_wrong_vector_is_noticed() {
    let case = r#"[{"name": "n", "rule": "TEXT-7", "kind": "invert", "text": "ab",
        "delta": [{"delete": 1}], "finds": {"result": "a", "inverse": [{"insert": "a"}]}}]"#;
    let why = run(case).expect_err("the result is b");
    assert!(why.contains(r#""result":"b""#), "{why}");
    assert!(run("[{}]").is_err());
}
