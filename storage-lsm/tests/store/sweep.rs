//! Every kind of misfortune at every access of a story. With `SWEEP=full` in
//! the environment each access has its turn, over several seeds (`make
//! sim-store`); without it, every so manieth of one seed.

use std::collections::BTreeSet;
use std::ops::Range;

use desk_storage_lsm::Key;
use desk_storage_lsm::file::MANIFEST;
use desk_storage_lsm::inspect::{Cause, Flaw, Inspection, inspect};
use desk_storage_lsm::limits::{BLOCK_BYTES, MANIFEST_SLOT_BYTES, SECTOR_BYTES};
use desk_storage_lsm::memory_disk::{Faults, MemoryDisk, Misfortune, drive};

use crate::node::{Node, files};
use crate::oracle::Oracle;
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

/// A block that has gone bad.
struct Rotten {
    disk: MemoryDisk,
    rot: Rot,
    name: String,
    /// Where the block lies in the file, in bytes.
    at: usize,
    /// The byte that has changed, or the first of them, in the block.
    byte: usize,
}

/// Every so manieth used block of each file, each gone bad in all ways.
fn rot_each_block(sound: &MemoryDisk, stride: usize, mut look: impl FnMut(Rotten)) {
    for (name, bytes) in files(sound) {
        let used: Vec<usize> = (0..bytes.len())
            .step_by(BLOCK_BYTES)
            .filter(|at| bytes[*at..bytes.len().min(at + BLOCK_BYTES)].iter().any(|b| *b != 0))
            .collect();
        for (index, at) in used.into_iter().enumerate().step_by(stride) {
            // Zeros are padding as a rule, which no checksum is of.
            let block = bytes[at..].iter().take(BLOCK_BYTES).enumerate();
            let filled: Vec<usize> = block.filter(|(_, b)| **b != 0).map(|(i, _)| i).collect();
            for rot in ROT {
                let disk = sound.fork();
                let mut byte = 0;
                match rot {
                    Rot::Zeros => disk.overwrite(&name, at, &[0; BLOCK_BYTES]),
                    Rot::AnyBit => {
                        byte = filled[(index * 37) % filled.len()];
                        disk.flip_bit(&name, (at + byte) * 8 + index % 8);
                    }
                    Rot::Version => {
                        byte = 12 + index / 8 % 2;
                        disk.flip_bit(&name, (at + byte) * 8 + index % 8);
                    }
                    Rot::Unreadable => disk.spoil(&name, at..at + BLOCK_BYTES),
                }
                look(Rotten { disk, rot, name: name.clone(), at, byte });
            }
        }
    }
}

impl std::fmt::Display for Rotten {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rot, name, at, byte, .. } = self;
        write!(f, "{rot:?} of byte {byte} in block {} of {name}", at / BLOCK_BYTES)
    }
}

impl Rotten {
    /// The keys of batches that nobody can tell from ones that were torn.
    fn excused(&self, story: &Story<'_>) -> BTreeSet<Key> {
        let place = self.at as u64..(self.at + BLOCK_BYTES) as u64;
        story.unproven(|batch| batch.overlaps(&self.name, &place))
    }

    /// Whether anybody could know that these bytes are not what was written,
    /// and would care.
    fn can_be_told(&self, before: &Inspection, sound: &[u8]) -> bool {
        let (at, zeros) = (self.at as u64, matches!(self.rot, Rot::Zeros));
        let of_segment = before.segments.iter().find(|line| line.file.segment_name() == self.name);
        let of_table = before.tables.iter().find(|line| line.file.table_name() == self.name);
        if matches!(self.rot, Rot::Version) && sound[self.at + self.byte] == 0 {
            // It may be padding.
            return false;
        }
        let field = |at: usize| u64::from_le_bytes(sound[at..at + 8].try_into().unwrap());
        match (of_segment, of_table) {
            // A write that was torn leaves such a slot, if it is longer than a sector.
            (None, None) if self.name == MANIFEST => {
                self.byte < SECTOR_BYTES && at.is_multiple_of(MANIFEST_SLOT_BYTES as u64)
            }
            // A file that nobody needs.
            (None, None) => false,
            (Some(line), _) if at < 2 * BLOCK_BYTES as u64 => {
                // Zeros may be a slot that was never used. Of the newest header
                // they are not, if the log went on after its first batch.
                let is_newest = field(self.at + 24) >= field(BLOCK_BYTES - self.at + 24);
                let ends = before.segments.iter().filter_map(|line| line.contents.as_ref());
                let went_on = line.contents.as_ref().is_some_and(|contents| {
                    let mut ends = ends.filter(|other| other.log == contents.log);
                    contents.end > contents.first + 1 || ends.any(|o| o.end > contents.end)
                });
                !zeros || (is_newest && went_on)
            }
            (Some(line), _) => {
                let blocks = line.contents.as_ref().map_or(0, |contents| contents.blocks);
                at / (BLOCK_BYTES as u64) < u64::from(blocks)
            }
            (_, Some(line)) if at < line.proven => true,
            (_, Some(line)) => {
                // Zeros are what a torn footer has too, unless a start came after.
                let footer = field(sound.len() - BLOCK_BYTES + 16);
                line.sealed && at >= footer && !(zeros && line.file.epoch == before.epoch)
            }
        }
    }
}

/// What lies on the disk goes bad: a block of each file at a time, as a whole,
/// by one bit, or so that it cannot be read. The store opens all the same.
#[test]
fn a_block_that_rots_is_named() {
    let extent = extent(1..2, 0..4, 3);
    let mut count = 0;
    for seed in extent.seeds {
        let sound = MemoryDisk::with_seed(seed);
        let mut story = Story::new(&sound, seed, Mood::Lie);
        story.play_until(4);
        rot_each_block(&sound, extent.stride, |rotten| {
            count += 1;
            println!("seed {seed}: {rotten}");
            let excused = rotten.excused(&story);
            let mut oracle: Oracle = story.oracle.clone();
            oracle.restart();
            let node = Node::start(&rotten.disk, options(), story.now, 2)
                .unwrap_or_else(|error| panic!("{rotten}: {error}"));
            oracle.check_after_a_lie(&node, story.now, &excused);
        });
    }
    println!("swept: {count} blocks that rot");
}

/// The same, and an inspection calls each of them damage, but what a crash may
/// have left as well and what nobody needs.
#[test]
fn an_inspection_finds_every_block_that_rots() {
    let extent = extent(1..2, 0..4, 3);
    let (mut told, mut count, mut missed) = (0, 0, Vec::new());
    for (seed, phases) in extent.seeds.flat_map(|seed| [(seed, 3), (seed, 4)]) {
        let sound = MemoryDisk::with_seed(seed);
        let mut story = Story::new(&sound, seed, Mood::Lie);
        story.play_until(phases);
        let before = drive(inspect(&sound)).unwrap();
        assert!(before.is_sound(), "{before:?}");
        rot_each_block(&sound, extent.stride, |rotten| {
            count += 1;
            let contents = sound.contents(&rotten.name).unwrap();
            if !rotten.excused(&story).is_empty() || !rotten.can_be_told(&before, &contents) {
                return;
            }
            told += 1;
            let found = drive(inspect(&rotten.disk)).unwrap();
            let is_named =
                |flaw: &Flaw| flaw.cause == Cause::Damage && flaw.file.name() == rotten.name;
            if found.report.is_sound() && !found.flaws.iter().any(is_named) {
                missed.push(format!("seed {seed}, {phases} phases: {rotten}"));
            }
        });
    }
    println!("swept: {told} of {count} blocks that rot can be told");
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
    assert!(told * 2 > count, "most blocks are needed: {told} of {count}");
}
