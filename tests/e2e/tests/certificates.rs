//! Certificates that change under a running server: new connections get the new one, and
//! those that are open stay.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use desk_client_native::{Carriers, Desk, OpenError, Options, Trust};
use desk_e2e::desk::init;
use desk_e2e::programs::{note, soon};
use desk_e2e::{Joined, Quic, Server, Setup, create, eventually, join};
use desk_protocol::Revision;
use desk_protocol::frame::ServerFrame;
use quinn::rustls::pki_types::CertificateDer;
use tokio::task::block_in_place;

/// The file of the self-made certificates: a line about them, and each with its key.
const FILE: &str = "quic-certificates.pem";
/// What stands between the two.
const BETWEEN: &str = "# next\n";

/// SHA-256 of the present certificate and of the next, as init tells them.
fn told(server: &Server, desk: &Joined) -> [[u8; 32]; 2] {
    let answer = init(server, &desk.id).expect(200).json();
    [0, 1].map(|which| {
        let text = answer["collaboration"]["certificates"][which].as_str().expect("a hash");
        STANDARD.decode(text).expect("base64").try_into().expect("32 bytes")
    })
}

/// The certificate that a connection was given.
fn shown(line: &Quic) -> CertificateDer<'static> {
    let chain = line.connection.peer_identity().expect("a certificate");
    chain.downcast::<Vec<CertificateDer<'static>>>().expect("a chain")[0].clone()
}

async fn sees(server: &Server, ada: &Joined, line: &mut Quic, seq: u64) {
    block_in_place(|| ada.add(server, seq, "seen"));
    let committed = line.find(|frame| match frame {
        ServerFrame::Commit(commit) => Some(commit.revision),
        _ => None,
    });
    assert_eq!(soon(committed).await, Revision(seq));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_self_made_certificate_gives_way_to_the_next() {
    let server = block_in_place(Server::new);
    let ada = block_in_place(|| create(&server, ""));
    let [present, next] = block_in_place(|| told(&server, &ada));
    let guest = block_in_place(|| join(&server, &ada.id));
    let mut line = Quic::join(&server, &guest, 0).await;
    let welcomed = line.find(|frame| matches!(frame, ServerFrame::Welcome(_)).then_some(()));
    soon(welcomed).await;
    // Its time is over: six days are as if they had passed.
    let path = server.data().join(FILE);
    let text = std::fs::read_to_string(&path).expect("the file");
    let since = text.split(' ').nth(2).expect("a second");
    let before = since.parse::<u64>().expect("a number") - 6 * 86_400;
    std::fs::write(&path, text.replacen(since, &before.to_string(), 1)).expect("it is written");
    server.hang_up();
    let later = block_in_place(|| {
        eventually("other certificates", || {
            Some(told(&server, &ada)).filter(|told| told[0] != present)
        })
    });
    assert_eq!(later[0], next, "what was the next is in use");
    assert!(![present, next].contains(&later[1]), "and another one is told");
    // Whoever was told both before still comes in, and whoever is there stays.
    let newcomer = soon(Quic::connect(&server, 1)).await;
    assert_ne!(shown(&newcomer), shown(&line));
    sees(&server, &ada, &mut line, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sighup_reads_the_files_again_and_ends_nobody() {
    // Two certificates with their keys, and their hashes.
    let maker = block_in_place(Server::new);
    let hashes = block_in_place(|| told(&maker, &create(&maker, "")));
    let made = std::fs::read_to_string(maker.data().join(FILE)).expect("the file");
    let (first, second) = made.split_once(BETWEEN).expect("two of them");
    let path = maker.folder().join("own.pem");
    std::fs::write(&path, first).expect("it is written");
    let file = path.to_str().expect("a path").to_owned();
    let setup = Setup::default().flag("--tls-cert", &file).flag("--tls-key", &file);
    let server = block_in_place(|| setup.start());
    let url = format!("https://{}", server.address());
    let options = |which: usize, carriers| Options {
        trust: Trust::Certificate(hashes[which]),
        carriers,
        ..Options::default()
    };
    let opening = Desk::create_with(url.parse().expect("a URL"), "", options(0, Carriers::Quic));
    let ann = soon(opening).await.expect("a desk");
    let link = ann.link().clone();
    let joined = async |which, carriers| -> Result<Desk, OpenError> {
        soon(Desk::join_with(link.clone(), options(which, carriers))).await
    };
    let bob = joined(0, Carriers::WebSocket).await.expect("the desk");
    for desk in [&ann, &bob] {
        soon(desk.live()).await.expect("a line");
    }
    std::fs::write(&path, second).expect("it is written");
    server.hang_up();
    block_in_place(|| {
        eventually("the new certificate", || {
            server.log().contains("the certificate was read again").then_some(())
        });
    });
    joined(0, Carriers::Quic).await.expect_err("the former certificate");
    for carriers in [Carriers::Quic, Carriers::WebSocket] {
        let late = joined(1, carriers).await.expect("the desk");
        soon(late.live()).await.expect("a line");
    }
    // A connection that was lost could not come back: its certificate is not trusted.
    for desk in [&ann, &bob] {
        desk.add(note("still here")).expect("it is added");
        soon(desk.saved()).await.expect("it is saved");
    }
    // What cannot be read changes nothing.
    std::fs::write(&path, "no certificate").expect("it is written");
    server.hang_up();
    block_in_place(|| {
        eventually("the complaint", || {
            server.log().contains("the certificate stays as it is").then_some(())
        });
    });
    joined(1, Carriers::Quic).await.expect("the desk");
}
