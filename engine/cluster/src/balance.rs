//! Where there is room: which node new desks go to, and which unit a loaded node hands
//! over.

use crate::limits::{LOAD_GAP_MIN, LOAD_GAP_PART};
use crate::unit_id::UnitId;

/// Whether a node with so many sessions should leave what comes next to one with so few. A
/// node that is full leaves it to anybody with fewer.
pub(crate) fn is_lighter(own: u32, other: u32, is_full: bool) -> bool {
    let (part, of) = LOAD_GAP_PART;
    let least = if is_full { 1 } else { LOAD_GAP_MIN.max(own / of * part) };
    own.saturating_sub(other) >= least
}

/// The unit to hand over to a node that has so many sessions: the one with the most whose
/// move does not turn the difference round. The same move back would do so, and so no unit
/// goes to and fro.
pub(crate) fn unit_to_move(units: &[(UnitId, u32)], own: u32, other: u32) -> Option<UnitId> {
    let most = own.saturating_sub(other) / 2;
    let fitting = units.iter().filter(|(_, sessions)| (1..=most).contains(sessions));
    fitting.max_by_key(|(unit, sessions)| (*sessions, *unit)).map(|(unit, _)| *unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(number: u16) -> UnitId {
        UnitId::new(number).expect("below 64")
    }

    #[test]
    fn a_small_difference_moves_nothing() {
        assert!(!is_lighter(LOAD_GAP_MIN - 1, 0, false));
        assert!(is_lighter(LOAD_GAP_MIN, 0, false));
        assert!(!is_lighter(10_000, 8_000, false) && is_lighter(10_000, 7_500, false));
        assert!(is_lighter(10_000, 9_999, true) && !is_lighter(0, 0, true));
    }

    #[test]
    fn the_largest_unit_that_fits_is_moved() {
        let units = [(unit(1), 90), (unit(2), 40), (unit(3), 10), (unit(4), 0)];
        assert_eq!(unit_to_move(&units, 140, 40), Some(unit(2)));
        assert_eq!(unit_to_move(&units, 140, 115), Some(unit(3)));
        // One desk that everybody is on stays where it is.
        assert_eq!(unit_to_move(&units[..1], 90, 0), None);
    }
}
