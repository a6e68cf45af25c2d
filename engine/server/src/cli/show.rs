//! `show`: a desk as a listing.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use desk_client_native::Format;
use serde_json::Value;

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
      and the chairs";

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
        let api = self.place.api_of(&link);
        let export = api.export(link.id, Format::Json, false).await.map_err(Failure::new)?;
        let desk = serde_json::from_slice(&export).map_err(|_| {
            Failure::new("the server's answer is not a desk; is it a Sticker Desk?")
        })?;
        print(&listing(&desk))?;
        Ok(ExitCode::SUCCESS)
    }
}

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
