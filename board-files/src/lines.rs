//! A note a line.

use crate::draft::{Draft, Draught};
use crate::error::ReadError;
use crate::kind::Kind;
use crate::spot::Spot;

pub(crate) fn read(text: &str, draught: &mut Draught) -> Result<(), ReadError> {
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() {
            let spot = Spot::line(Kind::Lines, index + 1);
            draught.push(Draft::new(spot, line.to_owned()))?;
        }
    }
    Ok(())
}
