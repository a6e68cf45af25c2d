//! The report as one page: tables, and plots as inline SVG. It asks for nothing
//! from outside.

use std::fmt::Write as _;

use crate::report::{Better, Report, Row};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d1d1b;--soft:#6b6b66;--line:#d8d6cf;--paper:#fbfaf7;\
--bar:#4a7fb5;--good:#2f8a4c;--bad:#c2572b}\
@media(prefers-color-scheme:dark){:root{--ink:#e9e7e0;--soft:#a3a19a;--line:#45443f;\
--paper:#1b1b19;--bar:#6ca2da;--good:#62c182;--bad:#ec8a5e}}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);\
max-width:68rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.6rem}h2{font-size:1.15rem;\
margin-top:2.5rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;\
padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}\
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
.good{color:var(--good)}.bad{color:var(--bad)}small,figcaption{color:var(--soft)}\
figure{margin:1rem 0;overflow-x:auto}svg text{fill:var(--ink);font:12px system-ui,sans-serif}";

/// Height of a row in a plot, in pixels.
const ROW_HEIGHT: f64 = 30.0;
/// Where the axis begins and ends.
const LEFT: f64 = 250.0;
const RIGHT: f64 = 900.0;

/// The whole page.
pub fn page(report: &Report) -> String {
    let machine = &report.machine;
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Sticker Desk: benchmark report</title>\
         <style>{STYLE}</style><h1>Sticker Desk: benchmark report</h1><p>{} · {} cores · {} MiB \
         · Linux {} · load {} · commit {}</p><p><small>Medians of all rounds; lines show the \
         least and the most. Dots are others (point at them for names): servers, which \
         store nothing before they acknowledge unless their name says so, and in the rows of the \
         store other stores, which do. The upright mark is the target. Axes are \
         logarithmic.</small></p>",
        escaped(&machine.cpu),
        machine.cores,
        machine.memory_mib,
        escaped(&machine.kernel),
        escaped(&machine.load_average),
        escaped(&report.commit),
    );
    for (kind, rows) in groups(&report.rows) {
        let _ = write!(page, "<h2>{}</h2>", escaped(&kind));
        plot(&rows, &mut page);
        table(&rows, &mut page);
    }
    page.push_str("</html>\n");
    page
}

/// Rows of one unit and one kind (the last part of the id) in one plot, in the
/// order of their first row.
fn groups(rows: &[Row]) -> Vec<(String, Vec<&Row>)> {
    let mut groups: Vec<(String, Vec<&Row>)> = Vec::new();
    for row in rows {
        let kind = row.id.rsplit('.').next().unwrap_or_default();
        let title = format!("{} ({})", kind.replace('_', " "), row.unit);
        match groups.iter_mut().find(|(known, _)| *known == title) {
            Some((_, members)) => members.push(row),
            None => groups.push((title, vec![row])),
        }
    }
    groups
}

fn plot(rows: &[&Row], page: &mut String) {
    let shown = rows.iter().flat_map(|row| {
        let own = [row.value, row.spread[0], row.spread[1], row.target];
        own.into_iter().chain(row.limit).chain(row.peers.values().copied())
    });
    let shown: Vec<f64> = shown.filter(|value| *value > 0.0).collect();
    let least = shown.iter().copied().fold(f64::INFINITY, f64::min);
    let most = shown.iter().copied().fold(0.0, f64::max);
    if !least.is_finite() {
        return;
    }
    let low = least.log10().floor();
    let high = most.log10().ceil().max(low + 1.0);
    let at = |value: f64| LEFT + (value.max(least).log10() - low) / (high - low) * (RIGHT - LEFT);
    let height = rows.len() as f64 * ROW_HEIGHT + 26.0;
    let _ = write!(
        page,
        "<figure><svg viewBox=\"0 0 1000 {height}\" width=\"1000\" height=\"{height}\" role=\"img\">"
    );
    for decade in low as i32..=high as i32 {
        let (value, x) = (10f64.powi(decade), at(10f64.powi(decade)));
        let _ = write!(
            page,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{}\" stroke=\"var(--line)\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{value}</text>",
            height - 22.0,
            height - 6.0,
        );
    }
    for (index, row) in rows.iter().enumerate() {
        let y = index as f64 * ROW_HEIGHT + ROW_HEIGHT / 2.0;
        bar(row, y, at, page);
    }
    page.push_str("</svg></figure>");
}

fn bar(row: &Row, y: f64, at: impl Fn(f64) -> f64, page: &mut String) {
    let (x, low, high) = (at(row.value), at(row.spread[0]), at(row.spread[1]));
    let color = if row.met { "var(--good)" } else { "var(--bad)" };
    let target = at(row.target);
    let _ = write!(
        page,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
         <rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\" fill=\"var(--bar)\"/>\
         <line x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"var(--ink)\" \
         stroke-width=\"2\"/>\
         <line x1=\"{target:.1}\" x2=\"{target:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"{color}\" \
         stroke-width=\"3\"><title>target {}</title></line>",
        LEFT - 8.0,
        y + 4.0,
        escaped(&row.id),
        y - 6.0,
        (x - LEFT).max(0.0),
        y - 11.0,
        y + 11.0,
        row.target,
    );
    for (name, value) in &row.peers {
        let _ = write!(
            page,
            "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"var(--soft)\" \
             stroke=\"var(--paper)\"><title>{}: {value}</title></circle>",
            at(*value),
            escaped(name),
        );
    }
    let _ = write!(
        page,
        "<text x=\"{:.1}\" y=\"{:.1}\" font-weight=\"600\">{}</text>",
        RIGHT + 12.0,
        y + 4.0,
        row.value,
    );
}

fn table(rows: &[&Row], page: &mut String) {
    page.push_str(
        "<table><tr><th>row</th><th>value</th><th>spread</th><th>target</th><th>limit</th>\
         <th>what</th></tr>",
    );
    for row in rows {
        let sign = match row.better {
            Better::Lower => "≤",
            Better::Higher => "≥",
        };
        let limit = row.limit.map_or_else(|| "–".to_owned(), |limit| format!("{sign} {limit}"));
        let _ = write!(
            page,
            "<tr><td><code>{}</code></td><td class=\"n {}\">{}</td><td class=\"n\">{}–{}</td>\
             <td class=\"n\">{sign} {}</td><td class=\"n\">{limit}</td><td>{}<br><small>{}</small>\
             </td></tr>",
            escaped(&row.id),
            if row.met { "good" } else { "bad" },
            row.value,
            row.spread[0],
            row.spread[1],
            row.target,
            escaped(&row.what),
            escaped(&row.note),
        );
    }
    page.push_str("</table>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Goal, Machine};

    #[test]
    fn the_page_shows_every_row_and_asks_for_nothing() {
        let row = |id: &str| {
            Row::new(id, "a <b> & c", "µs", Goal::at_most(12.0), &[11.0, 13.0])
                .peers([("a \"peer\"".to_owned(), 5.5)])
        };
        let rows = vec![row("ws.a.cpu"), row("ws.b.cpu"), row("ws.a.p99")];
        let report =
            Report { machine: Machine::here().unwrap(), commit: "c0ffee".to_owned(), rows };
        let page = page(&report);
        for id in ["ws.a.cpu", "ws.b.cpu", "ws.a.p99"] {
            assert_eq!(page.matches(id).count(), 2, "{id} in a plot and in a table");
        }
        assert_eq!(page.matches("<svg").count(), 2);
        assert!(page.contains("a &lt;b&gt; &amp; c") && page.contains("a &quot;peer&quot;: 5.5"));
        for outside in ["http:", "https:", "src=", "href=", "url(", "@import", "<script"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
