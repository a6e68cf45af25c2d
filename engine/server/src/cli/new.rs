//! `new`: makes a desk.

use std::process::ExitCode;

use clap::Args;

use super::place::Place;
use super::{Done, Failure, print};

pub(crate) const EXAMPLES: &str = "\
Example:
  $ sticker-desk new \"Plans for June\"
  edit   http://127.0.0.1:8080/d/38F1…   for everybody who should work on it
  owner  http://127.0.0.1:8080/d/38F1…   yours: ends sessions, replaces links, deletes
  until  2026-06-08T09:00:00Z

The first link alone, for a script:
  $ sticker-desk new | awk '$1 == \"edit\" { print $2 }'";

/// See [`super::Command::New`].
#[derive(Args, Clone, Debug)]
pub(crate) struct New {
    /// The desk's title
    #[arg(default_value = "")]
    title: String,

    #[command(flatten)]
    place: Place,
}

impl New {
    pub(crate) async fn run(self) -> Done {
        let joined = self.place.api()?.create(&self.title, false).await.map_err(Failure::new)?;
        let mut text = format!("edit   {}   for everybody who should work on it\n", joined.link);
        if let Some(owner) = &joined.owner_link {
            text += &format!("owner  {owner}   yours: ends sessions, replaces links, deletes\n");
        }
        text += &format!("until  {}\n", joined.expires_at);
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}
