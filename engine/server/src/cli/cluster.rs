//! `cluster`: what the machines of a cluster are doing.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use desk_client_native::Server;

use super::place::Place;
use super::{Done, Failure, print};

pub(crate) const EXAMPLES: &str = "\
Examples, on a machine of the cluster:
  $ sticker-desk cluster status http://127.0.0.1:9100
  $ sticker-desk cluster queue http://127.0.0.1:9100

The admin address is the one that serve was started with (--admin). Without one it is
the address it listens on, for this machine only.";

/// See [`super::Command::Cluster`].
#[derive(Args, Clone, Debug)]
pub(crate) struct Cluster {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Clone, Debug)]
enum What {
    /// Print the machines, and who serves which units
    #[command(after_help = EXAMPLES)]
    Status(At),
    /// Print the requests between this machine and others, and what became of them
    #[command(after_help = EXAMPLES)]
    Queue(At),
}

#[derive(Args, Clone, Debug)]
struct At {
    /// The admin address of one of the machines [default: the server of --server]
    #[arg(value_name = "ADDRESS")]
    at: Option<Server>,

    /// The same
    #[arg(long, value_name = "URL", conflicts_with = "at", hide = true)]
    admin: Option<Server>,

    #[command(flatten)]
    place: Place,
}

impl Cluster {
    pub(crate) async fn run(self) -> Done {
        let (At { at, admin, place }, is_queue) = match self.what {
            What::Status(at) => (at, false),
            What::Queue(at) => (at, true),
        };
        let api = match at.or(admin) {
            Some(admin) => place.api_at(admin)?,
            None => place.api()?,
        };
        let told = if is_queue { api.cluster_queue().await } else { api.cluster_status().await };
        print(&told.map_err(Failure::new)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
