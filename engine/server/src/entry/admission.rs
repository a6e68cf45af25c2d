//! Holds an address to how often it may make desks, join them and replace links, and a
//! shard to how many long files it takes in at a time.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::TryLockError;

use desk_engine_core::{Action, ServiceError, Source};
use desk_gateway_http::Problem;
use desk_gateway_http::http::{RequestHead, Status};
use desk_gateway_http::route::client_address;

use super::answers;
use super::connection::Http;
use crate::limits::{LONG_IMPORT_RETRY_S, LONG_IMPORTS_MAX};
use crate::shard::Shell;

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

/// A place among the long files that this shard takes in at a time; free again when
/// dropped.
pub(super) struct ImportPlace(Rc<Shell>);

impl ImportPlace {
    /// Takes a place.
    ///
    /// # Errors
    /// 429 while another long file is taken in.
    pub(super) fn take(shell: &Rc<Shell>) -> Result<Self, Problem> {
        if shell.long_imports.get() == LONG_IMPORTS_MAX {
            let detail = "Another long file is being imported; try again in a few seconds.";
            let problem = Problem::new(Status::TOO_MANY_REQUESTS, detail);
            return Err(problem.retry_after(LONG_IMPORT_RETRY_S));
        }
        shell.long_imports.set(shell.long_imports.get() + 1);
        Ok(Self(Rc::clone(shell)))
    }
}

impl Drop for ImportPlace {
    fn drop(&mut self) {
        self.0.long_imports.set(self.0.long_imports.get() - 1);
    }
}
