//! All that a store has of one key, as bytes that another store takes.
//!
//! ```text
//! contents | version u8 | snapshot's sequence u64 | bytes u32 | snapshot | records u32 | records |
//! record   | sequence u64 | bytes u32 | bytes |
//! ```
//! All numbers are little-endian. Sequence 0 says that there is no snapshot. Whoever
//! carries the bytes protects them by a checksum.

use desk_storage_lsm::Sequence;

/// The version of the bytes.
const VERSION: u8 = 1;

/// A snapshot and the records after it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Contents {
    /// The snapshot and the sequence of the last record that it covers.
    pub snapshot: Option<(Sequence, Vec<u8>)>,
    /// The records after it, in order.
    pub records: Vec<(Sequence, Vec<u8>)>,
}

/// Why bytes are no contents.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ContentsError {
    /// The bytes end too early, or go on behind the end.
    #[error("{0} bytes are not as many as the contents say")]
    Length(usize),
    /// A version that this program does not know.
    #[error("version {0} of a key's contents, this program knows {VERSION}: update it")]
    Version(u8),
}

impl Contents {
    /// The newest sequence; 0 if there is nothing.
    #[must_use]
    pub fn newest(&self) -> Sequence {
        let snapshot = self.snapshot.as_ref().map(|(sequence, _)| *sequence);
        let last = self.records.last().map(|(sequence, _)| *sequence);
        last.or(snapshot).unwrap_or(Sequence(0))
    }

    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        let none = (Sequence(0), Vec::new());
        entry(&mut out, self.snapshot.as_ref().unwrap_or(&none));
        out.extend_from_slice(&(self.records.len() as u32).to_le_bytes());
        self.records.iter().for_each(|record| entry(&mut out, record));
        out
    }

    /// Reads what [`Contents::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, ContentsError> {
        let wrong = ContentsError::Length(bytes.len());
        match bytes.first() {
            Some(&VERSION) => {}
            Some(&version) => return Err(ContentsError::Version(version)),
            None => return Err(wrong),
        }
        let mut rest = &bytes[1..];
        let snapshot = take_entry(&mut rest).ok_or(wrong)?;
        let count = take(&mut rest).map(u32::from_le_bytes).ok_or(wrong)?;
        let mut records = Vec::new();
        for _ in 0..count {
            records.push(take_entry(&mut rest).ok_or(wrong)?);
        }
        if !rest.is_empty() {
            return Err(wrong);
        }
        let snapshot = Some(snapshot).filter(|(sequence, _)| *sequence != Sequence(0));
        Ok(Self { snapshot, records })
    }
}

fn entry(out: &mut Vec<u8>, (sequence, bytes): &(Sequence, Vec<u8>)) {
    out.extend_from_slice(&sequence.0.to_le_bytes());
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

fn take_entry(rest: &mut &[u8]) -> Option<(Sequence, Vec<u8>)> {
    let sequence = Sequence(u64::from_le_bytes(take(rest)?));
    let length = u32::from_le_bytes(take(rest)?) as usize;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some((sequence, bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> Contents {
        Contents {
            snapshot: Some((Sequence(4), b"snapshot".to_vec())),
            records: vec![(Sequence(5), b"five".to_vec()), (Sequence(6), Vec::new())],
        }
    }

    #[test]
    fn contents_survive_their_bytes() {
        let without = Contents { snapshot: None, ..contents() };
        let only = Contents { records: Vec::new(), ..contents() };
        for (contents, newest) in [(contents(), 6), (without, 6), (only, 4)] {
            assert_eq!(Contents::decode(&contents.encode()), Ok(contents.clone()));
            assert_eq!(contents.newest(), Sequence(newest));
        }
    }

    #[test]
    fn other_bytes_are_an_error() {
        let bytes = contents().encode();
        for length in 0..bytes.len() {
            assert!(Contents::decode(&bytes[..length]).is_err(), "{length}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(Contents::decode(&longer), Err(ContentsError::Length(longer.len())));
        let mut newer = bytes;
        newer[0] = VERSION + 1;
        assert_eq!(Contents::decode(&newer), Err(ContentsError::Version(VERSION + 1)));
        let count = [&[VERSION][..], &[0; 12], &u32::MAX.to_le_bytes()].concat();
        assert_eq!(Contents::decode(&count), Err(ContentsError::Length(count.len())));
    }
}
