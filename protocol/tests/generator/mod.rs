//! Seeded random desks, operations and deltas for the tests of the resolver.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use desk_protocol::text::{Delta, Part};
use desk_protocol::{
    Color, Create, Desk, Operation, Point, Size, Sticker, StickerId, StickerKind, Write,
};

/// SplitMix64: one seed replays one run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is above 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Characters of one to four bytes.
const ALPHABET: [char; 8] = ['a', 'b', 'c', '\n', 'é', 'ж', '漢', '😀'];

pub fn text(random: &mut Random, chars_max: usize) -> String {
    let chars = random.below(chars_max + 1);
    (0..chars).map(|_| *random.pick(&ALPHABET)).collect()
}

/// A delta that fits a text of `chars` characters.
pub fn delta(random: &mut Random, chars: usize) -> Delta {
    let mut parts = Vec::new();
    let mut rest = chars as u32;
    for _ in 0..random.below(6) {
        match random.below(3) {
            0 => {
                let text = text(random, 3);
                // A client may claim what it likes: nobody derives or checks it.
                let continues = text.len() % 2 == 1;
                parts.push(Part::Insert { text: text.into(), continues });
            }
            kind => {
                let n = random.below(rest.min(4) as usize + 1) as u32;
                rest -= n;
                parts.push(if kind == 1 { Part::Retain(n) } else { Part::Delete(n) });
            }
        }
    }
    Delta::from_parts(parts).expect("a small delta")
}

pub fn point(random: &mut Random) -> Point {
    Point { x: random.below(9) as i32 - 4, y: random.below(9) as i32 }
}

pub fn create(random: &mut Random, id: StickerId) -> Create {
    Create {
        id,
        kind: StickerKind(random.below(3) as u8),
        position: point(random),
        size: Size { width: 20 + random.below(9) as u32, height: 40 },
        color: Color(random.below(1 << 24) as u32),
        text: text(random, 5),
        ..Create::default()
    }
}

/// Kinds of operations on a sticker that is there; `Create`, `SetTitle` and
/// `SetRegister` come on top.
pub const KINDS: usize = 16;

/// An operation of one kind on `sticker`, as its author sees it.
pub fn operation_on(random: &mut Random, kind: usize, sticker: &Sticker) -> Operation {
    let id = sticker.id;
    let set = |write, yielding| Operation::Set { id, write, yielding };
    match kind {
        0 => set(Write::Position(point(random)), false),
        1 => set(Write::Size(Size { width: 30, height: 20 + random.below(9) as u32 }), false),
        2 => set(Write::Color(Color(random.below(1 << 24) as u32)), false),
        3 => Operation::Raise { id, z: None },
        4 => Operation::Lower { id, z: None },
        5 => set(Write::Deleted(true), false),
        6 => set(Write::Deleted(false), false),
        7 => set(Write::Position(point(random)), true),
        8 => set(Write::Color(Color(random.below(1 << 24) as u32)), true),
        9 => set(Write::Z(random.below(9) as i64 - 4), true),
        10 => set(Write::Deleted(false), true),
        // An undone creation: its author sees the sticker.
        11 if !sticker.deleted.value => set(Write::Deleted(true), true),
        12 => set(Write::Locked(random.chance(2)), false),
        13 => set(Write::Locked(random.chance(2)), true),
        14 => Operation::Vote { id, count: random.below(3) as u32 },
        _ => {
            let chars = sticker.text.value.chars().count();
            Operation::EditText { id, delta: delta(random, chars) }
        }
    }
}

pub fn register(random: &mut Random) -> Operation {
    let value = (0..random.below(3)).map(|_| random.next() as u8).collect();
    Operation::SetRegister { key: random.below(3) as u8, value }
}

/// Any operation, as an author sees the desk. `fresh` gives unused ids.
pub fn operation(random: &mut Random, view: &Desk, fresh: &mut u64) -> Operation {
    let stickers: Vec<_> = view.stickers().collect();
    if stickers.is_empty() || random.chance(9) {
        *fresh += 1;
        let id = StickerId(*fresh << 8 | random.next() & 0xff);
        return Operation::Create(create(random, id));
    }
    if random.chance(16) {
        return Operation::SetTitle { title: text(random, 4), yielding: random.chance(3) };
    }
    if random.chance(16) {
        return register(random);
    }
    let sticker = *random.pick(&stickers);
    // Text is what goes wrong: every second operation edits one.
    let kind = if random.chance(2) { 15 } else { random.below(KINDS) };
    operation_on(random, kind, sticker)
}
