//! Embeds the built page: `web/dist` if it is there, else a page that says how
//! to build it. Writes a table of files to `OUT_DIR/page_files.rs`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    let dist = here.join("../web/dist");
    println!("cargo:rerun-if-changed=build.rs");

    let mut files = Vec::new();
    if dist.join("index.html").is_file() {
        println!("cargo:rerun-if-changed={}", dist.display());
        collect(&dist, "", &mut files)?;
    } else {
        // A path that does not exist would make cargo build this crate every
        // time, so the nearest folder that does is watched for the page.
        let watched = ["../web", "src/page"].map(|path| here.join(path));
        let watched = watched.iter().find(|path| path.is_dir()).expect("src/page is here");
        println!("cargo:rerun-if-changed={}", watched.display());
        files.push(("index.html".to_owned(), here.join("src/page/unbuilt.html")));
    }
    files.sort();
    // The page's build puts the brotli form of a file beside the file.
    let (packed, files): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|(name, _)| name.ends_with(".br"));

    let mut table = String::from("static FILES: &[File] = &[\n");
    for (index, (name, path)) in files.iter().enumerate() {
        let bytes = fs::read(path)?;
        // Weak: the compressed form has the same content, not the same bytes.
        let etag = format!("W/\"{:016x}\"", xxhash_rust::xxh3::xxh3_64(&bytes));
        let gzip = gzip(&bytes)?;
        let gzip = match gzip.len() < bytes.len() * 9 / 10 {
            true => {
                let file = out.join(format!("{index}.gz"));
                fs::write(&file, gzip)?;
                format!("Some(include_bytes!({file:?}))")
            }
            false => "None".to_owned(),
        };
        let brotli =
            packed.iter().find(|(other, _)| other.strip_suffix(".br") == Some(name.as_str()));
        let brotli = match brotli {
            Some((_, path)) => format!("Some(include_bytes!({:?}))", path.canonicalize()?),
            None => "None".to_owned(),
        };
        let path = path.canonicalize()?;
        writeln!(
            table,
            "    File {{ path: {:?}, etag: {etag:?}, bytes: include_bytes!({path:?}), \
             gzip: {gzip}, brotli: {brotli} }},",
            format!("/{name}"),
        )
        .expect("writing to memory does not fail");
    }
    table.push_str("];\n");
    fs::write(out.join("page_files.rs"), table)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), files)?;
        } else {
            files.push((format!("{prefix}{name}"), entry.path()));
        }
    }
    Ok(())
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}
