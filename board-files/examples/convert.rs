//! Reads a board and writes it in another format: `convert IN OUT`. The ending of `OUT`
//! names the format; what was left out is told. The tests in `tests/peers` open what it
//! writes with the peers' own code.

use std::error::Error;
use std::path::Path;

use desk_files::{Format, Kind, Options, read, write};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err("expected two files: convert IN OUT".into());
    };
    let ending = Path::new(&to).extension().unwrap_or_default();
    let named = Format::NAMES.into_iter().find(|(name, _)| *name == ending);
    let (_, format) = named.ok_or("the ending of the second file names no format")?;
    let options = Options { hint: Kind::suggested(&from), ..Options::default() };
    let imported = read(&std::fs::read(&from)?, &options)?;
    println!("{}", imported.report);
    std::fs::write(&to, write(&imported.board, format))?;
    Ok(())
}
