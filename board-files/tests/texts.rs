//! Tables, lists and lines as people have them.

use desk_files::{Column, Kind, Options, read};
use expect_test::{Expect, expect};

fn check(file: &[u8], hint: Option<Kind>, expected: Expect) {
    let options = Options { hint, ..Options::default() };
    let told = match read(file, &options) {
        Ok(imported) => {
            let mut told = format!("{} {:?}\n", imported.report.kind, imported.board.title);
            for note in &imported.board.notes {
                let place = note.place.map_or("-".to_owned(), |at| format!("{},{}", at.x, at.y));
                told += &format!("{place} {} {:?}\n", note.color, note.text);
            }
            told + &imported.report.to_string()
        }
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&told);
}

#[test]
fn lines_of_people() {
    check(
        b"\xef\xbb\xbfone\r\n\n  two, and three \nthree",
        None,
        expect![[r#"
        lines of text ""
        - #ffe066 "one"
        - #ffe066 "two, and three"
        - #ffe066 "three"
    "#]],
    );
    check(
        "[ ] Milch, Brot\n<b>fett\n".as_bytes(),
        None,
        expect![[r#"
        lines of text ""
        - #ffe066 "[ ] Milch, Brot"
        - #ffe066 "<b>fett"
    "#]],
    );
    check(
        b"Gr\xfc\xdfe",
        None,
        expect![[r#"
        lines of text ""
        - #ffe066 "Grüße"
        the text is not UTF-8 and was read as Windows-1252; save it as UTF-8 if letters are wrong"#]],
    );
}

#[test]
fn lists_of_markdown() {
    check(
        b"# Camp\n\n- [ ] tent\n  for four\n- [x] rope\n\n  red one\n* map\n  - north\n  - south\n1. first\\\n   line\n",
        None,
        expect![[r#"
            a Markdown list "Camp"
            - #ffe066 "tent\nfor four"
            - #ffe066 "rope\n\nred one"
            - #ffe066 "map\n- north\n- south"
            - #ffe066 "first\nline"
            2 notes without the tick box"#]],
    );
    check(
        b"Some words\nof a paragraph\n\n## Part\n- a \\*star\\* &#32;\n-\n+ **bold** &amp; so\n",
        Some(Kind::Markdown),
        expect![[r#"
            a Markdown list ""
            - #ffe066 "Some words\nof a paragraph"
            - #ffe066 "Part"
            - #ffe066 "a *star*  "
            - #ffe066 ""
            - #ffe066 "**bold** & so"
        "#]],
    );
    // Lines that only look like it.
    check(
        b"- a\nand a line of its own\n",
        None,
        expect![[r#"
        lines of text ""
        - #ffe066 "- a"
        - #ffe066 "and a line of its own"
    "#]],
    );
}

#[test]
fn tables_of_others() {
    check(
        b"Name;Text;Farbe;Fill\nann;a;x;#F00\n\nbob;\"b;c\n\"\"d\"\"\";;FF0000\n",
        None,
        expect![[r#"
            a table ""
            - #ff0000 "a"
            - #ff0000 "b;c\n\"d\""
        "#]],
    );
    check(
        b"Summary,Description,Status\nBuy,\"the\nlong one\",Done\nSell,,Open\n",
        None,
        expect![[r#"
            a table ""
            - #ffe066 "Buy\n\nthe\nlong one"
            - #ffe066 "Sell"
        "#]],
    );
    check(
        b"Card Name\tCard Description\nA\tB\n",
        None,
        expect![[r#"
        a table ""
        - #ffe066 "A\n\nB"
    "#]],
    );
    check(
        b"sep=;\r\nText;x;y\r\na;1,5;-2\r\nb;3;\r\n",
        None,
        expect![[r#"
        a table ""
        2,-2 #ffe066 "a"
        - #ffe066 "b"
        1 note laid out anew, with only one coordinate"#]],
    );
    // Miro: no header, the same note twice.
    check(
        b"Frame 1,\nbuy milk,\nbuy milk,\n",
        Some(Kind::Table),
        expect![[r#"
        a table ""
        - #ffe066 "Frame 1"
        - #ffe066 "buy milk"
        - #ffe066 "buy milk"
        no column is known by its name, so the first became the notes; name another with --column text=NAME
        1 note with the text of another"#]],
    );
    check(
        b"a,b\n1,2\n",
        Some(Kind::Table),
        expect![[r#"
        a table ""
        - #ffe066 "a"
        - #ffe066 "1"
        2 cells of other columns not taken over
        no column is known by its name, so the first became the notes; name another with --column text=NAME"#]],
    );
    check(
        b"text,color\na,butter\n",
        None,
        expect![[r#"
        a table ""
        - #ffe066 "a"
        1 note in the default colour, as theirs is not known"#]],
    );
    check(
        b"text,deleted,z\na,TRUE,1\nb,False,2\nc,,1\n",
        None,
        expect![[r#"
        a table ""
        - #ffe066 "c"
        - #ffe066 "b"
        1 deleted note not taken over"#]],
    );
}

#[test]
fn a_column_by_its_name() {
    let columns = vec![(Column::Text, "Priority".to_owned())];
    let options = Options { columns, hint: Some(Kind::Table), ..Options::default() };
    let imported = read(b"Summary,Priority\na,high\nb,low\n", &options);
    let texts: Vec<_> =
        imported.iter().flat_map(|i| &i.board.notes).map(|note| note.text.as_str()).collect();
    assert_eq!(texts, ["high", "low"]);
    let columns = vec![(Column::Text, "Nope".to_owned())];
    let options = Options { columns, kind: Some(Kind::Table), ..Options::default() };
    expect![[r#"no column is named "Nope"; the first line names "Summary", "Priority""#]]
        .assert_eq(
            &read(b"Summary,Priority\na,b\n", &options)
                .err()
                .map(|e| e.to_string())
                .unwrap_or_default(),
        );
}

#[test]
fn cells_of_spreadsheets() {
    check(
        b"<table><style>td{}</style><tr><td rowspan=2>tall<td style='background: #FF0'>b &amp;\n  c<br>d<tr><td colspan=2><p>e</p><p>f</p></td><td>g</td></tr></table><table><tr><td>other</table>",
        None,
        expect![[r#"
            cells as HTML ""
            0,0 #ffe066 "tall"
            220,0 #ffff00 "b & c\nd"
            220,220 #ffe066 "e\nf"
            660,220 #ffe066 "g"
        "#]],
    );
}
