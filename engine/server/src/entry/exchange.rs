//! One request, from its head to its answer.

use std::sync::Arc;
use std::time::Duration;

use desk_engine_core::identity::ParseKeyError;
use desk_engine_core::service::{Deleted, Joined, Polled};
use desk_engine_core::{Action, Reply, Request, ServiceError, SessionKey};
use desk_files::Imported;
use desk_gateway_http::bodies::{
    Collaboration, InitAnswer, InitTarget, finish_answer, links_answer, read_finish, read_init,
    read_links, removed_answer,
};
use desk_gateway_http::http::{RequestHead, Response, Status};
use desk_gateway_http::operations::{import_answer, read_submit, submit_answer};
use desk_gateway_http::route::{self, Export, Import, LinePart, Poll, Route, SubmitBody};
use desk_gateway_http::websocket::handshake::{SESSION_KEY_FIELD, Upgrade};
use desk_gateway_http::{Problem, Time, export, import, page};
use desk_protocol::codec::{self, DecodeError, Decoded};
use desk_protocol::frame::Submit;
use desk_protocol::limits::DeskLimits;
use desk_protocol::{ClientFrame, LinkId, StickerId};

use super::admission;
use super::carried::Carried;
use super::cluster::Elsewhere;
use super::connection::{Gone, Http, host};
use super::{Door, answers, cluster, operator};
use crate::beside::Kind;
use crate::clock;
use crate::cluster::Cluster;
use crate::limits::WRITTEN_AT_ONCE_BYTES;
use crate::quic::Quic;
use crate::shard::{LineAsk, LineQuestion};

/// What becomes of a connection after a request.
pub(super) enum Next {
    /// The next request.
    Request,
    /// It becomes a WebSocket on the shard of its desk.
    Upgrade {
        /// The shard.
        target: usize,
        /// The `101`.
        answer: Vec<u8>,
        /// The key it was opened with.
        key: SessionKey,
    },
}

/// Serves the request whose head is in hand, to its answer.
pub(super) async fn serve(http: &mut Http, head: &RequestHead) -> Result<Next, Gone> {
    let started = clock::instant();
    // A proxy may leave the path of the public URL in front.
    let below = head.below(http.shell.shared.origins.prefix());
    let head = below.as_ref().unwrap_or(head);
    if http.shell.shared.cluster.is_some() {
        let page = cluster::page_of_cluster(&http.shell.shared, head);
        let answer = cluster::preflight(head).filter(|_| page.is_some());
        http.sent_by(page);
        if let Some(answer) = answer {
            http.respond(&answer);
            return Ok(Next::Request);
        }
    }
    let route = match address(http, head) {
        Ok(Some(route)) => route,
        Ok(None) => {
            operator::serve(http, head).await?;
            return Ok(Next::Request);
        }
        Err(response) => {
            http.respond(&response);
            return Ok(Next::Request);
        }
    };
    let waits = matches!(route, Route::Poll(_) | Route::Hear(..));
    let result = match route {
        Route::Init => init(http, head).await?,
        Route::Collaborate => match collaborate(http, head).await? {
            Ok(upgrade) => return Ok(upgrade),
            Err(problem) => Err(problem),
        },
        Route::Submit => submit(http, head).await?,
        Route::Poll(poll) => wait(http, head, poll).await?,
        Route::Say(part) => say(http, head, part).await?,
        Route::Hear(part, wait_s) => hear(http, head, part, wait_s).await?,
        Route::Finish => finish(http, head).await?,
        Route::Links(link) => links(http, head, link).await?,
        Route::Remove(link) => remove(http, head, link).await?,
        Route::Import(wanted) => add_notes(http, head, &wanted).await?,
        Route::Export(wanted) => send_export(http, head, wanted).await?,
        Route::Robots => Ok(Some(page::robots())),
        Route::Page if leads_elsewhere(http, head) => Ok(None),
        Route::Page | Route::Asset => {
            let prefix = http.shell.shared.origins.prefix();
            Ok(Some(page::respond(head, &connect_sources(http, head), prefix)))
        }
        Route::Health => {
            operator::health(http);
            Ok(None)
        }
        Route::Ready => {
            operator::ready(http);
            Ok(None)
        }
        Route::Metrics => {
            operator::metrics(http);
            Ok(None)
        }
    };
    match result {
        Ok(Some(response)) => http.respond(&response),
        Ok(None) => {}
        Err(problem) => match (http.elsewhere.take(), &http.shell.shared.cluster) {
            (Some(to), Some(cluster)) => {
                let answer = cluster::lead(cluster, head, to);
                http.respond(&answer);
            }
            _ => http.refuse(&problem),
        },
    }
    if !waits {
        http.shell.metrics().request_time.record(started.elapsed());
    }
    Ok(Next::Request)
}

/// Leads a person to the machine that has the desk of the link, if it is another one.
fn leads_elsewhere(http: &mut Http, head: &RequestHead) -> bool {
    let Some(cluster) = &http.shell.shared.cluster else { return false };
    let id = head.path().strip_prefix("/d/").unwrap_or_default();
    let Ok(link) = LinkId::leading(id) else { return false };
    if cluster.elsewhere(link).is_none() {
        return false;
    }
    let answer = cluster::lead(cluster, head, Elsewhere::Desk(link));
    http.respond(&answer);
    true
}

/// An answer, or `None` if it was given already; or a problem to answer with.
type Answer = Result<Result<Option<Response>, Problem>, Gone>;

/// Returns a problem to the caller of a function that answers.
macro_rules! attempt {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(problem) => return Ok(Err(problem)),
        }
    };
}

/// Takes the body. If it was refused, and answered so, the caller ends.
macro_rules! body {
    ($http:expr) => {
        match $http.body().await? {
            Some(body) => body,
            None => return Ok(Ok(None)),
        }
    };
}

/// The route of a request; `None` for one of the operator's.
fn address(http: &Http, head: &RequestHead) -> Result<Option<Route>, Response> {
    let refuse = |problem: Problem| answers::refusal(head, &problem);
    if http.door == Door::Redirect {
        return Err(redirect(http, head));
    }
    let checked = http.shell.shared.origins.check_host(head);
    checked.map_err(|problem| refuse(turned_away(http, head, problem)))?;
    if operator::is_operators(head) {
        return Ok(None);
    }
    let route = Route::of(head).map_err(refuse)?;
    let for_all = matches!(route, Route::Health | Route::Ready | Route::Metrics);
    if http.door == Door::Admin && !for_all {
        let detail =
            "This is the admin address: metrics and takedown; desks are at the listen address.";
        return Err(refuse(Problem::new(Status::NOT_FOUND, detail)));
    }
    Ok(Some(route))
}

fn turned_away(http: &Http, head: &RequestHead, problem: Problem) -> Problem {
    http.shell.turned_away(head.host(), head.field("origin"), problem)
}

fn redirect(http: &Http, head: &RequestHead) -> Response {
    let shared = &http.shell.shared;
    let base = shared.config.public_url.clone().unwrap_or_else(|| {
        let host = host(head);
        let name =
            host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        let name = name.map_or(host, |(name, _)| name);
        format!("https://{name}:{}", shared.listen.port())
    });
    if let Err(problem) = shared.origins.check_host(head) {
        return problem.to_response();
    }
    let query = head.query().map(|query| format!("?{query}")).unwrap_or_default();
    Response::new(Status::PERMANENT_REDIRECT)
        .with("Location", format!("{base}{}{query}", head.path()))
}

/// The base URL by which the sender of this request reaches the server.
fn base(http: &Http, head: &RequestHead) -> String {
    let shared = &http.shell.shared;
    if let Some(url) = &shared.config.public_url {
        return url.clone();
    }
    let trusted = shared.config.trusted_proxy.iter().any(|net| net.contains(http.peer.ip()));
    let forwarded = head.field("x-forwarded-proto").filter(|_| trusted);
    let scheme = match forwarded {
        Some("https") => "https",
        _ => shared.config.scheme(),
    };
    format!("{scheme}://{}", host(head))
}

/// The same for this machine alone, where others of its cluster share the public URL.
fn own_base(http: &Http, head: &RequestHead) -> String {
    match &http.shell.shared.cluster {
        Some(cluster) => cluster.advertise.clone(),
        None => base(http, head),
    }
}

/// The same for a WebSocket.
fn websocket_base(http: &Http, head: &RequestHead) -> String {
    // http becomes ws, https becomes wss.
    own_base(http, head).replacen("http", "ws", 1)
}

/// Where the page may connect beside its own address. Older browsers do not take a
/// WebSocket to the page's own host for 'self', and QUIC has a port of its own.
fn connect_sources(http: &Http, head: &RequestHead) -> String {
    // With a path it would name that address alone.
    let base = websocket_base(http, head);
    let authority = base.find("://").map_or(0, |at| at + 3);
    let path = base[authority..].find('/').map_or(base.len(), |at| authority + at);
    let mut sources = base[..path].to_owned();
    if let Some(at) = quic_address(http, head) {
        sources.push_str(&format!(" https://{at}"));
    }
    if let Some(cluster) = &http.shell.shared.cluster {
        sources.push_str(&cluster::connect_sources(cluster));
    }
    sources
}

/// Where QUIC is for who sent this request, `host:port`; `None` if it is not reached.
fn quic_address(http: &Http, head: &RequestHead) -> Option<String> {
    let base = own_base(http, head);
    let authority = base.split_once("://").map_or(&*base, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    http.shell.shared.quic.as_ref()?.reached_from(authority)
}

fn session_key(head: &RequestHead) -> Result<SessionKey, Problem> {
    route::session_key(head)?.parse().map_err(|why: ParseKeyError| route::bad_session_key(why))
}

fn unexpected(reply: Reply) -> Problem {
    match reply {
        Reply::Failed(error) => answers::problem(&error),
        _ => answers::defect(),
    }
}

async fn init(http: &mut Http, head: &RequestHead) -> Answer {
    attempt!(route::require_json(head));
    let body = body!(http);
    let wanted = attempt!(read_init(&body, http.limits().title_chars));
    // With a key that cannot be read the client joins as a new one.
    let old_key = wanted.old_key.and_then(|key| key.parse().ok());
    let content = wanted.content;
    if let (InitTarget::New(_), Some(cluster)) = (&wanted.target, &http.shell.shared.cluster)
        && let Some(node) = cluster.lighter()
    {
        return Ok(Ok(Some(cluster::lead_to(&node, head))));
    }
    let source = admission::source(http, head);
    let (request, action) = match wanted.target {
        InitTarget::New(title) => (Request::Create { title, content }, Action::Create),
        InitTarget::Known(link) => (Request::Join { link, old_key, content, source }, Action::Join),
    };
    attempt!(admission::admit(http, source, action));
    let joined = match http.ask(request).await? {
        Reply::Joined(joined) => joined,
        other => return Ok(Err(unexpected(other))),
    };
    let answer = init_answer(http, head, &joined);
    let Some(content) = &joined.content else { return Ok(Ok(Some(answer.response()))) };
    let bytes = content.frames.iter().map(|frame| frame.len() as u64).sum();
    let (response, mut stream) = answer.streamed(bytes);
    http.respond(&response);
    for frame in &content.frames {
        http.stream_part(stream.push(frame).as_bytes()).await?;
    }
    http.stream_part(stream.finish().as_bytes()).await?;
    http.end_stream();
    Ok(Ok(None))
}

fn init_answer(http: &Http, head: &RequestHead, joined: &Joined) -> InitAnswer {
    let shared = &http.shell.shared;
    let websocket = format!("{}/api/desk/collaboration/init", websocket_base(http, head));
    let at = quic_address(http, head);
    let hashes = shared.quic.as_ref().map(Quic::hashes).unwrap_or_default();
    InitAnswer {
        session_key: joined.key.to_string(),
        link: joined.link,
        link_base: format!("{}/d/", base(http, head)),
        owner_link: joined.owner_link,
        resumed: joined.resumed,
        role: joined.role,
        author: joined.author,
        revision: joined.revision,
        expires_at: Time::from_unix_seconds(joined.expires_at),
        collaboration: Collaboration {
            websocket,
            webtransport: at.as_ref().map(|at| format!("https://{at}{}", route::SESSION_PATH)),
            quic: at,
            certificate_sha256: hashes.first().copied(),
            certificates: hashes,
            shard_hint: shared.placement.shard(joined.link),
        },
        nodes: shared.cluster.as_ref().map(Cluster::nodes).unwrap_or_default(),
    }
}

async fn collaborate(http: &mut Http, head: &RequestHead) -> Result<Result<Next, Problem>, Gone> {
    let checked = http.shell.shared.check_origin(head);
    attempt!(checked.map_err(|problem| turned_away(http, head, problem)));
    let upgrade = attempt!(Upgrade::check(head).map_err(|error| error.problem()));
    let Some(key) = &upgrade.session_key else { return Ok(Err(route::missing_session_key())) };
    let read = key.parse().map_err(|why: ParseKeyError| route::bad_session_key(why));
    let key: SessionKey = attempt!(read);
    let target = usize::from(http.shell.shared.placement.shard(key.link));
    match http.ask(Request::Attach { key }).await? {
        Reply::Allowed => {
            let answer = upgrade.to_bytes(http.now());
            Ok(Ok(Next::Upgrade { target, answer, key }))
        }
        other => Ok(Err(unexpected(other))),
    }
}

async fn submit(http: &mut Http, head: &RequestHead) -> Answer {
    let key = attempt!(session_key(head));
    let user = attempt!(route::user_label(head)).to_owned();
    let kind = attempt!(route::submit_body(head));
    let body = body!(http);
    let (submit, base_texts) = match kind {
        SubmitBody::Frame => (attempt!(submit_frame(&body, http.limits())), Vec::new()),
        SubmitBody::Json => {
            let read = read_submit(&body, &mut unnamed);
            let read = attempt!(read.map_err(|error| error.problem()));
            let (client_seq, base) = (read.client_seq, read.base);
            let operations = read.operations;
            let submit = Submit { client_seq, base, made_at: base, operations };
            (submit, read.base_texts.into_iter().collect())
        }
    };
    match http.ask(Request::Sync { key, user, submit, base_texts }).await? {
        Reply::Synced { status, revision, created } => {
            Ok(Ok(Some(submit_answer(status, revision, &created))))
        }
        other => Ok(Err(unexpected(other))),
    }
}

/// Reads a body that is one submit frame.
fn submit_frame(body: &[u8], limits: &DeskLimits) -> Result<Submit, Problem> {
    let wrong = |what: &str| {
        let detail = format!("The body is not one submit frame: {what}; send one whole frame.");
        Problem::new(Status::BAD_REQUEST, detail)
    };
    match codec::decode_client_within(body, limits.frame_bytes) {
        Ok(Decoded::Frame(length, Some(ClientFrame::Submit(submit)))) if length == body.len() => {
            Ok(submit)
        }
        Ok(Decoded::Frame(length, _)) if length < body.len() => Err(wrong("more follows it")),
        Ok(Decoded::Frame(..)) => Err(wrong("it is another frame")),
        Ok(Decoded::Incomplete) => Err(wrong("its end is missing")),
        Err(error @ DecodeError::TooLong { .. }) => {
            let detail = format!("The body is too large: {error}; split the batch.");
            Err(Problem::new(Status::CONTENT_TOO_LARGE, detail))
        }
        Err(error) => Err(wrong(&error.to_string())),
    }
}

/// The placeholder for the id of a sticker that its sender did not choose. The shard of
/// the desk replaces it.
const fn unnamed() -> StickerId {
    StickerId(0)
}

async fn wait(http: &mut Http, head: &RequestHead, poll: Poll) -> Answer {
    let key = attempt!(session_key(head));
    let wait_seconds = u32::from(poll.wait_s);
    let (since, frames) = (poll.since, poll.frames);
    match http.ask(Request::Poll { key, since, wait_seconds, frames }).await? {
        Reply::Polled(polled) if is_long(&polled) => {
            let write = move || answers::polled(&polled, poll.frames);
            Ok(http.beside(Kind::Poll, write).await?.map(Some))
        }
        Reply::Polled(polled) => Ok(Ok(Some(answers::polled(&polled, poll.frames)))),
        other => Ok(Err(unexpected(other))),
    }
}

/// Whether the answer to a poll takes a shard too long to write.
fn is_long(polled: &Polled) -> bool {
    matches!(polled, Polled::Content(content) if content.desk.bytes() > WRITTEN_AT_ONCE_BYTES)
}

/// Takes a part of the frames of a line over requests. The first part opens the line.
async fn say(http: &mut Http, head: &RequestHead, part: LinePart) -> Answer {
    let key = attempt!(session_key(head));
    attempt!(route::require_frames(head));
    if part.number == 0 {
        // As before an upgrade: who may not connect is told so by a status.
        match http.ask(Request::Attach { key }).await? {
            Reply::Allowed => {}
            other => return Ok(Err(unexpected(other))),
        }
    }
    let bytes = body!(http);
    let what = LineAsk::Say(bytes);
    let source = http.source();
    let question = LineQuestion { key, source, line: part.line, number: part.number, what };
    Ok(answers::line(http.ask_line(question).await?).map(Some))
}

/// Waits for frames of such a line.
async fn hear(http: &mut Http, head: &RequestHead, part: LinePart, wait_s: u8) -> Answer {
    let key = attempt!(session_key(head));
    let wait =
        Duration::from_secs(wait_s.into()).min(http.shell.shared.config.limits.shard.poll_time);
    let what = LineAsk::Hear(wait);
    let source = http.source();
    let question = LineQuestion { key, source, line: part.line, number: part.number, what };
    Ok(answers::line(http.ask_line(question).await?).map(Some))
}

async fn finish(http: &mut Http, head: &RequestHead) -> Answer {
    let text = attempt!(route::session_key(head)).to_owned();
    let key = attempt!(session_key(head));
    attempt!(route::require_json(head));
    let body = body!(http);
    let diff = match attempt!(read_finish(&body)) {
        Some(frame) => Some(attempt!(submit_frame(&frame, http.limits()))),
        None => None,
    };
    match http.ask_owner(Request::Finish { key, diff }).await? {
        Carried::Reply(Reply::Finished) => Ok(Ok(Some(finish_answer(&text)))),
        Carried::Reply(other) => Ok(Err(unexpected(other))),
        Carried::Refused(response) => Ok(Ok(Some(response))),
    }
}

async fn links(http: &mut Http, head: &RequestHead, desk: LinkId) -> Answer {
    let key = attempt!(session_key(head));
    attempt!(route::require_json(head));
    // A sender without the right is refused before the body is read.
    match http.ask(Request::MayOwn { key, desk }).await? {
        Reply::Allowed => {}
        // The owner of the desk refuses it then.
        Reply::Failed(ServiceError::Moved) => http.elsewhere = None,
        other => return Ok(Err(unexpected(other))),
    }
    let body = body!(http);
    let wanted = attempt!(read_links(&body));
    attempt!(admission::admit(http, admission::source(http, head), Action::Rotate));
    let request = Request::Link { key, desk, role: wanted.role, rotate: wanted.rotate };
    match http.ask_owner(request).await? {
        Carried::Reply(Reply::Link { role, link }) => {
            let link_base = format!("{}/d/", base(http, head));
            Ok(Ok(Some(links_answer(role, link, &link_base))))
        }
        Carried::Reply(other) => Ok(Err(unexpected(other))),
        Carried::Refused(response) => Ok(Ok(Some(response))),
    }
}

async fn remove(http: &mut Http, head: &RequestHead, desk: LinkId) -> Answer {
    let key = attempt!(session_key(head));
    match http.ask_owner(Request::Delete { key, desk }).await? {
        Carried::Reply(Reply::Deleted) => Ok(Ok(Some(removed_answer()))),
        Carried::Reply(other) => Ok(Err(unexpected(other))),
        Carried::Refused(response) => Ok(Ok(Some(response))),
    }
}

async fn add_notes(http: &mut Http, head: &RequestHead, wanted: &Import) -> Answer {
    let (key, desk) = (attempt!(session_key(head)), wanted.link);
    let hint = attempt!(route::import_hint(head));
    let resend = attempt!(route::import_number(head));
    // A label is welcome here, but nobody has to have one.
    let user = match head.values(route::USER_FIELD).next() {
        Some(_) => attempt!(route::user_label(head)).to_owned(),
        None => String::new(),
    };
    match http.ask(Request::MayImport { key, desk }).await? {
        Reply::Allowed => {}
        other => return Ok(Err(unexpected(other))),
    }
    let Some(body) = http.file().await? else { return Ok(Ok(None)) };
    // Where there is room is looked up first; the owner sees what has come there since.
    let content = match http.ask(Request::Export { link: desk, deleted: None }).await? {
        Reply::Content(content) => content,
        other => return Ok(Err(unexpected(other))),
    };
    let laid_at = Some(content.desk.revision());
    let (wanted, shared) = (wanted.clone(), Arc::clone(&http.shell.shared));
    let read = move || {
        let limits = &shared.config.limits.shard.order.desk;
        let read = import::read(&wanted, hint, &body, limits);
        drop(body);
        let Imported { board, report } = read.map_err(|error| error.problem())?;
        let creations = import::creations(board, &content.desk, limits, &mut unnamed);
        Ok((creations.map_err(|error| error.problem())?, report))
    };
    let (operations, report) = attempt!(attempt!(http.beside(Kind::File, read).await?));
    match http.ask(Request::Import { key, desk, user, resend, laid_at, operations }).await? {
        Reply::Synced { status, revision, created } => {
            Ok(Ok(Some(import_answer(status, revision, &created, import::told(&report)))))
        }
        other => Ok(Err(unexpected(other))),
    }
}

async fn send_export(http: &mut Http, head: &RequestHead, wanted: Export) -> Answer {
    let deleted = match wanted.deleted {
        false => None,
        true => Some(Deleted {
            key: match head.field(SESSION_KEY_FIELD) {
                None => None,
                Some(_) => Some(attempt!(session_key(head))),
            },
        }),
    };
    match http.ask(Request::Export { link: wanted.link, deleted }).await? {
        Reply::Content(content) => {
            let write = move || {
                export::respond(&answers::exported(&content), wanted.format, wanted.deleted)
            };
            Ok(http.beside(Kind::File, write).await?.map(Some))
        }
        other => Ok(Err(unexpected(other))),
    }
}
