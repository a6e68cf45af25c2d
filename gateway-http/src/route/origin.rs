//! Which hosts are ours, and which pages may open a connection.
//!
//! A page of another site can make a browser send requests here, and by DNS
//! rebinding even under a name of its own. So `Host` must be a name that only
//! we can have, and an upgrade's `Origin` must be one of ours.

use std::net::{IpAddr, SocketAddr};

use crate::http::{RequestHead, Status};
use crate::problem::Problem;

/// The rules of one server.
#[derive(Clone, Debug)]
pub struct OriginPolicy {
    listen: Vec<SocketAddr>,
    public: Option<Origin>,
    /// The path of the public URL, without a slash at its end.
    prefix: String,
    allowed: Vec<Origin>,
    /// Another name of this server: the one that it has in its cluster.
    alias: Option<Origin>,
}

/// A configured URL is not what it has to be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OriginPolicyError {
    /// Not `http://HOST[:PORT]` or `https://…`.
    #[error("{0:?} is not an origin; expected http://HOST[:PORT] or https://HOST[:PORT]")]
    Origin(String),
    /// Not the same with a path.
    #[error(
        "{0:?} is not a public URL; expected http://HOST[:PORT][/PATH] or \
         https://HOST[:PORT][/PATH], PATH of letters, digits, '-', '.', '_', '~' and '/'"
    )]
    PublicUrl(String),
}

impl OriginPolicy {
    /// The rules of a server that listens on `listen`, is reached from outside
    /// at `public_url`, and trusts the pages of `allow_origins`.
    ///
    /// # Errors
    /// A URL that is not understood.
    pub fn new(
        listen: &[SocketAddr],
        public_url: Option<&str>,
        allow_origins: &[impl AsRef<str>],
    ) -> Result<Self, OriginPolicyError> {
        let parse =
            |url: &str| Origin::parse(url).ok_or_else(|| OriginPolicyError::Origin(url.to_owned()));
        let public = public_url.map(|url| {
            let parsed = split_path(url)
                .and_then(|(origin, prefix)| Some((Origin::parse(origin)?, prefix.to_owned())));
            parsed.ok_or_else(|| OriginPolicyError::PublicUrl(url.to_owned()))
        });
        let (public, prefix) = public.transpose()?.unzip();
        Ok(Self {
            listen: listen.to_vec(),
            public,
            prefix: prefix.unwrap_or_default(),
            allowed: allow_origins
                .iter()
                .map(|url| parse(url.as_ref()))
                .collect::<Result<_, _>>()?,
            alias: None,
        })
    }

    /// The same for a server that is reached at another URL, too.
    ///
    /// # Errors
    /// The URL is not understood.
    pub fn also_at(mut self, url: &str) -> Result<Self, OriginPolicyError> {
        let alias = Origin::parse(url).ok_or_else(|| OriginPolicyError::Origin(url.to_owned()))?;
        self.alias = Some(alias);
        Ok(self)
    }

    /// The path below which the public URL has everything, `""` or `/team/desk`. A proxy
    /// may take it off the requests, or leave it.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Checks the host that a request is for.
    ///
    /// # Errors
    /// 421.
    pub fn check_host(&self, head: &RequestHead) -> Result<(), Problem> {
        let host = head.host().and_then(Authority::parse);
        if host.is_some_and(|host| self.is_ours(&host)) {
            return Ok(());
        }
        Err(Problem::new(
            Status::MISDIRECTED_REQUEST,
            "This server does not answer to that Host; use the address that it printed at its \
             start, or start it with --public-url.",
        ))
    }

    /// Checks the page that asks for an upgrade; programs send no `Origin`.
    ///
    /// # Errors
    /// 403.
    pub fn check_origin(&self, head: &RequestHead) -> Result<(), Problem> {
        if head.values("origin").next().is_none() {
            return Ok(());
        }
        let origin = head.field("origin").and_then(Origin::parse);
        let host = head.host().and_then(Authority::parse);
        if origin.is_some_and(|origin| self.admits(&origin, host.as_ref())) {
            return Ok(());
        }
        Err(Problem::new(
            Status::FORBIDDEN,
            "Pages of that Origin may not connect here; open the desk at this server's own \
             address, or start the server with --allow-origin.",
        ))
    }

    /// Checks the host that a WebTransport session is asked of, and the page that asks.
    /// Its port is QUIC's own.
    ///
    /// # Errors
    /// 421, 403.
    pub fn check_session(&self, authority: &str, origin: Option<&str>) -> Result<(), Problem> {
        let host = Authority::parse(authority).map(|host| Authority { port: None, ..host });
        if !host.is_some_and(|host| self.is_ours(&host)) {
            return Err(Problem::new(Status::MISDIRECTED_REQUEST, "It is no host of ours."));
        }
        let Some(origin) = origin else { return Ok(()) };
        if Origin::parse(origin).is_some_and(|origin| self.admits(&origin, None)) {
            return Ok(());
        }
        Err(Problem::new(Status::FORBIDDEN, "Pages of that Origin may not connect here."))
    }

    /// Names decide, not ports: a port may be forwarded, and a page cannot
    /// make a browser lie about the name. An address literal cannot be rebound.
    fn is_ours(&self, host: &Authority) -> bool {
        let is_known = |known: &Origin| {
            known.authority.name == host.name && host.port.unwrap_or(known.port()) == known.port()
        };
        if self.public.iter().chain(&self.alias).any(is_known) {
            return true;
        }
        match host.name.parse::<IpAddr>() {
            Ok(ip) if ip.is_loopback() => true,
            Ok(ip) => self.listen.iter().any(|at| at.ip() == ip || at.ip().is_unspecified()),
            Err(_) => host.name == "localhost",
        }
    }

    fn admits(&self, origin: &Origin, host: Option<&Authority>) -> bool {
        let same_host = host.is_some_and(|host| {
            host.name == origin.authority.name
                && host.port.unwrap_or(origin.scheme_port()) == origin.port()
        });
        let ours = self.is_ours(&origin.authority)
            && self.listen.iter().any(|at| at.port() == origin.port());
        let named = self.public.iter().chain(&self.alias).chain(&self.allowed).any(|known| {
            (known.https, &known.authority.name, known.port())
                == (origin.https, &origin.authority.name, origin.port())
        });
        same_host || ours || named
    }
}

/// Whether two URLs without a path are of one origin.
pub fn is_same_origin(one: &str, other: &str) -> bool {
    let parts = |url| Origin::parse(url).map(|at| (at.https, at.port(), at.authority.name));
    parts(one).is_some_and(|one| parts(other) == Some(one))
}

/// A URL without its path, and the path without a slash at its end.
fn split_path(url: &str) -> Option<(&str, &str)> {
    let authority = url.find("://")? + 3;
    let at = url[authority..].find('/').map_or(url.len(), |at| authority + at);
    let (origin, path) = url.split_at(at);
    let path = path.strip_suffix('/').unwrap_or(path);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let sound = |one: &str| !matches!(one, "" | "." | "..") && one.bytes().all(plain);
    path.split('/').skip(1).all(sound).then_some((origin, path))
}

/// `HOST[:PORT]`, the name in lower case, IPv6 without brackets.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Authority {
    name: String,
    port: Option<u16>,
}

impl Authority {
    fn parse(text: &str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (name, port) = rest.split_once(']')?;
                name.parse::<std::net::Ipv6Addr>().ok()?;
                (name, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
            }
            None => match text.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (text, None),
            },
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if name.is_empty() || !name.bytes().all(plain) {
            return None;
        }
        let port = match port {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
            None => None,
        };
        Some(Self { name: name.to_ascii_lowercase(), port })
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Origin {
    https: bool,
    authority: Authority,
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (scheme, authority) = text.split_once("://")?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        Some(Self { https, authority: Authority::parse(authority)? })
    }

    fn scheme_port(&self) -> u16 {
        if self.https { 443 } else { 80 }
    }

    fn port(&self) -> u16 {
        self.authority.port.unwrap_or(self.scheme_port())
    }
}
