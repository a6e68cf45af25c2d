//! Starting: what is refused, in one clear line.

use desk_e2e::server::run;
use desk_e2e::{Server, create, desk};

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
