//! The real disk under the Desk DB: a folder of files, through glommio.
//!
//! [`Folder`] implements the store's [`Disk`](desk_storage_lsm::disk::Disk)
//! with `O_DIRECT`, and `O_DSYNC` where a write must be durable when it
//! returns. In a folder without `O_DIRECT` it writes through the page cache
//! with `fdatasync` and says so: [`Folder::durability`] is for the caller to
//! warn about. [`FolderLock`] keeps a second process out.
//!
//! It knows nothing of the store's formats, and it is not a place for them.
//!
//! ```no_run
//! use desk_disk::{Folder, FolderLock};
//! use desk_storage_lsm::{Options, ShardCount, Start, UnixSecond, recover};
//!
//! let path = std::path::Path::new("./data");
//! let lock = FolderLock::take(path).expect("nobody else uses the folder");
//! let executor = glommio::LocalExecutorBuilder::default()
//!     .io_memory(1 << 20) // registered with three rings, so keep it under the memlock limit
//!     .make()
//!     .expect("the kernel has io_uring");
//! executor.run(async {
//!     let folder = Folder::open(path).await.expect("the folder can be used");
//!     let start = Start {
//!         now: UnixSecond(1_700_000_000),
//!         shards: ShardCount::new(2).expect("two shards"),
//!         accept_clock: false,
//!         fresh_store_id: [7; 16],
//!     };
//!     let recovered = recover(&folder, &Options::default(), start).await.expect("it opens");
//!     assert_eq!(recovered.seeds.len(), 2);
//! });
//! drop(lock);
//! ```
#![deny(unsafe_code)]

mod cores;
mod error;
mod file;
mod folder;
mod link;
mod lock;
mod root;

pub use file::{FolderBlock, FolderFile};
pub use folder::{Buffer, Folder};
pub use lock::{FolderLock, LockError};
