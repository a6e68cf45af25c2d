//! All transports on a line that loses, reorders and doubles packets.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use desk_client_native::{Carriers, Desk, NewSticker, Options};
use desk_e2e::PATIENCE;
use desk_e2e::server::binary;
use desk_network::{FAR, Network, Quality};
use tokio::time::timeout;

/// A line of 20 ms that loses 5% of packets.
const BAD: Quality =
    Quality { delay: Duration::from_millis(10), loss: 0.05, reordered: 0.05, doubled: 0.02 };

struct Far(Child);

impl Drop for Far {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server at the far end.
fn serve(network: &Network, data: &std::path::Path) -> Far {
    let mut command = Command::new(binary());
    let (listen, quic) = (format!("{FAR}:8080"), format!("{FAR}:8443"));
    command.args(["serve", "--shards", "2", "--listen", &listen, "--quic", &quic, "--data"]);
    command.arg(data).stdin(Stdio::null()).stdout(Stdio::piped());
    let child = network.far().run(|| command.spawn()).flatten().expect("a server");
    let mut far = Far(child);
    let output = BufReader::new(far.0.stdout.take().expect("its output is piped"));
    let ready = output.lines().map_while(Result::ok).any(|line| line.contains(&listen));
    assert!(ready, "the server has ended: {:?}", far.0.wait());
    far
}

/// Waits until all have saved what they made and seen what the others did.
async fn settle(desks: &[Desk], count: usize) {
    let settled = async {
        for desk in desks {
            desk.saved().await.expect("it is saved");
            desk.clone().until(|desk| desk.pile().count() >= count).await.expect("it comes");
        }
    };
    timeout(4 * PATIENCE, settled).await.expect("it does not take that long");
    let texts = |desk: &Desk| -> Vec<String> {
        desk.view(|desk| desk.pile().map(|note| note.text.value.clone()).collect())
    };
    for desk in desks {
        assert_eq!(texts(desk).len(), count, "nothing is lost or doubled");
        assert_eq!(texts(desk), texts(&desks[0]));
    }
}

#[test]
fn all_transports_converge_over_a_bad_line_an_outage_and_a_new_address() {
    let network = match Network::new(1, BAD) {
        Ok(network) => network,
        Err(why) => return eprintln!("SKIPPED, no bad line can be had here: {why}"),
    };
    let data = tempfile::tempdir().expect("a folder");
    let _server = serve(&network, data.path());
    let all = async {
        let server = format!("http://{FAR}:8080");
        let first = timeout(4 * PATIENCE, Desk::create(&server, "Bad line"));
        let first = first.await.expect("in time").expect("a desk");
        let mut desks = Vec::new();
        let others = [Carriers::WebTransport, Carriers::WebSocket, Carriers::Poll];
        for carriers in [Carriers::Quic].into_iter().chain(others) {
            let options = Options { carriers, ..Options::default() };
            let joined = timeout(4 * PATIENCE, Desk::join_with(first.link().clone(), options));
            desks.push(joined.await.expect("in time").expect("a desk"));
        }
        let mut count = 0;
        let mut edit = |desks: &[Desk]| {
            for desk in desks {
                for _ in 0..5 {
                    let text = format!("note {count}");
                    desk.add(NewSticker { text, ..NewSticker::default() }).expect("it is added");
                    count += 1;
                }
            }
            count
        };
        let made = edit(&desks);
        settle(&desks, made).await;
        network.cut(true);
        edit(&desks);
        network.cut(false);
        let made = edit(&desks);
        settle(&desks, made).await;
        network.change_address().expect("another address");
        let made = edit(&desks);
        settle(&desks, made).await;
    };
    let ran = network.near().run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map(|runtime| runtime.block_on(all))
    });
    ran.flatten().expect("a runtime");
}
