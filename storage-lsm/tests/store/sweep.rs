//! Every kind of misfortune at every access of a story. With `SWEEP=full` in
//! the environment each access has its turn, over several seeds (`make
//! sim-store`); without it, every so manieth of one seed.

use std::ops::Range;

use desk_storage_lsm::disk::Disk;
use desk_storage_lsm::limits::BLOCK_BYTES;
use desk_storage_lsm::memory_disk::{Faults, MemoryDisk, Misfortune, drive};

use crate::node::{Node, Oracle};
use crate::scenario::{Mood, Story, is_full_sweep, options};

/// How many seeds, and every so manieth access.
#[derive(Clone)]
struct Extent {
    seeds: Range<u64>,
    stride: usize,
}

fn extent(seeds: Range<u64>, full: Range<u64>, stride: usize) -> Extent {
    if is_full_sweep() { Extent { seeds: full, stride: 1 } } else { Extent { seeds, stride } }
}

fn one(access: u64, misfortune: Misfortune) -> Faults {
    Faults { at: vec![(access, misfortune)], capacity_bytes: None }
}

/// A story without misfortunes: how many accesses it takes.
fn accesses_of(seed: u64) -> u64 {
    let disk = MemoryDisk::with_seed(seed);
    Story::new(&disk, seed, Mood::Power).play();
    disk.accesses()
}

/// Tells the story once for each access, with a misfortune there.
fn sweep(extent: Extent, mood: Mood, misfortune: Misfortune) {
    let mut told = 0;
    let mut struck = 0;
    for seed in extent.seeds.clone() {
        let accesses = accesses_of(seed);
        let first = (seed as usize % extent.stride) as u64;
        for access in (first..accesses).step_by(extent.stride) {
            let disk = MemoryDisk::with_seed(seed);
            disk.set_faults(one(access, misfortune));
            let mut story = Story::new(&disk, seed, mood);
            let context = Context { seed, access, misfortune, disk: &disk };
            story.play();
            told += 1;
            struck += usize::from(!disk.strikes().is_empty());
            disk.restart();
            if mood == Mood::Lie {
                opens_and_names_it(&mut story, &disk);
            } else {
                story.opens_with_everything();
            }
            drop(context);
        }
    }
    let what = if misfortune == Misfortune::Crash { "crashes" } else { "stories" };
    println!("swept: {struck} {what} of {told} met {misfortune:?}");
    assert!(struck * 100 > told, "the misfortune strikes sometimes: {struck} of {told}");
}

/// Says which story it was, when a check fails.
struct Context<'a> {
    seed: u64,
    access: u64,
    misfortune: Misfortune,
    disk: &'a MemoryDisk,
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, access, misfortune, disk } = self;
            eprintln!("seed {seed}, access {access}, {misfortune:?}: {:?}", disk.strikes());
        }
    }
}

/// The store opens whatever the disk has lied about, and names it.
fn opens_and_names_it(story: &mut Story<'_>, disk: &MemoryDisk) {
    story.oracle.restart();
    let node = Node::start(disk, options(), story.now, 2)
        .unwrap_or_else(|error| panic!("the store does not open: {error}"));
    story.check(&node);
}

#[test]
fn the_story_covers_the_life_of_a_store() {
    let disk = MemoryDisk::with_seed(1);
    let mut story = Story::new(&disk, 1, Mood::Power);
    story.play();
    let deeds = story.deeds;
    println!("{deeds:?} in {} accesses", disk.accesses());
    deeds.cover_the_life_of_a_store();
    let node = Node::start(&disk, options(), story.now, 1).unwrap();
    let buckets = node.owner.manifest().buckets.stamps();
    assert!(buckets[0].id.0 > crate::node::NOW.0 as u32 + 2_000, "the first ones have expired");
    let tables = node.owner.manifest().tables.values();
    let expired = tables.filter(|table| table.bucket < buckets[0].id);
    assert_eq!(expired.count(), 0);
}

#[test]
fn power_fails_at_every_access() {
    sweep(extent(1..2, 0..12, 2), Mood::Power, Misfortune::Crash);
}

#[test]
fn an_io_error_at_every_access_loses_nothing() {
    sweep(extent(1..2, 0..3, 5), Mood::Told, Misfortune::Error);
}

#[test]
fn no_space_at_every_access_loses_nothing() {
    sweep(extent(2..3, 0..3, 5), Mood::Told, Misfortune::NoSpace);
}

#[test]
fn an_access_that_ends_early_loses_nothing() {
    sweep(extent(3..4, 0..3, 5), Mood::Told, Misfortune::Short);
}

#[test]
fn a_torn_write_that_says_nothing_is_named() {
    sweep(extent(1..2, 0..3, 5), Mood::Lie, Misfortune::Torn);
}

#[test]
fn a_lost_write_is_named() {
    sweep(extent(2..3, 0..3, 5), Mood::Lie, Misfortune::Lost);
}

#[test]
fn a_misdirected_access_is_named() {
    sweep(extent(3..4, 0..3, 5), Mood::Lie, Misfortune::Misdirected);
}

#[test]
fn a_write_into_another_file_is_named() {
    sweep(extent(4..5, 0..3, 5), Mood::Lie, Misfortune::Astray);
}

#[test]
fn a_flipped_bit_is_named() {
    sweep(extent(5..6, 0..3, 5), Mood::Lie, Misfortune::Flipped);
}

/// How a block goes bad.
#[derive(Clone, Copy, Debug)]
enum Rot {
    Zeros,
    AnyBit,
    /// A bit of the place where most blocks have the version of their format.
    Version,
    Unreadable,
}

const ROT: [Rot; 4] = [Rot::Zeros, Rot::AnyBit, Rot::Version, Rot::Unreadable];

/// What lies on the disk goes bad: a block of each file at a time, as a whole,
/// by one bit, or so that it cannot be read. The store opens all the same.
#[test]
fn a_block_that_rots_is_named() {
    let extent = extent(1..2, 0..4, 3);
    let mut rotten = 0;
    for seed in extent.seeds {
        let sound = MemoryDisk::with_seed(seed);
        let mut story = Story::new(&sound, seed, Mood::Lie);
        story.play_until(4);
        let (now, oracle) = (story.now, story.oracle.clone());
        for name in drive(sound.list()).unwrap() {
            let bytes = sound.contents(&name).unwrap();
            let used =
                |at: &usize| bytes[*at..bytes.len().min(at + BLOCK_BYTES)].iter().any(|b| *b != 0);
            let blocks = (0..bytes.len()).step_by(BLOCK_BYTES).filter(used);
            let blocks: Vec<_> = blocks.enumerate().step_by(extent.stride).collect();
            for ((index, at), rot) in
                blocks.into_iter().flat_map(|block| ROT.map(|rot| (block, rot)))
            {
                let disk = sound.fork();
                match rot {
                    Rot::Zeros => disk.overwrite(&name, at, &[0; BLOCK_BYTES]),
                    Rot::AnyBit => disk.flip_bit(&name, at * 8 + (index * 37) % (BLOCK_BYTES * 8)),
                    Rot::Version => disk.flip_bit(&name, (at + 12) * 8 + index % 16),
                    Rot::Unreadable => disk.spoil(&name, at..at + BLOCK_BYTES),
                }
                rotten += 1;
                let place = format!("seed {seed}: {rot:?} in block {} of {name}", at / BLOCK_BYTES);
                println!("{place}");
                let (at, end) = (at as u64, (at + BLOCK_BYTES) as u64);
                let rotten_place = at..end;
                let excused = story.unproven(|batch| batch.overlaps(&name, &rotten_place));
                let mut oracle: Oracle = oracle.clone();
                oracle.restart();
                let node = Node::start(&disk, options(), now, 2)
                    .unwrap_or_else(|error| panic!("{place}: {error}"));
                oracle.check_after_a_lie(&node, now, &excused);
            }
        }
    }
    println!("swept: {rotten} blocks that rot");
}
