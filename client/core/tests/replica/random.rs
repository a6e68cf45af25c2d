//! Random runs: people edit, lines break, pages are reloaded, the server
//! crashes; in the end all replicas read the same and nothing is lost or doubled.
//!
//! Each run is named by its seed: `check(seed)` repeats it.

use std::collections::BTreeMap;
use std::time::Duration;

use desk_client_core::{Edit, NewSticker};
use desk_protocol::limits::HistoryLimits;
use desk_protocol::text::Part;
use desk_protocol::{Color, Delta, Point, Size, Sticker, StickerId};

use crate::net::{Net, plenty};

/// SplitMix64, as the client's own.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

struct World {
    net: Net,
    random: Random,
    /// Each character that is typed is another one.
    typed: u32,
    /// Characters inserted by each client.
    mine: BTreeMap<char, usize>,
}

/// What people do in a run.
#[derive(Clone, Copy)]
struct Habits {
    deletes_text: bool,
    undoes: bool,
}

impl World {
    fn new(net: Net, seed: u64) -> Self {
        Self { net, random: Random(seed), typed: 0, mine: BTreeMap::new() }
    }

    fn some_client(&mut self) -> usize {
        self.random.below(self.net.peers.len())
    }

    fn some_sticker(&mut self, client: usize) -> Option<StickerId> {
        let ids: Vec<StickerId> =
            self.net.peers[client].client.desk().stickers().map(|one| one.id).collect();
        (!ids.is_empty()).then(|| ids[self.random.below(ids.len())])
    }

    fn fresh_text(&mut self, client: usize) -> String {
        let count = 1 + self.random.below(3);
        (0..count)
            .map(|_| {
                self.typed += 1;
                let letter = char::from_u32(0x4e00 + self.typed).expect("far from surrogates");
                self.mine.insert(letter, client);
                letter
            })
            .collect()
    }

    fn delta(&mut self, client: usize, id: StickerId, deletes: bool) -> Delta {
        let chars = self.net.text(client, id).chars().count();
        let head = self.random.below(chars + 1);
        let mut parts = vec![Part::Retain(head as u32)];
        if deletes && self.random.chance(40) && head < chars {
            parts.push(Part::Delete(1 + self.random.below((chars - head).min(3)) as u32));
        }
        if !deletes || self.random.chance(70) {
            parts.push(Part::insert(self.fresh_text(client)));
        }
        Delta::from_parts(parts).expect("short")
    }

    fn edit(&mut self, client: usize, habits: Habits) -> Option<Edit> {
        let (x, y) = (self.random.below(100) as i32, self.random.below(100) as i32);
        let id = self.some_sticker(client);
        let (Some(id), false) = (id, self.random.chance(10)) else {
            let text = self.fresh_text(client);
            let note = NewSticker { position: Point { x, y }, text, ..NewSticker::default() };
            return Some(Edit::Create { id: None, note });
        };
        Some(match self.random.below(15) {
            0 | 1 => Edit::Move { id, to: Point { x, y } },
            2 => Edit::Resize { id, to: Size { width: 20 + x as u32, height: 20 } },
            3 => Edit::Recolor { id, to: Color(x as u32) },
            4 => Edit::Raise { id },
            5 => Edit::Lower { id },
            6 => Edit::Delete { id },
            7 => Edit::Restore { id },
            8 => Edit::SetTitle { title: format!("title {x}") },
            9 => Edit::Vote { id, count: x as u32 % 3 },
            10 => Edit::SetRegister { key: x as u8 % 3, value: vec![y as u8; x as usize % 3] },
            11 => Edit::SetLocked { id, locked: x % 2 == 0 },
            _ => {
                let delta = self.delta(client, id, habits.deletes_text);
                Edit::EditText { id, delta }
            }
        })
    }

    fn act(&mut self, client: usize, habits: Habits) {
        let count = if self.random.chance(15) { 3 } else { 1 };
        for _ in 0..count {
            if !self.net.peers[client].client.ready() {
                return;
            }
            let now = self.net.now;
            if habits.undoes && self.random.chance(25) {
                if self.random.chance(60) {
                    self.net.client(client).undo(now);
                } else {
                    self.net.client(client).redo(now);
                }
            } else if let Some(edit) = self.edit(client, habits) {
                self.net.client(client).act(now, vec![edit]).expect("the edit is sound");
            }
            if !self.net.lazy_disks {
                self.net.write_all(client);
            }
            self.net.peers[client].client.check_invariants();
        }
    }

    fn traffic(&mut self) {
        let client = self.some_client();
        for _ in 0..=self.random.below(3) {
            self.net.pump(client);
            if self.random.chance(50) {
                self.net.deliver_up(client);
            } else {
                self.net.deliver_down(client);
            }
            self.net.peers[client].client.check_invariants();
        }
    }

    fn trouble(&mut self) {
        let client = self.some_client();
        match self.random.below(12) {
            0..=2 => self.net.cut(client),
            3 | 4 => self.net.go_offline(client),
            5..=7 => self.net.go_online(client),
            8 | 9 => self.net.restart(client),
            10 => self.net.crash_server(),
            _ => self.net.resync(client),
        }
        self.net.peers[client].client.check_invariants();
    }

    /// The page is reloaded after its disk has written all, with a new line at once.
    fn reload(&mut self, client: usize) {
        self.net.write_all(client);
        self.net.restart(client);
        self.net.pump(client);
    }

    fn run(&mut self, steps: usize, habits: Habits, trouble: usize) {
        for _ in 0..steps {
            match self.random.below(100) {
                at if at < trouble => self.trouble(),
                at if at < 45 => {
                    let client = self.some_client();
                    self.act(client, habits);
                }
                at if at < 50 => self.net.pass_time(Duration::from_millis(300)),
                at if at < 58 => {
                    let client = self.some_client();
                    self.net.write_all(client);
                }
                _ => self.traffic(),
            }
        }
    }

    fn finish(&mut self) {
        for client in 0..self.net.peers.len() {
            self.net.go_online(client);
        }
        self.net.settle();
        self.net.assert_converged();
    }

    fn letters(&self) -> BTreeMap<char, usize> {
        let mut letters = BTreeMap::new();
        for sticker in self.net.server.desk.stickers() {
            for letter in sticker.text.value.chars() {
                *letters.entry(letter).or_default() += 1;
            }
        }
        letters
    }
}

fn floors(random: &mut Random) -> (HistoryLimits, usize) {
    let deltas_per_sticker = 1 + random.below(8);
    let kept = [1, 3, 10, 100][random.below(4)];
    (HistoryLimits { deltas_per_sticker, bytes: 4_096 }, kept)
}

/// Whatever people do and whatever breaks, all replicas end up the same.
#[test]
fn all_replicas_converge() {
    for seed in 0..300 {
        let mut random = Random(seed ^ 0xabcd);
        let (history, kept) = floors(&mut random);
        let clients = 2 + random.below(3);
        let mut world = World::new(Net::durable(clients, history, kept, seed), seed);
        world.net.settle();
        world.net.lazy_disks = random.chance(50);
        world.run(150, Habits { deletes_text: true, undoes: true }, 8);
        world.finish();
    }
}

/// Of what is only inserted, everything is there exactly once.
#[test]
fn nothing_is_lost_or_doubled() {
    for seed in 0..300 {
        let mut random = Random(seed ^ 0x1234);
        let (history, kept) = floors(&mut random);
        let clients = 2 + random.below(3);
        let mut world = World::new(Net::durable(clients, history, kept, seed), seed);
        world.net.settle();
        world.run(150, Habits { deletes_text: false, undoes: false }, 8);
        world.finish();
        let expected: BTreeMap<char, usize> = world.mine.keys().map(|key| (*key, 1)).collect();
        assert_eq!(world.letters(), expected, "seed {seed}");
    }
}

/// With disks that lag, a reload may forget what was never sent, but nothing
/// comes twice, and what came to the server stays.
#[test]
fn nothing_is_doubled_when_disks_lag() {
    for seed in 0..300 {
        let mut random = Random(seed ^ 0x77);
        let (history, kept) = floors(&mut random);
        let mut world = World::new(Net::durable(3, history, kept, seed), seed);
        world.net.settle();
        world.net.lazy_disks = true;
        world.run(150, Habits { deletes_text: false, undoes: false }, 12);
        let before = world.letters();
        world.finish();
        let after = world.letters();
        assert!(after.values().all(|count| *count == 1), "seed {seed}");
        assert!(before.keys().all(|letter| after.contains_key(letter)), "seed {seed}");
    }
}

/// Undoing everything takes all of mine away and nothing of others'; redoing
/// everything brings mine back. Reloads in between change nothing of it.
#[test]
fn undo_22_only_my_characters_go_and_come_back() {
    for seed in 0..300 {
        let mut net = Net::durable(3, plenty(), 10_000, seed);
        net.settle();
        let now = net.now;
        net.client(1).create(now, NewSticker::default()).expect("sound");
        net.settle();
        let mut world = World::new(net, seed);
        let mut steps = 0;
        for _ in 0..60 {
            let client = world.some_client();
            match world.random.below(4) {
                0 => world.traffic(),
                2 if client == 0 && world.random.chance(30) => world.reload(0),
                // Breaks of typing, so that there is more than one step.
                1 if client == 0 => world.net.pass_time(Duration::from_millis(600)),
                _ => {
                    let Some(id) = world.some_sticker(client) else { continue };
                    // Others insert only; I delete theirs and mine, too.
                    let delta = world.delta(client, id, client == 0);
                    let now = world.net.now;
                    world.net.client(client).edit_text(now, id, delta).expect("sound");
                    steps += usize::from(client == 0);
                }
            }
        }
        for _ in 0..=steps {
            world.traffic();
            let now = world.net.now;
            world.net.client(0).undo(now);
            if world.random.chance(10) {
                world.reload(0);
            }
            world.net.peers[0].client.check_invariants();
        }
        world.finish();
        let theirs = |(letter, client): (&char, &usize)| (*client != 0).then_some((*letter, 1));
        let expected: BTreeMap<char, usize> = world.mine.iter().filter_map(theirs).collect();
        assert_eq!(world.letters(), expected, "seed {seed}");
        let undone = world.net.server.desk.stickers().next().map(|one| one.text.value.clone());

        for _ in 0..=steps {
            world.traffic();
            let now = world.net.now;
            world.net.client(0).redo(now);
            if world.random.chance(10) {
                world.reload(0);
            }
            world.net.peers[0].client.check_invariants();
        }
        world.finish();
        assert!(world.letters().values().all(|count| *count == 1), "seed {seed}");
        for _ in 0..=steps {
            let now = world.net.now;
            world.net.client(0).undo(now);
        }
        world.finish();
        let again = world.net.server.desk.stickers().next().map(|one: &Sticker| &one.text.value);
        assert_eq!(again, undone.as_ref(), "seed {seed}");
    }
}
