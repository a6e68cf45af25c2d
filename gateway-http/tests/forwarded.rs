//! The address of a client behind proxies.

use std::net::IpAddr;

use desk_gateway_http::Time;
use desk_gateway_http::http::{Connection, Event, RequestHead};
use desk_gateway_http::route::client_address;

fn head(fields: &[&str]) -> RequestHead {
    let mut request = "GET / HTTP/1.1\r\nHost: x\r\n".to_owned();
    fields.iter().for_each(|value| request += &format!("x-forwarded-for: {value}\r\n"));
    let mut connection = Connection::new(Time(0));
    connection.handle_bytes(Time(0), (request + "\r\n").as_bytes());
    match connection.poll_event(Time(0)) {
        Ok(Some(Event::Head(head))) => head,
        other => panic!("{other:?}"),
    }
}

/// Whom a request came from whose peer is 10.0.0.1, where all of 10 is trusted.
fn client(fields: &[&str]) -> String {
    let trusted = |address: IpAddr| address.to_string().starts_with("10.");
    client_address(&head(fields), IpAddr::from([10, 0, 0, 1]), trusted).to_string()
}

#[test]
fn the_right_most_hop_that_is_no_trusted_proxy_is_the_client() {
    for (fields, expected) in [
        (&["192.0.2.1"][..], "192.0.2.1"),
        (&["1.1.1.1, 192.0.2.1"], "192.0.2.1"),
        (&["1.1.1.1, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        (&["1.1.1.1", "192.0.2.1", "10.0.0.2 ,10.0.0.3"], "192.0.2.1"),
        (&["2001:db8::1"], "2001:db8::1"),
        (&["[2001:db8::1]:4711"], "2001:db8::1"),
        (&["[2001:db8::1]"], "2001:db8::1"),
        (&["192.0.2.1:4711"], "192.0.2.1"),
        (&["10.0.0.3"], "10.0.0.3"),
        (&[], "10.0.0.1"),
        (&["192.0.2.1, unknown"], "10.0.0.1"),
        (&["192.0.2.1,"], "10.0.0.1"),
    ] {
        assert_eq!(client(fields), expected, "{fields:?}");
    }
}

#[test]
fn what_a_stranger_says_of_others_is_not_believed() {
    let stranger = IpAddr::from([192, 0, 2, 9]);
    let found = client_address(&head(&["1.1.1.1"]), stranger, |_| false);
    assert_eq!(found, stranger);
}
