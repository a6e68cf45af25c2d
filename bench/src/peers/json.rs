//! Looking into JSON without reading it whole: the generator is to cost less than the servers.

/// Whether `part` stands in it.
pub fn has(message: &[u8], part: &str) -> bool {
    position(message, part).is_some()
}

/// The number behind the first `part`.
pub fn number_after(message: &[u8], part: &str) -> Option<u64> {
    let rest = behind(message, part)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// What stands behind the first `part`.
pub fn behind<'a>(message: &'a [u8], part: &str) -> Option<&'a [u8]> {
    Some(&message[position(message, part)? + part.len()..])
}

fn position(message: &[u8], part: &str) -> Option<usize> {
    message.windows(part.len()).position(|window| window == part.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_behind_its_name() {
        let message = br#"{"a":"op","v":12,"seq":7}"#;
        assert!(has(message, r#""a":"op""#) && !has(message, r#""a":"s""#));
        assert_eq!(number_after(message, r#""v":"#), Some(12));
        assert_eq!(number_after(message, r#""seq":"#), Some(7));
        assert_eq!(number_after(message, r#""a":"#), None);
        assert_eq!(number_after(message, r#""w":"#), None);
    }
}
