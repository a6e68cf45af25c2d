//! Answers, and how they are written.

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::Arc;

use super::date::HttpDate;
use super::status::Status;
use crate::Time;

/// The field that keeps an answer out of search engines. A desk is for those who have
/// its link.
pub const NO_INDEX: (&str, &str) = ("X-Robots-Tag", "noindex, nofollow");

/// An answer. Its framing (`Content-Length`, `Transfer-Encoding`,
/// `Connection`, `Date`) is the connection's business.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: Status,
    fields: Vec<(&'static str, Cow<'static, str>)>,
    /// What follows the head.
    pub body: Body,
}

/// What follows the head of an answer.
#[derive(Clone, Debug)]
pub enum Body {
    /// Bytes of this answer alone.
    Owned(Vec<u8>),
    /// Bytes embedded in the program.
    Static(&'static [u8]),
    /// Bytes that others send too.
    Shared(Arc<[u8]>),
    /// The caller hands it over in parts afterwards
    /// ([`super::Connection::push_body`]). The length, if it is known.
    Streamed(Option<u64>),
}

impl Body {
    /// The length, if it is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Streamed(length) => *length,
            whole => Some(whole.bytes().len() as u64),
        }
    }

    /// The bytes; none of a streamed body.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Static(bytes) => bytes,
            Self::Shared(bytes) => bytes,
            Self::Streamed(_) => &[],
        }
    }
}

/// How the body of an answer is delimited on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Framing {
    /// No body and no length: 1xx, 304.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// By the end of the connection: a peer of HTTP/1.0 knows no chunks.
    UntilClose,
}

impl Response {
    /// An answer without a body.
    pub fn new(status: Status) -> Self {
        Self { status, fields: Vec::new(), body: Body::Static(b"") }
    }

    /// An answer with a body of JSON, never stored by caches or search engines.
    pub fn json(status: Status, json: Vec<u8>) -> Self {
        let mut response = Self::new(status).with("Content-Type", "application/json");
        response.body = Body::Owned(json);
        response.with("Cache-Control", "no-store").with(NO_INDEX.0, NO_INDEX.1)
    }

    /// An answer with a body of a given content type.
    pub fn content(status: Status, content_type: &'static str, body: Body) -> Self {
        let mut response = Self::new(status).with("Content-Type", content_type);
        response.body = body;
        response
    }

    /// Adds a header field. Control characters in the value become spaces, so
    /// that no value can begin a field of its own.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        let mut value = value.into();
        if value.bytes().any(|byte| byte.is_ascii_control()) {
            value = value.replace(|c: char| c.is_ascii_control(), " ").into();
        }
        self.fields.push((name, value));
        self
    }

    /// The value of a field added before.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }

    /// Appends status line and fields to `out`.
    pub(super) fn append_head(
        &self,
        framing: Framing,
        connection: &str,
        now: Time,
        out: &mut Vec<u8>,
    ) {
        let phrase = self.status.phrase();
        line(out, format_args!("HTTP/1.1 {} {phrase}", self.status.0));
        for (name, value) in &self.fields {
            line(out, format_args!("{name}: {value}"));
        }
        match framing {
            Framing::Length(length) => line(out, format_args!("Content-Length: {length}")),
            Framing::Chunked => line(out, format_args!("Transfer-Encoding: chunked")),
            Framing::None | Framing::UntilClose => {}
        }
        line(out, format_args!("Date: {}", HttpDate(now)));
        if !connection.is_empty() {
            line(out, format_args!("Connection: {connection}"));
        }
        out.extend_from_slice(b"\r\n");
    }

    /// A whole answer on a stream that it is the last of, or that becomes
    /// something else: `connection` is `close` or `Upgrade`.
    pub fn to_bytes(&self, connection: &str, now: Time) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.body.bytes().len());
        let framing = match self.status {
            Status::SWITCHING_PROTOCOLS | Status::NOT_MODIFIED => Framing::None,
            _ => Framing::Length(self.body.bytes().len() as u64),
        };
        self.append_head(framing, connection, now, &mut out);
        out.extend_from_slice(self.body.bytes());
        out
    }
}

fn line(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to memory does not fail");
    out.extend_from_slice(b"\r\n");
}
