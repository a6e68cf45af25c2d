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
fn markdown_of_a_vault() {
    // Fields at the top, a line across, and code in which nothing is a list.
    check(
        b"---\ntags: [camp]\n---\n# Camp\n\n- tent\n\n---\n\n```sh\n# pack\n\n- all\n```\n- rope\n* * *\nPart\n====\nsome words\n",
        Some(Kind::Markdown),
        expect![[r#"
            a Markdown list "Camp"
            - #ffe066 "tent"
            - #ffe066 "```sh\n# pack\n\n- all\n```"
            - #ffe066 "rope"
            - #ffe066 "Part"
            - #ffe066 "some words"
        "#]],
    );
    check(
        b"---\ntags: [camp]\n---\n- tent\n***\n- rope\n",
        None,
        expect![[r#"
        a Markdown list ""
        - #ffe066 "tent"
        - #ffe066 "rope"
    "#]],
    );
    // Links and markup at the start are no JSON and no page.
    check(
        b"[[Camp]]\n\n- tent\n",
        Some(Kind::Markdown),
        expect![[r#"
        a Markdown list ""
        - #ffe066 "[[Camp]]"
        - #ffe066 "tent"
    "#]],
    );
    check(
        b"[[Camp]]\n{{date}}\n",
        None,
        expect![[r#"
        lines of text ""
        - #ffe066 "[[Camp]]"
        - #ffe066 "{{date}}"
    "#]],
    );
    check(
        b"{{date}}\n",
        None,
        expect![[r#"
        lines of text ""
        - #ffe066 "{{date}}"
    "#]],
    );
    check(
        b"<h1>Camp</h1>\n\n- tent\n\n<table><tr><td>rope</table>\n",
        Some(Kind::Markdown),
        expect![[r#"
            a Markdown list ""
            - #ffe066 "<h1>Camp</h1>"
            - #ffe066 "tent"
            - #ffe066 "<table><tr><td>rope</table>"
        "#]],
    );
    check(
        b"<b>a</b>,name\n1,2\n",
        Some(Kind::Table),
        expect![[r#"
        a table ""
        - #ffe066 "2"
        1 cell of other columns not taken over"#]],
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
            3 cells of other columns not taken over"#]],
    );
    check(
        b"Summary,Description,Status\nBuy,\"the\nlong one\",Done\nSell,,Open\n",
        None,
        expect![[r#"
            a table ""
            - #ffe066 "Buy\n\nthe\nlong one"
            - #ffe066 "Sell"
            2 cells of other columns not taken over"#]],
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
fn a_title_and_what_is_below_it() {
    // As Asana, Todoist and a Jira in Spanish name them.
    check(
        b"Task ID,Name,Assignee,Notes\n1,Hire a van,Ann,by noon\n2,Load it,,\n",
        None,
        expect![[r#"
            a table ""
            - #ffe066 "Hire a van\n\nby noon"
            - #ffe066 "Load it"
            3 cells of other columns not taken over"#]],
    );
    check(
        b"TYPE,CONTENT,DESCRIPTION\ntask,Hire a van,by noon\n",
        None,
        expect![[r#"
        a table ""
        - #ffe066 "Hire a van\n\nby noon"
        1 cell of other columns not taken over"#]],
    );
    check(
        "Clave,Resumen,Descripción\nA-1,Alquilar,a mediodía\n".as_bytes(),
        None,
        expect![[r#"
            a table ""
            - #ffe066 "Alquilar\n\na mediodía"
            1 cell of other columns not taken over"#]],
    );
    check(
        b"Notes\nHire a van\n",
        Some(Kind::Table),
        expect![[r#"
        a table ""
        - #ffe066 "Hire a van"
    "#]],
    );
    check(
        b"Notes\nHire a van\n",
        None,
        expect![[r#"
        lines of text ""
        - #ffe066 "Notes"
        - #ffe066 "Hire a van"
    "#]],
    );
}

#[test]
fn lines_above_the_names_of_columns() {
    check(
        b",,\nfrom https://example.org,,\n\nName,Notes,Due\nHire a van,by noon,today\n",
        Some(Kind::Table),
        expect![[r#"
            a table ""
            - #ffe066 "Hire a van\n\nby noon"
            2 cells of other columns not taken over"#]],
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
