//! The connection to the nats-servers.

use async_nats::{Client, ConnectErrorKind, ConnectOptions};

use crate::limits::{CONNECT_TIME, PING_TIME};
use crate::settings::{Settings, StartError};

/// Connects to the first server that answers.
///
/// # Errors
/// None answers, or they refuse this node's user.
pub(crate) async fn connect(settings: &Settings) -> Result<Client, StartError> {
    if settings.servers.is_empty() {
        let why = "--cluster names no nats-server; name all of them: nats://a,nats://b,nats://c";
        return Err(StartError::Setting(why.to_owned()));
    }
    let mut options = ConnectOptions::new()
        .name(format!("sticker-desk {}", settings.node))
        .connection_timeout(CONNECT_TIME)
        .ping_interval(PING_TIME)
        .retain_servers_order()
        .request_timeout(None);
    if let Some(path) = &settings.credentials {
        options = options.credentials_file(path).await.map_err(|error| {
            let path = path.display();
            StartError::Setting(format!("cannot use the credentials in {path}: {error}"))
        })?;
    }
    if let Some(path) = &settings.authority {
        options = options.add_root_certificates(path.clone());
    }
    options.connect(&settings.servers).await.map_err(|error| {
        let why = error.to_string();
        match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                StartError::Refused(why)
            }
            _ => StartError::Unreachable { servers: shown(&settings.servers), why },
        }
    })
}

/// The addresses without names and passwords.
fn shown(servers: &[String]) -> String {
    let shown = servers.iter().map(|server| match server.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            format!("{scheme}://{host}")
        }
        None => server.rsplit_once('@').map_or(server.as_str(), |(_, host)| host).to_owned(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        let servers = ["nats://desk:se@cret@a:4222", "tls://b:4222", "u:p@c"].map(str::to_owned);
        assert_eq!(shown(&servers), "nats://a:4222, tls://b:4222, c");
    }
}
