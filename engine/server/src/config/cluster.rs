//! The settings of a machine of a cluster.

use std::path::PathBuf;

use desk_engine_core::UNITS;

use super::{ConfigError, Settings};

/// What connects this machine to the others of its cluster.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// Addresses of the nats-servers.
    pub(crate) servers: Vec<String>,
    /// This machine's name.
    pub(crate) node: String,
    /// How it is reached, without a slash at the end.
    pub(crate) advertise: String,
    /// Credentials for the nats-servers.
    pub(crate) credentials: Option<PathBuf>,
    /// Who signed their certificates.
    pub(crate) ca: Option<PathBuf>,
}

impl Cluster {
    /// `None` where the settings name no cluster.
    ///
    /// # Errors
    /// What is missing, or cannot be right.
    pub(crate) fn of(settings: &Settings) -> Result<Option<Self>, ConfigError> {
        let no = |why: String| Err(ConfigError::Impossible(why));
        let servers = settings.cluster.clone();
        let (node, advertise) = (settings.node.clone(), settings.advertise.clone());
        if servers.is_empty() {
            let files = settings.cluster_credentials.is_some() || settings.cluster_ca.is_some();
            if node.is_some() || advertise.is_some() || files {
                return no(
                    "--node, --advertise, --cluster-credentials and --cluster-ca are for a \
                           machine of a cluster: add --cluster, or take them away"
                        .to_owned(),
                );
            }
            return Ok(None);
        }
        for server in &servers {
            if !(server.starts_with("nats://") || server.starts_with("tls://")) {
                return no(format!("--cluster {server}: it must begin with nats:// or tls://"));
            }
        }
        let Some(node) = node else {
            return no(
                "--cluster needs --node NAME: this machine's name, which no other has".to_owned()
            );
        };
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if node.is_empty() || node.len() > NODE_CHARS_MAX || !node.bytes().all(letter) {
            return no(format!(
                "--node {node:?} must have 1 to {NODE_CHARS_MAX} letters, digits or dashes"
            ));
        }
        let Some(advertise) = advertise else {
            return no("--cluster needs --advertise URL: how people and the other machines reach \
                       this one, such as https://a.desk.example.org"
                .to_owned());
        };
        let advertise = advertise.trim_end_matches('/').to_owned();
        let scheme = ["http://", "https://"].into_iter().find(|at| advertise.starts_with(at));
        let host = scheme.map_or("", |scheme| &advertise[scheme.len()..]);
        if host.is_empty() || host.contains(['/', '?', '#']) {
            return no(format!(
                "--advertise {advertise} must be http://HOST[:PORT] or https://HOST[:PORT]"
            ));
        }
        let (credentials, ca) = (settings.cluster_credentials.clone(), settings.cluster_ca.clone());
        Ok(Some(Self { servers, node, advertise, credentials, ca }))
    }
}

/// The longest name of a machine, in characters: subjects and metrics carry it.
const NODE_CHARS_MAX: usize = 32;

/// The most shards for so many cores.
pub(super) const fn shards_for(cores: u16) -> u16 {
    let mut shards = 1;
    while shards * 2 <= cores && shards < UNITS {
        shards *= 2;
    }
    shards
}

/// # Errors
/// A unit would not lie in one shard.
pub(super) fn check_shards(shards: u16) -> Result<(), ConfigError> {
    if UNITS.is_multiple_of(shards) {
        return Ok(());
    }
    let less = shards_for(shards);
    let why = format!(
        "--shards may be 1, 2, 4, 8, 16, 32 or {UNITS} in a cluster, not {shards}: set --shards {less}"
    );
    Err(ConfigError::Impossible(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(cluster: &str, node: &str, advertise: &str) -> Settings {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let cluster = some(cluster).into_iter().collect();
        Settings { cluster, node: some(node), advertise: some(advertise), ..Settings::default() }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let (nats, url) = ("nats://127.0.0.1:4222", "http://127.0.0.1:8081");
        for (cluster, node, advertise, named) in [
            (nats, "", url, "--cluster needs --node"),
            (nats, "a", "", "--cluster needs --advertise"),
            ("", "a", "", "add --cluster"),
            ("", "", url, "add --cluster"),
            ("127.0.0.1:4222", "a", url, "must begin with nats://"),
            (nats, "a b", url, "letters, digits or dashes"),
            (nats, "a", "127.0.0.1:8081", "must be http://HOST"),
            (nats, "a", "http://127.0.0.1/desk", "must be http://HOST"),
        ] {
            let why = Cluster::of(&settings(cluster, node, advertise)).unwrap_err().to_string();
            assert!(why.contains(named), "{why}");
        }
        let cluster = Cluster::of(&settings(nats, "a-1", "http://127.0.0.1:8081/")).unwrap();
        assert_eq!(cluster.unwrap().advertise, url);
        assert!(Cluster::of(&settings("", "", "")).unwrap().is_none());
    }

    #[test]
    fn a_unit_lies_in_one_shard() {
        assert_eq!([1, 2, 3, 7, 64, 200].map(shards_for), [1, 2, 2, 4, 64, 64]);
        assert!(check_shards(4).is_ok());
        let why = check_shards(6).unwrap_err().to_string();
        assert!(why.ends_with("set --shards 4"), "{why}");
    }
}
