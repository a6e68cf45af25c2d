//! The JSON of a board of Trello, and WeKan's own, which has other names for the
//! same: a column of notes for each list.
//!
//! Archiving a list is not written into its cards. `actions` and `members` are
//! most of a file, hold people's names, and are never kept.

use std::collections::BTreeMap;

use crate::draft::{Draft, Draught, GAP};
use crate::error::ReadError;
use crate::kind::Kind;
use crate::loose::{Ignored, List, Loose, Maybe, parse, record};
use crate::report::LeftOut;
use crate::spot::Spot;

const KIND: Kind = Kind::Trello;

record! {
    struct File, closed: false, required: ["lists", "cards"]; {
        name: Loose = "name" | "title",
        lists: List<Maybe<Column>> = "lists",
        cards: List<Maybe<Card>> = "cards",
        checklists: List<Maybe<Checklist>> = "checklists",
        items: List<Maybe<Item>> = "checklistItems",
        labels: List<Maybe<Label>> = "labels",
    }
}

record! {
    struct Column {
        id: Loose = "id" | "_id",
        name: Loose = "name" | "title",
        closed: Loose = "closed" | "archived",
        pos: Loose = "pos" | "sort",
    }
}

record! {
    struct Card {
        id: Loose = "id" | "_id",
        name: Loose = "name" | "title",
        desc: Loose = "desc" | "description",
        closed: Loose = "closed" | "archived",
        id_list: Loose = "idList" | "listId",
        pos: Loose = "pos" | "sort",
        is_template: Loose = "isTemplate",
        labels: List<Maybe<Label>> = "labels",
        label_ids: List<Loose> = "labelIds",
        cover: Maybe<Cover> = "cover",
        attachments: List<Ignored> = "attachments",
        badges: Maybe<Badges> = "badges",
    }
}

record! {
    struct Label {
        id: Loose = "id" | "_id",
        color: Loose = "color",
    }
}

record! {
    struct Cover {
        color: Loose = "color",
    }
}

record! {
    struct Badges {
        comments: Loose = "comments",
    }
}

record! {
    struct Checklist {
        id: Loose = "id" | "_id",
        id_card: Loose = "idCard" | "cardId",
        check_items: List<Maybe<Item>> = "checkItems",
        pos: Loose = "pos" | "sort",
    }
}

record! {
    struct Item {
        name: Loose = "name" | "title",
        pos: Loose = "pos" | "sort",
        checklist_id: Loose = "checklistId",
    }
}

/// Trello's labels: a name, the shade, its light and its dark one.
const COLORS: [(&str, [u32; 3]); 10] = [
    ("green", [0x4b_ce_97, 0xba_f3_db, 0x1f_84_5a]),
    ("yellow", [0xf5_cd_47, 0xf8_e6_a0, 0x94_6f_00]),
    ("orange", [0xfe_a3_62, 0xfe_de_c8, 0xc2_51_00]),
    ("red", [0xf8_71_68, 0xff_d5_d2, 0xc9_37_2c]),
    ("purple", [0x9f_8f_ef, 0xdf_d8_fd, 0x6e_5d_c6]),
    ("blue", [0x57_9d_ff, 0xcc_e0_ff, 0x0c_66_e4]),
    ("sky", [0x6c_c3_e0, 0xc6_ed_fb, 0x22_7d_9b]),
    ("lime", [0x94_c7_48, 0xd3_f1_a7, 0x5b_7f_24]),
    ("pink", [0xe7_74_bb, 0xfd_d0_ec, 0xae_47_87]),
    ("black", [0x85_90_a2, 0xdc_df_e4, 0x62_6f_86]),
];

/// A list's name above its notes.
const HEADING: (f64, f64) = (200.0, 60.0);
const HEADING_COLOR: u32 = 0xff_fa_f0;
const SIDE: f64 = 200.0;

pub(crate) fn read(text: &str, draught: &mut Draught) -> Result<(), ReadError> {
    let file: File = parse(KIND, text)?;
    draught.title = file.name.text().unwrap_or_default().to_owned();
    let board_labels: BTreeMap<&str, &str> = present(&file.labels)
        .filter_map(|(_, label)| Some((label.id.text()?, label.color.text()?)))
        .collect();
    let checklists = checklists(&file);
    let mut lists: Vec<(usize, &Column)> = present(&file.lists).collect();
    lists.sort_by(|(_, a), (_, b)| position(&a.pos).total_cmp(&position(&b.pos)));
    // The cards of each list; `None` stands for a list that is archived.
    let mut columns: BTreeMap<&str, Option<Vec<(Spot, &Card)>>> = BTreeMap::new();
    for (index, list) in &lists {
        let spot = Spot::element(KIND, "lists", *index);
        let Some(id) = list.id.text() else {
            return Err(spot.unexpected("id", "a string", list.id.shown()));
        };
        let column = (!list.closed.is_true()).then(Vec::new);
        if columns.insert(id, column).is_some() {
            return Err(spot.unexpected("id", "an id that no other list has", list.id.shown()));
        }
    }
    for (index, card) in present(&file.cards) {
        let spot = Spot::element(KIND, "cards", index);
        let report = &mut draught.report;
        let Some(column) = card.id_list.text().and_then(|id| columns.get_mut(id)) else {
            return Err(spot.unexpected("idList", "the id of a list", card.id_list.shown()));
        };
        match column {
            _ if card.closed.is_true() => report.leave_out(LeftOut::ArchivedCard, 1),
            None => report.leave_out(LeftOut::InArchivedList, 1),
            Some(_) if card.is_template.is_true() => report.leave_out(LeftOut::Template, 1),
            Some(cards) => cards.push((spot, card)),
        }
    }
    let mut x = 0.0;
    for (index, list) in lists {
        let Some(Some(cards)) = list.id.text().and_then(|id| columns.get_mut(id)) else { continue };
        if cards.is_empty() {
            draught.report.leave_out(LeftOut::EmptyList, 1);
            continue;
        }
        cards.sort_by(|(_, a), (_, b)| position(&a.pos).total_cmp(&position(&b.pos)));
        let name = list.name.text().unwrap_or_default().to_owned();
        let mut heading = Draft::new(Spot::element(KIND, "lists", index), name);
        heading.corner = Some((x, 0.0));
        heading.size = Some(HEADING);
        heading.color = Some(desk_protocol::Color(HEADING_COLOR));
        draught.push(heading)?;
        let mut y = HEADING.1 + f64::from(GAP);
        for (spot, card) in cards.iter() {
            let items = card.id.text().and_then(|id| checklists.get(id));
            let mut draft = Draft::new(*spot, text_of(card, items.map_or(&[], Vec::as_slice)));
            draft.corner = Some((x, y));
            draft.color = color(card, &board_labels);
            draught.push(draft)?;
            draught.report.leave_out(LeftOut::Attachment, card.attachments.0.len());
            let comments = card.badges.0.as_ref().and_then(|badges| badges.comments.number());
            draught.report.leave_out(LeftOut::Comment, comments.unwrap_or(0.0) as usize);
            y += SIDE + f64::from(GAP);
        }
        x += SIDE + f64::from(GAP);
    }
    Ok(())
}

fn present<T>(list: &List<Maybe<T>>) -> impl Iterator<Item = (usize, &T)> {
    list.0.iter().enumerate().filter_map(|(index, item)| Some((index, item.0.as_ref()?)))
}

/// Where something stands among its like; nothing said, at the end.
fn position(pos: &Loose) -> f64 {
    match pos {
        Loose::Number(pos) => *pos,
        // "top" and "bottom" are what Trello itself takes.
        Loose::Text(word) if word == "top" => f64::NEG_INFINITY,
        _ => f64::INFINITY,
    }
}

/// The items of each card's checklists, in order.
fn checklists(file: &File) -> BTreeMap<&str, Vec<&str>> {
    let mut of_checklist: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    for (_, item) in present(&file.items) {
        if let Some(id) = item.checklist_id.text() {
            of_checklist.entry(id).or_default().push(item);
        }
    }
    let mut lists: Vec<&Checklist> = present(&file.checklists).map(|(_, list)| list).collect();
    lists.sort_by(|a, b| position(&a.pos).total_cmp(&position(&b.pos)));
    let mut of_card: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for list in lists {
        let own = present(&list.check_items).map(|(_, item)| item);
        let apart = list.id.text().and_then(|id| of_checklist.remove(id)).unwrap_or_default();
        let mut items: Vec<&Item> = own.chain(apart).collect();
        items.sort_by(|a, b| position(&a.pos).total_cmp(&position(&b.pos)));
        if let Some(card) = list.id_card.text() {
            let names = items.into_iter().filter_map(|item| item.name.text());
            of_card.entry(card).or_default().extend(names);
        }
    }
    of_card
}

/// The name, a blank line, the description, and a line an item.
fn text_of(card: &Card, items: &[&str]) -> String {
    let mut text = card.name.text().unwrap_or_default().to_owned();
    let description = card.desc.text().unwrap_or_default().trim();
    if !description.is_empty() {
        text.extend(["\n\n", description]);
    }
    if !items.is_empty() {
        text.push('\n');
    }
    for item in items {
        text.extend(["\n- ", item]);
    }
    text
}

/// The first label that has a colour, else the cover's.
fn color(card: &Card, board: &BTreeMap<&str, &str>) -> Option<desk_protocol::Color> {
    let own = present(&card.labels).filter_map(|(_, label)| label.color.text());
    let by_id = card.label_ids.0.iter().filter_map(|id| board.get(id.text()?).copied());
    let cover = card.cover.0.as_ref().and_then(|cover| cover.color.text());
    let name = own.chain(by_id).chain(cover).find(|name| *name != "null")?;
    let (plain, shade) = match name.rsplit_once('_') {
        Some((plain, "light")) => (plain, 1),
        Some((plain, "dark")) => (plain, 2),
        _ => (name, 0),
    };
    let (_, shades) = COLORS.iter().find(|(known, _)| *known == plain)?;
    Some(desk_protocol::Color(shades[shade]))
}
