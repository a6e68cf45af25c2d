//! The manifest's owner, on the first shard: the one task that writes the manifest,
//! and with it the last step of a planned stop.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use desk_protocol::Time;
use desk_storage_lsm::{ClockState, EditNumber, ManifestError, ManifestOwner, ShardId};
use glommio::timer::Timer;

use super::{Disk, Message, Shell};
use crate::limits::{MANIFEST_TICK, UNLINK_STEPS, UNREMOVED_NAMED_MAX};

/// The shard whose executor runs the manifest's owner.
pub(super) const OWNER: usize = 0;

/// Runs the owner until all shards have stopped.
pub(crate) async fn own_manifest(shell: Rc<Shell>, mut owner: ManifestOwner<Disk>) {
    let mut unremoved = BTreeSet::new();
    let mut failed = false;
    loop {
        if !failed && let Err(error) = manage(&shell, &mut owner).await {
            failed = true;
            let why = error.to_string();
            for shard in 0..shell.shared.shards.len() {
                shell.send(shard, Message::Poisoned(why.clone()));
            }
        }
        // A shard's edits come before its word that it has stopped.
        let stopped = shell.stopped.get() == shell.shared.shards.len();
        if stopped && (failed || shell.edits.borrow().is_empty()) {
            return shell.shared.finish();
        }
        if !failed {
            remove_files(&shell, &mut owner, &mut unremoved).await;
        }
        let mut timer = Timer::new(MANIFEST_TICK);
        std::future::poll_fn(|context| {
            use std::task::Poll;
            if shell.manifest_wanted.poll(context).is_ready() {
                return Poll::Ready(());
            }
            Future::poll(std::pin::Pin::new(&mut timer), context).map(|_| ())
        })
        .await;
    }
}

async fn manage(shell: &Rc<Shell>, owner: &mut ManifestOwner<Disk>) -> Result<(), ManifestError> {
    shell.tell_load();
    let edits = std::mem::take(&mut *shell.edits.borrow_mut());
    if !edits.is_empty() {
        let mut newest = BTreeMap::<ShardId, EditNumber>::new();
        for edit in &edits {
            let number = newest.entry(edit.shard).or_default();
            *number = (*number).max(edit.number);
        }
        owner.apply(edits).await?;
        for (shard, number) in newest {
            shell.send(usize::from(shard.0), Message::EditsDurable(number));
        }
    }
    let was_suspect = is_suspect(owner);
    let second = shell.second();
    if let Some(news) = owner.tick(second).await? {
        let at = Time::from_unix_seconds(second.0);
        for shard in 0..shell.shared.shards.len() {
            shell.send(shard, Message::News { news: news.clone(), at });
        }
    }
    match (was_suspect, is_suspect(owner)) {
        (false, true) => tracing::error!(
            "the clock has jumped ahead by more than a day: no bucket is dropped until it agrees \
             again, or a restart with --accept-clock vouches for it"
        ),
        (true, false) => tracing::info!("the clock agrees again: buckets are dropped in time"),
        _ => {}
    }
    Ok(())
}

/// Whether the clock may drop nothing. What it says is another time at each look.
fn is_suspect(owner: &ManifestOwner<Disk>) -> bool {
    matches!(owner.clock(), ClockState::Suspect { .. })
}

/// Removes some of the files that nobody needs, with a yield after each step. One
/// that cannot be removed takes room and does no other harm: it is named once and
/// tried again, with the ticks to come.
async fn remove_files(
    shell: &Rc<Shell>,
    owner: &mut ManifestOwner<Disk>,
    unremoved: &mut BTreeSet<String>,
) {
    for _ in 0..UNLINK_STEPS {
        match owner.unlink_step().await {
            Ok(true) => glommio::executor().yield_if_needed().await,
            Ok(false) => return,
            Err(error) => {
                shell.metrics().unlinks_failed.add(1);
                let why = error.to_string();
                if unremoved.len() < UNREMOVED_NAMED_MAX && unremoved.insert(why.clone()) {
                    tracing::error!(why, "a file that nobody needs cannot be removed");
                }
                return;
            }
        }
    }
}
