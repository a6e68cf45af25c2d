//! The addresses, and the rules of the web around them.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use desk_gateway_http::Time;
use desk_gateway_http::http::{Connection, Event, RequestHead, Response};
use desk_gateway_http::page;
use desk_gateway_http::problem::Problem;
use desk_gateway_http::route::{self, OriginPolicy, Route};
use expect_test::{Expect, expect};

const LINK: &str = "1N8K4R0000000000000000000Z";

/// `line` is a request line without the version; `fields` are header lines.
fn head(line: &str, fields: &str) -> RequestHead {
    let line = line.replace("ID", LINK);
    let now = Time(0);
    let mut connection = Connection::new(now);
    let fields: String = fields.lines().map(|field| format!("{}\r\n", field.trim())).collect();
    let host = if fields.to_lowercase().contains("host:") { "" } else { "Host: localhost\r\n" };
    let request = format!("{line} HTTP/1.1\r\n{host}{fields}\r\n");
    connection.handle_bytes(now, request.as_bytes());
    match connection.poll_event(now) {
        Ok(Some(Event::Head(head))) => head,
        other => panic!("{request}: {other:?}"),
    }
}

fn told(problem: &Problem) -> String {
    let response = problem.to_response();
    let allow = response.field("Allow").map(|allow| format!(" [{allow}]")).unwrap_or_default();
    format!("{}{allow} {}", problem.status.0, problem.detail)
}

fn check(lines: &str, expected: Expect) {
    let answers: String = lines
        .lines()
        .map(|line| {
            let answer = match Route::of(&head(line.trim(), "")) {
                Ok(route) => format!("{route:?}"),
                Err(problem) => told(&problem),
            };
            format!("{}: {answer}\n", line.trim())
        })
        .collect();
    expected.assert_eq(&answers);
}

#[test]
fn every_address() {
    check(
        "POST /api/desk/init
        GET /api/desk/collaboration/init
        PATCH /api/desk/collaboration/sync
        GET /api/desk/collaboration/sync?since=7&wait=25
        GET /api/desk/collaboration/sync?since=0
        POST /api/desk/collaboration/poll?line=4294967295&part=3
        GET /api/desk/collaboration/poll?line=1&part=0&wait=25
        GET /api/desk/collaboration/poll?line=1&part=0&wait=26
        POST /api/desk/collaboration/poll?line=4294967296&part=0
        POST /api/desk/collaboration/poll?part=0
        POST /api/desk/collaboration/poll?line=1
        PATCH /api/desk/collaboration/finish
        POST /api/desk/ID/links
        DELETE /api/desk/ID
        POST /api/desk/ID/import
        GET /api/desk/ID/export
        HEAD /api/desk/ID/export?format=csv&deleted=true
        GET /api/desk/ID/export?format=%73vg&new=1
        GET /
        GET /?utm=1
        GET /d/ID
        GET /index.html
        GET /healthz
        HEAD /readyz
        GET /metrics",
        expect![[r#"
            POST /api/desk/init: Init
            GET /api/desk/collaboration/init: Collaborate
            PATCH /api/desk/collaboration/sync: Submit
            GET /api/desk/collaboration/sync?since=7&wait=25: Poll(Poll { since: Revision(7), wait_s: 25, frames: false })
            GET /api/desk/collaboration/sync?since=0: Poll(Poll { since: Revision(0), wait_s: 0, frames: false })
            POST /api/desk/collaboration/poll?line=4294967295&part=3: Say(LinePart { line: 4294967295, number: 3 })
            GET /api/desk/collaboration/poll?line=1&part=0&wait=25: Hear(LinePart { line: 1, number: 0 }, 25)
            GET /api/desk/collaboration/poll?line=1&part=0&wait=26: 422 The parameter wait may be 0 to 25.
            POST /api/desk/collaboration/poll?line=4294967296&part=0: 422 The parameter line may be 0 to 4294967295.
            POST /api/desk/collaboration/poll?part=0: 400 The parameter line is missing; give the number of the line and of its part.
            POST /api/desk/collaboration/poll?line=1: 400 The parameter part is missing; give the number of the line and of its part.
            PATCH /api/desk/collaboration/finish: Finish
            POST /api/desk/ID/links: Links(1N8K4R0000000000000000000Z)
            DELETE /api/desk/ID: Remove(1N8K4R0000000000000000000Z)
            POST /api/desk/ID/import: Import(Import { link: 1N8K4R0000000000000000000Z, kind: None, columns: [], deleted: false })
            GET /api/desk/ID/export: Export(Export { link: 1N8K4R0000000000000000000Z, format: Json, deleted: false })
            HEAD /api/desk/ID/export?format=csv&deleted=true: Export(Export { link: 1N8K4R0000000000000000000Z, format: Csv, deleted: true })
            GET /api/desk/ID/export?format=%73vg&new=1: Export(Export { link: 1N8K4R0000000000000000000Z, format: Svg, deleted: false })
            GET /: Page
            GET /?utm=1: Page
            GET /d/ID: Page
            GET /index.html: Asset
            GET /healthz: Health
            HEAD /readyz: Ready
            GET /metrics: Metrics
        "#]],
    );
}

#[test]
fn wrong_addresses_methods_and_queries() {
    check(
        "GET /nothing
        GET /api
        GET /api/desk/ID/export/x
        GET /d/ID/x
        GET /d/short
        GET /api/desk/IDX/export
        POST /api/desk/ID/rename
        GET /api/desk/init
        POST /api/desk/collaboration/sync
        OPTIONS /api/desk/init
        PUT /
        GET /../Cargo.toml
        OPTIONS *
        GET /api/desk/collaboration/sync
        GET /api/desk/collaboration/sync?since=x
        GET /api/desk/collaboration/sync?since=-1
        GET /api/desk/collaboration/sync?since=99999999999999999999
        GET /api/desk/collaboration/sync?since=1&wait=26
        GET /api/desk/collaboration/sync?since=1&since=2
        GET /api/desk/collaboration/sync?since=%1
        GET /api/desk/ID/export?format=doc
        GET /api/desk/ID/export?deleted=1",
        expect![[r#"
            GET /nothing: 404 There is nothing at /nothing; the page is at /, the interface below /api/desk.
            GET /api: 404 There is nothing at /api; the page is at /, the interface below /api/desk.
            GET /api/desk/ID/export/x: 404 There is nothing at /api/desk/1N8K4R0000000000000000000Z/export/x; the page is at /, the interface below /api/desk.
            GET /d/ID/x: Page
            GET /d/short: 404 This is no link to a desk: expected 26 characters, found 5. Check it, or ask for a new one.
            GET /api/desk/IDX/export: 404 This is no link to a desk: expected 26 characters, found 27. Check it, or ask for a new one.
            POST /api/desk/ID/rename: 404 There is nothing at /api/desk/1N8K4R0000000000000000000Z/rename; the page is at /, the interface below /api/desk.
            GET /api/desk/init: 405 [POST] /api/desk/init does not do this; use POST.
            POST /api/desk/collaboration/sync: 405 [GET, PATCH] /api/desk/collaboration/sync does not do this; use GET, PATCH.
            OPTIONS /api/desk/init: 405 [POST] /api/desk/init does not do this; use POST.
            PUT /: 405 [GET, HEAD] / does not do this; use GET, HEAD.
            GET /../Cargo.toml: 404 There is nothing at /../Cargo.toml; the page is at /, the interface below /api/desk.
            OPTIONS *: 405 [GET, HEAD] * does not do this; use GET, HEAD.
            GET /api/desk/collaboration/sync: 400 The parameter since is missing; give the last revision you have, 0 for none.
            GET /api/desk/collaboration/sync?since=x: 400 The parameter since is not a whole number; give digits.
            GET /api/desk/collaboration/sync?since=-1: 400 The parameter since is not a whole number; give digits.
            GET /api/desk/collaboration/sync?since=99999999999999999999: 422 The parameter since may be 0 to 18446744073709551615.
            GET /api/desk/collaboration/sync?since=1&wait=26: 422 The parameter wait may be 0 to 25.
            GET /api/desk/collaboration/sync?since=1&since=2: 400 The parameter since is given twice; give it once.
            GET /api/desk/collaboration/sync?since=%1: 400 The query is not percent-encoded UTF-8; encode it.
            GET /api/desk/ID/export?format=doc: 400 The parameter format may be: json, csv, md, svg, png, pdf, excalidraw, tldr, canvas.
            GET /api/desk/ID/export?deleted=1: 400 The parameter deleted may be: true, false.
        "#]],
    );
}

#[test]
fn frames_are_polled_for_by_accept() {
    let frames = |accept: &str| {
        let head = head("GET /api/desk/collaboration/sync?since=1", &format!("Accept: {accept}"));
        matches!(Route::of(&head), Ok(Route::Poll(poll)) if poll.frames)
    };
    assert!(frames("application/octet-stream"));
    assert!(frames("text/plain, Application/Octet-Stream;q=0.9"));
    assert!(!frames("application/json"));
    assert!(!frames("*/*"));
}

#[test]
fn keys_labels_and_types() {
    let key = |fields: &str| {
        route::session_key(&head("GET /", fields)).map(str::to_owned).map_err(|p| told(&p))
    };
    assert_eq!(key("WebSocket-Session-Key: A-B-C"), Ok("A-B-C".to_owned()));
    let missing = "401 A session key is needed; get one from POST /api/desk/init and send it as \
                   WebSocket-Session-Key.";
    assert_eq!(key(""), Err(missing.to_owned()));
    assert_eq!(key("WebSocket-Session-Key:"), Err(missing.to_owned()));

    let label = |fields: &str| {
        route::user_label(&head("GET /", fields)).map(str::to_owned).map_err(|p| told(&p))
    };
    assert_eq!(label("R-User-ID: ann_7"), Ok("ann_7".to_owned()));
    assert_eq!(label(&format!("R-User-ID: {}", "x".repeat(64))), Ok("x".repeat(64)));
    for wrong in [
        String::new(),
        "R-User-ID:".to_owned(),
        format!("R-User-ID: {}", "x".repeat(65)),
        "R-User-ID: a b".to_owned(),
        "R-User-ID: \u{fc}".to_owned(),
        "R-User-ID: a\nR-User-ID: b".to_owned(),
    ] {
        assert!(
            label(&wrong).is_err_and(|told| told.starts_with("400 The header field R-User-ID"))
        );
    }

    let typed = |media: &str| head("GET /", &format!("Content-Type: {media}"));
    assert!(route::require_json(&typed("application/json; charset=utf-8")).is_ok());
    for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        assert_eq!(route::require_json(&typed(other)).unwrap_err().status.0, 415);
        assert_eq!(route::submit_body(&typed(other)).unwrap_err().status.0, 415);
    }
    assert_eq!(route::require_json(&head("GET /", "")).unwrap_err().status.0, 415);
    assert_eq!(route::submit_body(&head("GET /", "")), Ok(route::SubmitBody::Json));
    assert_eq!(
        route::submit_body(&typed("Application/Octet-Stream")),
        Ok(route::SubmitBody::Frame)
    );
}

fn policy() -> OriginPolicy {
    let listen = ["127.0.0.1:8080".parse().unwrap()];
    OriginPolicy::new(&listen, Some("https://desk.example"), &["http://localhost:5173"]).unwrap()
}

#[test]
fn origins_are_compared_by_scheme_name_and_port() {
    for (one, other) in [
        ("http://a.example", "http://A.example:80/"),
        ("https://a.example:443", "https://a.example"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
    ] {
        assert!(route::is_same_origin(one, other), "{one} {other}");
    }
    for (one, other) in [
        ("http://a.example", "https://a.example"),
        ("http://a.example", "http://a.example:8080"),
        ("http://a.example", "http://a.example.org"),
        ("null", "null"),
        ("", ""),
    ] {
        assert!(!route::is_same_origin(one, other), "{one} {other}");
    }
}

#[test]
fn hosts() {
    let host = |policy: &OriginPolicy, host: &str| {
        policy.check_host(&head("GET /", &format!("Host: {host}"))).map_err(|p| p.status.0)
    };
    for ours in [
        "127.0.0.1:8080",
        "127.0.0.1",
        "localhost:8080",
        "LOCALHOST:8080",
        "[::1]:8080",
        "desk.example",
        "desk.example:443",
    ] {
        assert_eq!(host(&policy(), ours), Ok(()), "{ours}");
    }
    for foreign in [
        "evil.example",
        "localhost.evil.example",
        "desk.example.evil",
        "desk.example:8080",
        "10.0.0.1",
        "localhost@evil",
        "localhost:x",
        "localhost:99999",
        "[::1",
        "",
        "a/b",
    ] {
        assert_eq!(host(&policy(), foreign), Err(421), "{foreign}");
    }
    // On all addresses, every address literal may be ours; names may not.
    let open = OriginPolicy::new(&["0.0.0.0:80".parse().unwrap()], None, &[""; 0]).unwrap();
    assert_eq!(host(&open, "192.168.1.7"), Ok(()));
    assert_eq!(host(&open, "[fe80::1]:80"), Ok(()));
    assert_eq!(host(&open, "evil.example"), Err(421));
    // A machine of a cluster has a name of its own beside the common one.
    let both = policy().also_at("https://a.desk.example:8443").unwrap();
    for ours in ["desk.example", "a.desk.example:8443"] {
        assert_eq!(host(&both, ours), Ok(()), "{ours}");
    }
    assert_eq!(host(&both, "b.desk.example:8443"), Err(421));
    assert!(policy().also_at("a.desk.example").is_err());
    // The authority of an absolute target counts, not the field beside it.
    let absolute = head("GET http://evil.example/", "Host: localhost");
    assert!(policy().check_host(&absolute).is_err());
    for wrong in ["desk.example", "ftp://desk.example", "https://desk.example/a//b", "https://"] {
        assert!(OriginPolicy::new(&[], Some(wrong), &[""; 0]).is_err(), "{wrong}");
    }
}

#[test]
fn origins() {
    let origin = |host: &str, origin: &str| {
        let fields = format!("Host: {host}\nOrigin: {origin}");
        policy().check_origin(&head("GET /", &fields)).map_err(|p| p.status.0)
    };
    for (host, ours) in [
        ("localhost:8080", "http://localhost:8080"),
        ("127.0.0.1:8080", "http://localhost:8080"),
        ("localhost:9999", "http://localhost:9999"),
        ("desk.example", "https://desk.example"),
        ("localhost:8080", "http://localhost:5173"),
        ("localhost:8080", "https://desk.example:443"),
    ] {
        assert_eq!(origin(host, ours), Ok(()), "{host} {ours}");
    }
    for foreign in [
        "null",
        "http://evil.example",
        "http://localhost:3000",
        "http://localhost",
        "http://desk.example",
        "https://localhost:5173",
        "http://localhost:8080.evil.example",
        "localhost:8080",
        "",
    ] {
        assert_eq!(origin("localhost:8080", foreign), Err(403), "{foreign}");
    }
    assert!(policy().check_origin(&head("GET /", "")).is_ok(), "programs send no origin");
}

fn page(line: &str, fields: &str) -> Response {
    page::respond(&head(line, fields), "https://127.0.0.1:8443", "")
}

#[test]
fn the_page_is_served_safely() {
    let index = page("GET /d/ID", "");
    assert_eq!(index.status.0, 200);
    assert_eq!(index.body.bytes(), page("GET /", "").body.bytes());
    assert!(String::from_utf8_lossy(index.body.bytes()).contains("<title>"));
    let field = |name: &str| index.field(name).unwrap_or_default().to_owned();
    assert_eq!(field("Content-Type"), "text/html; charset=utf-8");
    let csp = field("Content-Security-Policy");
    for part in [
        "default-src 'self';",
        "script-src 'self' 'wasm-unsafe-eval';",
        "connect-src 'self' https://127.0.0.1:8443;",
        "frame-ancestors 'none'",
    ] {
        assert!(csp.contains(part), "{csp}");
    }
    assert_eq!(field("Referrer-Policy"), "no-referrer");
    assert_eq!(field("X-Content-Type-Options"), "nosniff");
    assert_eq!(field("Cache-Control"), "no-cache");
    for absent in ["Set-Cookie", "Access-Control-Allow-Origin"] {
        assert_eq!(index.field(absent), None);
    }

    // A mangled link: a page for people, the problem for programs.
    let mangled = head("GET /d/short", "Accept: text/html,*/*;q=0.8");
    assert_eq!(Route::of(&mangled), Ok(Route::Page));
    assert_eq!(page::respond(&mangled, "", "").status.0, 404);
    assert_eq!(Route::of(&head("GET /d/short", "Accept: */*")).unwrap_err().status.0, 404);

    let tag = field("ETag");
    let strong = tag.trim_start_matches("W/").to_owned();
    for known in [tag.clone(), format!("\"x\", {tag}"), strong, "*".to_owned()] {
        let again = page("GET /", &format!("If-None-Match: {known}"));
        assert_eq!((again.status.0, again.body.bytes().len()), (304, 0), "{known}");
    }
    assert_eq!(page("GET /", "If-None-Match: \"x\"").status.0, 200);

    let packed = page("GET /", "Accept-Encoding: gzip");
    assert_eq!(packed.field("Content-Encoding"), Some("gzip"));
    // The build of the page makes the brotli form; without one there is gzip alone.
    let coding = |fields| page("GET /", fields).field("Content-Encoding").map(str::to_owned);
    let best = coding("Accept-Encoding: gzip, br");
    assert!(matches!(best.as_deref(), Some("br" | "gzip")), "{best:?}");
    assert_eq!(coding("Accept-Encoding: br;q=0, *").as_deref(), Some("gzip"));
    assert_eq!(packed.body.bytes()[..2], [0x1f, 0x8b]);
    assert_eq!(page("GET /", "Accept-Encoding: gzip;q=0").field("Content-Encoding"), None);
}

#[test]
fn sessions_of_webtransport() {
    let check = |authority: &str, origin| {
        policy().check_session(authority, origin).map_err(|problem| problem.status.0)
    };
    // QUIC has a port of its own.
    assert_eq!(check("localhost:8443", None), Ok(()), "programs send no origin");
    assert_eq!(check("127.0.0.1:8443", Some("http://localhost:8080")), Ok(()));
    assert_eq!(check("desk.example:8443", Some("https://desk.example")), Ok(()));
    assert_eq!(check("localhost:8443", Some("http://localhost:5173")), Ok(()), "it is allowed");
    assert_eq!(check("localhost:8443", Some("http://localhost:3000")), Err(403));
    assert_eq!(check("localhost:8443", Some("https://evil.example")), Err(403));
    assert_eq!(check("evil.example:8443", Some("https://evil.example")), Err(421));

    let key = |path, query| route::session_of(path, query).map_err(|problem| problem.status.0);
    assert_eq!(key(route::SESSION_PATH, Some("session_key=A-B%2DC")), Ok("A-B-C".to_owned()));
    assert_eq!(key(route::SESSION_PATH, None), Err(401));
    assert_eq!(key(route::SESSION_PATH, Some("session_key=%zz")), Err(400));
    assert_eq!(key("/api/desk/collaboration/init", Some("session_key=A")), Err(404));
}

#[test]
fn a_public_url_may_have_a_path() {
    let policy = |url: &str| OriginPolicy::new(&[], Some(url), &[""; 0]);
    for (url, prefix) in [
        ("https://desk.example", ""),
        ("https://desk.example/", ""),
        ("https://desk.example/team/desk/", "/team/desk"),
    ] {
        let policy = policy(url).unwrap();
        assert_eq!(policy.prefix(), prefix, "{url}");
        assert!(policy.check_host(&head("GET /", "Host: desk.example")).is_ok(), "{url}");
        let origin = "Host: desk.example\nOrigin: https://desk.example";
        assert!(policy.check_origin(&head("GET /", origin)).is_ok(), "{url}");
    }
    for wrong in ["/a b", "/a?b", "/a#b", "/../a", "/a//b", "/%2e", "/a\"b"] {
        let wrong = policy(&format!("https://desk.example{wrong}")).unwrap_err();
        assert!(wrong.to_string().contains("[/PATH]"), "{wrong}");
    }
}

#[test]
fn a_request_may_keep_the_path_of_the_public_url() {
    let below = |line: &str, prefix| {
        let head = head(line, "").below(prefix)?;
        Some((Route::of(&head).ok(), head.path().to_owned(), head.query().map(str::to_owned)))
    };
    let page = |path: &str| Some((Some(Route::Page), path.to_owned(), None));
    assert_eq!(below("GET /team", "/team"), page("/"));
    assert_eq!(below("GET /team/", "/team"), page("/"));
    assert_eq!(below("GET /team/a/", "/team/a"), page("/"));
    let poll = below("GET /team/healthz?x=1", "/team");
    assert_eq!(poll, Some((Some(Route::Health), "/healthz".to_owned(), Some("x=1".to_owned()))));
    for other in ["GET /", "GET /teams", "GET /other/team"] {
        assert_eq!(below(other, "/team"), None, "{other}");
    }
    assert_eq!(below("GET /team", ""), None);
}

#[test]
fn a_page_below_a_path_finds_its_files_there() {
    let page = |prefix, fields| page::respond(&head("GET /", fields), "", prefix);
    let plain = String::from_utf8_lossy(page("", "").body.bytes()).into_owned();
    let packed = page("/team/desk", "Accept-Encoding: br, gzip");
    assert_eq!(packed.field("Content-Encoding"), None);
    let moved = String::from_utf8_lossy(packed.body.bytes()).into_owned();
    assert_eq!(moved, plain.replacen("<base href=\"/\"", "<base href=\"/team/desk/\"", 1));
    // What a browser kept of one is not the other.
    let tag = page("", "").field("ETag").unwrap().to_owned();
    let known = format!("If-None-Match: {tag}");
    assert_eq!((page("", &known).status.0, page("/team", &known).status.0), (304, 200));
    let own = format!("If-None-Match: {}", page("/team", "").field("ETag").unwrap());
    assert_eq!(page("/team", &own).status.0, 304);
    let csp = packed.field("Content-Security-Policy").unwrap();
    assert!(csp.contains("base-uri 'self'"), "{csp}");
}
