//! What the services say, as answers of HTTP.

use desk_engine_core::ServiceError;
use desk_engine_core::service::{Content, Polled};
use desk_gateway_http::export::ExportedDesk;
use desk_gateway_http::http::{Body, Response, Status};
use desk_gateway_http::operations::{poll_answer, poll_desk_answer, rejection};
use desk_gateway_http::{Problem, Time, route};

/// Seconds after which a refused request may come again.
const RETRY_AFTER_S: u32 = 2;

/// Why a request was not served.
pub(super) fn problem(error: &ServiceError) -> Problem {
    let say = |status| Problem::new(status, sentence(&error.to_string()));
    match error {
        ServiceError::KeyVoid => route::void_session_key(),
        ServiceError::NotAllowed { .. } => say(Status::FORBIDDEN),
        ServiceError::NoDesk => route::no_such_desk(),
        ServiceError::Expired => say(Status::GONE),
        ServiceError::OldSequence { .. } => say(Status::CONFLICT),
        ServiceError::SequenceGap { .. }
        | ServiceError::BaseAhead { .. }
        | ServiceError::NeedsBaseText(_) => say(Status::UNPROCESSABLE_CONTENT),
        ServiceError::Rejected { operation, detail } => rejection(*operation, detail),
        ServiceError::TooOften { wait, .. } => {
            let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
            say(Status::TOO_MANY_REQUESTS).retry_after(seconds.saturating_add(1))
        }
        ServiceError::TooMany(_) => say(Status::TOO_MANY_REQUESTS).retry_after(RETRY_AFTER_S),
        ServiceError::Unavailable(_) => say(Status::SERVICE_UNAVAILABLE).retry_after(RETRY_AFTER_S),
    }
}

/// The answer to something that an owner should not have said.
pub(super) fn defect() -> Problem {
    tracing::error!("a service gave an answer of another kind than was asked for");
    Problem::new(Status::INTERNAL_SERVER_ERROR, "The server has a defect; its log says more.")
}

/// The answer to a poll.
pub(super) fn polled(polled: &Polled, frames_wanted: bool) -> Response {
    match polled {
        Polled::Commits { frames, .. } if frames_wanted => frames_answer(frames),
        Polled::Commits { revision, commits, .. } => poll_answer(*revision, commits),
        Polled::Content { snapshot, .. } if frames_wanted => frames_answer(&snapshot.frames),
        Polled::Content { content, .. } => {
            poll_desk_answer(content.desk.revision(), &exported(content))
        }
    }
}

fn frames_answer(frames: &[std::sync::Arc<[u8]>]) -> Response {
    let body = Body::Owned(frames.concat());
    Response::content(Status::OK, "application/octet-stream", body)
        .with("Cache-Control", "no-store")
}

/// A desk's content for the exports.
pub(super) fn exported(content: &Content) -> ExportedDesk<'_> {
    ExportedDesk {
        desk: &content.desk,
        created_at: Time::from_unix_seconds(content.created_at),
        expires_at: Time::from_unix_seconds(content.expires_at),
    }
}

/// The core's errors are clauses; a detail is a sentence.
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
            (ServiceError::NoDesk, 404),
            (ServiceError::Expired, 410),
            (gap, 422),
            (ServiceError::TooMany("polls wait"), 429),
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
