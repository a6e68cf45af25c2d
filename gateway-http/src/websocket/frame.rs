//! The header of a frame (RFC 6455, section 5.2).
//!
//! ```text
//! byte 0   FIN | RSV1 RSV2 RSV3 | opcode (4 bits)
//! byte 1   MASK | length (7 bits; 126: u16 follows, 127: u64 follows)
//! 0, 2, 8  the longer length, big endian, in its shortest form
//! 0, 4     the masking key, on frames from a client
//! ```

use super::WebSocketError;

/// The longest payload of a control frame, by the RFC.
pub const CONTROL_BYTES_MAX: usize = 125;

/// The longest header: two bytes, a u64 and a masking key.
pub const HEADER_BYTES_MAX: usize = 14;

/// What a frame carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opcode {
    /// A further part of a fragmented message.
    Continuation = 0,
    /// UTF-8.
    Text = 1,
    /// Bytes; all of the desk protocol.
    Binary = 2,
    /// The end of the connection, with a reason.
    Close = 8,
    /// To be answered by a pong with the same payload.
    Ping = 9,
    /// The answer to a ping, or a sign of life.
    Pong = 10,
}

impl Opcode {
    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// Close, ping and pong: short, whole, allowed between fragments.
    pub const fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// A frame's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// Whether the message ends with this frame.
    pub fin: bool,
    /// What the frame carries.
    pub opcode: Opcode,
    /// The masking key, on frames from a client.
    pub mask: Option<[u8; 4]>,
    /// Length of the payload, in bytes.
    pub length: u64,
}

impl FrameHeader {
    /// The header of an unfragmented server frame.
    pub const fn whole(opcode: Opcode, length: usize) -> Self {
        Self { fin: true, opcode, mask: None, length: length as u64 }
    }

    /// Reads the header at the start of `bytes` and says how long it is;
    /// `None` if more bytes are needed. `masked` is what this direction requires.
    ///
    /// # Errors
    /// [`WebSocketError`] as soon as the bytes show that no valid frame begins here.
    pub fn parse(bytes: &[u8], masked: bool) -> Result<Option<(Self, usize)>, WebSocketError> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(WebSocketError::ReservedBits);
        }
        let opcode =
            Opcode::from_bits(first & 0x0f).ok_or(WebSocketError::ReservedOpcode(first & 0x0f))?;
        let fin = first & 0x80 != 0;
        if opcode.is_control() && !fin {
            return Err(WebSocketError::FragmentedControl);
        }
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        if (second & 0x80 != 0) != masked {
            return Err(if masked { WebSocketError::NotMasked } else { WebSocketError::Masked });
        }
        let short = second & 0x7f;
        if opcode.is_control() && usize::from(short) > CONTROL_BYTES_MAX {
            return Err(WebSocketError::LongControl);
        }
        let (length, mut at) = match short {
            126 => match bytes.get(2..4) {
                Some(&[a, b]) => (u64::from(u16::from_be_bytes([a, b])), 4),
                _ => return Ok(None),
            },
            127 => match bytes.get(2..10).and_then(|eight| eight.try_into().ok()) {
                Some(eight) => (u64::from_be_bytes(eight), 10),
                None => return Ok(None),
            },
            short => (u64::from(short), 2),
        };
        let shortest = match length {
            0..=125 => 2,
            126..=0xffff => 4,
            _ => 10,
        };
        if at != shortest || length >> 63 != 0 {
            return Err(WebSocketError::InvalidLength);
        }
        let mut mask = None;
        if masked {
            let Some(&[a, b, c, d]) = bytes.get(at..at + 4) else { return Ok(None) };
            mask = Some([a, b, c, d]);
            at += 4;
        }
        Ok(Some((Self { fin, opcode, mask, length }, at)))
    }

    /// Appends the header to `out`. The payload goes after it, masked by the
    /// caller if there is a key.
    pub fn append(self, out: &mut Vec<u8>) {
        let flag = if self.mask.is_some() { 0x80 } else { 0 };
        let first = (if self.fin { 0x80 } else { 0 }) | self.opcode as u8;
        match self.length {
            0..=125 => out.extend_from_slice(&[first, flag | self.length as u8]),
            126..=0xffff => {
                out.extend_from_slice(&[first, flag | 126]);
                out.extend_from_slice(&(self.length as u16).to_be_bytes());
            }
            _ => {
                out.extend_from_slice(&[first, flag | 127]);
                out.extend_from_slice(&self.length.to_be_bytes());
            }
        }
        if let Some(key) = self.mask {
            out.extend_from_slice(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn headers_round_trip_and_ask_for_more(
            fin in any::<bool>(),
            opcode in prop::sample::select(vec![Opcode::Continuation, Opcode::Text, Opcode::Binary]),
            mask in any::<Option<[u8; 4]>>(),
            length in prop_oneof![0u64..200, 65_000u64..66_000, 0..1u64 << 63],
        ) {
            let header = FrameHeader { fin, opcode, mask, length };
            let mut bytes = Vec::new();
            header.append(&mut bytes);
            prop_assert!(bytes.len() <= HEADER_BYTES_MAX);
            for cut in 0..bytes.len() {
                prop_assert_eq!(FrameHeader::parse(&bytes[..cut], mask.is_some()), Ok(None));
            }
            prop_assert_eq!(FrameHeader::parse(&bytes, mask.is_some()), Ok(Some((header, bytes.len()))));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..16), masked in any::<bool>()) {
            if let Ok(Some((header, length))) = FrameHeader::parse(&bytes, masked) {
                let mut again = Vec::new();
                header.append(&mut again);
                prop_assert_eq!(&again[..], &bytes[..length]);
            }
        }
    }
}
