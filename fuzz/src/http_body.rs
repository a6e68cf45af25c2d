//! Bodies of requests: the first byte chooses what the rest is read as.

use desk_gateway_http::bodies::{read_finish, read_init, read_links};
use desk_gateway_http::export::{ExportedDesk, Format, respond};
use desk_gateway_http::import::{Source, read};
use desk_gateway_http::operations::read_submit;
use desk_protocol::limits::{DeskLimits, HistoryLimits, OrderLimits};
use desk_protocol::resolver::{Submission, TextHistories, accept};
use desk_protocol::{Author, Batch, ClientSeq, Desk, Operation, StickerId, Time};

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
        4 => import(Source::Json, body),
        5 => import(Source::Csv, body),
        _ => import(Source::Lines, body),
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
fn import(source: Source, body: &[u8]) {
    let Ok(operations) = read(source, body, &DeskLimits::default(), &mut ids()) else { return };
    let desk = desk_of(operations);
    let exported = ExportedDesk { desk: &desk, created_at: Time(0), expires_at: Time(1) };
    for (_, format) in Format::NAMES {
        let response = respond(&exported, format, true);
        let again = match format {
            Format::Json => {
                read(Source::Json, response.body.bytes(), &DeskLimits::default(), &mut ids())
            }
            Format::Csv => {
                read(Source::Csv, response.body.bytes(), &DeskLimits::default(), &mut ids())
            }
            Format::Markdown | Format::Svg => continue,
        };
        let again = desk_of(again.expect("an export of ours can be imported"));
        assert!(notes(&again) == notes(&desk), "an export came back as something else");
    }
}

fn desk_of(operations: Vec<Operation>) -> Desk {
    let batch = Batch::from_operations(operations, &DeskLimits::default())
        .expect("an import is a well-formed batch");
    let mut desk = Desk::new("Fuzz".to_owned());
    let submission = Submission {
        author: Author(1),
        client_seq: ClientSeq(1),
        base: desk.revision(),
        made_at: desk.revision(),
        batch: &batch,
        user: "",
        now_ms: 1,
        text_at_head: &[],
    };
    accept(
        &mut desk,
        &mut TextHistories::new(HistoryLimits::default()),
        submission,
        &OrderLimits::default(),
    )
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
