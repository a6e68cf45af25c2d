//! Where a server is, and which desk on it is meant.

use std::fmt;
use std::str::FromStr;

use desk_protocol::LinkId;
use desk_protocol::id::ParseIdError;

/// Why an address was not understood; the caller's to mend.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    /// Not the URL of a server.
    #[error(
        "{0:?} is not a server's address; expected http://HOST[:PORT][/PATH], or the same by https"
    )]
    Server(String),
    /// Not a link to a desk.
    #[error("{0:?} is not a link to a desk; expected http://HOST/d/ID, ID having 26 characters")]
    Link(String),
    /// A link to a desk, but for its id.
    #[error("the id in {link:?} cannot be read: {why}")]
    Id {
        /// What was given.
        link: String,
        /// What is wrong with it.
        why: ParseIdError,
    },
}

/// A server: `http://127.0.0.1:8080`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    secure: bool,
    host: String,
    port: u16,
    /// The path below which a proxy serves it, without a slash at the end.
    prefix: String,
}

impl Server {
    /// Whether TLS is spoken.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Its name or address, IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `HOST[:PORT]`, as in the header field `Host`: the scheme's own port is
    /// left out.
    pub fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.secure) { host } else { format!("{host}:{}", self.port) }
    }

    /// The target of a request, for a path of the interface: `/api/…`.
    pub(crate) fn target(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// The same below a path, if it is one that may stand in a link.
    fn below(mut self, path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let mut segments = path.split('/');
        let begins = segments.next() == Some("");
        if !begins || !segments.all(|one| !one.is_empty() && one.bytes().all(plain)) {
            return None;
        }
        path.clone_into(&mut self.prefix);
        Some(self)
    }

    /// The link of `desk` here.
    pub fn desk(&self, id: LinkId) -> DeskLink {
        DeskLink { server: self.clone(), id }
    }

    /// Reads `SCHEME://AUTHORITY[/PATH]`; the schemes are those given, plain
    /// first.
    pub(crate) fn split<'u>(url: &'u str, schemes: [&str; 2]) -> Option<(Self, &'u str)> {
        let (scheme, rest) = url.split_once("://")?;
        let secure = schemes.iter().position(|known| scheme.eq_ignore_ascii_case(known))? == 1;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if host.is_empty() || !host.bytes().all(plain) {
            return None;
        }
        let port = match port {
            Some(port) => port.parse().ok().filter(|&port| port != 0)?,
            None => default_port(secure),
        };
        let (host, prefix) = (host.to_ascii_lowercase(), String::new());
        Some((Self { secure, host, port, prefix }, path))
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.prefix)
    }
}

impl FromStr for Server {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let split = Self::split(text, ["http", "https"]);
        let server = split.and_then(|(server, path)| server.below(path));
        server.ok_or_else(|| AddressError::Server(text.to_owned()))
    }
}

/// A link to a desk: `http://127.0.0.1:8080/d/ID`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeskLink {
    /// The server.
    pub server: Server,
    /// The desk, and what one may do there.
    pub id: LinkId,
}

impl fmt::Display for DeskLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/d/{}", self.server, self.id)
    }
}

impl FromStr for DeskLink {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError::Link(text.to_owned());
        let (server, path) = Server::split(text, ["http", "https"]).ok_or_else(wrong)?;
        let (prefix, id) = path.split_once("/d/").ok_or_else(wrong)?;
        let server = server.below(prefix).ok_or_else(wrong)?;
        let id = LinkId::leading(id);
        let id = id.map_err(|why| AddressError::Id { link: text.to_owned(), why })?;
        Ok(Self { server, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_read_and_show() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        for server in [
            "http://127.0.0.1:8080",
            "https://desk.example.org",
            "http://[::1]:9",
            "https://example.org/team/desk",
        ] {
            let text = format!("{server}/d/{id}");
            let link: DeskLink = text.parse().unwrap();
            assert_eq!(link.to_string(), text);
            assert_eq!(link.server, server.parse().unwrap());
            assert_eq!(link.server.desk(link.id), link);
        }
        let server: Server = "HTTPS://Desk.Example.org:443/".parse().unwrap();
        assert_eq!(server.to_string(), "https://desk.example.org");
        assert_eq!((server.host(), server.port()), ("desk.example.org", 443));
        let below: Server = "https://example.org/team/desk/".parse().unwrap();
        assert_eq!(below.target("/api/desk/init"), "/team/desk/api/desk/init");
        assert_eq!(server.target("/api/desk/init"), "/api/desk/init");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in [
            "",
            "127.0.0.1:8080",
            "ftp://host",
            "http://",
            "http://host:0",
            "http://a//b",
            "http://a/b?c",
            "http://a/b c",
        ] {
            let refused = Err(AddressError::Server(wrong.to_owned()));
            assert_eq!(wrong.parse::<Server>(), refused, "{wrong}");
        }
        for wrong in ["http://host/d/", "http://host/d/tooshort"] {
            let why = ParseIdError::Length { expected: 26, found: wrong.len() - 14 };
            let refused = Err(AddressError::Id { link: wrong.to_owned(), why });
            assert_eq!(wrong.parse::<DeskLink>(), refused, "{wrong}");
        }
        for wrong in ["http://host", "d/x"] {
            let refused = Err(AddressError::Link(wrong.to_owned()));
            assert_eq!(wrong.parse::<DeskLink>(), refused, "{wrong}");
        }
    }
}
