//! What only the operator may ask: metrics, readiness, takedown.
//!
//! Takedown is `DELETE /admin/desk/LINK`. The looks at a cluster are `GET /admin/cluster` and
//! `GET /admin/queue`. All are at the admin address; without `--admin` at the listen address, for peers on this
//! machine only.

use std::net::IpAddr;

use desk_engine_core::{Reply, Request};
use desk_gateway_http::Problem;
use desk_gateway_http::bodies::{link_in, removed_answer};
use desk_gateway_http::http::{Body, Method, RequestHead, Response, Status};
use desk_gateway_http::route::no_link;

use super::carried::Carried;
use super::connection::{Gone, Http};
use super::{Door, answers};
use crate::log::LinkHash;
use crate::metrics;

const TAKEDOWN: &str = "/admin/desk/";
const CLUSTER: &str = "/admin/cluster";
const QUEUE: &str = "/admin/queue";

/// Whether the path is one of the operator's.
pub(super) fn is_operators(head: &RequestHead) -> bool {
    head.path().starts_with(TAKEDOWN) || matches!(head.path(), CLUSTER | QUEUE)
}

/// Serves a path of the operator's.
pub(super) async fn serve(http: &mut Http, head: &RequestHead) -> Result<(), Gone> {
    if head.path().starts_with(TAKEDOWN) {
        return take_down(http, head).await;
    }
    match (allowed(http, head, Method::Get), &http.shell.shared.cluster) {
        (Err(problem), _) => http.refuse(&problem),
        (Ok(()), None) => {
            let detail = "This server is alone: it was started without --cluster.";
            http.refuse(&Problem::new(Status::NOT_FOUND, detail));
        }
        (Ok(()), Some(cluster)) => {
            let now = http.now();
            let told = if head.path() == QUEUE { cluster.queue(now) } else { cluster.status() };
            let body = Body::Owned(told.into_bytes());
            http.respond(&text(Status::OK, body));
        }
    }
    Ok(())
}

/// Removes a desk, whoever owns it.
async fn take_down(http: &mut Http, head: &RequestHead) -> Result<(), Gone> {
    let id = head.path().strip_prefix(TAKEDOWN).unwrap_or_default();
    match allowed(http, head, Method::Delete)
        .and_then(|()| link_in(id).map_err(|why| no_link(&why)))
    {
        Err(problem) => http.refuse(&problem),
        Ok(link) => {
            tracing::warn!(desk = %LinkHash(link), peer = %http.peer, "takedown");
            match http.ask_owner(Request::Remove { link }).await? {
                Carried::Reply(Reply::Deleted) => http.respond(&removed_answer()),
                Carried::Reply(Reply::Failed(error)) => http.refuse(&answers::problem(&error)),
                Carried::Reply(_) => http.refuse(&answers::defect()),
                Carried::Refused(response) => http.respond(&response),
            }
        }
    }
    Ok(())
}

fn allowed(http: &Http, head: &RequestHead, method: Method) -> Result<(), Problem> {
    let own_door = http.shell.shared.config.admin.is_some();
    let near = is_near(http.peer.ip()) && head.field("x-forwarded-for").is_none();
    if http.door == Door::Admin || (!own_door && near) {
        if head.method() == method {
            return Ok(());
        }
        let (use_it, allow) = match method {
            Method::Delete => ("Use DELETE to take a desk down.", "DELETE"),
            _ => ("Use GET to look at the cluster.", "GET"),
        };
        let problem = Problem::new(Status::METHOD_NOT_ALLOWED, use_it);
        return Err(problem.with("Allow", allow));
    }
    Err(Problem::new(
        Status::NOT_FOUND,
        "What is the operator's is at the server's admin address; without --admin, at its listen \
         address for this machine only.",
    ))
}

fn is_near(peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback()
}

/// Metrics as Prometheus text. With an admin address they are served there only.
pub(super) fn metrics(http: &mut Http) {
    if http.door != Door::Admin && http.shell.shared.config.admin.is_some() {
        let detail = "Metrics are at the server's admin address.";
        return http.refuse(&Problem::new(Status::NOT_FOUND, detail));
    }
    let shared = &http.shell.shared;
    let mut text = metrics::render(&shared.metrics, &shared.beside);
    if let Some(cluster) = &shared.cluster {
        metrics::render_cluster(&cluster.handle.queue(), &cluster.view(), &mut text);
    }
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    let body = Body::Owned(text.into_bytes());
    http.respond(
        &Response::content(Status::OK, content_type, body).with("Cache-Control", "no-store"),
    );
}

/// Liveness: an answer shows that this executor runs.
pub(super) fn health(http: &mut Http) {
    http.respond(&plain(Status::OK, "ok\n"));
}

/// Readiness: desks are served, and changes are taken.
pub(super) fn ready(http: &mut Http) {
    let response = match http.shell.shared.unready(http.now()) {
        None => plain(Status::OK, "ready\n"),
        Some(why) => Problem::new(Status::SERVICE_UNAVAILABLE, why).retry_after(2).to_response(),
    };
    http.respond(&response);
}

fn plain(status: Status, words: &'static str) -> Response {
    text(status, Body::Static(words.as_bytes()))
}

fn text(status: Status, body: Body) -> Response {
    Response::content(status, "text/plain; charset=utf-8", body).with("Cache-Control", "no-store")
}
