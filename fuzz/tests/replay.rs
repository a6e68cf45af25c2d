//! The committed corpus, on any compiler.

use std::fs;
use std::path::{Path, PathBuf};

use desk_fuzz::TARGETS;

const CORPUS_BYTES_MAX: u64 = 200 << 10;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn each_target_survives_its_corpus() {
    for (name, run) in TARGETS {
        let inputs = files(&corpus().join(name));
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for input in inputs {
            let bytes = fs::read(&input).unwrap();
            // The file's name goes into the output, which is shown on a panic.
            println!("{}", input.display());
            run(&bytes);
        }
    }
}

#[test]
fn each_target_survives_small_inputs() {
    for (_, run) in TARGETS {
        run(&[]);
        for byte in 0..=255_u8 {
            run(&[byte]);
            for length in [2, 7, 64, 513] {
                run(&vec![byte; length]);
            }
        }
    }
}

#[test]
fn each_corpus_has_a_target_and_all_are_small() {
    let mut bytes = 0;
    for folder in files(&corpus()) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(TARGETS.iter().any(|(target, _)| *target == name), "{name} is no target");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz_targets/{name}.rs"));
        assert!(source.exists(), "{name} is not driven by libfuzzer");
        bytes += files(&folder).iter().map(|file| fs::metadata(file).unwrap().len()).sum::<u64>();
    }
    assert!(bytes <= CORPUS_BYTES_MAX, "the corpus has {bytes} bytes, {CORPUS_BYTES_MAX} at most");
}
