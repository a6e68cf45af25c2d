//! The story, told by a process that is killed (`SIGKILL`) at an access of the
//! real disk, before it and after it; then by another one, and so on. This
//! process opens the folder that each leaves, as a restart does, and the oracle
//! checks it by what the dead one had acknowledged. With `SWEEP=full` in the
//! environment each access has its turn (`make kills`), without it every so
//! manieth.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use desk_disk::FolderLock;
use glommio::LocalExecutor;

use crate::ledger::Ledger;
use crate::mortal::{Death, Mortal, executor};
use crate::node::Stage;
use crate::scenario::{Mood, Story, is_full_sweep};

const SEED: u64 = 1;
/// Odd, so that deaths before an access and after one take turns.
const STRIDE: u64 = 37;
/// Processes that die at a time; each waits for the disk, mostly.
const AT_A_TIME: usize = 3;

/// Tell a child its part in the story.
const MOMENT: &str = "STORY_MOMENT";
const FOLDER: &str = "STORY_FOLDER";

/// Where a process that dies leaves what it did.
struct Estate {
    data: PathBuf,
    ledger: PathBuf,
}

impl Estate {
    fn of(folder: &Path) -> Self {
        Self { data: folder.join("data"), ledger: folder.join("ledger") }
    }
}

/// Each access has two moments.
fn death_at(moment: u64) -> Death {
    if moment.is_multiple_of(2) { Death::Before(moment / 2) } else { Death::After(moment / 2) }
}

#[test]
fn a_kill_before_and_after_every_access_loses_nothing() {
    if let (Ok(moment), Ok(folder)) = (std::env::var(MOMENT), std::env::var(FOLDER)) {
        return tell_and_die(death_at(moment.parse().unwrap()), &Estate::of(folder.as_ref()));
    }
    // The folder for temporary files may be in memory; the target's is on the disk.
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let moments = 2 * accesses_of_the_story(&root.path().join("whole"));
    let stride = if is_full_sweep() { 1 } else { STRIDE };
    let (next, kills) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                let executor = executor();
                loop {
                    let moment = next.fetch_add(stride, Ordering::Relaxed);
                    if moment >= moments {
                        break;
                    }
                    kill_and_check(moment, &root.path().join(moment.to_string()), &executor);
                    kills.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let accesses = moments / 2;
    println!(
        "killed: {} processes, each at one moment of {moments}, before and after {accesses} \
         accesses of the real disk; nothing lost, nothing doubled",
        kills.into_inner()
    );
}

fn accesses_of_the_story(folder: &Path) -> u64 {
    let disk = Mortal::open(&executor(), folder);
    let mut story = Story::new(&disk, SEED, Mood::Power);
    story.play();
    let accesses = disk.accesses();
    story.deeds.cover_the_life_of_a_store();
    story.opens_with_everything();
    accesses
}

/// A child's part.
fn tell_and_die(death: Death, estate: &Estate) {
    let _lock = FolderLock::take(&estate.data).unwrap();
    let disk = Mortal::open(&executor(), &estate.data);
    let disk = disk.doomed(death, Ledger::create(&estate.ledger));
    Story::new(&disk, SEED, Mood::Power).play();
}

fn kill_and_check(moment: u64, folder: &Path, executor: &Rc<LocalExecutor>) {
    let context = Context(death_at(moment));
    std::fs::create_dir(folder).unwrap();
    let name = "sigkill::a_kill_before_and_after_every_access_loses_nothing";
    let child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(MOMENT, moment.to_string())
        .env(FOLDER, folder)
        .output()
        .unwrap();
    assert_eq!(child.status.signal(), Some(9), "{child:?}");

    let estate = Estate::of(folder);
    let _lock = FolderLock::take(&estate.data).expect("a dead process holds no lock");
    let disk = Mortal::open(executor, &estate.data);
    let mut story = Story::new(&disk, SEED, Mood::Power);
    (story.now, story.oracle) = Ledger::read(&estate.ledger);
    story.opens_with_everything();
    std::fs::remove_dir_all(folder).unwrap();
    drop(context);
}

/// Says which death it was, when a check fails.
struct Context(Death);

impl Drop for Context {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("killed {:?}", self.0);
        }
    }
}
