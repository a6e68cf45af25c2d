//! Who sits at a connection of the generator.

use anyhow::Result;
use desk_gateway_http::websocket::Opcode;
use desk_protocol::Time;

use crate::ledger::Ledger;
use crate::random::Random;

/// One client of a room: what it makes of messages, and what it has to send.
/// The protocol allows one batch in flight, so that is all that any of them
/// sends; what is asked of it meanwhile goes together into the next.
pub trait Participant {
    /// What carries its messages.
    const OPCODE: Opcode = Opcode::Binary;

    /// Takes a message, and enters into the room's ledger what it tells.
    ///
    /// # Errors
    /// The server did what it must not.
    fn receive(&mut self, now: Time, message: &[u8], ledger: &mut Ledger) -> Result<()>;

    /// Makes `operations` at once, which were due at `intended`.
    ///
    /// # Errors
    /// They are not possible.
    fn act(
        &mut self,
        now: Time,
        intended: Time,
        operations: usize,
        random: &mut Random,
    ) -> Result<()>;

    /// The next message.
    fn transmit(&mut self, now: Time, ledger: &mut Ledger) -> Option<Vec<u8>>;

    /// Whether nothing it made is under way.
    fn is_idle(&self, ledger: &Ledger) -> bool;

    /// Whether there is something that [`Participant::transmit`] may give,
    /// although nothing came in.
    fn wants_to_send(&self, ledger: &Ledger) -> bool;

    /// A deadline may have come.
    fn handle_timeout(&mut self, now: Time);
}
