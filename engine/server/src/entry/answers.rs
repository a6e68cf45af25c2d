//! Replies of the services, rendered as answers of HTTP.

use desk_engine_core::ServiceError;
use desk_engine_core::service::{Content, Polled};
use desk_gateway_http::export::ExportedDesk;
use desk_gateway_http::http::{Body, Method, NO_INDEX, RequestHead, Response, Status};
use desk_gateway_http::operations::{poll_answer, poll_desk_answer, rejection};
use desk_gateway_http::websocket::handshake::SESSION_KEY_FIELD;
use desk_gateway_http::{Problem, Time, route};

use crate::limits::MOVED_RETRY_S;
use crate::shard::LineAnswer;

/// Seconds after which a refused request may come again.
const RETRY_AFTER_S: u32 = 2;

/// Why a request was not served.
pub(super) fn problem(error: &ServiceError) -> Problem {
    let say = |status| Problem::new(status, sentence(&error.to_string()));
    // The same word names the reason when a connection ends.
    let coded = |status| say(status).coded(error.close_code().as_str());
    match error {
        ServiceError::KeyVoid | ServiceError::Finished | ServiceError::KeyOfReplacedLink => {
            coded(Status::UNAUTHORIZED).with("WWW-Authenticate", SESSION_KEY_FIELD)
        }
        ServiceError::NotAllowed { .. } | ServiceError::NoMoreEditors => coded(Status::FORBIDDEN),
        // The path's desk may be there for other keys: no word of it.
        ServiceError::OtherDesk => say(Status::NOT_FOUND),
        ServiceError::LinkReplaced => coded(Status::NOT_FOUND),
        ServiceError::NoDesk => route::no_such_desk(),
        ServiceError::Expired => coded(Status::GONE),
        ServiceError::DeskFull => coded(Status::TOO_MANY_REQUESTS).retry_after(RETRY_AFTER_S),
        ServiceError::OldSequence { .. } => say(Status::CONFLICT),
        ServiceError::SequenceGap { .. }
        | ServiceError::BaseAhead { .. }
        | ServiceError::NeedsBaseText(_) => say(Status::UNPROCESSABLE_CONTENT),
        ServiceError::Rejected { operation, detail } => rejection(*operation, detail),
        ServiceError::NotImported { .. } => Problem::new(
            Status::UNPROCESSABLE_CONTENT,
            format!("{error}. Nothing was added; change the file and send it again."),
        ),
        ServiceError::TooOften { wait, .. } => {
            let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
            say(Status::TOO_MANY_REQUESTS).retry_after(seconds.saturating_add(1))
        }
        // Whoever asked is led there; this is for who cannot be.
        ServiceError::Moved => coded(Status::SERVICE_UNAVAILABLE).retry_after(MOVED_RETRY_S),
        ServiceError::TooMany(_) => say(Status::TOO_MANY_REQUESTS).retry_after(RETRY_AFTER_S),
        ServiceError::Unavailable(_) => say(Status::SERVICE_UNAVAILABLE).retry_after(RETRY_AFTER_S),
    }
}

/// A problem in the form that the client can read: a page for a person who followed a
/// link, and JSON for all others.
pub(super) fn refusal(head: &RequestHead, problem: &Problem) -> Response {
    let reads = matches!(head.method(), Method::Get | Method::Head);
    let person = reads && head.accepts("text/html") && !head.path().starts_with("/api/");
    if person { problem.to_page() } else { problem.to_response() }
}

/// The answer when the owner's reply is of another kind than was asked for.
pub(super) fn defect() -> Problem {
    tracing::error!("a service gave an answer of another kind than was asked for");
    Problem::new(Status::INTERNAL_SERVER_ERROR, "The server has a defect; its log says more.")
}

/// The answer to a poll.
pub(super) fn polled(polled: &Polled, frames_wanted: bool) -> Response {
    match polled {
        Polled::Commits { frames, .. } if frames_wanted => frames_answer(frames),
        Polled::Commits { revision, commits, .. } => {
            poll_answer(*revision, commits.iter().map(|commit| &**commit))
        }
        Polled::Snapshot(snapshot) => frames_answer(&snapshot.frames),
        Polled::Content(content) => poll_desk_answer(content.desk.revision(), &exported(content)),
    }
}

/// The answer to a request of a line; `None`: there was none in time.
pub(super) fn line(answer: Option<LineAnswer>) -> Result<Response, Problem> {
    match answer {
        Some(LineAnswer::Taken) => Ok(bytes_answer(Vec::new())),
        Some(LineAnswer::Frames(bytes)) => Ok(bytes_answer(bytes)),
        Some(LineAnswer::Gone) => Err(Problem::new(
            Status::CONFLICT,
            "There is no such line: it has ended, or a part of it is missing; open another one.",
        )),
        Some(LineAnswer::Full) => {
            Err(problem(&ServiceError::Unavailable("it has as many connections as it can have")))
        }
        None => Err(problem(&ServiceError::Unavailable("the answer takes too long"))),
    }
}

fn frames_answer(frames: &[std::sync::Arc<[u8]>]) -> Response {
    bytes_answer(frames.concat())
}

fn bytes_answer(bytes: Vec<u8>) -> Response {
    Response::content(Status::OK, "application/octet-stream", Body::Owned(bytes))
        .with("Cache-Control", "no-store")
        .with(NO_INDEX.0, NO_INDEX.1)
}

/// A desk's content for the exports.
pub(super) fn exported(content: &Content) -> ExportedDesk<'_> {
    ExportedDesk {
        desk: &content.desk,
        created_at: Time::from_unix_seconds(content.created_at),
        expires_at: Time::from_unix_seconds(content.expires_at),
    }
}

/// Makes a sentence of an error of the core, which is a clause.
fn sentence(clause: &str) -> String {
    let mut chars = clause.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use desk_protocol::ClientSeq;

    #[test]
    fn every_error_has_its_status_and_says_what_to_do() {
        let gap = ServiceError::SequenceGap { found: ClientSeq(9), expected: ClientSeq(2) };
        for (error, status) in [
            (ServiceError::KeyVoid, 401),
            (ServiceError::Finished, 401),
            (ServiceError::KeyOfReplacedLink, 401),
            (ServiceError::LinkReplaced, 404),
            (ServiceError::OtherDesk, 404),
            (ServiceError::NoDesk, 404),
            (ServiceError::DeskFull, 429),
            (ServiceError::Expired, 410),
            (gap, 422),
            (ServiceError::NoMoreEditors, 403),
            (ServiceError::TooMany("polls wait on this desk"), 429),
            (ServiceError::Unavailable("the disk is full"), 503),
        ] {
            let problem = problem(&error);
            assert_eq!(problem.status.0, status, "{error}");
            assert!(problem.detail.ends_with('.'), "{}", problem.detail);
            let retry = problem.to_response().field("retry-after").is_some();
            assert_eq!(retry, matches!(status, 429 | 503));
        }
    }
}
