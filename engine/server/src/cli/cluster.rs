//! `cluster`: what the machines of a cluster are doing.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use desk_client_native::Server;

use super::place::Place;
use super::{Done, Failure, print};

pub(crate) const EXAMPLES: &str = "\
Example, on a machine of the cluster:
  $ sticker-desk cluster status --admin http://127.0.0.1:9100

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
    Status(Status),
}

#[derive(Args, Clone, Debug)]
struct Status {
    /// The admin address of one of the machines [default: the server of --server]
    #[arg(long, value_name = "URL")]
    admin: Option<Server>,

    #[command(flatten)]
    place: Place,
}

impl Cluster {
    pub(crate) async fn run(self) -> Done {
        let What::Status(Status { admin, place }) = self.what;
        let api = match admin {
            Some(admin) => place.api_at(admin)?,
            None => place.api()?,
        };
        print(&api.cluster_status().await.map_err(Failure::new)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
