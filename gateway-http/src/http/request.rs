//! A request's head, and what frames its body.

use std::fmt;
use std::ops::Range;

use super::error::RequestError;
use crate::limits::{HEADER_FIELDS_MAX, HttpLimits};

/// What the request wants done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Method {
    /// Read.
    Get,
    /// Read the head only.
    Head,
    /// Do something new.
    Post,
    /// Change.
    Patch,
    /// Remove.
    Delete,
    /// Ask whether a page of another origin may ask.
    Options,
    /// Any other method; no address here allows one.
    Other,
}

impl Method {
    fn parse(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }

    /// As in a request line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "another method",
        }
    }
}

/// How long the body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyFraming {
    /// There is none.
    None,
    /// `Content-Length`, in bytes, not 0.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// Request line and header fields.
#[derive(Clone)]
pub struct RequestHead {
    bytes: Box<[u8]>,
    method: Method,
    http_1_0: bool,
    authority: Option<Range<usize>>,
    path: Range<usize>,
    query: Option<Range<usize>>,
    fields: Box<[Field]>,
    body: BodyFraming,
    keep_alive: bool,
    expects_continue: bool,
}

#[derive(Clone)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

impl RequestHead {
    /// Parses a head that ends with its empty line.
    ///
    /// Everything on which two HTTP implementations could disagree about where
    /// the request ends is refused.
    pub(super) fn parse(bytes: &[u8], limits: &HttpLimits) -> Result<Self, RequestError> {
        let mut storage = [httparse::EMPTY_HEADER; HEADER_FIELDS_MAX];
        let places = limits.header_fields.min(HEADER_FIELDS_MAX);
        let mut parsed = httparse::Request::new(&mut storage[..places]);
        match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
            Ok(_) => return Err(RequestError::Malformed("the head is not complete")),
            Err(error) => return Err(RequestError::from_httparse(error, limits)),
        }
        // httparse lends parts of `bytes`; positions outlive the borrow.
        let at = |part: &[u8]| {
            let start = part.as_ptr().addr() - bytes.as_ptr().addr();
            start..start + part.len()
        };
        let method = Method::parse(parsed.method.unwrap_or_default());
        let target = at(parsed.path.unwrap_or_default().as_bytes());
        let fields = parsed
            .headers
            .iter()
            .map(|field| Field { name: at(field.name.as_bytes()), value: at(field.value) })
            .collect();
        let (authority, path, query) = split_target(bytes, target)?;
        let mut head = Self {
            bytes: bytes.into(),
            method,
            http_1_0: parsed.version == Some(0),
            authority,
            path,
            query,
            fields,
            body: BodyFraming::None,
            keep_alive: false,
            expects_continue: false,
        };
        head.check_host()?;
        head.body = head.framing()?;
        head.keep_alive = !head.http_1_0 && !head.lists("connection", "close");
        head.expects_continue = head.expectation()?;
        Ok(head)
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The target's path, as sent; [`RequestHead::below`] takes its beginning off.
    pub fn path(&self) -> &str {
        match self.slice(&self.path) {
            "" => "/",
            path => path,
        }
    }

    /// The same request as seen from below a path, if it is for something there.
    pub fn below(&self, prefix: &str) -> Option<Self> {
        let rest = self.path().strip_prefix(prefix).filter(|_| !prefix.is_empty())?;
        if !(rest.is_empty() || rest.starts_with('/')) {
            return None;
        }
        let path = self.path.start + prefix.len()..self.path.end;
        Some(Self { path, ..self.clone() })
    }

    /// The target's query, as sent, without the question mark.
    pub fn query(&self) -> Option<&str> {
        self.query.as_ref().map(|query| self.slice(query))
    }

    /// The authority that the request is for: of the target if it names one,
    /// else of `Host`.
    pub fn host(&self) -> Option<&str> {
        match &self.authority {
            Some(authority) => Some(self.slice(authority)),
            None => self.field("host"),
        }
    }

    /// The value of the first field of this name, if it is visible ASCII.
    pub fn field(&self, name: &str) -> Option<&str> {
        let value = std::str::from_utf8(self.values(name).next()?).ok()?;
        value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)).then_some(value)
    }

    /// The values of all fields of this name, in order.
    pub fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.fields
            .iter()
            .filter(move |field| {
                self.bytes[field.name.clone()].eq_ignore_ascii_case(name.as_bytes())
            })
            .map(|field| &self.bytes[field.value.clone()])
    }

    /// The elements of a comma-separated list, over all fields of this name.
    pub fn elements<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.values(name)
            .filter_map(|value| std::str::from_utf8(value).ok())
            .flat_map(|value| value.split(','))
            .map(|element| element.trim_matches([' ', '\t']))
            .filter(|element| !element.is_empty())
    }

    /// Whether such a list holds `token`, in any case.
    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.elements(name).any(|element| element.eq_ignore_ascii_case(token))
    }

    /// Whether `Accept` names this media type itself, not by a wildcard.
    pub fn accepts(&self, media_type: &str) -> bool {
        self.elements("accept").any(|range| {
            let named = range.split(';').next().unwrap_or_default();
            named.trim().eq_ignore_ascii_case(media_type)
        })
    }

    /// The media type of the body, in lower case, without parameters.
    pub fn content_type(&self) -> Option<String> {
        let value = self.field("content-type")?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }

    /// How long the body is.
    pub fn body(&self) -> BodyFraming {
        self.body
    }

    /// Whether the peer will send another request on this connection.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Whether the peer waits for `100 Continue` before it sends the body.
    pub fn expects_continue(&self) -> bool {
        self.expects_continue && self.body != BodyFraming::None
    }

    /// Whether the peer speaks HTTP/1.0.
    pub fn is_http_1_0(&self) -> bool {
        self.http_1_0
    }

    fn slice(&self, range: &Range<usize>) -> &str {
        std::str::from_utf8(&self.bytes[range.clone()]).expect("httparse and split_target checked")
    }

    fn check_host(&self) -> Result<(), RequestError> {
        match self.values("host").count() {
            0 if self.http_1_0 => Ok(()),
            0 => Err(RequestError::Malformed("the Host field is missing")),
            1 if self.field("host").is_some() => Ok(()),
            1 => Err(RequestError::Malformed("the Host field is not ASCII")),
            _ => Err(RequestError::Malformed("there is more than one Host field")),
        }
    }

    fn framing(&self) -> Result<BodyFraming, RequestError> {
        let mut lengths = self.values("content-length");
        let mut codings = self.values("transfer-encoding");
        match (lengths.next(), codings.next()) {
            (None, None) => Ok(BodyFraming::None),
            (Some(_), Some(_)) => {
                Err(RequestError::Malformed("both Content-Length and Transfer-Encoding are given"))
            }
            (Some(length), None) => {
                if lengths.next().is_some() {
                    return Err(RequestError::Malformed("Content-Length is given twice"));
                }
                match decimal(length) {
                    Some(0) => Ok(BodyFraming::None),
                    Some(length) => Ok(BodyFraming::Length(length)),
                    None => Err(RequestError::Malformed("Content-Length is not a number")),
                }
            }
            (None, Some(coding)) => {
                if self.http_1_0 {
                    return Err(RequestError::Malformed("HTTP/1.0 has no Transfer-Encoding"));
                }
                if codings.next().is_some() || !coding.eq_ignore_ascii_case(b"chunked") {
                    return Err(RequestError::UnknownCoding);
                }
                Ok(BodyFraming::Chunked)
            }
        }
    }

    fn expectation(&self) -> Result<bool, RequestError> {
        match self.values("expect").next() {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case(b"100-continue") => Ok(!self.http_1_0),
            Some(_) => Err(RequestError::UnknownExpectation),
        }
    }
}

impl fmt::Debug for RequestHead {
    /// Without the fields: they carry session keys, which no log may hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method)
            .field("path", &self.path())
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

type Target = (Option<Range<usize>>, Range<usize>, Option<Range<usize>>);

/// Splits origin-form (`/path?query`) and absolute-form (`http://host/path`).
/// Other forms have the path that they are; no address matches it.
fn split_target(bytes: &[u8], target: Range<usize>) -> Result<Target, RequestError> {
    let text = std::str::from_utf8(&bytes[target.clone()])
        .ok()
        .filter(|text| text.is_ascii())
        .ok_or(RequestError::Malformed("the request target is not ASCII"))?;
    let scheme = ["http://", "https://"].into_iter().find(|scheme| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let mut authority = None;
    let mut start = target.start;
    if let Some(scheme) = scheme {
        let rest = &text[scheme.len()..];
        let length = rest.find(['/', '?']).unwrap_or(rest.len());
        let from = start + scheme.len();
        authority = Some(from..from + length);
        start = from + length;
    }
    let rest = &text[start - target.start..];
    Ok(match rest.find('?') {
        Some(mark) => (authority, start..start + mark, Some(start + mark + 1..target.end)),
        None => (authority, start..target.end, None),
    })
}

/// A number of plain digits; unlike `parse`, without a sign.
fn decimal(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}
