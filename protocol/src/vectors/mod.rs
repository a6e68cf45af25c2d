//! Runs `vectors/*.json`: what any implementation of the merge rules must find.
//!
//! A file is a list of cases; each has a `name`, the number of the rule in
//! `SPEC.md`, a `kind`, its input, and under `finds` what comes out of it.
//!
//! | kind | input | finds |
//! |---|---|---|
//! | `text` | `text`; `first` and `second`, two deltas of it, in the desk's order | `over`: the second over the first; `under`: the first over the second; `result` |
//! | `compose` | `text`; `first`, a delta of it; `then`, one of what that makes | `composed`, `result` |
//! | `invert` | `text`, `delta` | `result`, `inverse` |
//! | `run` | `text`; `steps`, each a delta that the author `typed` or by which the text was `moved` otherwise | for each step the `run` and, if typed, the delta with its marks; `result` |
//! | `caret` | `text`, `delta` of another; `caret`, and whether the next character there `continues` | `result`, `caret` |
//! | `accept` | `submits`: `author`, `base` and `ops` of each, in the desk's order; `bin`: how many deleted stickers are kept | for each its commit (`status`, `ops`) or why not; `desk` at the end |
//! | `pending` | as `accept`, then `mine`: `author`, `base`, `ops` of a pending batch | `over`: the batch on top of the commits after its base; `under`: those on top of the batch; `view`: the desk with the batch over it |
//!
//! Operations are written as in the HTTP interface, with `"yielding": true`
//! where they yield and `set_z` for a write of a plain height. An insertion that
//! continues its author's own text has `"continues": true`.

mod case;
mod operation;

use serde_json::Value;

/// Runs all cases of a file and tells how many there were.
///
/// # Errors
/// The first case that is not readable, or finds something else.
pub fn run(json: &str) -> Result<usize, String> {
    let cases = read(json)?;
    for case in &cases {
        let found = case::find(case).map_err(|why| format!("{}: {why}", name(case)))?;
        if case["finds"] != found {
            let expected = &case["finds"];
            return Err(format!("{}: expected {expected}, found {found}", name(case)));
        }
    }
    Ok(cases.len())
}

/// The same file with what this implementation finds, for new cases.
///
/// # Errors
/// The first case that is not readable.
pub fn fill(json: &str) -> Result<String, String> {
    let mut lines = Vec::new();
    for mut case in read(json)? {
        case["finds"] = case::find(&case).map_err(|why| format!("{}: {why}", name(&case)))?;
        lines.push(case.to_string());
    }
    Ok(format!("[\n{}\n]\n", lines.join(",\n")))
}

fn read(json: &str) -> Result<Vec<Value>, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

fn name(case: &Value) -> String {
    format!("{} ({})", case["name"], case["rule"])
}
