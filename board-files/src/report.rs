//! What a reader left out or changed: counted, and told.

use std::collections::BTreeMap;
use std::fmt;

use crate::kind::Kind;

/// What became of a file beside its notes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What the file was read as.
    pub kind: Kind,
    left_out: BTreeMap<LeftOut, usize>,
    remarks: BTreeMap<Remark, usize>,
}

impl Report {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, left_out: BTreeMap::new(), remarks: BTreeMap::new() }
    }

    pub(crate) fn leave_out(&mut self, what: LeftOut, count: usize) {
        if count > 0 {
            *self.left_out.entry(what).or_default() += count;
        }
    }

    pub(crate) fn remark(&mut self, what: Remark, count: usize) {
        if count > 0 {
            *self.remarks.entry(what).or_default() += count;
        }
    }

    /// What was left out, by kind.
    pub fn left_out(&self) -> impl Iterator<Item = (LeftOut, usize)> {
        self.left_out.iter().map(|(what, count)| (*what, *count))
    }

    /// What came in changed, by kind.
    pub fn remarks(&self) -> impl Iterator<Item = (Remark, usize)> {
        self.remarks.iter().map(|(what, count)| (*what, *count))
    }

    /// What was left out as a clause, "4 arrows, 1 image not taken over"; empty
    /// if nothing was.
    pub fn left_out_clause(&self) -> String {
        if self.left_out.is_empty() {
            return String::new();
        }
        let parts: Vec<_> = self.left_out().map(|(what, count)| what.counted(count)).collect();
        format!("{} not taken over", parts.join(", "))
    }
}

/// The clauses of what was left out and changed, a line each; empty if the notes
/// are all there is to tell.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        if !self.left_out.is_empty() {
            lines.push(self.left_out_clause());
        }
        lines.extend(self.remarks().map(|(what, count)| what.told(count)));
        f.write_str(&lines.join("\n"))
    }
}

macro_rules! left_out {
    ($($(#[doc = $doc:literal])+ $name:ident = $one:literal, $many:literal;)+) => {
        /// A kind of thing that no note can be made of.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum LeftOut {
            $($(#[doc = $doc])+ $name,)+
        }

        impl LeftOut {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its word, which stays as it is: programs and pages go by it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// So many of it, in words.
            pub fn counted(self, count: usize) -> String {
                let (one, many) = match self {
                    $(Self::$name => ($one, $many),)+
                };
                if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
            }
        }
    };
}

left_out! {
    /// An arrow between things.
    Arrow = "arrow", "arrows";
    /// What stands on an arrow.
    ArrowLabel = "arrow label", "arrow labels";
    /// A line without a head.
    Line = "line", "lines";
    /// A connection of a JSON Canvas.
    Edge = "edge", "edges";
    /// Freehand.
    Drawing = "drawing", "drawings";
    /// A shape without a text.
    Shape = "shape without text", "shapes without text";
    /// A picture.
    Image = "image", "images";
    /// A film.
    Video = "video", "videos";
    /// A frame around others, which are taken over.
    Frame = "frame", "frames";
    /// A group's border and label; its members are taken over.
    Group = "group", "groups";
    /// A page of another site.
    Embed = "embedded page", "embedded pages";
    /// A preview of a link.
    Bookmark = "bookmark", "bookmarks";
    /// A file of a vault.
    File = "file", "files";
    /// Deleted in the file.
    Deleted = "deleted note", "deleted notes";
    /// No text where only a text makes a note.
    Empty = "empty note", "empty notes";
    /// Archived.
    ArchivedCard = "archived card", "archived cards";
    /// In a list that is archived.
    InArchivedList = "card in an archived list", "cards in archived lists";
    /// A pattern for cards.
    Template = "card template", "card templates";
    /// A list without cards.
    EmptyList = "empty list", "empty lists";
    /// A card's file.
    Attachment = "attachment", "attachments";
    /// A card's comment.
    Comment = "comment", "comments";
    /// A cell that is no note's.
    Cell = "cell of other columns", "cells of other columns";
    /// Anything else.
    Other = "element of another kind", "elements of other kinds";
}

macro_rules! remarks {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// A way in which what came in is not what the file says.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Remark {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Remark {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its word, which stays as it is: programs and pages go by it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }
    };
}

remarks! {
    /// The text was read as Windows-1252, by default.
    Windows1252,
    /// No column is known by name.
    FirstColumn,
    /// The board was moved to fit.
    Moved,
    /// Pages were put side by side.
    Pages,
    /// Sizes were held to the limits.
    Resized,
    /// Notes are drawn upright.
    Unturned,
    /// Characters that no text has were taken out.
    Controls,
    /// Colours that nobody knows became the default.
    Colors,
    /// Only one of two coordinates was there.
    HalfPlaced,
    /// The same text again.
    Repeated,
    /// The same id again.
    SameId,
    /// Marks of done and open tasks.
    Ticks,
}

impl Remark {
    /// The remark about so many, as a clause.
    pub fn told(self, count: usize) -> String {
        let notes = if count == 1 { "1 note".to_owned() } else { format!("{count} notes") };
        match self {
            Self::Windows1252 => {
                "the text is not UTF-8 and was read as Windows-1252; save it as UTF-8 if \
                 letters are wrong"
                    .to_owned()
            }
            Self::FirstColumn => {
                "no column is known by its name, so the first became the notes; name another \
                 with --column text=NAME"
                    .to_owned()
            }
            Self::Moved => "the board was moved as a whole to fit".to_owned(),
            Self::Pages => format!("{count} pages were put side by side"),
            Self::Resized => format!("{notes} held to a size that a note can have"),
            Self::Unturned => format!("{notes} no longer turned"),
            Self::Controls => format!("{notes} without the control characters of the text"),
            Self::Colors => format!("{notes} in the default colour, as theirs is not known"),
            Self::HalfPlaced => format!("{notes} laid out anew, with only one coordinate"),
            Self::Repeated => format!("{notes} with the text of another"),
            Self::SameId => format!("{notes} with the id of another"),
            Self::Ticks => format!("{notes} without the tick box"),
        }
    }
}
