//! The bodies of `init`, `finish` and `links`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use desk_protocol::frame::Role;
use desk_protocol::id::ParseIdError;
use desk_protocol::{Author, LinkId, Revision, Time};
use serde_json::{Value, json};

use crate::http::{Base64Stream, Body, Response, Rfc3339, Status};
use crate::json::{self, JsonError, Node};
use crate::problem::Problem;
use crate::route::no_link;
use crate::websocket::handshake::SESSION_KEY_FIELD;

/// The body of `POST /api/desk/init`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InitRequest {
    /// What to join.
    pub target: InitTarget,
    /// A key of an earlier session, to go on as the same client.
    pub old_key: Option<String>,
    /// Whether the answer carries the desk's content.
    pub content: bool,
}

/// What to join.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InitTarget {
    /// A new desk with this title.
    New(String),
    /// The desk of this link.
    Known(LinkId),
}

/// Reads the body of an init, whose title may have so many characters.
///
/// # Errors
/// 400 for what is malformed, 404 for a name that is no link, 422 for a title
/// that is too long.
pub fn read_init(body: &[u8], title_chars: usize) -> Result<InitRequest, Problem> {
    let malformed = |error: JsonError| error.problem();
    let value = json::parse(body).map_err(malformed)?;
    let root = Node::root(&value);
    let fields = root.object(&["name", "create_new", "session_key", "desk"]).map_err(malformed)?;
    let name = fields.required("name").and_then(|node| node.string()).map_err(malformed)?;
    let new = fields.required("create_new").and_then(|node| node.bool()).map_err(malformed)?;
    let old_key = fields.optional("session_key").map(|node| node.string()).transpose();
    let content = fields.optional("desk").map(|node| node.bool()).transpose();
    let target = match new {
        true => InitTarget::New(title(name, title_chars)?.to_owned()),
        false => InitTarget::Known(link_in(name).map_err(|why| no_link(&why))?),
    };
    Ok(InitRequest {
        target,
        old_key: old_key.map_err(malformed)?.map(str::to_owned),
        content: content.map_err(malformed)?.unwrap_or(true),
    })
}

fn title(name: &str, title_chars: usize) -> Result<&str, Problem> {
    let chars = name.chars().count();
    if chars <= title_chars {
        return Ok(name);
    }
    Err(Problem::new(
        Status::UNPROCESSABLE_CONTENT,
        format!("name: the title has {chars} characters; shorten it to {title_chars}."),
    ))
}

/// The id in a link as people paste it: the id alone, or any URL with `/d/ID`. What
/// mail and chat hang on it is ignored.
///
/// # Errors
/// [`ParseIdError`]: there is none.
pub fn link_in(name: &str) -> Result<LinkId, ParseIdError> {
    let name = name.trim();
    LinkId::leading(name.split_once("/d/").map_or(name, |(_, id)| id))
}

/// The answer to an init, but for the desk's content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InitAnswer {
    /// The session key.
    pub session_key: String,
    /// The link joined by; at creation the edit link.
    pub link: LinkId,
    /// Its URL up to and without the id: `http://host/d/`.
    pub link_base: String,
    /// The owner's link, at creation only.
    pub owner_link: Option<LinkId>,
    /// Whether the old key was good.
    pub resumed: bool,
    /// What the key grants.
    pub role: Role,
    /// The client's number on the desk.
    pub author: Author,
    /// The desk's revision.
    pub revision: Revision,
    /// When the desk is gone.
    pub expires_at: Time,
    /// Where to connect.
    pub collaboration: Collaboration,
    /// In a cluster: the addresses of all its machines, any of which may be asked.
    pub nodes: Vec<String>,
}

/// Where to connect.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Collaboration {
    /// The WebSocket's URL.
    pub websocket: String,
    /// The WebTransport's URL.
    pub webtransport: Option<String>,
    /// The QUIC endpoint, `host:port`.
    pub quic: Option<String>,
    /// SHA-256 of the self-made certificate that QUIC uses now.
    pub certificate_sha256: Option<[u8; 32]>,
    /// SHA-256 of the self-made certificates that QUIC may use: the present one, and the
    /// next.
    pub certificates: Vec<[u8; 32]>,
    /// The shard that owns the desk.
    pub shard_hint: u16,
}

impl InitAnswer {
    /// The answer without content.
    pub fn response(&self) -> Response {
        Response::json(Status::OK, self.json().to_string().into_bytes())
    }

    /// The head of an answer whose content is streamed: `content_bytes` are
    /// the bytes of all its frames. The body is then [`InitStream`]'s.
    pub fn streamed(&self, content_bytes: u64) -> (Response, InitStream) {
        let json = self.json().to_string();
        let rest = json.strip_prefix('{').expect("an object").to_owned();
        let (before, between) = ("{\"desk\":\"", "\",");
        let length = before.len() as u64
            + Base64Stream::encoded_length(content_bytes)
            + (between.len() + rest.len()) as u64;
        let mut response = Response::json(Status::OK, Vec::new());
        response.body = Body::Streamed(Some(length));
        let stream = InitStream { base64: Base64Stream::default(), before, between, rest };
        (response, stream)
    }

    fn json(&self) -> Value {
        let url = |link: LinkId| format!("{}{link}", self.link_base);
        let at = &self.collaboration;
        let certificates: Vec<_> =
            at.certificates.iter().map(|hash| STANDARD.encode(hash)).collect();
        let mut json = json!({
            "session_key": self.session_key,
            "desk_id": self.link.to_string(),
            "link": url(self.link),
            "resumed": self.resumed,
            "role": self.role.as_str(),
            "author": self.author.0,
            "revision": self.revision.0,
            "expires_at": Rfc3339(self.expires_at).to_string(),
            "collaboration": {
                "websocket": at.websocket,
                "webtransport": at.webtransport,
                "quic": at.quic,
                "certificate_sha256": at.certificate_sha256.map(|hash| STANDARD.encode(hash)),
                "certificates": certificates,
                "shard_hint": at.shard_hint,
            },
        });
        if !self.nodes.is_empty() {
            json["nodes"] = self.nodes.clone().into();
        }
        if let Some(link) = self.owner_link {
            json["owner_link"] = Value::String(url(link));
        }
        json
    }
}

/// The body of an init with content, made part by part: [`push`](Self::push)
/// each frame, in order, then [`finish`](Self::finish).
#[derive(Debug)]
pub struct InitStream {
    base64: Base64Stream,
    before: &'static str,
    between: &'static str,
    rest: String,
}

impl InitStream {
    /// What a frame adds to the body.
    pub fn push(&mut self, frame: &[u8]) -> String {
        let mut part = std::mem::take(&mut self.before).to_owned();
        self.base64.push(frame, &mut part);
        part
    }

    /// The body's end.
    pub fn finish(self) -> String {
        let mut part = self.before.to_owned();
        self.base64.finish(&mut part);
        part.push_str(self.between);
        part.push_str(&self.rest);
        part
    }
}

/// Reads the body of a finish: the bytes of a last submit frame, if there is one.
///
/// # Errors
/// 400.
pub fn read_finish(body: &[u8]) -> Result<Option<Vec<u8>>, Problem> {
    let read = || {
        let value = json::parse(body)?;
        let root = Node::root(&value);
        let fields = root.object(&["diff"])?;
        let diff = fields.required("diff")?;
        let frame = STANDARD.decode(diff.string()?);
        frame.map_err(|_| diff.unexpected("a submit frame in base64, or an empty string"))
    };
    let frame = read().map_err(|error| error.problem())?;
    Ok(Some(frame).filter(|frame| !frame.is_empty()))
}

/// The answer to a finish: the session is over and its keys are void.
pub fn finish_answer(session_key: &str) -> Response {
    let json = json!({ "status": "finished" });
    Response::json(Status::OK, json.to_string().into_bytes())
        .with(SESSION_KEY_FIELD, session_key.to_owned())
}

/// The body of `POST /api/desk/ID/links`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinksRequest {
    /// Whose link.
    pub role: Role,
    /// Whether the present one is disabled and replaced.
    pub rotate: bool,
}

/// Reads the body of a request for a link.
///
/// # Errors
/// 400.
pub fn read_links(body: &[u8]) -> Result<LinksRequest, Problem> {
    let read = || {
        let value = json::parse(body)?;
        let root = Node::root(&value);
        let fields = root.object(&["role", "rotate"])?;
        let named = fields.required("role")?;
        let word = named.string()?;
        let known = [Role::Viewer, Role::Editor, Role::Owner];
        let role = known.into_iter().find(|role| role.as_str() == word);
        let role = role.ok_or_else(|| named.unexpected("viewer, editor or owner"))?;
        let rotate = fields.optional("rotate").map(|node| node.bool()).transpose()?;
        Ok(LinksRequest { role, rotate: rotate.unwrap_or(false) })
    };
    read().map_err(|error: JsonError| error.problem())
}

/// The answer to a request for a link. `link_base` is as in [`InitAnswer`].
pub fn links_answer(role: Role, link: LinkId, link_base: &str) -> Response {
    let json = json!({
        "role": role.as_str(),
        "desk_id": link.to_string(),
        "link": format!("{link_base}{link}"),
    });
    Response::json(Status::OK, json.to_string().into_bytes())
}

/// The answer to a removal.
pub fn removed_answer() -> Response {
    Response::json(Status::OK, json!({ "status": "deleted" }).to_string().into_bytes())
}
