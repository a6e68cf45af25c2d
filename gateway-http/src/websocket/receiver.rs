//! Frames in, whole messages out.
//!
//! A frame that lies whole in a read is unmasked in place and lent to the
//! caller without a copy; only what is cut by the end of a read, or fragmented
//! by the peer, goes through the receiver's own buffer.

use std::ops::Range;

use super::frame::{CONTROL_BYTES_MAX, FrameHeader, HEADER_BYTES_MAX, Opcode};
use super::utf8::Utf8Validator;
use super::{WebSocketError, mask};
use crate::limits::MESSAGE_BUFFER_KEPT_BYTES;

/// The bytes of one read, consumed frame by frame.
#[derive(Debug)]
pub struct Input<'b> {
    bytes: &'b mut [u8],
    at: usize,
}

impl<'b> Input<'b> {
    /// All of `bytes`; they are unmasked in place.
    pub fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes are not consumed yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// Consumes `length` bytes and says where they are.
    fn take(&mut self, length: usize) -> Range<usize> {
        let start = self.at;
        self.at += length;
        start..self.at
    }
}

/// A frame or message that is complete; where it is, not itself, so that the
/// caller can go on with the receiver before it looks.
#[derive(Debug)]
pub(super) enum Step {
    /// The read is consumed.
    NeedMore,
    /// A data message, in the read.
    InPlace(Opcode, Range<usize>),
    /// A data message, in the receiver's buffer.
    Assembled(Opcode),
    /// A control frame, in the receiver's control buffer.
    Control(Opcode),
}

/// Parses one direction of a connection.
#[derive(Debug)]
pub(super) struct Receiver {
    /// Whether the peer must mask (it is a client).
    masked: bool,
    message_bytes_max: usize,
    header: [u8; HEADER_BYTES_MAX],
    header_len: u8,
    frame: Option<Frame>,
    /// The kind of the message whose fragments are arriving.
    kind: Option<Opcode>,
    message: Vec<u8>,
    /// Messages are read past.
    discards: bool,
    delivered: bool,
    utf8: Utf8Validator,
    control: [u8; CONTROL_BYTES_MAX],
    control_len: u8,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    header: FrameHeader,
    received: u64,
}

impl Receiver {
    pub(super) fn new(masked: bool, message_bytes_max: usize) -> Self {
        Self {
            masked,
            message_bytes_max,
            header: [0; HEADER_BYTES_MAX],
            header_len: 0,
            frame: None,
            kind: None,
            message: Vec::new(),
            discards: false,
            delivered: false,
            utf8: Utf8Validator::default(),
            control: [0; CONTROL_BYTES_MAX],
            control_len: 0,
        }
    }

    /// Consumes `input` up to the end of the next message or control frame.
    pub(super) fn step(&mut self, input: &mut Input<'_>) -> Result<Step, WebSocketError> {
        if std::mem::take(&mut self.delivered) {
            self.message.clear();
            if self.message.capacity() > MESSAGE_BUFFER_KEPT_BYTES {
                self.message = Vec::new();
            }
        }
        loop {
            let Some(frame) = self.frame else {
                match self.read_header(input)? {
                    Some(header) => self.begin(header)?,
                    None => return Ok(Step::NeedMore),
                }
                continue;
            };
            let step = if frame.header.opcode.is_control() {
                self.read_control(frame, input)
            } else if self.lies_whole(frame, input) {
                self.read_in_place(frame, input)?
            } else {
                self.read_part(frame, input)?
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    pub(super) fn buffered_bytes(&self) -> usize {
        self.message.capacity()
    }

    pub(super) fn is_within_message(&self) -> bool {
        self.kind.is_some()
    }

    pub(super) fn discard(&mut self) {
        self.discards = true;
        self.message = Vec::new();
    }

    pub(super) fn message(&self) -> &[u8] {
        &self.message
    }

    pub(super) fn control(&self) -> &[u8] {
        &self.control[..usize::from(self.control_len)]
    }

    /// Reads a header, also one that is cut by the end of a read.
    fn read_header(
        &mut self,
        input: &mut Input<'_>,
    ) -> Result<Option<FrameHeader>, WebSocketError> {
        if self.header_len == 0
            && let Some((header, length)) = FrameHeader::parse(input.rest(), self.masked)?
        {
            input.take(length);
            return Ok(Some(header));
        }
        while input.remaining() > 0 {
            let at = input.take(1).start;
            self.header[usize::from(self.header_len)] = input.bytes[at];
            self.header_len += 1;
            let known = &self.header[..usize::from(self.header_len)];
            if let Some((header, _)) = FrameHeader::parse(known, self.masked)? {
                self.header_len = 0;
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// Checks a header against the message in progress and the limits.
    fn begin(&mut self, header: FrameHeader) -> Result<(), WebSocketError> {
        if header.opcode.is_control() {
            self.control_len = 0;
        } else {
            match (header.opcode, self.kind) {
                (Opcode::Continuation, None) => return Err(WebSocketError::NothingToContinue),
                (Opcode::Continuation, Some(_)) => {}
                (_, Some(_)) => return Err(WebSocketError::UnfinishedMessage),
                (kind, None) => self.kind = Some(kind),
            }
            let room = (self.message_bytes_max - self.message.len()) as u64;
            if header.length > room {
                return Err(WebSocketError::MessageTooLarge { bytes_max: self.message_bytes_max });
            }
        }
        self.frame = Some(Frame { header, received: 0 });
        Ok(())
    }

    fn read_control(&mut self, mut frame: Frame, input: &mut Input<'_>) -> Option<Step> {
        let (read, complete) = frame.read(input);
        let start = usize::from(self.control_len);
        let part = &mut self.control[start..start + read.len()];
        part.copy_from_slice(&input.bytes[read]);
        self.control_len += part.len() as u8;
        self.frame = (!complete).then_some(frame);
        complete.then_some(Step::Control(frame.header.opcode)).or(self.starved(input))
    }

    fn lies_whole(&self, frame: Frame, input: &Input<'_>) -> bool {
        frame.header.fin
            && frame.header.opcode != Opcode::Continuation
            && frame.received == 0
            && frame.header.length <= input.remaining() as u64
    }

    fn read_in_place(
        &mut self,
        mut frame: Frame,
        input: &mut Input<'_>,
    ) -> Result<Option<Step>, WebSocketError> {
        let (read, _) = frame.read(input);
        self.frame = None;
        self.kind = None;
        if frame.header.opcode == Opcode::Text
            && std::str::from_utf8(&input.bytes[read.clone()]).is_err()
        {
            return Err(WebSocketError::InvalidUtf8);
        }
        Ok(Some(Step::InPlace(frame.header.opcode, read)))
    }

    fn read_part(
        &mut self,
        mut frame: Frame,
        input: &mut Input<'_>,
    ) -> Result<Option<Step>, WebSocketError> {
        let (read, complete) = frame.read(input);
        let part = &input.bytes[read];
        let kind = self.kind.expect("begin() set it for every data frame");
        // The buffer grows with what has arrived, not with what a header
        // promises, so a peer pays for the memory that it takes.
        if !self.discards {
            self.message.extend_from_slice(part);
        }
        if kind == Opcode::Text {
            self.utf8.push(part).map_err(|_| WebSocketError::InvalidUtf8)?;
        }
        self.frame = (!complete).then_some(frame);
        if !(complete && frame.header.fin) {
            return Ok(self.starved(input));
        }
        self.kind = None;
        self.delivered = true;
        if kind == Opcode::Text {
            self.utf8.finish().map_err(|_| WebSocketError::InvalidUtf8)?;
        }
        Ok(Some(Step::Assembled(kind)))
    }

    fn starved(&self, input: &Input<'_>) -> Option<Step> {
        (input.remaining() == 0).then_some(Step::NeedMore)
    }
}

impl Frame {
    /// Consumes what the input holds of this frame and unmasks it; says where
    /// it is, and whether the frame ends with it.
    fn read(&mut self, input: &mut Input<'_>) -> (Range<usize>, bool) {
        let missing = self.header.length - self.received;
        let length = usize::try_from(missing).unwrap_or(usize::MAX).min(input.remaining());
        let range = input.take(length);
        if let Some(key) = self.header.mask {
            mask::apply(&mut input.bytes[range.clone()], key, self.received);
        }
        self.received += length as u64;
        (range, self.received == self.header.length)
    }
}

impl<'b> Input<'b> {
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }
}
