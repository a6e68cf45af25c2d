//! Where a body ends: by length, or by chunks (RFC 9112, sections 6 and 7.1).

use super::error::RequestError;
use crate::limits::{CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};

/// Finds the end of one body.
#[derive(Debug)]
pub(super) struct BodyDecoder {
    state: State,
    /// Bytes of content that are still allowed.
    room: u64,
    /// Bytes of content that were allowed at first.
    limit: u64,
}

#[derive(Debug)]
enum State {
    /// Plain content up to a known length.
    Length {
        left: u64,
    },
    /// The line with a chunk's size.
    Size {
        line: Vec<u8>,
    },
    /// A chunk's content.
    Chunk {
        left: u64,
    },
    /// The line end after a chunk's content.
    ChunkEnd {
        line: Vec<u8>,
    },
    /// Trailers, up to the empty line.
    Trailer {
        line: Vec<u8>,
        room: usize,
    },
    Done,
}

impl BodyDecoder {
    pub(super) fn with_length(left: u64, bytes_max: usize) -> Result<Self, RequestError> {
        let room = bytes_max as u64;
        if left > room {
            return Err(RequestError::BodyTooLarge { limit: room });
        }
        Ok(Self {
            state: if left == 0 { State::Done } else { State::Length { left } },
            room,
            limit: room,
        })
    }

    pub(super) fn chunked(bytes_max: usize) -> Self {
        let limit = bytes_max as u64;
        Self { state: State::Size { line: Vec::new() }, room: limit, limit }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Consumes `input` up to the body's end, appends its content to
    /// `content`, and says how many bytes were consumed.
    pub(super) fn decode(
        &mut self,
        input: &[u8],
        content: &mut Vec<u8>,
    ) -> Result<usize, RequestError> {
        let mut at = 0;
        while at < input.len() && !self.is_done() {
            at += self.advance(&input[at..], content)?;
        }
        Ok(at)
    }

    fn advance(&mut self, input: &[u8], content: &mut Vec<u8>) -> Result<usize, RequestError> {
        match &mut self.state {
            State::Length { left } => {
                let length = copy(input, left, content);
                if *left == 0 {
                    self.state = State::Done;
                }
                Ok(length)
            }
            State::Chunk { left } => {
                let length = copy(input, left, content);
                if *left == 0 {
                    self.state = State::ChunkEnd { line: Vec::new() };
                }
                Ok(length)
            }
            State::Size { line } => {
                let (length, complete) = read_line(line, input)?;
                if complete {
                    let size = chunk_size(line)?;
                    if size > self.room {
                        return Err(RequestError::BodyTooLarge { limit: self.limit });
                    }
                    self.room -= size;
                    self.state = match size {
                        0 => State::Trailer { line: Vec::new(), room: TRAILER_BYTES_MAX },
                        left => State::Chunk { left },
                    };
                }
                Ok(length)
            }
            State::ChunkEnd { line } => {
                // One byte at a time: anything but the line's end is an error
                // at once, not after a line of it was stored.
                let (length, complete) = read_line(line, &input[..1])?;
                if complete {
                    self.state = State::Size { line: Vec::new() };
                } else if line != b"\r" {
                    return Err(RequestError::Malformed("a chunk is longer than its size says"));
                }
                Ok(length)
            }
            State::Trailer { line, room } => {
                let (length, complete) = read_line(line, input)?;
                *room = room.checked_sub(length).ok_or(RequestError::ChunkLineTooLong)?;
                if complete && line.is_empty() {
                    self.state = State::Done;
                } else if complete {
                    line.clear();
                }
                Ok(length)
            }
            State::Done => Ok(0),
        }
    }
}

fn copy(input: &[u8], left: &mut u64, content: &mut Vec<u8>) -> usize {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    content.extend_from_slice(&input[..length]);
    *left -= length as u64;
    length
}

/// Collects a line without its CR LF; says how much was consumed and whether
/// the line is complete. A lone CR or LF is refused: implementations disagree
/// on whether it ends a line, and smuggling lives of that.
fn read_line(line: &mut Vec<u8>, input: &[u8]) -> Result<(usize, bool), RequestError> {
    for (at, &byte) in input.iter().enumerate() {
        let after_cr = line.last() == Some(&b'\r');
        if after_cr != (byte == b'\n') {
            return Err(RequestError::Malformed("a line of chunked framing must end with CR LF"));
        }
        if after_cr {
            line.pop();
            return Ok((at + 1, true));
        }
        if line.len() == CHUNK_LINE_BYTES_MAX {
            return Err(RequestError::ChunkLineTooLong);
        }
        line.push(byte);
    }
    Ok((input.len(), false))
}

/// The size in `1a;extension=value`.
fn chunk_size(line: &[u8]) -> Result<u64, RequestError> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
    let plain = (1..=16).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    plain
        .then(|| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
        .flatten()
        .ok_or(RequestError::Malformed("a chunk's size is not a hexadecimal number"))
}
