//! What a node says when it joins, and what it is told.

use std::sync::Arc;

use desk_cluster::View;
use desk_cluster::limits::{ADDRESS_BYTES_MAX, NODE_BYTES_MAX};

/// What an operator sets, and who this node is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses of the nats-servers, the nearest first: `nats://host:port`, with
    /// `user:password@` or `tls://` where the servers ask for it.
    pub servers: Vec<String>,
    /// A file with a user's credentials, as nsc writes it.
    pub credentials: Option<std::path::PathBuf>,
    /// A file with the certificate of who signed the servers' certificates.
    pub authority: Option<std::path::PathBuf>,
    /// This node's name: letters, digits and dashes. No two nodes share one.
    pub node: String,
    /// The address that people and programs reach this node at:
    /// `https://a.example.org`, without a path.
    pub advertise: String,
    /// Host and port of this node's QUIC, if it has any.
    pub quic: Option<String>,
    /// How long a desk lives, in seconds. All nodes of a cluster have one value.
    pub desk_ttl_s: u32,
    /// The width of the store's buckets, in seconds. All nodes of a cluster have one
    /// value.
    pub bucket_s: u32,
    /// The key that this node makes session keys with, which becomes the cluster's if
    /// the cluster has none.
    pub session_key: SessionKey,
    /// 32 random bytes: chance of this process.
    pub seed: [u8; 32],
    /// Bytes that each lane's stream may hold, on each of its servers, when it is made; at
    /// least [`crate::limits::LANE_BYTES_MIN`].
    pub lane_bytes_max: u64,
}

impl Settings {
    /// # Errors
    /// The name or an address cannot be right.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let name = &self.node;
        if name.is_empty() || name.len() > NODE_BYTES_MAX || !name.bytes().all(is_letter) {
            return Err(StartError::Setting(format!(
                "--node {name:?} is no name; use letters, digits and dashes, at most \
                 {NODE_BYTES_MAX}"
            )));
        }
        let has_scheme = ["https://", "http://"].iter().any(|s| self.advertise.starts_with(s));
        if !has_scheme
            || self.advertise.len() > ADDRESS_BYTES_MAX
            || self.advertise.matches('/').count() != 2
        {
            return Err(StartError::Setting(format!(
                "--advertise {:?} is no address; give scheme and host, as \
                 https://a.example.org",
                self.advertise
            )));
        }
        if self.quic.as_ref().is_some_and(|quic| quic.len() > ADDRESS_BYTES_MAX) {
            return Err(StartError::Setting("the address of QUIC is too long".to_owned()));
        }
        Ok(())
    }
}

/// What session keys are made with: all nodes of a cluster share it and nobody else
/// knows it. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey(pub [u8; 32]);

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey")
    }
}

/// What a node learns when it has joined.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The cluster's key for session keys. The node uses it in place of its own.
    pub session_key: SessionKey,
    /// Who was there at that moment.
    pub view: Arc<View>,
}

/// Why a node cannot join. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be right.
    #[error("{0}")]
    Setting(String),
    /// No server answers.
    #[error("no nats-server answers at {servers}: {why}; start one, or correct --cluster")]
    Unreachable {
        /// The addresses, without passwords.
        servers: String,
        /// What the client said.
        why: String,
    },
    /// The servers do not let this node in.
    #[error("the nats-servers refuse this node's user: {0}; correct --cluster or the credentials")]
    Refused(String),
    /// The servers cannot carry a cluster as they are.
    #[error("{0}")]
    Unfit(String),
    /// The thread cannot be started.
    #[error("cannot start the cluster's thread: {0}")]
    Thread(std::io::Error),
}
