//! Which column of a table means what, by the names that others give it.

use csv::StringRecord;

use crate::error::{ReadError, shown};

/// A column that can be asked for by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Column {
    /// The note's text.
    Text,
    /// The corner.
    X,
    /// The corner.
    Y,
    /// The sides.
    Width,
    /// The sides.
    Height,
    /// The colour.
    Color,
}

impl Column {
    /// Their names on a command line.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("text", Self::Text),
        ("x", Self::X),
        ("y", Self::Y),
        ("width", Self::Width),
        ("height", Self::Height),
        ("color", Self::Color),
    ];

    /// A column and the name that a table gives it, out of `text=Description`.
    pub fn asked(text: &str) -> Option<(Self, String)> {
        let (field, name) = text.split_once('=')?;
        let known = Self::NAMES.into_iter().find(|(known, _)| *known == field);
        Some((known?.1, name.to_owned()))
    }
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    /// The whole text.
    Text,
    /// What stands above a description.
    Title,
    Description,
    X,
    Y,
    Width,
    Height,
    Color,
    Z,
    Deleted,
    /// Mural's form of a note.
    Shape,
}

const FIELDS: usize = 11;

/// The names of each, as [`plain`] makes them, best first: English, then what the same
/// programs write in other languages. A column may be a title in one table and what
/// stands below a title in another.
const NAMES: [(Field, &[&str]); FIELDS] = [
    (
        Field::Text,
        &[
            "text",
            "sticky",
            "stickynote",
            "stickytext",
            "texto",
            "texte",
            "testo",
            "tekst",
            "текст",
        ],
    ),
    (
        Field::Title,
        &[
            "cardtitle",
            "cardname",
            "title",
            "summary",
            "issuesummary",
            "issuetitle",
            "subject",
            "taskname",
            "tasktitle",
            "task",
            "issue",
            "name",
            // German, French, Spanish, Portuguese, Italian, Dutch, Polish, Russian,
            // Chinese, Japanese.
            "kartentitel",
            "titel",
            "zusammenfassung",
            "betreff",
            "aufgabe",
            "titredelacarte",
            "titre",
            "résumé",
            "sujet",
            "tâche",
            "nom",
            "título",
            "titulo",
            "resumen",
            "asunto",
            "tarea",
            "nombre",
            "resumo",
            "assunto",
            "tarefa",
            "nome",
            "titolo",
            "riepilogo",
            "oggetto",
            "samenvatting",
            "taak",
            "naam",
            "tytuł",
            "podsumowanie",
            "temat",
            "zadanie",
            "nazwa",
            "заголовок",
            "название",
            "тема",
            "задача",
            "标题",
            "名称",
            "タイトル",
            "件名",
            "要約",
            "名前",
            "content",
            "note",
            "notes",
        ],
    ),
    (
        Field::Description,
        &[
            "description",
            "carddescription",
            "issuedescription",
            "taskdescription",
            "desc",
            "details",
            "body",
            "content",
            "notes",
            "note",
            "beschreibung",
            "notizen",
            "inhalt",
            "descripción",
            "descripcion",
            "notas",
            "contenido",
            "descrição",
            "conteúdo",
            "descrizione",
            "omschrijving",
            "beschrijving",
            "opis",
            "описание",
            "заметки",
            "描述",
            "内容",
            "説明",
        ],
    ),
    (Field::X, &["x", "positionx", "posx", "xposition", "left"]),
    (Field::Y, &["y", "positiony", "posy", "yposition", "top"]),
    (Field::Width, &["width", "w"]),
    (Field::Height, &["height", "h"]),
    (
        Field::Color,
        &["color", "colour", "bgcolor", "backgroundcolor", "background", "fill", "fillcolor"],
    ),
    (Field::Z, &["z", "zindex"]),
    (Field::Deleted, &["deleted"]),
    (Field::Shape, &["stickytype"]),
];

impl Field {
    pub(super) fn name(self) -> &'static str {
        NAMES.iter().find(|(field, _)| *field == self).map_or("", |(_, names)| names[0])
    }

    /// What a cell of a number should hold.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::X | Self::Y => "a number from -1000000 to 1000000",
            Self::Width | Self::Height => "a number from 20 to 4000",
            _ => "a number",
        }
    }
}

/// Where the columns are.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    places: [Option<usize>; FIELDS],
    mural: bool,
}

impl Columns {
    pub(super) fn find(header: &StringRecord) -> Self {
        let names: Vec<String> = header.iter().map(plain).collect();
        let of = |known: &&str| names.iter().position(|name| name == known);
        let places = NAMES.map(|(_, known)| known.iter().find_map(of));
        let mut columns = Self { places, mural: false };
        columns.mural =
            columns.place(Field::Shape).is_some() && names.iter().any(|n| n == "bgcolor");
        columns
    }

    /// The first column is the text, and no other means anything.
    pub(super) fn first() -> Self {
        let mut columns = Self { places: [None; FIELDS], mural: false };
        columns.set(Field::Text, 0);
        columns
    }

    /// Takes the columns that were asked for by name.
    pub(super) fn ask(
        &mut self,
        header: &StringRecord,
        asked: &[(Column, String)],
    ) -> Result<(), ReadError> {
        for (column, name) in asked {
            let at = Self::named(header, name);
            let Some(at) = at else {
                let columns: Vec<_> = header.iter().take(20).map(shown).collect();
                return Err(ReadError::NoColumn {
                    name: name.clone(),
                    columns: columns.join(", "),
                });
            };
            let field = match column {
                Column::Text => {
                    // Only that one, without a description below it.
                    self.unset(Field::Title);
                    self.unset(Field::Description);
                    Field::Text
                }
                Column::X => Field::X,
                Column::Y => Field::Y,
                Column::Width => Field::Width,
                Column::Height => Field::Height,
                Column::Color => Field::Color,
            };
            self.set(field, at);
        }
        Ok(())
    }

    /// The column of a name.
    pub(super) fn named(header: &StringRecord, name: &str) -> Option<usize> {
        header.iter().position(|cell| plain(cell) == plain(name))
    }

    pub(super) fn has_text(&self) -> bool {
        [Field::Text, Field::Title, Field::Description].iter().any(|f| self.place(*f).is_some())
    }

    /// Whether a line with these columns can only be the names of columns: one of them
    /// is of texts, and there is another.
    pub(super) fn is_header(&self) -> bool {
        let mut known = self.places.iter().flatten();
        let first = known.next();
        self.has_text() && known.any(|place| Some(place) != first)
    }

    /// Whether notes are made of a column.
    pub(super) fn uses(&self, at: usize) -> bool {
        let below = |field: &Field| matches!(field, Field::Title | Field::Description);
        let has_text = self.place(Field::Text).is_some();
        let fields = NAMES.iter().map(|(field, _)| *field);
        fields.filter(|f| !has_text || !below(f)).any(|f| self.place(f) == Some(at))
    }

    pub(super) fn is_mural(&self) -> bool {
        self.mural
    }

    /// Whether the table is an export of ours, where an empty text is a note's.
    pub(super) fn is_ours(&self) -> bool {
        use Field::{Color, Deleted, Height, Text, Width, X, Y, Z};
        let all = [Text, X, Y, Width, Height, Color, Z, Deleted];
        all.iter().all(|field| self.place(*field).is_some())
    }

    /// The text; a title and a description stand apart by a blank line.
    pub(super) fn text(&self, row: &StringRecord) -> String {
        let raw = |field| {
            let cell = self.place(field).and_then(|at| row.get(at)).unwrap_or_default();
            restored(cell)
        };
        if self.place(Field::Text).is_some() {
            return raw(Field::Text).to_owned();
        }
        let (title, mut description) = (raw(Field::Title), raw(Field::Description));
        if self.place(Field::Title) == self.place(Field::Description) {
            description = "";
        }
        match (title.trim().is_empty(), description.trim().is_empty()) {
            (_, true) => title.to_owned(),
            (true, false) => description.to_owned(),
            _ => format!("{title}\n\n{description}"),
        }
    }

    /// A cell that is not empty, without the space around it.
    pub(super) fn cell<'a>(&self, row: &'a StringRecord, field: Field) -> Option<&'a str> {
        let cell = restored(row.get(self.place(field)?)?).trim();
        Some(cell).filter(|cell| !cell.is_empty())
    }

    fn place(&self, field: Field) -> Option<usize> {
        self.places[Self::index(field)]
    }

    fn set(&mut self, field: Field, at: usize) {
        self.places[Self::index(field)] = Some(at);
    }

    fn unset(&mut self, field: Field) {
        self.places[Self::index(field)] = None;
    }

    fn index(field: Field) -> usize {
        NAMES.iter().position(|(known, _)| *known == field).expect("NAMES has every field")
    }
}

/// A column's name without case and what stands between its words.
fn plain(name: &str) -> String {
    let name = name.trim().trim_start_matches('\u{feff}');
    name.chars()
        .filter(|c| !matches!(c, ' ' | '_' | '-' | '.'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// A cell without the apostrophe that keeps a spreadsheet from running it.
fn restored(cell: &str) -> &str {
    if super::is_neutralised(cell) { &cell[1..] } else { cell }
}
