//! Who gets what, and which words it gets.

use desk_e2e::http::{KEY, send};
use desk_e2e::{Server, Socket, create, delete, desk, get, join, patch};
use desk_protocol::frame::CloseCode;
use serde_json::{Value, json};

#[test]
fn delete_4_a_view_link_shows_nothing_of_a_deleted_note() {
    let server = Server::new();
    let ada = create(&server, "");
    let secret = ada.add(&server, 1, "secret");
    ada.add(&server, 2, "for all");
    let view = ada.link(&server, "viewer", false);
    let eve = join(&server, &view);
    ada.sync(&server, 3, 2, json!([{ "delete": { "id": secret } }])).expect(221);

    for since in [0, 1, 2] {
        let polled = eve.poll(&server, since, 0).expect(200);
        assert!(!polled.text().contains("secret"), "since {since}: {}", polled.text());
    }
    let polled = eve.poll(&server, 2, 0).json();
    assert_eq!(polled["commits"][0]["ops"], json!([{ "purge": { "id": secret } }]));
    assert_eq!(desk::texts(&server, &view), ["for all"]);
    let mut socket = Socket::live(&server, &eve.key);
    ada.sync(&server, 4, 3, json!([{ "restore": { "id": secret } }])).expect(221);
    assert!(socket.catch_up().snapshot, "a restored note comes back whole");
    let polled = eve.poll(&server, 3, 0).json();
    assert_eq!(polled["desk"]["stickers"].as_array().map(Vec::len), Some(2));
}

#[test]
fn delete_4_deleted_notes_are_exported_by_editors() {
    let server = Server::new();
    let ada = create(&server, "");
    let id = ada.add(&server, 1, "secret");
    ada.sync(&server, 2, 1, json!([{ "delete": { "id": id } }])).expect(221);
    let view = ada.link(&server, "viewer", false);
    let eve = join(&server, &view);
    let export = |link: &str, key: Option<&str>| {
        let fields: Vec<_> = key.map(|key| (KEY, key)).into_iter().collect();
        get(&server, &format!("/api/desk/{link}/export?deleted=true"), &fields)
    };
    for key in [None, Some(&*eve.key)] {
        assert_eq!(export(&view, key).code(403), "not_allowed");
    }
    let owner = ada.owner.clone().expect("a desk of one's own");
    let allowed =
        [(&ada.id, None), (&owner, None), (&ada.id, Some(&*eve.key)), (&view, Some(&*ada.key))];
    for (link, key) in allowed {
        let stickers = export(link, key).expect(200).json()["stickers"].clone();
        assert_eq!(stickers[0]["deleted"], true);
    }
    assert_eq!(export(&view, Some("x")).code(401), "key_void");
}

#[test]
fn a_finished_session_and_a_deleted_desk_are_told_apart() {
    let server = Server::new();
    let ada = create(&server, "");
    let bob = join(&server, &ada.id);
    let finish = patch(
        &server,
        "/api/desk/collaboration/finish",
        &[(KEY, &ada.key)],
        &json!({ "diff": "" }),
    );
    finish.expect(200);
    assert_eq!(bob.poll(&server, 0, 0).code(401), "finished");
    assert!(bob.poll(&server, 0, 0).problem(401).contains("finished this session"));
    // A key of a finished session is no key of the desk any more, also in a hello.
    let fresh = join(&server, &ada.id);
    let mut socket = Socket::open(&server, &fresh.key);
    let again = ada.as_owner(&server);
    patch(&server, "/api/desk/collaboration/finish", &[(KEY, &again.key)], &json!({ "diff": "" }))
        .expect(200);
    socket.hello(&fresh.key, 1, None, "");
    assert_eq!(socket.closed().0, CloseCode::Finished);

    let owner = ada.as_owner(&server);
    delete(&server, &format!("/api/desk/{}", ada.id), &[(KEY, &owner.key)]).expect(200);
    assert_eq!(desk::init(&server, &ada.id).code(404), "no_desk");
}

#[test]
fn what_cannot_be_read_is_told_what_is_wrong_with_it() {
    let server = Server::new();
    let ada = create(&server, "");
    let ops = json!([{ "delete": { "id": "G000000000000" } }]);
    let detail = ada.sync(&server, 1, 0, ops).problem(400);
    assert!(detail.contains("the first of the 13 characters is 0 to F"), "{detail}");
    let ops = json!([{ "create": { "x": 0, "y": 0, "color": "#12" } }]);
    let detail = ada.sync(&server, 1, 0, ops).problem(400);
    assert!(detail.contains("expected 6 characters behind #, found 2"), "{detail}");
    let detail = desk::init(&server, "7ZZZ").problem(404);
    assert!(detail.contains("expected 26 characters, found 4"), "{detail}");
    let poll = "/api/desk/collaboration/sync?since=0";
    let key = format!("{}-x-y", ada.id);
    let detail = get(&server, poll, &[(KEY, &key)]).problem(401);
    assert!(detail.contains("group 2 of the session key"), "{detail}");
    let csv = b"text,x\na,far";
    let fields = [(KEY, &*ada.key), ("Content-Type", "text/csv")];
    let import = send(&server, "POST", &format!("/api/desk/{}/import", ada.id), &fields, csv);
    let detail = import.problem(400);
    assert!(detail.contains("from -1000000 to 1000000, found \"far\""), "{detail}");
}

#[test]
fn desks_stay_out_of_search_engines() {
    let server = Server::new();
    let ada = create(&server, "");
    let robots = get(&server, "/robots.txt", &[]).expect(200);
    assert!(robots.text().contains("Disallow: /d/\nDisallow: /api/\n"));
    let html = [("Accept", "text/html")];
    for path in [
        format!("/d/{}", ada.id),
        format!("/api/desk/{}/export", ada.id),
        format!("/api/desk/{}/export?format=md", ada.id),
        format!("/api/desk/{}/export?format=nothing", ada.id),
    ] {
        let reply = get(&server, &path, &html);
        assert_eq!(reply.field("X-Robots-Tag"), Some("noindex, nofollow"), "{path}");
    }
    let polled = get(
        &server,
        "/api/desk/collaboration/sync?since=0",
        &[(KEY, &*ada.key), ("Accept", "application/octet-stream")],
    );
    assert_eq!(polled.expect(200).field("X-Robots-Tag"), Some("noindex, nofollow"));
    assert_eq!(get(&server, "/", &html).expect(200).field("X-Robots-Tag"), None);
}

#[test]
fn identity_3_links_work_as_mail_and_chat_make_them() {
    let server = Server::new();
    let ada = create(&server, "");
    let url = format!("{}/d/{}", server.url(), ada.id);
    for behind in ["/", ".", ")", "/).", "%E2%80%9D", "/?utm_source=mail"] {
        let path = format!("/d/{}{behind}", ada.id);
        let page = get(&server, &path, &[("Accept", "text/html")]).expect(200);
        assert_eq!(page.field("Content-Type"), Some("text/html; charset=utf-8"), "{path}");
        get(&server, &path, &[]).expect(200);
        let joined = desk::init(&server, &format!(" {url}{behind}")).expect(200).json();
        assert_eq!(joined["desk_id"], *ada.id, "{behind}");
    }
}

#[test]
fn a_browser_gets_a_page_also_where_nothing_is() {
    let server = Server::new();
    let browser = [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    for (path, status) in [("/nothing", 404), ("/d/short", 404), ("/d", 404)] {
        let page = get(&server, path, &browser).expect(status);
        assert_eq!(page.field("Content-Type"), Some("text/html; charset=utf-8"), "{path}");
    }
    let told = get(&server, "/nothing", &browser);
    assert!(told.text().contains("There is nothing at /nothing"), "{}", told.text());
    let attack = get(&server, "/%3Cb%3E<b>", &browser);
    assert!(!attack.text().contains("<b>"));
    let json: Value = get(&server, "/nothing", &[("Accept", "*/*")]).expect(404).json();
    assert_eq!(json["status"], 404);
    get(&server, "/api/nothing", &browser).problem(404);
}
