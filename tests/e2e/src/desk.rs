//! The requests that most tests begin with.

use serde_json::{Value, json};

use crate::http::{self, KEY, Reply};
use crate::server::Server;

/// A client that has joined.
#[derive(Clone, Debug)]
pub struct Joined {
    /// Its session key.
    pub key: String,
    /// The link id that it joined by.
    pub id: String,
    /// The owner's link id, at creation.
    pub owner: Option<String>,
    /// The whole answer of init.
    pub answer: Value,
}

impl Joined {
    /// From init's answer.
    pub fn of(answer: Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let owner = text(&answer["owner_link"]).map(|url| id_of(&url));
        Self {
            key: text(&answer["session_key"]).expect("a session key"),
            id: text(&answer["desk_id"]).expect("a link id"),
            owner,
            answer,
        }
    }

    /// Submits operations as JSON.
    pub fn sync(&self, server: &Server, seq: u64, base: u64, ops: Value) -> Reply {
        let body = json!({ "client_seq": seq, "base_revision": base, "ops": ops });
        self.sync_body(server, &body)
    }

    /// Submits any JSON.
    pub fn sync_body(&self, server: &Server, body: &Value) -> Reply {
        let fields = [(KEY, &*self.key), ("R-User-ID", "tester")];
        http::patch(server, "/api/desk/collaboration/sync", &fields, body)
    }

    /// Adds a sticker; its id.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn add(&self, server: &Server, seq: u64, text: &str) -> String {
        let ops = json!([{ "create": { "x": 0, "y": 0, "text": text } }]);
        let answer = self.sync(server, seq, 0, ops).expect(221).json();
        answer["created"][0].as_str().expect("the created id").to_owned()
    }

    /// Polls for commits.
    pub fn poll(&self, server: &Server, since: u64, wait: u64) -> Reply {
        let target = format!("/api/desk/collaboration/sync?since={since}&wait={wait}");
        http::get(server, &target, &[(KEY, &self.key)])
    }

    /// Asks for a role's link id.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn link(&self, server: &Server, role: &str, rotate: bool) -> String {
        let target = format!("/api/desk/{}/links", self.id);
        let body = json!({ "role": role, "rotate": rotate });
        let reply = http::post(server, &target, &[(KEY, &self.key)], &body).expect(200);
        reply.json()["desk_id"].as_str().expect("a link id").to_owned()
    }

    /// Joins once more by the owner's link, as another client.
    pub fn as_owner(&self, server: &Server) -> Joined {
        join(server, self.owner.as_deref().expect("a desk of one's own making"))
    }
}

/// Makes a desk with a long note, so that the log moves on and what it holds
/// back is stored in tables. A log that is full for now refuses it.
pub fn press(server: &Server) {
    let body = json!({ "name": "pressure", "create_new": true });
    let reply = http::post(server, "/api/desk/init", &[], &body);
    if reply.status == 200 {
        let text = "x".repeat(9_000);
        let ops = json!([{ "create": { "x": 0, "y": 0, "text": text } }]);
        Joined::of(reply.json()).sync(server, 1, 0, ops);
    }
}

/// The id at the end of a link.
pub fn id_of(link: &str) -> String {
    link.rsplit('/').next().unwrap().to_owned()
}

/// Makes a desk.
pub fn create(server: &Server, title: &str) -> Joined {
    let body = json!({ "name": title, "create_new": true });
    Joined::of(http::post(server, "/api/desk/init", &[], &body).expect(200).json())
}

/// Joins by a link id.
pub fn join(server: &Server, id: &str) -> Joined {
    Joined::of(init(server, id).expect(200).json())
}

/// Asks to join by a link or its id.
pub fn init(server: &Server, name: &str) -> Reply {
    http::post(server, "/api/desk/init", &[], &json!({ "name": name, "create_new": false }))
}

/// The desk's export by a link id.
pub fn export(server: &Server, id: &str) -> Value {
    http::get(server, &format!("/api/desk/{id}/export?format=json"), &[]).expect(200).json()
}

/// The texts on a desk, sorted.
pub fn texts(server: &Server, id: &str) -> Vec<String> {
    let desk = export(server, id);
    let stickers = desk["stickers"].as_array().unwrap();
    let mut texts: Vec<_> =
        stickers.iter().map(|sticker| sticker["text"].as_str().unwrap().to_owned()).collect();
    texts.sort();
    texts
}
