//! How frames travel. WebSocket is the first transport; another one implements
//! [`Transport`] and [`Line`], and the driver does not notice.

mod websocket;

use std::future::Future;

use desk_protocol::frame::CloseCode;

pub(crate) use websocket::WebSocketTransport;

/// Opens lines to one server.
pub(crate) trait Transport: Send + Sync + 'static {
    /// What it opens.
    type Line: Line;

    /// Opens a line for the holder of a session key.
    fn connect(
        &self,
        session_key: String,
    ) -> impl Future<Output = Result<Self::Line, LineEnd>> + Send;
}

/// An open line: frames in order, both ways.
pub(crate) trait Line: Send + 'static {
    /// Takes whole frames that are to be sent; the next [`Line::turn`] does.
    fn queue(&mut self, frames: &[u8]);

    /// Sends what is queued and waits for bytes of frames. Dropping the future
    /// loses nothing.
    fn turn(&mut self) -> impl Future<Output = Result<Vec<u8>, LineEnd>> + Send;

    /// Sends what is queued, says goodbye and ends the line.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A line ended, or could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineEnd {
    /// Come again.
    #[error("the line is lost: {0}")]
    Lost(String),
    /// The server said why.
    #[error("{code:?}: {detail}")]
    Closed {
        /// Its reason.
        code: CloseCode,
        /// In words.
        detail: String,
    },
}

/// The reason behind the status of a refused handshake; `None`: none that a
/// desk gives.
fn code_of_status(status: u16) -> Option<CloseCode> {
    Some(match status {
        401 => CloseCode::KeyVoid,
        403 => CloseCode::NotAllowed,
        404 => CloseCode::Deleted,
        410 => CloseCode::Expired,
        429 | 503 => CloseCode::Overloaded,
        _ => return None,
    })
}

/// The reason behind a WebSocket close code; `None`: the line is just lost.
fn code_of_websocket(code: u16) -> Option<CloseCode> {
    CloseCode::ALL.into_iter().find(|known| known.websocket() == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_codes_are_known_again() {
        assert_eq!(code_of_websocket(CloseCode::Finished.websocket()), Some(CloseCode::Finished));
        assert_eq!(code_of_websocket(1006), None);
        assert_eq!(code_of_status(410), Some(CloseCode::Expired));
        assert_eq!(code_of_status(500), None);
    }
}
