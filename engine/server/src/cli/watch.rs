//! `watch`: what changes on a desk, live.

use std::collections::BTreeMap;

use clap::Args;
use desk_client_native::{Desk, Event, Line, Options, Status, Trouble};
use desk_protocol::frame::CloseCode;
use desk_protocol::{Sticker, StickerId};

use super::place::{Link, Place};
use super::{Done, Failure, one_line, print, stickers, title};

pub(crate) const EXAMPLES: &str = "\
Example:
  $ sticker-desk watch http://127.0.0.1:8080/d/38F1…
  connected: Plans for June, 2 stickers
  r18 #3  5XH1T9Q0ZK3BE  moved to 60,10
  r19 #3  5XH1T9Q0ZK3BE  text: Book the big hall
  r20 #1 (ada)  9A0GQ2XJ7TZVC  added at 480,-20: Music?

r18 is the desk's revision, #3 the number of who did it, with a label if one was
given. A lost connection comes back by itself.";

/// See [`super::Command::Watch`].
#[derive(Args, Clone, Debug)]
pub(crate) struct Watch {
    /// The desk: its link, or the id in it
    link: Link,

    #[command(flatten)]
    place: Place,
}

impl Watch {
    pub(crate) async fn run(self) -> Done {
        let link = self.place.desk(&self.link);
        let options = Options {
            user: "watch".to_owned(),
            trust: self.place.trust(),
            carriers: self.place.carriers(),
            undo_steps: 0,
            ..Options::default()
        };
        let desk = Desk::join_with(link, options).await.map_err(Failure::new)?;
        let mut events = desk.events();
        while desk.with(|client, _| client.line()) != Line::Live {
            match events.next().await {
                Event::Status(Status::Offline { trouble, .. }) => say_offline(trouble),
                Event::Closed { code, .. } => return Err(closed(code)),
                _ => {}
            }
        }
        say_online(&desk);
        let mut shown = Shown::of(&desk);
        print(&format!("connected: {}, {}\n", shown.title, stickers(shown.stickers.len())))?;
        let mut by = String::new();
        loop {
            match events.next().await {
                Event::Committed { revision, author, user, .. } => {
                    let label = one_line(&user, 64);
                    let label = if label.is_empty() { label } else { format!(" ({label})") };
                    by = format!("r{} #{}{label}", revision.0, author.0);
                    print(&shown.update(&desk, &by))?;
                }
                Event::Changed { .. } | Event::Reset => print(&shown.update(&desk, &by))?,
                Event::Status(Status::Offline { trouble, .. }) => say_offline(trouble),
                Event::Joined { .. } => say_online(&desk),
                Event::Closed { code, .. } => return Err(closed(code)),
                _ => {}
            }
        }
    }
}

fn say_offline(trouble: Trouble) {
    let words = trouble.words();
    eprintln!("offline: {}. {}", words.head, words.body);
}

fn closed(code: CloseCode) -> Failure {
    let words = Trouble::Server(code).words();
    Failure::new(format!("{}. {}", words.head, words.body))
}

/// Tells what carries the line.
fn say_online(desk: &Desk) {
    if let Some(carrier) = desk.carrier() {
        eprintln!("online over {}", carrier.name());
    }
}

/// The desk as it was last told of.
struct Shown {
    title: String,
    stickers: BTreeMap<StickerId, Sticker>,
}

impl Shown {
    fn of(desk: &Desk) -> Self {
        desk.view(|desk| Self {
            title: title(&desk.title().value),
            stickers: desk
                .pile()
                .filter(|sticker| !sticker.deleted.value)
                .map(|sticker| (sticker.id, sticker.clone()))
                .collect(),
        })
    }

    /// What is different now, a line each.
    fn update(&mut self, desk: &Desk, by: &str) -> String {
        let old = std::mem::replace(self, Self::of(desk));
        let mut lines = String::new();
        let mut line = |what: String| lines += &format!("{by}  {what}\n");
        if self.title != old.title {
            line(format!("title: {}", self.title));
        }
        for (id, sticker) in &self.stickers {
            match old.stickers.get(id) {
                None => {
                    let at = sticker.position.value;
                    let text = one_line(&sticker.text.value, 100);
                    line(format!("{id}  added at {},{}: {text}", at.x, at.y));
                }
                Some(old) => {
                    differences(old, sticker).for_each(|what| line(format!("{id}  {what}")))
                }
            }
        }
        for id in old.stickers.keys().filter(|id| !self.stickers.contains_key(id)) {
            line(format!("{id}  deleted"));
        }
        lines
    }
}

fn differences(old: &Sticker, new: &Sticker) -> impl Iterator<Item = String> {
    let (at, size) = (new.position.value, new.size.value);
    [
        (old.position.value != at).then(|| format!("moved to {},{}", at.x, at.y)),
        (old.size.value != size).then(|| format!("resized to {}x{}", size.width, size.height)),
        (old.color.value != new.color.value).then(|| format!("recoloured to {}", new.color.value)),
        (old.z.value != new.z.value)
            .then(|| if old.z.value < new.z.value { "raised" } else { "lowered" }.to_owned()),
        (old.text.value != new.text.value)
            .then(|| format!("text: {}", one_line(&new.text.value, 100))),
    ]
    .into_iter()
    .flatten()
}
