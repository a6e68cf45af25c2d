//! What is kept of a desk: its content and everything that outlives a session.

use desk_protocol::frame::Role;
use desk_protocol::{Desk, LinkId};

use crate::members::Members;

/// A record of the store.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::large_enum_variant, reason = "whoever holds many of them holds boxes")]
pub enum StoredRecord {
    /// A desk.
    Desk(DeskRecord),
    /// A link that is not its desk's key.
    Alias(Alias),
}

/// A further link to a desk. Its desk says whether the link is still good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alias {
    /// The desk's key.
    pub desk: LinkId,
}

/// A desk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeskRecord {
    /// Its key in the store: the edit link given out at its creation.
    pub key: LinkId,
    /// Journal entries that are in it.
    pub sequence: u64,
    /// When it is gone, in seconds since the Unix epoch. Promised at creation,
    /// never moved.
    pub expires_at: u64,
    /// Grows when all session keys become void.
    pub key_epoch: u32,
    /// The good link of each role.
    pub links: Links,
    /// Its clients.
    pub members: Members,
    /// The content.
    pub desk: Desk,
}

/// The good link of each role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Links {
    /// Lets in editors.
    pub edit: LinkId,
    /// Lets in owners.
    pub owner: LinkId,
    /// Lets in viewers; made on demand.
    pub view: Option<LinkId>,
}

impl Links {
    /// What a link grants; `None` if it is none of the good ones.
    pub fn role(&self, link: LinkId) -> Option<Role> {
        if link == self.edit {
            Some(Role::Editor)
        } else if link == self.owner {
            Some(Role::Owner)
        } else if Some(link) == self.view {
            Some(Role::Viewer)
        } else {
            None
        }
    }

    /// The link of a role, if there is one.
    pub fn of(&self, role: Role) -> Option<LinkId> {
        match role {
            Role::Editor => Some(self.edit),
            Role::Owner => Some(self.owner),
            Role::Viewer => self.view,
        }
    }
}
