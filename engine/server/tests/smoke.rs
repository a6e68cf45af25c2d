//! The running binary, over raw sockets: a desk is made, a frame goes through
//! a WebSocket, the process is killed, and everything acknowledged is there.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use desk_gateway_http::http::client::{Answer, AnswerReader, request};
use desk_gateway_http::websocket::handshake::ClientHandshake;
use desk_gateway_http::websocket::{Event, Input, Opcode, Role, WebSocket};
use desk_protocol::codec::{self, Decoded};
use desk_protocol::frame::{ClientFrame, Hello, Outcome, ServerFrame, Submit};
use desk_protocol::operation::{Create, Operation};
use desk_protocol::{ClientSeq, Point, Revision, Size, StickerId};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server of its own, with its own folder.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(data: &Path, shards: u16) -> Self {
        Self::start_with(data, shards, &[])
    }

    fn start_with(data: &Path, shards: u16, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sticker-desk"))
            .args(["serve", "--listen", "127.0.0.1:0", "--shards", &shards.to_string(), "--data"])
            .arg(data)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let out = child.stdout.take().expect("its output is piped");
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).expect("it says something");
        let address = line.split_once("http://").expect("it says where it is").1;
        let end = address.find([',', '\n']).expect("the line has an end");
        Self { address: address[..end].parse().expect("an address"), child }
    }

    fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    fn stop(mut self) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(told.success());
        assert!(self.child.wait().expect("it ends").success(), "a planned stop ends with 0");
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
        stream
    }

    fn ask(&self, method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = self.connect();
        let host = self.address.to_string();
        stream.write_all(&request(method, target, &host, fields, body)).expect("it is sent");
        let mut reader = AnswerReader::new(8 << 20);
        let mut buffer = [0; 4096];
        loop {
            let length = stream.read(&mut buffer).expect("it answers in time");
            assert!(length > 0, "the connection ended before the answer");
            if let Some(answer) = reader.handle_bytes(&buffer[..length]).expect("HTTP") {
                return answer;
            }
        }
    }

    fn init(&self, body: &Value) -> Value {
        let body = body.to_string();
        let fields = [("Content-Type", "application/json")];
        let answer = self.ask("POST", "/api/desk/init", &fields, body.as_bytes());
        assert_eq!(answer.status.0, 200, "{}", answer.detail());
        serde_json::from_slice(&answer.body).expect("JSON")
    }
}

/// A WebSocket of a client that said hello.
struct Socket {
    stream: TcpStream,
    protocol: WebSocket,
    received: Vec<u8>,
}

impl Socket {
    fn open(server: &Server, key: &str, connection: u64) -> Self {
        let mut stream = server.connect();
        let mut handshake = ClientHandshake::new([7; 16], key);
        let target = "/api/desk/collaboration/init";
        stream
            .write_all(&handshake.request(target, &server.address.to_string()))
            .expect("it is sent");
        let mut buffer = [0; 4096];
        let leftover = loop {
            let length = stream.read(&mut buffer).expect("it answers in time");
            if let Some(leftover) = handshake.handle_bytes(&buffer[..length]).expect("101") {
                break leftover;
            }
        };
        let protocol = WebSocket::new(Role::Client(Box::new(|| [1, 2, 3, 4])), 32 << 20);
        let mut socket = Self { stream, protocol, received: Vec::new() };
        socket.take(leftover);
        socket.send(&ClientFrame::Hello(Hello {
            session_key: key.to_owned(),
            connection,
            revision: Some(Revision(0)),
            user: "smoke".to_owned(),
            repeats: false,
        }));
        socket
    }

    fn send(&mut self, frame: &ClientFrame) {
        let (mut bytes, mut out) = (Vec::new(), Vec::new());
        codec::encode_client(frame, &mut bytes);
        self.protocol.send(Opcode::Binary, &bytes, &mut out);
        self.stream.write_all(&out).expect("it is sent");
    }

    fn take(&mut self, mut bytes: Vec<u8>) {
        let mut out = Vec::new();
        let mut input = Input::new(&mut bytes);
        while let Some(event) = self.protocol.next(&mut input, &mut out).expect("RFC 6455") {
            if let Event::Binary(message) = event {
                self.received.extend_from_slice(message);
            }
        }
    }

    fn next(&mut self) -> ServerFrame {
        loop {
            match codec::decode_server(&self.received).expect("frames of the server") {
                Decoded::Frame(length, frame) => {
                    self.received.drain(..length);
                    if let Some(frame) = frame {
                        return frame;
                    }
                }
                Decoded::Incomplete => {
                    let mut buffer = vec![0; 4096];
                    let length = self.stream.read(&mut buffer).expect("a frame comes in time");
                    assert!(length > 0, "the connection ended");
                    buffer.truncate(length);
                    self.take(buffer);
                }
            }
        }
    }
}

fn create(seq: u64, base: u64) -> ClientFrame {
    ClientFrame::Submit(Submit {
        client_seq: ClientSeq(seq),
        base: Revision(base),
        made_at: Revision(base),
        operations: vec![Operation::Create(Create {
            id: StickerId(1_000 + seq),
            position: Point { x: 1, y: 2 },
            size: Size::default(),
            color: Default::default(),
            text: format!("note {seq}"),
            ..Create::default()
        })],
    })
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("smoke-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

#[test]
fn acknowledged_edits_survive_kill_and_reshard() {
    let data = folder("kill");
    let server = Server::start(&data, 2);
    // More than one desk, so that both shards own some.
    let desks: Vec<_> = (0..4)
        .map(|number| server.init(&json!({"name": format!("Desk {number}"), "create_new": true})))
        .collect();
    for desk in &desks {
        let mut socket = Socket::open(&server, desk["session_key"].as_str().unwrap(), 1);
        let ServerFrame::Welcome(welcome) = socket.next() else { panic!("a welcome comes first") };
        assert_eq!((welcome.revision, welcome.snapshot), (Revision(0), false));
        for seq in 1..=5 {
            socket.send(&create(seq, seq - 1));
            let ServerFrame::Commit(commit) = socket.next() else { panic!("a commit answers") };
            assert_eq!((commit.revision, commit.client_seq), (Revision(seq), ClientSeq(seq)));
        }
    }
    server.kill();

    for shards in [1, 3, 2] {
        let server = Server::start(&data, shards);
        for desk in &desks {
            let target = format!("/api/desk/{}/export", desk["desk_id"].as_str().unwrap());
            let answer = server.ask("GET", &target, &[], b"");
            assert_eq!(answer.status.0, 200, "{}", answer.detail());
            let export: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(export["revision"], 5);
            assert_eq!(export["stickers"].as_array().unwrap().len(), 5);
        }
        if shards == 3 {
            server.stop();
        } else {
            server.kill();
        }
    }

    // The old key is still good, and the last batch sent again changes nothing.
    let server = Server::start(&data, 2);
    let desk = &desks[0];
    let mut socket = Socket::open(&server, desk["session_key"].as_str().unwrap(), 2);
    let ServerFrame::Welcome(welcome) = socket.next() else { panic!("a welcome comes first") };
    assert_eq!(welcome.revision, Revision(5));
    let applied = welcome.last.map(|last| (last.client_seq, last.outcome));
    assert!(matches!(
        applied,
        Some((ClientSeq(5), Outcome::Applied { revision: Revision(5), .. }))
    ));
    socket.send(&create(5, 4));
    let answer = loop {
        match socket.next() {
            ServerFrame::Answer(answer) => break answer,
            ServerFrame::Commit(_) | ServerFrame::SnapshotChunk(_) | ServerFrame::Welcome(_) => {}
            other => panic!("unexpected: {other:?}"),
        }
    };
    assert!(matches!(answer.outcome, Outcome::Applied { revision: Revision(5), .. }));
    server.stop();
    std::fs::remove_dir_all(&data).unwrap();
}

#[test]
fn a_planned_stop_tells_clients_and_ends_soon() {
    let data = folder("stop");
    let server = Server::start(&data, 2);
    let desk = server.init(&json!({"name": "", "create_new": true, "desk": false}));
    assert!(desk.get("desk").is_none());
    let mut socket = Socket::open(&server, desk["session_key"].as_str().unwrap(), 1);
    assert!(matches!(socket.next(), ServerFrame::Welcome(_)));
    let started = std::thread::spawn(move || server.stop());
    let told = loop {
        if let ServerFrame::Close { code, .. } = socket.next() {
            break code;
        }
    };
    assert_eq!(told, desk_protocol::frame::CloseCode::Draining);
    drop(socket);
    started.join().unwrap();
    std::fs::remove_dir_all(&data).unwrap();
}

/// A log of three segments takes many times its size: desks are stored, which
/// frees segments, before the last one is full, and nothing is lost by it.
#[test]
fn a_small_log_goes_round_under_load() {
    let data = folder("log");
    std::fs::create_dir_all(&data).expect("a folder can be made");
    let config = data.join("small.toml");
    std::fs::write(&config, "log-budget = \"3MiB\"\n[limits]\nsegment = \"1MiB\"\n")
        .expect("a file can be written");
    let server = Server::start_with(&data, 1, &["--config", config.to_str().expect("UTF-8")]);
    let desk = server.init(&json!({"name": "Log", "create_new": true, "desk": false}));
    let key = desk["session_key"].as_str().expect("a key");
    let fields = [
        ("Content-Type", "application/json"),
        ("R-User-ID", "smoke"),
        ("WebSocket-Session-Key", key),
    ];
    let id = "0000000000001";
    let batches = 500;
    for seq in 1..=batches {
        let text = "x".repeat(9_000) + &seq.to_string();
        let before = 9_000 + (seq - 1).to_string().len();
        let delta = json!([{ "delete": before }, { "insert": text }]);
        let operation = match seq {
            1 => json!({"create": {"id": id, "x": 0, "y": 0, "text": text}}),
            _ => json!({"edit_text": {"id": id, "delta": delta}}),
        };
        let batch = json!({"client_seq": seq, "base_revision": seq - 1, "ops": [operation]});
        // While the last segment is in use, changes are refused for a moment.
        loop {
            let target = "/api/desk/collaboration/sync";
            let answer = server.ask("PATCH", target, &fields, batch.to_string().as_bytes());
            if answer.status.0 == 221 {
                break;
            }
            assert_eq!(answer.status.0, 503, "{}", answer.detail());
        }
    }
    let metrics = server.ask("GET", "/metrics", &[], b"");
    let metrics = String::from_utf8(metrics.body).expect("text");
    assert!(metrics.contains("sticker_desk_log_refused_total{shard=\"0\"} 0\n"));
    server.kill();
    let server = Server::start(&data, 2);
    let target = format!("/api/desk/{}/export", desk["desk_id"].as_str().expect("an id"));
    let export: Value =
        serde_json::from_slice(&server.ask("GET", &target, &[], b"").body).expect("an export");
    assert_eq!(export["revision"], batches);
    assert!(export["stickers"][0]["text"].as_str().expect("a text").ends_with("x500"));
    server.stop();
    std::fs::remove_dir_all(&data).unwrap();
}

#[test]
fn strangers_and_bad_settings_are_told_what_is_wrong() {
    let data = folder("strangers");
    let server = Server::start(&data, 2);
    let status = |method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]| {
        server.ask(method, target, fields, body).status.0
    };
    assert_eq!(status("GET", "/readyz", &[], b""), 200);
    assert_eq!(status("GET", "/healthz", &[], b""), 200);
    assert_eq!(status("GET", "/api/desk/collaboration/sync?since=0", &[], b""), 401);
    assert_eq!(status("POST", "/api/desk/init", &[("Content-Type", "text/plain")], b"{}"), 415);
    // Of a second that is yet to come, and of the first one.
    let unknown = "/api/desk/7ZZZZZZ0000000000000000001/export";
    assert_eq!(status("GET", unknown, &[], b""), 404);
    let expired = "/api/desk/00000000000000000000000001/export";
    assert_eq!(status("GET", expired, &[], b""), 410);
    let metrics = server.ask("GET", "/metrics", &[], b"");
    assert!(String::from_utf8(metrics.body).unwrap().contains("sticker_desk_log_commit_seconds"));

    // A second server must touch neither the folder nor the address.
    let second = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_sticker-desk"))
            .args(arguments)
            .output()
            .expect("the binary runs");
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    };
    let path = data.to_str().unwrap();
    let (code, said) = second(&["--listen", "127.0.0.1:0", "--data", path]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("--data"), "{said}");
    let other = folder("second");
    let address = server.address.to_string();
    let (code, said) = second(&["--listen", &address, "--data", other.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("--listen"), "{said}");
    let (code, said) = second(&["--shards", "0"]);
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let (code, _) = second(&["--no-such-flag"]);
    assert_eq!(code, Some(2));
    server.stop();
    std::fs::remove_dir_all(&data).unwrap();
    let _ = std::fs::remove_dir_all(&other);
}
