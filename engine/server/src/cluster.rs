//! This machine in its cluster: what its shards share of it.
//!
//! [`desk_nats`] runs on a thread of its own and tells of units. Each event waits in the
//! inbox of the unit's shard, whose bell is rung. Shards speak to the thread through its
//! handle, and wait for nothing.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use desk_engine_core::{UNITS, unit};
use desk_gateway_http::route::is_same_origin;
use desk_nats::limits::SILENCE_MAX;
use desk_nats::{Event, Handle, NodeView, QueueCounts, QueueLine, SessionKey, Settings};
use desk_nats::{UnitId, View};
use desk_protocol::{LinkId, Time};

use crate::config::{Cluster as Chosen, Config};
use crate::keys::{self, KeyError};
use crate::queue::Doorbell;

/// The cluster as this machine sees it.
pub(crate) struct Cluster {
    pub(crate) handle: Handle,
    inboxes: Arc<Inboxes>,
    /// How this machine is reached, without a slash at the end.
    pub(crate) advertise: String,
}

/// Why this machine is not in its cluster.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    /// It could not join.
    #[error(transparent)]
    Start(#[from] desk_nats::StartError),
    /// The key of the cluster cannot be kept.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

/// What the shards have not heard of yet.
#[derive(Default)]
struct Inboxes {
    shards: Vec<Inbox>,
    bells: OnceLock<Arc<[Doorbell]>>,
}

/// A shard's.
#[derive(Default)]
struct Inbox {
    events: Mutex<VecDeque<Event>>,
    /// How often a unit became suspect.
    doubts: AtomicU64,
}

impl Inboxes {
    /// Takes an event, on the cluster's thread.
    fn take(&self, event: Event) {
        let unit = match &event {
            Event::Records { unit, .. }
            | Event::States { unit, .. }
            | Event::Show { unit, .. }
            | Event::Owned { unit, .. }
            | Event::Acknowledged { unit, .. }
            | Event::Deposed { unit, .. }
            | Event::Unwritable { unit, .. }
            | Event::Writable { unit }
            | Event::Suspect { unit }
            | Event::Trusted { unit }
            | Event::Quarantine { unit, .. }
            | Event::Asked { unit, .. } => *unit,
            // To the shard that has asked.
            Event::Kept { ticket } | Event::Told { ticket, .. } => {
                // The shard that asks stands in a request's upper bits.
                let shard = (*ticket >> 48) as usize;
                return self.put(shard, event);
            }
            Event::Members => return,
            Event::Notice(what) => return tracing::warn!("{what}"),
            Event::Failed(why) => {
                crate::failure::die(&format!("the cluster cannot be used any more: {why}"));
            }
        };
        // As `Placement` does, because the shards divide the units.
        let shard = usize::from(unit.number()) % self.shards.len();
        let inbox = &self.shards[shard];
        if let Event::Suspect { .. } = event {
            inbox.doubts.fetch_add(1, Ordering::Release);
        }
        self.put(shard, event);
    }

    fn put(&self, shard: usize, event: Event) {
        let events = &self.shards[shard].events;
        events.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
        if let Some(bells) = self.bells.get() {
            bells[shard].ring();
        }
    }
}

impl Cluster {
    /// Joins the cluster, and keeps its key in the data folder in place of this
    /// machine's own. Call it under the folder's lock.
    ///
    /// # Errors
    /// [`ClusterError`], in one line.
    pub(crate) fn join(
        chosen: &Chosen,
        config: &Config,
        quic: Option<String>,
        lane_bytes_max: u64,
    ) -> Result<Self, ClusterError> {
        let shards = (0..config.shards).map(|_| Inbox::default()).collect();
        let inboxes = Arc::new(Inboxes { shards, bells: OnceLock::new() });
        let settings = Settings {
            servers: chosen.servers.clone(),
            credentials: chosen.credentials.clone(),
            authority: chosen.ca.clone(),
            node: chosen.node.clone(),
            advertise: chosen.advertise.clone(),
            quic,
            desk_ttl_s: seconds(config.desk_ttl),
            bucket_s: seconds(config.bucket),
            session_key: SessionKey(keys::session_secret(&config.data)?),
            seed: keys::random()?,
            lane_bytes_max,
        };
        let events = Arc::clone(&inboxes);
        let (handle, joined) = desk_nats::start(settings, move |event| events.take(event))?;
        keys::adopt(&config.data, &joined.session_key.0)?;
        Ok(Self { handle, inboxes, advertise: chosen.advertise.clone() })
    }

    /// The shards listen from now on.
    pub(crate) fn listen(&self, bells: Arc<[Doorbell]>) {
        // It is called once; what came before is found by the first turn.
        bells.iter().for_each(Doorbell::ring);
        let _ = self.inboxes.bells.set(bells);
    }

    /// What a shard has not heard of yet.
    pub(crate) fn events(&self, shard: usize) -> VecDeque<Event> {
        let inbox = &self.inboxes.shards[shard].events;
        std::mem::take(&mut *inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether another machine may have a shard's units by now, as far as can be told
    /// without the cluster's thread: it has not run for long, or has told of a doubt that the
    /// shard has not followed. `followed`: how many of these doubts it has.
    pub(crate) fn is_doubtful(&self, shard: usize, followed: u64) -> bool {
        // In this order: the thread tells of its doubts before it is heard again.
        self.handle.silence() >= SILENCE_MAX
            || self.inboxes.shards[shard].doubts.load(Ordering::Acquire) != followed
    }

    /// Who is there, and who owns what.
    pub(crate) fn view(&self) -> Arc<View> {
        self.handle.members()
    }

    /// Where a link's desk is served, if that is another machine.
    pub(crate) fn elsewhere(&self, link: LinkId) -> Option<String> {
        let view = self.view();
        let unit = UnitId::new(unit(link)).expect("links have known units");
        let owner = view.owner(unit).filter(|_| !view.is_own(unit))?;
        Some(owner.advertise.clone())
    }

    /// Where a desk can be made, if not here: with the machine that has the fewest
    /// sessions.
    pub(crate) fn has_room(&self) -> Option<String> {
        let view = self.view();
        let best = view.others().min_by_key(|(_, node)| node.sessions);
        best.map(|(_, node)| node.advertise.clone())
    }

    /// Where a new desk belongs, if another machine has much less to do than this one.
    pub(crate) fn lighter(&self) -> Option<String> {
        self.view().lighter().map(|node| node.advertise.clone())
    }

    /// The addresses of all machines, those that live first.
    pub(crate) fn nodes(&self) -> Vec<String> {
        let view = self.view();
        let mut nodes: Vec<&NodeView> = view.nodes.iter().collect();
        nodes.sort_by_key(|node| !node.is_living);
        nodes.into_iter().map(|node| node.advertise.clone()).collect()
    }

    /// Whether pages of that origin are of a machine of the cluster.
    pub(crate) fn has_origin(&self, origin: &str) -> bool {
        self.view().nodes.iter().any(|node| is_same_origin(&node.advertise, origin))
    }

    /// The requests of this machine to others, and those to the units that it serves, for
    /// the operator.
    pub(crate) fn queue(&self, now: Time) -> String {
        let view = self.handle.queue();
        let mut text = String::from("request    from    unit    what    age    state\n");
        for line in &view.lines {
            let QueueLine { id, sender, unit, what, made_at, stage } = line;
            let age = now.since(*made_at).as_secs();
            // A String takes all that is written to it.
            let _ =
                writeln!(text, "{id:016x}    {sender}    {unit}    {what}    {age} s    {stage}");
        }
        let QueueCounts { stored, acknowledged, refused, given_up, begun } = view.counts;
        let _ = writeln!(
            text,
            "\nsince the start: {stored} stored, {acknowledged} acknowledged, {refused} refused, \
             {given_up} given up; {begun} begun for others"
        );
        text
    }

    /// The machines and who serves which units, for the operator.
    pub(crate) fn status(&self) -> String {
        let view = self.view();
        let mut text = String::from("machine    address    living    sessions    units\n");
        for (place, node) in view.nodes.iter().enumerate() {
            let units = view.owners.iter().flatten().filter(|(owner, _)| *owner == place).count();
            let living = if node.is_living { "yes" } else { "no" };
            let NodeView { name, advertise, sessions, .. } = node;
            // A String takes all that is written to it.
            let _ = writeln!(text, "{name}    {advertise}    {living}    {sessions}    {units}");
        }
        let handed = view.lightened;
        let this = view.nodes.get(view.this).map_or("this machine", |node| &node.name);
        let _ = writeln!(text, "\n{this} has handed {handed} units to machines with less to do");
        text.push_str("\nunit    machine    epoch    sessions\n");
        for (unit, owner) in view.owners.iter().enumerate() {
            let owner = owner.and_then(|(place, epoch)| Some((view.nodes.get(place)?, epoch)));
            let _ = match owner {
                Some((node, epoch)) => {
                    // Of the units of others only they know.
                    let sessions = view.sessions.get(unit).filter(|_| node.name == this);
                    let sessions = sessions.map_or("-".to_owned(), u32::to_string);
                    writeln!(text, "{unit}    {}    {epoch}    {sessions}", node.name)
                }
                None => writeln!(text, "{unit}    nobody    -    -"),
            };
        }
        text
    }
}

const _: () = assert!(UNITS == desk_nats::UNITS);

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
