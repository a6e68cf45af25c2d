//! A real file system of a fixed size for a server's data: full when it is
//! full, and broken when told to.
//!
//! It is mounted in a mount namespace of its own, which a small process holds
//! open; the server is started inside. The namespace ends with its holder, so
//! nothing stays mounted, however a test ends. Root gets an ext4 image on a
//! loop device. Without root a namespace of the user's own allows a tmpfs,
//! which can be full but not broken.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What kind of file system it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// ext4 on a loop device; survives [`Volume::mount_again`].
    Ext4,
    /// In memory, in a namespace of the user's own.
    Tmpfs,
}

/// A mounted file system.
#[derive(Debug)]
pub struct Volume {
    holder: Child,
    kind: Kind,
    /// Where it is mounted, inside the namespace.
    path: PathBuf,
}

const BALLAST: &str = "ballast";
/// Ballast is written in pieces of this many bytes, the last ones smaller.
const PIECE_BYTES: usize = 1 << 20;
const PIECE_BYTES_MIN: usize = 4096;

impl Volume {
    /// Mounts one of `bytes` at the folder `name` of `folder`.
    ///
    /// # Errors
    /// This machine allows no mount: what it said.
    pub fn mount(folder: &Path, name: &str, bytes: u64) -> Result<Self, String> {
        let path = folder.join(name);
        std::fs::create_dir_all(&path).map_err(|error| error.to_string())?;
        let image = folder.join("volume.img");
        let ext4 = format!(
            "truncate -s {bytes} '{image}' && mkfs.ext4 -q -m 0 '{image}' && \
             mount -o loop '{image}' '{path}'",
            image = image.display(),
            path = path.display(),
        );
        let tmpfs = format!("mount -t tmpfs -o size={bytes} none '{}'", path.display());
        hold(&["unshare", "-m", "sh", "-c"], &ext4)
            .map(|holder| Self { holder, kind: Kind::Ext4, path: path.clone() })
            .or_else(|no_root| {
                let holder = hold(&["unshare", "-U", "-r", "-m", "sh", "-c"], &tmpfs)
                    .map_err(|no_user| format!("{no_root}; {no_user}"))?;
                Ok(Self { holder, kind: Kind::Tmpfs, path })
            })
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Starts a command's program inside, from the folder `from`.
    pub fn inside(&self, from: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-m"]);
        if self.kind == Kind::Tmpfs {
            command.args(["-U", "--preserve-credentials"]);
        }
        command.arg("env").arg("-C").arg(from);
        command
    }

    /// Its root, as seen from outside.
    pub fn view(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.path.strip_prefix("/").unwrap_or(&self.path))
    }

    /// Bytes that are free.
    pub fn free_bytes(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.view()).unwrap();
        stat.f_bavail * stat.f_frsize
    }

    /// Writes ballast until `leave` bytes are free, or nothing goes in any more.
    pub fn fill(&self, leave: u64) {
        let path = self.view().join(BALLAST);
        let options =
            std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = options.unwrap();
        let mut at = file.metadata().unwrap().len();
        let mut piece = vec![0x55; PIECE_BYTES];
        loop {
            let room = self.free_bytes().saturating_sub(leave);
            if room < piece.len() as u64 || file.write_all_at(&piece, at).is_err() {
                if piece.len() <= PIECE_BYTES_MIN {
                    break;
                }
                piece.truncate(piece.len() / 2);
                continue;
            }
            at += piece.len() as u64;
            // What is only in the cache does not count as used everywhere.
            file.sync_data().unwrap();
        }
    }

    /// Removes the ballast.
    pub fn relieve(&self) {
        std::fs::remove_file(self.view().join(BALLAST)).unwrap();
    }

    /// From now on every write fails, as after an error of the device; reading
    /// goes on. Only for [`Kind::Ext4`].
    pub fn break_down(&self) {
        self.run(&format!("mount -o remount,abort '{}'", self.path.display()));
    }

    /// Every write hangs for as long as what it returns lives; so it must go
    /// before the server does. Only for [`Kind::Ext4`].
    pub fn freeze(&self) -> Frozen<'_> {
        self.run(&format!("fsfreeze -f '{}'", self.path.display()));
        Frozen(self)
    }

    /// Unmounts it, which nobody may use, and mounts it again: in order.
    pub fn mount_again(&self) {
        let path = self.path.display();
        let image = self.path.with_file_name("volume.img");
        let image = image.display();
        self.run(&format!(
            "umount '{path}' && e2fsck -p '{image}'; mount -o loop '{image}' '{path}'"
        ));
    }

    fn run(&self, script: &str) {
        let output = self.inside(Path::new("/")).args(["sh", "-c", script]).output().unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
    }
}

/// A file system whose writes hang.
#[derive(Debug)]
pub struct Frozen<'a>(&'a Volume);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.run(&format!("fsfreeze -u '{}'", self.0.path.display()));
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Starts the process that holds the namespace, after `script` inside of it.
fn hold(command: &[&str], script: &str) -> Result<Child, String> {
    let script = format!("{script} && echo mounted && exec sleep infinity");
    let (program, arguments) = command.split_first().unwrap();
    let spawned = Command::new(program)
        .args(arguments)
        .arg(script)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.map_err(|error| format!("{program}: {error}"))?;
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    if output.read_line(&mut line).is_ok() && line.trim() == "mounted" {
        return Ok(child);
    }
    let _ = child.kill();
    let _ = child.wait();
    let mut why = String::new();
    let _ = child.stderr.take().unwrap().read_to_string(&mut why);
    Err(format!("{}: {}", command.join(" "), why.trim().replace('\n', ", ")))
}
