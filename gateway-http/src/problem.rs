//! Errors as `application/problem+json` (RFC 9457).

use std::borrow::Cow;

use crate::http::{Body, NO_INDEX, RequestError, Response, Status};
use crate::limits::NO_ROOM_RETRY_S;

/// An error answer: what is wrong, and what the caller can do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The status.
    pub status: Status,
    /// What is wrong and what to do, in a sentence or two.
    pub detail: String,
    /// The reason in a word that programs tell apart; none where the status says all.
    pub code: Option<&'static str>,
    fields: Vec<(&'static str, Cow<'static, str>)>,
}

impl Problem {
    /// An error with a status and a detail.
    pub fn new(status: Status, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), code: None, fields: Vec::new() }
    }

    /// Says the reason in a word, the same as a connection's end has for it
    /// ([`desk_protocol::frame::CloseCode::as_str`]) where one ends for it.
    #[must_use]
    pub fn coded(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
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
        let mut json = serde_json::json!({
            "type": "about:blank",
            "title": self.status.phrase(),
            "status": self.status.0,
            "detail": self.detail,
        });
        if let Some(code) = self.code {
            json["code"] = code.into();
        }
        self.response("application/problem+json", json.to_string())
    }

    /// The answer to a person who followed a link: the same words as a page.
    pub fn to_page(&self) -> Response {
        let title = self.status.phrase();
        let detail = self.detail.replace('&', "&amp;").replace('<', "&lt;");
        let page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>{title}</title>\n<h1>{title}</h1>\n<p>{detail}</p>\n</html>\n"
        );
        self.response("text/html; charset=utf-8", page)
            .with("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
            .with("Referrer-Policy", "no-referrer")
    }

    fn response(&self, content_type: &'static str, body: String) -> Response {
        let body = Body::Owned(body.into_bytes());
        let mut response = Response::content(self.status, content_type, body)
            .with("Cache-Control", "no-store")
            .with("X-Content-Type-Options", "nosniff")
            .with(NO_INDEX.0, NO_INDEX.1);
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
            Error::NoRoom => "send it again in some seconds, without pauses",
        };
        let problem = Self::new(error.status(), format!("{error}; {todo}."));
        if error == Error::NoRoom { problem.retry_after(NO_ROOM_RETRY_S) } else { problem }
    }
}
