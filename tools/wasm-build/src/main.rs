//! `wasm-build INPUT.wasm OUT_DIR NAME` writes `NAME.js`, `NAME.d.ts` and
//! `NAME_bg.wasm` for a browser's `import`.
//!
//! It is not a compiler: cargo builds the module, `tools/wasm` runs both.
//! Files whose content is the same are left alone, so that a watching bundler
//! rebuilds only after a real change.
#![forbid(unsafe_code)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [input, out_dir, name] = args.as_slice() else {
        bail!("usage: wasm-build INPUT.wasm OUT_DIR NAME");
    };
    let (input, out_dir) = (Path::new(input), PathBuf::from(out_dir));
    let fresh = input.with_extension("bindgen");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).with_context(|| format!("clearing {}", fresh.display()))?;
    }
    bind(input, &fresh, name)?;
    publish(&fresh, &out_dir)
}

/// Generates the JavaScript, the types and the final module into `out_dir`.
fn bind(input: &Path, out_dir: &Path, name: &str) -> Result<()> {
    Bindgen::new()
        .input_path(input)
        .out_name(name)
        .web(true)?
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(out_dir)
        .with_context(|| format!("post-processing {}", input.display()))
}

/// Copies what differs from `fresh` to `out_dir` and removes what `fresh` lacks.
/// Names that begin with a dot belong to the caller and stay.
fn publish(fresh: &Path, out_dir: &Path) -> Result<()> {
    fs::create_dir_all(out_dir)?;
    for entry in fs::read_dir(out_dir)? {
        let entry = entry?;
        let stale = !fresh.join(entry.file_name()).exists();
        if stale && !entry.file_name().to_string_lossy().starts_with('.') {
            remove(&entry.path())?;
        }
    }
    for entry in fs::read_dir(fresh)? {
        let entry = entry?;
        let target = out_dir.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            publish(&entry.path(), &target)?;
            continue;
        }
        let content = fs::read(entry.path())?;
        if fs::read(&target).ok().as_ref() != Some(&content) {
            fs::write(&target, content).with_context(|| format!("writing {}", target.display()))?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
        .with_context(|| format!("removing {}", path.display()))
}
