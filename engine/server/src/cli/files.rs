//! `export` and `import`.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use desk_client_native::Format;
use desk_files::{Column, Imported, Kind, Options};

use super::place::{Link, Place};
use super::{Done, Failure, print, print_bytes};

pub(crate) const EXPORT_EXAMPLES: &str = "\
Examples:
  $ sticker-desk export http://127.0.0.1:8080/d/38F1… --format excalidraw -o plan.excalidraw
  $ sticker-desk export http://127.0.0.1:8080/d/38F1… --format json -o backup.json --deleted

Letters that the page's font lacks, as Chinese ones, are boxes in png and pdf. All other
formats keep them.";

pub(crate) const IMPORT_EXAMPLES: &str = "\
Examples:
  $ sticker-desk import backup.json --title \"Plans, again\"   makes a desk, prints its links
  $ sticker-desk import trip.canvas --link http://127.0.0.1:8080/d/38F1…
  $ sticker-desk import issues.csv --column text=Summary
  $ ls | sticker-desk import - --title Files                 a note a line

The content tells the kind of a file: the JSON or CSV of a desk, a file of Excalidraw,
tldraw, JSON Canvas or Trello (its JSON), a table, cells as HTML, a Markdown list, or lines.
The notes go beside those that are there. What is left out is told.";

/// The names that `--format` of an import takes; the first leaves it to the content.
const AUTO: &str = "auto";

fn kinds() -> impl TypedValueParser<Value = Choice> {
    let names = Kind::NAMES.map(|(name, _)| name);
    PossibleValuesParser::new(std::iter::once(AUTO).chain(names)).map(|chosen| {
        let named = Kind::NAMES.into_iter().find(|(name, _)| *name == chosen);
        Choice(named.map(|(_, kind)| kind))
    })
}

fn formats() -> impl TypedValueParser<Value = Format> {
    let names = Format::NAMES.map(|(name, _)| name);
    PossibleValuesParser::new(names).map(|chosen| {
        let named = Format::NAMES.into_iter().find(|(name, _)| *name == chosen);
        named.expect("only these names are possible").1
    })
}

/// A kind, or whichever it is.
#[derive(Clone, Copy, Debug)]
struct Choice(Option<Kind>);

/// A column by the name that a table gives it: `text=Description`.
fn column(text: &str) -> Result<(Column, String), String> {
    let names = Column::NAMES.map(|(name, _)| name).join(", ");
    Column::asked(text).ok_or_else(|| format!("expected FIELD=NAME, with a field of {names}"))
}

/// See [`super::Command::Export`].
#[derive(Args, Clone, Debug)]
pub(crate) struct Export {
    /// The desk: its link, or the id in it
    link: Link,

    /// json: all there is, comes back by import; csv: a table, too; md: for
    /// people; svg, png: a picture; pdf: paper; the others: files of their tools
    #[arg(long, value_parser = formats(), default_value = "json")]
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
        let link = self.place.desk(&self.link);
        let export = self
            .place
            .api_at(link.server.clone())?
            .export(link.id, self.format, self.deleted)
            .await;
        let export = export.map_err(Failure::new)?;
        match &self.output {
            Some(path) => std::fs::write(path, &export)
                .map_err(Failure::of(format_args!("cannot write {}", path.display())))?,
            None if self.format.is_text() || !std::io::stdout().is_terminal() => {
                print_bytes(&export)?;
            }
            None => {
                let name = self.format.name();
                return Err(Failure::new(format_args!(
                    "{name} is no text for a terminal: name a file with -o"
                )));
            }
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

    /// Make a desk with this title [default: the title in the file, or its name]
    #[arg(long)]
    title: Option<String>,

    /// What the file is
    #[arg(long, value_parser = kinds(), default_value = AUTO)]
    format: Choice,

    /// Take this column of a table, by the name in its first line: text=Summary
    /// (also x, y, width, height, color)
    #[arg(long, value_name = "FIELD=NAME", value_parser = column)]
    column: Vec<(Column, String)>,

    /// With the deleted notes that an export has
    #[arg(long)]
    deleted: bool,

    #[command(flatten)]
    place: Place,
}

impl Import {
    pub(crate) async fn run(self) -> Done {
        // First the file: no desk is made for one that cannot be read.
        let Imported { board, report } = self.read()?;
        let (api, joined) = match &self.link {
            Some(link) => {
                let link = self.place.desk(link);
                let api = self.place.api_at(link.server.clone())?;
                let joined = api.join(link.id, None, false).await;
                (api, joined)
            }
            None => {
                let api = self.place.api()?;
                let joined = api.create(&self.title(&board.title), false).await;
                (api, joined)
            }
        };
        let joined = joined.map_err(Failure::new)?;
        let (id, key) = (joined.link.id, &joined.session_key);
        let json = desk_files::json_value(&board).to_string();
        let json = json.as_bytes();
        let mut progress = Progress::of(json.len());
        let mut told = |sent| progress.tell(sent);
        let added = api.import(id, key, "application/json", json, self.deleted, &mut told).await;
        progress.end();
        let added = match added {
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
        for line in report.to_string().lines() {
            text += &format!("told   {line}\n");
        }
        if self.link.is_none() {
            text += &format!("edit   {}\n", joined.link);
            if let Some(owner) = &joined.owner_link {
                text += &format!("owner  {owner}\n");
            }
        }
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }

    fn read(&self) -> Result<Imported, Failure> {
        let file = read(&self.file)?;
        let options = Options {
            kind: self.format.0,
            hint: Kind::suggested(&self.file.to_string_lossy()),
            columns: self.column.clone(),
            deleted: self.deleted,
            ..Options::default()
        };
        let name = self.file.display();
        desk_files::read(&file, &options)
            .map_err(|error| Failure::new(format_args!("{name}: {error}. Nothing was added")))
    }

    fn title(&self, in_file: &str) -> String {
        match &self.title {
            Some(title) => title.clone(),
            None if !in_file.is_empty() => in_file.to_owned(),
            None => self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }
}

/// How far a long file is on its way, for people.
struct Progress {
    total: usize,
    shown: bool,
}

impl Progress {
    const fn of(total: usize) -> Self {
        Self { total, shown: false }
    }

    fn tell(&mut self, sent: usize) {
        if std::io::stderr().is_terminal() {
            self.shown = true;
            eprint!("\rsending {} %", 100 * sent.min(self.total) / self.total.max(1));
        }
    }

    fn end(&self) {
        if self.shown {
            eprint!("\r               \r");
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
