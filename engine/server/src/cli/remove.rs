//! `remove`: the operator's takedown.

use std::process::ExitCode;

use clap::Args;
use desk_client_native::Server;

use super::place::{Link, Place};
use super::{Done, Failure, print};

pub(crate) const EXAMPLES: &str = "\
Example, on the server's machine:
  $ sticker-desk remove http://desk.example.org/d/38F1… --admin http://127.0.0.1:9100

The admin address is the one that serve was started with (--admin). Without one it is
the address it listens on, for this machine only. Any link of the desk will do; the desk
is gone at once, for everybody, and does not come back.";

/// See [`super::Command::Remove`].
#[derive(Args, Clone, Debug)]
pub(crate) struct Remove {
    /// The desk: any of its links, or the id in one
    link: Link,

    /// The server's admin address [default: the server of --server]
    #[arg(long, value_name = "URL")]
    admin: Option<Server>,

    #[command(flatten)]
    place: Place,
}

impl Remove {
    pub(crate) async fn run(self) -> Done {
        let link = self.place.desk(&self.link);
        let api = match self.admin {
            Some(admin) => self.place.api_at(admin)?,
            None => self.place.api()?,
        };
        api.remove(link.id).await.map_err(Failure::new)?;
        print("removed\n")?;
        Ok(ExitCode::SUCCESS)
    }
}
