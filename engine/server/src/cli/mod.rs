//! The client commands of the binary: thin, on top of `desk-client-native` and
//! the store's own inspection.

mod cluster;
mod files;
mod inspect;
mod new;
mod place;
mod remove;
mod show;
mod watch;

use std::process::ExitCode;

use clap::Subcommand;

/// What a person at a terminal may ask for.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Command {
    /// Make a desk and print its links
    #[command(after_help = new::EXAMPLES)]
    New(new::New),
    /// Print what is on a desk
    #[command(after_help = show::EXAMPLES)]
    Show(show::Show),
    /// Print what changes on a desk, a line each, until Ctrl-C
    #[command(after_help = watch::EXAMPLES)]
    Watch(watch::Watch),
    /// Write a desk as a file
    #[command(after_help = files::EXPORT_EXAMPLES)]
    Export(files::Export),
    /// Add the notes of a file to a desk, or make a desk of them
    #[command(after_help = files::IMPORT_EXAMPLES)]
    Import(files::Import),
    /// Take a desk down, as the server's operator
    #[command(after_help = remove::EXAMPLES)]
    Remove(remove::Remove),
    /// See what the machines of a cluster do
    Cluster(cluster::Cluster),
    /// Check a data folder and print what is in it
    #[command(after_help = inspect::EXAMPLES)]
    Inspect(inspect::Inspect),
}

/// Why a command failed: one line for the person.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

impl Failure {
    fn new(reason: impl std::fmt::Display) -> Self {
        // One line, whatever the reason is made of.
        Self(reason.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn of(what: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::new(format!("{what}: {error}"))
    }
}

/// Does what was asked. Exit codes: 0, or 1 with a line on stderr.
pub(crate) fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::New(new) => wait(new.run()),
        Command::Show(show) => wait(show.run()),
        Command::Watch(watch) => wait(watch.run()),
        Command::Export(export) => wait(export.run()),
        Command::Import(import) => wait(import.run()),
        Command::Remove(remove) => wait(remove.run()),
        Command::Cluster(cluster) => wait(cluster.run()),
        Command::Inspect(inspect) => inspect.run(),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("sticker-desk: {failure}");
            ExitCode::FAILURE
        }
    }
}

type Done = Result<ExitCode, Failure>;

/// Runs a command that talks to a server. Commands do one thing at a time: one
/// thread is enough.
fn wait(command: impl Future<Output = Done>) -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::of("cannot start"))?.block_on(command)
}

/// Prints to stdout. A reader that has gone (`| head`) is no failure of ours.
fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// The same for a file of any kind.
fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    use std::io::{ErrorKind, Write as _};
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        printed => printed.map_err(Failure::of("cannot print")),
    }
}

/// How many stickers, in words.
fn stickers(count: usize) -> String {
    if count == 1 { "1 sticker".to_owned() } else { format!("{count} stickers") }
}

/// A title on one line.
fn title(title: &str) -> String {
    if title.is_empty() { "Untitled desk".to_owned() } else { one_line(title, usize::MAX) }
}

/// A text on one line, with what a terminal would obey made visible, cut at
/// `chars_max` characters.
fn one_line(text: &str, chars_max: usize) -> String {
    let mut line = String::new();
    for (count, char) in text.chars().enumerate() {
        if count == chars_max {
            line.push('…');
            break;
        }
        match char {
            '\n' => line.push_str(" ⏎ "),
            '\t' => line.push(' '),
            // Others may write anything on a desk, escape sequences too.
            char if char.is_control() => line.push('\u{fffd}'),
            char => line.push(char),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        #[command(subcommand)]
        command: Command,
    }

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Program::try_parse_from(line.split(' ')).map(|program| program.command)
    }

    #[test]
    fn commands_parse() {
        let link = "http://127.0.0.1:8080/d/01ARZ3NDEKTSV4RRFFQ69G5FAV";
        for good in [
            "desk new",
            "desk new Ideas --server https://desk.example.org",
            &format!("desk show {link}"),
            "desk show 01ARZ3NDEKTSV4RRFFQ69G5FAV --server http://127.0.0.1:9000",
            &format!("desk watch {link}"),
            &format!("desk watch {link} --transport quic"),
            &format!("desk export {link} --format md -o notes.md --deleted"),
            "desk import notes.csv --title Notes",
            &format!("desk import - --link {link}"),
            &format!("desk remove {link} --admin http://127.0.0.1:9100"),
            "desk cluster status --admin http://127.0.0.1:9100",
            "desk cluster status http://127.0.0.1:9100",
            "desk cluster queue http://127.0.0.1:9100",
            "desk inspect ./data",
        ] {
            parse(good).unwrap_or_else(|error| panic!("{good}: {error}"));
        }
    }

    #[test]
    fn what_makes_no_sense_is_a_usage_error() {
        let link = "http://127.0.0.1:8080/d/01ARZ3NDEKTSV4RRFFQ69G5FAV";
        for wrong in [
            "desk show",
            "desk show http://127.0.0.1:8080",
            "desk new --server 127.0.0.1",
            &format!("desk export {link} --format doc"),
            &format!("desk import a.csv --link {link} --title T"),
            &format!("desk show {link} --certificate abc"),
            &format!("desk watch {link} --transport pigeon"),
        ] {
            let error = parse(wrong).expect_err(wrong);
            assert_eq!(error.exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn a_line_is_one_line_and_harmless() {
        assert_eq!(one_line("a\nb\tc", 80), "a ⏎ b c");
        assert_eq!(one_line("\u{1b}[31mred", 80), "\u{fffd}[31mred");
        assert_eq!(one_line("abcdef", 3), "abc…");
        assert_eq!(one_line("abc", 3), "abc");
    }
}
