//! The requests of the HTTP interface, typed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use desk_gateway_http::export::Format;
use desk_protocol::frame::Role;
use desk_protocol::{LinkId, Revision};
use serde_json::{Value, json};

use crate::address::{DeskLink, Server};
use crate::error::RequestError;
use crate::http;
use crate::limits::NODES_MAX;
use crate::stream::Connector;
use crate::trust::Trust;

/// The HTTP interface of one server.
#[derive(Clone, Debug)]
pub struct Api {
    pub(crate) connector: Connector,
}

/// What `init` answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// Opens connections and signs requests.
    pub session_key: String,
    /// The link joined by; at creation the edit link.
    pub link: DeskLink,
    /// The owner's link, at creation only.
    pub owner_link: Option<DeskLink>,
    /// Whether the old key was good and the client goes on as itself.
    pub resumed: bool,
    /// What the key lets its holder do.
    pub role: Role,
    /// The desk's revision.
    pub revision: Revision,
    /// When the desk is gone (RFC 3339).
    pub expires_at: String,
    /// The content as frames; empty if it was not asked for.
    pub desk: Vec<u8>,
    /// Where to open a WebSocket.
    pub websocket: Option<String>,
    /// Where QUIC is served (`host:port`), if it is.
    pub quic: Option<String>,
    /// SHA-256 of the certificates that QUIC may use, if they are of the server's own
    /// making.
    pub certificates: Vec<[u8; 32]>,
    /// The shard that owns the desk.
    pub shard_hint: u8,
    /// The server that has the desk: another machine of the cluster may have been asked.
    pub server: Server,
    /// All machines of its cluster; empty: it is alone.
    pub nodes: Vec<Server>,
}

/// A session key, in requests.
const KEY: &str = "WebSocket-Session-Key";
const JSON: (&str, &str) = ("Content-Type", "application/json");

impl Api {
    /// The interface of `server`.
    pub fn new(server: Server, trust: &Trust) -> Self {
        Self { connector: Connector::new(server, trust) }
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.connector.server
    }

    /// Makes a desk and joins it as its creator. `content`: the answer carries
    /// the desk.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn create(&self, title: &str, content: bool) -> Result<Joined, RequestError> {
        self.init(&json!({ "name": title, "create_new": true, "desk": content })).await
    }

    /// Joins a desk; with the key of an earlier session as the same client.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn join(
        &self,
        link: LinkId,
        old_key: Option<&str>,
        content: bool,
    ) -> Result<Joined, RequestError> {
        let mut body = json!({ "name": link.to_string(), "create_new": false, "desk": content });
        if let Some(key) = old_key {
            body["session_key"] = key.into();
        }
        self.init(&body).await
    }

    async fn init(&self, body: &Value) -> Result<Joined, RequestError> {
        let body = body.to_string();
        let target = "/api/desk/init";
        let answer =
            http::send_following(&self.connector, "POST", target, &[JSON], body.as_bytes());
        let (answer, reached) = answer.await?;
        let server = reached.as_ref().map_or(self.server(), |reached| &reached.server).clone();
        self.joined(server, &parse(&http::accepted(answer)?.body)?)
    }

    fn joined(&self, server: Server, answer: &Value) -> Result<Joined, RequestError> {
        let text = |name: &'static str| {
            answer[name].as_str().ok_or(RequestError::Unexpected(name)).map(str::to_owned)
        };
        let role = match answer["role"].as_str() {
            Some("owner") => Role::Owner,
            Some("editor") => Role::Editor,
            Some("viewer") => Role::Viewer,
            _ => return Err(RequestError::Unexpected("role")),
        };
        let id: LinkId =
            text("desk_id")?.parse().map_err(|_| RequestError::Unexpected("desk_id"))?;
        // The server knows itself under the name that its operator gave it;
        // links are shown as it gives them.
        let link = |name| text(name)?.parse().map_err(|_| RequestError::Unexpected(name));
        let owner_link = match &answer["owner_link"] {
            Value::Null => None,
            _ => Some(link("owner_link")?),
        };
        let binary = |value: &Value| STANDARD.decode(value.as_str().unwrap_or_default()).ok();
        let collaboration = &answer["collaboration"];
        let link = link("link").unwrap_or_else(|_| self.server().desk(id));
        Ok(Joined {
            session_key: text("session_key")?,
            link,
            owner_link,
            resumed: answer["resumed"].as_bool().unwrap_or(false),
            role,
            revision: Revision(
                answer["revision"].as_u64().ok_or(RequestError::Unexpected("revision"))?,
            ),
            expires_at: text("expires_at")?,
            desk: binary(&answer["desk"]).ok_or(RequestError::Unexpected("desk"))?,
            websocket: collaboration["websocket"].as_str().map(str::to_owned),
            quic: collaboration["quic"].as_str().map(str::to_owned),
            certificates: collaboration["certificates"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|hash| binary(hash)?.try_into().ok())
                .collect(),
            shard_hint: collaboration["shard_hint"]
                .as_u64()
                .and_then(|shard| u8::try_from(shard).ok())
                .unwrap_or_default(),
            server,
            nodes: answer["nodes"]
                .as_array()
                .into_iter()
                .flatten()
                .take(NODES_MAX)
                .filter_map(|node| node.as_str()?.parse().ok())
                .collect(),
        })
    }

    /// The desk as a file; `deleted`: with deleted stickers,
    /// for which it takes an edit or owner link.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn export(
        &self,
        link: LinkId,
        format: Format,
        deleted: bool,
    ) -> Result<Vec<u8>, RequestError> {
        let format = format.name();
        let target = format!("/api/desk/{link}/export?format={format}&deleted={deleted}");
        self.request("GET", &target, &[], b"").await
    }

    /// Adds the notes of a file as one step, also deleted ones if `deleted`, and says how
    /// many; its content tells its kind, and `media_type` where that leaves a choice.
    /// `told` hears now and then how many bytes were sent.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn import(
        &self,
        link: LinkId,
        session_key: &str,
        media_type: &str,
        file: &[u8],
        deleted: bool,
        told: &mut (dyn FnMut(usize) + Send),
    ) -> Result<usize, RequestError> {
        let target = format!("/api/desk/{link}/import?deleted={deleted}");
        let fields = [(KEY, session_key), ("Content-Type", media_type)];
        let answer =
            http::send_telling(&self.connector, "POST", &target, &fields, file, told).await?;
        let answer = parse(&http::accepted(answer)?.body)?;
        let created = answer["created"].as_array().ok_or(RequestError::Unexpected("created"))?;
        Ok(created.len())
    }

    /// The link of a role, made if there is none, replaced if `rotate`. Owners
    /// only.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn link(
        &self,
        link: LinkId,
        session_key: &str,
        role: Role,
        rotate: bool,
    ) -> Result<DeskLink, RequestError> {
        let target = format!("/api/desk/{link}/links");
        let body = json!({ "role": role.as_str(), "rotate": rotate }).to_string();
        let fields = [(KEY, session_key), JSON];
        let answer = parse(&self.request("POST", &target, &fields, body.as_bytes()).await?)?;
        let link = answer["link"].as_str().and_then(|link| link.parse().ok());
        link.ok_or(RequestError::Unexpected("link"))
    }

    /// Deletes the desk. Owners only.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn delete(&self, link: LinkId, session_key: &str) -> Result<(), RequestError> {
        let target = format!("/api/desk/{link}");
        self.request("DELETE", &target, &[(KEY, session_key)], b"").await.map(drop)
    }

    /// Ends the session for everybody; all keys are void. Owners only.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn finish(&self, session_key: &str) -> Result<(), RequestError> {
        let target = "/api/desk/collaboration/finish";
        let fields = [(KEY, session_key), JSON];
        self.request("PATCH", target, &fields, br#"{"diff":""}"#).await.map(drop)
    }

    /// The operator's takedown; this is the interface at the admin address.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn remove(&self, link: LinkId) -> Result<(), RequestError> {
        self.request("DELETE", &format!("/admin/desk/{link}"), &[], b"").await.map(drop)
    }

    /// The operator's look at a cluster, as text; this is the interface at the admin
    /// address of one of its machines.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn cluster_status(&self) -> Result<String, RequestError> {
        self.text("/admin/cluster").await
    }

    /// The requests between one machine of a cluster and the others, as text; this is the
    /// interface at its admin address.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn cluster_queue(&self) -> Result<String, RequestError> {
        self.text("/admin/queue").await
    }

    async fn text(&self, target: &str) -> Result<String, RequestError> {
        let text = self.request("GET", target, &[], b"").await?;
        String::from_utf8(text).map_err(|_| RequestError::Unexpected("text"))
    }

    async fn request(
        &self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Vec<u8>, RequestError> {
        let answer = http::send(&self.connector, method, target, fields, body).await?;
        http::accepted(answer).map(|answer| answer.body)
    }
}

fn parse(body: &[u8]) -> Result<Value, RequestError> {
    serde_json::from_slice(body).map_err(|_| RequestError::Unexpected("JSON"))
}
