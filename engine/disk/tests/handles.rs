//! How a folder opens its files, as the kernel has it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use desk_disk::Folder;
use desk_storage_lsm::disk::{Disk, Durability, Writes};
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
fn a_durable_file_is_written_through_and_a_deferred_one_is_not() {
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
