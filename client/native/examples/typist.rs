//! Types notes onto a desk: `typist LINK auto|quic|websocket|poll`. Each line of standard
//! input becomes a note, told as `saved` once it is durable. The line `?` asks for all texts.

use std::io::BufRead as _;

use desk_client_native::{Carriers, Desk, NewSticker, Options};
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let link = arguments.next().ok_or("the link of a desk is missing")?.parse()?;
    let carriers = match arguments.next().as_deref() {
        None | Some("auto") => Carriers::Auto,
        Some("quic") => Carriers::Quic,
        Some("websocket") => Carriers::WebSocket,
        Some("poll") => Carriers::Poll,
        Some(other) => return Err(format!("{other} carries nothing").into()),
    };
    let options = Options { carriers, user: "typist".to_owned(), ..Options::default() };
    let desk = Desk::join_with(link, options).await?;
    desk.live().await?;
    println!("over {}", desk.carrier().map_or("nothing", |carrier| carrier.name()));
    let (send, mut lines) = mpsc::channel(1);
    // Reading from a terminal has no asynchronous form.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if send.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = lines.recv().await {
        if line == "?" {
            let texts = desk
                .view(|desk| desk.pile().map(|note| note.text.value.clone()).collect::<Vec<_>>());
            println!("{}", serde_json::to_string(&texts)?);
        } else {
            desk.add(NewSticker { text: line, ..NewSticker::default() })?;
            desk.saved().await?;
            println!("saved");
        }
    }
    desk.close().await;
    Ok(())
}
