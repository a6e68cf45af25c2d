//! Every row of the HTTP interface, and every error that it names.

use desk_e2e::http::{KEY, connect, request, send};
use desk_e2e::socket::HANDSHAKE;
use desk_e2e::{Reply, Server, Setup, Socket, create, delete, desk, get, join, patch, post};
use serde_json::{Value, json};
use std::io::Write as _;

const INIT: &str = "/api/desk/init";
const SYNC: &str = "/api/desk/collaboration/sync";
const OPEN: &str = "/api/desk/collaboration/init";
const FINISH: &str = "/api/desk/collaboration/finish";
const NO_DESK: &str = "00000000000000000000000001";

#[test]
fn init_creates() {
    let server = Server::new();
    let answer = create(&server, "Ideas").answer;
    let id = answer["desk_id"].as_str().expect("an id");
    assert_eq!(id.len(), 26);
    assert_eq!(answer["link"], format!("{}/d/{id}", server.url()));
    let owner = answer["owner_link"].as_str().expect("the owner's link");
    assert!(owner.starts_with(&server.url()) && !owner.contains(id));
    assert_eq!(answer["resumed"], false);
    assert_eq!(answer["role"], "owner");
    assert_eq!(answer["revision"], 0);
    assert!(answer["author"].is_u64());
    let expires = answer["expires_at"].as_str().expect("a time");
    assert!(expires.len() == 20 && expires.ends_with('Z'), "RFC 3339: {expires}");
    let collaboration = &answer["collaboration"];
    let websocket = format!("ws://{}/api/desk/collaboration/init", server.address());
    assert_eq!(collaboration["websocket"], websocket);
    assert!(collaboration["shard_hint"].is_u64());
    assert_eq!(collaboration["quic"], server.quic().to_string());
    let hashes = collaboration["certificates"].as_array().expect("hashes");
    assert_eq!(hashes.len(), 2, "of the present certificate and the next");
    assert_eq!(collaboration["certificate_sha256"], hashes[0]);
    let webtransport = format!("https://{}/api/desk/collaboration/webtransport", server.quic());
    assert_eq!(collaboration["webtransport"], webtransport);
    assert_eq!(desk::export(&server, id)["title"], "Ideas");
}

#[test]
fn init_joins_by_link_and_by_id() {
    let server = Server::new();
    let ada = create(&server, "");
    let url = ada.answer["link"].as_str().expect("a link");
    for name in [url, &ada.id, &ada.id.to_lowercase()] {
        let answer = desk::init(&server, name).expect(200).json();
        assert_eq!(answer["role"], "editor");
        assert_eq!(answer["desk_id"], *ada.id);
        assert_eq!(answer.get("owner_link"), None, "only the creator learns it");
    }
    assert_eq!(ada.as_owner(&server).answer["role"], "owner");
}

#[test]
fn init_leaves_the_desk_out_on_request() {
    let server = Server::new();
    let body = json!({ "name": "x", "create_new": true, "desk": false });
    let answer = post(&server, INIT, &[], &body).expect(200).json();
    assert_eq!(answer.get("desk"), None);
}

#[test]
fn init_resumes_a_client() {
    let server = Server::new();
    let ada = create(&server, "");
    ada.add(&server, 1, "first");
    let resume = |key: &str| {
        let body = json!({ "name": ada.id, "create_new": false, "session_key": key });
        post(&server, INIT, &[], &body).expect(200).json()
    };
    let again = resume(&ada.key);
    assert_eq!(again["resumed"], true);
    assert_eq!(again["author"], ada.answer["author"]);
    assert_eq!(again["role"], "owner", "ownership carries over");
    // Exactly once carries over, too: the number is taken.
    let again = desk::Joined::of(again);
    let ops = json!([{ "create": { "x": 9, "y": 9, "text": "other" } }]);
    assert_eq!(again.sync(&server, 1, 0, ops).expect(221).json()["revision"], 1);
    assert_eq!(desk::texts(&server, &ada.id), ["first"]);

    let stranger = resume(&format!("{}-{}-{}", ada.id, NO_DESK, NO_DESK));
    assert_eq!(stranger["resumed"], false);
    assert_ne!(stranger["author"], ada.answer["author"]);
}

#[test]
fn errors_of_init() {
    let server = Server::new();
    let init = |body: &str| {
        send(&server, "POST", INIT, &[("Content-Type", "application/json")], body.as_bytes())
    };
    for malformed in [
        "",
        "{",
        "[]",
        "7",
        r#"{"name":"x"}"#,
        r#"{"create_new":true}"#,
        r#"{"name":7,"create_new":true}"#,
        r#"{"name":"x","create_new":"yes"}"#,
        r#"{"name":"x","create_new":true,"session_key":7}"#,
        "\u{0}",
    ] {
        init(malformed).problem(400);
    }
    let long = json!({ "name": "x".repeat(201), "create_new": true }).to_string();
    assert!(init(&long).problem(422).contains("200"));
    for none in [NO_DESK, "http://127.0.0.1/d/00000000000000000000000001", "nonsense", ""] {
        let reply = desk::init(&server, none);
        assert!(matches!(reply.status, 404 | 410), "{none}: {}", reply.status_line);
    }
    let body = br#"{"name":"x","create_new":true}"#;
    for media in [&[][..], &[("Content-Type", "text/plain")], &[("Content-Type", "a/b")]] {
        assert!(send(&server, "POST", INIT, media, body).problem(415).contains("application/json"));
    }
}

#[test]
fn an_upgrade_names_what_it_lacks() {
    let server = Server::new();
    let ada = create(&server, "");
    for missing in ["Upgrade", "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Key"] {
        let mut fields = HANDSHAKE.to_vec();
        fields.retain(|(name, _)| *name != missing);
        fields.push((KEY, &ada.key));
        let detail = Socket::ask(&server, &fields).reply.problem(400);
        assert!(detail.contains(missing), "{missing}: {detail}");
    }
    let mut fields = HANDSHAKE.to_vec();
    fields[2] = ("Sec-WebSocket-Version", "8");
    fields.push((KEY, &ada.key));
    let reply = Socket::ask(&server, &fields).reply;
    assert_eq!(reply.field("Sec-WebSocket-Version"), Some("13"));
    reply.problem(426);
}

#[test]
fn a_browser_offers_its_key_as_a_subprotocol() {
    let server = Server::new();
    let ada = create(&server, "");
    let offer = format!("sticker-desk.v1, session.{}", ada.key);
    let mut fields = HANDSHAKE.to_vec();
    fields.push(("Sec-WebSocket-Protocol", &offer));
    let origin = server.url();
    fields.push(("Origin", &origin));
    let mut socket = Socket::ask(&server, &fields);
    assert_eq!(socket.reply.status, 101);
    assert_eq!(socket.reply.field("Sec-WebSocket-Protocol"), Some("sticker-desk.v1"));
    socket.hello(&ada.key, 1, None, "");
    socket.catch_up();
}

#[test]
fn an_upgrade_needs_a_good_key() {
    let server = Server::new();
    let ada = create(&server, "");
    Socket::ask(&server, &HANDSHAKE).reply.problem(401);
    for key in ["nonsense", &ada.key.replace(&ada.key[60..61], "_"), &forged(&ada.key)] {
        let mut fields = HANDSHAKE.to_vec();
        fields.push((KEY, key));
        Socket::ask(&server, &fields).reply.problem(401);
    }
}

/// A key whose MAC is not the server's.
fn forged(key: &str) -> String {
    let last = if key.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &key[..key.len() - 1])
}

#[test]
fn sync_needs_a_key_and_a_label() {
    let server = Server::new();
    let ada = create(&server, "");
    let body = json!({ "client_seq": 1, "base_revision": 0, "ops": [{ "raise": { "id": "0000000000001" } }] });
    let user = ("R-User-ID", "ada");
    patch(&server, SYNC, &[user], &body).problem(401);
    patch(&server, SYNC, &[user, (KEY, &forged(&ada.key))], &body).problem(401);
    let key = (KEY, &*ada.key);
    assert!(patch(&server, SYNC, &[key], &body).problem(400).contains("R-User-ID"));
    for label in ["", "two words", "naïve", &"x".repeat(65)] {
        patch(&server, SYNC, &[key, ("R-User-ID", label)], &body).problem(400);
    }
}

#[test]
fn sync_refuses_other_media_types() {
    let server = Server::new();
    let ada = create(&server, "");
    let fields = [(KEY, &*ada.key), ("R-User-ID", "a"), ("Content-Type", "text/csv")];
    send(&server, "PATCH", SYNC, &fields, b"{}").problem(415);
}

#[test]
fn finish_is_the_owners() {
    let server = Server::new();
    let ada = create(&server, "");
    let bob = join(&server, &ada.id);
    let body = json!({ "diff": "" });
    patch(&server, FINISH, &[], &body).problem(401);
    patch(&server, FINISH, &[(KEY, &bob.key)], &body).problem(403);
    patch(&server, FINISH, &[(KEY, &ada.key)], &json!({ "diff": 7 })).problem(400);
    patch(&server, FINISH, &[(KEY, &ada.key)], &json!({ "diff": "%%%" })).problem(400);
    patch(&server, FINISH, &[(KEY, &ada.key)], &json!({ "diff": "AAAA" })).problem(400);
    // Refused finishes ended nothing.
    assert_eq!(bob.add(&server, 1, "still here").len(), 13);
    patch(&server, FINISH, &[(KEY, &ada.key)], &body).expect(200);
    bob.sync(&server, 2, 0, json!([])).problem(401);
}

#[test]
fn owners_requests_refuse_others_before_the_body() {
    let server = Server::new();
    let ada = create(&server, "");
    let bob = join(&server, &ada.id);
    let viewer = join(&server, &ada.link(&server, "viewer", false));
    let refused = |who: &desk::Joined, method: &str, path: &str| {
        // The body is announced and never sent: the answer must not wait for it.
        let key = (KEY, &*who.key);
        let fields = [key, ("Content-Type", "application/json"), ("Content-Length", "500")];
        let mut stream = connect(server.address());
        let target = format!("/api/desk/{}{path}", who.id);
        stream.write_all(&request(&server, method, &target, &fields, b"")).expect("it is sent");
        Reply::read(&mut stream).problem(403);
    };
    refused(&bob, "POST", "/links");
    refused(&bob, "DELETE", "");
    refused(&viewer, "POST", "/links");
    refused(&viewer, "POST", "/import");
}

#[test]
fn links_answer_by_the_interface() {
    let server = Server::new();
    let ada = create(&server, "");
    let target = format!("/api/desk/{}/links", ada.id);
    let ask = |body: &Value| post(&server, &target, &[(KEY, &ada.key)], body);
    for role in ["viewer", "editor", "owner"] {
        let answer = ask(&json!({ "role": role })).expect(200).json();
        assert_eq!(answer["role"], role);
        let id = answer["desk_id"].as_str().expect("an id");
        assert_eq!(answer["link"], format!("{}/d/{id}", server.url()));
        assert_eq!(ask(&json!({ "role": role })).expect(200).json()["desk_id"], id, "it stays");
        assert_eq!(join(&server, id).answer["role"], role);
    }
    ask(&json!({ "role": "king" })).problem(400);
    ask(&json!({})).problem(400);
    ask(&json!({ "role": "viewer", "rotate": 1 })).problem(400);
    post(&server, &target, &[], &json!({ "role": "viewer" })).problem(401);
}

#[test]
fn a_deleted_desk_is_gone_at_once() {
    let server = Server::new();
    let ada = create(&server, "");
    let bob = join(&server, &ada.id);
    let mut socket = Socket::live(&server, &bob.key);
    let target = format!("/api/desk/{}", ada.id);
    delete(&server, &target, &[(KEY, &bob.key)]).problem(403);
    let reply = delete(&server, &target, &[(KEY, &ada.key)]);
    assert!((200..300).contains(&reply.status), "{}", reply.status_line);
    let (code, _, _) = socket.closed();
    assert_eq!(code, desk_protocol::frame::CloseCode::Deleted);
    desk::init(&server, &ada.id).problem(404);
    get(&server, &format!("{target}/export"), &[]).problem(404);
    let reply = bob.sync(&server, 1, 0, json!([]));
    assert!(matches!(reply.status, 401 | 404), "{}", reply.status_line);
}

#[test]
fn unknown_addresses_and_methods() {
    let server = Server::new();
    for nothing in ["/nothing", "/api", "/api/desk/init/more", "/d/short", "/api/desk/x/export"] {
        let reply = get(&server, nothing, &[]);
        assert_eq!(reply.status, 404, "{nothing}");
    }
    for (method, target, allow) in [
        ("GET", INIT, "POST"),
        ("DELETE", SYNC, "GET, PATCH"),
        ("POST", OPEN, "GET"),
        ("GET", FINISH, "PATCH"),
        ("POST", "/healthz", "GET, HEAD"),
    ] {
        let reply = send(&server, method, target, &[], b"");
        assert_eq!(reply.field("Allow"), Some(allow), "{method} {target}");
        reply.problem(405);
    }
    get(&server, &format!("/api/desk/{NO_DESK}/export"), &[]);
}

#[test]
fn polls_by_the_interface() {
    let server = Server::new();
    let ada = create(&server, "");
    let poll = |query: &str| get(&server, &format!("{SYNC}{query}"), &[(KEY, &ada.key)]);
    for malformed in ["", "?since=", "?since=-1", "?since=x", "?since=0&wait=26", "?since=0&wait=x"]
    {
        let reply = poll(malformed);
        assert!(matches!(reply.status, 400 | 422), "{malformed}: {}", reply.status_line);
        let status = reply.status;
        reply.problem(status);
    }
    poll("?since=1").problem(422);
    get(&server, &format!("{SYNC}?since=0"), &[]).problem(401);
}

#[test]
fn health_and_metrics() {
    let server = Server::new();
    get(&server, "/healthz", &[]).expect(200);
    get(&server, "/readyz", &[]).expect(200);
    let metrics = get(&server, "/metrics", &[]).expect(200);
    assert!(metrics.field("Content-Type").is_some_and(|media| media.starts_with("text/plain")));
    assert!(metrics.text().lines().any(|line| line.starts_with("# TYPE ")));
}

#[test]
fn the_page_is_served_with_its_rules() {
    let server = Server::new();
    let ada = create(&server, "");
    for target in ["/", &format!("/d/{}", ada.id)] {
        let page = get(&server, target, &[]).expect(200);
        assert_eq!(page.field("Content-Type"), Some("text/html; charset=utf-8"));
        let policy = page.field("Content-Security-Policy").expect("a policy");
        for rule in
            ["default-src 'self'", "script-src 'self' 'wasm-unsafe-eval'", "frame-ancestors 'none'"]
        {
            assert!(policy.contains(rule), "{policy}");
        }
        assert_eq!(page.field("Referrer-Policy"), Some("no-referrer"));
        assert_eq!(page.field("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(page.field("Set-Cookie"), None);
        assert_eq!(page.field("Access-Control-Allow-Origin"), None);
    }
}

#[test]
fn only_our_own_host_is_answered() {
    let server = Setup::default().flag("--public-url", "http://desk.example.org").start();
    let port = server.address().port();
    for host in
        [format!("127.0.0.1:{port}"), format!("localhost:{port}"), "desk.example.org".to_owned()]
    {
        get(&server, "/readyz", &[("Host", &host)]).expect(200);
    }
    for host in ["evil.example.org", "desk.example.org.evil.org", "10.0.0.1", "127.0.0.1.evil.org"]
    {
        get(&server, "/", &[("Host", host)]).problem(421);
        let body = json!({ "name": "x", "create_new": true });
        post(&server, INIT, &[("Host", host)], &body).problem(421);
    }
    // One line tells the operator what to do, however often it happens.
    let log = server.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("--public-url")).collect();
    assert!((1..=2).contains(&told.len()) && told[0].contains("evil.example.org"), "{log}");
}

#[test]
fn a_public_url_may_have_a_path() {
    let public = "http://desk.example.org/team/desk";
    let server = Setup::default().flag("--public-url", public).start();
    // The proxy took the path off, or left it.
    for prefix in ["", "/team/desk"] {
        let body = json!({ "name": "x", "create_new": true });
        let host = [("Host", "desk.example.org")];
        let made = post(&server, &format!("{prefix}{INIT}"), &host, &body).expect(200).json();
        let link = made["link"].as_str().expect("a link");
        assert!(link.starts_with(&format!("{public}/d/")), "{link}");
        let websocket = made["collaboration"]["websocket"].as_str().expect("an address");
        let expected = "ws://desk.example.org/team/desk/api/desk/collaboration/init";
        assert_eq!(websocket, expected);
        let page = get(&server, &format!("{prefix}/"), &host).expect(200);
        let policy = page.field("Content-Security-Policy").expect("a policy").to_owned();
        assert!(policy.contains("connect-src 'self' ws://desk.example.org;"), "{policy}");
        if page.text().contains("<base") {
            assert!(page.text().contains("<base href=\"/team/desk/\""), "{}", page.text());
        }
        get(&server, &format!("{prefix}/healthz"), &host).expect(200);
    }
    get(&server, "/team/desk", &[("Host", "desk.example.org")]).expect(200);
    get(&server, "/team/deskx", &[("Host", "desk.example.org")]).problem(404);
}

#[test]
fn only_our_own_pages_open_connections() {
    let server = Setup::default().flag("--allow-origin", "https://friend.example.org").start();
    let ada = create(&server, "");
    let ask = |origin: &str| {
        let mut fields = HANDSHAKE.to_vec();
        fields.extend([(KEY, &*ada.key), ("Origin", origin)]);
        Socket::ask(&server, &fields).reply
    };
    for origin in [&server.url(), "https://friend.example.org"] {
        ask(origin).expect(101);
    }
    for origin in ["http://evil.example.org", "null", "https://friend.example.org.evil.org", "x"] {
        ask(origin).problem(403);
    }
}

#[test]
fn several_requests_on_one_connection() {
    let server = Server::new();
    let mut stream = connect(server.address());
    for _ in 0..3 {
        stream.write_all(&request(&server, "GET", "/readyz", &[], b"")).expect("it is sent");
        Reply::read(&mut stream).expect(200);
    }
    let mut two = request(&server, "GET", "/healthz", &[], b"");
    two.extend(request(&server, "GET", "/nothing", &[], b""));
    stream.write_all(&two).expect("it is sent");
    Reply::read(&mut stream).expect(200);
    Reply::read(&mut stream).problem(404);
}
