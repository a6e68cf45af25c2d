//! Programs that edit a desk with each other, as a user of the client writes them.

use desk_client_native::{Carriers, Desk, NewSticker, Options};
use desk_protocol::StickerId;
use tokio::time::timeout;

use crate::PATIENCE;

/// A note with this text.
pub fn note(text: &str) -> NewSticker {
    NewSticker { text: text.to_owned(), ..NewSticker::default() }
}

/// What comes within the patience of a test.
///
/// # Panics
/// If it does not.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it does not take that long")
}

/// A program whose line is open.
///
/// # Panics
/// If it does not open.
pub async fn opened(link: &str, carriers: Carriers) -> Desk {
    let options = Options { carriers, ..Options::default() };
    let link = link.parse().expect("a link");
    let desk = soon(Desk::join_with(link, options)).await.expect("a desk");
    soon(desk.live()).await.expect("a line");
    desk
}

/// The notes of a desk, from the lowest up.
pub fn texts(desk: &Desk) -> Vec<(StickerId, String)> {
    desk.view(|desk| desk.pile().map(|note| (note.id, note.text.value.clone())).collect())
}

/// Waits until all have saved what they made and seen what the others did.
///
/// # Panics
/// If one differs from the others.
pub async fn settle(desks: &[Desk]) {
    soon(async {
        for desk in desks {
            desk.saved().await.expect("it is saved");
        }
        let head = desks.iter().map(Desk::revision).max().expect("some desk");
        for desk in desks {
            let mut desk = desk.clone();
            desk.wait(|client| client.confirmed().revision() >= head).await.expect("it comes");
        }
    })
    .await;
    for desk in desks {
        assert_eq!(texts(desk), texts(&desks[0]));
    }
}

/// Each program adds to one note and makes another.
///
/// # Panics
/// If a change is refused.
pub fn edit(desks: &[Desk], id: StickerId, round: usize) {
    for (which, desk) in desks.iter().enumerate() {
        let text = desk.view(|desk| desk.sticker(id).expect("the sticker").text.value.clone());
        desk.replace_text(id, &format!("{text} {which}.{round}")).expect("it is edited");
        desk.add(note(&format!("note {which}.{round}"))).expect("it is added");
    }
}
