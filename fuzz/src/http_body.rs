//! Bodies of requests: the first byte chooses what the rest is read as.

use desk_files::Kind;
use desk_gateway_http::bodies::{read_finish, read_init, read_links};
use desk_gateway_http::export::{ExportedDesk, Format, respond};
use desk_gateway_http::import::{creations, read};
use desk_gateway_http::operations::read_submit;
use desk_gateway_http::route;
use desk_protocol::limits::{DeskLimits, HistoryLimits, OrderLimits};
use desk_protocol::resolver::{self, Import, TextHistories};
use desk_protocol::{Author, Batch, Desk, LinkId, Operation, StickerId, Time};

/// Whatever is understood holds what it promises; files come back as they went.
pub fn run(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    match choice % 7 {
        0 => {
            if let Ok(request) = read_submit(body, &mut ids()) {
                let _ = Batch::from_operations(request.operations, &DeskLimits::default());
            }
        }
        1 => drop(read_init(body, DeskLimits::default().title_chars)),
        2 => drop(read_finish(body)),
        3 => drop(read_links(body)),
        4 => import(None, body),
        5 => import(Some(Kind::Table), body),
        _ => import(Some(Kind::Markdown), body),
    }
}

/// Ids in order, in place of random ones.
fn ids() -> impl FnMut() -> StickerId {
    let mut last = 0;
    move || {
        last += 1;
        StickerId(last)
    }
}

/// What a file holds makes a desk, and that desk's own files hold the same.
fn import(hint: Option<Kind>, body: &[u8]) {
    let Some(operations) = created(hint, body) else { return };
    let desk = desk_of(operations);
    let exported = ExportedDesk { desk: &desk, created_at: Time(0), expires_at: Time(1) };
    let pictures = [Format::Svg, Format::Png, Format::Pdf];
    let read_again = |(_, format): &(&str, Format)| !pictures.contains(format);
    for (_, format) in Format::NAMES.into_iter().filter(read_again) {
        let response = respond(&exported, format, true);
        let again = created(None, response.body.bytes());
        // A box without a text is no note of tldraw's.
        let all = format != Format::Tldraw;
        assert!(again.is_some() || !all, "an export of ours can be imported");
        // Only our JSON keeps control characters.
        if format == Format::Json {
            let again = again.map(desk_of).expect("it was seen to be there");
            assert!(notes(&again) == notes(&desk), "an export came back as something else");
        }
    }
}

fn created(hint: Option<Kind>, body: &[u8]) -> Option<Vec<Operation>> {
    let limits = DeskLimits::default();
    let wanted = route::Import { link: LinkId(0), kind: None, columns: Vec::new(), deleted: false };
    let board = read(&wanted, hint, body, &limits).ok()?.board;
    creations(board, &Desk::new(String::new()), &limits, &mut ids()).ok()
}

fn desk_of(operations: Vec<Operation>) -> Desk {
    let notes = Batch::from_operations(operations, &DeskLimits::default().of_import())
        .expect("an import is well formed");
    let mut desk = Desk::new("Fuzz".to_owned());
    let import =
        Import { author: Author(1), notes: &notes, user: "", now_ms: 1, bytes_max: usize::MAX };
    let mut histories = TextHistories::new(HistoryLimits::default());
    resolver::import(&mut desk, &mut histories, import, &OrderLimits::default())
        .expect("a body is too short to fill a desk");
    desk
}

/// The notes from bottom to top, without ids.
fn notes(desk: &Desk) -> Vec<String> {
    let note = |s: &desk_protocol::Sticker| {
        format!("{:?} {:?} {:?} {:?}", s.position.value, s.size.value, s.color.value, s.text.value)
    };
    desk.pile().map(note).collect()
}
