//! The client's side: one request out, its answer in.

use super::body::BodyDecoder;
use super::error::RequestError;
use super::status::Status;
use crate::limits::{HEAD_BYTES_MAX, HEADER_FIELDS_MAX};

/// An answer as a client sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The status.
    pub status: Status,
    /// Names in lower case, values as sent.
    pub fields: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of the first field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }

    /// The `detail` of a problem, or the status line's phrase.
    pub fn detail(&self) -> String {
        self.of_problem("detail").unwrap_or_else(|| self.status.phrase().to_owned())
    }

    /// The `code` of a problem: the word for its reason, if it has one.
    pub fn code(&self) -> Option<String> {
        self.of_problem("code")
    }

    fn of_problem(&self, name: &str) -> Option<String> {
        let problem = serde_json::from_slice::<serde_json::Value>(&self.body).ok()?;
        Some(problem.get(name)?.as_str()?.to_owned())
    }
}

/// Why an answer was not understood: the server's fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AnswerError {
    /// Not HTTP/1.1.
    #[error("the server's answer is not HTTP/1.1: {0}")]
    Malformed(&'static str),
    /// The body is malformed or too large.
    #[error("the body of the server's answer: {0}")]
    Body(#[from] RequestError),
    /// The connection ended early.
    #[error("the server closed the connection before its answer was complete")]
    Truncated,
}

/// Writes a request; `fields` come on top of `Host`, `Content-Length` and
/// those that the caller adds.
pub fn request(
    method: &str,
    target: &str,
    host: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
    for (name, value) in fields {
        head.extend([name, ": ", value, "\r\n"]);
    }
    if !body.is_empty() || !matches!(method, "GET" | "HEAD") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Reads the answer to one request.
#[derive(Debug)]
pub struct AnswerReader {
    input: Vec<u8>,
    body_bytes_max: usize,
    head: Option<(Answer, Framing)>,
}

#[derive(Debug)]
enum Framing {
    Decoder(BodyDecoder),
    UntilClose,
}

impl AnswerReader {
    /// For an answer whose body may have `body_bytes_max` bytes.
    pub fn new(body_bytes_max: usize) -> Self {
        Self { input: Vec::new(), body_bytes_max, head: None }
    }

    /// Takes the bytes of a read; the answer, once it is complete.
    ///
    /// # Errors
    /// The server's answer is not HTTP/1.1, or too large.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<Option<Answer>, AnswerError> {
        self.input.extend_from_slice(bytes);
        loop {
            if let Some((answer, framing)) = &mut self.head {
                return match framing {
                    Framing::Decoder(decoder) => {
                        let used = decoder.decode(&self.input, &mut answer.body)?;
                        self.input.drain(..used);
                        let done = decoder.is_done();
                        Ok(if done { self.head.take().map(|(answer, _)| answer) } else { None })
                    }
                    Framing::UntilClose => {
                        answer.body.append(&mut self.input);
                        if answer.body.len() > self.body_bytes_max {
                            let limit = self.body_bytes_max as u64;
                            return Err(RequestError::BodyTooLarge { limit }.into());
                        }
                        Ok(None)
                    }
                };
            }
            let Some((answer, framing, length)) = parse_head(&self.input, self.body_bytes_max)?
            else {
                return Ok(None);
            };
            self.input.drain(..length);
            // Interim answers (100 Continue) announce the real one.
            if !(100..200).contains(&answer.status.0)
                || answer.status == Status::SWITCHING_PROTOCOLS
            {
                self.head = Some((answer, framing));
            }
        }
    }

    /// The server closed the connection: the answer, if that was its end.
    ///
    /// # Errors
    /// It was not.
    pub fn handle_end(mut self) -> Result<Answer, AnswerError> {
        match self.head.take() {
            Some((answer, Framing::UntilClose)) => Ok(answer),
            _ => Err(AnswerError::Truncated),
        }
    }

    /// The bytes behind the answer, which belong to what follows it.
    pub fn into_leftover(self) -> Vec<u8> {
        self.input
    }
}

type Head = (Answer, Framing, usize);

fn parse_head(bytes: &[u8], body_bytes_max: usize) -> Result<Option<Head>, AnswerError> {
    let mut storage = [httparse::EMPTY_HEADER; HEADER_FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut storage);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Ok(None),
        Ok(httparse::Status::Partial) => return Err(AnswerError::Malformed("a head too large")),
        Err(_) => return Err(AnswerError::Malformed("a malformed head")),
    };
    let fields = parsed.headers.iter().map(|field| {
        let value = String::from_utf8_lossy(field.value).into_owned();
        (field.name.to_ascii_lowercase(), value)
    });
    let answer = Answer {
        status: Status(parsed.code.unwrap_or_default()),
        fields: fields.collect(),
        body: Vec::new(),
    };
    let bodyless = matches!(answer.status.0, 100..=199 | 204 | 304);
    let framing = if bodyless {
        Framing::Decoder(BodyDecoder::with_length(0, body_bytes_max)?)
    } else if answer.field("transfer-encoding").is_some_and(|c| c.eq_ignore_ascii_case("chunked")) {
        Framing::Decoder(BodyDecoder::chunked(body_bytes_max))
    } else if let Some(length) = answer.field("content-length") {
        let length = length.parse().map_err(|_| AnswerError::Malformed("a bad Content-Length"))?;
        Framing::Decoder(BodyDecoder::with_length(length, body_bytes_max)?)
    } else {
        Framing::UntilClose
    };
    Ok(Some((answer, framing, length)))
}
