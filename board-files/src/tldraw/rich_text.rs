//! tldraw's rich text (TipTap's JSON) as plain text: a line a block, marks off.

use crate::loose::{List, Loose, Maybe, record};

record! {
    pub(super) struct RichText {
        r#type: Loose = "type",
        text: Loose = "text",
        content: List<Maybe<RichText>> = "content",
        attrs: Maybe<Attributes> = "attrs",
    }
}

record! {
    struct Attributes {
        label: Loose = "label",
    }
}

impl RichText {
    /// The text with an LF between blocks; an item of a list is a block.
    pub(super) fn plain(&self) -> String {
        let mut lines = Vec::new();
        self.blocks(&mut lines);
        lines.join("\n")
    }

    fn parts(&self) -> impl Iterator<Item = &Self> {
        self.content.0.iter().filter_map(|part| part.0.as_ref())
    }

    fn is_inline(&self) -> bool {
        matches!(self.r#type.text(), Some("text" | "hardBreak" | "mention")) || self.text.is_there()
    }

    // Nesting is bounded by the parser.
    fn blocks(&self, lines: &mut Vec<String>) {
        let is_leaf = matches!(self.r#type.text(), Some("paragraph" | "heading" | "codeBlock"));
        if is_leaf || self.parts().any(Self::is_inline) {
            let mut line = String::new();
            self.inline(&mut line);
            lines.push(line);
        } else {
            self.parts().for_each(|part| part.blocks(lines));
        }
    }

    fn inline(&self, line: &mut String) {
        match self.r#type.text() {
            Some("hardBreak") => line.push('\n'),
            Some("mention") => {
                let label = self.attrs.0.as_ref().and_then(|attrs| attrs.label.text());
                line.push_str(label.unwrap_or_default());
            }
            _ => {
                line.push_str(self.text.text().unwrap_or_default());
                self.parts().for_each(|part| part.inline(line));
            }
        }
    }
}
