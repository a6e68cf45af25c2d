//! The addresses: what a request asks for, as a type.

mod forwarded;
mod origin;
mod query;

pub use forwarded::{FORWARDED_FIELD, client_address};
pub use origin::{OriginPolicy, OriginPolicyError, is_same_origin};

use desk_files::{Column, Kind};
use desk_protocol::id::ParseIdError;
use desk_protocol::limits::USER_LABEL_CHARS_MAX;
use desk_protocol::{LinkId, Revision};

use crate::export::Format;
use crate::http::{Method, RequestHead, Status};
use crate::limits::POLL_WAIT_S_MAX;
use crate::problem::Problem;
use crate::websocket::handshake::SESSION_KEY_FIELD;
use query::{Query, REPEATED};
use sha1::{Digest as _, Sha1};

/// The header field of a user's label.
pub const USER_FIELD: &str = "R-User-ID";

/// The header field that makes an import count once.
pub const IMPORT_NUMBER_FIELD: &str = "Idempotency-Key";

/// What a request asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    /// `POST /api/desk/init`: create or join.
    Init,
    /// `GET /api/desk/collaboration/init`: open the WebSocket.
    Collaborate,
    /// `PATCH /api/desk/collaboration/sync`: submit a batch.
    Submit,
    /// `GET /api/desk/collaboration/sync`: wait for commits.
    Poll(Poll),
    /// `POST /api/desk/collaboration/poll`: frames of a line over requests.
    Say(LinePart),
    /// `GET /api/desk/collaboration/poll`: wait for such frames, so many seconds.
    Hear(LinePart, u8),
    /// `PATCH /api/desk/collaboration/finish`: end the session.
    Finish,
    /// `POST /api/desk/ID/links`: make or replace a link.
    Links(LinkId),
    /// `DELETE /api/desk/ID`: remove the desk.
    Remove(LinkId),
    /// `POST /api/desk/ID/import`: add notes.
    Import(Import),
    /// `GET /api/desk/ID/export`: the desk as a file.
    Export(Export),
    /// `GET /` and `GET /d/ID`: the page.
    Page,
    /// A file of the page.
    Asset,
    /// `GET /robots.txt`: what search engines leave alone.
    Robots,
    /// `GET /healthz`: is the process alive.
    Health,
    /// `GET /readyz`: does it serve.
    Ready,
    /// `GET /metrics`: Prometheus text.
    Metrics,
}

/// A long poll.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Poll {
    /// Commits after this revision.
    pub since: Revision,
    /// How long to wait for one, in seconds, to [`POLL_WAIT_S_MAX`].
    pub wait_s: u8,
    /// Frames are asked for instead of JSON.
    pub frames: bool,
}

/// A part of what travels on a line over requests, in one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinePart {
    /// The number that the client gave the line.
    pub line: u32,
    /// The part's number, from 0.
    pub number: u64,
}

/// An export.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Export {
    /// The link it is asked for by.
    pub link: LinkId,
    /// As what.
    pub format: Format,
    /// Deleted stickers too.
    pub deleted: bool,
}

/// The address of WebTransport sessions.
pub const SESSION_PATH: &str = "/api/desk/collaboration/webtransport";

/// The session key in the address of a WebTransport session.
///
/// # Errors
/// 404 for another address, 401 without a key, 400 for a bad query.
pub fn session_of(path: &str, query: Option<&str>) -> Result<String, Problem> {
    if path != SESSION_PATH {
        return Err(unknown_address(path));
    }
    let query = Query::parse(query)?;
    query.text("session_key").map(str::to_owned).ok_or_else(missing_session_key)
}

/// An import.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// The link it is asked for by.
    pub link: LinkId,
    /// What the file is said to be; its content tells it otherwise.
    pub kind: Option<Kind>,
    /// Columns of a table, by the names that it has.
    pub columns: Vec<(Column, String)>,
    /// Deleted notes too.
    pub deleted: bool,
}

/// What the body of a submit is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubmitBody {
    /// JSON operations.
    Json,
    /// One submit frame.
    Frame,
}

const FRAMES: &str = "application/octet-stream";

impl Route {
    /// What `head` asks for.
    ///
    /// # Errors
    /// 404 for an unknown address, 405 (with `Allow`) for a method that the
    /// address does not know, 400 and 422 for a bad query.
    pub fn of(head: &RequestHead) -> Result<Self, Problem> {
        let path = head.path();
        let mut segments = path.strip_prefix('/').unwrap_or_default().split('/');
        match (segments.next(), segments.next(), segments.next(), segments.next(), segments.next())
        {
            (Some(""), None, ..) => get(head).map(|()| Self::Page),
            // What mail and chat hang on a link may have slashes in it.
            (Some("d"), Some(id), ..) => {
                get(head)?;
                // People who follow a mangled link get a page that tells so.
                if !head.accepts("text/html") {
                    LinkId::leading(id).map_err(|why| no_link(&why))?;
                }
                Ok(Self::Page)
            }
            (Some("robots.txt"), None, ..) => get(head).map(|()| Self::Robots),
            (Some("healthz"), None, ..) => get(head).map(|()| Self::Health),
            (Some("readyz"), None, ..) => get(head).map(|()| Self::Ready),
            (Some("metrics"), None, ..) => get(head).map(|()| Self::Metrics),
            (Some("api"), Some("desk"), Some("init"), None, _) => {
                allow(head, &[Method::Post]).map(|_| Self::Init)
            }
            (Some("api"), Some("desk"), Some("collaboration"), Some(verb), None) => {
                Self::collaboration(head, verb)
            }
            (Some("api"), Some("desk"), Some(id), verb, None) => Self::desk(head, id, verb),
            _ if crate::page::has(path) => get(head).map(|()| Self::Asset),
            _ => Err(unknown_address(path)),
        }
    }

    fn collaboration(head: &RequestHead, verb: &str) -> Result<Self, Problem> {
        match verb {
            "init" => allow(head, &[Method::Get]).map(|_| Self::Collaborate),
            "finish" => allow(head, &[Method::Patch]).map(|_| Self::Finish),
            "poll" => match allow(head, &[Method::Get, Method::Post])? {
                Method::Get => {
                    let (part, query) = LinePart::of(head)?;
                    Ok(Self::Hear(part, wait_s(&query)?))
                }
                _ => LinePart::of(head).map(|(part, _)| Self::Say(part)),
            },
            "sync" => match allow(head, &[Method::Get, Method::Patch])? {
                Method::Get => Poll::of(head).map(Self::Poll),
                _ => Ok(Self::Submit),
            },
            _ => Err(unknown_address(head.path())),
        }
    }

    fn desk(head: &RequestHead, id: &str, verb: Option<&str>) -> Result<Self, Problem> {
        match verb {
            None => {
                allow(head, &[Method::Delete])?;
                link(id).map(Self::Remove)
            }
            Some("links") => {
                allow(head, &[Method::Post])?;
                link(id).map(Self::Links)
            }
            Some("import") => {
                allow(head, &[Method::Post])?;
                Import::of(head, link(id)?).map(Self::Import)
            }
            Some("export") => {
                get(head)?;
                Export::of(head, link(id)?).map(Self::Export)
            }
            Some(_) => Err(unknown_address(head.path())),
        }
    }
}

impl Poll {
    fn of(head: &RequestHead) -> Result<Self, Problem> {
        let query = Query::parse(head.query())?;
        let Some(since) = query.number("since", 0..=u64::MAX)? else {
            return Err(Problem::new(
                Status::BAD_REQUEST,
                "The parameter since is missing; give the last revision you have, 0 for none.",
            ));
        };
        let wait_s = wait_s(&query)?;
        Ok(Self { since: Revision(since), wait_s, frames: head.accepts(FRAMES) })
    }
}

impl LinePart {
    fn of(head: &RequestHead) -> Result<(Self, Query), Problem> {
        let query = Query::parse(head.query())?;
        let missing = |name: &str| {
            let detail = format!(
                "The parameter {name} is missing; give the number of the line and of its part."
            );
            Problem::new(Status::BAD_REQUEST, detail)
        };
        let line = query.number("line", 0..=u64::from(u32::MAX))?;
        let line = u32::try_from(line.ok_or_else(|| missing("line"))?);
        let line = line.expect("the range was checked");
        let number = query.number("part", 0..=u64::MAX)?.ok_or_else(|| missing("part"))?;
        Ok((Self { line, number }, query))
    }
}

/// How long to wait for news, in seconds.
fn wait_s(query: &Query) -> Result<u8, Problem> {
    let wait = query.number("wait", 0..=u64::from(POLL_WAIT_S_MAX))?.unwrap_or(0);
    Ok(u8::try_from(wait).expect("the range was checked"))
}

impl Export {
    fn of(head: &RequestHead, link: LinkId) -> Result<Self, Problem> {
        let query = Query::parse(head.query())?;
        let format = query.one_of("format", &Format::NAMES)?.unwrap_or(Format::Json);
        let deleted = query.one_of("deleted", &[("true", true), ("false", false)])?;
        Ok(Self { link, format, deleted: deleted.unwrap_or(false) })
    }
}

impl Import {
    fn of(head: &RequestHead, link: LinkId) -> Result<Self, Problem> {
        let query = Query::parse(head.query())?;
        let auto = [("auto", None)];
        let kinds = Kind::NAMES.map(|(name, kind)| (name, Some(kind)));
        let kinds: Vec<_> = auto.into_iter().chain(kinds).collect();
        let kind = query.one_of("format", &kinds)?.flatten();
        let deleted = query.one_of("deleted", &[("true", true), ("false", false)])?;
        let asked = query.repeated().map(|asked| {
            Column::asked(asked).ok_or_else(|| {
                let names = Column::NAMES.map(|(name, _)| name).join(", ");
                let detail = format!(
                    "The parameter {REPEATED} is FIELD=NAME, percent-encoded, with a field of \
                     {names} and the name that the table's first line gives the column."
                );
                Problem::new(Status::BAD_REQUEST, detail)
            })
        });
        let columns = asked.collect::<Result<_, _>>()?;
        Ok(Self { link, kind, columns, deleted: deleted.unwrap_or(false) })
    }
}

/// The number that the sender gives an import, so that it counts once if it comes
/// again: of the text in `Idempotency-Key`, if there is one.
///
/// # Errors
/// 400 if the field is no 1 to 64 visible ASCII characters.
pub fn import_number(head: &RequestHead) -> Result<Option<u64>, Problem> {
    let Some(text) = head.values(IMPORT_NUMBER_FIELD).next() else { return Ok(None) };
    if !(1..=64).contains(&text.len()) || !text.iter().all(|byte| (0x21..0x7f).contains(byte)) {
        return Err(Problem::new(
            Status::BAD_REQUEST,
            "Idempotency-Key may have 1 to 64 visible ASCII characters; send one of your choice, \
             the same one each time that you send this import.",
        ));
    }
    let hash = Sha1::digest(text);
    Ok(Some(u64::from_le_bytes(hash[..8].try_into().expect("a hash has 20 bytes"))))
}

/// The session key of a request.
///
/// # Errors
/// 401 if there is none.
pub fn session_key(head: &RequestHead) -> Result<&str, Problem> {
    let key = head.field(SESSION_KEY_FIELD).map(str::trim).filter(|key| !key.is_empty());
    key.ok_or_else(missing_session_key)
}

/// The answer to a request without a session key.
pub fn missing_session_key() -> Problem {
    Problem::new(
        Status::UNAUTHORIZED,
        format!(
            "A session key is needed; get one from POST /api/desk/init and send it as \
             {SESSION_KEY_FIELD}."
        ),
    )
    .with("WWW-Authenticate", SESSION_KEY_FIELD)
}

/// The answer to a session key that is not one, for a reason given as a clause.
pub fn bad_session_key(why: impl std::fmt::Display) -> Problem {
    Problem::new(
        Status::UNAUTHORIZED,
        format!("The session key cannot be read: {why}; get one from POST /api/desk/init."),
    )
    .coded("key_void")
    .with("WWW-Authenticate", SESSION_KEY_FIELD)
}

/// The label that a user chose (`R-User-ID`).
///
/// # Errors
/// 400 if there is none, or it is not 1 to 64 visible ASCII characters.
pub fn user_label(head: &RequestHead) -> Result<&str, Problem> {
    let wrong = |what: &str| {
        Err(Problem::new(
            Status::BAD_REQUEST,
            format!(
                "The header field {USER_FIELD} {what}; send a label of 1 to \
                 {USER_LABEL_CHARS_MAX} visible ASCII characters."
            ),
        ))
    };
    let mut values = head.values(USER_FIELD);
    let Some(label) = values.next() else { return wrong("is missing") };
    if values.next().is_some() {
        return wrong("is given twice");
    }
    if label.is_empty() {
        return wrong("is empty");
    }
    if label.len() > USER_LABEL_CHARS_MAX {
        return wrong("is too long");
    }
    match std::str::from_utf8(label) {
        Ok(label) if label.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(label),
        _ => wrong("has a character that is not visible ASCII"),
    }
}

/// Checks that a body is declared as JSON. `init` demands it: a foreign page
/// can send other types without asking first, and this one it cannot.
///
/// # Errors
/// 415.
pub fn require_json(head: &RequestHead) -> Result<(), Problem> {
    match head.content_type().as_deref() {
        Some("application/json") => Ok(()),
        _ => Err(unsupported_type("application/json")),
    }
}

/// What the body of a submit is declared as; JSON if nothing is said.
///
/// # Errors
/// 415 for anything else.
pub fn submit_body(head: &RequestHead) -> Result<SubmitBody, Problem> {
    match head.content_type().as_deref() {
        None | Some("application/json") => Ok(SubmitBody::Json),
        Some(FRAMES) => Ok(SubmitBody::Frame),
        Some(_) => Err(unsupported_type("application/json, or application/octet-stream")),
    }
}

/// Checks that a body is declared as frames, or as nothing.
///
/// # Errors
/// 415 for anything else.
pub fn require_frames(head: &RequestHead) -> Result<(), Problem> {
    match head.content_type().as_deref() {
        None | Some(FRAMES) => Ok(()),
        Some(_) => Err(unsupported_type(FRAMES)),
    }
}

/// What the type of an import's body suggests of its kind, which its content
/// tells. The types are those that browsers and spreadsheets give such files; a
/// browser that does not know the ending says `application/octet-stream` or
/// nothing.
///
/// # Errors
/// 415 for pictures, forms and other types that no board has.
pub fn import_hint(head: &RequestHead) -> Result<Option<Kind>, Problem> {
    let Some(declared) = head.content_type() else { return Ok(None) };
    let is_board = declared.starts_with("text/")
        || declared.ends_with("+json")
        || matches!(
            declared.as_str(),
            "application/json"
                | "application/csv"
                | "application/vnd.ms-excel"
                | "application/octet-stream"
        );
    if !is_board {
        return Err(unsupported_type(
            "application/json, text/csv, text/markdown, text/html, text/plain or \
             application/octet-stream",
        ));
    }
    Ok(Kind::suggested(&declared))
}

fn unsupported_type(expected: &str) -> Problem {
    Problem::new(
        Status::UNSUPPORTED_MEDIA_TYPE,
        format!("The body's type is not one of this address; send Content-Type: {expected}."),
    )
}

/// The answer to a link that no desk has.
pub fn no_such_desk() -> Problem {
    Problem::new(
        Status::NOT_FOUND,
        "There is no desk at this link: it may be mistyped, or the desk was deleted; ask for the \
         current link.",
    )
    .coded("no_desk")
}

fn link(id: &str) -> Result<LinkId, Problem> {
    id.parse().map_err(|why| no_link(&why))
}

/// The answer to what is no link.
pub fn no_link(why: &ParseIdError) -> Problem {
    let detail = format!("This is no link to a desk: {why}. Check it, or ask for a new one.");
    Problem::new(Status::NOT_FOUND, detail).coded("no_desk")
}

fn unknown_address(path: &str) -> Problem {
    let shown: String = path.chars().take(80).collect();
    Problem::new(
        Status::NOT_FOUND,
        format!("There is nothing at {shown}; the page is at /, the interface below /api/desk."),
    )
}

/// GET, or HEAD, which is answered like it.
fn get(head: &RequestHead) -> Result<(), Problem> {
    allow(head, &[Method::Get, Method::Head]).map(|_| ())
}

fn allow(head: &RequestHead, methods: &[Method]) -> Result<Method, Problem> {
    if methods.contains(&head.method()) {
        return Ok(head.method());
    }
    let names: Vec<_> = methods.iter().map(|method| method.name()).collect();
    let names = names.join(", ");
    let detail = format!("{} does not do this; use {names}.", head.path());
    Err(Problem::new(Status::METHOD_NOT_ALLOWED, detail).with("Allow", names))
}
