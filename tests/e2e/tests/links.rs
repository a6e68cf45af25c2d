//! Links and roles: who may do what, and what rotating and superseding end.

use desk_e2e::http::KEY;
use desk_e2e::socket::creation;
use desk_e2e::{Server, Socket, create, desk, get, join, post};
use desk_protocol::Revision;
use desk_protocol::frame::CloseCode;
use serde_json::json;

#[test]
fn a_viewer_sees_and_changes_nothing() {
    let server = Server::new();
    let ada = create(&server, "seen");
    ada.add(&server, 1, "note");
    let viewer = join(&server, &ada.link(&server, "viewer", false));
    assert_eq!(viewer.answer["role"], "viewer");
    let note = json!([{ "create": { "x": 0, "y": 0 } }]);
    viewer.sync(&server, 1, 1, note).problem(403);
    assert_eq!(desk::texts(&server, &viewer.id), ["note"]);
    assert_eq!(viewer.poll(&server, 0, 0).expect(200).json()["revision"], 1);

    let mut socket = Socket::live(&server, &viewer.key);
    socket.submit(1, Revision(1), vec![creation(1, "no")]);
    let (code, detail, _) = socket.closed();
    assert_eq!(code, CloseCode::NotAllowed, "{detail}");
    assert_eq!(desk::export(&server, &ada.id)["revision"], 1);
}

#[test]
fn rotating_a_link_ends_all_that_came_by_it() {
    let mut server = Server::new();
    let ada = create(&server, "");
    let bob = join(&server, &ada.id);
    let viewer = join(&server, &ada.link(&server, "viewer", false));
    let mut of_bob = Socket::live(&server, &bob.key);
    let mut of_viewer = Socket::live(&server, &viewer.key);

    let rotated = ada.link(&server, "editor", true);
    assert_ne!(rotated, ada.id);
    let (code, ..) = of_bob.closed();
    assert_eq!(code, CloseCode::LinkReplaced);
    assert_eq!(bob.sync(&server, 1, 0, json!([])).code(401), "link_replaced");
    // Everybody else goes on.
    let carol = join(&server, &rotated);
    assert_eq!(carol.id, rotated);
    carol.add(&server, 1, "by the new link");
    assert_eq!(of_viewer.commit().revision.0, 1);

    for round in 0..2 {
        assert_eq!(desk::init(&server, &ada.id).code(404), "link_replaced");
        assert!(desk::init(&server, &ada.id).problem(404).contains("replaced"));
        get(&server, &format!("/api/desk/{}/export", ada.id), &[]).problem(404);
        assert_eq!(desk::texts(&server, &rotated), ["by the new link"]);
        assert_eq!(desk::texts(&server, &viewer.id), ["by the new link"]);
        bob.sync(&server, 1, 0, json!([])).problem(401);
        if round == 0 {
            server.kill9();
            server.up();
        }
    }
}

#[test]
fn rotating_the_viewers_link_leaves_editors_alone() {
    let server = Server::new();
    let ada = create(&server, "");
    let old = ada.link(&server, "viewer", false);
    let viewer = join(&server, &old);
    let new = ada.link(&server, "viewer", true);
    desk::init(&server, &old).problem(404);
    viewer.poll(&server, 0, 0).problem(401);
    assert_eq!(join(&server, &new).answer["role"], "viewer");
    assert_eq!(join(&server, &ada.id).answer["role"], "editor");
}

#[test]
fn rotating_the_owners_link_keeps_the_desk_owned() {
    let server = Server::new();
    let ada = create(&server, "");
    let old = ada.owner.clone().expect("an owner's link");
    let new = ada.link(&server, "owner", true);
    desk::init(&server, &old).problem(404);
    let owner = join(&server, &new);
    assert_eq!(owner.answer["role"], "owner");
    owner.link(&server, "viewer", false);
}

#[test]
fn nobody_is_shown_another_id_than_its_own() {
    let server = Server::new();
    let ada = create(&server, "");
    ada.add(&server, 1, "x");
    let view = ada.link(&server, "viewer", false);
    let viewer = join(&server, &view);
    let owner = ada.owner.as_deref().expect("an owner's link");
    let target = format!("/api/desk/{view}/export?format=json");
    let shown = [
        viewer.answer.to_string(),
        get(&server, &target, &[]).expect(200).text().to_owned(),
        viewer.poll(&server, 0, 0).expect(200).text().to_owned(),
    ];
    for text in &shown {
        assert!(!text.contains(&ada.id) && !text.contains(owner), "{text}");
    }
    let log = server.log();
    for secret in [&ada.id, owner, &view, &ada.key] {
        assert!(!log.contains(secret), "the log has {secret}:\n{log}");
    }
}

#[test]
fn a_links_request_for_another_desk_is_refused() {
    let server = Server::new();
    let ada = create(&server, "");
    let eve = create(&server, "");
    let target = format!("/api/desk/{}/links", ada.id);
    let reply = post(&server, &target, &[(KEY, &eve.key)], &json!({ "role": "owner" }));
    assert!(matches!(reply.status, 401 | 403 | 404), "{}", reply.status_line);
}

#[test]
fn the_newest_connection_of_a_client_takes_over() {
    let server = Server::new();
    let ada = create(&server, "");
    let mut old = Socket::live(&server, &ada.key);
    let mut new = Socket::open(&server, &ada.key);
    new.hello(&ada.key, 2, None, "");
    new.catch_up();
    let (code, ..) = old.closed();
    assert_eq!(code, CloseCode::Superseded);
    new.submit(1, Revision(0), vec![creation(1, "goes on")]);
    assert_eq!(new.commit().revision.0, 1);
}
