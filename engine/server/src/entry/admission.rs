//! Holds an address to how often it may make desks, join them and replace links.

use std::net::IpAddr;
use std::sync::TryLockError;

use desk_engine_core::{Action, ServiceError, Source};
use desk_gateway_http::Problem;
use desk_gateway_http::http::RequestHead;
use desk_gateway_http::route::client_address;

use super::answers;
use super::connection::Http;

/// The address whose rate a request counts for. Requests from this machine have none: all
/// may come through a proxy here that `--trusted-proxy` does not name.
pub(super) fn source(http: &Http, head: &RequestHead) -> Option<Source> {
    let address = address(http, head);
    (!address.is_loopback()).then(|| Source::from(address))
}

/// The address that a request came from, as far as the proxies that are trusted tell.
pub(super) fn address(http: &Http, head: &RequestHead) -> IpAddr {
    let proxies = &http.shell.shared.config.trusted_proxy;
    let is_trusted = |address| proxies.iter().any(|proxies| proxies.contains(address));
    client_address(head, http.peer.ip(), is_trusted).to_canonical()
}

/// Lets an address do something, and counts it.
///
/// # Errors
/// 429: how long it has to wait.
pub(super) fn admit(http: &Http, source: Option<Source>, action: Action) -> Result<(), Problem> {
    let Some(source) = source else { return Ok(()) };
    let mut admission = match http.shell.shared.admission.try_lock() {
        Ok(admission) => admission,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Another shard holds the lock. A shard waits for no other, so this request is not
        // counted.
        Err(TryLockError::WouldBlock) => return Ok(()),
    };
    let what = match action {
        Action::Create => "desks were made",
        Action::Join => "people joined",
        Action::Rotate => "links were replaced",
    };
    admission
        .admit(http.now(), source, action)
        .map_err(|wait| answers::problem(&ServiceError::TooOften { what, wait }))
}
