//! Errors as `application/problem+json` (RFC 9457).

use std::borrow::Cow;

use crate::http::{Body, RequestError, Response, Status};

/// An error answer: what is wrong, and what the caller can do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The status.
    pub status: Status,
    /// What is wrong and what to do, in a sentence or two.
    pub detail: String,
    fields: Vec<(&'static str, Cow<'static, str>)>,
}

impl Problem {
    /// An error with a status and a detail.
    pub fn new(status: Status, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), fields: Vec::new() }
    }

    /// Adds a header field to the answer.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Says when to come back (`Retry-After`, in seconds).
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.with("Retry-After", seconds.to_string())
    }

    /// The answer.
    pub fn to_response(&self) -> Response {
        let json = serde_json::json!({
            "type": "about:blank",
            "title": self.status.phrase(),
            "status": self.status.0,
            "detail": self.detail,
        });
        let body = Body::Owned(json.to_string().into_bytes());
        let mut response = Response::content(self.status, "application/problem+json", body)
            .with("Cache-Control", "no-store")
            .with("X-Content-Type-Options", "nosniff");
        for (name, value) in &self.fields {
            response = response.with(name, value.clone());
        }
        response
    }
}

/// The answer to a request that cannot be read.
impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        use RequestError as Error;
        let todo = match error {
            Error::Malformed(_) | Error::ChunkLineTooLong => "send a well-formed HTTP/1.1 request",
            Error::UnknownVersion => "use HTTP/1.1",
            Error::UnknownCoding => "send Content-Length, or Transfer-Encoding: chunked",
            Error::UnknownExpectation => "leave the Expect field out",
            Error::HeadTooLarge { .. } => "send fewer or shorter header fields",
            Error::BodyTooLarge { .. } => "split the content over several requests",
            Error::HeadTimeout { .. } | Error::BodyTimeout { .. } => {
                "send the request again, without pauses"
            }
        };
        Self::new(error.status(), format!("{error}; {todo}."))
    }
}
