//! The request for a session, and its answer.

use super::fields::{self, Fields, FieldsError};
use super::head::is_reserved;
use super::varint;
use crate::limits::CONNECT_BYTES_MAX;

/// The type of a frame of header fields.
const HEADERS: u64 = 0x01;

/// A request for a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connect {
    /// `host[:port]`
    pub authority: String,
    /// The path, without the query.
    pub path: String,
    /// The query, if there is one.
    pub query: Option<String>,
    /// The page that asks; programs send none.
    pub origin: Option<String>,
    /// Protocols that the client offers, the preferred one first.
    pub protocols: Vec<String>,
}

/// A request that is none for a session. The stream must end.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConnectError {
    /// The frame is longer than it may be.
    #[error("the request has {0} bytes, at most {CONNECT_BYTES_MAX} are allowed")]
    TooLong(u64),
    /// Another frame stands in its place.
    #[error("a frame of type {0:#x} stands where a request should begin")]
    Frame(u64),
    /// Its header fields cannot be read.
    #[error(transparent)]
    Fields(#[from] FieldsError),
    /// It is no request for a WebTransport session.
    #[error("{field} is {found:?}, a request for a WebTransport session has {expected:?}")]
    Request {
        /// Which field.
        field: &'static str,
        /// What it says.
        found: String,
        /// What it should say.
        expected: &'static str,
    },
}

impl Connect {
    /// Reads a request from the front of its stream, and its length; `None`: it is not
    /// whole.
    ///
    /// # Errors
    /// [`ConnectError`]
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, ConnectError> {
        match read_fields(bytes)? {
            Some((fields, length)) => Ok(Some((Self::of(&fields)?, length))),
            None => Ok(None),
        }
    }

    fn of(fields: &Fields) -> Result<Self, ConnectError> {
        let field = |field: &'static str| fields.get(field).unwrap_or_default();
        for (name, expected) in
            [(":method", "CONNECT"), (":protocol", "webtransport"), (":scheme", "https")]
        {
            if field(name) != expected {
                let found = field(name).to_owned();
                return Err(ConnectError::Request { field: name, found, expected });
            }
        }
        let (path, query) = match field(":path").split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (field(":path"), None),
        };
        Ok(Self {
            authority: field(":authority").to_owned(),
            path: path.to_owned(),
            query,
            origin: fields.get("origin").map(str::to_owned),
            protocols: protocols(field("wt-available-protocols")),
        })
    }
}

/// Reads the first header fields of a stream, and how many bytes are behind them; `None`:
/// they are not whole.
fn read_fields(bytes: &[u8]) -> Result<Option<(Fields, usize)>, ConnectError> {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let Some((kind, first)) = varint::read(rest) else { return Ok(None) };
        let Some((length, second)) = varint::read(&rest[first..]) else { return Ok(None) };
        if length > CONNECT_BYTES_MAX as u64 || at > CONNECT_BYTES_MAX {
            return Err(ConnectError::TooLong(length));
        }
        let end = first + second + length as usize;
        if kind != HEADERS && !is_reserved(kind) {
            return Err(ConnectError::Frame(kind));
        }
        let Some(frame) = rest.get(..end) else { return Ok(None) };
        if kind == HEADERS {
            return Ok(Some((Fields::read(&frame[first + second..])?, at + end)));
        }
        at += end;
    }
}

/// The bytes of a program's request for a session; `target` is a path with its query.
pub fn connect_request(authority: &str, target: &str, protocol: &str) -> Vec<u8> {
    let offered = format!("\"{protocol}\"");
    framed(&fields::write_request(&[
        (":method", "CONNECT"),
        (":scheme", "https"),
        (":authority", authority),
        (":path", target),
        (":protocol", "webtransport"),
        ("wt-available-protocols", &offered),
    ]))
}

/// Reads the status of this server's answer from the front of the request's stream;
/// `None`: it is not whole.
///
/// # Errors
/// [`ConnectError`]
pub fn read_status(bytes: &[u8]) -> Result<Option<u16>, ConnectError> {
    let Some((fields, _)) = read_fields(bytes)? else { return Ok(None) };
    let status = fields.get(":status").unwrap_or_default();
    let expected = "three digits";
    let wrong = |_| ConnectError::Request { field: ":status", found: status.to_owned(), expected };
    status.parse().map(Some).map_err(wrong)
}

/// The texts of a list such as `"a", "b"`.
fn protocols(list: &str) -> Vec<String> {
    let items = list.split(',').map(str::trim);
    let texts = items.filter_map(|item| item.strip_prefix('"')?.split_once('"'));
    texts.map(|(text, _)| text.to_owned()).collect()
}

/// The bytes of an answer that grants the session; `protocol` is one that was offered.
pub fn accepted(protocol: Option<&str>) -> Vec<u8> {
    let named = protocol.map(|protocol| format!("\"{protocol}\""));
    let mut fields = vec![DRAFT];
    fields.extend(named.as_deref().map(|named| ("wt-protocol", named)));
    answer(200, &fields)
}

/// The bytes of an answer that refuses it. A page learns no more than that.
pub fn refused(status: u16) -> Vec<u8> {
    answer(status, &[DRAFT])
}

/// What browsers of draft 02 look for.
const DRAFT: (&str, &str) = ("sec-webtransport-http3-draft", "draft02");

fn answer(status: u16, fields: &[(&str, &str)]) -> Vec<u8> {
    framed(&fields::write(status, fields))
}

/// A section of header fields in its frame.
fn framed(section: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint::append(HEADERS, &mut bytes);
    varint::append(section.len() as u64, &mut bytes);
    bytes.extend_from_slice(section);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request in texts that are not coded; a name and a value in each pair.
    fn request(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut section = vec![0, 0];
        for (name, value) in fields {
            // 7 in three bits, and the rest in a byte.
            section.extend([0x27, name.len() as u8 - 7]);
            section.extend_from_slice(name.as_bytes());
            section.push(value.len() as u8);
            section.extend_from_slice(value.as_bytes());
        }
        let mut bytes = Vec::new();
        varint::append(HEADERS, &mut bytes);
        varint::append(section.len() as u64, &mut bytes);
        bytes.extend_from_slice(&section);
        bytes
    }

    const GOOD: [(&str, &str); 6] = [
        (":method", "CONNECT"),
        (":scheme", "https"),
        (":authority", "desk.example.org:8443"),
        (":protocol", "webtransport"),
        ("wt-available-protocols", "\"sticker-desk.v1\", \"other\""),
        ("user-agent", "a browser"),
    ];

    #[test]
    fn a_request_is_read_once_it_is_whole() {
        let mut bytes = request(&GOOD);
        // The name of :path is too short for the helper above.
        let path = b"\x51\x14/a/b?session_key=K-L";
        bytes.extend_from_slice(path);
        let length = 0x4000 | (bytes.len() - 3) as u16;
        bytes[1..3].copy_from_slice(&length.to_be_bytes());
        for cut in 0..bytes.len() {
            assert_eq!(Connect::read(&bytes[..cut]), Ok(None));
        }
        let (connect, length) = Connect::read(&bytes).unwrap().unwrap();
        assert_eq!(length, bytes.len());
        assert_eq!(connect.authority, "desk.example.org:8443");
        assert_eq!((&*connect.path, connect.query.as_deref()), ("/a/b", Some("session_key=K-L")));
        assert_eq!(connect.protocols, ["sticker-desk.v1", "other"]);
        assert_eq!(connect.origin, None);
        // Frames of reserved types may come before it.
        let greased = [&[0x21, 2, 9, 9], &*bytes].concat();
        assert_eq!(Connect::read(&greased).unwrap().unwrap().1, greased.len());
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(Connect::read(&[0x01, 0x80, 0, 0xff, 0xff]), Err(ConnectError::TooLong(0xffff)));
        assert_eq!(Connect::read(&[0x00, 1, 0]), Err(ConnectError::Frame(0)));
        let nothing = Connect::read(&[0x01, 2, 0, 0]);
        assert!(matches!(nothing, Err(ConnectError::Request { field: ":method", .. })));
        let mut other = GOOD;
        other[3].1 = "websocket";
        let other = Connect::read(&request(&other)).unwrap_err().to_string();
        let expected = ":protocol is \"websocket\", a request for a WebTransport session has \
                        \"webtransport\"";
        assert_eq!(other, expected);
    }

    #[test]
    fn a_programs_request_is_read_and_its_answer_too() {
        let bytes = connect_request("[::1]:8443", "/a/b?session_key=K-L", "sticker-desk.v1");
        let (connect, length) = Connect::read(&bytes).unwrap().unwrap();
        assert_eq!((&*connect.authority, length), ("[::1]:8443", bytes.len()));
        assert_eq!((&*connect.path, connect.query.as_deref()), ("/a/b", Some("session_key=K-L")));
        assert_eq!(connect.protocols, ["sticker-desk.v1"]);
        for (answer, status) in [(accepted(Some("sticker-desk.v1")), 200), (refused(404), 404)] {
            assert_eq!(read_status(&answer[..answer.len() - 1]), Ok(None));
            assert_eq!(read_status(&answer), Ok(Some(status)));
        }
        assert!(read_status(&bytes).is_err(), "a request has no status");
    }

    #[test]
    fn answers_say_their_status_and_the_protocol() {
        let bytes = accepted(Some("sticker-desk.v1"));
        assert_eq!(bytes[..3], [0x01, 0x40, (bytes.len() - 3) as u8]);
        let fields = Fields::read(&bytes[3..]).unwrap();
        assert_eq!(fields.get(":status"), Some("200"));
        assert_eq!(fields.get("wt-protocol"), Some("\"sticker-desk.v1\""));
        let bytes = refused(404);
        let fields = Fields::read(&bytes[2..]).unwrap();
        assert_eq!((fields.get(":status"), fields.get("wt-protocol")), (Some("404"), None));
    }
}
