//! What only the operator may ask: metrics, readiness, takedown.
//!
//! Takedown is `DELETE /admin/desk/LINK` at the admin address; without
//! `--admin` at the listen address, for peers on this machine only.

use std::net::IpAddr;

use desk_engine_core::{Reply, Request};
use desk_gateway_http::Problem;
use desk_gateway_http::bodies::{link_in, removed_answer};
use desk_gateway_http::http::{Body, Method, RequestHead, Response, Status};
use desk_gateway_http::route::no_link;

use super::connection::{Gone, Http};
use super::{Door, answers};
use crate::log::LinkHash;
use crate::metrics;

const TAKEDOWN: &str = "/admin/desk/";

/// Whether the path is one of the operator's.
pub(super) fn is_takedown(head: &RequestHead) -> bool {
    head.path().starts_with(TAKEDOWN)
}

/// Removes a desk, whoever owns it.
pub(super) async fn take_down(http: &mut Http, head: &RequestHead) -> Result<(), Gone> {
    let id = head.path().strip_prefix(TAKEDOWN).unwrap_or_default();
    match allowed(http, head).and_then(|()| link_in(id).map_err(|why| no_link(&why))) {
        Err(problem) => http.refuse(&problem),
        Ok(link) => {
            tracing::warn!(desk = %LinkHash(link), peer = %http.peer, "takedown");
            match http.ask(Request::Remove { link }).await? {
                Reply::Deleted => http.respond(&removed_answer()),
                Reply::Failed(error) => http.refuse(&answers::problem(&error)),
                _ => http.refuse(&answers::defect()),
            }
        }
    }
    Ok(())
}

fn allowed(http: &Http, head: &RequestHead) -> Result<(), Problem> {
    let own_door = http.shell.shared.config.admin.is_some();
    let near = is_near(http.peer.ip()) && head.field("x-forwarded-for").is_none();
    if http.door == Door::Admin || (!own_door && near) {
        if head.method() == Method::Delete {
            return Ok(());
        }
        let problem = Problem::new(Status::METHOD_NOT_ALLOWED, "Use DELETE to take a desk down.");
        return Err(problem.with("Allow", "DELETE"));
    }
    Err(Problem::new(
        Status::NOT_FOUND,
        "Takedown is at the server's admin address; without --admin, at its listen address for \
         this machine only.",
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
    let text = metrics::render(&http.shell.shared.metrics);
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

fn plain(status: Status, text: &'static str) -> Response {
    Response::content(status, "text/plain; charset=utf-8", Body::Static(text.as_bytes()))
        .with("Cache-Control", "no-store")
}
