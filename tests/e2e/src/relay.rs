//! A way for the datagrams of one client that takes its time.

use std::collections::VecDeque;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// Longest datagram that passes.
const BYTES_MAX: usize = 2_048;

/// The near end of the way.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
}

impl Relay {
    /// A way to a server, whose datagrams arrive after `delay`.
    pub async fn new(to: SocketAddr, delay: Duration) -> Self {
        let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        far.connect(to).await.unwrap();
        let address = near.local_addr().unwrap();
        // It ends with the test's runtime.
        tokio::spawn(pass(near, far, delay));
        Self { address }
    }

    /// Where the client sends to.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn pass(near: UdpSocket, far: UdpSocket, delay: Duration) {
    let (mut up, mut down) = ([0; BYTES_MAX], [0; BYTES_MAX]);
    let mut client = None;
    // What is under way: when it arrives, and at whom, unless at the server.
    let mut under_way: VecDeque<(Instant, Option<SocketAddr>, Vec<u8>)> = VecDeque::new();
    loop {
        let first = under_way.front().map(|(at, ..)| *at);
        let arrival = async {
            match first {
                Some(at) => timeout_at(at, pending::<()>()).await.is_err(),
                None => pending().await,
            }
        };
        tokio::select! {
            came = near.recv_from(&mut up) => if let Ok((length, from)) = came {
                client = Some(from);
                under_way.push_back((Instant::now() + delay, None, up[..length].to_vec()));
            },
            came = far.recv(&mut down) => if let Ok(length) = came {
                under_way.push_back((Instant::now() + delay, client, down[..length].to_vec()));
            },
            _ = arrival => if let Some((_, to, bytes)) = under_way.pop_front() {
                // What cannot be sent is lost.
                let _ = match to {
                    Some(to) => near.send_to(&bytes, to).await,
                    None => far.send(&bytes).await,
                };
            },
        }
    }
}
