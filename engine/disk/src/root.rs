//! The data folder's own name.

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes a folder, with those above it, unless it is there.
///
/// A name is sure to be on the medium only once the folder that holds it was
/// synced. What is acknowledged is of no use in a folder that a power cut takes,
/// so each new name is synced before anything is put under it.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    make_and(path, &mut |holder| File::open(holder)?.sync_all())
}

/// As [`make`], with `sync` for each folder that got a new name.
fn make_and(path: &Path, sync: &mut impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let holder = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    match std::fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !holder.exists() => {
            make_and(holder, sync)?;
            std::fs::create_dir(path)?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {
            // Whoever made an empty one may have been killed before it was synced.
            if std::fs::read_dir(path)?.next().is_some() {
                return Ok(());
            }
        }
        made => made?,
    }
    sync(holder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_new_name_is_synced_before_what_is_below_it() {
        let folder = tempfile::tempdir().unwrap();
        let above = folder.path().join("above");
        let path = above.join("data");
        let mut synced = Vec::new();
        let mut make = || {
            make_and(&path, &mut |holder| {
                synced.push((holder.to_owned(), path.exists()));
                Ok(())
            })
        };
        make().unwrap();
        make().unwrap();
        std::fs::write(path.join("below"), b"").unwrap();
        make_and(&path, &mut |_| panic!("what has something below it was synced")).unwrap();
        assert_eq!(
            synced,
            [(folder.path().to_owned(), false), (above.clone(), true), (above, true)]
        );
    }

    #[test]
    fn a_name_that_cannot_be_synced_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let fail = &mut |_: &Path| Err(io::Error::other("no"));
        make_and(&folder.path().join("data"), fail).unwrap_err();
        make(&folder.path().join("other")).unwrap();
        make(&folder.path().join("other/below")).unwrap();
        std::fs::write(folder.path().join("file"), b"").unwrap();
        make(&folder.path().join("file")).unwrap_err();
    }
}
