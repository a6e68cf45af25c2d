//! One request and its answer, on a stream of its own.

use desk_gateway_http::http::client::{Answer, AnswerReader, request};
use tokio::time::timeout;

use crate::error::RequestError;
use crate::limits::{ANSWER_BYTES_MAX, REQUEST_TIME};
use crate::stream::Connector;
use crate::wire::Wire;

/// Sends a request and waits for its answer, whatever its status.
pub(crate) async fn send(
    connector: &Connector,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, RequestError> {
    let exchange = exchange(connector, method, target, fields, body);
    match timeout(REQUEST_TIME, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(RequestError::TimedOut { server: connector.server.to_string() }),
    }
}

async fn exchange(
    connector: &Connector,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, RequestError> {
    let unreachable =
        |error| RequestError::Unreachable { server: connector.server.to_string(), error };
    let mut wire = Wire::new(connector.connect().await.map_err(unreachable)?);
    let mut all = vec![("Connection", "close")];
    all.extend_from_slice(fields);
    wire.out = request(method, target, &connector.server.authority(), &all, body);
    let mut reader = AnswerReader::new(ANSWER_BYTES_MAX);
    loop {
        let bytes = wire.read().await.map_err(unreachable)?;
        if bytes.is_empty() {
            return Ok(reader.handle_end()?);
        }
        if let Some(answer) = reader.handle_bytes(bytes)? {
            return Ok(answer);
        }
    }
}

/// The answer, if the server said yes.
pub(crate) fn accepted(answer: Answer) -> Result<Answer, RequestError> {
    if (200..300).contains(&answer.status.0) {
        return Ok(answer);
    }
    Err(RequestError::Refused {
        status: answer.status.0,
        detail: answer.detail(),
        retry_after_s: answer.field("retry-after").and_then(|value| value.parse().ok()),
    })
}
