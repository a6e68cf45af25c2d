//! https and wss with the server's own certificate, trusted by its fingerprint.

use desk_client_native::{Desk, NewSticker, Options, Trust};
use desk_e2e::server::run;
use desk_e2e::{PATIENCE, Server, Setup, eventually};
use tokio::time::timeout;

/// A shared server, and the fingerprint that it prints for guests.
fn shared() -> (Server, String) {
    let server = Setup::default().switch("--share").start();
    let fingerprint = eventually("the fingerprint", || {
        let log = server.log();
        let line = log.lines().find(|line| line.matches(':').count() == 31)?;
        Some(line.trim_start_matches("out| ").trim().to_owned())
    });
    (server, fingerprint)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_trusts_one_certificate() {
    let (server, fingerprint) = tokio::task::block_in_place(shared);
    let url = format!("https://{}", server.address());
    let made = tokio::task::block_in_place(|| {
        run(&["new", "Secret", "--server", &url, "--certificate", &fingerprint])
    });
    assert!(made.status.success(), "{made:?}");
    let made = String::from_utf8(made.stdout).expect("UTF-8");
    let id = made.lines().next().expect("a line").split('/').nth(4).expect("an id");
    let id = id.split_whitespace().next().expect("an id");

    let mut sha256 = [0; 32];
    for (byte, digits) in sha256.iter_mut().zip(fingerprint.split(':')) {
        *byte = u8::from_str_radix(digits, 16).expect("hex digits");
    }
    let join = |sha256| {
        let options = Options { trust: Trust::Certificate(sha256), ..Options::default() };
        let link = format!("{url}/d/{id}").parse().expect("a link");
        timeout(PATIENCE, Desk::join_with(link, options))
    };
    let desk = join(sha256).await.expect("in time").expect("a desk");
    desk.add(NewSticker::default()).expect("it is added");
    timeout(PATIENCE, desk.saved()).await.expect("in time").expect("it is saved");
    assert_eq!(desk.revision().0, 1);

    sha256[0] ^= 1;
    join(sha256).await.expect("in time").expect_err("another certificate");
    let link = format!("{url}/d/{id}");
    timeout(PATIENCE, Desk::join(&link))
        .await
        .expect("in time")
        .expect_err("no authority vouches for it");
}
