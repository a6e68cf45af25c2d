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
    check(b"\xef\xbb\xbfone\r\n\n  two, and three \nthree", None, expect![[r#""#]]);
    check("[ ] Milch, Brot\n<b>fett\n".as_bytes(), None, expect![[r#""#]]);
    check(b"Gr\xfc\xdfe", None, expect![[r#""#]]);
}

#[test]
fn lists_of_markdown() {
    check(
        b"# Camp\n\n- [ ] tent\n  for four\n- [x] rope\n\n  red one\n* map\n  - north\n  - south\n1. first\\\n   line\n",
        None,
        expect![[r#""#]],
    );
    check(
        b"Some words\nof a paragraph\n\n## Part\n- a \\*star\\* &#32;\n-\n+ **bold** &amp; so\n",
        Some(Kind::Markdown),
        expect![[r#""#]],
    );
    // Lines that only look like it.
    check(b"- a\nand a line of its own\n", None, expect![[r#""#]]);
}

#[test]
fn tables_of_others() {
    check(
        b"Name;Text;Farbe;Fill\nann;a;x;#F00\n\nbob;\"b;c\n\"\"d\"\"\";;FF0000\n",
        None,
        expect![[r#""#]],
    );
    check(
        b"Summary,Description,Status\nBuy,\"the\nlong one\",Done\nSell,,Open\n",
        None,
        expect![[r#""#]],
    );
    check(b"Card Name\tCard Description\nA\tB\n", None, expect![[r#""#]]);
    check(b"sep=;\r\nText;x;y\r\na;1,5;-2\r\nb;3;\r\n", None, expect![[r#""#]]);
    // Miro: no header, the same note twice.
    check(b"Frame 1,\nbuy milk,\nbuy milk,\n", Some(Kind::Table), expect![[r#""#]]);
    check(b"a,b\n1,2\n", Some(Kind::Table), expect![[r#""#]]);
    check(b"text,color\na,butter\n", None, expect![[r#""#]]);
    check(b"text,deleted,z\na,TRUE,1\nb,False,2\nc,,1\n", None, expect![[r#""#]]);
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
    expect![[r#""#]].assert_eq(
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
        expect![[r#""#]],
    );
}
