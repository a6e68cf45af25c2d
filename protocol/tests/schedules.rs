//! TEXT-3, TEXT-9, TEXT-11: people who type at one place keep their words whole,
//! in every order in which keys, frames and commits can come.
//!
//! A server and a few clients as SPEC tells to write them, for one text. Each
//! person presses the keys of a script; all schedules of a small cast are walked
//! through, and at each end all texts are equal and every sentence is whole.

use std::collections::HashSet;
use std::fmt::Write;

use desk_protocol::text::{Anchor, Delta, Order, Part, Run, diff};

/// Letters of each person; none stands in another's sentence.
const LETTERS: [&str; 4] = ["abcdefgh", "ABCDEFGH", "12345678", "αβγδεζηθ"];

/// Everyone's caret stands between these at first.
const TEXT: &str = "LR";

#[derive(Clone)]
struct Client {
    me: usize,
    /// What is confirmed, and how many commits that are.
    text: String,
    known: usize,
    flight: Option<Flight>,
    queue: Delta,
    run: Run,
    caret: u32,
    /// Keys of the script pressed, and letters typed.
    keys: usize,
    letters: usize,
}

#[derive(Clone)]
struct Flight {
    base: usize,
    sent: Delta,
    moved: Delta,
    accepted: bool,
}

#[derive(Clone)]
struct World {
    text: String,
    log: Vec<(usize, Delta)>,
    clients: Vec<Client>,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Key(usize),
    Send(usize),
    Accept(usize),
    Receive(usize),
}

fn apply(text: &str, delta: &Delta) -> String {
    delta.apply(text).expect("the delta fits")
}

impl Client {
    fn view(&self) -> String {
        let below = match &self.flight {
            Some(flight) => apply(&self.text, &flight.moved),
            None => self.text.clone(),
        };
        apply(&below, &self.queue)
    }

    /// The person makes a change of the view.
    fn make(&mut self, parts: [Part; 2]) {
        let delta = Delta::from_parts(parts).expect("a small delta");
        self.queue = self.queue.compose(&self.run.typed(&delta));
    }

    /// A key of the script: `k` types a letter, `x` deletes the one before the
    /// caret, `e` and `f` click behind and before what others typed, `D` deletes
    /// the last letter of that and stays there, `<` goes to the start of one's
    /// own, `l` loses the line.
    fn press(&mut self, key: char) {
        let view: Vec<char> = self.view().chars().collect();
        let theirs = |letter: &char| !TEXT.contains(*letter) && !LETTERS[self.me].contains(*letter);
        match key {
            'k' => {
                let letter = LETTERS[self.me].chars().nth(self.letters).expect("a short sentence");
                self.letters += 1;
                self.make([Part::Retain(self.caret), Part::insert(letter.to_string())]);
                self.caret += 1;
            }
            'x' if self.caret > 0 => {
                self.make([Part::Retain(self.caret - 1), Part::Delete(1)]);
                self.caret -= 1;
            }
            'e' => {
                let last = view.iter().rposition(theirs);
                self.caret = last.map_or(self.caret, |at| at as u32 + 1);
            }
            'f' => {
                let first = view.iter().position(theirs);
                self.caret = first.map_or(self.caret, |at| at as u32);
            }
            'D' => {
                if let Some(last) = view.iter().rposition(theirs) {
                    self.caret = last as u32;
                    self.make([Part::Retain(self.caret), Part::Delete(1)]);
                }
            }
            '<' => self.caret = self.run.start(),
            'l' => {
                // What was not accepted is sent again, rebased.
                if let Some(flight) = self.flight.as_mut().filter(|flight| !flight.accepted) {
                    (flight.base, flight.sent) = (self.known, flight.moved.clone());
                }
            }
            _ => {}
        }
    }

    fn receive(&mut self, author: usize, delta: &Delta) {
        self.text = apply(&self.text, delta);
        self.known += 1;
        if author == self.me {
            let flight = self.flight.take().expect("it answers a flight");
            assert_eq!(&flight.moved, delta, "the author foresees the commit, marks too");
            return;
        }
        self.rebase(delta.clone());
    }

    /// Moves everything pending, the caret and the run over what was ordered
    /// before all that.
    fn rebase(&mut self, mut rising: Delta) {
        let pending = self.flight.iter_mut().map(|flight| &mut flight.moved);
        for mine in pending.chain([&mut self.queue]) {
            let over = mine.transform(&rising, Order::After);
            rising = rising.transform(mine, Order::Before);
            *mine = over;
        }
        self.caret = rising.transform_position(self.caret, self.run.anchor(self.caret));
        self.run.moved(&rising);
    }

    /// A snapshot of the newest text instead of commits (FLIGHT-13).
    fn take_snapshot(&mut self, world: &World) {
        let applied = self.flight.take_if(|flight| flight.accepted);
        let before = applied.map_or(self.text.clone(), |flight| apply(&self.text, &flight.moved));
        self.rebase(diff(&before, &world.text));
        (self.text, self.known) = (world.text.clone(), world.log.len());
        if let Some(flight) = &mut self.flight {
            (flight.base, flight.sent) = (self.known, flight.moved.clone());
        }
    }
}

impl World {
    fn new(people: usize) -> Self {
        let client = |me| Client {
            me,
            text: TEXT.to_owned(),
            known: 0,
            flight: None,
            queue: Delta::new(),
            run: Run::default(),
            caret: 1,
            keys: 0,
            letters: 0,
        };
        Self { text: TEXT.to_owned(), log: Vec::new(), clients: (0..people).map(client).collect() }
    }

    fn events(&self, scripts: &[&str]) -> Vec<Event> {
        let mut events = Vec::new();
        for client in &self.clients {
            if client.keys < scripts[client.me].len() {
                events.push(Event::Key(client.me));
            }
            match &client.flight {
                None if !client.queue.is_empty() => events.push(Event::Send(client.me)),
                Some(flight) if !flight.accepted => events.push(Event::Accept(client.me)),
                _ => {}
            }
            if client.known < self.log.len() {
                events.push(Event::Receive(client.me));
            }
        }
        events
    }

    fn happen(&mut self, event: Event, scripts: &[&str]) {
        match event {
            Event::Key(who) => {
                let key = scripts[who].as_bytes()[self.clients[who].keys] as char;
                self.clients[who].keys += 1;
                if key == 's' {
                    let world = self.clone();
                    self.clients[who].take_snapshot(&world);
                } else {
                    self.clients[who].press(key);
                }
            }
            Event::Send(who) => {
                let client = &mut self.clients[who];
                let sent = std::mem::take(&mut client.queue);
                let moved = sent.clone();
                client.flight = Some(Flight { base: client.known, sent, moved, accepted: false });
            }
            Event::Accept(who) => {
                let flight = self.clients[who].flight.as_mut().expect("it is sent");
                flight.accepted = true;
                let mut delta = flight.sent.clone();
                for (author, committed) in &self.log[flight.base..] {
                    assert_ne!(*author, who, "one batch is in flight at a time");
                    delta = delta.transform(committed, Order::After);
                }
                self.text = apply(&self.text, &delta);
                self.log.push((who, delta));
            }
            Event::Receive(who) => {
                let (author, delta) = self.log[self.clients[who].known].clone();
                self.clients[who].receive(author, &delta);
            }
        }
    }

    /// Tells two states apart that may go on differently.
    fn key(&self) -> String {
        let mut key = String::new();
        let mut put = |what: std::fmt::Arguments<'_>| {
            key.write_fmt(what).expect("a text takes everything");
        };
        for (author, delta) in &self.log {
            put(format_args!("{author}{delta};"));
        }
        for client in &self.clients {
            let Client { known, queue, run, caret, keys, .. } = client;
            put(format_args!("|{known} {queue} {}-{} {caret} {keys}", run.start(), run.end()));
            if let Some(Flight { base, sent, moved, accepted }) = &client.flight {
                put(format_args!(" {base} {sent}/{moved} {accepted}"));
            }
        }
        key
    }

    /// How many people's letters do not stand together, in the order typed.
    fn split(&self) -> usize {
        let split = |client: &&Client| {
            let mine = |letter: &char| LETTERS[client.me].contains(*letter);
            let found: String = self.text.chars().filter(mine).collect();
            let typed = LETTERS[client.me].chars().filter(|letter| found.contains(*letter));
            !self.text.contains(&found) || typed.collect::<String>() != found
        };
        self.clients.iter().filter(split).count()
    }
}

#[derive(Default, Debug)]
struct Walked {
    states: usize,
    ends: usize,
    /// Ends at which a sentence is split.
    split: usize,
}

/// Walks through every schedule of the scripts.
fn walk(scripts: &[&str]) -> Walked {
    let mut walked = Walked::default();
    let mut seen = HashSet::new();
    let mut open = vec![World::new(scripts.len())];
    while let Some(world) = open.pop() {
        let events = world.events(scripts);
        if events.is_empty() {
            walked.ends += 1;
            walked.split += usize::from(world.split() > 0);
            for client in &world.clients {
                assert_eq!(client.view(), world.text, "{scripts:?}: person {}", client.me);
            }
        }
        for event in events {
            let mut next = world.clone();
            next.happen(event, scripts);
            if seen.insert(next.key()) {
                open.push(next);
            }
        }
    }
    walked.states = seen.len();
    walked
}

#[test]
fn text_3_sentences_stay_whole_in_every_schedule() {
    for scripts in [
        // Two, three and four who type at one place.
        ["kkk", "kkk"].as_slice(),
        &["kkkk", "kk"],
        &["kk", "kk", "k"],
        &["k", "k", "k", "k"],
        // Mistyped letters.
        &["kkxk", "kkk"],
        &["kxkk", "kxk"],
        // Who clicks behind, or before, what another types and has seen it.
        &["kkk", "ekk"],
        &["kkk", "fkk"],
        // A lost line; a snapshot instead of commits.
        &["kklk", "kk"],
        &["kksk", "kk"],
        &["kk", "ksk", "k"],
    ] {
        let walked = walk(scripts);
        assert_eq!(walked.split, 0, "{scripts:?}: {walked:?}");
        assert!(walked.ends > 0 && walked.states > 100, "{scripts:?}: {walked:?}");
    }
}

/// Where SPEC says that a sentence can be split, it is: the promise is no wider.
#[test]
fn text_3_where_a_sentence_can_still_be_split() {
    // Another deletes the last letters and types there, unseen.
    assert!(walk(&["kkk", "Dkk"]).split > 0);
    // Its author goes on at its left edge, where another types.
    assert!(walk(&["kk<k", "kfk"]).split > 0);
}

/// Random casts that are too large to be walked through.
#[test]
fn text_3_sentences_stay_whole_in_random_schedules() {
    let mut state = 7u64;
    let mut below = |bound: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    for run in 0..4_000 {
        let people = 2 + below(3);
        let keys = ["k", "k", "k", "k", "k", "kx", "e", "f", "l", "s"];
        let scripts: Vec<String> = (0..people)
            .map(|_| {
                // A sentence is typed in one go: clicks come before it.
                let start = ["", "", "e", "f"][below(4)];
                let rest =
                    (0..6).map(|_| keys[below(keys.len())]).filter(|key| !"ef".contains(key));
                start.to_owned() + &rest.collect::<String>()
            })
            .collect();
        let scripts: Vec<&str> = scripts.iter().map(String::as_str).collect();
        let mut world = World::new(people);
        loop {
            let events = world.events(&scripts);
            if events.is_empty() {
                break;
            }
            world.happen(events[below(events.len())], &scripts);
        }
        assert_eq!(world.split(), 0, "run {run}: {scripts:?}: {}", world.text);
        for client in &world.clients {
            assert_eq!(client.view(), world.text, "run {run}: {scripts:?}");
        }
    }
}

/// The recipe's example: A and B at one gap, C behind A's first letter.
#[test]
fn text_3_the_example() {
    let one = |at, part| Delta::from_parts([Part::Retain(at), part]).expect("a small delta");
    let mut text = "LR".to_owned();
    let mut log: Vec<Delta> = Vec::new();
    let mut submit = |base: usize, delta: Delta, wanted: &str, result: &str| {
        let moved = log[base..].iter().fold(delta, |mine, one| mine.transform(one, Order::After));
        assert_eq!(moved.to_string(), wanted);
        text = apply(&text, &moved);
        assert_eq!(text, result);
        log.push(moved);
    };
    submit(0, one(1, Part::insert("a")), "=1 +\"a\"", "LaR");
    submit(0, one(1, Part::insert("x")), "=2 +\"x\"", "LaxR");
    submit(1, one(2, Part::continuing("b")), "=2 +·\"b\"", "LabxR");
    submit(2, one(3, Part::continuing("y")), "=4 +·\"y\"", "LabxyR");
    submit(1, one(2, Part::insert("c")), "=5 +\"c\"", "LabxycR");
}

#[test]
fn text_9_text_leaves_a_caret_that_goes_on() {
    let theirs = Delta::from_parts([Part::Retain(2), Part::insert("x")]).expect("small");
    let goes_on = Delta::from_parts([Part::Retain(2), Part::continuing("x")]).expect("small");
    assert_eq!(theirs.transform_position(2, Anchor::Run), 2);
    assert_eq!(goes_on.transform_position(2, Anchor::Run), 3);
    assert_eq!(theirs.transform_position(2, Anchor::Right), 3);
    assert_eq!(theirs.transform_position(2, Anchor::Left), 2);
}

#[test]
fn text_11_a_run_is_what_its_author_typed_last() {
    let mut run = Run::default();
    let mut typed = |parts: &[Part], marked: &str, start: u32, end: u32| {
        let delta = Delta::from_parts(parts.iter().cloned()).expect("a small delta");
        assert_eq!(run.typed(&delta).to_string(), marked);
        assert_eq!((run.start(), run.end()), (start, end), "{marked}");
    };
    let insert = Part::insert("xy");
    typed(&[Part::Retain(3), insert.clone()], "=3 +\"xy\"", 3, 5);
    typed(&[Part::Retain(5), insert.clone()], "=5 +·\"xy\"", 3, 7);
    typed(&[Part::Retain(4), insert.clone()], "=4 +·\"xy\"", 3, 9);
    // At its start an insertion makes it longer, and continues nothing.
    typed(&[Part::Retain(3), insert.clone()], "=3 +\"xy\"", 3, 11);
    typed(&[Part::Retain(9), Part::Delete(5)], "=9 -5", 3, 9);
    typed(&[Part::Retain(9), insert.clone(), Part::Delete(1)], "=9 +·\"xy\" -1", 3, 11);
    // Elsewhere it is a new one; one that is gone is none.
    typed(std::slice::from_ref(&insert), "+\"xy\"", 0, 2);
    typed(&[Part::Delete(4)], "-4", 0, 0);
    typed(&[insert], "+\"xy\"", 0, 2);

    let moved = |parts: &[Part]| {
        let mut moved = run;
        moved.moved(&Delta::from_parts(parts.iter().cloned()).expect("a small delta"));
        (moved.start(), moved.end())
    };
    let insert = || Part::continuing("xy");
    assert_eq!(moved(&[insert()]), (2, 4), "text at its start pushes it");
    assert_eq!(moved(&[Part::Retain(1), insert()]), (0, 4), "text inside makes it longer");
    assert_eq!(moved(&[Part::Retain(2), insert()]), (0, 2), "text at its end leaves it");
    assert_eq!(moved(&[Part::Retain(1), Part::Delete(9)]), (0, 1));
    assert_eq!(moved(&[insert(), Part::Delete(2)]), (0, 0), "an empty run is none");
}
