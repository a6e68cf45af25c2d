//! Which servers lead the streams.

use std::collections::BTreeSet;

use async_nats::{Client, HeaderMap};
use desk_cluster::{Layout, Led};
use serde_json::{Value, json};

use crate::api::{ApiError, ask, persist};
use crate::limits::TRY_TIME;

/// What the names of the lanes' streams begin with.
const LANE: &str = "OPS_";

/// The question for all streams.
const LIST: &str = "$JS.API.STREAM.LIST";
const FROM_START: &[u8] = br#"{"offset":0}"#;

/// The name of a lane's stream.
pub(crate) fn lane_name(stream: usize) -> String {
    format!("{LANE}{stream}")
}

/// The names of all servers that hold streams, in order, and what the smallest of the
/// lanes' streams may hold, in bytes.
pub(crate) async fn servers(client: &Client) -> Result<(Vec<String>, u64), ApiError> {
    let list = persist(client, LIST, &HeaderMap::new(), FROM_START).await?;
    let mut servers = BTreeSet::new();
    for cluster in streams(&list).map(|stream| &stream["cluster"]) {
        let replicas = cluster["replicas"].as_array().into_iter().flatten();
        let names = replicas.map(|server| &server["name"]).chain([&cluster["leader"]]);
        servers.extend(names.filter_map(|name| name.as_str().map(str::to_owned)));
    }
    let bytes = streams(&list).filter(|stream| led(stream).is_some()).map(bytes_max).min();
    Ok((servers.into_iter().collect(), bytes.unwrap_or(u64::MAX)))
}

/// Puts back the leaders that an election has moved. A move takes a lane 0.07 to 0.25 s,
/// and the other lane goes on meanwhile. What does not succeed is tried at the next look.
pub(crate) async fn put_back(client: Client, layout: Layout) {
    let list = ask(&client, LIST.to_owned(), HeaderMap::new(), FROM_START.to_vec(), TRY_TIME);
    let Ok(list) = list.await else { return };
    let found: Vec<Led> = streams(&list).filter_map(led).collect();
    for (stream, server) in layout.misplaced(&found) {
        let subject = format!("$JS.API.STREAM.LEADER.STEPDOWN.{}", lane_name(stream));
        let payload = json!({ "placement": { "preferred": server } }).to_string().into_bytes();
        drop(ask(&client, subject, HeaderMap::new(), payload, TRY_TIME).await);
    }
}

fn streams(list: &Value) -> impl Iterator<Item = &Value> {
    list["streams"].as_array().into_iter().flatten()
}

/// Without a limit it is -1.
fn bytes_max(stream: &Value) -> u64 {
    stream["config"]["max_bytes"].as_u64().unwrap_or(u64::MAX)
}

fn led(stream: &Value) -> Option<Led> {
    let name = stream["config"]["name"].as_str()?;
    let number = name.strip_prefix(LANE)?.parse().ok()?;
    let cluster = &stream["cluster"];
    let name = |server: &Value| server["name"].as_str().map(str::to_owned);
    let replicas = cluster["replicas"].as_array().into_iter().flatten();
    let current = replicas.filter(|server| server["current"] == Value::Bool(true));
    Some(Led {
        stream: number,
        leader: cluster["leader"].as_str().map(str::to_owned),
        current: current.filter_map(name).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_from_the_list() {
        let listed = json!({
            "config": { "name": "OPS_3", "max_bytes": 700 },
            "cluster": { "leader": "n0", "replicas": [
                { "name": "n1", "current": true }, { "name": "n2", "current": false }
            ] },
        });
        let current = vec!["n1".to_owned()];
        let expected = Led { stream: 3, leader: Some("n0".to_owned()), current };
        assert_eq!(led(&listed), Some(expected));
        assert_eq!(bytes_max(&listed), 700);
        assert_eq!(bytes_max(&json!({ "config": { "max_bytes": -1 } })), u64::MAX);
        assert_eq!(led(&json!({ "config": { "name": "KV_CLUSTER" } })), None);
        assert_eq!(led(&json!(7)), None);
    }
}
