//! A mark that a batch carries through another server, whatever its format: a string in the moved
//! note that names the batch's number. What arrives is searched for marks, so that what a server
//! puts together into one message counts as what it is.

/// Before the number.
const PREFIX: &[u8] = b"batch#";

/// Digits of the number.
const DIGITS: usize = 10;

/// The mark of what is made before anything is counted.
pub const UNCOUNTED: u64 = 0;

/// The mark of a batch.
pub fn marker(number: u64) -> String {
    format!("batch#{number:0DIGITS$}")
}

/// The numbers of all marks in `bytes`, in their order.
pub fn markers(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let length = PREFIX.len() + DIGITS;
    let marks = bytes.windows(length).filter(|mark| mark.starts_with(PREFIX));
    marks.filter_map(|mark| std::str::from_utf8(&mark[PREFIX.len()..]).ok()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_wherever_they_stand() {
        let text = format!("{}x{}batch#12", marker(7), marker(1_234_567_890));
        assert_eq!(markers(text.as_bytes()).collect::<Vec<_>>(), [7, 1_234_567_890]);
        let mut binary = vec![0xff, 0x62];
        binary.extend_from_slice(marker(3).as_bytes());
        binary.push(0x80);
        assert_eq!(markers(&binary).collect::<Vec<_>>(), [3]);
        assert_eq!(markers(b"batch#12345678x0").count(), 0);
        assert_eq!(markers(b"").count(), 0);
    }
}
