//! The real disk, under a process that dies at one of its accesses.

use std::cell::Cell;
use std::future::poll_fn;
use std::path::Path;
use std::rc::Rc;
use std::task::Poll;

use desk_disk::{Buffer, Folder, FolderBlock, FolderFile};
use desk_storage_lsm::UnixSecond;
use desk_storage_lsm::disk::{Disk, DiskError, Durability, Space, Writes};
use glommio::{LocalExecutor, LocalExecutorBuilder};
use rustix::process::{Signal, getpid, kill_process};

use crate::ledger::Ledger;
use crate::node::Stage;
use crate::oracle::Oracle;

/// When the process dies, by the number of an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Death {
    /// In the place of this access. All that goes on beside it gets a turn first,
    /// so what is said too early is said.
    Before(u64),
    /// When the system says that this access is done, and nobody else knows.
    After(u64),
}

/// A folder, what drives it, and its end. Clones are handles on the same one.
#[derive(Clone)]
pub(crate) struct Mortal {
    folder: Folder,
    executor: Rc<LocalExecutor>,
    accesses: Rc<Cell<u64>>,
    end: Option<(Death, Rc<Ledger>)>,
}

/// What drives the folders of a thread.
pub(crate) fn executor() -> Rc<LocalExecutor> {
    Rc::new(LocalExecutorBuilder::default().io_memory(1 << 20).make().unwrap())
}

impl Mortal {
    /// Opens a folder whose process lives on.
    pub(crate) fn open(executor: &Rc<LocalExecutor>, path: &Path) -> Self {
        let folder = executor.run(Folder::open(path)).unwrap();
        assert_eq!(folder.durability(), Durability::Direct);
        let (executor, accesses) = (Rc::clone(executor), Rc::default());
        Self { folder, executor, accesses, end: None }
    }

    /// The same, and its process dies; the ledger says what was promised by then.
    pub(crate) fn doomed(self, death: Death, ledger: Ledger) -> Self {
        Self { end: Some((death, Rc::new(ledger))), ..self }
    }

    async fn access<T>(&self, access: impl Future<Output = T>) -> T {
        let number = self.accesses.replace(self.accesses.get() + 1);
        if self.dies(Death::Before(number)) {
            a_turn_of_others().await;
            die();
        }
        let done = access.await;
        if self.dies(Death::After(number)) {
            die();
        }
        done
    }

    fn dies(&self, moment: Death) -> bool {
        self.end.as_ref().is_some_and(|(death, _)| *death == moment)
    }
}

async fn a_turn_of_others() {
    let mut is_over = false;
    poll_fn(|context| {
        if std::mem::replace(&mut is_over, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn die() -> ! {
    kill_process(getpid(), Signal::KILL).unwrap();
    unreachable!("the process was killed");
}

impl Stage for Mortal {
    fn drive<F: Future>(&self, future: F) -> F::Output {
        self.executor.run(future)
    }

    fn accesses(&self) -> u64 {
        self.accesses.get()
    }

    fn remember(&self, now: UnixSecond, oracle: &Oracle) {
        if let Some((_, ledger)) = &self.end {
            ledger.add(now, oracle);
        }
    }
}

impl Disk for Mortal {
    type File = FolderFile;
    type Buffer = Buffer;
    type Block = FolderBlock;

    fn durability(&self) -> Durability {
        self.folder.durability()
    }

    fn buffer(&self, bytes: usize) -> Buffer {
        self.folder.buffer(bytes)
    }

    async fn create(&self, name: &str, writes: Writes) -> Result<FolderFile, DiskError> {
        self.access(self.folder.create(name, writes)).await
    }

    async fn open(&self, name: &str, writes: Writes) -> Result<FolderFile, DiskError> {
        self.access(self.folder.open(name, writes)).await
    }

    async fn length(&self, file: &FolderFile) -> Result<u64, DiskError> {
        self.access(self.folder.length(file)).await
    }

    async fn prewrite(&self, file: &FolderFile, bytes: u64) -> Result<(), DiskError> {
        self.access(self.folder.prewrite(file, bytes)).await
    }

    async fn read(
        &self,
        file: &FolderFile,
        at: u64,
        length: usize,
    ) -> Result<FolderBlock, DiskError> {
        self.access(self.folder.read(file, at, length)).await
    }

    async fn write(&self, file: &FolderFile, at: u64, buffer: Buffer) -> Result<Buffer, DiskError> {
        self.access(self.folder.write(file, at, buffer)).await
    }

    async fn sync(&self, file: &FolderFile) -> Result<(), DiskError> {
        self.access(self.folder.sync(file)).await
    }

    async fn shorten(&self, file: &FolderFile, bytes: u64) -> Result<(), DiskError> {
        self.access(self.folder.shorten(file, bytes)).await
    }

    async fn list(&self) -> Result<Vec<String>, DiskError> {
        self.access(self.folder.list()).await
    }

    async fn unlink(&self, name: &str) -> Result<(), DiskError> {
        self.access(self.folder.unlink(name)).await
    }

    async fn sync_folder(&self) -> Result<(), DiskError> {
        self.access(self.folder.sync_folder()).await
    }

    async fn space(&self) -> Result<Space, DiskError> {
        self.access(self.folder.space()).await
    }

    fn on_all_cores<T: Send, R: Send>(
        &self,
        items: Vec<T>,
        work: impl Fn(T) -> R + Sync,
    ) -> Vec<R> {
        self.folder.on_all_cores(items, work)
    }
}
