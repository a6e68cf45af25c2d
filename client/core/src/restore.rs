//! The two records: handing them out to be written, and making a client of them again.

use desk_protocol::codec::{
    Decoded, decode_client_within, decode_server, encode_client, encode_snapshot,
};
use desk_protocol::desk::DeskParts;
use desk_protocol::frame::{ClientFrame, Role, Submit};
use desk_protocol::resolver::apply;
use desk_protocol::{Author, Batch, ClientSeq, Desk, Operation, Revision, ServerFrame, Sticker};

use crate::batch::rebuilt;
use crate::client::{Client, Config};
use crate::event::{Action, Unsaved, UnsavedReason};
use crate::inbox::desk_from;
use crate::pending::{Entry, Flight, Level, Owner};
use crate::record::{BASE_MAGIC, QUEUE_MAGIC, Reader, Records, RestoreError, Token, Writer};

impl Client {
    /// Makes a client from what was persisted; it asks for a connection at once. Its
    /// newest undo steps come back too. An empty session key in `config` stands for the
    /// persisted one.
    ///
    /// # Errors
    /// [`RestoreError`]: only a client without state can be made.
    pub fn restore(config: Config, base: &[u8], queue: &[u8]) -> Result<Self, RestoreError> {
        let mut client = Client::new(config);
        let mut reader = Reader::new(BASE_MAGIC, base)?;
        client.distrust = reader.is_behind;
        let base_bytes = base.len();
        client.confirmed = desk_from(reader.bytes()?)?;
        let generation = reader.generation;
        let mut reader = Reader::new(QUEUE_MAGIC, queue)?;
        if reader.generation != generation {
            return Err(RestoreError::Mismatch);
        }
        client.distrust |= reader.is_behind;
        let commits = reader.bytes()?;
        client.replay(commits)?;
        client.store.resume(generation, base_bytes, commits.to_vec());
        client.read_identity(&mut reader)?;
        client.read_pending(&mut reader)?;
        client.read_unsaved(&mut reader)?;
        client.read_steps(&mut reader);
        client.stale_whole = client.ready;
        client.refresh();
        Ok(client)
    }

    /// What must be written before the next greeting or batch goes out, if
    /// anything. Write both records in one transaction, in the order in which
    /// they were handed out.
    pub fn persist(&mut self) -> Option<Records> {
        if !self.store.is_durable() {
            return None;
        }
        self.freeze();
        let (token, base) = self.store.hand_out(&self.confirmed)?;
        Some(Records { token, base, queue: self.queue_record() })
    }

    /// The records of a token, and so of all before it, are written.
    pub fn persisted(&mut self, token: Token) {
        self.store.written(token);
    }

    /// Goes on without persistence, because there is nowhere to write to. A restart
    /// then loses work that is not acknowledged.
    pub fn stop_persisting(&mut self) {
        self.store.stop();
        self.config.durable = false;
    }

    fn queue_record(&self) -> Vec<u8> {
        let mut writer = Writer::new(QUEUE_MAGIC, self.store.generation, self.distrust);
        writer.bytes(&self.store.commits);
        writer.flag(self.ready);
        writer.bytes(self.config.session_key.as_bytes());
        writer.number(self.connection);
        writer.optional(self.author.map(|author| u64::from(author.0)));
        writer.optional(self.role.map(|role| role as u64));
        writer.optional(self.lifetime.map(|(created, _)| created));
        writer.optional(self.lifetime.map(|(_, expires)| expires));
        writer.flag(self.identity_lost);
        writer.number(self.next_seq.0);

        writer.optional(self.pending.flight.as_ref().map(|flight| flight.seq.0));
        if let Some(flight) = &self.pending.flight {
            writer.number(u64::from(flight.author.0));
            write_operations(&mut writer, flight.batch.operations(), flight.made_at);
        }
        writer.number(self.pending.queue.len() as u64);
        for entry in &self.pending.queue {
            write_operations(&mut writer, entry.batch.operations(), entry.made_at);
        }
        writer.number(self.unsaved.len() as u64);
        for unsaved in &self.unsaved {
            write_unsaved(&mut writer, unsaved);
        }
        self.write_steps(&mut writer);
        writer.finish()
    }

    fn replay(&mut self, commits: &[u8]) -> Result<(), RestoreError> {
        let mut rest = commits;
        while !rest.is_empty() {
            let Decoded::Frame(length, frame) = decode_server(rest)? else {
                return Err(RestoreError::Truncated);
            };
            rest = &rest[length..];
            if let Some(ServerFrame::Commit(commit)) = frame {
                apply(&mut self.confirmed, &commit)?;
            }
        }
        Ok(())
    }

    fn read_identity(&mut self, reader: &mut Reader<'_>) -> Result<(), RestoreError> {
        self.ready = reader.flag()?;
        let session_key = reader.text()?;
        if self.config.session_key.is_empty() {
            self.config.session_key = session_key;
        }
        self.connection = reader.number()?;
        self.author = reader.optional()?.map(author_from);
        self.role = reader.optional()?.map(|role| match role {
            0 => Role::Viewer,
            1 => Role::Editor,
            _ => Role::Owner,
        });
        let (created, expires) = (reader.optional()?, reader.optional()?);
        self.lifetime = created.zip(expires);
        self.identity_lost = reader.flag()?;
        self.next_seq = ClientSeq(reader.number()?);
        Ok(())
    }

    fn read_pending(&mut self, reader: &mut Reader<'_>) -> Result<(), RestoreError> {
        if let Some(seq) = reader.optional()? {
            let author = author_from(reader.number()?);
            let (batch, made_at) = read_batch(reader)?;
            self.pending.flight = Some(Flight {
                seq: ClientSeq(seq),
                batch,
                through: Action(0),
                made_at,
                level: Level::RESTORED,
                author,
                sent: false,
                applied: None,
                frozen_at: 0,
            });
        }
        for _ in 0..reader.number()? {
            let (batch, made_at) = read_batch(reader)?;
            self.pending.queue.push_back(Entry {
                owner: Owner::Nobody,
                batch,
                through: Action(0),
                made_at,
                level: None,
                restores: false,
            });
        }
        Ok(())
    }

    fn read_unsaved(&mut self, reader: &mut Reader<'_>) -> Result<(), RestoreError> {
        for _ in 0..reader.number()? {
            let unsaved = read_unsaved(reader, self.next_unsaved)?;
            self.next_unsaved += 1;
            self.unsaved.push(unsaved);
        }
        Ok(())
    }
}

fn author_from(number: u64) -> Author {
    Author(u32::try_from(number).unwrap_or_default())
}

/// Writes operations as the submit frame that would carry them. The base of the
/// frame is the revision at which they were made.
pub(crate) fn write_operations(writer: &mut Writer, operations: &[Operation], made_at: Revision) {
    let (client_seq, operations) = (ClientSeq(0), operations.to_vec());
    let submit = Submit { client_seq, base: made_at, made_at, operations };
    let mut frame = Vec::new();
    if !submit.operations.is_empty() {
        encode_client(&ClientFrame::Submit(submit), &mut frame);
    }
    writer.bytes(&frame);
}

fn read_operations(reader: &mut Reader<'_>) -> Result<(Vec<Operation>, Revision), RestoreError> {
    let frame = reader.bytes()?;
    if frame.is_empty() {
        return Ok((Vec::new(), Revision(0)));
    }
    // After many transforms a batch may be larger than a frame to a server.
    match decode_client_within(frame, frame.len())? {
        Decoded::Frame(_, Some(ClientFrame::Submit(submit))) => {
            Ok((submit.operations, submit.made_at))
        }
        _ => Err(RestoreError::Truncated),
    }
}

pub(crate) fn read_batch(reader: &mut Reader<'_>) -> Result<(Batch, Revision), RestoreError> {
    read_operations(reader).map(|(operations, made_at)| (rebuilt(operations), made_at))
}

fn write_unsaved(writer: &mut Writer, unsaved: &Unsaved) {
    let (kind, operation, detail) = match &unsaved.reason {
        UnsavedReason::Rejected { operation, detail } => (0, *operation, detail.as_str()),
        UnsavedReason::Purged => (1, 0, ""),
        UnsavedReason::Unknown => (2, 0, ""),
    };
    writer.number(kind);
    writer.number(u64::from(operation));
    writer.bytes(detail.as_bytes());
    write_operations(writer, &unsaved.operations, Revision(0));
    let stamps = unsaved.stickers.iter().flat_map(Sticker::stamps);
    let newest = stamps.map(|stamp| stamp.revision).max().unwrap_or_default();
    let parts =
        DeskParts { revision: newest, stickers: unsaved.stickers.clone(), ..DeskParts::default() };
    let stickers = Desk::from_parts(parts).unwrap_or_default();
    writer.bytes(&encode_snapshot(&stickers));
}

fn read_unsaved(reader: &mut Reader<'_>, number: u64) -> Result<Unsaved, RestoreError> {
    let (kind, operation) = (reader.number()?, reader.number()?);
    let detail = reader.text()?;
    let operation = u32::try_from(operation).unwrap_or_default();
    let reason = match kind {
        0 => UnsavedReason::Rejected { operation, detail },
        1 => UnsavedReason::Purged,
        _ => UnsavedReason::Unknown,
    };
    let (operations, _) = read_operations(reader)?;
    let stickers = desk_from(reader.bytes()?)?.stickers().cloned().collect();
    Ok(Unsaved { number, reason, operations, stickers })
}
