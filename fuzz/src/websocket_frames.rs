//! Frames of a hostile peer: the first byte chooses the role and seeds the
//! cuts, the rest is the stream after the handshake.

use desk_gateway_http::websocket::{Event, Input, Role, WebSocket};

use crate::cuts::reads;

/// Small, so that the bound is reached by short inputs.
const MESSAGE_BYTES_MAX: usize = 1024;

/// The same messages, and the same answers, must come out of the same bytes.
pub fn run(data: &[u8]) {
    let Some((seed, stream)) = data.split_first() else { return };
    let client = seed & 1 == 1;
    let whole = understand(client, &[stream]);
    let cut = understand(client, &reads(stream, *seed));
    assert_eq!(whole, cut, "the meaning depends on where the reads end");
}

/// Events and error as text, and the bytes answered.
fn understand(client: bool, reads: &[&[u8]]) -> (Vec<String>, Vec<u8>) {
    let role = if client { Role::Client(Box::new(|| [1, 2, 3, 4])) } else { Role::Server };
    let mut socket = WebSocket::new(role, MESSAGE_BYTES_MAX);
    let (mut events, mut answers) = (Vec::new(), Vec::new());
    for read in reads {
        let mut bytes = read.to_vec();
        let mut input = Input::new(&mut bytes);
        loop {
            match socket.next(&mut input, &mut answers) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    check(&event);
                    events.push(format!("{event:?}"));
                }
                Err(error) => {
                    events.push(format!("{error:?}"));
                    assert!(socket.is_closed(), "an error ends the connection");
                    return (events, answers);
                }
            }
        }
        assert!(input.remaining() == 0 || socket.is_closed(), "a read is consumed or the end");
    }
    (events, answers)
}

fn check(event: &Event<'_>) {
    let length = match event {
        Event::Text(text) => text.len(),
        Event::Binary(bytes) => bytes.len(),
        Event::Pong(bytes) => {
            assert!(bytes.len() <= 125, "a control frame is short");
            bytes.len()
        }
        Event::Closed(_) => 0,
    };
    assert!(length <= MESSAGE_BYTES_MAX, "{length} bytes passed the bound");
}
