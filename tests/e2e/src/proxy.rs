//! A proxy that speaks plain HTTP, as some networks put one between a program and a server.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

/// A proxy that passes requests on, and upgrades only when it is told to. What it passes on
/// leads to no UDP port.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    target: OnceLock<SocketAddr>,
    upgrades: AtomicBool,
}

impl Proxy {
    /// Begins to listen.
    pub fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let all = Arc::clone(&shared);
        // It ends with the process of the test.
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let all = Arc::clone(&all);
                thread::spawn(move || all.serve(near));
            }
        });
        Self { address, shared }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where its requests lead.
    pub fn to(&self, target: SocketAddr) {
        self.shared.target.set(target).unwrap();
    }

    /// Upgrades pass from now on.
    pub fn pass_upgrades(&self) {
        self.shared.upgrades.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn serve(&self, mut near: TcpStream) -> Option<()> {
        let mut first = vec![0; 64 << 10];
        let length = near.read(&mut first).ok()?;
        first.truncate(length);
        let head = String::from_utf8_lossy(&first).to_ascii_lowercase();
        if head.contains("upgrade: websocket") && !self.upgrades.load(Ordering::Relaxed) {
            return near.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").ok();
        }
        let mut far = TcpStream::connect(self.target.get()?).ok()?;
        far.write_all(&first).ok()?;
        let (mut from, mut to) = (near.try_clone().ok()?, far.try_clone().ok()?);
        let there = thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        let mut part = vec![0; 64 << 10];
        while let Ok(length @ 1..) = far.read(&mut part) {
            mislead(&mut part[..length]);
            if near.write_all(&part[..length]).is_err() {
                break;
            }
        }
        let _ = near.shutdown(Shutdown::Both);
        let _ = far.shutdown(Shutdown::Both);
        there.join().ok()
    }
}

/// Gives QUIC a port that nobody has, in an answer of init.
fn mislead(bytes: &mut [u8]) {
    let name = b"\"quic\":\"127.0.0.1:";
    let Some(at) = bytes.windows(name.len()).position(|window| window == name) else { return };
    for digit in bytes[at + name.len()..].iter_mut().take_while(|byte| byte.is_ascii_digit()) {
        *digit = b'1';
    }
}
