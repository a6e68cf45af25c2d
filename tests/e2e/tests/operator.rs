//! The operator's side: the admin address, takedown, the redirect to https.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};

use desk_e2e::http::{connect, try_send};
use desk_e2e::{Reply, Setup, Socket, create, delete, desk, get};
use desk_protocol::frame::CloseCode;

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}

#[test]
fn takedown_and_metrics_move_to_the_admin_address() {
    let admin = free_address();
    let server = Setup::default().flag("--admin", &admin.to_string()).start();
    let ada = create(&server, "");
    let mut socket = Socket::live(&server, &ada.key);
    let view = ada.link(&server, "viewer", false);
    let target = format!("/admin/desk/{view}");
    get(&server, "/metrics", &[]).problem(404);
    delete(&server, &target, &[]).problem(404);
    desk::init(&server, &ada.id).expect(200);

    let at_admin =
        |method: &str, target: &str| try_send(admin, method, target, &[], b"").expect("an answer");
    assert!(at_admin("GET", "/metrics").expect(200).text().contains("sticker_desk_connections"));
    let removed = at_admin("DELETE", &target);
    assert!((200..300).contains(&removed.status), "{}", removed.status_line);
    assert_eq!(socket.closed().0, CloseCode::Deleted);
    desk::init(&server, &ada.id).problem(404);
    at_admin("DELETE", &target).problem(404);
    assert!(!server.log().contains(&ada.id) && !server.log().contains(&view));
}

#[test]
fn a_taken_down_desk_stays_away() {
    let mut server = desk_e2e::Server::new();
    let ada = create(&server, "");
    ada.add(&server, 1, "bad");
    let removed = delete(&server, &format!("/admin/desk/{}", ada.id), &[]);
    assert!((200..300).contains(&removed.status), "{}", removed.status_line);
    server.kill9();
    server.up();
    desk::init(&server, &ada.id).problem(404);
    let owner = ada.owner.as_deref().expect("an owner's link");
    desk::init(&server, owner).problem(404);
}

#[test]
fn plain_http_is_sent_to_https() {
    let redirect = free_address();
    let server = Setup::default()
        .switch("--tls-self-signed")
        .flag("--http-redirect", &redirect.to_string())
        .start();
    let mut stream = connect(redirect);
    let host = server.address();
    let request = format!("GET /d/X?y=1 HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it is sent");
    let reply = Reply::read(&mut stream).expect(308);
    let to = reply.field("Location").expect("where to").to_owned();
    assert!(to.starts_with("https://") && to.ends_with("/d/X?y=1"), "{to}");
}
