//! Other servers, measured on a machine of the same kind (two cores, server
//! alone on one; medians of four to five runs; several moves in flight a
//! client). None of them stores anything before it acknowledges.

/// Server processor time of one operation when saturated, in microseconds.
pub struct Peer {
    /// Its name.
    pub name: &'static str,
    /// For 50 rooms of 2, 20 of 10 and 1 of 100, as in [`crate::shape::Shape::ALL`].
    pub cpu_us_per_operation: [f64; 3],
    /// KiB for an idle connection, kernel buffers left out.
    pub idle_kib: f64,
}

/// All of them.
pub const PEERS: [Peer; 11] = [
    peer("bare TCP relay, epoll", [2.4, 6.2, 166.0], 0.2),
    peer("bare WebSocket relay, epoll", [2.5, 6.6, 162.0], 0.5),
    peer("bare WebSocket relay, tokio-tungstenite, coalescing", [2.7, 10.4, 33.0], 136.0),
    peer("nats-server 2.9", [3.3, 9.7, 55.0], 22.0),
    peer("socket.io 4.8", [13.0, 62.0, 727.0], 18.0),
    peer("tldraw sync-core 5.4", [23.0, 57.0, 415.0], 46.0),
    peer("Liveblocks server 1.9", [35.0, 88.0, 699.0], 14.0),
    peer("y-websocket server 0.1", [37.0, 78.0, 818.0], 13.0),
    peer("Hocuspocus 4.7", [55.0, 66.0, 107.0], 22.0),
    peer("ShareDB 7.0", [86.0, 381.0, 4_329.0], 12.0),
    peer("y-sweet 0.9", [146.0, 242.0, 1_433.0], 13.0),
];

const fn peer(name: &'static str, cpu_us_per_operation: [f64; 3], idle_kib: f64) -> Peer {
    Peer { name, cpu_us_per_operation, idle_kib }
}
