//! How many rooms of how many clients.

use std::fmt;

/// The form of a load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Desks, or a relay's rooms.
    pub rooms: usize,
    /// Clients of each.
    pub clients: usize,
}

impl Shape {
    /// The three that the report is about: pairs, teams, a crowd.
    pub const ALL: [Self; 3] = [
        Self { rooms: 50, clients: 2 },
        Self { rooms: 20, clients: 10 },
        Self { rooms: 1, clients: 100 },
    ];
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.rooms, self.clients)
    }
}
