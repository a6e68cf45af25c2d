//! What a browser's connection has beside its frames: HTTP/3's streams, and the session.

use std::collections::BTreeMap;

use bytes::Bytes;
use desk_gateway_http::webtransport::{
    Capsules, Connect, H3_GENERAL_PROTOCOL_ERROR, H3_REQUEST_REJECTED, H3_STREAM_CREATION_ERROR,
    Head, accepted, control_stream, refused, session_close, session_stream_head, stream_code,
};
use quinn_proto::{Connection, Dir, ReadError, StreamId, VarInt};

/// Bytes that are read for a stream's head at a time: no head is longer.
const HEAD_BYTES: usize = 16;

/// Bytes of one read. Tuning.
const READ_BYTES: usize = 64 << 10;

/// A browser's side of a line.
#[derive(Default)]
pub(super) struct Web {
    /// Streams whose heads are not whole, with what came of them.
    heads: BTreeMap<StreamId, Vec<u8>>,
    /// The stream of the request for the session.
    session: Option<StreamId>,
    stage: Stage,
    /// What came on that stream, before its request is whole.
    request: Vec<u8>,
    capsules: Capsules,
    /// The session's first stream in both directions, if it came before the grant.
    early: Option<(StreamId, Vec<u8>)>,
    /// Streams that are read and forgotten.
    ignored: Vec<StreamId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// No whole request has come.
    #[default]
    Asking,
    /// It waits for an answer.
    Asked,
    Granted,
    /// It was refused, or this side has closed it.
    Closed,
}

/// What a browser's streams told.
pub(super) enum Told {
    /// It asks for a session.
    Asks(Box<Connect>),
    /// The stream of frames is there, and this came behind its head.
    Frames(StreamId, Vec<u8>),
    /// The page has ended the session.
    Left,
}

/// The peer broke a rule: the connection ends with this code.
pub(super) struct Broken(pub(super) u32);

impl Web {
    /// Says what a server says first. It may go before the handshake is over, for it says
    /// nothing of anybody.
    pub(super) fn begin(connection: &mut Connection) -> Self {
        if let Some(control) = connection.streams().open(Dir::Uni) {
            // A window that holds no settings is the peer's own loss.
            let _ = connection.send_stream(control).write(&control_stream());
        }
        Self::default()
    }

    /// A stream was opened by the peer.
    pub(super) fn accept(&mut self, stream: StreamId) {
        self.heads.insert(stream, Vec::new());
    }

    /// Reads everything but frames.
    pub(super) fn read(
        &mut self,
        connection: &mut Connection,
        has_frames: bool,
    ) -> Result<Vec<Told>, Broken> {
        let mut told = Vec::new();
        self.read_heads(connection, has_frames, &mut told)?;
        self.read_session(connection, &mut told)?;
        self.ignored.retain(|stream| !read(connection, *stream, READ_BYTES, &mut |_| {}).1);
        Ok(told)
    }

    fn read_heads(
        &mut self,
        connection: &mut Connection,
        has_frames: bool,
        told: &mut Vec<Told>,
    ) -> Result<(), Broken> {
        let mut has_frames = has_frames || self.early.is_some();
        for stream in self.heads.keys().copied().collect::<Vec<_>>() {
            loop {
                let bytes = self.heads.entry(stream).or_default();
                let head = match stream.dir() {
                    Dir::Bi => Head::read_bidi(bytes),
                    Dir::Uni => Head::read_uni(bytes),
                };
                match head.map_err(|_| Broken(H3_GENERAL_PROTOCOL_ERROR))? {
                    Some((head, length)) => {
                        let rest = self.heads.remove(&stream).unwrap_or_default().split_off(length);
                        self.sort(connection, stream, head, rest, &mut has_frames, told);
                        break;
                    }
                    None => {
                        let (some, ended) = read_once(connection, stream, HEAD_BYTES, bytes);
                        if ended {
                            self.heads.remove(&stream);
                        }
                        if ended || !some {
                            break;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn sort(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        head: Head,
        rest: Vec<u8>,
        has_frames: &mut bool,
        told: &mut Vec<Told>,
    ) {
        let named = self.session.map(u64::from);
        match head {
            Head::Request if self.session.is_none() => {
                self.session = Some(stream);
                self.request = rest;
            }
            Head::Request => turn_away(connection, stream, H3_REQUEST_REJECTED.into()),
            // A browser opens streams before it has an answer.
            Head::Session(session)
                if stream.dir() == Dir::Bi
                    && !*has_frames
                    && named.is_none_or(|named| named == session) =>
            {
                *has_frames = true;
                match self.stage {
                    Stage::Granted => told.push(Told::Frames(stream, rest)),
                    _ => self.early = Some((stream, rest)),
                }
            }
            Head::Session(_) => turn_away(connection, stream, stream_code(0)),
            Head::Ignored => self.ignored.push(stream),
            Head::Unknown => turn_away(connection, stream, H3_STREAM_CREATION_ERROR.into()),
        }
    }

    fn read_session(
        &mut self,
        connection: &mut Connection,
        told: &mut Vec<Told>,
    ) -> Result<(), Broken> {
        let Some(session) = self.session else { return Ok(()) };
        if self.stage == Stage::Asking {
            let mut ended = false;
            loop {
                match Connect::read(&self.request) {
                    Ok(Some((connect, length))) => {
                        self.request.drain(..length);
                        self.stage = Stage::Asked;
                        told.push(Told::Asks(Box::new(connect)));
                        break;
                    }
                    Ok(None) if ended => return Err(Broken(H3_GENERAL_PROTOCOL_ERROR)),
                    Ok(None) => {}
                    Err(error) => {
                        tracing::debug!(%error, "a request over HTTP/3 is none of ours");
                        self.refuse(connection, 400);
                        return Ok(());
                    }
                }
                let (some, end) = read_once(connection, session, READ_BYTES, &mut self.request);
                ended = end;
                if !some && !end {
                    return Ok(());
                }
            }
        }
        let mut failed = false;
        let mut left = false;
        let capsules = &mut self.capsules;
        let mut take = |bytes: &[u8]| match capsules.read(bytes) {
            Ok(end) => left |= end.is_some(),
            Err(_) => failed = true,
        };
        take(&std::mem::take(&mut self.request));
        let (_, ended) = read(connection, session, READ_BYTES, &mut take);
        if failed {
            return Err(Broken(H3_GENERAL_PROTOCOL_ERROR));
        }
        if left || ended {
            told.push(Told::Left);
        }
        Ok(())
    }

    /// Grants the session. Gives the stream of frames if it is there already.
    pub(super) fn grant(
        &mut self,
        connection: &mut Connection,
        protocol: Option<&str>,
    ) -> Option<(StreamId, Vec<u8>)> {
        let session = self.session.filter(|_| self.stage == Stage::Asked)?;
        self.stage = Stage::Granted;
        write(connection, session, &accepted(protocol));
        self.early.take()
    }

    /// Refuses the session by a status, which the page does not see.
    pub(super) fn refuse(&mut self, connection: &mut Connection, status: u16) {
        let Some(session) = self.session else { return };
        self.stage = Stage::Closed;
        write(connection, session, &refused(status));
        let _ = connection.send_stream(session).finish();
    }

    /// Ends the session with a code and a reason, which the page sees. Says whether there
    /// was one.
    pub(super) fn close(&mut self, connection: &mut Connection, code: u32, reason: &str) -> bool {
        let Some(session) = self.session.filter(|_| self.stage == Stage::Granted) else {
            return false;
        };
        self.stage = Stage::Closed;
        write(connection, session, &session_close(code, reason));
        let _ = connection.send_stream(session).finish();
        true
    }

    /// The number that names the session, once it is granted.
    pub(super) fn session(&self) -> Option<u64> {
        self.session.filter(|_| self.stage == Stage::Granted).map(u64::from)
    }

    /// What a stream of ours begins with.
    pub(super) fn stream_head(&self) -> Bytes {
        self.session().map(session_stream_head).unwrap_or_default().into()
    }
}

/// Writes few bytes to a stream that hardly anything was written to.
fn write(connection: &mut Connection, stream: StreamId, bytes: &[u8]) {
    // A peer that gives no window for it, or has stopped the stream, goes without.
    let _ = connection.send_stream(stream).write(bytes);
}

/// Lets nothing be read from a stream, and writes nothing to it.
fn turn_away(connection: &mut Connection, stream: StreamId, code: u64) {
    let code = VarInt::from_u64(code).unwrap_or(VarInt::from_u32(0));
    // Either fails where the peer was first.
    let _ = connection.recv_stream(stream).stop(code);
    if stream.dir() == Dir::Bi {
        let _ = connection.send_stream(stream).reset(code);
    }
}

/// One chunk of a stream, appended. Says whether there was one, and whether the stream
/// has ended.
fn read_once(
    connection: &mut Connection,
    stream: StreamId,
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> (bool, bool) {
    let mut stream = connection.recv_stream(stream);
    let Ok(mut chunks) = stream.read(true) else { return (false, true) };
    let read = match chunks.next(bytes_max) {
        Ok(Some(chunk)) => {
            out.extend_from_slice(&chunk.bytes);
            (true, false)
        }
        Ok(None) | Err(ReadError::Reset(_)) => (false, true),
        Err(ReadError::Blocked) => (false, false),
    };
    // What was read makes room; the next datagrams tell the peer.
    let _ = chunks.finalize();
    read
}

/// All that is there of a stream. Says whether there was something, and whether the
/// stream has ended.
pub(super) fn read(
    connection: &mut Connection,
    stream: StreamId,
    bytes_max: usize,
    take: &mut dyn FnMut(&[u8]),
) -> (bool, bool) {
    let mut any = false;
    let mut chunk = Vec::new();
    loop {
        chunk.clear();
        match read_once(connection, stream, bytes_max, &mut chunk) {
            (true, _) => {
                any = true;
                take(&chunk);
            }
            (false, ended) => return (any, ended),
        }
    }
}
