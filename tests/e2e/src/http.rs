//! HTTP/1.1 by hand, over a socket of its own a request.

use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::server::Server;
use crate::wait::PATIENCE;

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// `HTTP/1.1 221 Desk Updated`
    pub status_line: String,
    /// The code in it.
    pub status: u16,
    /// Names as sent.
    pub fields: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
}

impl Reply {
    /// Reads one answer.
    ///
    /// # Panics
    /// When it is not HTTP/1.1.
    pub fn read(stream: &mut impl Read) -> Self {
        Self::try_read(stream).expect("an answer, not the end of the connection")
    }

    /// Reads one answer; `None`: the connection ends without one.
    pub fn try_read(stream: &mut impl Read) -> Option<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(byte(stream)?);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status_line = lines.next().unwrap().to_owned();
        let code = status_line.strip_prefix("HTTP/1.1 ").expect("HTTP/1.1").get(..3).unwrap();
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(':').expect("a field");
            (name.to_owned(), value.trim().to_owned())
        });
        let mut reply = Self {
            status: code.parse().unwrap(),
            status_line,
            fields: fields.collect(),
            body: Vec::new(),
        };
        reply.read_body(stream)?;
        Some(reply)
    }

    fn read_body(&mut self, stream: &mut impl Read) -> Option<()> {
        if self.status == 101 || self.status == 304 {
            return Some(());
        }
        if self.field("Transfer-Encoding").is_some() {
            loop {
                let size = usize::from_str_radix(&line(stream)?, 16).expect("a chunk's size");
                let mut chunk = vec![0; size];
                stream.read_exact(&mut chunk).ok()?;
                self.body.extend(chunk);
                assert_eq!(line(stream)?, "");
                if size == 0 {
                    return Some(());
                }
            }
        }
        let length = self.field("Content-Length").expect("a length").parse().unwrap();
        self.body = vec![0; length];
        stream.read_exact(&mut self.body).ok()
    }

    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// This answer, if it has the status.
    ///
    /// # Panics
    /// When it has another one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{}: {body}", self.status_line);
        self
    }

    /// The `code` of a problem with this status.
    ///
    /// # Panics
    /// When it is none, or has no code.
    #[track_caller]
    pub fn code(self, status: u16) -> String {
        let code = self.json()["code"].as_str().map(str::to_owned);
        let detail = self.problem(status);
        code.unwrap_or_else(|| panic!("no code: {detail}"))
    }

    /// The detail of a problem with this status.
    ///
    /// # Panics
    /// When it is none by RFC 9457, or says nothing.
    #[track_caller]
    pub fn problem(self, status: u16) -> String {
        let reply = self.expect(status);
        assert_eq!(reply.field("Content-Type"), Some("application/problem+json"));
        let json = reply.json();
        assert_eq!(json["status"], status);
        let detail = json["detail"].as_str().expect("a detail").to_owned();
        assert!(detail.len() > 10, "a detail says what to do: {detail:?}");
        detail
    }
}

fn byte(stream: &mut impl Read) -> Option<u8> {
    let mut byte = [0];
    stream.read_exact(&mut byte).ok().map(|()| byte[0])
}

fn line(stream: &mut impl Read) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(byte(stream)?);
    }
    Some(String::from_utf8(line).unwrap().trim_end().to_owned())
}

/// A connection, which gives up after [`PATIENCE`] and more.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE * 2)).unwrap();
    stream
}

/// A request's bytes; `Host` is the server's own unless a field says otherwise.
pub fn request(
    server: &Server,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    bytes(server.address(), method, target, fields, body)
}

fn bytes(
    server: SocketAddr,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head += &format!("Host: {server}\r\n");
    }
    for (name, value) in fields {
        head += &format!("{name}: {value}\r\n");
    }
    let framed = fields.iter().any(|(name, _)| {
        name.eq_ignore_ascii_case("content-length")
            || name.eq_ignore_ascii_case("transfer-encoding")
    });
    let bare = method == "GET" && body.is_empty();
    if !framed && !bare {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    let mut bytes = (head + "\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Sends a request on a new connection and reads its answer.
pub fn send(
    server: &Server,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut stream = connect(server.address());
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(&request(server, method, target, fields, body));
    Reply::read(&mut stream)
}

/// [`send`], where the server may be gone, or go meanwhile.
pub fn try_send(
    server: SocketAddr,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Option<Reply> {
    let mut stream = TcpStream::connect(server).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(&bytes(server, method, target, fields, body)).ok()?;
    Reply::try_read(&mut stream)
}

/// The header field of a session key.
pub const KEY: &str = "WebSocket-Session-Key";

/// A GET.
pub fn get(server: &Server, target: &str, fields: &[(&str, &str)]) -> Reply {
    send(server, "GET", target, fields, b"")
}

/// A POST of JSON.
pub fn post(server: &Server, target: &str, fields: &[(&str, &str)], body: &Value) -> Reply {
    json(server, "POST", target, fields, body)
}

/// A PATCH of JSON.
pub fn patch(server: &Server, target: &str, fields: &[(&str, &str)], body: &Value) -> Reply {
    json(server, "PATCH", target, fields, body)
}

/// A DELETE.
pub fn delete(server: &Server, target: &str, fields: &[(&str, &str)]) -> Reply {
    send(server, "DELETE", target, fields, b"")
}

fn json(
    server: &Server,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &Value,
) -> Reply {
    let mut all = vec![("Content-Type", "application/json")];
    all.extend_from_slice(fields);
    send(server, method, target, &all, body.to_string().as_bytes())
}
