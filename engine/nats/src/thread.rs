//! The thread that the client runs on.

use std::sync::{Arc, RwLock, mpsc};

use desk_cluster::{Event, View};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::connection::connect;
use crate::handle::{Call, Handle};
use crate::settings::{Joined, Settings, StartError};

/// Joins the cluster, and waits until that is done. `tell` is called on the cluster's
/// thread with all that happens from then on; it must not wait.
///
/// # Errors
/// The node cannot join; the error is one line that says what to do.
pub fn start(
    settings: Settings,
    tell: impl FnMut(Event) + Send + 'static,
) -> Result<(Handle, Joined), StartError> {
    let (calls, called) = unbounded_channel();
    let (joined, wait) = mpsc::channel();
    let view = Arc::new(RwLock::new(Arc::new(View::default())));
    let handle = Handle { calls, view };
    let run = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(joined.send(Err(StartError::Thread(error)))),
        };
        runtime.block_on(async {
            match join(&settings).await {
                Ok(answer) => {
                    drop(joined.send(Ok(answer)));
                    serve(called, tell).await;
                }
                Err(error) => drop(joined.send(Err(error))),
            }
        });
    };
    let thread = std::thread::Builder::new().name("cluster".to_owned());
    drop(thread.spawn(run).map_err(StartError::Thread)?);
    let gone = || StartError::Unfit("the cluster's thread has ended".to_owned());
    let joined = wait.recv().map_err(|_| gone())??;
    Ok((handle, joined))
}

async fn join(settings: &Settings) -> Result<Joined, StartError> {
    let _client = connect(settings).await?;
    Ok(Joined { session_key: settings.session_key.clone(), view: Arc::new(View::default()) })
}

/// No unit is owned, so nothing that is appended is acknowledged.
async fn serve(mut called: UnboundedReceiver<Call>, mut tell: impl FnMut(Event)) {
    while let Some(call) = called.recv().await {
        match call {
            Call::Stop => return,
            Call::Append { unit, epoch, records, ticket } => {
                tracing::debug!(%unit, records = records.len(), ticket, "not the owner");
                tell(Event::Deposed { unit, epoch });
            }
            Call::Take { unit } => tracing::debug!(%unit, "no lanes to take"),
            Call::Absorbed { unit, epoch } => tracing::debug!(%unit, %epoch, "not the owner"),
            Call::Release { unit, to } => tracing::debug!(%unit, to, "not the owner"),
            Call::Sessions(sessions) => tracing::trace!(sessions, "nobody to tell"),
        }
    }
}
