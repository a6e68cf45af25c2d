//! The tasks of connections.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use futures_lite::FutureExt as _;

use super::Shell;

/// Runs a connection's task, then `end`.
///
/// A panic in it ends that connection only, with a log line and a count: what
/// it holds is its own. A panic inside the core or the store is another
/// matter, see [`Shell`]'s guard.
pub(crate) fn spawn(
    shell: &Rc<Shell>,
    task: impl Future<Output = ()> + 'static,
    end: impl FnOnce() + 'static,
) {
    let shell = Rc::clone(shell);
    glommio::spawn_local(async move {
        if AssertUnwindSafe(task).catch_unwind().await.is_err() {
            shell.metrics().connection_panics.add(1);
            tracing::error!(shard = shell.index, "a defect ended a connection's task");
        }
        end();
    })
    .detach();
}
