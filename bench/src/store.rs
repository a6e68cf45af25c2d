//! The rows of the store, which a program of its own measures: the other stores
//! that it needs are no dependencies of this one.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::report::Row;

/// Runs `program` (`compare-store`) and reads the rows that it wrote.
///
/// # Errors
/// It is not there, or it failed.
pub fn rows(program: &Path, folder: &Path, quick: bool) -> Result<Vec<Row>> {
    let file = folder.join("store-rows.json");
    let mut command = Command::new(program);
    command.arg("--folder").arg(folder).arg("--rows").arg(&file);
    if quick {
        command.arg("--quick");
    }
    let shown = program.display();
    let status = command.status();
    let status = status.with_context(|| format!("{shown}: `make bench ONLY=store` builds it"))?;
    ensure!(status.success(), "{shown} failed: {status}");
    let rows = serde_json::from_str(&fs::read_to_string(&file)?)?;
    fs::remove_file(&file)?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::report::Goal;

    #[test]
    fn rows_of_the_other_program_are_taken_as_they_are() {
        let folder = std::env::temp_dir().join(format!("store-rows-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let row = Row::new("store.a", "words", "×", Goal::at_most(2.0), &[1.0, 3.0, 1.5]);
        let json = serde_json::to_string(&[&row]).unwrap();
        // Writes what it is told to the file of its fourth argument.
        let script = format!("#!/bin/sh\necho '{json}' >\"$4\"\n");
        let program = folder.join("program");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let read = rows(&program, &folder, true).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::json!([row]));
        let missing = rows(&folder.join("missing"), &folder, true).unwrap_err();
        assert!(missing.to_string().contains("ONLY=store"), "{missing}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
