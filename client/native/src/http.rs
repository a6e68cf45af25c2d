//! One request and its answer, on a stream of its own.

use desk_gateway_http::http::Status;
use desk_gateway_http::http::client::{Answer, AnswerReader, request};
use tokio::time::timeout;

use crate::address::Server;
use crate::error::RequestError;
use crate::limits::{
    ANSWER_BYTES_MAX, PROGRESS_EVERY, REDIRECTS_MAX, REQUEST_TIME, REQUEST_TIME_PER_MIB,
};
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
    send_telling(connector, method, target, fields, body, &mut |_| {}).await
}

/// The same; says which server answered, if another one was asked in the end.
pub(crate) async fn send_following(
    connector: &Connector,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Result<(Answer, Option<Connector>), RequestError> {
    follow(connector, method, target, fields, body, &mut |_| {}).await
}

/// The same; `told` hears now and then how many bytes were sent.
pub(crate) async fn send_telling(
    connector: &Connector,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &[u8],
    told: &mut (dyn FnMut(usize) + Send),
) -> Result<Answer, RequestError> {
    follow(connector, method, target, fields, body, told).await.map(|(answer, _)| answer)
}

/// Asks a server, and the machines of its cluster that it leads to.
async fn follow(
    connector: &Connector,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &[u8],
    told: &mut (dyn FnMut(usize) + Send),
) -> Result<(Answer, Option<Connector>), RequestError> {
    let first = connector.server.target(target);
    let mut answer = ask(connector, method, &first, fields, body, told).await?;
    let mut reached = None;
    for _ in 0..REDIRECTS_MAX {
        if answer.status != Status::TEMPORARY_REDIRECT {
            break;
        }
        let location = answer.field("location").unwrap_or_default();
        let (server, target) = Server::split(location, ["http", "https"])
            .ok_or(RequestError::Unexpected("Location"))?;
        let next = connector.to(server).ok_or(RequestError::Unexpected("Location"))?;
        answer = ask(&next, method, target, fields, body, told).await?;
        reached = Some(next);
    }
    Ok((answer, reached))
}

/// Asks one server, in time.
async fn ask(
    connector: &Connector,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &[u8],
    told: &mut (dyn FnMut(usize) + Send),
) -> Result<Answer, RequestError> {
    let mebibytes = u32::try_from(body.len() >> 20).unwrap_or(u32::MAX);
    let time = REQUEST_TIME + REQUEST_TIME_PER_MIB.saturating_mul(mebibytes);
    let exchange = exchange(connector, method, target, fields, body, told);
    match timeout(time, exchange).await {
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
    told: &mut (dyn FnMut(usize) + Send),
) -> Result<Answer, RequestError> {
    let unreachable =
        |error| RequestError::Unreachable { server: connector.server.to_string(), error };
    let mut wire = Wire::new(connector.connect().await.map_err(unreachable)?);
    let mut all = vec![("Connection", "close")];
    all.extend_from_slice(fields);
    let server = &connector.server;
    wire.out = request(method, target, &server.authority(), &all, body);
    let mut reader = AnswerReader::new(ANSWER_BYTES_MAX);
    loop {
        let Ok(read) = timeout(PROGRESS_EVERY, wire.read()).await else {
            told(wire.written());
            continue;
        };
        let bytes = read.map_err(unreachable)?;
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
