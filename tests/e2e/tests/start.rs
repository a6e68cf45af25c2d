//! Starting: what is refused, in one clear line.

use desk_e2e::server::{binary, run};
use desk_e2e::{Server, create, desk, eventually};

#[test]
fn a_second_process_on_the_data_folder_is_refused() {
    let server = Server::new();
    let ada = create(&server, "mine");
    let data = server.data();
    let data = data.to_str().expect("a path in UTF-8");
    let refused = run(&["serve", "--data", data, "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(1));
    let line = String::from_utf8(refused.stderr).expect("UTF-8");
    assert_eq!(line.trim().lines().count(), 1, "one line: {line}");
    assert!(line.contains(data), "it names the folder: {line}");
    // The first one goes on.
    ada.add(&server, 1, "still here");
    assert_eq!(desk::texts(&server, &ada.id), ["still here"]);
}

#[test]
fn usage_errors_exit_with_2() {
    for wrong in [
        &["serve", "--shards", "none"][..],
        &["serve", "--desk-ttl", "soon"],
        &["serve", "--nonsense"],
        &["nonsense"],
        &["serve", "--config", "/no/such/file.toml"],
    ] {
        let ended = run(wrong);
        assert_eq!(ended.status.code(), Some(2), "{wrong:?}");
        assert!(!ended.stderr.is_empty());
    }
}

#[test]
fn help_teaches() {
    for command in ["serve", "new", "show", "watch", "export", "import", "remove", "inspect"] {
        let help = run(&[command, "--help"]);
        assert!(help.status.success(), "{command}");
        let text = String::from_utf8(help.stdout).expect("UTF-8");
        assert!(text.contains("Usage:"), "{command}: {text}");
        if command != "serve" {
            assert!(text.contains("$ sticker-desk ") || text.contains("| sticker-desk "), "{text}");
        }
    }
}

#[test]
fn an_address_in_use_is_named() {
    let server = Server::new();
    let folder = server.folder().join("other");
    let listen = server.address().to_string();
    let folder = folder.to_str().expect("a path in UTF-8");
    let refused = run(&["serve", "--data", folder, "--listen", &listen]);
    assert_eq!(refused.status.code(), Some(1));
    let line = String::from_utf8(refused.stderr).expect("UTF-8");
    assert!(line.contains(&listen), "{line}");
}

/// A configuration that never comes keeps the process before it has promised anything.
#[test]
fn a_stop_before_the_server_is_ready_is_a_good_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let (fifo, data) = (folder.path().join("config.toml"), folder.path().join("data"));
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0)
        .expect("a named pipe");
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let mut child = std::process::Command::new(binary())
            .arg("serve")
            .arg("--config")
            .arg(&fifo)
            .arg("--data")
            .arg(&data)
            .spawn()
            .expect("it starts");
        // This waits until the process reads.
        let _config = std::fs::File::options().write(true).open(&fifo).expect("a reader");
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, signal).expect("it is there");
        let status = eventually("its end", || child.try_wait().expect("a state"));
        assert!(status.success(), "{signal:?}: {status}");
    }
}
