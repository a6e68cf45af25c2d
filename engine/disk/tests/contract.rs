//! The store's contract suite on a real folder, with and without `O_DIRECT`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use desk_disk::Folder;
use desk_storage_lsm::disk::Durability;
use glommio::LocalExecutorBuilder;

fn run<F: Future<Output = ()>>(future: F) {
    let builder = LocalExecutorBuilder::default().io_memory(1 << 20);
    builder.make().unwrap().run(future);
}

#[test]
fn a_direct_folder_passes() {
    // The system's folder for temporary files may be in memory; the target's
    // folder is on the disk.
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    run(async {
        let mut count = 0;
        desk_storage_lsm::contract::run(async || {
            count += 1;
            let folder = Folder::open(&root.path().join(count.to_string())).await.unwrap();
            assert_eq!(folder.durability(), Durability::Direct);
            folder
        })
        .await;
    });
}

#[test]
fn a_buffered_folder_passes() {
    let root = tempfile::tempdir().unwrap();
    run(async {
        let mut count = 0;
        desk_storage_lsm::contract::run(async || {
            count += 1;
            Folder::open_buffered(&root.path().join(count.to_string())).await.unwrap()
        })
        .await;
    });
}
