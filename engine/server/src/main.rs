//! Sticker Desk: boards of sticky notes that people edit together, live.
//!
//! The binary: a server and a few client commands. This crate is the shell
//! around `desk-engine-core`: executors, sockets, the message queue between
//! shards, the store's tasks, configuration. It does not know what an
//! operation means; ARCHITECTURE.md says who does.
#![deny(unsafe_code)]

mod beside;
mod budget;
mod certificate;
mod cli;
mod clock;
mod cluster;
mod config;
mod doors;
mod entry;
mod executor;
mod failure;
mod keys;
mod limits;
mod log;
mod metrics;
mod net;
mod pinned;
mod preflight;
mod queue;
mod quic;
mod recovery;
mod serve;
mod shard;
mod shared;
mod signals;
mod snapshot;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use config::Settings;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Boards of sticky notes that people edit together, live.
///
/// Without a command it serves: open the address that it prints, make a desk
/// with one click, and send its link to whoever should join.
#[derive(Parser)]
#[command(name = "sticker-desk", version, after_long_help = config::help(), args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Subcommand)]
enum Command {
    /// Serve desks (what happens without a command, too)
    ///
    /// Every setting may be given as a flag, as an environment variable
    /// (STICKER_DESK_ and the flag's name), or in a TOML file (--config); the
    /// former win. Logs go to stderr, filtered by STICKER_DESK_LOG (info).
    /// SIGTERM stops within seconds and loses nothing; nor does a crash.
    #[command(after_long_help = config::help())]
    Serve(Box<Settings>),
    #[command(flatten)]
    Client(Box<cli::Command>),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Some(Command::Serve(settings)) => serve::serve(*settings),
        Some(Command::Client(command)) => return cli::run(*command),
        None => serve::serve(arguments.settings),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sticker-desk: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
