//! Leading requests to the machine of the cluster that has the desk, and letting pages of
//! one machine ask the others.

use desk_gateway_http::Problem;
use desk_gateway_http::http::{Method, RequestHead, Response, Status};
use desk_gateway_http::route::USER_FIELD;
use desk_gateway_http::websocket::handshake::SESSION_KEY_FIELD;
use desk_protocol::LinkId;
use desk_protocol::frame::CloseCode;

use crate::cluster::Cluster;
use crate::limits::{MOVED_RETRY_S, PREFLIGHT_S};
use crate::shared::Shared;

/// What a request was for that this machine does not serve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Elsewhere {
    /// The desk of a link.
    Desk(LinkId),
    /// A new desk.
    New,
}

/// The answer to a request for a desk of another machine: the same request there, or, while
/// the desk is between two machines, a moment later.
pub(super) fn lead(cluster: &Cluster, head: &RequestHead, to: Elsewhere) -> Response {
    let node = match to {
        Elsewhere::Desk(link) => cluster.elsewhere(link),
        Elsewhere::New => cluster.has_room(),
    };
    match node {
        Some(node) => lead_to(&node, head),
        None => {
            let detail = "The desk moves from one machine to another; ask again in a moment.";
            Problem::new(Status::SERVICE_UNAVAILABLE, detail)
                .coded(CloseCode::Moved.as_str())
                .retry_after(MOVED_RETRY_S)
                .to_response()
        }
    }
}

/// The same request at another machine.
pub(super) fn lead_to(node: &str, head: &RequestHead) -> Response {
    let query = head.query().map(|query| format!("?{query}")).unwrap_or_default();
    Response::new(Status::TEMPORARY_REDIRECT)
        .with("Location", format!("{node}{}{query}", head.path()))
        .with("Cache-Control", "no-store")
}

/// The origin of a page of another machine of the cluster, if one asks.
pub(super) fn page_of_cluster(shared: &Shared, head: &RequestHead) -> Option<String> {
    let origin = head.field("origin")?;
    shared.is_of_cluster(origin).then(|| origin.to_owned())
}

/// Whether a browser asks if a page may ask, and the answer.
pub(super) fn preflight(head: &RequestHead) -> Option<Response> {
    let asks =
        head.method() == Method::Options && head.field("access-control-request-method").is_some();
    asks.then(|| {
        Response::new(Status::OK)
            .with("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE")
            .with(
                "Access-Control-Allow-Headers",
                format!("Content-Type, Accept, {SESSION_KEY_FIELD}, {USER_FIELD}"),
            )
            .with("Access-Control-Max-Age", PREFLIGHT_S.to_string())
    })
}

/// Lets a page of another machine read an answer.
pub(super) fn readable_by(origin: String, response: Response) -> Response {
    response
        .with("Access-Control-Allow-Origin", origin)
        .with("Access-Control-Expose-Headers", format!("Date, Retry-After, {SESSION_KEY_FIELD}"))
        .with("Vary", "Origin")
}

/// Where pages may connect beside their own machine: the others, and their QUIC.
pub(super) fn connect_sources(cluster: &Cluster) -> String {
    let mut sources = String::new();
    for node in &cluster.view().nodes {
        let websocket = node.advertise.replacen("http", "ws", 1);
        sources.push_str(&format!(" {} {websocket}", node.advertise));
        if let Some(quic) = &node.quic {
            sources.push_str(&format!(" https://{quic}"));
        }
    }
    sources
}
