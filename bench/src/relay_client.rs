//! A participant of a relay's room. Its messages are as long as the product's
//! submits and carry what the ledger needs:
//!
//! ```text
//! 0..8    number of the batch in its room, little endian
//! 8..12   operations, little endian
//! 12..    filling
//! ```
//!
//! One message holds one batch; the relay may put several into one.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Result, ensure};
use desk_protocol::Time;
use desk_protocol::codec::encode_client;
use desk_protocol::frame::{ClientFrame, Submit};
use desk_protocol::{ClientSeq, Operation, Point, Revision, StickerId, Write};

use crate::ledger::Ledger;
use crate::participant::Participant;
use crate::random::Random;

const HEADER_BYTES: usize = 12;

/// Someone who sends to a relay and counts what comes from it.
#[derive(Debug)]
pub struct RelayClient {
    /// Made, not sent.
    queued: Vec<Time>,
    /// The batch in flight.
    in_flight: Option<u64>,
    /// Whether the relay answers, and the answer for that batch is to come.
    echo: bool,
    unanswered: bool,
    /// What a submit of so many operations measures, by their number.
    sizes: Vec<usize>,
    number_next: Rc<Cell<u64>>,
}

impl RelayClient {
    /// `number_next` is shared by the clients of a room: it numbers batches.
    /// With `echo` a batch is over when it has come back, too.
    pub fn new(number_next: Rc<Cell<u64>>, echo: bool) -> Self {
        let sizes = (0..=64).map(submit_bytes).collect();
        Self { queued: Vec::new(), in_flight: None, echo, unanswered: false, sizes, number_next }
    }
}

impl RelayClient {
    /// Whether nothing is in flight. A bare relay acknowledges nothing: a batch
    /// is over when all others have it, which the generator, being all of them,
    /// knows.
    fn is_over(&self, ledger: &Ledger) -> bool {
        !self.unanswered && self.in_flight.is_none_or(|number| ledger.is_complete(number))
    }
}

/// Bytes of a submit of so many moves.
fn submit_bytes(operations: usize) -> usize {
    let moved = |number| Operation::Set {
        id: StickerId(number as u64),
        write: Write::Position(Point { x: 1, y: 1 }),
        yielding: false,
    };
    let mut bytes = Vec::new();
    let operations = (0..operations).map(moved).collect();
    let base = Revision(1);
    let submit = Submit { client_seq: ClientSeq(1), base, made_at: base, operations };
    encode_client(&ClientFrame::Submit(submit), &mut bytes);
    bytes.len()
}

impl Participant for RelayClient {
    fn receive(&mut self, now: Time, message: &[u8], ledger: &mut Ledger) -> Result<()> {
        ensure!(message.len() >= HEADER_BYTES, "the relay cut a message");
        let number = u64::from_le_bytes(message[..8].try_into()?);
        let operations = u32::from_le_bytes(message[8..HEADER_BYTES].try_into()?);
        if self.in_flight == Some(number) {
            ensure!(self.unanswered, "the relay answers twice, or was not asked to");
            self.unanswered = false;
            return Ok(());
        }
        ledger.received(number, u64::from(operations), now);
        Ok(())
    }

    fn act(
        &mut self,
        _now: Time,
        intended: Time,
        operations: usize,
        _random: &mut Random,
    ) -> Result<()> {
        self.queued.extend(std::iter::repeat_n(intended, operations));
        Ok(())
    }

    fn transmit(&mut self, _now: Time, ledger: &mut Ledger) -> Option<Vec<u8>> {
        if !self.wants_to_send(ledger) {
            return None;
        }
        let number = self.number_next.get();
        self.number_next.set(number + 1);
        let intended = std::mem::take(&mut self.queued);
        let length = self.sizes[intended.len().min(self.sizes.len() - 1)];
        let mut message = vec![0; length.max(HEADER_BYTES)];
        message[..8].copy_from_slice(&number.to_le_bytes());
        message[8..HEADER_BYTES].copy_from_slice(&(intended.len() as u32).to_le_bytes());
        ledger.authored(number, intended);
        self.in_flight = Some(number);
        self.unanswered = self.echo;
        Some(message)
    }

    fn is_idle(&self, ledger: &Ledger) -> bool {
        self.queued.is_empty() && self.is_over(ledger)
    }

    fn wants_to_send(&self, ledger: &Ledger) -> bool {
        !self.queued.is_empty() && self.is_over(ledger)
    }

    fn handle_timeout(&mut self, _now: Time) {}
}
