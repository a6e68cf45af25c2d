//! UDP sockets in the executor's epoll set: batches of datagrams in, segments out.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use rustix::io::Errno;

use super::readiness::Watched;
use crate::limits::{UDP_BATCH, UDP_BUFFER_BYTES};

/// A UDP socket of this executor.
pub(crate) struct Udp {
    watched: Watched,
    state: UdpSocketState,
    address: SocketAddr,
}

/// Where one call receives: several buffers, each of several datagrams of one sender.
pub(crate) struct Batch {
    bytes: Vec<u8>,
    metas: [RecvMeta; UDP_BATCH],
    count: usize,
}

impl Default for Batch {
    fn default() -> Self {
        let bytes = vec![0; UDP_BATCH * UDP_BUFFER_BYTES];
        Self { bytes, metas: [RecvMeta::default(); UDP_BATCH], count: 0 }
    }
}

impl Batch {
    /// What was received: each datagram with what is known of it.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (&RecvMeta, &[u8])> {
        let filled = self.metas[..self.count].iter().zip(self.bytes.chunks(UDP_BUFFER_BYTES));
        filled.flat_map(|(meta, buffer)| {
            let stride = meta.stride.max(1);
            buffer[..meta.len].chunks(stride).map(move |datagram| (meta, datagram))
        })
    }
}

impl Udp {
    /// Binds a socket to the executor of this thread.
    ///
    /// # Errors
    /// The kernel takes no more sockets to watch, or lacks an option.
    pub(crate) fn attach(socket: OwnedFd, address: SocketAddr) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        Ok(Self { watched: Watched::of_datagrams(socket)?, state, address })
    }

    /// Where it is bound.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many datagrams one send may hold.
    pub(crate) fn segments_max(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Receives what is there.
    pub(crate) fn poll_receive(
        &self,
        context: &Context<'_>,
        batch: &mut Batch,
    ) -> Poll<io::Result<()>> {
        let count = self.watched.poll_read(context, 0, || {
            let mut buffers = batch.bytes.chunks_mut(UDP_BUFFER_BYTES).map(IoSliceMut::new);
            let mut buffers: [IoSliceMut<'_>; UDP_BATCH] =
                std::array::from_fn(|_| buffers.next().expect("a buffer for each place"));
            let socket = UdpSockRef::from(self.watched.socket());
            self.state.recv(socket, &mut buffers, &mut batch.metas).map_err(errno)
        });
        count.map_ok(|count| batch.count = count)
    }

    /// Sends, or says `false` if the socket takes nothing now; [`Udp::poll_send`] does later.
    /// A datagram that the network refuses counts as sent: QUIC repeats what is lost.
    pub(crate) fn try_send(&self, transmit: &Transmit<'_>) -> bool {
        let socket = UdpSockRef::from(self.watched.socket());
        let sent = self.state.send(socket, transmit).is_ok();
        if !sent && let Err(error) = self.watched.watch_writes(true) {
            tracing::debug!(%error, "a UDP socket cannot be watched for room");
        }
        sent
    }

    /// Sends as soon as the socket takes it, after [`Udp::try_send`] did not.
    pub(crate) fn poll_send(&self, context: &Context<'_>, transmit: &Transmit<'_>) -> Poll<()> {
        let sent = self.watched.poll_write(context, || {
            let socket = UdpSockRef::from(self.watched.socket());
            self.state.send(socket, transmit).map_err(errno)?;
            Ok(0)
        });
        if sent.is_ready()
            && let Err(error) = self.watched.watch_writes(false)
        {
            tracing::debug!(%error, "a UDP socket stays watched for room");
        }
        sent.map(|_| ())
    }

    /// Wakes the task when the socket takes more, if [`Udp::try_send`] finds it full meanwhile.
    pub(crate) fn wait_for_room(&self, context: &Context<'_>) {
        self.watched.wait_for_room(context);
    }
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
