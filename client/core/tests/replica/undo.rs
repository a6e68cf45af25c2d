//! Undo and redo, rule by rule (UNDO-20 to UNDO-24). Client 0 undoes.

use std::time::Duration;

use desk_client_core::{Edit, NewSticker};
use desk_protocol::{Point, Size, StickerId};

use crate::net::{self, Net};

const FAR: Point = Point { x: 900, y: 900 };

fn at(x: i32) -> Point {
    Point { x, y: 0 }
}

fn pair(text: &str) -> (Net, StickerId) {
    let mut net = Net::joined(2);
    let id = create(&mut net, 1, text);
    (net, id)
}

fn create(net: &mut Net, client: usize, text: &str) -> StickerId {
    let note = NewSticker { text: text.into(), ..NewSticker::default() };
    let now = net.now;
    let id = net.client(client).create(now, note).expect("a sound note");
    net.settle();
    id
}

/// An action that is a step of its own.
fn act(net: &mut Net, client: usize, edit: Edit) {
    net.now = net.now + Duration::from_secs(2);
    let now = net.now;
    net.client(client).act(now, vec![edit]).expect("a sound edit");
}

fn saved(net: &mut Net, client: usize, edit: Edit) {
    act(net, client, edit);
    net.settle();
}

/// An action that is on its way, not yet at the server.
fn in_flight(net: &mut Net, edit: Edit) {
    act(net, 0, edit);
    net.pump(0);
}

/// An action of client 1 that reaches the server before what client 0 has sent.
fn overtaken_by(net: &mut Net, edit: Edit) {
    act(net, 1, edit);
    while net.deliver_up(1) {}
    while net.deliver_down(0) {}
}

fn undo(net: &mut Net) -> bool {
    let now = net.now;
    let done = net.client(0).undo(now);
    net.client(0).check_invariants();
    done
}

fn redo(net: &mut Net) -> bool {
    let now = net.now;
    let done = net.client(0).redo(now);
    net.client(0).check_invariants();
    done
}

fn type_all(id: StickerId, text: &str) -> Edit {
    Edit::ReplaceText { id, text: text.into() }
}

fn move_to(id: StickerId, x: i32) -> Edit {
    Edit::Move { id, to: at(x) }
}

/// Everyone sees this, and all is saved.
fn assert_text(net: &mut Net, id: StickerId, text: &str) {
    assert_eq!(net.text(0, id), text, "at once");
    net.settle();
    net.assert_converged();
    assert_eq!(net.text(1, id), text, "in the end");
}

fn assert_x(net: &mut Net, id: StickerId, x: i32) {
    net.settle();
    net.assert_converged();
    assert_eq!(net.sticker(0, id).position.value, at(x));
}

#[test]
fn undo_20_what_is_queued_is_taken_out() {
    let (mut net, id) = pair("a");
    net.go_offline(0);
    act(&mut net, 0, type_all(id, "ab"));
    act(&mut net, 0, move_to(id, 5));
    assert_eq!(net.peers[0].client.pending(), 2);
    assert!(undo(&mut net));
    assert_eq!(net.peers[0].client.pending(), 1);
    assert!(undo(&mut net));
    assert_eq!(net.peers[0].client.pending(), 0);
    assert!(!undo(&mut net));
    assert!(redo(&mut net) && redo(&mut net) && !redo(&mut net));
    net.go_online(0);
    assert_text(&mut net, id, "ab");
    assert_x(&mut net, id, 5);
}

#[test]
fn undo_20_the_earlier_content_was_transformed_meanwhile() {
    let (mut net, id) = pair("ab");
    in_flight(&mut net, type_all(id, "a1b"));
    act(&mut net, 0, type_all(id, "a12b"));
    act(&mut net, 0, type_all(id, "a123b"));
    overtaken_by(&mut net, type_all(id, "Xab"));
    assert_eq!(net.text(0, id), "Xa123b");
    assert!(undo(&mut net));
    assert_text(&mut net, id, "Xa12b");
    assert!(undo(&mut net));
    assert!(undo(&mut net));
    assert_text(&mut net, id, "Xab");
}

#[test]
fn undo_20_never_composes_an_inverse() {
    let (mut net, id) = pair("axb");
    in_flight(&mut net, move_to(id, 1));
    act(&mut net, 0, type_all(id, "ab"));
    overtaken_by(&mut net, type_all(id, "ab"));
    // An inverse would put the x back that the other deleted, too.
    undo(&mut net);
    assert_text(&mut net, id, "ab");
}

#[test]
fn undo_20_an_unsent_creation_vanishes() {
    let (mut net, _) = pair("");
    net.go_offline(0);
    let now = net.now;
    let id = net.client(0).create(now, NewSticker::default()).unwrap();
    assert!(undo(&mut net));
    assert!(net.peers[0].client.desk().sticker(id).is_none());
    assert!(redo(&mut net));
    net.go_online(0);
    net.settle();
    net.assert_converged();
    assert!(!net.sticker(1, id).deleted.value);
}

#[test]
fn undo_21_restores_the_value_below_mine() {
    let (mut net, id) = pair("");
    saved(&mut net, 0, move_to(id, 1));
    saved(&mut net, 0, move_to(id, 2));
    assert!(undo(&mut net));
    assert_x(&mut net, id, 1);
    assert!(undo(&mut net));
    assert_x(&mut net, id, 0);
    assert!(redo(&mut net));
    assert!(redo(&mut net));
    assert_x(&mut net, id, 2);
}

#[test]
fn undo_21_a_foreign_write_after_mine_kills_the_entry() {
    let (mut net, id) = pair("");
    saved(&mut net, 0, move_to(id, 1));
    saved(&mut net, 1, move_to(id, 7));
    assert!(!undo(&mut net));
    assert_x(&mut net, id, 7);
}

#[test]
fn undo_21_a_foreign_write_before_mine_is_restored() {
    let (mut net, id) = pair("");
    in_flight(&mut net, move_to(id, 1));
    overtaken_by(&mut net, move_to(id, 7));
    net.settle();
    assert_x(&mut net, id, 1);
    assert!(undo(&mut net));
    assert_x(&mut net, id, 7);
}

#[test]
fn undo_21_a_queued_undo_takes_the_newer_value() {
    let (mut net, id) = pair("");
    in_flight(&mut net, move_to(id, 1));
    assert!(undo(&mut net));
    overtaken_by(&mut net, move_to(id, 7));
    assert_x(&mut net, id, 7);
    assert!(redo(&mut net));
    assert_x(&mut net, id, 1);
}

#[test]
fn undo_21_only_my_lowest_write_rests_on_a_foreign() {
    let (mut net, id) = pair("");
    net.go_offline(0);
    act(&mut net, 0, move_to(id, 1));
    act(&mut net, 0, move_to(id, 2));
    net.go_online(0);
    // Both are frozen as one batch, which the other's move overtakes.
    let now = net.now;
    net.client(0).handle_timeout(now);
    net.pump(0);
    assert!(net.deliver_up(0));
    while net.deliver_down(0) {}
    overtaken_by(&mut net, move_to(id, 7));
    net.settle();
    assert!(undo(&mut net));
    assert_x(&mut net, id, 1);
    assert!(undo(&mut net));
    assert_x(&mut net, id, 7);
}

#[test]
fn undo_21_gives_way_to_a_write_that_it_did_not_know() {
    let (mut net, id) = pair("");
    saved(&mut net, 0, move_to(id, 1));
    assert!(undo(&mut net));
    net.pump(0);
    overtaken_by(&mut net, move_to(id, 7));
    assert_x(&mut net, id, 7);
    assert!(!redo(&mut net));
}

#[test]
fn undo_21_redo_gives_way_too() {
    let (mut net, id) = pair("");
    saved(&mut net, 0, move_to(id, 1));
    undo(&mut net);
    net.settle();
    saved(&mut net, 1, move_to(id, 7));
    assert!(!redo(&mut net));
    assert_x(&mut net, id, 7);
}

#[test]
fn undo_21_other_registers_are_not_touched() {
    let (mut net, id) = pair("");
    let both =
        vec![Edit::Move { id, to: at(1) }, Edit::Recolor { id, to: desk_protocol::Color(5) }];
    let before = net.sticker(0, id).color.value;
    let now = net.now;
    net.client(0).act(now, both).unwrap();
    net.settle();
    saved(&mut net, 1, move_to(id, 7));
    assert!(undo(&mut net));
    assert_x(&mut net, id, 7);
    assert_eq!(net.sticker(1, id).color.value, before);
}

#[test]
fn undo_21_of_delete_restores() {
    let (mut net, id) = pair("");
    saved(&mut net, 0, Edit::Delete { id });
    assert!(net.sticker(1, id).deleted.value);
    assert!(undo(&mut net));
    net.settle();
    net.assert_converged();
    assert!(!net.sticker(1, id).deleted.value);
    assert!(redo(&mut net));
    net.settle();
    assert!(net.sticker(1, id).deleted.value);
}

#[test]
fn undo_21_of_a_delete_that_two_made_restores_nothing() {
    let (mut net, id) = pair("");
    in_flight(&mut net, Edit::Delete { id });
    overtaken_by(&mut net, Edit::Delete { id });
    net.settle();
    undo(&mut net);
    net.settle();
    net.assert_converged();
    assert!(net.sticker(0, id).deleted.value);
}

#[test]
fn undo_21_of_create_deletes() {
    let (mut net, _) = pair("");
    let id = create(&mut net, 0, "mine");
    saved(&mut net, 0, type_all(id, "mine, more"));
    assert!(undo(&mut net) && undo(&mut net));
    net.settle();
    net.assert_converged();
    assert!(net.sticker(1, id).deleted.value);
    assert!(redo(&mut net) && redo(&mut net));
    assert_text(&mut net, id, "mine, more");
    assert!(!net.sticker(1, id).deleted.value);
}

#[test]
fn undo_21_of_create_is_void_if_anyone_else_touched_it() {
    let (mut net, _) = pair("");
    let id = create(&mut net, 0, "mine");
    saved(&mut net, 1, move_to(id, 7));
    assert!(!undo(&mut net));

    let id = create(&mut net, 0, "mine");
    assert!(undo(&mut net));
    net.pump(0);
    overtaken_by(&mut net, type_all(id, "mine and yours"));
    net.settle();
    net.assert_converged();
    assert!(!net.sticker(1, id).deleted.value);
}

#[test]
fn undo_21_of_raise_and_title() {
    let (mut net, id) = pair("");
    create(&mut net, 1, "above");
    let below = net.sticker(0, id).z.value;
    saved(&mut net, 0, Edit::Raise { id });
    saved(&mut net, 0, Edit::SetTitle { title: "new".into() });
    assert!(undo(&mut net) && undo(&mut net));
    net.settle();
    net.assert_converged();
    assert_eq!(net.sticker(1, id).z.value, below);
    assert_eq!(net.server.desk.title().value, "desk");

    in_flight(&mut net, Edit::SetTitle { title: "mine".into() });
    overtaken_by(&mut net, Edit::SetTitle { title: "theirs".into() });
    net.settle();
    assert_eq!(net.server.desk.title().value, "mine");
    assert!(undo(&mut net));
    net.settle();
    assert_eq!(net.server.desk.title().value, "theirs");
}

#[test]
fn undo_22_only_my_characters_go() {
    let (mut net, id) = pair("ab");
    saved(&mut net, 0, type_all(id, "a12b"));
    saved(&mut net, 1, type_all(id, "a1XX2b"));
    assert!(undo(&mut net));
    assert_text(&mut net, id, "aXXb");
    assert!(redo(&mut net));
    net.settle();
    net.assert_converged();
    assert!(net.text(1, id).contains("XX"));
    assert_eq!(net.text(1, id).len(), 6);
}

#[test]
fn undo_22_foreign_changes_pass_down_the_chain() {
    let (mut net, id) = pair("");
    saved(&mut net, 0, type_all(id, "1"));
    saved(&mut net, 0, type_all(id, "12"));
    saved(&mut net, 0, type_all(id, "123"));
    saved(&mut net, 1, type_all(id, "1A2B3"));
    assert!(undo(&mut net));
    assert_text(&mut net, id, "1A2B");
    saved(&mut net, 1, type_all(id, "X1A2B"));
    assert!(undo(&mut net));
    assert_text(&mut net, id, "X1AB");
    assert!(undo(&mut net));
    assert_text(&mut net, id, "XAB");
}

#[test]
fn undo_22_what_another_deleted_leaves_the_chain() {
    let (mut net, id) = pair("");
    saved(&mut net, 0, type_all(id, "123"));
    saved(&mut net, 1, type_all(id, "13"));
    assert!(undo(&mut net));
    assert_text(&mut net, id, "");
    saved(&mut net, 0, type_all(id, "9"));
    saved(&mut net, 1, type_all(id, ""));
    assert!(!undo(&mut net), "nothing of mine is left");
}

#[test]
fn undo_22_my_deletion_comes_back_where_it_was() {
    let (mut net, id) = pair("one two three");
    saved(&mut net, 0, type_all(id, "one three"));
    saved(&mut net, 1, type_all(id, "zero one three four"));
    assert!(undo(&mut net));
    assert_text(&mut net, id, "zero one two three four");
}

#[test]
fn undo_23_a_snapshot_drops_steps_of_changed_texts_only() {
    let mut net = Net::with(2, net::plenty(), 1, 3);
    net.settle();
    let changed = create(&mut net, 1, "a");
    let kept = create(&mut net, 1, "b");
    saved(&mut net, 0, type_all(kept, "bb"));
    saved(&mut net, 0, type_all(changed, "aa"));
    net.go_offline(0);
    for text in ["aax", "aaxy", "aaxyz"] {
        saved(&mut net, 1, type_all(changed, text));
    }
    net.go_online(0);
    net.settle();
    assert!(undo(&mut net));
    assert_text(&mut net, kept, "b");
    assert_eq!(net.text(0, changed), "aaxyz");
    assert!(!undo(&mut net));
}

#[test]
fn typing_without_a_pause_is_one_step() {
    let (mut net, id) = pair("");
    for n in 1..=9 {
        net.now = net.now + Duration::from_millis(300);
        let now = net.now;
        net.client(0).replace_text(now, id, &"123456789"[..n]).unwrap();
        // Parts of it are sent meanwhile.
        net.settle();
    }
    net.now = net.now + Duration::from_secs(3);
    let now = net.now;
    net.client(0).replace_text(now, id, "123456789 later").unwrap();
    assert!(undo(&mut net));
    assert_text(&mut net, id, "123456789");
    assert!(undo(&mut net));
    assert_text(&mut net, id, "");
    assert!(redo(&mut net));
    assert_text(&mut net, id, "123456789");
}

#[test]
fn a_drag_is_one_step_of_few_moves() {
    let (mut net, id) = pair("");
    let before = net.server.log.len();
    for x in 1..=100 {
        net.pass_time(Duration::from_millis(10));
        let now = net.now;
        net.client(0).drag_to(now, id, at(x)).unwrap();
        net.pump(0);
        while net.deliver_up(0) || net.deliver_down(0) {}
    }
    let now = net.now;
    net.client(0).drop_at(now, &[(id, at(101))]).unwrap();
    net.settle();
    let moves = net.server.log.len() - before;
    assert!((4..=5).contains(&moves), "{moves} durable moves in a second");
    assert_x(&mut net, id, 101);
    assert!(undo(&mut net));
    assert_x(&mut net, id, 0);
    assert!(redo(&mut net));
    assert_x(&mut net, id, 101);

    let now = net.now;
    net.client(0).drag_to(now, id, FAR).unwrap();
    net.pass_time(Duration::from_millis(250));
    net.settle();
    assert_eq!(net.sticker(1, id).position.value, FAR);
    let now = net.now;
    net.client(0).cancel_drag(now);
    assert_x(&mut net, id, 101);
}

#[test]
fn a_stretch_is_seen_meanwhile_and_is_one_step() {
    let (mut net, id) = pair("");
    let before = net.server.log.len();
    let square = |side| Size { width: side, height: side };
    for side in 201..=300 {
        net.pass_time(Duration::from_millis(10));
        let now = net.now;
        net.client(0).stretch_to(now, id, square(side)).unwrap();
        net.pump(0);
        while net.deliver_up(0) || net.deliver_down(0) {}
    }
    let changes = net.server.log.len() - before;
    assert!((3..=4).contains(&changes), "{changes} durable changes in a second");
    let now = net.now;
    net.client(0).release_at(now, &[(id, at(7), square(301))]).unwrap();
    net.settle();
    let sticker = net.sticker(1, id);
    assert_eq!((sticker.position.value, sticker.size.value), (at(7), square(301)));
    assert!(undo(&mut net));
    net.settle();
    let sticker = net.sticker(1, id);
    assert_eq!((sticker.position.value, sticker.size.value), (at(0), square(200)));

    let now = net.now;
    net.client(0).stretch_to(now, id, square(900)).unwrap();
    net.pass_time(Duration::from_millis(250));
    net.settle();
    assert_eq!(net.sticker(1, id).size.value, square(900));
    let now = net.now;
    net.client(0).cancel_drag(now);
    net.settle();
    assert_eq!(net.sticker(1, id).size.value, square(200));
}

#[test]
fn a_new_action_ends_what_could_be_redone() {
    let (mut net, id) = pair("");
    saved(&mut net, 0, move_to(id, 1));
    assert!(undo(&mut net));
    act(&mut net, 0, type_all(id, "x"));
    assert!(!redo(&mut net));
    assert_x(&mut net, id, 0);
    assert!(undo(&mut net));
    assert_text(&mut net, id, "");
    assert!(!undo(&mut net));
}

#[test]
fn the_oldest_steps_are_forgotten_and_stay_done() {
    let (mut net, id) = pair("");
    net.go_offline(0);
    for x in 1..=300 {
        act(&mut net, 0, move_to(id, x));
    }
    assert_eq!(net.peers[0].client.pending(), 201, "those forgotten are joined");
    let mut undone = 0;
    while undo(&mut net) {
        undone += 1;
    }
    assert_eq!(undone, 200);
    net.go_online(0);
    assert_x(&mut net, id, 100);
}

#[test]
fn undo_21_a_write_between_mine_ends_the_lower_step() {
    let (mut net, id) = pair("");
    saved(&mut net, 0, move_to(id, 1));
    in_flight(&mut net, move_to(id, 2));
    overtaken_by(&mut net, move_to(id, 7));
    net.settle();
    assert!(undo(&mut net));
    assert_x(&mut net, id, 7);
    assert!(!undo(&mut net), "0 stood below a write of mine that stands below another's");
}

#[test]
fn undo_21_redo_outlives_a_write_below_the_flight() {
    let (mut net, id) = pair("");
    in_flight(&mut net, move_to(id, 1));
    act(&mut net, 0, move_to(id, 2));
    assert!(undo(&mut net));
    overtaken_by(&mut net, move_to(id, 7));
    assert!(redo(&mut net));
    assert_x(&mut net, id, 2);
}

/// A deletion and then the creation are undone at once, and meanwhile somebody moves the
/// note: the undone creation gives way to that (ORDER-6), and the undone deletion
/// stands, as if both had been sent alone.
#[test]
fn undo_21_an_undone_creation_gives_way_behind_an_undone_deletion() {
    let mut net = Net::joined(2);
    let id = create(&mut net, 0, "a");
    saved(&mut net, 0, Edit::Delete { id });
    assert!(undo(&mut net) && undo(&mut net));
    assert!(net.sticker(0, id).deleted.value);
    net.pump(0);
    overtaken_by(&mut net, move_to(id, 5));
    assert_x(&mut net, id, 5);
    assert!(!net.sticker(0, id).deleted.value && !net.sticker(1, id).deleted.value);
}

#[test]
fn many_edits_are_one_step_in_many_batches() {
    let (mut net, id) = pair("");
    let many = |count: i32| -> Vec<Edit> {
        (0..count)
            .map(|x| Edit::Create {
                id: None,
                note: NewSticker { position: at(x), ..NewSticker::default() },
            })
            .collect()
    };
    let now = net.now;
    let made = net.client(0).act_together(now, many(1_200)).expect("sound edits");
    assert_eq!(made.len(), 1_200);
    net.settle();
    assert_eq!(net.client(1).desk().live_stickers(), 1_201);
    assert!(undo(&mut net));
    net.settle();
    assert_eq!(net.client(1).desk().live_stickers(), 1);

    // The last one cannot be done, which is found after others are: none is.
    let mut edits = many(2_100);
    edits.push(Edit::Move { id: StickerId(id.0 ^ 1), to: FAR });
    assert!(net.client(0).act_together(now, edits).is_err());
    assert_eq!(net.client(0).desk().live_stickers(), 1);
    assert!(!net.client(0).can_redo());
    net.client(0).check_invariants();
}

fn vote(id: StickerId, count: u32) -> Edit {
    Edit::Vote { id, count }
}

fn register(byte: u8) -> Edit {
    Edit::SetRegister { key: 1, value: vec![byte] }
}

/// Everyone sees this vote of client 0 and this register.
fn assert_kept(net: &mut Net, id: StickerId, count: u32, byte: u8) {
    let author = net.peers[0].client.author().expect("it has joined");
    net.settle();
    net.assert_converged();
    for client in 0..2 {
        assert_eq!(net.sticker(client, id).counters.get(&author), Some(&count));
        assert_eq!(net.peers[client].client.desk().registers()[&1], [byte]);
    }
}

#[test]
fn undo_24_votes_and_registers_are_no_steps() {
    let (mut net, id) = pair("a");
    saved(&mut net, 0, move_to(id, 5));
    saved(&mut net, 0, vote(id, 2));
    saved(&mut net, 0, register(7));
    assert!(undo(&mut net));
    assert_x(&mut net, id, 0);
    assert_kept(&mut net, id, 2, 7);
    assert!(!undo(&mut net));
    assert!(redo(&mut net));
    assert_x(&mut net, id, 5);
}

#[test]
fn undo_24_they_go_below_what_is_queued() {
    let (mut net, id) = pair("a");
    net.go_offline(0);
    act(&mut net, 0, move_to(id, 5));
    act(&mut net, 0, vote(id, 2));
    act(&mut net, 0, move_to(id, 6));
    act(&mut net, 0, register(7));
    assert!(undo(&mut net));
    act(&mut net, 0, vote(id, 3));
    assert!(undo(&mut net) && !undo(&mut net));
    net.go_online(0);
    assert_x(&mut net, id, 0);
    assert_kept(&mut net, id, 3, 7);
}

#[test]
fn undo_24_a_vote_goes_with_the_creation_it_is_about() {
    let (mut net, id) = pair("a");
    net.go_offline(0);
    act(&mut net, 0, register(7));
    let now = net.now;
    let made = net.client(0).create(now, NewSticker::default()).expect("a sound note");
    act(&mut net, 0, vote(made, 1));
    act(&mut net, 0, vote(id, 1));
    assert!(undo(&mut net) && redo(&mut net));
    net.go_online(0);
    assert_kept(&mut net, made, 1, 7);
    assert_kept(&mut net, id, 1, 7);
}
