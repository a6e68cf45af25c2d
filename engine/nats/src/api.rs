//! JetStream's interface: requests with JSON, and the answers that are used here.

use std::time::Duration;

use async_nats::{Client, HeaderMap, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use desk_cluster::Answer;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::limits::{START_PAUSE, START_TIME, TRY_TIME};

/// JetStream's number for a message that is not there.
const NO_MESSAGE: u64 = 10_037;

/// JetStream's number for a message that cannot be removed: it is gone.
const NOT_REMOVED: u64 = 10_057;

/// JetStream's number for too few servers with room.
pub(crate) const NO_PEERS: u64 = 10_005;
/// Numbers that pass when the servers have found each other: no servers with room, no
/// leader, not ready, and no stream of that name at this server yet.
const PASSING: &[u64] = &[NO_PEERS, 10_008, 10_009, 10_023, 10_074];

/// The headers that a publish is conditional by.
pub(crate) const MESSAGE_ID: &str = "Nats-Msg-Id";
pub(crate) const EXPECTED_SEQUENCE: &str = "Nats-Expected-Last-Subject-Sequence";
pub(crate) const EXPECTED_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";

/// What went wrong with a request.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// No answer, or one that cannot be read.
    #[error("{0}")]
    None(String),
    /// The servers refuse.
    #[error("{text} ({number})")]
    Refused {
        /// JetStream's number.
        number: u64,
        /// In words.
        text: String,
    },
}

/// Asks, and waits for one answer.
pub(crate) async fn ask(
    client: &Client,
    subject: String,
    headers: HeaderMap,
    payload: Vec<u8>,
    time: Duration,
) -> Result<Value, ApiError> {
    let request = Request::new().payload(payload.into()).headers(headers).timeout(Some(time));
    let answer = client.send_request(subject, request).await;
    let answer = answer.map_err(|error| ApiError::None(error.to_string()))?;
    read(&answer.payload)
}

/// Asks until there is an answer that stays, as a start does. Servers that have just
/// started answer nothing, or that they have no leader, or that they do not know each
/// other.
pub(crate) async fn persist(
    client: &Client,
    subject: &str,
    headers: &HeaderMap,
    payload: &[u8],
) -> Result<Value, ApiError> {
    let begun = Instant::now();
    loop {
        let asked = ask(client, subject.to_owned(), headers.clone(), payload.to_vec(), TRY_TIME);
        let answer = asked.await;
        let is_passing = match &answer {
            Ok(_) => false,
            Err(ApiError::None(_)) => true,
            Err(ApiError::Refused { number, .. }) => PASSING.contains(number),
        };
        if !is_passing || begun.elapsed() > START_TIME {
            return answer;
        }
        tokio::time::sleep(START_PAUSE).await;
    }
}

/// An answer as JSON, unless it says that something went wrong.
pub(crate) fn read(payload: &[u8]) -> Result<Value, ApiError> {
    let value: Value = serde_json::from_slice(payload)
        .map_err(|error| ApiError::None(format!("an answer that is no JSON: {error}")))?;
    match value.get("error") {
        None => Ok(value),
        Some(error) => Err(ApiError::Refused {
            number: error["err_code"].as_u64().unwrap_or_default(),
            text: error["description"].as_str().unwrap_or("refused").to_owned(),
        }),
    }
}

/// What a stream answers to a publish.
pub(crate) fn published(payload: &[u8]) -> Answer {
    #[derive(Deserialize)]
    struct Stored {
        seq: u64,
        #[serde(default)]
        duplicate: bool,
    }
    match read(payload) {
        Err(ApiError::Refused { number, text }) => Answer::of_error(number, &text),
        Err(error) => Answer::Open(error.to_string()),
        Ok(value) => match serde_json::from_value::<Stored>(value) {
            Ok(stored) => Answer::Stored { sequence: stored.seq, duplicate: stored.duplicate },
            Err(error) => Answer::Open(format!("an answer without a sequence: {error}")),
        },
    }
}

/// The question for the newest message of a subject, which the leader answers.
pub(crate) fn newest(stream: &str, subject: &str) -> (String, Vec<u8>) {
    let payload = serde_json::json!({ "last_by_subj": subject });
    (format!("$JS.API.STREAM.MSG.GET.{stream}"), payload.to_string().into_bytes())
}

/// Its answer: sequence and bytes, if there is one.
pub(crate) fn newest_found(payload: &[u8]) -> Result<Option<(u64, Vec<u8>)>, ApiError> {
    let value = match read(payload) {
        Ok(value) => value,
        Err(ApiError::Refused { number: NO_MESSAGE, .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    found_message(&value)
}

/// Sequence and bytes of the message in an answer.
pub(crate) fn found_message(value: &Value) -> Result<Option<(u64, Vec<u8>)>, ApiError> {
    let message = &value["message"];
    let sequence = message["seq"].as_u64();
    let data = STANDARD.decode(message["data"].as_str().unwrap_or_default());
    match (sequence, data) {
        (Some(sequence), Ok(data)) => Ok(Some((sequence, data))),
        _ => Err(ApiError::None("an answer without a message".to_owned())),
    }
}

/// The question for a page of a unit's messages, which any replica answers.
pub(crate) fn page(stream: &str, subject: &str, from: u64) -> (String, Bytes) {
    let payload = serde_json::json!({
        "next_by_subj": subject,
        "seq": from,
        "batch": crate::limits::PAGE_MESSAGES,
        "max_bytes": crate::limits::PAGE_BYTES,
    });
    (format!("$JS.API.DIRECT.GET.{stream}"), payload.to_string().into())
}

/// The question to remove a subject's messages up to a sequence.
pub(crate) fn purge(stream: &str, subject: &str, upto: u64) -> (String, Bytes) {
    // It keeps the message of the sequence that it names.
    let payload = serde_json::json!({ "filter": subject, "seq": upto + 1 });
    (format!("$JS.API.STREAM.PURGE.{stream}"), payload.to_string().into())
}

/// Its answer.
pub(crate) fn purged(payload: &[u8]) -> Result<(), ApiError> {
    read(payload).map(drop)
}

/// The question to remove one message.
pub(crate) fn remove(stream: &str, sequence: u64) -> (String, Bytes) {
    let payload = serde_json::json!({ "seq": sequence, "no_erase": true });
    (format!("$JS.API.STREAM.MSG.DELETE.{stream}"), payload.to_string().into())
}

/// Its answer. A message that stands there all the same is found again by who reads.
pub(crate) fn removed(payload: &[u8]) -> Result<(), ApiError> {
    match read(payload) {
        Err(ApiError::Refused { number: NO_MESSAGE | NOT_REMOVED, .. }) => Ok(()),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let of = |text: &str| published(text.as_bytes());
        assert_eq!(
            of(r#"{"stream":"OPS_0","seq":7}"#),
            Answer::Stored { sequence: 7, duplicate: false }
        );
        assert_eq!(
            of(r#"{"stream":"OPS_0","seq":3,"duplicate": true}"#),
            Answer::Stored { sequence: 3, duplicate: true }
        );
        let error = |number: u64| {
            of(&format!(r#"{{"error":{{"code":400,"err_code":{number},"description":"no"}}}}"#))
        };
        assert_eq!(error(10_071), Answer::Fenced);
        assert_eq!((error(10_164), error(10_158)), (Answer::Again, Answer::Again));
        for open in [10_008, 10_077, 10_002, 10_023] {
            assert_eq!(error(open), Answer::Open(format!("no ({open})")));
        }
        assert!(matches!(of(""), Answer::Open(_)));
        assert!(matches!(of(r#"{"seq":-1}"#), Answer::Open(_)));
        assert!(matches!(of(r#"{"error":7}"#), Answer::Open(_)));
    }

    #[test]
    fn the_newest_message_is_read() {
        let found = newest_found(br#"{"message":{"subject":"a","seq":1,"data":"ZmVuY2U="}}"#);
        assert_eq!(found, Ok(Some((1, b"fence".to_vec()))));
        let none = br#"{"error":{"code":404,"err_code":10037,"description":"no message found"}}"#;
        assert_eq!(newest_found(none), Ok(None));
        for bad in [&br#"{"message":{"seq":1,"data":"%"}}"#[..], b"{}", b"[]", b"x"] {
            assert!(newest_found(bad).is_err());
        }
    }
}
