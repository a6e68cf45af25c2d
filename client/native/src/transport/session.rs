//! A session of WebTransport, as far as frames need one.

use desk_gateway_http::route::SESSION_PATH;
use desk_gateway_http::webtransport::{
    connect_request, control_stream, datagram, read_status, session_bidi_head, session_stream_head,
    split_datagram,
};
use quinn::{Connection, RecvStream, SendStream};

use super::{LineEnd, ended, lost};
use crate::limits::{READ_BYTES, SESSION_ANSWER_BYTES_MAX};

/// What a session is asked to carry.
const PROTOCOL: &str = "sticker-desk.v1";

/// The stream of the request: a client's first one in both directions names its session.
const ID: u64 = 0;

/// An open session. It lasts as long as its streams, so they are held.
pub(super) struct Session {
    _control: (SendStream, RecvStream),
    _request: (SendStream, RecvStream),
}

impl Session {
    /// Asks for it on a new connection. `request` is the connection's first stream.
    ///
    /// # Errors
    /// The server did not grant it.
    pub(super) async fn ask(
        connection: &Connection,
        mut request: (SendStream, RecvStream),
        authority: &str,
        key: &str,
    ) -> Result<Self, LineEnd> {
        let mut ours = connection.open_uni().await.map_err(ended)?;
        ours.write_all(&control_stream()).await.map_err(lost)?;
        // As a browser does, which asks for nothing before it has read the settings.
        let mut theirs = connection.accept_uni().await.map_err(ended)?;
        theirs.read_chunk(READ_BYTES, true).await.map_err(lost)?;
        let target = format!("{SESSION_PATH}?session_key={key}");
        let asked = connect_request(authority, &target, PROTOCOL);
        request.0.write_all(&asked).await.map_err(lost)?;
        let mut answer = Vec::new();
        let status = loop {
            if let Some(status) = read_status(&answer).map_err(lost)? {
                break status;
            }
            let chunk = request.1.read_chunk(READ_BYTES, true).await.map_err(lost)?;
            let chunk = chunk.ok_or_else(|| lost("the request for a session has no answer"))?;
            answer.extend_from_slice(&chunk.bytes);
            if answer.len() > SESSION_ANSWER_BYTES_MAX {
                return Err(lost("the answer to the request for a session is too long"));
            }
        };
        if status != 200 {
            return Err(lost(format_args!("the session was refused ({status})")));
        }
        Ok(Self { _control: (ours, theirs), _request: request })
    }

    /// What its stream of frames begins with.
    pub(super) fn stream_head(&self) -> Vec<u8> {
        session_bidi_head(ID)
    }

    /// How many bytes stand before the frames on a stream of the server's.
    pub(super) fn snapshot_head(&self) -> usize {
        session_stream_head(ID).len()
    }

    /// A frame as a datagram of the session.
    pub(super) fn datagram(&self, frame: &[u8]) -> Vec<u8> {
        datagram(ID, frame)
    }

    /// The frame of a datagram of the session.
    pub(super) fn frame<'d>(&self, datagram: &'d [u8]) -> Option<&'d [u8]> {
        split_datagram(datagram).filter(|(session, _)| *session == ID).map(|(_, frame)| frame)
    }
}
