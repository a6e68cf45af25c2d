//! A WebSocket echo server on the product's own WebSocket code, for
//! conformance suites: any path, no token, messages to 16 MiB, no rate limit.
//!
//! `cargo run --release -p desk-gateway-http --example echo -- 127.0.0.1:9001`
#![forbid(unsafe_code)]

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use desk_gateway_http::http::{Connection, Event as Request};
use desk_gateway_http::websocket::handshake::Upgrade;
use desk_gateway_http::websocket::{Event, FrameHeader, Input, Opcode, Role, WebSocket};
use desk_gateway_http::{Problem, Time};

/// The largest message, in bytes: what the suites' limit cases send.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Bytes of one read.
const READ_BYTES: usize = 64 << 10;

/// How long a peer may be silent, and how long the last answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(&address)?;
    println!("echoing on ws://{}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || {
            if let Err(error) = serve(stream) {
                eprintln!("a connection ended: {error}");
            }
        });
    }
    Ok(())
}

/// Serves one connection to its end.
pub(crate) fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut scratch = vec![0; READ_BYTES];
    if let Some(leftover) = shake_hands(&mut stream, &mut scratch)? {
        echo(&mut stream, leftover, &mut scratch)?;
    }
    // Close after the peer has read what was sent: a reset would discard it.
    stream.shutdown(Shutdown::Write)?;
    while stream.read(&mut scratch)? > 0 {}
    Ok(())
}

/// Answers the handshake; the frames that came with it, if it was one.
fn shake_hands(stream: &mut TcpStream, scratch: &mut [u8]) -> io::Result<Option<Vec<u8>>> {
    let mut connection = Connection::new(now());
    loop {
        let length = stream.read(scratch)?;
        if length == 0 {
            return Ok(None);
        }
        connection.handle_bytes(now(), &scratch[..length]);
        let answer = match connection.poll_event(now()) {
            Ok(None) => continue,
            Ok(Some(Request::Head(head))) => Upgrade::check(&head).map_err(|error| error.problem()),
            Ok(Some(Request::Body(_))) => unreachable!("no body was asked for"),
            Err(error) => Err(Problem::from(error)),
        };
        return match answer {
            Ok(upgrade) => {
                stream.write_all(&upgrade.to_bytes(now()))?;
                Ok(Some(connection.into_leftover()))
            }
            Err(problem) => {
                stream.write_all(&problem.to_response().to_bytes("close", now()))?;
                Ok(None)
            }
        };
    }
}

fn echo(stream: &mut TcpStream, mut leftover: Vec<u8>, scratch: &mut [u8]) -> io::Result<()> {
    let mut socket = WebSocket::new(Role::Server, MESSAGE_BYTES_MAX);
    let mut output = answer_all(&mut socket, &mut leftover);
    drop(leftover);
    loop {
        // One write for everything that a read brought.
        stream.write_all(&output)?;
        if socket.is_closed() {
            return Ok(());
        }
        let length = stream.read(scratch)?;
        if length == 0 {
            return Ok(());
        }
        output = answer_all(&mut socket, &mut scratch[..length]);
    }
}

/// Everything to send back for the bytes of one read.
fn answer_all(socket: &mut WebSocket, bytes: &mut [u8]) -> Vec<u8> {
    let mut output = Vec::new();
    let mut input = Input::new(bytes);
    loop {
        let (opcode, payload) = match socket.next(&mut input, &mut output) {
            Ok(None) => return output,
            Ok(Some(Event::Text(text))) => (Opcode::Text, text.as_bytes()),
            Ok(Some(Event::Binary(bytes))) => (Opcode::Binary, bytes),
            Ok(Some(Event::Pong(_) | Event::Closed(_))) => continue,
            Err(error) => {
                eprintln!("the peer broke the protocol: {error}");
                continue;
            }
        };
        FrameHeader::whole(opcode, payload.len()).append(&mut output);
        output.extend_from_slice(payload);
    }
}

/// The dates of answers come from here; the example keeps no deadlines.
#[expect(clippy::disallowed_methods, reason = "a shell owns the clock")]
fn now() -> Time {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time(since_epoch.map_or(0, |time| time.as_micros() as u64))
}
