//! Requests.

use std::sync::Arc;
use std::time::Duration;

use desk_protocol::frame::{CloseCode, Role, Submit};
use desk_protocol::{
    ClientId, ClientSeq, CollisionStatus, LinkId, Operation, Revision, StickerId, Time,
};

use super::Shard;
use super::desks::polled;
use super::free_place::lay_beside;
use crate::admission::Source;
use crate::collaboration::{Connection, Poll};
use crate::collisions::{Arrival, Notes, Ordered};
use crate::identity::SessionKey;
use crate::journal::Entry;
use crate::limits::POLLS_PER_CLIENT_MAX;
use crate::management::{Content, Hot, Imported, Submitted};
use crate::members::created;
use crate::names::{LogPosition, RequestId};
use crate::output::Output;
use crate::record::{Alias, DeskRecord, StoredRecord};
use crate::service::{
    Deleted, Joined, NOBODY_NEW, Polled, Reply, Request, ServiceError, UNSTORABLE,
};

/// What a poll asks for.
struct Wanted {
    since: Revision,
    wait_seconds: u32,
    frames: bool,
}

/// Notes of a file as they were sent.
struct Sent {
    user: String,
    resend: Option<u64>,
    laid_at: Option<Revision>,
    operations: Vec<Operation>,
}

/// A request's end: its answer, or why not.
type Served = Result<Reply, ServiceError>;

impl Shard {
    /// Serves a request whose desk is in memory.
    pub(super) fn serve(&mut self, now: Time, desk: LinkId, request: RequestId, body: Request) {
        let served = match body {
            Request::Create { .. } => unreachable!("a creation waits for no desk"),
            Request::Join { link, old_key, content, source } => {
                self.join(now, desk, link, old_key, content, source)
            }
            Request::Attach { key } => self.attach(desk, &key),
            Request::Sync { key, user, submit, base_texts } => {
                self.sync(now, desk, &key, &user, submit, &base_texts)
            }
            Request::Poll { key, since, wait_seconds, frames } => {
                let wanted = Wanted { since, wait_seconds, frames };
                match self.poll(now, desk, request, key, wanted) {
                    Some(served) => served,
                    None => return,
                }
            }
            Request::Finish { key, diff } => self.finish(now, desk, &key, diff),
            Request::Link { key, desk: path, role, rotate } => {
                self.link(now, desk, &key, path, role, rotate)
            }
            Request::Delete { key, desk: path } => {
                let allowed = self.allow(desk, &key, path, Role::Owner, "delete the desk");
                allowed.and_then(|()| self.delete(now, desk))
            }
            Request::MayImport { key, desk: path } => {
                let allowed = self.allow(desk, &key, path, Role::Editor, "import");
                allowed.map(|()| Reply::Allowed)
            }
            Request::MayOwn { key, desk: path } => {
                let allowed = self.allow(desk, &key, path, Role::Owner, "manage the desk");
                allowed.map(|()| Reply::Allowed)
            }
            Request::Import { key, desk: path, user, resend, laid_at, operations } => {
                let allowed = self.allow(desk, &key, path, Role::Editor, "import");
                let notes = Sent { user, resend, laid_at, operations };
                allowed.and_then(|()| self.add_notes(now, desk, key.client, notes))
            }
            Request::Export { link, deleted } => self.export(desk, link, deleted),
            Request::Remove { link: _ } => self.delete(now, desk),
        };
        let position = self.reply_position(desk);
        match served {
            Ok(reply) => self.env.reply(position, request, reply),
            Err(why) => self.env.fail(position, request, why),
        }
    }

    /// A deleted desk's answer waits for all that was appended.
    fn reply_position(&self, desk: LinkId) -> LogPosition {
        match self.desks.get(&desk).map(|slot| &slot.content) {
            Some(Content::Hot(hot)) => hot.position,
            _ => self.env.gate.appended(),
        }
    }

    pub(super) fn create(&mut self, now: Time, request: RequestId, title: String, content: bool) {
        if self.env.units.as_ref().is_some_and(|units| !units.any_takes()) {
            return self.env.fail(LogPosition(0), request, ServiceError::Moved);
        }
        let may = self.may_write(None).and_then(|()| self.env.has_room_for_keys());
        let may = may.and_then(|()| if content { self.env.has_room_for_copies() } else { Ok(()) });
        if let Err(why) = may.and_then(|()| self.check_title(&title)) {
            return self.env.fail(LogPosition(0), request, why);
        }
        let Ok(second) = u32::try_from(now.unix_seconds()) else {
            let why = ServiceError::Unavailable("the clock is out of range");
            return self.env.fail(LogPosition(0), request, why);
        };
        // The expiry comes from the bucket's stamp; changing `--desk-ttl` does not
        // alter it.
        let Some(expires_at) = self.env.lifetimes.expires_at(second) else {
            let why = ServiceError::Unavailable("no time is set aside for new desks yet");
            return self.env.fail(LogPosition(0), request, why);
        };
        let (placement, index) = (self.env.config.placement, self.env.config.index);
        let units = &self.env.units;
        let takes = |link| units.as_ref().is_none_or(|units| units.takes(link));
        let fits = |link| placement.shard(link) == index && takes(link);
        let key = self.env.entropy.desk(second, fits);
        let owner = self.env.entropy.alias(key);
        let expires = Time::from_unix_seconds(expires_at);
        self.add_alias(owner, key, expires);
        let entry = Entry::Created { expires_at, owner, title: title.clone() };
        let record = DeskRecord::new(key, owner, expires_at, title);
        let limits = Arc::clone(&self.env.config.limits);
        let mut hot = Hot::new(record, 0, limits, &self.env.old_copies, now);
        hot.position = self.env.gate.append(key, 1, expires, entry.encode());
        let client = self.env.entropy.client();
        let author = hot.join(&mut self.env.gate, client).expect("a new desk has room");
        let content = content.then(|| hot.snapshot(Role::Owner)).transpose();
        let joined = Joined {
            content: content.expect("there is room for copies"),
            key: self.env.keyring.issue(owner, client, Role::Owner, hot.record.key_epoch),
            link: key,
            owner_link: Some(owner),
            resumed: false,
            role: Role::Owner,
            author,
            revision: hot.record.desk.revision(),
            expires_at,
        };
        let position = hot.position;
        self.env.stats.desks_created += 1;
        self.warm(now, key, hot);
        self.env.reply(position, request, Reply::Joined(Box::new(joined)));
    }

    /// Makes a further link durable, and known to the store.
    fn add_alias(&mut self, alias: LinkId, desk: LinkId, expires_at: Time) {
        let record = Alias { desk };
        let entry = Entry::Alias(record).encode();
        let position = self.env.gate.append(alias, 1, expires_at, entry);
        let record = Box::new(StoredRecord::Alias(record));
        self.env.gate.after(position, Output::Store { key: alias, sequence: 1, record });
        self.know_link(alias, desk);
    }

    fn check_title(&self, title: &str) -> Result<(), ServiceError> {
        let chars = title.chars().count();
        let most = self.env.config.limits.order.desk.title_chars;
        if chars <= most {
            return Ok(());
        }
        let detail = format!("name: the title has {chars} characters, at most {most}");
        Err(ServiceError::Rejected { operation: 0, detail })
    }

    /// Whether a desk takes changes, or, for a new one, the shard.
    fn may_write(&self, desk: Option<LinkId>) -> Result<(), ServiceError> {
        if desk.map_or(self.env.writable, |desk| self.env.takes(desk)) {
            return Ok(());
        }
        Err(ServiceError::Unavailable("the server cannot store changes, reading goes on"))
    }

    /// Whether a desk takes changes.
    fn may_grow(&mut self, now: Time, desk: LinkId) -> Result<(), ServiceError> {
        if self.hot(desk).is_unstorable(now) {
            return Err(ServiceError::Unavailable(UNSTORABLE));
        }
        Ok(())
    }

    fn hot(&mut self, desk: LinkId) -> &mut Hot {
        let slot = self.desks.get_mut(&desk).expect("a task runs on a desk in memory");
        slot.hot().expect("a task runs on a desk in memory")
    }

    fn join(
        &mut self,
        now: Time,
        desk: LinkId,
        link: LinkId,
        old_key: Option<SessionKey>,
        content: bool,
        source: Option<Source>,
    ) -> Served {
        let keyring = self.env.keyring.clone();
        let hot = self.hot(desk);
        let role = hot.record.links.role(link).ok_or(ServiceError::LinkReplaced)?;
        let old = old_key.and_then(|key| {
            let role = hot.authorize(&keyring, &key).ok()?;
            Some((key, role))
        });
        let known = old.map(|(key, _)| key.client);
        let (role, bound) = match old {
            Some((key, had)) if had > role => (had, key.link),
            _ => (role, link),
        };
        if known.is_none_or(|client| self.hot(desk).record.members.get(client).is_none()) {
            if !self.env.takes(desk) {
                return Err(ServiceError::Unavailable(NOBODY_NEW));
            }
            self.may_grow(now, desk)?;
            if role > Role::Viewer {
                self.hot(desk).has_place()?;
            }
            if let Some(source) = source {
                let taken = self.newcomers.take(now, (source, desk, role));
                let what = "people came new to this desk";
                taken.map_err(|wait| ServiceError::TooOften { what, wait })?;
            }
        }
        let client = known.unwrap_or_else(|| self.env.entropy.client());
        let slot = self.desks.get_mut(&desk).expect("a task runs on a desk in memory");
        slot.room.active_at = now;
        let Content::Hot(hot) = &mut slot.content else {
            unreachable!("a task runs on a desk in memory")
        };
        let content = content.then(|| hot.snapshot(role)).transpose()?;
        let author = hot.join(&mut self.env.gate, client)?;
        Ok(Reply::Joined(Box::new(Joined {
            content,
            key: keyring.issue(bound, client, role, hot.record.key_epoch),
            link,
            owner_link: None,
            resumed: known.is_some(),
            role,
            author,
            revision: hot.record.desk.revision(),
            expires_at: hot.record.expires_at,
        })))
    }

    fn attach(&mut self, desk: LinkId, key: &SessionKey) -> Served {
        let keyring = self.env.keyring.clone();
        // Whether the desk is full its hello is told, by a code that a page can read.
        self.hot(desk).authorize(&keyring, key)?;
        Ok(Reply::Allowed)
    }

    /// Checks a key against a role and the desk that the path names.
    fn allow(
        &mut self,
        desk: LinkId,
        key: &SessionKey,
        path: LinkId,
        least: Role,
        action: &'static str,
    ) -> Result<(), ServiceError> {
        let keyring = self.env.keyring.clone();
        let hot = self.hot(desk);
        hot.authorize(&keyring, key)?;
        if hot.record.links.role(path).is_none() {
            return Err(ServiceError::OtherDesk);
        }
        hot.authorize_as(&keyring, key, least, action)
    }

    fn sync(
        &mut self,
        now: Time,
        desk: LinkId,
        key: &SessionKey,
        user: &str,
        submit: Submit,
        base_texts: &[(StickerId, String)],
    ) -> Served {
        let keyring = self.env.keyring.clone();
        self.hot(desk).authorize_as(&keyring, key, Role::Editor, "change the desk")?;
        self.may_write(Some(desk))?;
        self.may_grow(now, desk)?;
        self.place(now, desk, key.client, user, submit, base_texts)
    }

    /// Orders a batch that came by request.
    fn place(
        &mut self,
        now: Time,
        desk: LinkId,
        client: ClientId,
        user: &str,
        mut submit: Submit,
        base_texts: &[(StickerId, String)],
    ) -> Served {
        let found = submit.client_seq;
        self.name_stickers(desk, client, found, &mut submit.operations);
        let Content::Hot(hot) =
            &mut self.desks.get_mut(&desk).expect("a task runs on a desk in memory").content
        else {
            unreachable!("a task runs on a desk in memory")
        };
        hot.let_change(&mut self.env.gate, client, None)?;
        let base = submit.base;
        let arrival = Arrival { client, user, submit, base_texts };
        let submitted = self.order(now, desk, arrival).expect("a task runs on a desk in memory");
        match submitted {
            Submitted::Accepted(news, created) => Ok(Reply::Synced {
                status: news.editors.commit.status,
                revision: news.editors.commit.revision,
                created,
            }),
            Submitted::Not(ordered) => Err(match ordered {
                Ordered::Duplicate(result) => return first_answer(result),
                Ordered::Rejected { operation, detail, .. } => {
                    ServiceError::Rejected { operation, detail }
                }
                Ordered::Old { newest } => ServiceError::OldSequence { found, newest },
                Ordered::Gap { expected } => ServiceError::SequenceGap { found, expected },
                Ordered::BaseAhead { head } => ServiceError::BaseAhead { found: base, head },
                Ordered::Stale(sticker) => ServiceError::NeedsBaseText(sticker),
                Ordered::Accepted { .. } => unreachable!("accepted batches come as such"),
            }),
        }
    }

    /// Creations whose id is left to the server get one: the same one each time that
    /// a batch comes, so that the answer to a resend need not be kept.
    fn name_stickers(
        &mut self,
        desk: LinkId,
        client: ClientId,
        seq: ClientSeq,
        operations: &mut [Operation],
    ) {
        for (at, operation) in operations.iter_mut().enumerate() {
            if let Operation::Create(create) = operation
                && create.id == StickerId(0)
            {
                create.id = self.env.keyring.sticker(desk, client, seq, at as u32);
            }
        }
    }

    fn poll(
        &mut self,
        now: Time,
        desk: LinkId,
        request: RequestId,
        key: SessionKey,
        wanted: Wanted,
    ) -> Option<Served> {
        let Wanted { since, wait_seconds, frames } = wanted;
        let poll_time = self.env.config.limits.poll_time;
        let slot = self.desks.get_mut(&desk).expect("a task runs on a desk in memory");
        let hot = slot.hot().expect("a task runs on a desk in memory");
        let role = match hot.authorize(&self.env.keyring, &key) {
            Ok(role) => role,
            Err(why) => return Some(Err(why)),
        };
        let head = hot.record.desk.revision();
        if since > head {
            return Some(Err(ServiceError::BaseAhead { found: since, head }));
        }
        let wait = Duration::from_secs(u64::from(wait_seconds));
        let wait = wait.min(poll_time);
        let poll = Poll { desk, key, role, since, frames, until: now + wait };
        if since < head || wait_seconds == 0 {
            let polled = polled(hot, &poll);
            if !matches!(polled, Ok(Polled::Commits { .. })) {
                self.count_memory(desk);
            }
            return Some(polled.map(Reply::Polled));
        }
        let slot = self.desks.get_mut(&desk).expect("a task runs on a desk in memory");
        if let Some(oldest) = slot.room.polls.oldest_of(key.client, POLLS_PER_CLIENT_MAX) {
            self.end_poll(oldest);
        }
        let slot = self.desks.get_mut(&desk).expect("a task runs on a desk in memory");
        if slot.room.polls.len() >= self.env.config.limits.polls_per_desk {
            return Some(Err(ServiceError::TooMany("polls wait on this desk")));
        }
        self.env.add_poll(&mut slot.room, request, poll);
        None
    }

    fn finish(
        &mut self,
        now: Time,
        desk: LinkId,
        key: &SessionKey,
        diff: Option<Submit>,
    ) -> Served {
        let keyring = self.env.keyring.clone();
        self.hot(desk).authorize_as(&keyring, key, Role::Owner, "finish the session")?;
        self.may_write(Some(desk))?;
        if let Some(diff) = diff {
            self.place(now, desk, key.client, "", diff, &[])?;
        }
        let slot = self.desks.get_mut(&desk).expect("a task runs on a desk in memory");
        let Content::Hot(hot) = &mut slot.content else {
            unreachable!("a task runs on a desk in memory")
        };
        hot.record.key_epoch += 1;
        hot.append(&mut self.env.gate, Entry::Finished.encode());
        let position = hot.position;
        let detail = "the owner finished the session";
        self.env.close_all(now, position, &mut slot.room, CloseCode::Finished, detail);
        self.env.fail_polls(position, &mut slot.room, &ServiceError::Finished);
        self.evict(now, desk);
        Ok(Reply::Finished)
    }

    fn link(
        &mut self,
        now: Time,
        desk: LinkId,
        key: &SessionKey,
        path: LinkId,
        role: Role,
        rotate: bool,
    ) -> Served {
        self.allow(desk, key, path, Role::Owner, "manage links")?;
        let old = self.hot(desk).record.links.of(role);
        if let (Some(link), false) = (old, rotate) {
            return Ok(Reply::Link { role, link });
        }
        self.may_write(Some(desk))?;
        self.env.has_room_for_keys()?;
        let link = self.env.entropy.alias(desk);
        let expires_at = self.hot(desk).expires_at();
        self.add_alias(link, desk, expires_at);
        let slot = self.desks.get_mut(&desk).expect("a task runs on a desk in memory");
        let Content::Hot(hot) = &mut slot.content else {
            unreachable!("a task runs on a desk in memory")
        };
        match role {
            Role::Viewer => hot.record.links.view = Some(link),
            Role::Editor => hot.record.links.edit = link,
            Role::Owner => hot.record.links.owner = link,
        }
        hot.append(&mut self.env.gate, Entry::Linked { role, link }.encode());
        if let Some(old) = old {
            self.forget_link(old, desk);
            self.close_link(now, desk, old);
        }
        Ok(Reply::Link { role, link })
    }

    /// A link was replaced: who came by it is sent away.
    fn close_link(&mut self, now: Time, desk: LinkId, link: LinkId) {
        let Some(slot) = self.desks.get_mut(&desk) else { return };
        let position = slot.position();
        for request in slot.room.polls.requests() {
            if self.env.polls.get(request).is_some_and(|poll| poll.key.link == link) {
                self.env.take_poll(&mut slot.room, request);
                self.env.fail(position, request, ServiceError::KeyOfReplacedLink);
            }
        }
        let by_link: Vec<_> = slot
            .room
            .connections
            .iter()
            .copied()
            .filter(|id| {
                let session = self.env.connections.get(id).and_then(Connection::session);
                session.is_some_and(|session| session.link == link)
            })
            .collect();
        for id in by_link {
            let why = ServiceError::KeyOfReplacedLink;
            self.end(now, id, why.close_code(), &why.to_string());
        }
    }

    fn delete(&mut self, now: Time, desk: LinkId) -> Served {
        self.may_write(Some(desk))?;
        let hot = self.hot(desk);
        let (aliases, expires_at) = (hot.aliases().collect::<Vec<_>>(), hot.expires_at());
        let sequence = hot.record.sequence + 1;
        for alias in aliases {
            // A link has one record.
            self.env.gate.forget(alias, 2, expires_at);
        }
        let position = self.env.gate.forget(desk, sequence, expires_at);
        self.drop_desk(now, desk, position, CloseCode::Deleted, &ServiceError::NoDesk);
        Ok(Reply::Deleted)
    }

    /// IMPORT-1: adds notes in the name of who imports, beside that client's batches.
    fn add_notes(&mut self, now: Time, desk: LinkId, client: ClientId, sent: Sent) -> Served {
        let Sent { user, resend, laid_at, mut operations } = sent;
        // Numbers of batches are far below these.
        let number = resend.unwrap_or_else(|| self.env.entropy.number());
        let number = ClientSeq(number | 1 << 63);
        self.name_stickers(desk, client, number, &mut operations);
        let hot = self.hot(desk);
        let known = |id: &StickerId| {
            let desk = &hot.record.desk;
            desk.sticker(*id).is_some() || desk.is_purged(*id, desk.revision())
        };
        let ids = created(&operations);
        if resend.is_some() && ids.first().is_some_and(known) {
            let revision = hot.record.desk.revision();
            let created = ids.into_iter().filter(known).collect();
            return Ok(Reply::Synced { status: CollisionStatus::Clean, revision, created });
        }
        if let Some(since) = laid_at {
            lay_beside(&hot.record.desk, since, &mut operations);
        }
        self.may_write(Some(desk))?;
        self.may_grow(now, desk)?;
        let slot = self.desks.get_mut(&desk).expect("a task runs on a desk in memory");
        let hot = slot.hot().expect("a task runs on a desk in memory");
        hot.let_change(&mut self.env.gate, client, None)?;
        let author = hot.join(&mut self.env.gate, client)?;
        let notes = Notes { author, user: &user, operations };
        let Imported { status, revision, created, .. } = self.import(now, desk, notes)?;
        Ok(Reply::Synced { status, revision, created })
    }

    fn export(&mut self, desk: LinkId, link: LinkId, deleted: Option<Deleted>) -> Served {
        let keyring = self.env.keyring.clone();
        let hot = self.hot(desk);
        let mut role = hot.record.links.role(link).ok_or(ServiceError::LinkReplaced)?;
        let Some(Deleted { key }) = deleted else {
            return self.content(desk, Role::Viewer);
        };
        if role == Role::Viewer
            && let Some(key) = key
        {
            role = hot.authorize(&keyring, &key)?;
        }
        if role == Role::Viewer {
            return Err(ServiceError::NotAllowed {
                role,
                action: "export deleted stickers",
                needed: "ask by the edit link, or with an editor's session key",
            });
        }
        self.content(desk, role)
    }

    fn content(&mut self, desk: LinkId, role: Role) -> Served {
        let content = Box::new(self.hot(desk).content(role)?);
        self.count_memory(desk);
        Ok(Reply::Content(content))
    }
}

/// A batch that came twice gets what it got at first.
fn first_answer(result: desk_protocol::frame::BatchResult) -> Served {
    use desk_protocol::frame::Outcome;
    match result.outcome {
        Outcome::Applied { revision, status, created } => {
            Ok(Reply::Synced { status, revision, created })
        }
        Outcome::Rejected { operation, detail } => {
            Err(ServiceError::Rejected { operation, detail })
        }
    }
}
