//! `show`: a desk as a listing.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use desk_client_native::{Api, Carriers, Desk, DeskLink, Format, Options, Status};
use desk_gateway_http::export::{ExportedDesk, respond};
use desk_gateway_http::http::Body;
use desk_protocol::Time;
use serde_json::Value;
use tokio::time::timeout;

use super::place::{Link, Place};
use super::{Done, Failure, one_line, print};

pub(crate) const EXAMPLES: &str = "\
Example:
  $ sticker-desk show http://127.0.0.1:8080/d/38F1…
  Plans for June: 2 stickers, revision 17, until 2026-06-08T09:00:00Z

  5XH1T9Q0ZK3BE  at 40,-20  200x200  #ffe066
      Book the hall
  7ZCN4M2D8RW0A  at 260,-20  200x200  #a5d8ff
      Ask Ada about the tables
      and the chairs

Over a named transport, to see that it gets through:
  $ sticker-desk show http://127.0.0.1:8080/d/38F1… --transport quic";

/// See [`super::Command::Show`].
#[derive(Args, Clone, Debug)]
pub(crate) struct Show {
    /// The desk: its link, or the id in it
    link: Link,

    #[command(flatten)]
    place: Place,
}

impl Show {
    pub(crate) async fn run(self) -> Done {
        let link = self.place.desk(&self.link);
        let export = match self.place.carriers() {
            Carriers::Auto => {
                let api = Api::new(link.server, &self.place.trust());
                api.export(link.id, Format::Json, false).await.map_err(Failure::new)?
            }
            carriers => self.carried(link, carriers).await?,
        };
        let desk = serde_json::from_slice(&export).map_err(|_| {
            Failure::new("the server's answer is not a desk; is it a Sticker Desk?")
        })?;
        print(&listing(&desk))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Show {
    /// The desk in its export's form, brought by a line over this transport alone.
    async fn carried(&self, link: DeskLink, carriers: Carriers) -> Result<Vec<u8>, Failure> {
        let trust = self.place.trust();
        let options = Options { trust, carriers, undo_steps: 0, ..Options::default() };
        let desk = Desk::join_with(link, options).await.map_err(Failure::new)?;
        match timeout(CARRIED_TIME, desk.live()).await {
            Ok(live) => live.map_err(Failure::new)?,
            Err(_) => {
                let why = match desk.status() {
                    Status::Offline { trouble, .. } => trouble.words().head,
                    _ => "no answer",
                };
                return Err(Failure::new(format!(
                    "nothing comes over this transport in {} s: {why}; try another one",
                    CARRIED_TIME.as_secs()
                )));
            }
        }
        let seconds = |time: Option<u64>| Time::from_unix_seconds(time.unwrap_or_default());
        let export = desk.with(|client, _| {
            let content = ExportedDesk {
                desk: client.desk(),
                created_at: seconds(client.created_at()),
                expires_at: seconds(client.expires_at()),
            };
            respond(&content, Format::Json, false).body
        });
        desk.close().await;
        match export {
            Body::Owned(json) => Ok(json),
            _ => unreachable!("an export is written at once"),
        }
    }
}

/// How long a transport that was named may take to bring the desk: two attempts, the second
/// of which has more time.
const CARRIED_TIME: Duration = Duration::from_secs(15);

/// A desk in its export's form, from the bottom of the pile to its top.
fn listing(desk: &Value) -> String {
    let no_stickers = Vec::new();
    let stickers = desk["stickers"].as_array().unwrap_or(&no_stickers);
    let title = super::title(desk["title"].as_str().unwrap_or_default());
    let count = super::stickers(stickers.len());
    let until = desk["expires_at"].as_str().unwrap_or("unknown");
    let mut text = format!("{title}: {count}, revision {}, until {until}\n", desk["revision"]);
    for sticker in stickers {
        let id = sticker["id"].as_str().unwrap_or_default();
        let color = sticker["color"].as_str().unwrap_or_default();
        let _ = write!(
            text,
            "\n{id}  at {},{}  {}x{}  {color}\n",
            sticker["x"], sticker["y"], sticker["width"], sticker["height"],
        );
        for line in sticker["text"].as_str().unwrap_or_default().lines() {
            let _ = writeln!(text, "    {}", one_line(line, usize::MAX));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_shows_every_sticker() {
        let desk = serde_json::json!({
            "title": "June", "revision": 3, "expires_at": "2026-06-08T09:00:00Z",
            "stickers": [{
                "id": "5XH1T9Q0ZK3BE", "x": 40, "y": -20, "width": 200, "height": 100,
                "color": "#ffe066", "text": "one\ntwo\u{7}",
            }],
        });
        let expected = "June: 1 sticker, revision 3, until 2026-06-08T09:00:00Z\n\
            \n5XH1T9Q0ZK3BE  at 40,-20  200x100  #ffe066\n    one\n    two\u{fffd}\n";
        assert_eq!(listing(&desk), expected);
    }
}
