//! How frames travel. WebSocket is the first transport; another one implements
//! [`Transport`] and [`Line`], and the driver does not notice.

mod websocket;

use std::future::Future;

use desk_client_core::Trouble;

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
#[error("{}: {detail}", .trouble.as_str())]
pub(crate) struct LineEnd {
    /// Why.
    pub(crate) trouble: Trouble,
    /// In the words of whoever ended it, for logs.
    pub(crate) detail: String,
}
