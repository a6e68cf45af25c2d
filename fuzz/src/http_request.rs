//! Requests of a hostile peer: the first byte seeds the cuts, the rest is the
//! connection's input.

use desk_gateway_http::Time;
use desk_gateway_http::http::{Connection, Event, Response, Status};
use desk_gateway_http::route::Route;
use desk_gateway_http::websocket::handshake::Upgrade;

use crate::cuts::reads;

/// Requests to look at in one input; the loop must end by itself before.
const EVENTS_MAX: usize = 100_000;

/// The same requests must come out of the same bytes, however they were read.
pub fn run(data: &[u8]) {
    let Some((seed, stream)) = data.split_first() else { return };
    let whole = understand(&[stream]);
    let cut = understand(&reads(stream, *seed));
    assert_eq!(whole, cut, "the meaning depends on where the reads end");
}

/// What a server understands of a connection that ends after `reads`.
fn understand(reads: &[&[u8]]) -> Vec<String> {
    let now = Time(0);
    let mut connection = Connection::new(now);
    let mut understood = Vec::new();
    for read in reads {
        connection.handle_bytes(now, read);
        drain(&mut connection, now, &mut understood);
    }
    connection.handle_end();
    drain(&mut connection, now, &mut understood);
    understood
}

fn drain(connection: &mut Connection, now: Time, understood: &mut Vec<String>) {
    let answer = Response::new(Status::OK);
    for _ in 0..EVENTS_MAX {
        match connection.poll_event(now) {
            Ok(None) => return,
            Ok(Some(Event::Head(head))) => {
                // What the server asks of each head must not panic either.
                let _ = Upgrade::check(&head);
                understood.push(format!("{head:?} {:?}", Route::of(&head)));
                connection.accept_body(now);
            }
            Ok(Some(Event::Body(body))) => {
                understood.push(format!("body {body:?}"));
                connection.respond(now, &answer);
            }
            Err(error) => {
                understood.push(format!("refused: {error}"));
                connection.respond(now, &answer);
            }
        }
    }
    panic!("one input gave {EVENTS_MAX} events");
}
