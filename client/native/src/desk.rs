//! A desk as a program sees it.

use std::path::PathBuf;
use std::sync::Arc;

use desk_client_core::{Action, Client, Config, Edit, EditError, Event, Line, NewSticker, Status};
use desk_protocol::frame::{Presence, Role};
use desk_protocol::{Author, Desk as Content, Revision, StickerId, Time};
use tokio::sync::{broadcast, watch};

use crate::address::{DeskLink, Server};
use crate::api::Api;
use crate::clock::Clock;
use crate::driver;
use crate::error::{Ended, OpenError, RequestError};
use crate::folder::{Folder, Kept};
use crate::origin::Origin;
use crate::random;
use crate::shared::{Progress, Shared};
use crate::transport::{Carrier, Carriers, Machines};
use crate::trust::Trust;

/// How a desk is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The label shown with commits; up to 64 visible ASCII characters.
    pub user: String,
    /// How the server proves who it is.
    pub trust: Trust,
    /// Which transports may carry the frames.
    pub carriers: Carriers,
    /// Where to keep the client's state: a later run with the same folder goes
    /// on as the same client, even without the network. `None`: nowhere, and
    /// what is not acknowledged when the program ends is lost.
    pub folder: Option<PathBuf>,
    /// Steps that can be undone; 0 turns undo off.
    pub undo_steps: usize,
}

impl Default for Options {
    fn default() -> Self {
        let undo_steps = desk_client_core::limits::UNDO_STEPS_MAX;
        let (trust, carriers) = (Trust::System, Carriers::Auto);
        Self { user: String::new(), trust, carriers, folder: None, undo_steps }
    }
}

/// An open desk. A clone is another handle of the same client; the connection
/// ends with the last one.
///
/// Edits are calls that take effect at once in the view ([`Desk::view`]) and
/// travel in the background; [`Desk::saved`] waits until they are durable. A
/// lost connection comes back by itself.
#[derive(Clone)]
pub struct Desk {
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    /// The view that [`Desk::changed`] last told of.
    seen: u64,
    origin: Arc<Origin>,
    _handle: Arc<Handle>,
}

/// Stops the driver with the last handle.
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().stop = true;
        self.0.wake.notify_one();
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Desk {
    /// Makes a desk at a server (`http://HOST[:PORT]`) and joins it as its owner.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn create(server: &str, title: &str) -> Result<Self, OpenError> {
        Self::create_with(server.parse()?, title, Options::default()).await
    }

    /// [`Desk::create`], with options.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn create_with(
        server: Server,
        title: &str,
        options: Options,
    ) -> Result<Self, OpenError> {
        let folder = match open_folder(&options)? {
            Some((_, Some(kept))) => {
                return Err(folder_error(&options, format!("it keeps {} already", kept.link)));
            }
            Some((folder, None)) => Some(folder),
            None => None,
        };
        let api = Api::new(server, &options.trust);
        let joined = api.create(title, true).await?;
        Self::start(api, joined, options, folder)
    }

    /// Joins a desk by its link (`http://HOST/d/ID`).
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn join(link: &str) -> Result<Self, OpenError> {
        Self::join_with(link.parse()?, Options::default()).await
    }

    /// [`Desk::join`], with options. If the options name a folder that keeps
    /// this desk, it goes on from there, without asking the server first.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn join_with(link: DeskLink, options: Options) -> Result<Self, OpenError> {
        let folder = match open_folder(&options)? {
            Some((folder, Some(kept))) if kept.link.id == link.id => {
                return Self::resume(link, kept, options, folder);
            }
            Some((_, Some(kept))) => {
                return Err(folder_error(&options, format!("it keeps {}", kept.link)));
            }
            Some((folder, None)) => Some(folder),
            None => None,
        };
        let api = Api::new(link.server, &options.trust);
        let joined = api.join(link.id, None, true).await?;
        Self::start(api, joined, options, folder)
    }

    fn start(
        api: Api,
        joined: crate::api::Joined,
        options: Options,
        folder: Option<Folder>,
    ) -> Result<Self, OpenError> {
        let needs_quic = matches!(options.carriers, Carriers::Quic | Carriers::WebTransport);
        if needs_quic && joined.quic.is_none() {
            return Err(OpenError::NoQuic { server: api.server().to_string() });
        }
        let mut client =
            Client::new(config(&options, joined.session_key.clone(), folder.is_some()));
        client.load(&joined.desk)?;
        let websocket = joined.websocket.as_deref();
        let transport = Machines::joined(options.carriers, &joined, &options.trust);
        // Links are at the address that was used: it is known to work from here.
        let link = api.server().desk(joined.link.id);
        if let Some(folder) = &folder {
            folder.belongs_to(&link, websocket);
        }
        let owner_link = joined.owner_link.map(|link| api.server().desk(link.id));
        Ok(Self::run(client, transport, Origin { api, link, owner_link }, folder))
    }

    fn resume(
        link: DeskLink,
        kept: Kept,
        options: Options,
        folder: Folder,
    ) -> Result<Self, OpenError> {
        let config = config(&options, String::new(), true);
        let client = Client::restore(config, &kept.base, &kept.queue).map_err(|error| {
            let folder = options.folder.as_deref().unwrap_or("".as_ref()).display().to_string();
            OpenError::Restore { folder, error }
        })?;
        let websocket = kept.websocket.as_deref();
        let api = Api::new(link.server.clone(), &options.trust);
        let transport = Machines::new(options.carriers, &api, link.id, websocket, &options.trust);
        Ok(Self::run(client, transport, Origin { api, link, owner_link: None }, Some(folder)))
    }

    fn run(client: Client, transport: Machines, origin: Origin, folder: Option<Folder>) -> Self {
        let shared = Arc::new(Shared::new(client, Clock::start()));
        let (origin, transport) = (Arc::new(origin), Arc::new(transport));
        tokio::spawn(driver::run(Arc::clone(&shared), transport, Arc::clone(&origin), folder));
        let progress = shared.progress.subscribe();
        let handle = Arc::new(Handle(Arc::clone(&shared)));
        Self { shared, progress, seen: 0, origin, _handle: handle }
    }

    // ---- edits

    /// One user action of several edits; it applies whole or not at all.
    ///
    /// # Errors
    /// See [`EditError`]; nothing is changed then.
    pub fn act(&self, edits: Vec<Edit>) -> Result<Action, EditError> {
        self.shared.act(|client, now| client.act(now, edits))
    }

    /// Adds a sticker.
    ///
    /// # Errors
    /// See [`EditError`]; nothing is changed then.
    pub fn add(&self, note: NewSticker) -> Result<StickerId, EditError> {
        self.shared.act(|client, now| client.create(now, note))
    }

    /// Replaces a sticker's text; the difference is what travels.
    ///
    /// # Errors
    /// See [`EditError`]; nothing is changed then.
    pub fn replace_text(&self, id: StickerId, text: &str) -> Result<Action, EditError> {
        self.shared.act(|client, now| client.replace_text(now, id, text))
    }

    /// Takes the last action back; `false`: there is none.
    pub fn undo(&self) -> bool {
        self.shared.act(|client, now| client.undo(now))
    }

    /// Does again what was taken back; `false`: there is none.
    pub fn redo(&self) -> bool {
        self.shared.act(|client, now| client.redo(now))
    }

    /// Shows the others a cursor, a caret, a name.
    pub fn set_presence(&self, presence: Presence) {
        self.shared.act(|client, now| client.set_presence(now, presence));
    }

    /// Anything else that the core does; see [`Client`].
    pub fn with<R>(&self, act: impl FnOnce(&mut Client, Time) -> R) -> R {
        self.shared.act(act)
    }

    // ---- waiting

    /// Waits until the view may have changed since the last call.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn changed(&mut self) -> Result<(), Ended> {
        loop {
            let view = self.progress.borrow_and_update().view;
            if view != self.seen {
                self.seen = view;
                return Ok(());
            }
            self.check()?;
            self.turn().await;
        }
    }

    /// Waits until the view is as `wanted` says.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn until(&mut self, wanted: impl Fn(&Content) -> bool) -> Result<(), Ended> {
        self.wait(|client| wanted(client.desk())).await
    }

    /// Waits until all edits made so far, and those made meanwhile, are durable
    /// on the server.
    ///
    /// # Errors
    /// The connection has ended; the edits may not have got there.
    pub async fn saved(&self) -> Result<(), Ended> {
        self.clone().wait(|client| client.pending() == 0).await
    }

    /// Waits until the connection is up to date.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn live(&self) -> Result<(), Ended> {
        self.clone().wait(|client| client.line() == Line::Live).await
    }

    /// Waits until `wanted` holds.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn wait(&mut self, wanted: impl Fn(&Client) -> bool) -> Result<(), Ended> {
        loop {
            self.progress.mark_unchanged();
            if wanted(&self.shared.lock().client) {
                return Ok(());
            }
            self.check()?;
            self.turn().await;
        }
    }

    /// Everything that happens from now on.
    pub fn events(&self) -> Events {
        Events(self.shared.events.subscribe())
    }

    fn check(&self) -> Result<(), Ended> {
        match &self.shared.lock().ended {
            Some(ended) => Err(ended.clone()),
            None => Ok(()),
        }
    }

    async fn turn(&mut self) {
        // The sender lives in `shared`, which this handle holds.
        let _ = self.progress.changed().await;
    }

    // ---- looking

    /// Looks at the desk as it is with one's own changes on top. Be quick: the
    /// connection waits meanwhile.
    pub fn view<R>(&self, look: impl FnOnce(&Content) -> R) -> R {
        look(self.shared.lock().client.desk())
    }

    /// The newest revision that the server has told of.
    pub fn revision(&self) -> Revision {
        self.shared.lock().client.confirmed().revision()
    }

    /// Whether the work is safe.
    pub fn status(&self) -> Status {
        self.shared.lock().client.status()
    }

    /// What carries the frames now; `None` while there is no line.
    pub fn carrier(&self) -> Option<Carrier> {
        self.shared.lock().carrier
    }

    /// One's own number on the desk, once the server told it.
    pub fn author(&self) -> Option<Author> {
        self.shared.lock().client.author()
    }

    /// What one may do here, once the server told it.
    pub fn role(&self) -> Option<Role> {
        self.shared.lock().client.role()
    }

    /// The link that was joined by.
    pub fn link(&self) -> &DeskLink {
        &self.origin.link
    }

    /// The owner's link: for the creator only, in the run that created the desk.
    pub fn owner_link(&self) -> Option<&DeskLink> {
        self.origin.owner_link.as_ref()
    }

    /// The key for requests of [`Api`].
    pub fn session_key(&self) -> String {
        self.shared.lock().client.session_key().to_owned()
    }

    /// The HTTP interface of the desk's server.
    pub fn api(&self) -> &Api {
        &self.origin.api
    }

    /// Why nothing is kept in the folder any more, if so.
    pub fn folder_error(&self) -> Option<String> {
        self.shared.lock().folder_error.clone()
    }

    // ---- ending

    /// Joins again after the connection has ended, as the same client if the
    /// server still knows it. Only at a person's wish: where the server has only forgotten
    /// the key, the desk is joined again by itself.
    ///
    /// # Errors
    /// The server did not let us in.
    pub async fn rejoin(&self) -> Result<(), RequestError> {
        let joined = self.origin.rejoin(&self.session_key()).await?;
        self.shared.rejoined(&joined.session_key, joined.resumed);
        Ok(())
    }

    /// Says goodbye to the server and waits until the connection is closed.
    /// Other handles of this client are of no use from then on. What is not
    /// saved yet is lost, unless a folder keeps it: see [`Desk::saved`].
    pub async fn close(mut self) {
        self.shared.lock().stop = true;
        self.shared.wake.notify_one();
        loop {
            self.progress.mark_unchanged();
            if self.shared.lock().stopped {
                return;
            }
            self.turn().await;
        }
    }
}

/// What happens on a desk, in order.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Event>);

impl Events {
    /// The next event; [`Event::Reset`] also stands for events that were missed
    /// because they were not taken in time.
    pub async fn next(&mut self) -> Event {
        match self.0.recv().await {
            Ok(event) => event,
            Err(broadcast::error::RecvError::Lagged(_)) => Event::Reset,
            // The last handle is gone; nothing happens any more.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

fn config(options: &Options, session_key: String, durable: bool) -> Config {
    let mut config = Config::new(random::seed(), session_key);
    config.user.clone_from(&options.user);
    config.undo_steps = options.undo_steps;
    config.durable = durable;
    config
}

fn open_folder(options: &Options) -> Result<Option<(Folder, Option<Kept>)>, OpenError> {
    let Some(path) = &options.folder else { return Ok(None) };
    Folder::open(path)
        .map(Some)
        .map_err(|error| OpenError::Folder { folder: path.display().to_string(), error })
}

fn folder_error(options: &Options, reason: String) -> OpenError {
    let folder = options.folder.as_deref().unwrap_or("".as_ref()).display().to_string();
    OpenError::Folder { folder, error: std::io::Error::other(reason) }
}
