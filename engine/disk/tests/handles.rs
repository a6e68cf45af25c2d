//! How a folder opens its files, as the kernel has it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use desk_disk::Folder;
use desk_storage_lsm::disk::{Disk, Durability, Fault, Writes};
use desk_storage_lsm::limits::BLOCK_BYTES;
use glommio::LocalExecutorBuilder;
use rustix::fs::OFlags;

fn run<F: Future<Output = ()>>(future: F) {
    let builder = LocalExecutorBuilder::default().io_memory(1 << 20);
    builder.make().unwrap().run(future);
}

/// The flags of all handles that this process has on a file.
fn flags(path: &Path) -> Vec<OFlags> {
    let path = path.canonicalize().unwrap();
    let handles = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap());
    let of_path = handles
        .filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|link| link == path))
        .map(|entry| {
            let info = Path::new("/proc/self/fdinfo").join(entry.file_name());
            let info = std::fs::read_to_string(info).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
            OFlags::from_bits_retain(u32::from_str_radix(flags.trim(), 8).unwrap())
        });
    of_path.collect()
}

#[test]
fn only_durable_files_are_written_through() {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    run(async {
        let folder = Folder::open(root.path()).await.unwrap();
        assert_eq!(folder.durability(), Durability::Direct);
        for (name, writes) in [("durable", Writes::Durable), ("deferred", Writes::Deferred)] {
            let path = root.path().join(name);
            let created = folder.create(name, writes).await.unwrap();
            let opened = folder.open(name, writes).await.unwrap();
            let flags = flags(&path);
            assert_eq!(flags.len(), 2, "{name}: {flags:?}");
            for flags in flags {
                assert!(flags.contains(OFlags::DIRECT), "{name}: {flags:?}");
                assert_eq!(flags.contains(OFlags::DSYNC), writes == Writes::Durable, "{name}");
            }
            drop((created, opened));
        }
    });
}

#[test]
fn a_folder_to_look_at_is_not_changed() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("file"), [7; BLOCK_BYTES]).unwrap();
    run(async {
        let folder = Folder::open_read_only(root.path()).unwrap();
        assert_eq!(folder.list().await.unwrap(), ["file"]);
        let file = folder.open("file", Writes::Deferred).await.unwrap();
        assert_eq!(&folder.read(&file, 0, BLOCK_BYTES).await.unwrap()[..], [7; BLOCK_BYTES]);
        let flags = flags(&root.path().join("file"));
        assert!(flags.len() == 1 && !flags[0].intersects(OFlags::WRONLY | OFlags::RDWR));
        let buffer = folder.buffer(BLOCK_BYTES);
        assert!(folder.write(&file, 0, buffer).await.is_err());
        assert!(folder.shorten(&file, 0).await.is_err());
        const READ_ONLY: Fault = Fault::Os(30);
        let made = folder.create("other", Writes::Durable).await.err();
        assert_eq!(made.map(|error| error.fault), Some(READ_ONLY));
        let removed = folder.unlink("file").await.err();
        assert_eq!(removed.map(|error| error.fault), Some(READ_ONLY));
    });
    let names: Vec<_> = std::fs::read_dir(root.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(std::fs::read(root.path().join("file")).unwrap(), [7; BLOCK_BYTES]);
}

#[test]
fn a_folder_in_anothers_place_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let (path, moved) = (root.path().join("data"), root.path().join("moved"));
    run(async {
        let folder = Folder::open(&path).await.unwrap();
        folder.space().await.unwrap();
        std::fs::rename(&path, &moved).unwrap();
        std::fs::create_dir(&path).unwrap();
        let error = folder.space().await.unwrap_err();
        assert_eq!((error.operation, error.fault), ("find again", Fault::Changed));
        std::fs::remove_dir(&path).unwrap();
        assert_eq!(folder.space().await.unwrap_err().fault, Fault::NotFound);
        std::fs::rename(&moved, &path).unwrap();
        folder.space().await.unwrap();
    });
}

/// A file system that hangs answers no call, and the executor goes on meanwhile.
#[test]
fn the_executor_does_not_wait_for_the_free_space() {
    let root = tempfile::tempdir().unwrap();
    run(async {
        let folder = Folder::open(root.path()).await.unwrap();
        let mut space = std::pin::pin!(folder.space());
        let first = std::future::poll_fn(|context| {
            std::task::Poll::Ready(space.as_mut().poll(context).is_ready())
        });
        assert!(!first.await, "it was asked for in the executor's thread");
        space.await.unwrap();
    });
}
