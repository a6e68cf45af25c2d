//! The thread that the client runs on.

use std::sync::{Arc, PoisonError, RwLock, mpsc};

use async_nats::Client;
use desk_cluster::{Event, Layout, Myself, Node, QueueView, View};
use tokio::sync::mpsc::unbounded_channel;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::clock::{Clock, Pulse};
use crate::connection::connect;
use crate::handle::Handle;
use crate::leaders::put_back;
use crate::run::{Ears, Run, Views};
use crate::settings::{Joined, Settings, StartError};
use crate::streams::{Agreed, ensure};

/// Joins the cluster, and waits until that is done. `tell` is called on the cluster's
/// thread with all that happens from then on; it must not wait.
///
/// # Errors
/// The node cannot join; the error is one line that says what to do.
pub fn start(
    settings: Settings,
    tell: impl FnMut(Event) + Send + 'static,
) -> Result<(Handle, Joined), StartError> {
    settings.check()?;
    let (calls, called) = unbounded_channel();
    let (joined, wait) = mpsc::channel();
    let view = Arc::new(RwLock::new(Arc::new(View::default())));
    let queue = Arc::new(RwLock::new(Arc::new(QueueView::default())));
    let pulse = Arc::new(Pulse::start());
    let views = (Arc::clone(&view), Arc::clone(&queue));
    let handle = Handle { calls, view, queue, pulse: Arc::clone(&pulse) };
    let run = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(joined.send(Err(StartError::Thread(error)))),
        };
        runtime.block_on(async {
            match join(&settings).await {
                Err(error) => drop(joined.send(Err(error))),
                Ok((client, (inbox, ears), agreed)) => {
                    let layout = agreed.layout;
                    let run = run(client, &settings, layout, views, tell, inbox);
                    let view = run.view();
                    let session_key = agreed.session_key;
                    drop(joined.send(Ok(Joined { session_key, view })));
                    run.serve(ears, called, &pulse).await;
                }
            }
        });
    };
    let thread = std::thread::Builder::new().name("cluster".to_owned());
    drop(thread.spawn(run).map_err(StartError::Thread)?);
    let gone = || StartError::Unfit("the cluster's thread has ended".to_owned());
    let joined = wait.recv().map_err(|_| gone())??;
    Ok((handle, joined))
}

/// Connects, checks, and listens.
async fn join(settings: &Settings) -> Result<(Client, (String, Ears), Agreed), StartError> {
    let client = connect(settings).await?;
    let agreed = ensure(&client, settings).await?;
    put_back(client.clone(), agreed.layout.clone()).await;
    let inbox = client.new_inbox();
    let ears = Ears::open(&client, &inbox, &settings.node).await;
    let ears = ears.map_err(|error| StartError::Unfit(format!("cannot listen: {error}")))?;
    Ok((client, (inbox, ears), agreed))
}

fn run<T: FnMut(Event)>(
    client: Client,
    settings: &Settings,
    layout: Layout,
    (view, queue): Views,
    tell: T,
    inbox: String,
) -> Run<T> {
    let clock = Clock::start();
    let seed = |which: u64| xxh3_64_with_seed(&settings.seed, which);
    let myself = Myself {
        name: settings.node.clone(),
        advertise: settings.advertise.clone(),
        quic: settings.quic.clone().unwrap_or_default(),
        home: client.server_info().server_name,
        instance: seed(0),
    };
    let node = Node::new(clock.now(), myself, layout.clone(), seed(1));
    *view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(node.view().clone());
    Run::new(client, clock, node, (settings.node.clone(), layout), inbox, (view, queue), tell)
}
