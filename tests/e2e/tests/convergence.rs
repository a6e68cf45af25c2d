//! Programs on `desk-client-native`: they converge, and go on by themselves.

use desk_client_native::{Desk, Edit, Event, Options, Status, Trouble};
use desk_e2e::programs::{note, soon};
use desk_e2e::{Server, Setup};
use desk_protocol::frame::{CloseCode, Role};
use desk_protocol::{Point, StickerId};

/// Everything on a desk, for comparing replicas.
fn content(desk: &Desk) -> Vec<(StickerId, Point, i64, String)> {
    desk.view(|desk| {
        let stickers = desk.pile().map(|sticker| {
            (sticker.id, sticker.position.value, sticker.z.value, sticker.text.value.clone())
        });
        stickers.collect()
    })
}

/// Waits until both have seen the same revision, with nothing on its way.
async fn settle(one: &Desk, other: &Desk) {
    soon(async {
        one.saved().await.expect("it is saved");
        other.saved().await.expect("it is saved");
        let head = one.revision().max(other.revision());
        one.clone().wait(|client| client.confirmed().revision() >= head).await.expect("it comes");
        other.clone().wait(|client| client.confirmed().revision() >= head).await.expect("it comes");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clients_converge() {
    let server = Server::new();
    let ada = soon(Desk::create(&server.url(), "Together")).await.expect("a desk");
    let bob = soon(Desk::join(&ada.link().to_string())).await.expect("a desk");
    soon(ada.live()).await.expect("a line");
    soon(bob.live()).await.expect("a line");
    assert_eq!((ada.role(), bob.role()), (Some(Role::Owner), Some(Role::Editor)));
    assert_ne!(ada.author(), bob.author());

    let id = ada.add(note("middle")).expect("it is added");
    soon(bob.clone().until(|desk| desk.sticker(id).is_some())).await.expect("it comes");
    // Both at once, on the same sticker.
    for round in 0..30 {
        let text = |desk: &Desk| {
            desk.view(|desk| desk.sticker(id).expect("the sticker").text.value.clone())
        };
        ada.replace_text(id, &format!("a{round} {}", text(&ada))).expect("it is edited");
        bob.replace_text(id, &format!("{} b{round}", text(&bob))).expect("it is edited");
        let to = |x| Edit::Move { id, to: Point { x, y: round } };
        ada.act(vec![to(1)]).expect("it is moved");
        bob.act(vec![to(2), Edit::Raise { id }]).expect("it is moved");
        bob.add(note(&format!("bob {round}"))).expect("it is added");
    }
    settle(&ada, &bob).await;
    assert_eq!(content(&ada), content(&bob));
    assert_eq!(content(&ada).len(), 31);
    let text = ada.view(|desk| desk.sticker(id).expect("the sticker").text.value.clone());
    for round in 0..30 {
        assert!(text.contains(&format!("a{round} ")) && text.contains(&format!(" b{round}")));
    }
    assert_eq!(ada.status(), Status::Saved);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_undoes_its_own_work_only() {
    let server = Server::new();
    let ada = soon(Desk::create(&server.url(), "")).await.expect("a desk");
    let bob = soon(Desk::join(&ada.link().to_string())).await.expect("a desk");
    let mine = ada.add(note("mine")).expect("it is added");
    soon(ada.saved()).await.expect("it is saved");
    let other = bob.add(note("his")).expect("it is added");
    settle(&bob, &ada).await;
    assert!(ada.undo());
    settle(&ada, &bob).await;
    let hidden = |id| bob.view(|desk| desk.sticker(id).is_none_or(|note| note.deleted.value));
    assert!(hidden(mine) && !hidden(other));
    assert!(ada.redo());
    settle(&ada, &bob).await;
    assert!(!hidden(mine));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_made_without_the_server_arrive_later() {
    let mut server = Server::new();
    let ada = soon(Desk::create(&server.url(), "")).await.expect("a desk");
    let bob = soon(Desk::join(&ada.link().to_string())).await.expect("a desk");
    let id = ada.add(note("before")).expect("it is added");
    soon(bob.clone().until(|desk| desk.sticker(id).is_some())).await.expect("it comes");
    soon(ada.saved()).await.expect("it is saved");
    tokio::task::block_in_place(|| server.kill9());
    let offline = |status| matches!(status, Status::Offline { .. });
    soon(ada.clone().wait(|client| offline(client.status()))).await.expect("it notices");
    ada.replace_text(id, "before and after").expect("it is edited");
    let late = bob.add(note("made offline")).expect("it is added");
    assert!(matches!(ada.status(), Status::Offline { pending: 1, .. }));
    tokio::task::block_in_place(|| server.up());
    settle(&ada, &bob).await;
    soon(ada.clone().until(|desk| desk.sticker(late).is_some())).await.expect("it comes");
    settle(&bob, &ada).await;
    assert_eq!(content(&ada), content(&bob));
    assert!(content(&bob).iter().any(|sticker| sticker.3 == "before and after"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_session_is_told_and_can_be_rejoined() {
    let server = Server::new();
    let ada = soon(Desk::create(&server.url(), "")).await.expect("a desk");
    let mut bob = soon(Desk::join(&ada.link().to_string())).await.expect("a desk");
    soon(bob.live()).await.expect("a line");
    let id = bob.add(note("kept")).expect("it is added");
    soon(bob.saved()).await.expect("it is saved");
    ada.api().finish(&ada.session_key()).await.expect("the owner finishes");
    let ended = soon(bob.wait(|_| false)).await.expect_err("it has ended");
    assert_eq!(ended.code, CloseCode::Finished);
    soon(bob.rejoin()).await.expect("it may come back");
    soon(bob.live()).await.expect("a line");
    bob.replace_text(id, "kept on").expect("it is edited");
    soon(bob.saved()).await.expect("it is saved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_1_a_forgotten_key_is_replaced_by_itself() {
    let mut server = Server::new();
    let ada = soon(Desk::create(&server.url(), "")).await.expect("a desk");
    let id = ada.add(note("before")).expect("it is added");
    soon(ada.saved()).await.expect("it is saved");
    tokio::task::block_in_place(|| {
        server.stop();
        // Another secret voids every key.
        std::fs::remove_file(server.data().join("session.key")).expect("a secret");
        server.up();
    });
    ada.replace_text(id, "after").expect("it is edited");
    soon(ada.saved()).await.expect("it is saved under a new key");
    soon(ada.live()).await.expect("a line");
    assert_eq!(ada.role(), Some(Role::Owner), "it came by the owner's link");
    // A desk that is gone meanwhile says so.
    let bob = soon(Desk::join(&ada.link().to_string())).await.expect("a desk");
    soon(bob.live()).await.expect("a line");
    ada.api()
        .delete(ada.owner_link().expect("the creator's").id, &ada.session_key())
        .await
        .expect("gone");
    let ended = soon(bob.clone().wait(|_| false)).await.expect_err("it has ended");
    assert_eq!(ended.code, CloseCode::Deleted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_waits_for_a_place_on_a_full_desk() {
    let server = Setup::default().limit("connections-per-desk", "1").start();
    let ada = soon(Desk::create(&server.url(), "")).await.expect("a desk");
    soon(ada.live()).await.expect("a line");
    let bob = soon(Desk::join(&ada.link().to_string())).await.expect("a desk");
    let mut events = bob.events();
    let full = Trouble::Server(CloseCode::DeskFull);
    soon(async { while events.next().await != (Event::LineDead { trouble: full }) {} }).await;
    assert_eq!(full.words().head, "This desk is full");
    soon(ada.close()).await;
    soon(bob.live()).await.expect("a place");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_with_a_folder_goes_on_where_it_stopped() {
    let mut server = Server::new();
    let folder = Some(server.folder().join("client"));
    let options = Options { folder, user: "keeper".to_owned(), ..Options::default() };
    let ada = soon(Desk::create(&server.url(), "")).await.expect("a desk");
    let link = ada.link().clone();
    let bob = soon(Desk::join_with(link.clone(), options.clone())).await.expect("a desk");
    let id = bob.add(note("saved")).expect("it is added");
    soon(bob.saved()).await.expect("it is saved");
    let author = bob.author();
    tokio::task::block_in_place(|| server.kill9());
    // Not sent: the folder alone has it when the program ends.
    bob.replace_text(id, "saved and more").expect("it is edited");
    soon(bob.close()).await;
    let taken = Desk::join_with(link.clone(), options.clone()).await.expect("a desk, offline");
    assert_eq!(
        taken.view(|desk| desk.sticker(id).expect("it").text.value.clone()),
        "saved and more"
    );
    tokio::task::block_in_place(|| server.up());
    settle(&taken, &ada).await;
    assert_eq!(taken.author(), author, "it is the same client");
    let text = ada.view(|desk| desk.sticker(id).expect("it").text.value.clone());
    assert_eq!(text, "saved and more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_desk_is_loaded_again_for_the_next_message() {
    let server = Setup::default().flag("--session-idle", "1s").start();
    let ada = soon(Desk::create(&server.url(), "")).await.expect("a desk");
    ada.add(note("one")).expect("it is added");
    soon(ada.saved()).await.expect("it is saved");
    tokio::task::block_in_place(|| {
        desk_e2e::eventually("an evicted desk", || (server.hot_desks() == 0).then_some(()));
    });
    ada.add(note("two")).expect("it is added");
    soon(ada.saved()).await.expect("it is saved");
    let bob = soon(Desk::join(&ada.link().to_string())).await.expect("a desk");
    settle(&bob, &ada).await;
    assert_eq!(content(&ada), content(&bob));
    assert_eq!(content(&bob).len(), 2);
}
