//! The text field: carets, what is typed at one place, and a field that lags.

use std::time::Duration;

use desk_client_core::{EditError, Event, FieldState, NewSticker};
use desk_protocol::StickerId;

use crate::net::{Net, plenty};
use crate::random::Random;

/// A person with the field open: what it shows, and where its caret is.
pub(crate) struct Typist {
    pub(crate) peer: usize,
    text: Vec<char>,
    pub(crate) caret: usize,
    /// What it has typed and not deleted again.
    pub(crate) sentence: String,
    typed: u32,
}

impl Typist {
    pub(crate) fn open(net: &mut Net, peer: usize, id: StickerId, caret: usize) -> Self {
        let text = net.client(peer).open_field(id).chars().collect();
        Self { peer, text, caret, sentence: String::new(), typed: 0 }
    }

    /// The field shows what the client says it should.
    pub(crate) fn catch_up(&mut self, net: &mut Net) {
        let caret = self.caret as u32;
        if let Some(state) = net.client(self.peer).field_catch_up(caret, caret) {
            assert_eq!(state.start, state.end, "a caret selects nothing");
            (self.text, self.caret) = (state.text.chars().collect(), state.start as usize);
        }
    }

    fn tell(&self, net: &mut Net) {
        let (now, text) = (net.now, self.text.iter().collect::<String>());
        net.client(self.peer).field_input(now, &text, self.caret as u32).expect("sound");
    }

    /// Types a letter that nobody else types.
    pub(crate) fn press(&mut self, net: &mut Net) {
        let letter = char::from_u32(0x4e00 + 0x400 * self.peer as u32 + self.typed);
        let letter = letter.expect("far from surrogates");
        self.typed += 1;
        self.sentence.push(letter);
        self.text.insert(self.caret, letter);
        self.caret += 1;
        self.tell(net);
    }

    /// Takes the last letter back.
    fn backspace(&mut self, net: &mut Net) {
        if self.sentence.pop() == self.caret.checked_sub(1).map(|at| self.text[at]) {
            self.caret -= 1;
            self.text.remove(self.caret);
            self.tell(net);
        }
    }
}

/// Several clients over one sticker with this text.
fn over(clients: usize, text: &str) -> (Net, StickerId) {
    let mut net = Net::joined(clients);
    let (now, text) = (net.now, text.to_owned());
    let id =
        net.client(0).create(now, NewSticker { text, ..NewSticker::default() }).expect("sound");
    net.settle();
    (net, id)
}

fn state(text: &str, start: u32, end: u32) -> Option<FieldState> {
    Some(FieldState { text: text.into(), start, end })
}

#[test]
fn text_9_a_caret_moves_with_the_text_around_it() {
    let (mut net, id) = over(2, "hello");
    let now = net.now;
    net.client(0).open_field(id);
    net.client(0).field_input(now, "hello!", 6).unwrap();
    net.client(1).replace_text(now, id, "oh, hello").unwrap();
    net.settle();
    assert!(net.peers[0].events.contains(&Event::FieldBehind));
    assert_eq!(net.client(0).field_caret(2), Some(6));
    assert_eq!(net.client(0).field_catch_up(2, 5), state("oh, hello!", 6, 9));
    assert_eq!(net.client(0).field_catch_up(6, 9), None);
}

#[test]
fn text_9_text_at_a_caret_pushes_it_unless_it_goes_on() {
    let (mut net, id) = over(2, "ab");
    let now = net.now;
    net.client(0).open_field(id);
    net.client(1).replace_text(now, id, "aXb").unwrap();
    net.settle();
    assert_eq!(net.client(0).field_catch_up(1, 1), state("aXb", 2, 2));
    net.client(0).field_input(now, "aXmb", 3).unwrap();
    net.client(1).replace_text(now, id, "aXYb").unwrap();
    net.settle();
    assert_eq!(net.client(0).field_catch_up(3, 3), state("aXYmb", 4, 4));
    net.client(1).replace_text(now, id, "aXYmZb").unwrap();
    net.settle();
    assert_eq!(net.client(0).field_catch_up(4, 4), state("aXYmZb", 4, 4));
}

#[test]
fn text_9_a_selection_takes_in_nothing_at_its_edges() {
    let (mut net, id) = over(2, "one two");
    let now = net.now;
    net.client(0).open_field(id);
    net.client(1).replace_text(now, id, "one XtwoY").unwrap();
    net.settle();
    assert_eq!(net.client(0).field_catch_up(4, 7), state("one XtwoY", 5, 8));
    net.client(1).replace_text(now, id, "one XZY").unwrap();
    net.settle();
    assert_eq!(net.client(0).field_catch_up(5, 8), state("one XZY", 6, 6));
}

/// Commits that come together move a caret as if they came one by one.
#[test]
fn text_9_a_caret_moves_over_one_commit_at_a_time() {
    let (mut net, id) = over(3, "ab");
    let mut me = Typist::open(&mut net, 0, id, 1);
    me.press(&mut net);
    net.settle();
    net.go_offline(0);
    // At my caret one types, and another goes on right there.
    let mut other = Typist::open(&mut net, 1, id, 2);
    other.press(&mut net);
    net.settle();
    other.press(&mut net);
    net.settle();
    net.go_online(0);
    net.settle();
    me.catch_up(&mut net);
    me.press(&mut net);
    net.settle();
    let wanted = format!("a{}{}b", me.sentence, other.sentence);
    assert_eq!(net.text(2, id), wanted);
}

#[test]
fn input_in_a_lagging_field_meets_the_text() {
    let (mut net, id) = over(2, "ab");
    let now = net.now;
    net.client(0).open_field(id);
    net.client(1).replace_text(now, id, "foreign ab").unwrap();
    net.settle();
    net.client(1).replace_text(now, id, "foreign ab behind").unwrap();
    net.settle();
    // The field still shows "ab"; the person composes behind it.
    net.client(0).field_input(now, "ab語", 3).unwrap();
    assert_eq!(net.text(0, id), "foreign ab behind語");
    assert_eq!(net.client(0).field_catch_up(3, 3), state("foreign ab behind語", 18, 18));
}

#[test]
fn a_refused_change_leaves_the_field() {
    let (mut net, id) = over(1, "full");
    let now = net.now;
    net.client(0).open_field(id);
    let long = "x".repeat(20_000);
    let refused = net.client(0).field_input(now, &long, 20_000);
    assert!(matches!(refused, Err(EditError::TextTooLong { .. })), "{refused:?}");
    assert_eq!(net.text(0, id), "full");
    assert_eq!(net.client(0).field_catch_up(9, 9), state("full", 4, 4));
}

#[test]
fn undo_and_redo_show_in_the_field() {
    for sent in [false, true] {
        let (mut net, id) = over(1, "ab");
        let mut me = Typist::open(&mut net, 0, id, 2);
        me.press(&mut net);
        if sent {
            net.settle();
        }
        let typed = net.text(0, id).to_owned();
        let now = net.now;
        net.peers[0].events.clear();
        for (undoes, wanted) in [(true, "ab"), (false, typed.as_str())] {
            let done = if undoes { net.client(0).undo(now) } else { net.client(0).redo(now) };
            assert!(done);
            net.pump(0);
            assert!(net.peers[0].events.contains(&Event::FieldBehind), "sent: {sent}");
            me.catch_up(&mut net);
            assert_eq!(net.client(0).field(), Some(wanted), "sent: {sent}");
        }
    }
}

/// The open field follows what the program does to its text otherwise.
#[test]
fn an_edit_past_the_field_shows_in_it() {
    let (mut net, id) = over(1, "ab");
    let now = net.now;
    net.client(0).open_field(id);
    net.client(0).replace_text(now, id, "aXb").unwrap();
    assert_eq!(net.client(0).field_catch_up(2, 2), state("aXb", 3, 3));
}

#[test]
fn text_11_undo_and_a_reload_forget_the_run() {
    let marks = |net: &Net| {
        let submit = net.server.log.last().expect("something was sent");
        format!("{:?}", submit.operations).matches("continues: true").count()
    };
    let (mut net, id) = over(1, "ab");
    let mut me = Typist::open(&mut net, 0, id, 1);
    for wanted in [0, 1, 1] {
        me.press(&mut net);
        net.settle();
        assert_eq!(marks(&net), wanted);
    }
    // Undo of what is queued.
    let now = net.now;
    net.pass_time(Duration::from_secs(2));
    net.go_offline(0);
    me.press(&mut net);
    assert!(net.client(0).undo(now));
    me.catch_up(&mut net);
    me.press(&mut net);
    net.go_online(0);
    net.settle();
    assert_eq!(marks(&net), 0);
    // A client that is made anew from what was stored.
    let mut net = Net::durable(1, plenty(), 100, 1);
    net.settle();
    let now = net.now;
    let id = net.client(0).create(now, NewSticker::default()).expect("sound");
    net.settle();
    Typist::open(&mut net, 0, id, 0).press(&mut net);
    net.settle();
    net.restart(0);
    net.settle();
    Typist::open(&mut net, 0, id, 1).press(&mut net);
    net.settle();
    assert_eq!(marks(&net), 0);
}

#[test]
fn text_11_a_deletion_in_another_text_leaves_the_run() {
    let (mut net, id) = over(1, "ab");
    let now = net.now;
    let note = NewSticker { text: "other".into(), ..NewSticker::default() };
    let other = net.client(0).create(now, note).expect("sound");
    let mut me = Typist::open(&mut net, 0, id, 1);
    me.press(&mut net);
    net.client(0).replace_text(now, other, "othe").unwrap();
    net.settle();
    me.press(&mut net);
    net.settle();
    let submit = net.server.log.last().expect("something was sent");
    assert!(format!("{submit:?}").contains("continues: true"), "{submit:?}");
}

/// What a redo puts back continues nothing: others may have typed there.
#[test]
fn text_3_what_redo_puts_back_continues_nothing() {
    let (mut net, id) = over(1, "ab");
    let mut me = Typist::open(&mut net, 0, id, 1);
    me.press(&mut net);
    net.settle();
    net.pass_time(Duration::from_secs(2));
    net.go_offline(0);
    me.press(&mut net);
    let now = net.now;
    assert!(net.client(0).undo(now) && net.client(0).redo(now));
    net.go_online(0);
    net.settle();
    let submit = net.server.log.last().expect("something was sent");
    assert!(format!("{submit:?}").contains("continues: false"), "{submit:?}");
}

/// Two to four people type at one place, on lines that delay, break, and bring
/// snapshots: every sentence stays whole.
#[test]
fn text_3_sentences_stay_whole_on_bad_lines() {
    for seed in 0..400 {
        let mut random = Random(seed);
        let people = 2 + random.below(3);
        let kept = [2, 10, 1_000][random.below(3)];
        let mut net = Net::with(people, plenty(), kept, seed);
        net.settle();
        let now = net.now;
        let note = NewSticker { text: "before  after".into(), ..NewSticker::default() };
        let id = net.client(0).create(now, note).expect("sound");
        net.settle();
        let mut typists: Vec<Typist> =
            (0..people).map(|peer| Typist::open(&mut net, peer, id, 7)).collect();
        let trouble = [0, 2, 10][random.below(3)];
        for _ in 0..250 {
            let at = random.below(people);
            match random.below(100) {
                kind if kind < trouble => match random.below(5) {
                    0 => net.cut(at),
                    1 => net.go_offline(at),
                    2 | 3 => net.go_online(at),
                    _ => net.resync(at),
                },
                kind if kind < 45 => {
                    typists[at].catch_up(&mut net);
                    if random.chance(8) {
                        typists[at].backspace(&mut net);
                    } else {
                        typists[at].press(&mut net);
                    }
                }
                kind if kind < 48 => net.pass_time(Duration::from_millis(300)),
                kind if kind < 75 => drop(net.deliver_up(at)),
                _ => drop(net.deliver_down(at)),
            }
            net.peers[at].client.check_invariants();
        }
        (0..people).for_each(|peer| net.go_online(peer));
        net.settle();
        net.assert_converged();
        let text = net.text(0, id);
        let mut rest = text.to_owned();
        for typist in &typists {
            let whole = text.contains(&typist.sentence);
            assert!(whole, "seed {seed}: person {} in {text}", typist.peer);
            rest = rest.replacen(&typist.sentence, "", 1);
        }
        assert_eq!(rest, "before  after", "seed {seed}");
    }
}
