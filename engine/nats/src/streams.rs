//! The streams of a cluster: made by the first node, checked by every other.

use async_nats::{Client, HeaderMap};
use desk_cluster::Layout;
use futures_util::{StreamExt as _, future};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::api::{ApiError, EXPECTED_SEQUENCE, NO_PEERS, found_message, newest, persist};
use crate::leaders::{lane_name, servers};
use crate::limits::{
    DUPLICATES_TIME, LANE_BYTES_MIN, LANES, QUEUE_BYTES_MAX, QUEUE_TIME, REACH_TIME, REPLICAS,
    SERVERS_TIME, START_PAUSE, STREAMS_PER_SERVER,
};
use crate::settings::{SessionKey, Settings, StartError};

/// The version of what the streams hold.
const FORMAT: u64 = 2;
/// The bucket that holds what all nodes agree on.
const BUCKET: &str = "CLUSTER";
const AGREED: &str = "$KV.CLUSTER.agreed";
/// The streams of the queue between the nodes.
pub(crate) const REQUESTS: &str = "QUEUE";
pub(crate) const VERDICTS: &str = "QSTATUS";
/// JetStream's number for a stream that is there with another configuration.
const IN_USE: u64 = 10_058;
/// JetStream's number for a condition of a publish that does not hold.
const CONDITION: u64 = 10_071;

/// What all nodes agree on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Agreed {
    pub(crate) layout: Layout,
    pub(crate) session_key: SessionKey,
}

/// Checks the servers, and makes or checks what the cluster needs of them.
///
/// # Errors
/// The servers cannot carry the cluster, or another cluster is there.
pub(crate) async fn ensure(client: &Client, settings: &Settings) -> Result<Agreed, StartError> {
    check_account(client).await?;
    check_sync(client).await?;
    ensure_stream(client, bucket()).await?;
    let (streams, session_key) = agree(client, settings).await?;
    let bytes = settings.lane_bytes_max.max(LANE_BYTES_MIN);
    for queue in [requests(), verdicts()] {
        ensure_stream(client, queue).await?;
    }
    let lanes = (0..streams).map(|lane| ensure_stream(client, lane_config(lane, bytes)));
    for made in future::join_all(lanes).await {
        made?;
    }
    let servers = servers(client).await;
    let (servers, stream_bytes) =
        servers.map_err(|error| unfit(format!("cannot list the streams: {error}")))?;
    let layout = Layout { streams, lanes: LANES.min(streams), servers, stream_bytes };
    Ok(Agreed { layout, session_key })
}

fn unfit(why: impl Into<String>) -> StartError {
    StartError::Unfit(why.into())
}

async fn api(client: &Client, subject: &str, payload: &Value) -> Result<Value, ApiError> {
    let payload = if payload.is_null() { Vec::new() } else { payload.to_string().into_bytes() };
    let subject = format!("$JS.API.{subject}");
    persist(client, &subject, &HeaderMap::new(), &payload).await
}

async fn check_account(client: &Client) -> Result<(), StartError> {
    let info = api(client, "INFO", &Value::Null).await;
    let failed = |error| {
        unfit(format!(
            "the nats-servers offer this node's user no JetStream: {error}; enable it for the \
             account, and see that two of three servers run"
        ))
    };
    info.map(drop).map_err(failed)
}

/// Every server has to sync each write: an acknowledgement says that two of three did.
async fn check_sync(client: &Client) -> Result<(), StartError> {
    let begun = Instant::now();
    loop {
        match count_servers(client).await? {
            // A server may be down just now. A quorum is there.
            2.. => return Ok(()),
            found if begun.elapsed() > REACH_TIME => {
                return Err(unfit(match found {
                    0 => {
                        "cannot see whether the nats-servers sync each write; let the account \
                         import the service $SYS.REQ.SERVER.PING.VARZ of the system account"
                    }
                    _ => "one nats-server answers alone; a cluster has three",
                }));
            }
            _ => tokio::time::sleep(START_PAUSE).await,
        }
    }
}

/// How many servers answer; all of them sync each write.
async fn count_servers(client: &Client) -> Result<usize, StartError> {
    let inbox = client.new_inbox();
    let failed = |error: String| unfit(format!("cannot ask the nats-servers: {error}"));
    let mut answers = client.subscribe(inbox.clone()).await.map_err(|e| failed(e.to_string()))?;
    let subject = "$SYS.REQ.SERVER.PING.VARZ";
    let asked = client.publish_with_reply(subject, inbox, "".into()).await;
    asked.map_err(|error| failed(error.to_string()))?;
    let mut seen = 0;
    while seen < REPLICAS
        && let Ok(Some(answer)) = timeout(SERVERS_TIME, answers.next()).await
    {
        let Ok(answer) = serde_json::from_slice::<Value>(&answer.payload) else { continue };
        let name = answer["server"]["name"].as_str().unwrap_or("one").to_owned();
        let config = &answer["data"]["jetstream"]["config"];
        seen += 1;
        if config["sync_always"] != Value::Bool(true) {
            return Err(unfit(format!(
                "nats-server {name} acknowledges before its disk has a message; set \
                 `sync_interval: always` in its jetstream block and restart it"
            )));
        }
    }
    Ok(seen)
}

fn bucket() -> Value {
    json!({
        "name": format!("KV_{BUCKET}"),
        "description": "What the nodes of Sticker Desk agree on",
        "subjects": [format!("$KV.{BUCKET}.>")],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "max_msgs_per_subject": 1,
        "num_replicas": REPLICAS,
        "allow_direct": true,
        "allow_rollup_hdrs": true,
        "deny_delete": true,
        "max_bytes": 1 << 20,
    })
}

/// The queue between the nodes: what owners of units are asked for.
fn requests() -> Value {
    json!({
        "name": REQUESTS,
        "description": "Requests between the nodes of Sticker Desk",
        "subjects": [format!("{REQUESTS}.*")],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "num_replicas": REPLICAS,
        "allow_direct": true,
        "max_age": QUEUE_TIME.as_nanos() as u64,
        "max_bytes": QUEUE_BYTES_MAX,
        "duplicate_window": DUPLICATES_TIME.as_nanos() as u64,
    })
}

/// What became of these requests.
fn verdicts() -> Value {
    json!({
        "name": VERDICTS,
        "description": "What became of requests between the nodes of Sticker Desk",
        "subjects": [format!("{VERDICTS}.*.*")],
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "num_replicas": REPLICAS,
        "allow_direct": true,
        "max_age": QUEUE_TIME.as_nanos() as u64,
        "max_bytes": QUEUE_BYTES_MAX,
        "duplicate_window": DUPLICATES_TIME.as_nanos() as u64,
    })
}

fn lane_config(stream: usize, bytes_max: u64) -> Value {
    let name = lane_name(stream);
    json!({
        "name": name,
        "description": "A lane of Sticker Desk, format 2",
        "subjects": [format!("{name}.*.f"), format!("{name}.*.o")],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "max_bytes": bytes_max,
        "num_replicas": REPLICAS,
        "allow_direct": true,
        "duplicate_window": DUPLICATES_TIME.as_nanos() as u64,
    })
}

/// What may differ: the budget was given when the stream was made.
const TUNABLE: &[&str] = &["max_bytes"];

async fn ensure_stream(client: &Client, config: Value) -> Result<(), StartError> {
    let name = config["name"].as_str().unwrap_or_default().to_owned();
    match api(client, &format!("STREAM.CREATE.{name}"), &config).await {
        Ok(_) => Ok(()),
        Err(ApiError::Refused { number: IN_USE, .. }) => check_stream(client, &name, &config).await,
        Err(ApiError::Refused { number: NO_PEERS, text }) => Err(unfit(format!(
            "{REPLICAS} nats-servers with room for the stream {name} are needed: {text}"
        ))),
        Err(error) => Err(unfit(format!("cannot make the stream {name}: {error}"))),
    }
}

/// A stream of that name is there: it has to be ours.
async fn check_stream(client: &Client, name: &str, wanted: &Value) -> Result<(), StartError> {
    let info = api(client, &format!("STREAM.INFO.{name}"), &Value::Null).await;
    let info = info.map_err(|error| unfit(format!("cannot look at the stream {name}: {error}")))?;
    let found = &info["config"];
    let fields = wanted.as_object().into_iter().flatten();
    for (field, wanted) in fields.filter(|(field, _)| !TUNABLE.contains(&field.as_str())) {
        if found[field] != *wanted {
            return Err(unfit(format!(
                "the stream {name} is not of this program: its {field} is {}, not {wanted}; use \
                 an account of its own for the cluster",
                found[field]
            )));
        }
    }
    Ok(())
}

/// The first node writes what it has; every other takes it, or does not fit.
async fn agree(client: &Client, settings: &Settings) -> Result<(usize, SessionKey), StartError> {
    let streams = settings.servers.len().max(REPLICAS) * STREAMS_PER_SERVER;
    let own = json!({
        "format": FORMAT,
        "units": desk_cluster::UNITS,
        "streams": streams,
        "desk_ttl_s": settings.desk_ttl_s,
        "bucket_s": settings.bucket_s,
        "session_key": hex(&settings.session_key.0),
    });
    let mut headers = HeaderMap::new();
    headers.insert(EXPECTED_SEQUENCE, "0");
    let payload = own.to_string().into_bytes();
    let written = persist(client, AGREED, &headers, &payload).await;
    match written {
        Ok(_) | Err(ApiError::Refused { number: CONDITION, .. }) => {}
        Err(error) => return Err(unfit(format!("cannot write to {BUCKET}: {error}"))),
    }
    let (subject, payload) = newest(&format!("KV_{BUCKET}"), AGREED);
    let found = persist(client, &subject, &HeaderMap::new(), &payload).await;
    let found = found.and_then(|found| found_message(&found));
    let found = found.map_err(|error| unfit(format!("cannot read from {BUCKET}: {error}")))?;
    let found = found.map(|(_, bytes)| bytes).unwrap_or_default();
    let found: Value = serde_json::from_slice(&found)
        .map_err(|error| unfit(format!("what the nodes agree on cannot be read: {error}")))?;
    for (field, what) in [
        ("format", "the cluster's format"),
        ("units", "the number of units"),
        ("desk_ttl_s", "--desk-ttl in seconds"),
        ("bucket_s", "--bucket in seconds"),
    ] {
        if found[field] != own[field] {
            return Err(StartError::Setting(format!(
                "{what} is {} in this cluster and {} at this node; all nodes need one value",
                found[field], own[field]
            )));
        }
    }
    let streams = found["streams"].as_u64().filter(|count| (1..=256).contains(count));
    let session_key = found["session_key"].as_str().and_then(unhex);
    match (streams, session_key) {
        (Some(streams), Some(key)) => Ok((streams as usize, SessionKey(key))),
        _ => Err(unfit("what the nodes agree on lacks the streams or the key")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_text() {
        let key: [u8; 32] = std::array::from_fn(|at| at as u8 * 7);
        assert_eq!(unhex(&hex(&key)), Some(key));
        for bad in ["", "zz", &"z".repeat(64), &"é".repeat(32)] {
            assert_eq!(unhex(bad), None);
        }
    }
}
