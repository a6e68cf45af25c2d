//! Frames on their way to QUIC's streams.

use std::collections::VecDeque;

use bytes::Bytes;
use quinn_proto::{Connection, Dir, StreamId, VarInt, WriteError};

use super::Way;

/// Priority of a stream of a snapshot: what is written to the stream of frames goes first.
const SNAPSHOT_PRIORITY: i32 = -1;

/// What was pushed and not written yet.
#[derive(Default)]
pub(super) struct Outbox {
    frames: VecDeque<Bytes>,
    snapshots: VecDeque<Part>,
    /// The stream of the snapshot that has begun.
    snapshot: Option<StreamId>,
}

struct Part {
    bytes: Bytes,
    first: bool,
    last: bool,
}

/// What came of a write.
#[derive(Default)]
pub(super) struct Written {
    /// Bytes of frames that are QUIC's now, or that nobody will read.
    pub(super) bytes: usize,
    /// The peer takes no more frames.
    pub(super) stopped: bool,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.snapshots.is_empty()
    }

    /// Takes a frame. A datagram that did not fit goes in order.
    pub(super) fn push(&mut self, bytes: Bytes, way: Way) {
        match way {
            Way::Ordered | Way::Repeated | Way::Datagram => self.frames.push_back(bytes),
            Way::Snapshot { first, last } => {
                self.snapshots.push_back(Part { bytes, first, last });
            }
        }
    }

    /// Writes what QUIC takes. `head` is what a stream of ours begins with.
    pub(super) fn write(
        &mut self,
        connection: &mut Connection,
        frames: Option<StreamId>,
        head: &Bytes,
    ) -> Written {
        let mut written = Written::default();
        if let Some(stream) = frames {
            while !self.frames.is_empty() {
                let chunks = self.frames.make_contiguous();
                match connection.send_stream(stream).write_chunks(chunks) {
                    Ok(taken) => {
                        written.bytes += taken.bytes;
                        self.frames.drain(..taken.chunks);
                    }
                    Err(WriteError::Blocked) => break,
                    Err(WriteError::Stopped(_) | WriteError::ClosedStream) => {
                        written.bytes += self.frames.drain(..).map(|one| one.len()).sum::<usize>();
                        written.stopped = true;
                    }
                }
            }
        }
        while let Some(part) = self.snapshots.front_mut() {
            if std::mem::take(&mut part.first) {
                self.snapshot = None;
            }
            let begun = self.snapshot.or_else(|| begin_snapshot(connection, head));
            let Some(stream) = begun else { break };
            self.snapshot = begun;
            let chunks = std::slice::from_mut(&mut part.bytes);
            match connection.send_stream(stream).write_chunks(chunks) {
                Ok(taken) => written.bytes += taken.bytes,
                Err(WriteError::Blocked) => break,
                // The peer does not want it, and gets no other.
                Err(WriteError::Stopped(_) | WriteError::ClosedStream) => {
                    written.bytes += part.bytes.len();
                    part.bytes = Bytes::new();
                }
            }
            if part.bytes.is_empty() {
                let last = part.last;
                self.snapshots.pop_front();
                if last && let Some(stream) = self.snapshot.take() {
                    // It fails only where the peer has stopped it.
                    let _ = connection.send_stream(stream).finish();
                }
            }
        }
        written
    }
}

/// Opens the stream of a snapshot; `None` if the peer allows none now.
fn begin_snapshot(connection: &mut Connection, head: &Bytes) -> Option<StreamId> {
    let stream = connection.streams().open(Dir::Uni)?;
    let mut send = connection.send_stream(stream);
    // It fails only where the peer has stopped the stream.
    let _ = send.set_priority(SNAPSHOT_PRIORITY);
    if !head.is_empty() && send.write(head) != Ok(head.len()) {
        // Without its head the peer cannot use it: another is tried when there is room.
        let _ = send.reset(VarInt::from_u32(0));
        return None;
    }
    Some(stream)
}
