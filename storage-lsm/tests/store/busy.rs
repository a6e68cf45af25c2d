//! Upkeep while others go on: puts and deletes that come between two writes of
//! one checkpoint.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::node::{NOW, key, small};
use desk_storage_lsm::disk::{Disk, DiskError, Durability, Space, Writes};
use desk_storage_lsm::memory_disk::{Memory, MemoryDisk, MemoryFile, drive};
use desk_storage_lsm::{Options, Sequence, ShardCount, Start, Store, recover};

/// What is done before each write to a table, unless it is being done.
type Meanwhile = Rc<RefCell<Option<Box<dyn FnMut()>>>>;

/// A disk in memory on which something happens meanwhile.
#[derive(Clone)]
struct BusyDisk {
    disk: MemoryDisk,
    meanwhile: Meanwhile,
    table_writes: Rc<Cell<u64>>,
}

impl Disk for BusyDisk {
    type File = MemoryFile;
    type Buffer = Memory;
    type Block = Memory;

    fn durability(&self) -> Durability {
        self.disk.durability()
    }

    fn buffer(&self, bytes: usize) -> Memory {
        self.disk.buffer(bytes)
    }

    async fn create(&self, name: &str, writes: Writes) -> Result<MemoryFile, DiskError> {
        self.disk.create(name, writes).await
    }

    async fn open(&self, name: &str, writes: Writes) -> Result<MemoryFile, DiskError> {
        self.disk.open(name, writes).await
    }

    async fn length(&self, file: &MemoryFile) -> Result<u64, DiskError> {
        self.disk.length(file).await
    }

    async fn prewrite(&self, file: &MemoryFile, bytes: u64) -> Result<(), DiskError> {
        self.disk.prewrite(file, bytes).await
    }

    async fn read(&self, file: &MemoryFile, at: u64, length: usize) -> Result<Memory, DiskError> {
        self.disk.read(file, at, length).await
    }

    async fn write(&self, file: &MemoryFile, at: u64, buffer: Memory) -> Result<Memory, DiskError> {
        let done = self.disk.write(file, at, buffer).await?;
        let written = self.disk.last_write().map(|(name, ..)| name);
        if written.is_some_and(|name| name.ends_with(".table")) {
            self.table_writes.set(self.table_writes.get() + 1);
            let meanwhile = self.meanwhile.borrow_mut().take();
            if let Some(mut meanwhile) = meanwhile {
                meanwhile();
                *self.meanwhile.borrow_mut() = Some(meanwhile);
            }
        }
        Ok(done)
    }

    async fn sync(&self, file: &MemoryFile) -> Result<(), DiskError> {
        self.disk.sync(file).await
    }

    async fn shorten(&self, file: &MemoryFile, bytes: u64) -> Result<(), DiskError> {
        self.disk.shorten(file, bytes).await
    }

    async fn list(&self) -> Result<Vec<String>, DiskError> {
        self.disk.list().await
    }

    async fn unlink(&self, name: &str) -> Result<(), DiskError> {
        self.disk.unlink(name).await
    }

    async fn sync_folder(&self) -> Result<(), DiskError> {
        self.disk.sync_folder().await
    }

    async fn space(&self) -> Result<Space, DiskError> {
        self.disk.space().await
    }
}

/// So many puts come while a checkpoint is written, one at each write. What
/// comes is durable in the log at once.
const COMING: u64 = 300;

#[test]
fn a_checkpoint_ends_while_puts_and_deletes_go_on() {
    let options = Options { segment_bytes: 2 << 20, log_budget_bytes: 32 << 20, ..small() };
    let busy = BusyDisk {
        disk: MemoryDisk::with_seed(1),
        meanwhile: Rc::default(),
        table_writes: Rc::default(),
    };
    let shards = ShardCount::new(1).unwrap();
    let start = Start { now: NOW, shards, accept_clock: false, fresh_store_id: [9; 16] };
    let mut recovered = drive(recover(&busy, &options, start)).unwrap();
    let store = Rc::new(drive(Store::open(busy.clone(), recovered.seeds.remove(0))).unwrap());
    // More than two tables of values wait, many blocks of them.
    let value = vec![7; 9_000];
    for tail in 100..400 {
        store.append(key(tail), Sequence(1), b"x").unwrap();
        store.put(key(tail), Sequence(1), &value).unwrap();
        drive(store.commit()).unwrap();
    }
    let come = {
        let (store, value, mut next) = (Rc::downgrade(&store), value.clone(), 1_000);
        move || {
            let store = store.upgrade().unwrap();
            if next == 1_000 + COMING {
                return;
            }
            // Keys that come before and behind those that wait.
            let tail = if next % 2 == 0 { next } else { next - 1_000 };
            let key = key(tail);
            next += 1;
            store.append(key, Sequence(1), b"x").unwrap();
            store.put(key, Sequence(1), &value).unwrap();
            if next % 5 == 0 {
                store.delete(key).unwrap();
            }
            drive(store.commit()).unwrap();
        }
    };
    let waiting = store.counters().backlog_bytes;
    assert!(waiting > 2 * options.table_bytes, "{waiting}");
    let before = busy.table_writes.get();
    *busy.meanwhile.borrow_mut() = Some(Box::new(come));
    drive(store.checkpoint()).unwrap();
    let writes = busy.table_writes.get() - before;
    assert!(writes < COMING / 10, "it went on for {writes} writes");
    // What was there when it began is written, and some of what came waits.
    assert!(store.counters().backlog_bytes > 0);
    for _ in 0..100 {
        drive(store.checkpoint()).unwrap();
    }
    *busy.meanwhile.borrow_mut() = None;
    drive(store.shutdown()).unwrap();
    for name in drive(busy.disk.list()).unwrap() {
        if name.ends_with(".table") {
            let bytes = busy.disk.contents(&name).unwrap().len() as u64;
            // A block of twice the usual size, and the footer.
            let most = options.table_bytes + 2 * 512 * 1024 + 64 * 1024;
            assert!(bytes <= most, "{name} has {bytes} bytes");
        }
    }
}
