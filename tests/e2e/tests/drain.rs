//! A planned stop: nothing acknowledged is lost, clients are told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use desk_e2e::http::try_send;
use desk_e2e::server::run;
use desk_e2e::{Server, Socket, create, desk, eventually, join};
use desk_protocol::frame::CloseCode;
use serde_json::json;

#[test]
fn a_planned_stop_under_load_loses_nothing() {
    let mut server = Server::new();
    let ada = create(&server, "");
    let mut socket = Socket::live(&server, &join(&server, &ada.id).key);
    let address = server.address();
    let stop = AtomicBool::new(false);
    let acknowledged = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|number| {
                let client = join(&server, &ada.id);
                let stop = &stop;
                scope.spawn(move || {
                    let mut acknowledged = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let seq = acknowledged.len() + 1;
                        let text = format!("{number}.{seq}");
                        let body = json!({
                            "client_seq": seq, "base_revision": 0,
                            "ops": [{ "create": { "x": 0, "y": 0, "text": text } }],
                        });
                        let fields = [
                            ("Content-Type", "application/json"),
                            ("WebSocket-Session-Key", &*client.key),
                            ("R-User-ID", "load"),
                        ];
                        let target = "/api/desk/collaboration/sync";
                        let body = body.to_string();
                        match try_send(address, "PATCH", target, &fields, body.as_bytes()) {
                            Some(reply) if reply.status == 221 => acknowledged.push(text),
                            Some(reply) => {
                                assert_eq!(reply.status, 503, "{reply:?}");
                                break;
                            }
                            None => break,
                        }
                    }
                    acknowledged
                })
            })
            .collect();
        for _ in 0..40 {
            socket.commit();
        }
        server.terminate();
        let (code, ..) = socket.closed();
        assert_eq!(code, CloseCode::Draining);
        let (status, log, took) = server.ended();
        assert!(status.success(), "{status}:\n{log}");
        assert!(took < Duration::from_secs(10), "it took {took:?}");
        stop.store(true, Ordering::Relaxed);
        let lists = senders.into_iter().map(|sender| sender.join().expect("a sender ends well"));
        lists.flatten().collect::<Vec<_>>()
    });
    assert!(acknowledged.len() >= 40);
    server.up();
    let kept = eventually("the desk", || Some(desk::texts(&server, &ada.id)));
    for text in &acknowledged {
        assert_eq!(kept.iter().filter(|kept| *kept == text).count(), 1, "{text}");
    }
}

#[test]
fn a_planned_stop_does_not_wait_for_idle_connections() {
    let mut server = Server::new();
    let ada = create(&server, "");
    let mut idle = Socket::live(&server, &ada.key);
    let _silent = desk_e2e::http::connect(server.address());
    std::thread::scope(|scope| {
        let poll = scope.spawn(|| {
            let target = "/api/desk/collaboration/sync?since=0&wait=25";
            let fields = [("WebSocket-Session-Key", &*ada.key)];
            // It is answered or cut off; both are an end.
            try_send(server.address(), "GET", target, &fields, b"").map(|reply| reply.status)
        });
        // The poll is under way or will be refused: both must end with the server.
        server.terminate();
        assert_eq!(idle.closed().0, CloseCode::Draining);
        let ended = poll.join().expect("the poll ends");
        assert!(matches!(ended, None | Some(200 | 503)), "{ended:?}");
    });
    let (status, log, took) = server.ended();
    assert!(status.success() && took < Duration::from_secs(10), "{status}, {took:?}:\n{log}");
}

#[test]
fn a_planned_stop_leaves_the_next_start_nothing_to_replay() {
    let mut server = Server::new();
    let desks: Vec<_> = (0..30).map(|_| create(&server, "")).collect();
    for ada in &desks {
        ada.add(&server, 1, "kept");
    }
    server.stop();
    let data = server.data();
    let inspected = run(&["inspect", data.to_str().expect("a path in UTF-8")]);
    let inspected = String::from_utf8_lossy(&inspected.stdout).into_owned();
    assert!(inspected.contains(" 0 newer records in the log"), "{inspected}");
    server.up();
    for ada in &desks {
        assert_eq!(desk::texts(&server, &ada.id), ["kept"]);
    }
}
