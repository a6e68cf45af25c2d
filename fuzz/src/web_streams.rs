//! Streams of HTTP/3 from a hostile page: the first byte chooses what is read and seeds
//! the cuts, the rest is the stream.

use desk_gateway_http::webtransport::{Capsules, Connect, Head, split_datagram};

use crate::cuts::reads;

/// The same must come out of the same bytes, however they are cut.
pub fn run(data: &[u8]) {
    let Some((seed, stream)) = data.split_first() else { return };
    match seed & 3 {
        0 => grows(stream, Head::read_bidi),
        1 => grows(stream, Head::read_uni),
        2 => grows(stream, Connect::read),
        _ => {
            assert_eq!(end(&[stream]), end(&reads(stream, *seed)), "the cuts change the end");
            if let Some((session, payload)) = split_datagram(stream) {
                assert!(session % 4 == 0 && payload.len() < stream.len());
            }
        }
    }
}

/// What is whole stays what it is when more follows, and lies within the bytes.
fn grows<T: PartialEq + std::fmt::Debug, E: PartialEq + std::fmt::Debug>(
    stream: &[u8],
    read: impl Fn(&[u8]) -> Result<Option<(T, usize)>, E>,
) {
    let whole = read(stream);
    if let Ok(Some((_, length))) = &whole {
        assert!(*length <= stream.len());
    }
    for cut in 0..stream.len().min(256) {
        let part = read(&stream[..cut]);
        assert!(part == Ok(None) || part == whole, "{part:?} of {cut} bytes became {whole:?}");
    }
}

/// How the session ends, as text.
fn end(parts: &[&[u8]]) -> Option<String> {
    let mut capsules = Capsules::default();
    for part in parts {
        match capsules.read(part) {
            Ok(None) => {}
            Ok(Some(end)) => return Some(format!("{end:?}")),
            Err(error) => return Some(error.to_string()),
        }
    }
    None
}
