//! The connection to the nats-servers.

use async_nats::{Client, ConnectErrorKind, ConnectOptions};
use tokio::time::Instant;

use crate::limits::{CONNECT_TIME, PING_TIME, REACH_TIME, START_PAUSE};
use crate::settings::{Settings, StartError};

/// Connects to the first server that answers. Servers that start together with this
/// node are waited for.
///
/// # Errors
/// None answers, or they refuse this node's user.
pub(crate) async fn connect(settings: &Settings) -> Result<Client, StartError> {
    if settings.servers.is_empty() {
        let why = "--cluster names no nats-server; name all of them: nats://a,nats://b,nats://c";
        return Err(StartError::Setting(why.to_owned()));
    }
    let begun = Instant::now();
    loop {
        let error = match options(settings).await?.connect(&settings.servers).await {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        let why = error.to_string();
        let kind = error.kind();
        if matches!(
            kind,
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication
        ) {
            return Err(StartError::Refused(why));
        }
        if kind == ConnectErrorKind::ServerParse || begun.elapsed() > REACH_TIME {
            return Err(StartError::Unreachable { servers: shown(&settings.servers), why });
        }
        tokio::time::sleep(START_PAUSE).await;
    }
}

async fn options(settings: &Settings) -> Result<ConnectOptions, StartError> {
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
    // The client does not look for a user in an address.
    if let Some((user, password)) = settings.servers.iter().find_map(|server| user(server)) {
        options = options.user_and_password(user, password);
    }
    if let Some(path) = &settings.authority {
        options = options.add_root_certificates(path.clone());
    }
    Ok(options)
}

/// Name and password in an address.
fn user(server: &str) -> Option<(String, String)> {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let (user, _) = rest.rsplit_once('@')?;
    let (name, password) = user.split_once(':')?;
    Some((decoded(name), decoded(password)))
}

/// A text with `%` and two digits for what an address cannot have.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
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
    fn a_user_is_read_from_an_address() {
        let of = |server: &str| user(server);
        let is = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        assert_eq!(of("nats://desk:se%40c%3Aret@a:4222"), is("desk", "se@c:ret"));
        assert_eq!(of("desk:100%@a"), is("desk", "100%"));
        assert_eq!((of("nats://a:4222"), of("nats://token@a")), (None, None));
    }

    #[test]
    fn no_password_is_shown() {
        let servers = ["nats://desk:se@cret@a:4222", "tls://b:4222", "u:p@c"].map(str::to_owned);
        assert_eq!(shown(&servers), "nats://a:4222, tls://b:4222, c");
    }
}
