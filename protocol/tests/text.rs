//! TEXT: deltas, their transform, composition and inversion.

mod generator;
mod naive;

use desk_protocol::text::{Anchor, Delta, DeltaError, Order, Part, Run, diff};
use generator::Random;

fn apply(text: &str, delta: &Delta) -> String {
    delta.apply(text).expect("the delta fits")
}

/// Builds a delta from `=3 +x -2`; `·x` is an insertion that continues.
fn delta(short: &str) -> Delta {
    let parts = short.split_whitespace().map(|part| {
        let mut rest = part.chars();
        match rest.next() {
            Some('=') => Part::Retain(rest.as_str().parse().expect("a count")),
            Some('-') => Part::Delete(rest.as_str().parse().expect("a count")),
            Some('·') => Part::continuing(rest.as_str()),
            _ => Part::insert(rest.as_str()),
        }
    });
    Delta::from_parts(parts).expect("a small delta")
}

fn assert_canonical(delta: &Delta) {
    assert!(!matches!(delta.parts().last(), Some(Part::Retain(_))), "{delta}: a retain at the end");
    for pair in delta.parts().windows(2) {
        let fine = match (&pair[0], &pair[1]) {
            (Part::Retain(_), Part::Retain(_)) | (Part::Insert { .. }, Part::Insert { .. }) => {
                false
            }
            // An insertion stands before the deletion that it touches.
            (Part::Delete(_), Part::Delete(_) | Part::Insert { .. }) => false,
            _ => true,
        };
        assert!(fine, "{delta}");
    }
    for part in delta.parts() {
        match part {
            Part::Retain(n) | Part::Delete(n) => assert_ne!(*n, 0, "{delta}"),
            Part::Insert { text, .. } => assert!(!text.is_empty(), "{delta}"),
        }
    }
}

/// Every delta on a text of `chars` characters that inserts `letter` anywhere,
/// each insertion continuing or not, and deletes any characters.
fn every_delta(chars: u32, letter: &str) -> Vec<Delta> {
    let mut all = Vec::new();
    let gaps = chars + 1;
    for insertions in 0..3u32.pow(gaps) {
        for deletions in 0..1u32 << chars {
            let mut parts = Vec::new();
            for at in 0..gaps {
                let text = format!("{letter}{at}");
                match insertions / 3u32.pow(at) % 3 {
                    0 => {}
                    kind => parts.push(Part::Insert { text: text.into(), continues: kind == 2 }),
                }
                if at < chars {
                    let deleted = deletions >> at & 1 == 1;
                    parts.push(if deleted { Part::Delete(1) } else { Part::Retain(1) });
                }
            }
            all.push(Delta::from_parts(parts).expect("a small delta"));
        }
    }
    all
}

fn check_tp1(text: &str, first: &Delta, second: &Delta) {
    let over = second.transform(first, Order::After);
    let under = first.transform(second, Order::Before);
    assert_canonical(&over);
    assert_canonical(&under);
    let one = apply(&apply(text, first), &over);
    let other = apply(&apply(text, second), &under);
    assert_eq!(one, other, "{text:?}: {first} | {second}");
}

#[test]
fn text_1_deltas_are_canonical() {
    for (written, canonical) in [
        ("=0 +a =2 =3", "+\"a\""),
        ("=2 -1 +x -1 =4", "=2 +\"x\" -2"),
        ("+a +b -0 +c", "+\"abc\""),
        ("-1 +a =0 -2", "+\"a\" -3"),
        // An insertion goes before its deletion as it is; joined, the first counts.
        ("-1 ·a", "+·\"a\" -1"),
        ("=1 ·a +b", "=1 +·\"ab\""),
        ("=1 +a ·b -1 ·c", "=1 +\"abc\" -1"),
    ] {
        assert_eq!(delta(written).to_string(), canonical, "{written}");
    }
    for seed in 0..2_000 {
        let mut random = Random::new(seed);
        assert_canonical(&generator::delta(&mut random, 6));
    }
}

#[test]
fn text_2_stepwise_is_not_composed() {
    // Mine: x at the end of "01", then the 1 goes. Theirs, ordered first: y at the end.
    let (mine, then, theirs) = (delta("=2 +x"), delta("=1 -1"), delta("=2 +y"));
    let head = apply("01", &theirs);
    let step = mine.transform(&theirs, Order::After);
    let then_step = then.transform(&theirs.transform(&mine, Order::Before), Order::After);
    assert_eq!(apply(&apply(&head, &step), &then_step), "0yx");
    let composed = mine.compose(&then);
    assert_eq!(composed.to_string(), "=1 +\"x\" -1");
    assert_eq!(apply(&head, &composed.transform(&theirs, Order::After)), "0xy");
}

#[test]
fn text_3_the_first_of_two_insertions_stands_left() {
    let (first, second) = (delta("=1 +x"), delta("=1 +y"));
    assert_eq!(apply("axb", &second.transform(&first, Order::After)), "axyb");
    assert_eq!(apply("ayb", &first.transform(&second, Order::Before)), "axyb");
}

#[test]
fn text_3_what_continues_stands_left() {
    for (first, second, over, under, result) in [
        ("=1 +x", "=1 +y", "=2 +\"y\"", "=1 +\"x\"", "axyb"),
        ("=1 ·x", "=1 ·y", "=2 +·\"y\"", "=1 +·\"x\"", "axyb"),
        ("=1 ·x", "=1 +y", "=2 +\"y\"", "=1 +·\"x\"", "axyb"),
        ("=1 +x", "=1 ·y", "=1 +·\"y\"", "=2 +\"x\"", "ayxb"),
    ] {
        let (a, b) = (delta(first), delta(second));
        let (moved, back) = (b.transform(&a, Order::After), a.transform(&b, Order::Before));
        assert_eq!(moved.to_string(), over, "{second} over {first}");
        assert_eq!(back.to_string(), under, "{first} over {second}");
        assert_eq!(apply(&apply("ab", &a), &moved), result);
    }
}

#[test]
fn text_3_the_mark_goes_with_the_left_character() {
    // The other one deletes it, whichever is ordered first.
    for order in [Order::Before, Order::After] {
        assert_eq!(delta("=2 ·x").transform(&delta("=1 -1"), order).to_string(), "=1 +\"x\"");
        assert_eq!(delta("=2 ·x").transform(&delta("=2 -1"), order).to_string(), "=2 +·\"x\"");
        assert_eq!(delta("=2 ·x").transform(&delta("-1"), order).to_string(), "=1 +·\"x\"");
        let replaced = delta("=2 ·x").transform(&delta("=1 +y -1"), order);
        assert_eq!(replaced.to_string(), "=2 +\"x\"");
    }
    // Its own author deletes it later.
    assert_eq!(delta("=2 ·x").compose(&delta("=1 -1")).to_string(), "=1 +\"x\" -1");
    assert_eq!(delta("=2 ·x").compose(&delta("-1")).to_string(), "-1 =1 +·\"x\"");
    assert_eq!(delta("=2 ·xy").compose(&delta("=2 -1")).to_string(), "=2 +·\"y\"");
}

#[test]
fn text_3_one_author_s_insertions_keep_their_order() {
    for first in ["=1 +x", "=1 ·x"] {
        for second in ["=1 +y", "=1 ·y"] {
            let moved = delta(second).transform(&delta(first), Order::AfterOwn);
            assert_eq!(moved.to_string(), "=2 +·\"y\"", "{second} over {first}");
        }
    }
    // Elsewhere it is as it was.
    let elsewhere = delta("=1 +y =1 ·z").transform(&delta("+x"), Order::AfterOwn);
    assert_eq!(elsewhere.to_string(), "=2 +\"y\" =1 +·\"z\"");
}

#[test]
fn text_4_tp1_holds_for_every_small_pair() {
    for chars in 0..=3 {
        let text = &"012"[..chars as usize];
        for first in every_delta(chars, "x") {
            for second in every_delta(chars, "y") {
                check_tp1(text, &first, &second);
            }
        }
    }
}

#[test]
fn text_4_tp1_holds_for_random_pairs() {
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let text = generator::text(&mut random, 8);
        let chars = text.chars().count();
        let first = generator::delta(&mut random, chars);
        let second = generator::delta(&mut random, chars);
        check_tp1(&text, &first, &second);
    }
}

#[test]
fn text_5_apply_agrees_with_walking_over_characters() {
    for seed in 0..5_000 {
        let mut random = Random::new(seed);
        let text = generator::text(&mut random, 8);
        let delta = generator::delta(&mut random, text.chars().count());
        let cells = naive::cells(&text, &mut 0);
        let walked = naive::string(&naive::walk(&cells, delta.parts(), &mut 0));
        assert_eq!(apply(&text, &delta), walked, "seed {seed}: {text:?} {delta}");
        let grown = walked.len() as i64 - text.len() as i64;
        assert_eq!(delta.bytes_grown(&text), grown, "seed {seed}");
    }
}

#[test]
fn text_5_past_the_end_is_an_error() {
    assert_eq!(delta("=1 -3").apply("ab"), Err(DeltaError::PastEnd { needed: 4, found: 2 }));
    assert_eq!(delta("=3 +x").invert("é"), Err(DeltaError::PastEnd { needed: 3, found: 1 }));
    let huge = [Part::Retain(u32::MAX), Part::Delete(1)];
    assert!(Delta::from_parts(huge).is_err());
}

#[test]
fn text_6_compose_is_one_after_the_other() {
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let text = generator::text(&mut random, 8);
        let first = generator::delta(&mut random, text.chars().count());
        let between = apply(&text, &first);
        let second = generator::delta(&mut random, between.chars().count());
        let composed = first.compose(&second);
        assert_canonical(&composed);
        let wanted = apply(&between, &second);
        assert_eq!(apply(&text, &composed), wanted, "seed {seed}: {text:?} {first} | {second}");
    }
}

#[test]
fn text_6_of_joined_insertions_the_first_counts() {
    for (first, then, composed) in [
        ("=1 ·x", "=2 +y", "=1 +·\"xy\""),
        ("=1 +x", "=2 ·y", "=1 +\"xy\""),
        ("=1 +x", "=1 ·y", "=1 +·\"yx\""),
        ("=1 ·x =1 +y", "=2 -1", "=1 +·\"xy\" -1"),
    ] {
        assert_eq!(delta(first).compose(&delta(then)).to_string(), composed);
    }
}

#[test]
fn text_7_invert_takes_back() {
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let text = generator::text(&mut random, 8);
        let delta = generator::delta(&mut random, text.chars().count());
        let inverse = delta.invert(&text).expect("it fits");
        assert_canonical(&inverse);
        assert_eq!(apply(&apply(&text, &delta), &inverse), text, "seed {seed}: {text:?} {delta}");
        assert_eq!(inverse, inverse.clone().unmarked(), "what it puts back continues nothing");
    }
}

#[test]
fn text_8_diff_finds_a_way_from_any_text_to_any() {
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let before = generator::text(&mut random, 30);
        let after = if random.chance(2) {
            apply(&before, &generator::delta(&mut random, before.chars().count()))
        } else {
            generator::text(&mut random, 30)
        };
        let delta = diff(&before, &after);
        assert_canonical(&delta);
        assert_eq!(apply(&before, &delta), after, "seed {seed}");
        assert_eq!(delta, delta.clone().unmarked(), "a difference continues nothing");
    }
}

#[test]
fn text_9_carets_stay_at_their_character() {
    for seed in 0..5_000 {
        let mut random = Random::new(seed);
        let text = generator::text(&mut random, 8);
        let delta = generator::delta(&mut random, text.chars().count());
        let cells = naive::cells(&text, &mut 0);
        let moved = naive::walk(&cells, delta.parts(), &mut 1_000);
        for (position, cell) in cells.iter().enumerate() {
            // A caret that text pushes stays left of the character at its right.
            if let Some(at) = moved.iter().position(|other| other == cell) {
                let found = delta.transform_position(position as u32, Anchor::Right);
                assert_eq!(found as usize, at, "seed {seed}: {text:?} {delta} {position}");
            }
            // One that is not pushed stays right of the character at its left.
            if let Some(at) = moved.iter().position(|other| other == cell) {
                let found = delta.transform_position(position as u32 + 1, Anchor::Left);
                assert_eq!(found as usize, at + 1, "seed {seed}: {text:?} {delta} {position}");
            }
        }
    }
}

#[test]
fn text_9_a_caret_stands_where_its_text_would() {
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let text = generator::text(&mut random, 8);
        let chars = text.chars().count();
        let delta = generator::delta(&mut random, chars);
        let caret = random.below(chars + 1) as u32;
        let next = Part::Insert { text: "|".into(), continues: random.chance(2) };
        let anchor = match next {
            Part::Insert { continues: true, .. } => Anchor::Run,
            _ => Anchor::Right,
        };
        let next = Delta::from_parts([Part::Retain(caret), next]).expect("a small delta");
        let there = apply(&apply(&text, &delta), &next.transform(&delta, Order::After));
        let found = delta.transform_position(caret, anchor) as usize;
        let wanted = there.chars().position(|char| char == '|');
        assert_eq!(Some(found), wanted, "seed {seed}: {text:?} {delta} {caret} {anchor:?}");
    }
}

#[test]
fn text_10_hostile_deltas_never_panic() {
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let mut hostile = || {
            let parts = (0..random.below(6)).map(|_| match random.below(4) {
                0 => Part::continuing(generator::text(&mut random, 3)),
                1 => Part::Delete(random.next() as u32 >> random.below(32)),
                _ => Part::Retain(random.next() as u32 >> random.below(32)),
            });
            Delta::from_parts(parts.collect::<Vec<_>>()).unwrap_or_default()
        };
        let (a, b, c) = (hostile(), hostile(), hostile());
        let moved = a.transform(&b, Order::After).transform(&c, Order::Before);
        for delta in [&moved, &a.compose(&b).compose(&c), &a] {
            let _ = delta.apply("text");
            let _ = delta.invert("text");
            delta.bytes_grown("text");
            delta.transform_position(random_position(seed), Anchor::Right);
            let mut run = Run::default();
            let typed = run.typed(delta);
            run.moved(&typed);
            assert!(run.start() <= run.end());
        }
    }
}

fn random_position(seed: u64) -> u32 {
    Random::new(seed).next() as u32
}
