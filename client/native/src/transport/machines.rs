//! The machines of a cluster: a line is opened to the one that has the desk, and found
//! again at another when that one is gone.

use std::sync::{Mutex, MutexGuard, PoisonError};

use desk_client_core::Trouble;
use desk_protocol::LinkId;
use tokio::time::{sleep, timeout};

use super::race::{Carriers, Race};
use super::{LineEnd, Transport};
use crate::address::Server;
use crate::api::{Api, Joined};
use crate::limits::{NODE_TIME, SEEK_PAUSE, SEEK_TIME};
use crate::trust::Trust;

/// Opens lines to whichever server has the desk.
pub(crate) struct Machines {
    carriers: Carriers,
    link: LinkId,
    trust: Trust,
    known: Mutex<Known>,
}

/// What was learnt last.
struct Known {
    /// To the server that had the desk.
    race: Race,
    /// The server that had the desk.
    server: Option<Server>,
    /// All servers of its cluster; empty: it is alone.
    nodes: Vec<Server>,
    /// A line has ended since.
    is_doubtful: bool,
}

impl Machines {
    /// For a desk that was joined.
    pub(crate) fn joined(carriers: Carriers, joined: &Joined, trust: &Trust) -> Self {
        let race = race(carriers, joined, trust);
        let (server, nodes) = (Some(joined.server.clone()), joined.nodes.clone());
        let known = Known { race, server, nodes, is_doubtful: false };
        Self { carriers, link: joined.link.id, trust: trust.clone(), known: Mutex::new(known) }
    }

    /// For a desk that an earlier run joined, at `websocket`.
    pub(crate) fn new(
        carriers: Carriers,
        api: &Api,
        link: LinkId,
        websocket: Option<&str>,
        trust: &Trust,
    ) -> Self {
        let race = Race::new(carriers, api, link, websocket, trust);
        let known = Known { race, server: None, nodes: Vec::new(), is_doubtful: false };
        Self { carriers, link, trust: trust.clone(), known: Mutex::new(known) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks again and again who has the desk: it may be between two machines.
    async fn seek(&self, session_key: &str) -> Race {
        loop {
            if let Some(race) = self.find(session_key).await {
                return race;
            }
            sleep(SEEK_PAUSE).await;
        }
    }

    /// Asks one server after the other who has the desk, first the one that had it: it
    /// knows who took it.
    async fn find(&self, session_key: &str) -> Option<Race> {
        let (last, nodes) = {
            let known = self.known();
            (known.server.clone(), known.nodes.clone())
        };
        let others = nodes.into_iter().filter(|node| Some(node) != last.as_ref());
        let others: Vec<_> = others.collect();
        for node in last.clone().into_iter().chain(others) {
            let api = Api::new(node, &self.trust);
            let asked = timeout(NODE_TIME, api.join(self.link, Some(session_key), false));
            let Ok(Ok(joined)) = asked.await else { continue };
            let race = race(self.carriers, &joined, &self.trust);
            let mut known = self.known();
            (known.race, known.server) = (race.clone(), Some(joined.server));
            known.is_doubtful = false;
            if !joined.nodes.is_empty() {
                known.nodes = joined.nodes;
            }
            return Some(race);
        }
        None
    }
}

fn race(carriers: Carriers, joined: &Joined, trust: &Trust) -> Race {
    let api = Api::new(joined.server.clone(), trust);
    Race::joined(carriers, &api, joined, trust)
}

impl Transport for Machines {
    type Line = <Race as Transport>::Line;

    async fn connect(&self, session_key: String) -> Result<Self::Line, LineEnd> {
        let (race, is_alone, is_doubtful) = {
            let known = self.known();
            (known.race.clone(), known.nodes.is_empty(), known.is_doubtful)
        };
        if is_alone {
            return race.connect(session_key).await;
        }
        if is_doubtful {
            return match timeout(SEEK_TIME, self.seek(&session_key)).await {
                Ok(race) => race.connect(session_key).await,
                Err(_) => Err(super::lost("no machine has the desk now")),
            };
        }
        let end = match timeout(NODE_TIME, race.connect(session_key.clone())).await {
            Ok(Ok(line)) => return Ok(line),
            Ok(Err(end)) => end,
            Err(_) => super::lost("the machine does not answer"),
        };
        if matches!(end.trouble, Trouble::Server(code) if !code.reconnect()) {
            return Err(end);
        }
        match self.find(&session_key).await {
            Some(race) => race.connect(session_key).await,
            None => Err(end),
        }
    }

    fn proven(&self) {
        self.known().race.proven();
    }

    fn ended(&self) {
        self.known().is_doubtful = true;
    }
}
