//! A desk as a file, and back.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::collections::BTreeMap;

use desk_gateway_http::Time;
use desk_gateway_http::export::{self, ExportedDesk, Format};
use desk_gateway_http::import::{self, Source};
use desk_protocol::desk::DeskParts;
use desk_protocol::limits::DeskLimits;
use desk_protocol::operation::{Create, Operation};
use desk_protocol::sticker::Stamped;
use desk_protocol::{Author, Color, Desk, Point, Size, Stamp, Sticker, StickerId};
use expect_test::{Expect, expect};
use proptest::prelude::*;

/// 2026-11-23 18:00 UTC, in seconds.
const CREATED: u64 = 1_795_456_800;

fn sticker(id: u64, x: i32, z: i64, text: &str) -> Sticker {
    fn own<T>(value: T) -> Stamped<T> {
        Stamped::new(value, Stamp::default())
    }
    Sticker {
        id: StickerId(id),
        position: own(Point { x, y: 10 }),
        size: own(Size::default()),
        color: own(Color::default()),
        z: own(z),
        deleted: own(false),
        text: own(text.to_owned()),
        author: Author(2),
        created_at_ms: CREATED * 1_000 + 999,
        kind: 0,
        locked: false,
        counters: BTreeMap::new(),
    }
}

fn desk(title: &str, stickers: Vec<Sticker>) -> Desk {
    let title = Stamped::new(title.to_owned(), Stamp::default());
    Desk::from_parts(DeskParts { title, stickers, ..DeskParts::default() }).unwrap()
}

/// A desk that means no good, with one deleted sticker.
fn hostile() -> Desk {
    let mut deleted = sticker(4, 500, 4, "gone");
    deleted.deleted.value = true;
    let mut dark = sticker(2, 220, 1, "two\nlines, \"quoted\"");
    dark.color.value = Color(0x11_22_33);
    desk(
        "</title><script>alert(1)</script> & \u{1}",
        vec![
            sticker(1, -40, 2, "=HYPERLINK(\"http://evil\")"),
            dark,
            sticker(3, 440, 3, "<img src=x onerror=alert(1)> [a](javascript:b) ]]>"),
            deleted,
        ],
    )
}

fn exported(desk: &Desk, format: Format, deleted: bool) -> String {
    let created_at = Time(CREATED * 1_000_000);
    let expires_at = Time((CREATED + 604_800) * 1_000_000);
    let response = export::respond(&ExportedDesk { desk, created_at, expires_at }, format, deleted);
    assert_eq!(response.status.0, 200);
    assert_eq!(response.field("X-Content-Type-Options"), Some("nosniff"));
    let attached = response.field("Content-Disposition").is_some_and(|d| d.starts_with("attach"));
    assert_eq!(attached, format != Format::Json);
    String::from_utf8(response.body.bytes().to_vec()).unwrap()
}

fn check(format: Format, deleted: bool, expected: Expect) {
    expected.assert_eq(&exported(&hostile(), format, deleted).replace('\r', "␍"));
}

#[test]
fn json() {
    let text = exported(&hostile(), Format::Json, true);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    expect![[r##"
        {
          "created_at": "2026-11-23T18:00:00Z",
          "expires_at": "2026-11-30T18:00:00Z",
          "revision": 0,
          "stickers": [
            {
              "author": 2,
              "color": "#112233",
              "created_at": "2026-11-23T18:00:00Z",
              "height": 200,
              "id": "0000000000002",
              "text": "two\nlines, \"quoted\"",
              "width": 200,
              "x": 220,
              "y": 10,
              "z": 1
            },
            {
              "author": 2,
              "color": "#ffe066",
              "created_at": "2026-11-23T18:00:00Z",
              "height": 200,
              "id": "0000000000001",
              "text": "=HYPERLINK(\"http://evil\")",
              "width": 200,
              "x": -40,
              "y": 10,
              "z": 2
            },
            {
              "author": 2,
              "color": "#ffe066",
              "created_at": "2026-11-23T18:00:00Z",
              "height": 200,
              "id": "0000000000003",
              "text": "<img src=x onerror=alert(1)> [a](javascript:b) ]]>",
              "width": 200,
              "x": 440,
              "y": 10,
              "z": 3
            },
            {
              "author": 2,
              "color": "#ffe066",
              "created_at": "2026-11-23T18:00:00Z",
              "deleted": true,
              "height": 200,
              "id": "0000000000004",
              "text": "gone",
              "width": 200,
              "x": 500,
              "y": 10,
              "z": 4
            }
          ],
          "title": "</title><script>alert(1)</script> & \u0001"
        }"##]]
    .assert_eq(&format!("{value:#}"));
    assert!(!exported(&hostile(), Format::Json, false).contains("gone"));
}

#[test]
fn csv() {
    check(
        Format::Csv,
        true,
        expect![[r#"
        id,x,y,width,height,color,z,text,author,created_at,deleted␍
        0000000000002,220,10,200,200,#112233,1,"two
        lines, ""quoted""",2,2026-11-23T18:00:00Z,false␍
        0000000000001,'-40,10,200,200,#ffe066,2,"'=HYPERLINK(""http://evil"")",2,2026-11-23T18:00:00Z,false␍
        0000000000003,440,10,200,200,#ffe066,3,<img src=x onerror=alert(1)> [a](javascript:b) ]]>,2,2026-11-23T18:00:00Z,false␍
        0000000000004,500,10,200,200,#ffe066,4,gone,2,2026-11-23T18:00:00Z,true␍
    "#]],
    );
    assert!(!exported(&hostile(), Format::Csv, false).contains("gone"));
}

#[test]
fn markdown() {
    check(
        Format::Markdown,
        true,
        expect![[r##"
            # \</title\>\<script\>alert(1)\</script\> \& �

            - two\
              lines, "quoted"

            - \=HYPERLINK("http://evil")

            - \<img src=x onerror=alert(1)\> \[a\](javascript:b) \]\]\>

            - (deleted) gone
        "##]],
    );
}

#[test]
fn svg() {
    check(
        Format::Svg,
        true,
        expect![[r##"
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="-80 -30 820 280" width="820" height="280" font-family="sans-serif" font-size="16">
        <title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt; &amp; �</title>
        <svg x="220" y="10" width="200" height="200"><rect width="100%" height="100%" rx="4" fill="#112233"/>
        <text x="12" y="28" fill="#ffffff">two</text>
        <text x="12" y="48" fill="#ffffff">lines, &quot;quoted&quot;</text>
        </svg>
        <svg x="-40" y="10" width="200" height="200"><rect width="100%" height="100%" rx="4" fill="#ffe066"/>
        <text x="12" y="28" fill="#222222">=HYPERLINK(&quot;http://evi</text>
        <text x="12" y="48" fill="#222222">l&quot;)</text>
        </svg>
        <svg x="440" y="10" width="200" height="200"><rect width="100%" height="100%" rx="4" fill="#ffe066"/>
        <text x="12" y="28" fill="#222222">&lt;img src=x</text>
        <text x="12" y="48" fill="#222222">onerror=alert(1)&gt;</text>
        <text x="12" y="68" fill="#222222">[a](javascript:b) ]]&gt;</text>
        </svg>
        <svg x="500" y="10" width="200" height="200" opacity="0.3"><rect width="100%" height="100%" rx="4" fill="#ffe066"/>
        <text x="12" y="28" fill="#222222">gone</text>
        </svg>
        </svg>
    "##]],
    );
    check(
        Format::Svg,
        false,
        expect![[r##"
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="-80 -30 760 280" width="760" height="280" font-family="sans-serif" font-size="16">
        <title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt; &amp; �</title>
        <svg x="220" y="10" width="200" height="200"><rect width="100%" height="100%" rx="4" fill="#112233"/>
        <text x="12" y="28" fill="#ffffff">two</text>
        <text x="12" y="48" fill="#ffffff">lines, &quot;quoted&quot;</text>
        </svg>
        <svg x="-40" y="10" width="200" height="200"><rect width="100%" height="100%" rx="4" fill="#ffe066"/>
        <text x="12" y="28" fill="#222222">=HYPERLINK(&quot;http://evi</text>
        <text x="12" y="48" fill="#222222">l&quot;)</text>
        </svg>
        <svg x="440" y="10" width="200" height="200"><rect width="100%" height="100%" rx="4" fill="#ffe066"/>
        <text x="12" y="28" fill="#222222">&lt;img src=x</text>
        <text x="12" y="48" fill="#222222">onerror=alert(1)&gt;</text>
        <text x="12" y="68" fill="#222222">[a](javascript:b) ]]&gt;</text>
        </svg>
        </svg>
    "##]],
    );
    expect![[r#"
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="-40 -40 480 380" width="480" height="380" font-family="sans-serif" font-size="16">
        <title></title>
        </svg>
    "#]].assert_eq(&exported(&desk("", vec![]), Format::Svg, false));
}

fn ids() -> impl FnMut() -> StickerId {
    let mut next = 0;
    move || {
        next += 1;
        StickerId(next)
    }
}

fn notes(source: Source, body: &[u8]) -> Result<Vec<Create>, String> {
    let operations =
        import::read(source, body, &DeskLimits::default(), &mut ids()).map_err(|error| {
            let problem = error.problem();
            format!("{} {}", problem.status.0, problem.detail)
        })?;
    Ok(operations
        .into_iter()
        .map(|operation| match operation {
            Operation::Create(create) => create,
            other => panic!("{other:?}"),
        })
        .collect())
}

fn imported(source: Source, body: &[u8]) -> String {
    match notes(source, body) {
        Ok(notes) => notes
            .iter()
            .map(|note| {
                let (Point { x, y }, Size { width, height }) = (note.position, note.size);
                format!("{x},{y} {width}×{height} {} {:?}\n", note.color, note.text)
            })
            .collect(),
        Err(told) => told,
    }
}

#[test]
fn what_was_exported_comes_back() {
    let desk = hostile();
    for (format, source) in [(Format::Json, Source::Json), (Format::Csv, Source::Csv)] {
        let file = exported(&desk, format, true);
        let notes = notes(source, file.as_bytes()).unwrap();
        let live: Vec<_> = desk.pile().filter(|sticker| !sticker.deleted.value).collect();
        assert_eq!(notes.len(), live.len());
        for (note, sticker) in notes.iter().zip(live) {
            assert_eq!(note.text, sticker.text.value);
            assert_eq!(note.position, sticker.position.value);
            assert_eq!(note.size, sticker.size.value);
            assert_eq!(note.color, sticker.color.value);
        }
    }
}

#[test]
fn files_of_others() {
    expect![[r#"
        0,0 200×200 #ffe066 "one"
        220,0 200×200 #ffe066 "two"
        0,220 200×200 #ffe066 "three"
    "#]]
    .assert_eq(&imported(Source::Lines, b"\xef\xbb\xbfone\r\n\n  two \nthree"));
    expect![[r#"
        0,0 200×200 #ff0000 "a \"b\"\nc"
        220,0 200×200 #ffe066 "plain"
    "#]]
    .assert_eq(&imported(
        Source::Csv,
        b"Name,Text,Color,X\nann,\"a \"\"b\"\"\nc\",#FF0000,5\n\nbob,plain\n",
    ));
    expect![[r#"
        0,0 200×200 #ffe066 "x"
    "#]]
    .assert_eq(&imported(Source::Json, br#"{"stickers": [{"text": "x"}]}"#));
}

#[test]
fn bad_files_are_told() {
    let many = "x\n".repeat(501);
    let long = "x".repeat(10_001);
    let told: String = [
        imported(Source::Lines, b""),
        imported(Source::Lines, b"\xff"),
        imported(Source::Lines, many.as_bytes()),
        imported(Source::Lines, long.as_bytes()),
        imported(Source::Csv, b"name\nann\n"),
        imported(Source::Csv, b"text,x,y\na,1,2\nb,one,2\n"),
        imported(Source::Csv, b"text,color\na,red\n"),
        imported(Source::Csv, b"text,x,y\na,9000000,2\n"),
        imported(Source::Csv, b"text\n\"a\nb"),
        imported(Source::Csv, b"text\n\"a\"b\n"),
        imported(Source::Json, b"[]"),
        imported(Source::Json, br#"{"stickers": [{"text": "a"}, {"text": "a", "x": 1}]}"#),
        imported(Source::Json, br#"{"stickers": [{"text": "a", "shape": 1}]}"#),
        imported(Source::Json, br#"{"stickers": []}"#),
    ]
    .map(|line| line + "\n")
    .concat();
    expect![[r#"
        422 the file has no notes. Send at least one note; nothing was added.
        400 the file is not UTF-8. Correct the file and send it again; nothing was added.
        422 the file has 501 notes, at most 500 are added at once. Split the file; nothing was added.
        422 note 1: the text has 10001 characters, at most 10000 are allowed. Change that note; nothing was added.
        400 the first line names no column "text". Correct the file and send it again; nothing was added.
        400 line 3, x: expected a whole number from -1000000 to 1000000, found "one". Correct the file and send it again; nothing was added.
        400 line 2, color: expected a colour as #rrggbb, found "red". Correct the file and send it again; nothing was added.
        422 note 1: x is 9000000, expected a whole number from -1000000 to 1000000. Change that note; nothing was added.
        400 line 2: a quoted cell is malformed. Correct the file and send it again; nothing was added.
        400 line 2: a quoted cell is malformed. Correct the file and send it again; nothing was added.
        400 the body: expected an object, found an array. Correct the file and send it again; nothing was added.
        400 stickers[1].y: the field is missing. Correct the file and send it again; nothing was added.
        400 stickers[0].shape: that name is not known here, expected id, x, y, width, height, color, z, text, author, created_at, deleted. Correct the file and send it again; nothing was added.
        422 the file has no notes. Send at least one note; nothing was added.
    "#]].assert_eq(&told);
}

proptest! {
    #[test]
    fn any_text_survives_a_table(texts in prop::collection::vec("[-'=+@\"\t\r\n, ax\u{e4}]{0,12}", 1..5)) {
        let stickers = (1..).zip(&texts).map(|(id, text)| sticker(id, id as i32, id as i64, text));
        let file = exported(&desk("t", stickers.collect()), Format::Csv, false);
        let back: Vec<_> = notes(Source::Csv, file.as_bytes()).unwrap().into_iter().map(|note| note.text).collect();
        prop_assert_eq!(back, texts);
    }

    #[test]
    fn no_cell_is_a_formula(text in "[-'=+@\"\t\r\n, ax]{0,12}") {
        let file = exported(&desk("t", vec![sticker(1, -5, -5, &text)]), Format::Csv, false);
        let (_, row) = file.split_once("\r\n").unwrap();
        // Before the text stand seven plain cells.
        let text = row.splitn(8, ',').last().unwrap();
        let shown = text.strip_prefix('"').unwrap_or(text);
        prop_assert!(!shown.starts_with(['=', '+', '-', '@', '\t', '\r']), "{}", row);
        prop_assert!(row.starts_with("0000000000001,'-5,10,200,200,#ffe066,'-5,"), "{}", row);
    }

    #[test]
    fn no_text_is_markup_in_svg(text in "\\PC{0,30}|[<>&\"'a-c/ ]{0,30}") {
        let text = format!("{text}<script>&amp;\u{0}");
        let svg = exported(&desk(&text, vec![sticker(1, 0, 0, &text)]), Format::Svg, false);
        let tags: Vec<_> = svg.split('<').skip(1).map(|tag| tag.split(['>', ' ']).next().unwrap()).collect();
        prop_assert!(tags.iter().all(|tag| ["svg", "/svg", "title", "/title", "rect", "text", "/text"].contains(tag)), "{:?}", tags);
        prop_assert!(!svg.contains(|c: char| c.is_control() && c != '\n'), "{}", svg);
    }

    #[test]
    fn no_file_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..60), text in "(text|x|,|\"|\n|a|=|'){0,20}") {
        for source in [Source::Json, Source::Csv, Source::Lines] {
            let _ = notes(source, &body);
            let _ = notes(source, text.as_bytes());
            let _ = notes(source, format!("text,x\n{text}").as_bytes());
        }
    }
}
