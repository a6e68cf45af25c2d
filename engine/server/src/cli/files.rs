//! `export` and `import`.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use desk_client_native::Form;

use super::place::{Link, Place};
use super::{Done, Failure, print};

pub(crate) const EXPORT_EXAMPLES: &str = "\
Examples:
  $ sticker-desk export http://127.0.0.1:8080/d/38F1… --format md
  $ sticker-desk export http://127.0.0.1:8080/d/38F1… --format json -o backup.json --deleted";

pub(crate) const IMPORT_EXAMPLES: &str = "\
Examples:
  $ sticker-desk import backup.json --title \"Plans, again\"   makes a desk, prints its links
  $ sticker-desk import notes.csv --link http://127.0.0.1:8080/d/38F1…
  $ ls | sticker-desk import - --title Files                 a note a line

A name that ends in .json is read as an export of ours, .csv as a table with a column
\"text\", anything else as lines.";

#[derive(ValueEnum, Clone, Copy, Debug)]
enum Format {
    Json,
    Csv,
    Md,
    Svg,
}

/// See [`super::Command::Export`].
#[derive(Args, Clone, Debug)]
pub(crate) struct Export {
    /// The desk: its link, or the id in it
    link: Link,

    /// json: all there is, comes back by import; csv: a table, too; md: for
    /// people; svg: a picture
    #[arg(long, value_enum, default_value = "json")]
    format: Format,

    /// Write to this file [default: the terminal]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// With deleted stickers; by an edit or owner link
    #[arg(long)]
    deleted: bool,

    #[command(flatten)]
    place: Place,
}

impl Export {
    pub(crate) async fn run(self) -> Done {
        let form = match self.format {
            Format::Json => Form::Json,
            Format::Csv => Form::Csv,
            Format::Md => Form::Markdown,
            Format::Svg => Form::Svg,
        };
        let link = self.place.desk(&self.link);
        let export = self.place.api_of(&link).export(link.id, form, self.deleted).await;
        let export = export.map_err(Failure::new)?;
        match &self.output {
            Some(path) => std::fs::write(path, &export)
                .map_err(Failure::of(format_args!("cannot write {}", path.display())))?,
            None => print(&String::from_utf8_lossy(&export))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// See [`super::Command::Import`].
#[derive(Args, Clone, Debug)]
pub(crate) struct Import {
    /// The file; - for standard input
    file: PathBuf,

    /// Add to this desk: its link, or the id in it
    #[arg(long, conflicts_with = "title")]
    link: Option<Link>,

    /// Make a desk with this title [default: the file's name]
    #[arg(long)]
    title: Option<String>,

    #[command(flatten)]
    place: Place,
}

impl Import {
    pub(crate) async fn run(self) -> Done {
        // First the file: no desk is made for one that cannot be read.
        let file = read(&self.file)?;
        let (api, joined) = match &self.link {
            Some(link) => {
                let link = self.place.desk(link);
                let api = self.place.api_of(&link);
                let joined = api.join(link.id, None, false).await;
                (api, joined)
            }
            None => {
                let api = self.place.api();
                let joined = api.create(&self.title(), false).await;
                (api, joined)
            }
        };
        let joined = joined.map_err(Failure::new)?;
        let (id, key) = (joined.link.id, &joined.session_key);
        let added = match api.import(id, key, media_type(&self.file), &file).await {
            Ok(added) => added,
            Err(error) => {
                if self.link.is_none() {
                    // An empty desk nobody knows of would only lie about; the
                    // reason of the failure is what counts.
                    let _ = api.delete(id, key).await;
                }
                return Err(Failure::new(error));
            }
        };
        let mut text = format!("added  {added}\n");
        if self.link.is_none() {
            text += &format!("edit   {}\n", joined.link);
            if let Some(owner) = &joined.owner_link {
                text += &format!("owner  {owner}\n");
            }
        }
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }

    fn title(&self) -> String {
        match &self.title {
            Some(title) => title.clone(),
            None => self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let cannot = || format!("cannot read {}", path.display());
    if path == Path::new("-") {
        let mut file = Vec::new();
        std::io::stdin().read_to_end(&mut file).map_err(Failure::of("cannot read the input"))?;
        return Ok(file);
    }
    std::fs::read(path).map_err(Failure::of(cannot()))
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some(json) if json.eq_ignore_ascii_case("json") => "application/json",
        Some(csv) if csv.eq_ignore_ascii_case("csv") => "text/csv",
        _ => "text/plain",
    }
}
