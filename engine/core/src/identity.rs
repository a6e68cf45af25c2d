//! Session keys: who may do what on which desk, without a table.

use std::fmt;
use std::str::FromStr;

use desk_protocol::frame::Role;
use desk_protocol::id::ParseIdError;
use desk_protocol::{ClientId, ClientSeq, LinkId, StickerId};

/// What a client shows to be let in: `DESK-CLIENT-MAC`, three groups of
/// Crockford base32.
///
/// The MAC covers the link, the client, the role and the desk's key epoch, so
/// any owner of the desk can check a key, before and after a restart, and a new
/// epoch voids all keys at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// The link that the client joined by.
    pub link: LinkId,
    /// The client.
    pub client: ClientId,
    mac: Mac,
}

/// Written like an id: 26 digits.
type Mac = ClientId;

/// Why a text is not a session key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseKeyError {
    /// There are not three groups.
    #[error("a session key has three groups joined by hyphens")]
    Groups,
    /// A group cannot be read.
    #[error("group {group} of the session key: {reason}")]
    Group {
        /// Which, from 1.
        group: u8,
        /// What is wrong.
        reason: ParseIdError,
    },
}

impl FromStr for SessionKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let mut groups = text.split('-');
        let (Some(link), Some(client), Some(mac), None) =
            (groups.next(), groups.next(), groups.next(), groups.next())
        else {
            return Err(ParseKeyError::Groups);
        };
        let at = |group| move |reason| ParseKeyError::Group { group, reason };
        Ok(Self {
            link: link.parse().map_err(at(1))?,
            client: client.parse().map_err(at(2))?,
            mac: mac.parse().map_err(at(3))?,
        })
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.link, self.client, self.mac)
    }
}

impl fmt::Debug for SessionKey {
    /// Keys do not end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

/// The server's secret, and what is made with it. All shards share one.
#[derive(Clone)]
pub struct Keyring {
    secret: [u8; 32],
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(…)")
    }
}

impl Keyring {
    /// From 32 random bytes, kept in the data folder.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// The key of a client that joined by `link` as `role` in this epoch.
    pub fn issue(&self, link: LinkId, client: ClientId, role: Role, epoch: u32) -> SessionKey {
        SessionKey { link, client, mac: self.mac(link, client, role, epoch) }
    }

    /// Whether this server issued the key for that role in that epoch.
    pub fn verify(&self, key: &SessionKey, role: Role, epoch: u32) -> bool {
        let expected = self.mac(key.link, key.client, role, epoch);
        // As whole numbers: the time must not show where the two differ.
        expected.0 ^ key.mac.0 == 0
    }

    /// The id of a sticker that is left to the server: of the creation at this place
    /// of this batch. It cannot be guessed, and a batch that comes again has it too.
    pub fn sticker(&self, desk: LinkId, client: ClientId, seq: ClientSeq, at: u32) -> StickerId {
        let mut message = [0u8; 44];
        message[..16].copy_from_slice(&desk.to_bytes());
        message[16..32].copy_from_slice(&client.to_bytes());
        message[32..40].copy_from_slice(&seq.0.to_le_bytes());
        message[40..].copy_from_slice(&at.to_le_bytes());
        // Messages of session keys have another length.
        let hash = blake3::keyed_hash(&self.secret, &message);
        StickerId(u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("32 bytes")))
    }

    /// BLAKE3 in keyed mode, cut to 128 bits.
    fn mac(&self, link: LinkId, client: ClientId, role: Role, epoch: u32) -> Mac {
        let mut message = [0u8; 37];
        message[..16].copy_from_slice(&link.to_bytes());
        message[16..32].copy_from_slice(&client.to_bytes());
        message[32] = match role {
            Role::Viewer => 0,
            Role::Editor => 1,
            Role::Owner => 2,
        };
        message[33..].copy_from_slice(&epoch.to_le_bytes());
        let hash = blake3::keyed_hash(&self.secret, &message);
        let half: [u8; 16] = hash.as_bytes()[..16].try_into().expect("a hash has 32 bytes");
        Mac::from_bytes(half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_good_for_its_own_link_role_and_epoch_only() {
        let keyring = Keyring::new([7; 32]);
        let (link, client) = (LinkId::new(1_700_000_000, 5), ClientId(9));
        let key = keyring.issue(link, client, Role::Editor, 3);
        let read: SessionKey = key.to_string().parse().unwrap();
        assert_eq!(key.to_string().len(), 80);
        assert!(keyring.verify(&read, Role::Editor, 3));
        assert!(!keyring.verify(&read, Role::Owner, 3));
        assert!(!keyring.verify(&read, Role::Editor, 4));
        assert!(!Keyring::new([8; 32]).verify(&read, Role::Editor, 3));
        let other = SessionKey { client: ClientId(10), ..read };
        assert!(!keyring.verify(&other, Role::Editor, 3));
    }

    #[test]
    fn a_bad_key_says_which_group() {
        assert_eq!("a-b".parse::<SessionKey>(), Err(ParseKeyError::Groups));
        let bad = format!("{}-x-y", LinkId(1));
        assert!(matches!(bad.parse::<SessionKey>(), Err(ParseKeyError::Group { group: 2, .. })));
    }
}
