//! Which server and which desk a command means.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use desk_client_native::{AddressError, Api, Carriers, DeskLink, Server, Trust};
use desk_protocol::LinkId;

use super::Failure;

/// Which server, and how it proves itself.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    /// The server, for links that are only an id
    #[arg(
        long,
        value_name = "URL",
        env = "STICKER_DESK_SERVER",
        default_value = "http://127.0.0.1:8080"
    )]
    server: Server,

    /// Trust the server by this SHA-256 of its certificate (64 hex digits; a
    /// server with a self-made certificate prints it)
    #[arg(long, value_name = "SHA256")]
    certificate: Option<Fingerprint>,

    /// What carries the desk, for commands that stay connected: QUIC if it gets through,
    /// else WebSocket, else HTTP requests; or one of them alone. `show` asks by one request
    /// unless one is named
    #[arg(long, value_enum, default_value_t = Transport::Auto)]
    transport: Transport,
}

/// What may carry frames.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Transport {
    Auto,
    Quic,
    Websocket,
    Poll,
}

impl Place {
    /// How the server proves itself.
    pub(crate) fn trust(&self) -> Trust {
        self.certificate.map_or(Trust::System, |Fingerprint(sha256)| Trust::Certificate(sha256))
    }

    /// What may carry frames.
    pub(crate) fn carriers(&self) -> Carriers {
        match self.transport {
            Transport::Auto => Carriers::Auto,
            Transport::Quic => Carriers::Quic,
            Transport::Websocket => Carriers::WebSocket,
            Transport::Poll => Carriers::Poll,
        }
    }

    /// The server's interface, for commands of single requests.
    ///
    /// # Errors
    /// A transport was named, and these commands have none to choose.
    pub(crate) fn api(&self) -> Result<Api, Failure> {
        self.api_at(self.server.clone())
    }

    /// The same at another server.
    ///
    /// # Errors
    /// As of [`Place::api`].
    pub(crate) fn api_at(&self, server: Server) -> Result<Api, Failure> {
        match self.transport {
            Transport::Auto => Ok(Api::new(server, &self.trust())),
            _ => Err(Failure::new(
                "this command makes single requests of HTTP: leave --transport out, or use it \
                 with show and watch",
            )),
        }
    }

    /// The desk that is meant.
    pub(crate) fn desk(&self, link: &Link) -> DeskLink {
        match link {
            Link::Url(link) => link.clone(),
            Link::Id(id) => self.server.desk(*id),
        }
    }
}

/// A link as a person gives it: whole, or its id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Link {
    Url(DeskLink),
    Id(LinkId),
}

impl FromStr for Link {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            return text.parse().map(Self::Url).map_err(|why: AddressError| why.to_string());
        }
        LinkId::leading(text)
            .map(Self::Id)
            .map_err(|why| format!("expected http://HOST/d/ID, or the ID alone; {why}"))
    }
}

/// SHA-256 of a certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fingerprint([u8; 32]);

impl FromStr for Fingerprint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let expected = "expected 64 hex digits, colons between them allowed";
        let digits: Vec<_> = text.chars().filter(|char| *char != ':').collect();
        if digits.len() != 64 {
            return Err(expected);
        }
        let mut sha256 = [0; 32];
        for (byte, pair) in sha256.iter_mut().zip(digits.chunks(2)) {
            let digit = |char: char| char.to_digit(16).ok_or(expected);
            *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).map_err(|_| expected)?;
        }
        Ok(Self(sha256))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_reads_with_and_without_colons() {
        let plain = "00ff".repeat(16);
        let Fingerprint(sha256) = plain.parse().unwrap();
        assert_eq!(sha256[..3], [0, 255, 0]);
        let pairs: Vec<_> = plain.as_bytes().chunks(2).map(String::from_utf8_lossy).collect();
        let Fingerprint(again) = pairs.join(":").parse().unwrap();
        assert_eq!(again, sha256);
        assert!("00".repeat(31).parse::<Fingerprint>().is_err());
        assert!("zz".repeat(32).parse::<Fingerprint>().is_err());
    }
}
