//! Every limit of an HTTP connection acts as it is set.

use desk_gateway_http::Time;
use desk_gateway_http::http::{Connection, Event};
use desk_gateway_http::limits::HttpLimits;

const START: Time = Time::from_unix_seconds(1_700_000_000);

fn with(change: impl FnOnce(&mut HttpLimits)) -> Connection {
    let mut limits = HttpLimits::default();
    change(&mut limits);
    Connection::with_limits(START, limits)
}

fn after(micros: u64) -> Time {
    START + std::time::Duration::from_micros(micros)
}

/// The status that a request is refused with at its head, 0 for none.
fn refusal_of_head(connection: &mut Connection, head: &str) -> u16 {
    connection.handle_bytes(START, head.as_bytes());
    match connection.poll_event(START) {
        Ok(Some(Event::Head(_))) => 0,
        Ok(other) => panic!("a head, not {other:?}"),
        Err(error) => error.status().0,
    }
}

#[test]
fn sizes() {
    let fields =
        |count: usize| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(count - 1));
    for (bytes, status) in [(100, 431), (1_000, 0)] {
        let mut connection = with(|limits| limits.head_bytes = bytes);
        assert_eq!(refusal_of_head(&mut connection, &fields(20)), status, "{bytes} bytes");
    }
    for (count, status) in [(19, 431), (20, 0)] {
        let mut connection = with(|limits| limits.header_fields = count);
        assert_eq!(refusal_of_head(&mut connection, &fields(20)), status, "{count} fields");
    }
    for (bytes, refused) in [(9, true), (10, false)] {
        let mut connection = with(|limits| limits.body_bytes = bytes);
        let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789";
        assert_eq!(refusal_of_head(&mut connection, head), 0);
        connection.accept_body(START);
        assert_eq!(connection.poll_event(START).is_err(), refused, "{bytes} bytes");
    }
    for (bytes, wanted) in [(10, false), (1_000, true)] {
        let mut connection = with(|limits| limits.pipelined_bytes = bytes);
        assert_eq!(refusal_of_head(&mut connection, &fields(1)), 0);
        connection.handle_bytes(START, fields(1).as_bytes());
        assert_eq!(connection.wants_input(), wanted, "{bytes} bytes");
    }
}

#[test]
fn times() {
    use desk_gateway_http::http::{Response, Status};
    let due = |connection: &Connection| connection.poll_timeout().expect("a deadline").0;
    let connection = with(|limits| limits.head_us = 5);
    assert_eq!(due(&connection), after(5));

    let mut connection = with(|limits| limits.body_us = 6);
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n";
    assert_eq!(refusal_of_head(&mut connection, head), 0);
    connection.accept_body(START);
    assert_eq!(due(&connection), after(6));

    // A long body has that time for each part of it, and not for what it may be.
    let mut connection = with(|limits| {
        limits.body_us = 6;
        limits.body_bytes = 10;
    });
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n";
    assert_eq!(refusal_of_head(&mut connection, head), 0);
    connection.accept_body_within(START, 1000);
    assert_eq!(due(&connection), after(6));
    for (bytes, at, wanted) in [("123456789", 3, 6), ("0", 4, 10), ("1", 9, 10)] {
        connection.handle_bytes(after(at), bytes.as_bytes());
        assert!(connection.poll_event(after(at)).expect("no error").is_none());
        assert_eq!(due(&connection), after(wanted));
    }

    for (field, micros) in [("", 7), ("Connection: close\r\n", 8)] {
        let mut connection = with(|limits| {
            limits.keep_alive_us = 7;
            limits.linger_us = 8;
        });
        let head = format!("GET / HTTP/1.1\r\nHost: x\r\n{field}\r\n");
        assert_eq!(refusal_of_head(&mut connection, &head), 0);
        connection.respond(START, &Response::new(Status::OK));
        assert_eq!(due(&connection), after(micros), "{field}");
    }
}

#[test]
fn after_its_last_answer_a_peer_is_read_on_for_so_many_bytes() {
    use desk_gateway_http::http::{Response, Status};
    use desk_gateway_http::limits::LINGER_BYTES_MAX;
    let mut connection = with(|_| {});
    let head = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(refusal_of_head(&mut connection, head), 0);
    connection.respond(START, &Response::new(Status::OK));
    let chunk = [b'x'; 64 << 10];
    for _ in 0..LINGER_BYTES_MAX / chunk.len() {
        connection.handle_bytes(START, &chunk);
        assert!(connection.is_ending() && !connection.is_closed());
    }
    connection.handle_bytes(START, b"x");
    assert!(connection.is_closed(), "it sends and sends");
}
